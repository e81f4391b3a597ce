// The checker "lww-map": a replicated map in which the write with the greatest timestamp wins, whenever it arrives (the
// last-writer-wins register; Shapiro et al., 2011, see or_set.cc), as Cassandra's rows do.
//
// Operations, by key: `put` [timestamp, value], `remove` timestamp, both with a whole number that the client chose;
// `read`, ok with the value, nil when there is none. A process is a client of one replica, or with lww-map.sticky=false
// of any. The *final read* of a process and key is its last ok read of it, if it was invoked after every write of the
// key had ended (one of unknown outcome: was invoked), at least lww-map.settle later: the time in
// which replicas converge is part of the claim.
//
//   wrong-winner         a final read shows a value of which every write has a timestamp below that of another write,
//                        which was acknowledged or had been seen
//   resurrected-element  the same, and the other write is a remove
//   divergence           two final reads differ, also where timestamps are equal, and no write of unknown outcome
//                        explains it
//   value-went-back      a client reads a value of which every write has a timestamp below one that its replica had:
//                        that of its own write, or of what it had read
//   unexpected-element   any read has a value that nobody had put, or whose puts failed
//
// Timestamps alone decide, so a value stands for its writes: what was read has at least the least of their timestamps,
// and can have the greatest. Nil stands for removes, and for nothing written. Between equal timestamps either may win,
// everywhere the same. A write of unknown outcome may happen at any time, or never, and reach the replicas between
// their final reads, unless it was seen before the last write ended. Cost: O(n log n), and for each key the writes of
// unknown outcome times the final reads.
#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <vector>

#include "checkers/workload/judgement.h"
#include "checkers/workload/workload_checkers.h"

namespace ordeal::work {
namespace {

constexpr std::int64_t kNothing = std::numeric_limits<std::int64_t>::min();  // the timestamp of no write

struct Write {
  OperationEvents op;
  std::int64_t timestamp = kNothing;
};

// One key.
class LwwRegister {
 public:
  LwwRegister(Judgement& in, ValueId key) : in_(in), key_(key), sticky_(in.flag("lww-map.sticky")) {}

  void write(OperationEvents op, std::int64_t timestamp, ValueId value) {
    if (value != kNil) put_.add(in_, value, op);
    if (in_.failed(op)) return;
    if (latest_ > timestamp) ++in_.counter("out-of-order");
    latest_ = std::max(latest_, timestamp);
    writes_[value].push_back({op, timestamp});
    last_write_ = std::max(last_write_, in_.ok(op) ? op.completion : op.invocation);
  }
  void read(OperationEvents op) { reads_.push_back(op); }

  // The operations of one client, in their order: what its replica has can only grow.
  void trace(OperationEvents op, std::int64_t timestamp) {
    if (!sticky_ || !in_.ok(op)) return;
    Write& known = known_.try_emplace(in_.history().process(op.invocation)).first->second;
    if (timestamp != kNothing) {
      if (timestamp > known.timestamp) known = {op, timestamp};
      return;
    }
    const std::optional<std::int64_t> shows = least(in_.seen(op), op.completion, known.timestamp);
    if (shows) {
      shown_[op.invocation] = *shows;
      if (*shows > known.timestamp) known = {op, *shows};
    } else if (readable(op)) {
      in_.tell("value-went-back", {known.op.invocation, op.invocation},
               in_.named(op) + " shows " + in_.shown(in_.seen(op)) + ", whose writes have timestamps below " +
                   std::to_string(known.timestamp) + ", which " + in_.named(known.op) + " of the same client showed",
               {}, key_);
    }
  }

