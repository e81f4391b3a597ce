#include "session/campaign/conduct.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>

namespace ordeal {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

class Conductor {
 public:
  Conductor(const Campaign& campaign, const Conduct& how) : campaign_(campaign), how_(how) {
    records_.resize(campaign.runs.size());
    why_not_.resize(campaign.runs.size());
    for (const RunRecord& record : how.before) {
      if (record.run < records_.size() && !record.interrupted) records_[record.run] = record;
    }
  }

  Result<CampaignOutcome> play() {
    for (std::size_t i = 0; i < records_.size(); ++i) {
      if (!campaign_.shard.has(i)) {
        why_not_[i] = "not needed: another shard's";
        continue;
      }
      if (!records_[i]) why_not_[i] = why_not(i);
      if (!why_not_[i].empty()) continue;
      if (!records_[i]) {
        if (auto done = one(i); !done) return fail(done.error());
      }
      look_at(i);
    }
    return outcome();
  }

 private:
  // Empty: the run may be started.
  std::string why_not(std::size_t i) const {
    if (found_) return fmt::format("not needed: \"{}\" showed an anomaly", campaign_.runs[*found_].name);
    if (red_) return fmt::format("not started: fail-fast, and \"{}\" is {}", campaign_.runs[*red_].name, red_standing_);
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

  Result<void> one(std::size_t i) {
    const PlannedRun& run = campaign_.runs[i];
    for (int attempt = 1;; ++attempt) {
      if (how_.observer != nullptr) how_.observer->begins(run, i, attempt);
      const auto begin = Clock::now();
      const Played played = how_.play(run);
      RunRecord record = RunRecord::from_results(played.results);
      record.run = i;
      record.refused = played.refused;
      record.attempts = attempt;
      record.seconds = seconds_since(begin);
      record.interrupted = how_.stop.stop_requested() && record.verdict == Verdict::unknown;
      const Standing standing = standing_of(record, run.expect);
      const bool again = standing == Standing::failed && record.verdict != Verdict::invalid && !record.interrupted &&
                         attempt <= campaign_.settings.retries && !how_.stop.stop_requested();
      if (!again) {
        records_[i] = record;
        if (how_.keep) {
          if (auto kept = how_.keep(*records_[i]); !kept) return kept;
        }
      }
      if (how_.observer != nullptr) how_.observer->ended(run, record, standing);
      if (!again) return {};
    }
  }

  // What follows from a run that ended, now or in an earlier sitting.
  void look_at(std::size_t i) {
    const Standing standing = standing_of(*records_[i], campaign_.runs[i].expect);
    if (campaign_.settings.until_found && records_[i]->verdict == Verdict::invalid && !found_) found_ = i;
    const bool red = standing == Standing::invalid || standing == Standing::failed || standing == Standing::refused;
    if (campaign_.settings.fail_fast && red && !red_) {
      red_ = i;
      red_standing_ = std::string(name(standing));
    }
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
        one.standing = one.why.starts_with("not needed") ? Standing::not_needed : Standing::not_started;
      }
      out.runs.push_back(std::move(one));
    }
    return out;
  }

  const Campaign& campaign_;
  const Conduct& how_;
  const Clock::time_point begin_ = Clock::now();
  std::vector<std::optional<RunRecord>> records_;
  std::vector<std::string> why_not_;  // of those not started
  std::optional<std::size_t> found_;
  std::optional<std::size_t> red_;
  std::string red_standing_;
};

}  // namespace

Result<CampaignOutcome> conduct(const Campaign& campaign, const Conduct& how) {
  return Conductor(campaign, how).play();
}

}  // namespace ordeal
