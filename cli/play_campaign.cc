#include "cli/play_campaign.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>

#include "base/descriptor.h"
#include "base/files.h"
#include "cli/console.h"
#include "cli/print_run.h"
#include "cli/run_process.h"
#include "cli/signals.h"
#include "session/campaign/closing.h"
#include "session/campaign/gate.h"
#include "session/campaign/shard.h"
#include "session/campaign/sharing.h"

namespace ordeal::cli {
namespace {

Colour colour_of(Standing standing) {
  if (standing == Standing::invalid) return Colour::red;
  return is_green(standing) ? Colour::green : Colour::yellow;
}

std::string shown(Standing standing) { return coloured(name(standing), colour_of(standing), STDOUT_FILENO); }

// A heading when a run begins and a line when it ended, at once, also where nobody is at a terminal. Of runs side by
// side the heading waits for the verdict.
class Lines final : public CampaignObserver {
 public:
  Lines(const Campaign& campaign, bool quiet)
      : runs_(campaign.runs.size()), apart_(campaign.settings.jobs > 1), quiet_(quiet) {}
  void begins(const PlannedRun& run, std::size_t index, int attempt) override {
    const std::string heading = fmt::format("── run {} of {}: {}{}", index + 1, runs_, run.name,
                                            attempt > 1 ? fmt::format(", attempt {}", attempt) : "");
    if (apart_) {
      headings_[run.name] = heading;
      say(fmt::format("[{}] begins: {}", index + 1, run.name));
    } else if (quiet_) {
      say(heading);
    } else {
      print(heading + "\n");
    }
    std::fflush(stdout);
  }
  // What the process of a run printed; from any thread, before ended().
  void take(const PlannedRun& run, std::string printed) {
    const std::lock_guard lock(mutex_);
    printed_[run.name] = std::move(printed);
  }
  void ended(const PlannedRun& run, const RunRecord& record, Standing standing) override {
    const std::string why = standing == Standing::vanished || standing == Standing::expected
                                ? ": " + told(run, {standing, record, ""})
                                : "";
    const std::string line = fmt::format("{} {} in {:.1f} s{}", shown(standing), run.name, record.seconds, why);
    if (apart_ && !quiet_) {
      const std::lock_guard lock(mutex_);
      print(headings_[run.name] + "\n" + printed_[run.name]);
    }
    if (quiet_) {
      say(line);
    } else if (!why.empty()) {
      print(line + "\n");  // beside the verdict, which is printed already
    }
    std::fflush(stdout);
  }

