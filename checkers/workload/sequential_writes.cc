// The checker "sequential-writes": writes and reads of single subkeys are sequentially consistent: one order of them
// all keeps the order of each process and explains every read. After Jepsen's CockroachDB test "sequential", which
// looks for skipped writes alone.
//
// Operations: `write` (or `write-chain`) of k writes the subkeys of k one after the other, each in a transaction of its
// own; `read` (`read-chain`) of k reads them in the reverse order; its ok value is [k [last … first]], nil for an
// absent one. `add` of single subkeys, as Jepsen has it, too, leaves what comes from it to the first anomaly.
//
//   skipped-write        a subkey is absent although one written after it was read before it
//   unexpected-element   a subkey of a key that nobody wrote, whose write failed, or had not begun; or two values of
//   one
//                        subkey
//   stale-own-write      a process does not see what it has written before
//   nonsequential        the order of processes and what reads saw contradict each other otherwise
//
// Each key is written once, so a read of a subkey comes after its write or before it, and precedence.h decides. A write
// of unknown outcome happened as far as somebody saw it; keys that were written twice take part in the first two
// anomalies only. Real time between processes does not matter.
#include <algorithm>
#include <map>
#include <vector>

#include "checkers/workload/precedence.h"

namespace ordeal::work {
namespace {

class Chains {
 public:
  explicit Chains(Judgement& in) : in_(in) {}

  void run() {
    if (!in_.understands({"write", "write-chain", "add", "read", "read-chain"})) return;
    for (const OperationEvents op : in_.operations()) {
      if (!in_.f(op).starts_with("read") && !write(op)) return;
    }
    for (const OperationEvents op : in_.operations()) {
      if (in_.f(op).starts_with("read") && in_.ok(op) && !read(op)) return;
    }
    if (in_.counter("observed") == 0)
      return in_.inconclusive("no read found anything, so nothing is known about the order");
    if (!in_.accused()) order();
  }

 private:
  struct Chain {
    std::vector<OperationEvents> writers;  // that may have happened
    std::size_t length = 0;                // of what reads returned
    std::vector<ValueId> values;           // by place, first to last; nil: not seen
    std::size_t seen = 0;                  // so many of the first subkeys were written, as far as reads show
    std::vector<Precedence::Step> writes;
  };
  struct Seen {
    ValueId key = kNil;
    std::vector<ValueId> subkeys;  // first to last
  };

  bool write(OperationEvents op) {
    adds_ = adds_ || in_.f(op) == "add";
    if (in_.asked(op) == kAbsent && in_.key(op) == kAbsent) {
      in_.refuse(op, "a key");
      return false;
    }
    const ValueId key = key_of(op);
    tried_.add(in_, key, op);
    if (!in_.failed(op)) chains_[key].writers.push_back(op);
    return true;
  }

  // The key of a chain: what was asked for, or the key of a [key …] tuple, or of the operation.
  ValueId key_of(OperationEvents op) const {
    const auto tuple = in_.items(in_.asked(op));
    if (tuple.size() == 2) return tuple[0];
    return in_.asked(op) == kAbsent || in_.asked(op) == kNil ? in_.key(op) : in_.asked(op);
  }

  bool read(OperationEvents op) {
    ValueId list = in_.seen(op);
    const auto tuple = in_.items(list);
    if (in_.key(op) == kAbsent)
      list = tuple.size() == 2 && (tuple[0] == in_.asked(op) || tuple[0] == in_.keyed(op).first) ? tuple[1] : kAbsent;
    if (!in_.is_list(list)) {
      in_.refuse(op, "[key [last … first]]");
      return false;
    }
    ++in_.counter("reads");
    const auto subkeys = in_.items(list);
    Seen seen{key_of(op), {subkeys.rbegin(), subkeys.rend()}};
    Chain& chain = chains_[seen.key];
    chain.length = std::max(chain.length, seen.subkeys.size());
    chain.values.resize(chain.length, kNil);
    const auto last = std::find_if(subkeys.begin(), subkeys.end(), [](ValueId one) { return one != kNil; });
    if (last != subkeys.end()) {
      ++in_.counter("observed");
      present(op, seen, *last);
      const auto gap = std::find(last, subkeys.end(), kNil);
      if (gap != subkeys.end()) {
        in_.tell("skipped-write", {op.invocation},
                 in_.named(op) + " found " + in_.shown(*std::prev(gap)) +
                     " and then not what was written before it: " + in_.shown(list));
      }
    }
    reads_.emplace(op.invocation, std::move(seen));
    return true;
  }

