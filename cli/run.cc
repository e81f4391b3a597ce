// `ordeal run`: from a command line to a run or a campaign.

#include "base/text.h"
#include "cli/commands.h"
#include "cli/console.h"
#include "cli/exit_code.h"
#include "cli/play_campaign.h"
#include "cli/signals.h"
#include "harness/runner/stuck.h"
#include "session/campaign/shard.h"

namespace ordeal::cli {
namespace {

// What a command line asks for: the matrix of its campaign file, or one run. Flags win over the file. Errors: usage.
Result<CampaignFile> file_of(const RunCommand& command) {
  CampaignFile file;
  if (!command.campaign.empty()) {
    auto read = read_campaign(command.campaign);
    if (!read) return fail(read.error());
    file = *std::move(read);
  }
  for (const auto& [name, text] : command.flags) {
    if (auto set = file.override_flag(name, text); !set) return fail(set.error());
  }
  for (const auto& setting : command.settings) {
    auto pair = key_value(setting);
    if (!pair) return fail(pair.error().during("--set"));
    file.override_setting(pair->first, pair->second);
  }
  for (const auto& [name, text] : command.campaign_flags) {
    if (auto set = find_campaign_setting(name)->set(file.settings, text); !set)
      return fail(set.error().during("--" + name));
    file.more_than_runs = true;
  }
  return file;
}

// Errors: usage, also when every machine would draw seeds of its own.
Result<void> take_shard(const RunCommand& command, Campaign& campaign) {
  if (command.shard.empty()) return {};
  auto shard = parse_shard(command.shard);
  if (!shard) return fail(shard.error().during("--shard"));
  if (!campaign.seeded) {
    return fail(ErrorCode::usage,
                "--shard: every machine would draw seeds of its own; say `seed` in the file, or --seed");
  }
  if (shard->index > campaign.runs.size()) {
    return fail(ErrorCode::usage, "--shard: there are fewer runs than shards, and this one would have none");
  }
  campaign.shard = *shard;
  return {};
}

// One run that is no campaign.
int run_alone(const Plan& plan, bool json) {
  ExitCode code = kRunFailed;
  {
    const SignalStop signals(
        {"stopping: healing, collecting and judging what there is (again: without waiting for the checkers)",
         "not waiting for the checkers; `ordeal report` judges the run later (again: leave at once)"});
    const PlayedHere played = play_here(plan, json, {signals.token(0), signals.token(1)});
    code = played.code;
    if (json) print(played.results.to_json() + "\n");
  }
  leave(delivered(code));
}

// What would be played.
int tell(Campaign campaign, bool one_run, bool json) {
  std::vector<PlannedRun> of_shard;
  for (std::size_t i = 0; i < campaign.runs.size(); ++i) {
    if (campaign.shard.has(i)) of_shard.push_back(std::move(campaign.runs[i]));
  }
  campaign.runs = std::move(of_shard);
  Value plans = Value::list();
  for (const PlannedRun& run : campaign.runs) plans.items().push_back(run.plan.to_value());
  if (one_run) {
    print(plans.items().front().to_json() + "\n");
  } else {
    print(json ? plans.to_json() + "\n" : told_plan(campaign));
  }
  return delivered(kValid);
}

// A campaign that was interrupted. Its directory says all that is to be known.
int resume(const RunCommand& command) {
  auto flags = command.flags;
  flags.erase("store");
  if (!command.campaign.empty() || !flags.empty() || !command.settings.empty() || !command.campaign_flags.empty() ||
      !command.shard.empty() || command.dry_run) {
    const Error error{ErrorCode::usage, "--resume plays on what its directory says; beside it only --store and --json"};
    return refuse(error, command.json);
  }
  const auto store = command.flags.find("store");
  const bool latest = command.resume == "latest";
  auto campaign = CampaignStore::resume(
      latest ? latest_campaign(store == command.flags.end() ? Plan{}.store : store->second) : command.resume);
  if (campaign) leave(delivered(play_campaign(*campaign, command.json)));
  Error error = campaign.error();
  if (error.code == ErrorCode::not_found) error.code = ErrorCode::usage;
  return refuse(error, command.json);
}

}  // namespace

int run(const RunCommand& command) {
  if (!command.resume.empty()) return resume(command);
  const auto file = file_of(command);
  if (!file) return refuse(file.error(), command.json);
  auto campaign = plan_campaign(*file);
  if (!campaign) return refuse(campaign.error(), command.json);
  if (auto taken = take_shard(command, *campaign); !taken) return refuse(taken.error(), command.json);
  const bool one_run = campaign->runs.size() == 1 && !file->more_than_runs && command.shard.empty();
  if (command.dry_run) return tell(*campaign, one_run, command.json);
  if (one_run) return run_alone(campaign->runs.front().plan, command.json);
  auto store = CampaignStore::create(*campaign, campaign->runs.front().plan.store);
  if (!store) return refuse(store.error(), command.json);
  leave(delivered(play_campaign(*store, command.json)));
}

}  // namespace ordeal::cli
