#pragma once
// Judgement: what the checkers of this room share: walking the operations of a history, reading their values, telling
// anomalies, counting, and the rules by which all that becomes a verdict.
//
// A checker here is a function that looks at a history and tells what contradicts the workload's promise. The rules:
//   - refuse(): the history holds something this checker does not understand, which might explain, or contradict, what
//     was seen: `unknown`, whatever else was told;
//   - tell(): an anomaly: `invalid`;
//   - inconclusive(): nothing contradicts the promise, but it was not put to the test: `unknown`;
//   - none of these: `valid`, unless nobody looked after the last fault (checkers/interfaces/last_look.h).
// An operation that ended in `fail` did not happen; one that ended in `info`, or not at all, may have happened at any
// time after its invocation, or never. Asking for operations and values counts as work, and throws OutOfLimits when
// time, memory or patience has run out. Thread-safety: one thread; checkers make one for each check.

#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "checkers/interfaces/checker.h"
#include "checkers/workload/workload_checkers.h"

namespace ordeal::work {

class Judgement {
 public:
  // Borrows all four. `result` gets verdict, reason, anomalies, operations and details by finish().
  Judgement(const WorkloadChecker& entry, const History& history, const CheckOptions& options, CheckResult& result);

  // ---- the operations, by their two events
  [[nodiscard]] const History& history() const { return h_; }
  [[nodiscard]] const ValueTable& values() const { return h_.values(); }
  // Those of clients, in the order of their invocations.
  [[nodiscard]] std::span<const OperationEvents> operations() const { return operations_; }
  [[nodiscard]] std::string_view f(OperationEvents op) const {
    work();
    return h_.f_name(op.invocation);
  }
  [[nodiscard]] bool ok(OperationEvents op) const {
    work();
    return h_.outcome(op) == EventType::ok;
  }
  [[nodiscard]] bool failed(OperationEvents op) const { return h_.outcome(op) == EventType::fail; }
  [[nodiscard]] ValueId key(OperationEvents op) const { return h_.key(op.invocation); }
  // What was asked for, kAbsent when nothing was.
  [[nodiscard]] ValueId asked(OperationEvents op) const { return h_.value(op.invocation); }
  // What an ok operation returned; kAbsent when it is not ok.
  [[nodiscard]] ValueId seen(OperationEvents op) const { return ok(op) ? h_.value(op.completion) : kAbsent; }
  // Key and value of what was asked for: the operation's own key, or, when it has none, those of a value [key value] as
  // jepsen.independent writes them. The key is kAbsent when there is neither.
  [[nodiscard]] std::pair<ValueId, ValueId> keyed(OperationEvents op) const;
  // Whether `a` was over before `b` began. An operation that is not known to be over never was.
  [[nodiscard]] bool before(OperationEvents a, OperationEvents b) const {
    return a.completion != kNoEvent && h_.outcome(a) != EventType::info && a.completion < b.invocation;
  }

  // ---- values
  [[nodiscard]] bool is(ValueId id, Value::Kind kind) const { return id != kAbsent && values().kind(id) == kind; }
  [[nodiscard]] bool is_list(ValueId id) const { return is(id, Value::Kind::list); }
  [[nodiscard]] bool is_map(ValueId id) const { return is(id, Value::Kind::map); }
  [[nodiscard]] std::optional<std::int64_t> integer(ValueId id) const;
  // The integer under a string key of a map.
  [[nodiscard]] std::optional<std::int64_t> integer(ValueId map, std::string_view member) const;
  // The items of a list; nothing when it is none.
  [[nodiscard]] std::span<const ValueId> items(ValueId id) const;

  // One number for all spellings of a name (of an account, of a log): JSON writes the integer 7 as "7" when it is a key
  // of a map, so 7 and "7" are one name.
  [[nodiscard]] ValueId one_name(ValueId id) const;
  // The integer that a name is, in either spelling.
  [[nodiscard]] std::optional<std::int64_t> integer_name(ValueId id) const;

  // ---- options that the checker declares (WorkloadChecker::options): what CheckOptions::settings says, or the
  // default. Requires: declared with that type (checked).
  [[nodiscard]] std::int64_t option(std::string_view name) const { return setting(name).integer(); }
  [[nodiscard]] bool flag(std::string_view name) const { return setting(name).boolean(); }
  [[nodiscard]] std::int64_t option_ns(std::string_view name) const {  // of a duration
    return static_cast<std::int64_t>(setting(name).real() * 1e9);
  }
  [[nodiscard]] double option_real(std::string_view name) const { return setting(name).real(); }
  [[nodiscard]] std::string option_text(std::string_view name) const { return setting(name).string(); }
  // CheckOptions::initial when it is an integer.
  [[nodiscard]] std::int64_t initial_integer(std::int64_t fallback) const;
  // The level asked for; `standard` when none was.
  [[nodiscard]] std::string level(std::string_view default_level);