  // The values that a read found.
  void present(OperationEvents op, const Seen& seen, ValueId last) {
    if (!adds_) tried_.explained(in_, "unexpected-element", "subkey " + in_.shown(last) + " of the key", seen.key, op);
    Chain& chain = chains_[seen.key];
    for (std::size_t i = 0; i < seen.subkeys.size(); ++i) {
      if (seen.subkeys[i] == kNil) continue;
      chain.seen = std::max(chain.seen, i + 1);
      ValueId& known = chain.values[i];
      if (known == kNil) known = seen.subkeys[i];
      if (known == seen.subkeys[i]) continue;
      in_.tell("unexpected-element", {op.invocation},
               in_.named(op) + " returned " + in_.shown(seen.subkeys[i]) + " where " + in_.shown(known) +
                   " was read before; each subkey is written once");
    }
  }

  void order() {
    Precedence precedence(in_);
    std::map<ProcessId, Precedence::Step> last;  // of each process
    const auto follow = [&](OperationEvents op) {
      const Precedence::Step step = precedence.step(op);
      const ProcessId process = in_.history().process(op.invocation);
      const auto [place, fresh] = last.try_emplace(process, step);
      if (!fresh) precedence.before(std::exchange(place->second, step), step);
      return step;
    };
    std::vector<std::pair<ValueId, std::vector<Precedence::Step>>> reads;  // first to last subkey
    for (const OperationEvents op : in_.operations()) {
      const auto read = reads_.find(op.invocation);
      Chain& chain = chains_[key_of(op)];
      if (read != reads_.end()) {
        std::vector<Precedence::Step> steps;
        for (std::size_t i = 0; i < read->second.subkeys.size(); ++i) steps.push_back(follow(op));
        std::reverse(steps.begin(), steps.end());
        reads.emplace_back(read->second.key, std::move(steps));
        link_.push_back(&read->second);
      } else if (!in_.f(op).starts_with("read") && !in_.failed(op) && chain.writers.size() == 1) {
        const std::size_t written = in_.ok(op) ? chain.length : chain.seen;
        for (std::size_t i = 0; i < written; ++i) chain.writes.push_back(follow(op));
      }
      // Whoever goes on after an operation of unknown outcome is a new process.
      if (!in_.ok(op) && !in_.failed(op)) last.erase(in_.history().process(op.invocation));
    }
    for (std::size_t r = 0; r < reads.size(); ++r) {
      const Chain& chain = chains_[reads[r].first];
      for (std::size_t i = 0; i < chain.writes.size() && i < reads[r].second.size(); ++i) {
        if (link_[r]->subkeys[i] != kNil)
          precedence.before(chain.writes[i], reads[r].second[i]);
        else
          precedence.before(reads[r].second[i], chain.writes[i]);
      }
    }
    if (const auto cycle = precedence.cycle(); !cycle.empty()) contradiction(cycle);
  }

  void contradiction(const std::vector<OperationEvents>& cycle) {
    std::vector<EventIndex> operations;
    std::vector<std::string> sentences;
    bool own = true;
    for (std::size_t i = 0; i < cycle.size(); ++i) {
      const OperationEvents op = cycle[i], next = cycle[(i + 1) % cycle.size()];
      const auto process = [&](OperationEvents one) { return in_.history().process(one.invocation); };
      operations.push_back(op.invocation);
      own = own && process(op) == process(cycle.front());
      const bool session = process(op) == process(next) && op.invocation < next.invocation;
      sentences.push_back(in_.named(op) + " comes before " + in_.named(next) +
                          (session                         ? ", of the same process."
                           : in_.f(op).starts_with("read") ? ", whose write it does not see."
                                                           : ", which sees its write."));
    }
    in_.tell(own ? "stale-own-write" : "nonsequential", std::move(operations),
             own ? in_.named(cycle.back()) + " does not fit what that process itself wrote and read before"
                 : "no order of the operations keeps the order of each process and explains what they saw",
             std::move(sentences));
  }

  Judgement& in_;
  AttemptTable tried_;  // by key of a chain
  std::map<ValueId, Chain> chains_;
  std::map<EventIndex, Seen> reads_;  // by invocation
  std::vector<const Seen*> link_;
  bool adds_ = false;
};

}  // namespace

WorkloadChecker sequential() {
  return {"sequential-writes",
          "subkeys written in order and read in reverse: one order of all of them keeps that of each process",
          {"sequential"},
          [](Judgement& in) { Chains(in).run(); },
          {{"skipped-write", "a process' write was seen, and then not one that it had made before"},
           {"unexpected-element", "something was read that nobody wrote, or whose write certainly failed"},
           {"stale-own-write", "a process did not see what it had written itself, or something newer"},
           {"nonsequential", "no order of the operations keeps the order of each process and fits the model"}}};
}

}  // namespace ordeal::work
