#include "session/campaign/conduct.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include "session/campaign/sharing.h"

namespace ordeal {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

struct Ended {
  std::size_t run = 0;
  Played played;
};

// Runs in progress. With one job a run is played within start(), on the caller's thread.
class Players {
 public:
  Players(const Campaign& campaign, const Player& play) : campaign_(campaign), play_(play) {}
  ~Players() {
    for (auto& [run, one] : in_progress_) one.unneeded.request_stop();
  }
  Players(const Players&) = delete;
  Players& operator=(const Players&) = delete;

  void start(std::size_t run) {
    InProgress& one = in_progress_[run];
    if (campaign_.settings.jobs <= 1) {
      ended_.push_back({run, play_(campaign_.runs[run], one.unneeded.get_token())});
      return;
    }
    one.thread = std::jthread([this, run, unneeded = one.unneeded.get_token()] {
      Ended ended{run, play_(campaign_.runs[run], unneeded)};
      const std::lock_guard lock(mutex_);
      ended_.push_back(std::move(ended));
      changed_.notify_one();
    });
  }

  // Until one ends. Requires: one is in progress. A run has deadlines of its own for all that it does.
  Ended await_end() {
    std::unique_lock lock(mutex_);
    while (ended_.empty()) changed_.wait_for(lock, std::chrono::seconds(1));
    Ended out = std::move(ended_.front());
    ended_.pop_front();
    lock.unlock();
    in_progress_.erase(out.run);  // joins its thread, which has nothing left to do
    return out;
  }

  // Those after that one are to end.
  void end_after(std::size_t run) {
    for (auto& [other, one] : in_progress_) {
      if (other > run) one.unneeded.request_stop();
    }
  }

  [[nodiscard]] std::size_t count() const { return in_progress_.size(); }
  template <class Predicate>
  [[nodiscard]] bool all(Predicate predicate) const {
    return std::all_of(in_progress_.begin(), in_progress_.end(), [&](const auto& one) { return predicate(one.first); });
  }

 private:
  struct InProgress {
    std::stop_source unneeded;
    std::jthread thread;
  };
  const Campaign& campaign_;
  const Player& play_;
  std::mutex mutex_;  // guards ended_
  std::condition_variable changed_;
  std::deque<Ended> ended_;
  std::map<std::size_t, InProgress> in_progress_;  // last: its threads use the rest
};

class Conductor {
 public:
  Conductor(const Campaign& campaign, const Conduct& how) : campaign_(campaign), how_(how) {
    records_.resize(campaign.runs.size());
    why_not_.resize(campaign.runs.size());
    begun_.resize(campaign.runs.size());
    for (const RunRecord& record : how.before) {
      if (record.run < records_.size() && !record.interrupted && campaign.shard.has(record.run))
        records_[record.run] = record;
    }
    for (std::size_t i = 0; i < records_.size(); ++i) {
      if (!campaign.shard.has(i)) why_not_[i] = "not needed: another shard's";
      if (records_[i]) look_at(i);
    }
    if (campaign.settings.jobs <= 1) return;
    for (const PlannedRun& run : campaign.runs) needs_.push_back(needs_of(run.plan));
  }

  Result<CampaignOutcome> play() {
    Players players(campaign_, how_.play);
    const auto jobs = static_cast<std::size_t>(std::max(1, campaign_.settings.jobs));
    for (;;) {
      while (players.count() < jobs) {
        const auto next = next_run(players);
        if (!next) break;
        begin(*next, players);
      }
      if (players.count() == 0) break;
      if (auto done = ended(players.await_end(), players); !done) return fail(done.error());
    }
    return outcome();
  }

 private:
  struct Begun {
    int attempts = 0;  // 0: it was not
    Clock::time_point at;
    bool in_progress = false;
  };

  // The first that may be started beside those in progress.
  std::optional<std::size_t> next_run(const Players& players) {
    for (std::size_t i = 0; i < records_.size(); ++i) {
      if (records_[i] || !why_not_[i].empty() || begun_[i].in_progress) continue;
      why_not_[i] = why_not(i);
      if (!why_not_[i].empty()) continue;
      if (players.all([&](std::size_t other) { return may_share(needs_[i], needs_[other]); })) return i;
    }
    return std::nullopt;
  }

  // Empty: the run may be started.
  std::string why_not(std::size_t i) const {
    if (std::string why = why_unneeded(i); !why.empty()) return why;
    if (how_.stop.stop_requested()) return "not started: interrupted before";
    const double budget_s = campaign_.settings.budget_s;
    const double needed_s = campaign_.runs[i].plan.time_limit_s;
    const double gone_s = seconds_since(begin_);
    if (budget_s > 0 && gone_s + needed_s > budget_s) {
      return fmt::format("not started: {:.0f} s of the budget of {:g} s are left, and it takes {:g} s",
                         std::max(0.0, budget_s - gone_s), budget_s, needed_s);
    }
    return "";
  }

