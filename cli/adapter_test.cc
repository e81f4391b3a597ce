// `ordeal adapter test`: whether an adapter keeps to the protocol, case by case.

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "base/options.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/console.h"
#include "cli/exit_code.h"
#include "targets/process/conformance.h"

namespace ordeal::cli {
namespace {

using Outcome = ConformanceCase::Outcome;

Colour colour_of(Outcome outcome) {
  if (outcome == Outcome::failed) return Colour::red;
  return outcome == Outcome::passed ? Colour::green : Colour::yellow;
}

std::size_t count(const std::vector<ConformanceCase>& cases, Outcome outcome) {
  return static_cast<std::size_t>(
      std::count_if(cases.begin(), cases.end(), [&](const auto& one) { return one.outcome == outcome; }));
}

// Whether the operations of at least one data type were tried.
bool was_asked(const std::vector<ConformanceCase>& cases) {
  return std::any_of(cases.begin(), cases.end(), [](const ConformanceCase& one) {
    return one.outcome == Outcome::passed && one.name.starts_with("operations of ");
  });
}

Value document_of(const std::vector<ConformanceCase>& cases) {
  Value out = Value::map();
  for (const Outcome outcome : {Outcome::passed, Outcome::failed, Outcome::skipped})
    out.set(std::string(name(outcome)), static_cast<std::int64_t>(count(cases, outcome)));
  Value list = Value::list();
  for (const ConformanceCase& one : cases) {
    Value entry = Value::map({{"case", one.name}, {"outcome", name(one.outcome)}});
    if (!one.what.empty()) entry.set("what", one.what);
    if (!one.said.empty()) entry.set("said", one.said);
    list.items().push_back(std::move(entry));
  }
  out.set("cases", std::move(list));
  return out;
}

void print_case(const ConformanceCase& one) {
  std::string out = coloured(fmt::format("{:<8}", name(one.outcome)), colour_of(one.outcome), STDOUT_FILENO);
  out += fmt::format(" {:<28} {}\n", one.name, one.what);
  if (!one.said.empty()) out += fmt::format("{:37} it said: {}\n", "", one.said);
  print(out);
}

}  // namespace

int test_adapter(const AdapterCommand& command) {
  ConformanceSetup setup;
  setup.adapter.words = command.words;
  setup.adapter.variables = split(command.environment, ',');
  setup.adapter.label = "adapter";
  setup.operations = split(command.operations, ',');
  setup.node = command.node;
  setup.address = command.address;
  setup.endpoint = command.endpoint;
  const auto timeout = parse_duration(command.timeout);
  if (!timeout) return refuse(timeout.error().during("--timeout"), command.json);
  if (*timeout < 0.01 || *timeout > 3600) {
    return refuse({ErrorCode::usage, "--timeout: 10ms to 1h were expected, found " + command.timeout}, command.json);
  }
  setup.timeout = std::chrono::ceil<std::chrono::milliseconds>(std::chrono::duration<double>(*timeout));
  const auto cases = conformance(setup, [&](const ConformanceCase& one) {
    if (!command.json) print_case(one);
  });
  if (!cases) return refuse(cases.error(), command.json);
  if (command.json) {
    print(document_of(*cases).to_json() + "\n");
  } else {
    print(fmt::format("{} passed, {} failed, {} skipped\n", count(*cases, Outcome::passed),
                      count(*cases, Outcome::failed), count(*cases, Outcome::skipped)));
  }
  if (count(*cases, Outcome::failed) > 0) return delivered(kInvalid);
  if (was_asked(*cases)) return delivered(kValid);
  say("ordeal: none of its operations could be tried: nothing is known of them");
  return delivered(kUnknown);
}

}  // namespace ordeal::cli
