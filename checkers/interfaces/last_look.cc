#include "checkers/interfaces/last_look.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "checkers/history/fault_record.h"

namespace ordeal {
namespace {

class WithLastLook final : public Checker {
 public:
  WithLastLook(std::string_view model, std::shared_ptr<const Checker> checker)
      : model_(model), checker_(std::move(checker)) {}
  [[nodiscard]] std::string_view name() const override { return checker_->name(); }
  [[nodiscard]] CheckResult check(const History& history, const CheckOptions& options) const override {
    CheckResult result = checker_->check(history, options);
    demand_last_look(history, model_, result);
    return result;
  }

 private:
  std::string model_;
  std::shared_ptr<const Checker> checker_;
};

// Groups of which no operation was seen to succeed.
class Missing {
 public:
  explicit Missing(const LastLook& look) : groups_(look.shown_by) {}
  void saw(std::string_view f) {
    std::erase_if(groups_, [&](const auto& group) { return std::find(group.begin(), group.end(), f) != group.end(); });
  }
  [[nodiscard]] bool none() const { return groups_.empty(); }
  // "read", "dequeue or drain": one group will do.
  [[nodiscard]] std::string named() const {
    std::string out;
    for (const std::string_view f : groups_.front()) out.append(out.empty() ? "" : " or ").append(f);
    return out;
  }

 private:
  std::vector<std::vector<std::string_view>> groups_;
};

}  // namespace

std::span<const LastLook> last_looks() {
  static const std::vector<LastLook> all = {
      {"bank", {{"read"}}},
      {"causal-reverse", {{"read"}}},
      {"convergence", {{"read"}}},
      {"counter", {{"read"}}},
      {"dead-letter", {{"receive"}, {"drain-dead"}}},
      {"delivery", {{"dequeue", "drain"}}},
      {"durability", {{"read"}}},
      {"idempotency", {{"read"}}},
      {"idempotency-keys", {{"read"}}},
      {"kafka", {{"poll", "txn"}}},
      {"ledger", {{"events"}, {"model"}}},
      {"log", {{"read"}}},
      {"lww-map", {{"read"}}},
      {"monotonic", {{"read"}}},
      {"or-set", {{"read"}}},
      {"outbox", {{"read"}, {"messages"}}},
      {"overdraft", {{"read"}}},
      {"queue", {{"dequeue", "drain"}}},
      {"read-model", {{"read", "replay"}}},
      {"saga", {{"read"}}},
      {"set", {{"read"}}},
      {"set-full", {{"read"}}},
      {"total-queue", {{"dequeue", "drain"}}},
      {"transparency-log", {{"read"}}},
  };
  return all;
}

std::string nobody_looked(const History& history, std::string_view model) {
  const auto all = last_looks();
  const auto look = std::find_if(all.begin(), all.end(), [&](const LastLook& one) { return one.model == model; });
  if (look == all.end()) return "";
  Missing missing(*look);
  for (EventIndex e = static_cast<EventIndex>(history.size()); e-- > 0;) {
    if (history.process(e) >= 0) {
      if (history.type(e) != EventType::invoke || history.outcome({e, history.partner(e)}) != EventType::ok) continue;
      missing.saw(history.f_name(e));
      if (missing.none()) return "";
      continue;
    }
    const auto step = fault_event(history, e);
    if (!step || (step->step != FaultStep::inject && step->step != FaultStep::injected)) continue;
    return "no " + missing.named() + " that began after the last fault (" + step->fault + ", event " +
           std::to_string(history.index(e)) + ") succeeded, so nobody knows what it left";
  }
  return "";
}

void demand_last_look(const History& history, std::string_view model, CheckResult& result) {
  if (result.verdict != Verdict::valid) return;
  result.reason = nobody_looked(history, model);
  if (!result.reason.empty()) result.verdict = Verdict::unknown;
}

std::shared_ptr<const Checker> with_last_look(std::string_view model, std::shared_ptr<const Checker> checker) {
  return std::make_shared<WithLastLook>(model, std::move(checker));
}

}  // namespace ordeal