  // What one before it in the campaign's order decided.
  std::string why_unneeded(std::size_t i) const {
    if (found_ && i > *found_) return fmt::format("not needed: \"{}\" showed an anomaly", campaign_.runs[*found_].name);
    if (!red_ || i < *red_) return "";
    return fmt::format("not started: fail-fast, and \"{}\" is {}", campaign_.runs[*red_].name,
                       name(standing_of(*records_[*red_], campaign_.runs[*red_].expect)));
  }

  void begin(std::size_t i, Players& players) {
    Begun& begun = begun_[i];
    ++begun.attempts;
    begun.at = Clock::now();
    begun.in_progress = true;
    if (how_.observer != nullptr) how_.observer->begins(campaign_.runs[i], i, begun.attempts);
    players.start(i);
  }

  Result<void> ended(const Ended& one, Players& players) {
    const std::size_t i = one.run;
    const PlannedRun& run = campaign_.runs[i];
    begun_[i].in_progress = false;
    RunRecord record = RunRecord::from_results(one.played.results);
    record.run = i;
    record.refused = one.played.refused;
    record.attempts = begun_[i].attempts;
    record.seconds = seconds_since(begun_[i].at);
    record.interrupted = how_.stop.stop_requested() && record.verdict == Verdict::unknown;
    const Standing standing = standing_of(record, run.expect);
    // What came of it is not what would have come of it, and nobody asks any more.
    const std::string unneeded = why_unneeded(i);
    const bool ended_early = !unneeded.empty() && record.verdict == Verdict::unknown;
    const bool again = standing == Standing::failed && record.verdict != Verdict::invalid && !record.interrupted &&
                       !ended_early && record.attempts <= campaign_.settings.retries && !how_.stop.stop_requested();
    if (!again && !ended_early) {
      records_[i] = record;
      if (how_.keep) {
        if (auto kept = how_.keep(*records_[i]); !kept) return kept;
      }
    }
    if (how_.observer != nullptr) how_.observer->ended(run, record, ended_early ? standing_of(unneeded) : standing);
    if (again) {
      begin(i, players);
    } else if (ended_early) {
      why_not_[i] = unneeded;
    } else {
      look_at(i);
      if (const auto last = last_needed()) players.end_after(*last);
    }
    return {};
  }

  // What follows from a run that ended, now or in an earlier sitting.
  void look_at(std::size_t i) {
    const Standing standing = standing_of(*records_[i], campaign_.runs[i].expect);
    const bool found = campaign_.settings.until_found && records_[i]->verdict == Verdict::invalid;
    if (found) found_ = std::min(i, found_.value_or(i));
    const bool red = standing == Standing::invalid || standing == Standing::failed || standing == Standing::refused;
    if (campaign_.settings.fail_fast && red) red_ = std::min(i, red_.value_or(i));
  }

  [[nodiscard]] std::optional<std::size_t> last_needed() const {
    if (found_ && red_) return std::min(*found_, *red_);
    return found_ ? found_ : red_;
  }

  // Of a run without a record.
  static Standing standing_of(const std::string& why) {
    return why.starts_with("not needed") ? Standing::not_needed : Standing::not_started;
  }
  static Standing standing_of(const RunRecord& record, const Expectation& expect) {
    return ordeal::standing_of(record, expect);
  }

  CampaignOutcome outcome() const {
    CampaignOutcome out;
    for (std::size_t i = 0; i < records_.size(); ++i) {
      CampaignOutcome::Run one;
      if (records_[i]) {
        one.record = *records_[i];
        one.standing = standing_of(one.record, campaign_.runs[i].expect);
        // One of them had to show it.
        if (one.standing == Standing::vanished && found_) one.standing = Standing::valid;
      } else {
        one.record.run = i;
        one.why = why_not_[i];
        one.standing = standing_of(one.why);
      }
      out.runs.push_back(std::move(one));
    }
    return out;
  }

  const Campaign& campaign_;
  const Conduct& how_;
  const Clock::time_point begin_ = Clock::now();
  std::vector<MachineNeeds> needs_;  // empty with one job
  std::vector<Begun> begun_;
  std::vector<std::optional<RunRecord>> records_;
  std::vector<std::string> why_not_;  // of those not started
  std::optional<std::size_t> found_;
  std::optional<std::size_t> red_;
};

}  // namespace

Result<CampaignOutcome> conduct(const Campaign& campaign, const Conduct& how) {
  return Conductor(campaign, how).play();
}

}  // namespace ordeal
