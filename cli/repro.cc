// `ordeal repro`: how often a stored run shows again what it showed.

#include "session/campaign/repro.h"

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/exit_code.h"
#include "cli/play_campaign.h"
#include "harness/runner/stuck.h"

namespace ordeal::cli {
namespace {

Value rate_value(const Rate& rate) {
  return Value::map({{"seen", static_cast<std::int64_t>(rate.seen)},
                     {"of", static_cast<std::int64_t>(rate.of)},
                     {"low", rate.low},
                     {"high", rate.high}});
}

}  // namespace

int repro(const ReproCommand& command) {
  auto repro = repro_of(command.run, command.times, command.store);
  if (!repro) {
    Error error = repro.error();
    if (error.code == ErrorCode::not_found) error.code = ErrorCode::usage;
    return refuse(error, command.json);
  }
  auto store = CampaignStore::create(repro->campaign, repro->campaign.runs.front().plan.store);
  if (!store) return refuse(store.error(), command.json);
  leave(delivered(play_campaign(*store, command.json, [&](const CampaignOutcome& outcome, Value& document) {
    const ReproRates rates = rates_of(repro->anomalies, outcome);
    document.set("invalid", rate_value(rates.invalid));
    document.set("same", rate_value(rates.same));
    std::string out = "an anomaly showed in " + told(rates.invalid) + "\n";
    if (!repro->anomalies.empty()) out += "one of the stored run's in " + told(rates.same) + "\n";
    if (rates.undecided > 0) out += fmt::format("{} without a verdict are not counted\n", rates.undecided);
    return out;
  })));
}

}  // namespace ordeal::cli