 private:
  std::size_t runs_;
  bool apart_;
  bool quiet_;
  std::map<std::string, std::string> headings_;  // by the run's name
  std::mutex mutex_;                             // guards printed_
  std::map<std::string, std::string> printed_;
};

// Of runs side by side: which wait for each other.
void tell_turns(const Campaign& campaign) {
  if (campaign.settings.jobs <= 1) return;
  std::vector<MachineNeeds> needs(campaign.runs.size());
  for (std::size_t i = 0; i < needs.size(); ++i) {
    if (campaign.shard.has(i)) needs[i] = needs_of(campaign.runs[i].plan);
  }
  for (const std::string& line : told_turns(needs)) say(line);
}

// One run of a campaign, here or in a process of its own.
PlayedHere play_one(const CampaignStore& store, const PlannedRun& run, bool json, const RunStops& stops,
                    const std::stop_token& unneeded, Lines& lines) {
  const Campaign& campaign = store.campaign();
  if (campaign.settings.jobs <= 1) return play_here(run.plan, json, stops);
  const auto index = static_cast<std::size_t>(&run - campaign.runs.data());
  const std::string mark = fmt::format("[{}] ", index + 1);
  PlayedApart played = play_apart(
      run.plan, {store.path(), json, stops, unneeded, [&](std::string_view line) { say(mark + std::string(line)); }});
  lines.take(run, std::move(played.printed));
  return std::move(played.played);
}

// The summary where a CI system asks for it, and a line for each run that is not green.
void tell_ci(const Campaign& campaign, const CampaignOutcome& outcome, const std::string& markdown) {
  const char* summary = std::getenv("GITHUB_STEP_SUMMARY");
  if (summary != nullptr && *summary != '\0') {
    const Descriptor file(::open(summary, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
    const auto written =
        file ? write_all(file.get(), markdown, summary)
             : Result<void>(fail(system_error(std::string("opening the step summary ") + summary, errno)));
    if (!written) complain(written.error());
  }
  const char* actions = std::getenv("GITHUB_ACTIONS");
  if (actions == nullptr || *actions == '\0') return;
  for (const auto& line : campaign_annotations(campaign, outcome)) say(line);
}

// Into the campaign's directory. Errors: io.
Result<void> write_files(const CampaignStore& store, const Campaign& campaign, const CampaignOutcome& outcome,
                         const std::string& markdown, const Value& document) {
  if (auto done = store.write("results.json", document.to_json() + "\n"); !done) return done;
  if (auto done = store.write("junit.xml", campaign_junit(campaign, outcome)); !done) return done;
  return store.write("summary.md", markdown);
}

}  // namespace

ExitCode exit_code(Standing standing) {
  switch (standing) {
    case Standing::invalid:
      return kInvalid;
    case Standing::refused:
      return kUsage;
    case Standing::failed:
      return kRunFailed;
    case Standing::vanished:
    case Standing::unknown:
    case Standing::not_started:
      return kUnknown;
    case Standing::valid:
    case Standing::expected:
    case Standing::not_needed:
      return kValid;
  }
  return kUnknown;
}

PlayedHere play_here(const Plan& plan, bool quiet, const RunStops& stops) {
  say(fmt::format("{} {} on {}, {} s, seed {}{}", plan.target, plan.workload, plan.nodes, plan.time_limit_s, plan.seed,
                  plan.nemesis.empty() ? "" : ", with faults"));
  Terminal terminal;
  const auto judged = run_and_judge(plan, terminal, stops);
  end_progress();
  if (!judged) {
    complain(judged.error());
    return {error_document(judged.error()), exit_code(judged.error())};
  }
  if (judged->facts.all.total() == 0) {
    complain(judged->failure ? *judged->failure : Error{ErrorCode::cancelled, judged->reason});
    say("the run's directory: " + judged->directory);
  } else if (!quiet) {
    print_judged(*judged);
  }
  if (judged->unwritten) complain(*judged->unwritten);
  return {judged->results, exit_code(*judged)};
}

int close_campaign(const CampaignStore& store, const Campaign& campaign, const CampaignOutcome& outcome, bool json,
                   const More& more) {
  const Standing all = gravest(outcome);
  Value document = closing_value(campaign, outcome);
  const std::string beside = more ? more(outcome, document) : "";
  const std::string markdown = campaign_markdown(campaign, outcome);
  const auto written = write_files(store, campaign, outcome, markdown, document);
  tell_ci(campaign, outcome, markdown);
  if (json) {
    document.set("directory", store.path());
    print(document.to_json() + "\n");
  } else {
    print(fmt::format("\n{}\n{}  {}\n", closing_table(campaign, outcome), shown(all), closing_sentence(outcome)));
    print(beside);
    print(fmt::format("campaign    {} (results.json, junit.xml, summary.md)\n", store.path()));
  }
  const bool cut = std::any_of(outcome.runs.begin(), outcome.runs.end(), [](const auto& run) {
    return run.standing == Standing::not_started || run.record.interrupted;
  });
  if (cut) say("to play on: ordeal run --resume " + store.path());
  if (written) return exit_code(all);
  complain(written.error());
  return worst(std::array{exit_code(all), kRunFailed});
}

int play_campaign(CampaignStore& store, bool json, const More& more) {
  const Campaign& campaign = store.campaign();
  if (!store.records().empty()) {
    say(fmt::format("resuming {}: of {} runs {} have ended", store.path(), campaign.runs.size(),
                    store.records().size()));
  }
  tell_turns(campaign);
  Lines lines(campaign, json);
  const SignalStop signals(
      {"stopping: healing, collecting and judging what there is (again: without waiting for the checkers)",
       "not waiting for the checkers; `ordeal report` judges the run later (again: leave at once)"});
  Conduct how;
  how.play = [&](const PlannedRun& run, const std::stop_token& unneeded) {
    // What is expected is no reason to end a run: others may follow.
    const bool at_anomaly = campaign.settings.fail_fast && !run.expect.invalid;
    PlayedHere played = play_one(store, run, json, {signals.token(0), signals.token(1), at_anomaly}, unneeded, lines);
    // The code says more than the results where a file could not be written.
    if (played.code == kRunFailed && played.results.find("error") == nullptr)
      played.results.set("error", "the judgement could not be written");
    if (const Value* directory = played.results.find("directory"); directory != nullptr && directory->is_string())
      played.results.set("directory", within(store.store(), directory->string()));
    return Played{std::move(played.results), played.code == kUsage};
  };
  how.keep = [&](const RunRecord& record) { return store.keep(record); };
  how.observer = &lines;
  how.stop = signals.token(0);
  how.before = store.records();
  const auto outcome = conduct(campaign, how);
  if (!outcome) return refuse(outcome.error(), json);
  const ShardView view = of_shard(campaign, *outcome);
  return close_campaign(store, view.campaign, view.outcome, json, more);
}

}  // namespace ordeal::cli
