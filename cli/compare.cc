// `ordeal compare`: what is new, gone or slower between two campaigns, or two runs.

#include "session/campaign/compare.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/exit_code.h"

namespace ordeal::cli {
namespace {

Colour colour_of(Difference::Kind kind) {
  if (kind == Difference::Kind::found) return Colour::red;
  return kind == Difference::Kind::gone ? Colour::green : Colour::yellow;
}

Value document_of(const Side& before, const Side& after, const std::vector<Difference>& differences) {
  Value out = Value::map();
  out.set("before", before.path);
  out.set("after", after.path);
  Value list = Value::list();
  for (const Difference& one : differences) {
    list.items().push_back(Value::map({{"run", one.run}, {"kind", name(one.kind)}, {"text", one.text}}));
  }
  out.set("differences", std::move(list));
  return out;
}

}  // namespace

int compare(const CompareCommand& command) {
  const auto before = read_side(command.before);
  if (!before) return refuse(before.error(), command.json);
  const auto after = read_side(command.after);
  if (!after) return refuse(after.error(), command.json);
  const auto differences = ordeal::compare(*before, *after);
  if (command.json) {
    print(document_of(*before, *after, differences).to_json() + "\n");
  } else if (differences.empty()) {
    print("no difference\n");
  }
  for (const Difference& one : differences) {
    if (command.json) break;
    const std::string kind = coloured(fmt::format("{:<11}", name(one.kind)), colour_of(one.kind), STDOUT_FILENO);
    print(fmt::format("{}  {}: {}\n", kind, one.run, one.text));
  }
  const bool found = std::any_of(differences.begin(), differences.end(),
                                 [](const Difference& one) { return one.kind == Difference::Kind::found; });
  return delivered(found ? kInvalid : kValid);
}

}  // namespace ordeal::cli
