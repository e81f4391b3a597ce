// The checker "long-fork": writes must become visible to all readers in one order. After Jepsen's long-fork.
//
// Operations: `txn` (or `write` and `read`) of one ["w" k v], or of several ["r" k v] (nil: not written); each key is
// written at most once. Under snapshot isolation and above there is one order of all writes of which every read saw a
// prefix, whatever keys it read; a read may be late. Under strict serializability that order respects real time as
// well. What a read saw puts it after or before the write of each of its keys, so precedence.h decides.
//
//   long-fork            two reads that saw two writes in opposite orders; or several reads no two of which contradict
//                        each other, and all of them do
//   stale-read           (strict-serializable) what reads saw and real time contradict each other
//   unexpected-element   a read of a value that nobody wrote, whose write failed, or had not begun
//
// Pairs are found among the reads of the same keys first: sorted by how many keys they saw written, incomparable
// neighbours come from any incomparable pair. Cost: O(n log n + all keys of all reads).
#include <algorithm>
#include <map>
#include <vector>

#include "checkers/workload/precedence.h"
#include "checkers/workload/workload_checkers.h"

namespace ordeal::work {
namespace {

struct Snapshot {
  OperationEvents op;
  std::vector<bool> written;  // by place among the group's keys, which are sorted
  std::size_t size = 0;
};

class LongFork {
 public:
  explicit LongFork(Judgement& in) : in_(in), r_(in.values().find(Value("r"))), write_(in.values().find(Value("w"))) {}

  void run() {
    if (!in_.understands({"txn", "write", "read"})) return;
    for (const OperationEvents op : in_.operations()) {
      if (!writes(op)) return;
    }
    for (const OperationEvents op : in_.operations()) {
      if (in_.ok(op) && !reads(op)) return;
    }
    for (auto& [keys, snapshots] : groups_) compare(keys, snapshots);
    if (!in_.accused()) order(in_.level("snapshot-isolation") == "strict-serializable");
    std::size_t shared = 0;
    for (const auto& [key, times] : read_) shared += times > 1 ? 1u : 0u;
    if (shared < 2)
      in_.inconclusive("no two reads of the same keys succeeded, so nothing was compared");
    else if (in_.counter("observed") == 0)
      in_.inconclusive("no read saw a write, so nothing is known about their order");
  }

 private:
  static constexpr std::string_view kExpected = R"(a transaction of one ["w" k v] or of several ["r" k v])";

  // The parts of a micro-operation; empty when it is none.
  std::span<const ValueId> parts(ValueId micro) const {
    const auto all = in_.items(micro);
    const bool well = all.size() == 3 && (all[0] == r_ || all[0] == write_);
    return well ? all : std::span<const ValueId>();
  }

  bool refuse(OperationEvents op) {
    in_.refuse(op, kExpected);
    return false;
  }

  // Takes the write of a transaction, if it is one.
  bool writes(OperationEvents op) {
    const auto micros = in_.items(in_.asked(op));
    if (micros.empty()) return refuse(op);
    for (const ValueId micro : micros) {
      const auto all = parts(micro);
      if (all.empty() || (all[0] == write_ && micros.size() > 1)) return refuse(op);
      if (all[0] != write_) continue;
      written_.add(in_, all[1], op);
      const auto [known, fresh] = value_.try_emplace(all[1], all[2]);
      if (in_.failed(op)) continue;
      if (!writers_.emplace(all[1], op).second) {
        in_.refuse("key " + in_.shown(all[1]) + " is written twice (" + in_.event(op.invocation) +
                   "); this checker compares keys that are written once");
        return false;
      }
      known->second = all[2];
    }
    return true;
  }

  bool reads(OperationEvents op) {
    std::map<ValueId, ValueId> seen;
    for (const ValueId micro : in_.items(in_.seen(op))) {
      const auto all = parts(micro);
      if (all.empty()) return refuse(op);
      if (all[0] == write_) return true;
      const auto [place, fresh] = seen.try_emplace(all[1], all[2]);
      if (!fresh && place->second != all[2]) return refuse(op);
    }
    if (seen.empty()) return refuse(op);
    ++in_.counter("reads");
    std::vector<ValueId> keys;
    Snapshot snapshot{op, {}, 0};
    for (const auto& [key, value] : seen) {
      keys.push_back(key);
      ++read_[key];
      in_.counter("observed") += value != kNil ? 1 : 0;
      snapshot.written.push_back(value != kNil);
      snapshot.size += value != kNil ? 1u : 0u;
      if (value == kNil || !written_.explained(in_, "unexpected-element", "value of key", key, op)) continue;
      if (value_[key] != value) {
        in_.tell("unexpected-element", {op.invocation, written_.find(key)->invoked},
                 in_.named(op) + " returned " + in_.shown(value) + " of key " + in_.shown(key) + ", where only " +
                     in_.shown(value_[key]) + " was written");
      }
    }
    groups_[std::move(keys)].push_back(std::move(snapshot));
    return true;
  }

