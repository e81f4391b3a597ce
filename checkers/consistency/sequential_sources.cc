#include "checkers/consistency/sequential_sources.h"

#include <algorithm>
#include <array>
#include <set>

#include "base/error.h"
#include "checkers/history/history.h"
#include "checkers/linearizability/models/operations.h"
#include "checkers/transactions/checker.h"

namespace ordeal {
namespace {

// The same events, each operation as a transaction.
class AsTransactions {
 public:
  explicit AsTransactions(const History& history) : history_(history) {}

  // False: it cannot be told so.
  bool add(const SequentialSessions& sessions) {
    const auto txn = builder_.function("txn");
    if (!txn) return false;
    txn_ = *txn;
    ValueTable& values = builder_.values();
    read_ = values.string("r");
    write_ = values.string("w");
    std::set<ProcessId> processes;
    std::vector<std::pair<EventIndex, const SequentialStep*>> events;
    for (const auto& session : sessions) {
      if (session.empty()) continue;
      // A process that goes on after a crash is two sessions, which the transactions of one process are not.
      if (!processes.insert(history_.process(session.front().invocation)).second) return false;
      for (const SequentialStep& step : session) {
        events.emplace_back(step.invocation, &step);
        if (const EventIndex end = history_.partner(step.invocation); end != kNoEvent) events.emplace_back(end, &step);
      }
    }
    std::sort(events.begin(), events.end());
    for (const auto& [event, step] : events) {
      if (!add(event, *step)) return false;
    }
    return true;
  }

  [[nodiscard]] History finish() { return builder_.finish(); }
  // The event of the given history that one of the new history was made of.
  [[nodiscard]] EventIndex origin(EventIndex event) const { return event < origin_.size() ? origin_[event] : kNoEvent; }
  [[nodiscard]] bool crashed_cas() const { return crashed_cas_; }

 private:
  bool add(EventIndex at, const SequentialStep& step) {
    ValueTable& values = builder_.values();
    const ValueId key = history_.key(step.invocation);
    const ValueId name = key == kAbsent ? values.string("register") : values.intern(history_.values().to_value(key));
    std::vector<ValueId> operations;
    const auto micro = [&](ValueId f, std::int64_t value) {
      operations.push_back(values.fresh_list(std::array{f, name, copy(value)}));
    };
    if (step.op.code == lin::reg::kRead) {
      if (step.op.a != lin::kUnknown) micro(read_, step.op.a);  // nobody knows what it saw: it saw no nil
    } else if (step.op.code == lin::reg::kWrite) {
      micro(write_, step.op.a);
    } else {
      // Whether the condition of a crashed one held is not asked.
      crashed_cas_ = crashed_cas_ || step.crashed;
      if (!step.crashed) micro(read_, step.op.a);
      micro(write_, step.op.b);
    }
    Event event;
    event.index = history_.index(at);
    event.time = history_.time(at);
    event.process = history_.process(at);
    event.type = history_.type(at);
    event.f = txn_;
    event.value = values.fresh_list(operations);
    if (!builder_.add(event)) return false;
    origin_.push_back(at);
    return true;
  }

  ValueId copy(std::int64_t value) {
    return builder_.values().intern(history_.values().to_value(static_cast<ValueId>(value)));
  }

  const History& history_;
  HistoryBuilder builder_;
  FunctionId txn_ = 0;
  ValueId read_ = kAbsent, write_ = kAbsent;
  std::vector<EventIndex> origin_;
  bool crashed_cas_ = false;
};

}  // namespace

SequentialAnswer sequential_by_sources(const History& history, const SequentialSessions& sessions,
                                       const CheckOptions& options) {
  if (options.initial_unknown || options.nil_reads != NilReads::observe) return {};
  AsTransactions made(history);
  if (!made.add(sessions)) return {};
  const History transactions = made.finish();
  CheckOptions asked = options;
  asked.model = "rw-register";
  asked.consistency = "strong-session-serializable";
  asked.algorithm = "auto";
  asked.certificate = false;
  CheckResult found = transactional_checker()->check(transactions, asked);
  SequentialAnswer out;
  if (found.verdict == Verdict::valid && !made.crashed_cas()) out.verdict = Verdict::valid;
  if (found.verdict != Verdict::invalid || found.anomalies.empty()) return out;
  out.verdict = Verdict::invalid;
  // The one that needs the fewest operations.
  Anomaly& anomaly =
      *std::min_element(found.anomalies.begin(), found.anomalies.end(),
                        [](const auto& a, const auto& b) { return a.operations.size() < b.operations.size(); });
  for (EventIndex& event : anomaly.operations) event = made.origin(event);
  std::sort(anomaly.operations.begin(), anomaly.operations.end());
  anomaly.operations.erase(std::unique(anomaly.operations.begin(), anomaly.operations.end()), anomaly.operations.end());
  for (auto& node : anomaly.graph.nodes) node.operation = made.origin(node.operation);
  anomaly.type = "nonsequential";
  out.anomaly = std::move(anomaly);
  return out;
}

}  // namespace ordeal