  // Whether `op` began the time of the option `settle` (a duration) or longer after the event `since`: what had to
  // arrive by then has had its time. Where the events have no times nothing shows that, unless the option is 0:
  // whatever began later then has had the time it needed. without_times() says so afterwards.
  [[nodiscard]] bool settled(EventIndex since, OperationEvents op, std::string_view settle);
  // To go on with what a reason for `inconclusive` says; "" unless settled() lacked times.
  [[nodiscard]] std::string without_times() const;

  // ---- words
  [[nodiscard]] std::string shown(ValueId id) const { return values().to_json(id); }
  // "event 12": an event as people know it.
  [[nodiscard]] std::string event(EventIndex e) const { return "event " + std::to_string(h_.index(e)); }
  // "the read by process 3 on n1 (event 12)": an operation by its invocation.
  [[nodiscard]] std::string named(OperationEvents op) const;

  // ---- what was found
  // Refuses unless every operation that may have happened is one of `known`. A checker calls it first.
  [[nodiscard]] bool understands(std::initializer_list<std::string_view> known);
  // The history is not of this workload. Only the first reason is kept.
  void refuse(std::string reason);
  void refuse(OperationEvents op, std::string_view expected);
  // Whether an ok read returned a list of elements. Refuses it otherwise, also when it looks like a [key value] tuple
  // that the reader of the file was not told to take apart.
  [[nodiscard]] bool takes_elements(OperationEvents op);
  [[nodiscard]] bool refused() const { return !refusal_.empty(); }
  // Whether an anomaly was told.
  [[nodiscard]] bool accused() const { return !told_.empty(); }
  // Nothing was put to the test. Only the first reason is kept.
  void inconclusive(std::string reason);
  // An anomaly. Of each type the first ten are told and all are counted. `operations` are named by any of their events;
  // kNoEvent is left out.
  void tell(std::string type, std::vector<EventIndex> operations, std::string explanation,
            std::vector<std::string> sentences = {}, std::optional<ValueId> key = std::nullopt);
  // A number for the details.
  std::int64_t& counter(const std::string& name) { return counters_[name]; }
  void detail(std::string name, Value value) { result_.details.set(std::move(name), std::move(value)); }

  // How many keys there are, for the result.
  void keys(std::size_t count) { result_.keys = count; }

  // Counts steps of a loop that asks for none of the above.
  void work(std::size_t steps = 1) const {
    work_ += steps;
    if (work_ < kStepsALook) return;
    work_ = 0;
    limits_.check();
  }

  // Fills the result.
  void finish();

 private:
  static constexpr std::size_t kStepsALook = 20'000;

  [[nodiscard]] const Value& setting(std::string_view name) const;

  const WorkloadChecker& entry_;
  const History& h_;
  const CheckOptions& options_;
  CheckResult& result_;
  Limits limits_;
  mutable std::size_t work_ = 0;
  std::vector<OperationEvents> operations_;
  mutable std::map<std::string, ValueId> names_;
  std::map<std::string, std::int64_t> counters_;
  std::map<std::string, std::int64_t> told_;  // by type
  std::string lacked_times_;                  // the option for which settled() asked of events without times
  std::string refusal_;
  std::string inconclusive_;
};

// All that was tried to bring one value into the system (an element added, a message sent).
struct Attempts {
  EventIndex invoked = kNoEvent;          // the earliest invocation of an attempt that may have happened
  EventIndex acknowledged = kNoEvent;     // the earliest ok
  EventIndex acknowledged_by = kNoEvent;  // its invocation
  EventIndex failed = kNoEvent;           // the earliest attempt that certainly failed
  std::int64_t possible = 0;              // how many may have happened
  std::int64_t certain = 0;               // how many did
};

// Attempts by value: when it may be there, and since when it must be.
class AttemptTable {
 public:
  // The attempt `op` to bring `value` in.
  void add(const Judgement& in, ValueId value, OperationEvents op);
  // nullptr when nobody tried.
  [[nodiscard]] const Attempts* find(ValueId value) const;
  // Sorted by value's number, which is the order of first appearance in the history.
  [[nodiscard]] const std::map<ValueId, Attempts>& all() const { return all_; }
  // Whether something seen at `seen` (a completion) can have come from an attempt. Tells an anomaly of `type`
  // otherwise, unless one was told of this value before. `what`: "element", "message".
  bool explained(Judgement& in, const std::string& type, std::string_view what, ValueId value, OperationEvents seen_by,
                 std::optional<ValueId> key = std::nullopt);

 private:
  std::map<ValueId, Attempts> all_;
  std::set<ValueId> told_;
};

// Minimum, median, 95th and 99th percentile and maximum of latencies in ns, in ms:
// {"0":…,"0.5":…,"0.95":…,"0.99":…,"1":…}. Nil when there are none.
[[nodiscard]] Value quantiles_ms(std::vector<std::int64_t> latencies);

}  // namespace ordeal::work