  void judge() {
    std::map<ProcessId, OperationEvents> last;
    for (const OperationEvents op : reads_) {
      if (in_.seen(op) != kNil && !put_.explained(in_, "unexpected-element", "value", in_.seen(op), op, key_)) continue;
      learn(op);
      if (in_.settled(last_write_, op, "lww-map.settle")) last[in_.history().process(op.invocation)] = op;
    }
    in_.counter("final-reads") += static_cast<std::int64_t>(last.size());
    compared_ = last.size() > 1;
    for (const auto& [value, writes] : writes_) {
      for (const Write& one : writes) {
        if (in_.ok(one.op)) win(one, value);
      }
    }
    std::optional<OperationEvents> settled;
    for (const auto& [process, op] : last) {
      const ValueId value = in_.seen(op);
      if (!least(value, op.completion, winner_.timestamp)) {
        beaten(op);
      } else if (!by_unknown(value, op)) {
        if (settled && in_.seen(*settled) != value) return diverge(*settled, op);
        settled = op;
      }
    }
  }
  [[nodiscard]] bool compared() const { return compared_; }

 private:
  // The least timestamp, from `from` on, with which something of that value can have been written before `until`.
  // Nothing: there is none.
  std::optional<std::int64_t> least(ValueId value, EventIndex until, std::int64_t from) const {
    if (value == kNil && from == kNothing) return kNothing;
    const auto found = writes_.find(value);
    if (found == writes_.end()) return std::nullopt;
    std::optional<std::int64_t> out;
    in_.work(found->second.size());
    for (const Write& one : found->second) {
      if (one.op.invocation < until && one.timestamp >= from && (!out || one.timestamp < *out)) out = one.timestamp;
    }
    return out;
  }
  // Whether anything explains what was read; unexpected-element tells it otherwise.
  bool readable(OperationEvents op) const {
    return in_.seen(op) == kNil || least(in_.seen(op), op.completion, kNothing).has_value();
  }

  // What a read shows to have happened, early enough to have arrived everywhere before the final reads. What its
  // replica had is part of it: nil shows a remove to a client that had put something.
  void learn(OperationEvents op) {
    if (op.completion > last_write_) return;
    const auto traced = shown_.find(op.invocation);
    const auto shows =
        traced != shown_.end() ? std::optional(traced->second) : least(in_.seen(op), op.completion, kNothing);
    if (shows) win({op, *shows}, in_.seen(op));
  }
  // Something of that value certainly happened, with that timestamp or a greater one.
  void win(const Write& one, ValueId value) {
    if (one.timestamp < winner_.timestamp || one.timestamp == kNothing) return;
    if (one.timestamp > winner_.timestamp) winning_.clear();
    winning_.insert(value);
    if (one.timestamp > winner_.timestamp) winner_ = one;
  }

  // Whether a write of unknown outcome may be what the final read shows.
  bool by_unknown(ValueId value, OperationEvents read) const {
    const auto found = writes_.find(value);
    if (found == writes_.end()) return false;
    in_.work(found->second.size());
    return std::any_of(found->second.begin(), found->second.end(), [&](const Write& one) {
      const bool may_win =
          one.timestamp > winner_.timestamp || (one.timestamp == winner_.timestamp && !winning_.contains(value));
      return !in_.ok(one.op) && one.op.invocation < read.completion && may_win;
    });
  }

  void beaten(OperationEvents op) {
    const bool removed = in_.f(winner_.op) == "remove" || in_.seen(winner_.op) == kNil;
    in_.tell(removed ? "resurrected-element" : "wrong-winner", {winner_.op.invocation, op.invocation},
             "the final " + in_.named(op).substr(4) + " shows " + in_.shown(in_.seen(op)) + ", although " +
                 in_.named(winner_.op) + " shows a " + (removed ? "remove" : "put") + " with the timestamp " +
                 std::to_string(winner_.timestamp) + ", greater than any of that value's",
             {}, key_);
  }

  void diverge(OperationEvents a, OperationEvents b) {
    in_.tell("divergence", {a.invocation, b.invocation},
             "the final reads of " + in_.event(a.invocation) + " and " + in_.event(b.invocation) +
                 " differ: " + in_.shown(in_.seen(a)) + " and " + in_.shown(in_.seen(b)),
             {}, key_);
  }

