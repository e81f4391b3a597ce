#include "checkers/run/stats.h"

#include <array>
#include <map>

#include "base/names.h"

namespace ordeal {
namespace {

struct Counts {
  std::array<std::int64_t, 4> by_outcome{};  // by EventType; invoke: still open at the end
  [[nodiscard]] std::int64_t of(EventType type) const { return by_outcome[static_cast<std::size_t>(type)]; }
  [[nodiscard]] std::int64_t all() const { return by_outcome[0] + by_outcome[1] + by_outcome[2] + by_outcome[3]; }
  void count(EventType type) { ++by_outcome[static_cast<std::size_t>(type)]; }
};

Value as_value(const Counts& counts) {
  Value out = Value::map();
  out.set("count", counts.all());
  out.set("ok", counts.of(EventType::ok));
  out.set("fail", counts.of(EventType::fail));
  // An operation that never came back is as uncertain as one that said so.
  out.set("info", counts.of(EventType::info) + counts.of(EventType::invoke));
  out.set("open", counts.of(EventType::invoke));
  return out;
}

class StatsChecker final : public Checker {
 public:
  [[nodiscard]] std::string_view name() const override { return "stats"; }

  [[nodiscard]] CheckResult check(const History& history, const CheckOptions&) const override {
    CheckResult result;
    result.checker = "stats";
    result.algorithm = "counting";
    Counts total;
    std::map<std::string, Counts, std::less<>> by_f;
    for (const OperationEvents& op : history.operations()) {
      const EventType outcome = op.completion == kNoEvent ? EventType::invoke : history.type(op.completion);
      total.count(outcome);
      const std::string_view f = history.f_name(op.invocation);
      auto found = by_f.find(f);
      if (found == by_f.end()) found = by_f.emplace(f, Counts()).first;
      found->second.count(outcome);
    }
    result.operations = static_cast<std::size_t>(total.all());
    result.details = as_value(total);
    Value functions = Value::map();
    std::vector<std::string> never;
    for (const auto& [f, counts] : by_f) {
      functions.set(f, as_value(counts));
      if (counts.of(EventType::ok) == 0) never.push_back(f + " (" + std::to_string(counts.all()) + " tried)");
    }
    result.details.set("by-f", std::move(functions));
    if (total.all() == 0) {
      result.reason = "the history holds no operation of a client";
    } else if (total.of(EventType::ok) == 0) {
      result.reason = "no operation succeeded: of " + std::to_string(total.all()) + " none ended ok";
    } else if (!never.empty()) {
      result.reason = "no operation of these functions succeeded: " + joined(never);
    } else {
      result.verdict = Verdict::valid;
    }
    return result;
  }
};

}  // namespace

std::shared_ptr<const Checker> stats_checker() { return std::make_shared<StatsChecker>(); }

}  // namespace ordeal