  void compare(const std::vector<ValueId>& keys, std::vector<Snapshot>& snapshots) {
    std::stable_sort(snapshots.begin(), snapshots.end(),
                     [](const Snapshot& a, const Snapshot& b) { return a.size < b.size; });
    for (std::size_t i = 1; i < snapshots.size(); ++i) {
      const Snapshot& small = snapshots[i - 1];
      const Snapshot& large = snapshots[i];
      for (std::size_t lacks = 0; lacks < keys.size(); ++lacks) {
        if (!small.written[lacks] || large.written[lacks]) continue;
        std::size_t has = 0;  // large holds at least as many keys, so one that small lacks
        while (!large.written[has] || small.written[has]) ++has;
        fork(small.op, large.op, keys[lacks], keys[has]);
        break;
      }
    }
  }

  // All reads and writes together, with real time when that counts.
  void order(bool realtime) {
    Precedence precedence(in_);
    std::map<ValueId, Precedence::Step> writes;
    const auto write_of = [&](ValueId key) -> std::optional<Precedence::Step> {
      const auto writer = writers_.find(key);
      if (writer == writers_.end()) return std::nullopt;
      const auto known = writes.find(key);
      if (known != writes.end()) return known->second;
      return writes.emplace(key, precedence.step(writer->second)).first->second;
    };
    for (const auto& [keys, snapshots] : groups_) {
      for (const Snapshot& one : snapshots) {
        const Precedence::Step read = precedence.step(one.op);
        for (std::size_t i = 0; i < keys.size(); ++i) {
          const auto write = write_of(keys[i]);
          if (!write) continue;
          // One of unknown outcome that nobody saw takes place after all reads.
          one.written[i] ? precedence.before(*write, read) : precedence.before(read, *write);
        }
      }
    }
    if (const auto cycle = precedence.cycle(); !cycle.empty()) return contradiction("long-fork", cycle);
    if (!realtime) return;
    precedence.keep_real_time();
    if (const auto cycle = precedence.cycle(); !cycle.empty()) contradiction("stale-read", cycle);
  }

  void contradiction(const char* type, const std::vector<OperationEvents>& cycle) {
    std::vector<EventIndex> operations;
    std::vector<std::string> sentences;
    for (std::size_t i = 0; i < cycle.size(); ++i) {
      const OperationEvents op = cycle[i], next = cycle[(i + 1) % cycle.size()];
      operations.push_back(op.invocation);
      sentences.push_back(in_.named(op) + (in_.before(op, next) ? " was over before " : " comes before ") +
                          in_.named(next) + ": " + in_.shown(in_.asked(op)) + ", " + in_.shown(in_.asked(next)) + ".");
    }
    in_.tell(type, std::move(operations),
             "no one order of the writes explains what " + std::to_string(cycle.size()) + " transactions saw" +
                 (std::string_view(type) == "stale-read" ? " and when they did" : ""),
             std::move(sentences));
  }

  void fork(OperationEvents a, OperationEvents b, ValueId x, ValueId y) {
    const std::string kx = in_.shown(x);
    const std::string ky = in_.shown(y);
    std::vector<EventIndex> operations{a.invocation, b.invocation};
    for (const ValueId key : {x, y}) {
      // A value from nowhere has no write; that it was read is an anomaly of its own.
      if (const auto* write = written_.find(key)) operations.push_back(write->invoked);
    }
    in_.tell(
        "long-fork", operations,
        in_.named(a) + " saw the write of key " + kx + " and not that of " + ky + ", " + in_.named(b) + " the reverse",
        {in_.named(a) + " saw " + kx + " written and " + ky + " not: the write of " + kx + " came first.",
         in_.named(b) + " saw " + ky + " written and " + kx + " not: the write of " + ky + " came first.",
         "No one order of the two writes explains both."});
  }

  Judgement& in_;
  const ValueId r_, write_;
  AttemptTable written_;                        // by key
  std::map<ValueId, ValueId> value_;            // what is written to each key
  std::map<ValueId, OperationEvents> writers_;  // by key: the write that may have happened
  std::map<ValueId, std::size_t> read_;         // by key: how many reads there are
  std::map<std::vector<ValueId>, std::vector<Snapshot>> groups_;
};

}  // namespace

WorkloadChecker long_fork() {
  return {"long-fork",
          "single writes and reads of groups of keys: all readers see the writes appear in one order",
          {"snapshot-isolation", "strict-serializable"},
          [](Judgement& in) { LongFork(in).run(); },
          {{"long-fork", "two reads saw two writes appear in opposite orders"},
           {"stale-read", "a read misses an element, or returns a value, that was replaced or added before it began"},
           {"unexpected-element", "something was read that nobody wrote, or whose write certainly failed"}}};
}

}  // namespace ordeal::work