  Judgement& in_;
  const ValueId key_;
  const bool sticky_;
  AttemptTable put_;
  std::map<ValueId, std::vector<Write>> writes_;  // by value, nil for removes; those that may have happened
  std::vector<OperationEvents> reads_;
  std::map<ProcessId, Write> known_;          // by client: what its replica has
  std::map<EventIndex, std::int64_t> shown_;  // by read: the least timestamp of what it shows
  Write winner_;                              // what certainly happened, with the greatest timestamp
  std::set<ValueId> winning_;                 // the values that certainly were written with it
  std::int64_t latest_ = kNothing;
  EventIndex last_write_ = 0;
  bool compared_ = false;
};

// The timestamp and value of a write; value nil for a remove.
std::optional<std::pair<std::int64_t, ValueId>> written(const Judgement& in, OperationEvents op) {
  if (in.f(op) == "remove") {
    const auto timestamp = in.integer(in.asked(op));
    return timestamp ? std::optional(std::pair(*timestamp, kNil)) : std::nullopt;
  }
  const auto parts = in.items(in.asked(op));
  if (parts.size() != 2 || parts[1] == kNil || !in.integer(parts[0])) return std::nullopt;
  return std::pair(*in.integer(parts[0]), parts[1]);
}

void judge_lww_map(Judgement& in) {
  if (!in.understands({"put", "remove", "read"})) return;
  std::map<ValueId, LwwRegister> keys;
  for (const OperationEvents op : in.operations()) {
    LwwRegister& of = keys.try_emplace(in.key(op), in, in.key(op)).first->second;
    if (in.f(op) == "read") {
      if (!in.ok(op)) continue;
      if (in.history().value(op.completion) == kAbsent) return in.refuse(in.named(op) + " is ok without a value");
      of.read(op);
    } else if (in.f(op) == "put" || in.f(op) == "remove") {
      const auto write = written(in, op);
      if (!write || write->first == kNothing)
        return in.refuse(op, in.f(op) == "put" ? "[timestamp, value]" : "a timestamp");
      of.write(op, write->first, write->second);
      in.counter("writes") += in.ok(op) ? 1 : 0;
    }
  }
  for (const OperationEvents op : in.operations()) {
    if (in.ok(op)) keys.at(in.key(op)).trace(op, in.f(op) == "read" ? kNothing : written(in, op)->first);
  }
  bool compared = false;
  for (auto& [key, one] : keys) {
    one.judge();
    compared = compared || one.compared();
  }
  in.keys(keys.size());
  if (in.counter("writes") == 0) in.inconclusive("no write succeeded");
  if (!compared)
    in.inconclusive("no key was read by two processes after its last write, so nothing was compared" +
                    in.without_times());
  if (in.counter("out-of-order") == 0)
    in.inconclusive("every write had a greater timestamp than those begun before it, so that the last one wins anyhow");
}

}  // namespace

WorkloadChecker lww_map() {
  return {"lww-map",
          "a replicated map: for each key the write with the greatest timestamp wins; replicas agree in the end",
          {"strong-eventual"},
          judge_lww_map,
          {{"wrong-winner", "a write lost to one with a smaller timestamp"},
           {"resurrected-element", "what was removed is there again though nobody added it again"},
           {"divergence", "after all writes of a key had ended, processes went on to read different values"},
           {"value-went-back", "a client of one replica read a value with an older timestamp than before"},
           {"unexpected-element", "something was read that nobody wrote, or whose write certainly failed"}},
          {{"lww-map.settle", OptionSpec::Type::duration, 2.0,
            "how long replicas have to converge before the final reads", 0, 3600},
           {"lww-map.sticky", OptionSpec::Type::boolean, true,
            "whether a client stays with one replica, so that the timestamps of what it reads never go back"}}};
}

}  // namespace ordeal::work
