// The checkers "monotonic" and "sequential", after Jepsen's CockroachDB tests of these names.
//
// monotonic: `add` (or `stamp`) inserts a row with the greatest value + 1 and the database's timestamp, in one
// transaction; its ok value is a row that is certainly there, {"val" n, "sts" timestamp}; `read` returns the list of
// all rows, sorted by timestamp. Timestamps are whole numbers, of any length.
//
//   value-reorder       of two rows, the one with the later timestamp has a smaller value
//   unsorted-rows       a read is not sorted by timestamp
//   duplicate-element   a value twice in one read
//   lost-element        a row returned by an operation that was over before a read began is not in that read
//
// sequential: `write` (or `write-chain`; `add` of single subkeys) of k writes the subkeys of k one after the other,
// each in a transaction of its own; `read` (`read-chain`) of k reads them in the reverse order; its ok value is [k
// [last … first]], nil for an absent one.
//
//   skipped-write       a subkey is absent although one written after it was read before it
#include <map>
#include <vector>

#include "checkers/workload/judgement.h"
#include "checkers/workload/workload_checkers.h"

namespace ordeal::work {
namespace {

// Whole numbers of any length compare by length, then by digits.
struct Stamp {
  std::string digits;
  friend bool operator==(const Stamp&, const Stamp&) = default;
  bool operator<(const Stamp& other) const {
    if (digits.size() != other.digits.size()) return digits.size() < other.digits.size();
    return digits < other.digits;
  }
};

class Monotonic {
 public:
  explicit Monotonic(Judgement& in) : in_(in) {}

  void run() {
    if (!in_.understands({"add", "stamp", "read"})) return;
    std::map<ValueId, std::pair<EventIndex, EventIndex>> added;  // by value: when it was returned first, and by whom
    std::vector<OperationEvents> reads;
    for (const OperationEvents op : in_.operations()) {
      if (!in_.ok(op)) continue;
      if (in_.f(op) == "read") {
        if (!in_.takes_elements(op)) return;
        reads.push_back(op);
        continue;
      }
      if (!row(in_.seen(op))) return in_.refuse(op, R"(a row {"val" n, "sts" timestamp})");
      const ValueId value = in_.values().member(in_.seen(op), "val");
      const auto [place, fresh] = added.try_emplace(value, op.completion, op.invocation);
      if (!fresh && op.completion < place->second.first) place->second = {op.completion, op.invocation};
    }
    in_.counter("adds") = static_cast<std::int64_t>(added.size());
    in_.counter("reads") = static_cast<std::int64_t>(reads.size());
    for (const OperationEvents op : reads) {
      if (!look(op)) return;
      in_.work(added.size());
      for (const auto& [value, when] : added) {
        if (when.first > op.invocation || seen_.contains(value)) continue;
        in_.tell("lost-element", {when.second, op.invocation},
                 "value " + in_.shown(value) + " was there (" + in_.event(when.first) + ") before " + in_.named(op) +
                     " began, which lacks it");
      }
    }
    if (reads.empty())
      in_.inconclusive("no read succeeded, so nothing is known about the order");
    else if (added.empty())
      in_.inconclusive("no add succeeded, so nothing was put to the test");
  }

 private:
  struct Row {
    std::int64_t value = 0;
    Stamp stamp;
  };
  std::optional<Row> row(ValueId id) const {
    const auto value = in_.integer(id, "val");
    if (!value) return std::nullopt;
    const ValueId stamp = in_.values().member(id, "sts");
    std::string digits;
    if (in_.integer(stamp))
      digits = std::to_string(*in_.integer(stamp));
    else if (in_.is(stamp, Value::Kind::string))
      digits = in_.values().as_string(stamp);
    if (digits.empty() || digits.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
    return Row{*value, {digits}};
  }

  // False when the read was refused. Leaves its values in seen_.
  bool look(OperationEvents op) {
    seen_.clear();
    std::optional<Row> before;
    for (const ValueId id : in_.items(in_.seen(op))) {
      auto now = row(id);
      if (!now) {
        in_.refuse(op, R"(a list of rows {"val" n, "sts" timestamp})");
        return false;
      }
      if (!seen_.insert(in_.values().member(id, "val")).second) {
        in_.tell("duplicate-element", {op.invocation},
                 in_.named(op) + " returned value " + std::to_string(now->value) + " twice");
      } else if (before && now->stamp < before->stamp) {
        in_.tell("unsorted-rows", {op.invocation},
                 in_.named(op) + " returned timestamp " + now->stamp.digits + " after " + before->stamp.digits);
      } else if (before && before->stamp < now->stamp && now->value < before->value) {
        in_.tell("value-reorder", {op.invocation},
                 in_.named(op) + " returned value " + std::to_string(now->value) + " with timestamp " +
                     now->stamp.digits + ", and the greater value " + std::to_string(before->value) +
                     " with the earlier one " + before->stamp.digits);
      }
      before = std::move(now);
    }
    return true;
  }

  Judgement& in_;
  std::set<ValueId> seen_;
};

void judge_sequential(Judgement& in) {
  if (!in.understands({"write", "write-chain", "add", "read", "read-chain"})) return;
  for (const OperationEvents op : in.operations()) {
    if (!in.ok(op) || !in.f(op).starts_with("read")) continue;
    ValueId chain = in.seen(op);
    const auto tuple = in.items(chain);
    if (in.key(op) == kAbsent)
      chain = tuple.size() == 2 && (tuple[0] == in.asked(op) || tuple[0] == in.keyed(op).first) ? tuple[1] : kAbsent;
    if (!in.is_list(chain)) return in.refuse(op, "[key [last … first]]");
    ++in.counter("reads");
    const auto subkeys = in.items(chain);
    ValueId present = kNil;
    for (const ValueId subkey : subkeys) {
      if (subkey != kNil) {
        present = subkey;
      } else if (present != kNil) {
        in.tell("skipped-write", {op.invocation},
                in.named(op) + " found " + in.shown(present) +
                    " and then not what was written before it: " + in.shown(chain));
        break;
      }
    }
    if (present != kNil) ++in.counter("observed");
  }
  if (in.counter("observed") == 0) in.inconclusive("no read found anything, so nothing is known about the order");
}

}  // namespace

WorkloadChecker monotonic() {
  return {"monotonic",
          "rows whose values count up: their order is that of the database's timestamps",
          {"strict-serializable"},
          [](Judgement& in) { Monotonic(in).run(); },
          {{"value-reorder", "a row with a later timestamp has a smaller value"},
           {"unsorted-rows", "a read sorted by timestamp is not sorted"},
           {"duplicate-element", "a read holds an element, or a queue delivered it, more often than it was added"},
           {"lost-element", "an acknowledged element is missing from every later read"}}};
}

WorkloadChecker sequential() {
  return {"sequential-writes",
          "subkeys written in order and read in reverse: whoever sees one sees those before it",
          {"sequential"},
          judge_sequential,
          {{"skipped-write", "a process' write was seen, and then not one that it had made before"}}};
}

}  // namespace ordeal::work
