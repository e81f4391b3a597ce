// `ordeal stats`: how often each kind of run came to each verdict, over a store.

#include <fmt/format.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/exit_code.h"
#include "session/campaign/statistics.h"

namespace ordeal::cli {
namespace {

Value rates_value(const std::map<std::string, Rate>& rates) {
  Value out = Value::map();
  for (const auto& [name, rate] : rates) {
    out.set(name, Value::map({{"seen", static_cast<std::int64_t>(rate.seen)},
                              {"of", static_cast<std::int64_t>(rate.of)},
                              {"low", rate.low},
                              {"high", rate.high}}));
  }
  return out;
}

Value document_of(const Statistics& statistics) {
  Value kinds = Value::list();
  for (const KindOfRuns& kind : statistics.kinds) {
    Value one = Value::map({{"name", kind.name},
                            {"runs", static_cast<std::int64_t>(kind.runs)},
                            {"failed", static_cast<std::int64_t>(kind.failed)},
                            {"flaky", kind.is_flaky()}});
    one.set("verdicts", rates_value(kind.verdicts));
    one.set("anomalies", rates_value(kind.anomalies));
    kinds.items().push_back(std::move(one));
  }
  Value left_out = Value::list();
  for (const auto& line : statistics.left_out) left_out.items().emplace_back(line);
  Value out = Value::map();
  out.set("kinds", std::move(kinds));
  out.set("left_out", std::move(left_out));
  return out;
}

}  // namespace

int stats(const StatsCommand& command) {
  const auto statistics = statistics_of(command.store);
  if (!statistics) {
    Error error = statistics.error();
    if (error.code == ErrorCode::not_found) error.code = ErrorCode::usage;
    return refuse(error, command.json);
  }
  for (const auto& line : statistics->left_out) say("left out: " + line);
  if (command.json) {
    print(document_of(*statistics).to_json() + "\n");
    return delivered(kValid);
  }
  for (const KindOfRuns& kind : statistics->kinds) {
    std::string out = coloured(kind.name, Colour::bold, STDOUT_FILENO) + fmt::format(": {} runs", kind.runs);
    if (kind.failed > 0) out += fmt::format(", {} of which failed", kind.failed);
    out += kind.is_flaky() ? ", " + coloured("flaky", Colour::yellow, STDOUT_FILENO) + "\n" : "\n";
    for (const auto& [name, rate] : kind.verdicts) out += fmt::format("  {:<20} {}\n", name, told(rate));
    for (const auto& [name, rate] : kind.anomalies) out += fmt::format("    {:<18} {}\n", name, told(rate));
    print(out);
  }
  return delivered(kValid);
}

}  // namespace ordeal::cli
