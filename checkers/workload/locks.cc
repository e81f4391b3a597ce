// The checkers "lock" and "leader-election": one holder at a time, and fencing tokens (terms) that only grow.
//
// Operations of a lock: `acquire`, whose ok value may be a fencing token (a whole number that was not asked for), and
// `release`; keys, if any, are locks of their own. Of an election: `campaign` with the candidate's name, whose ok value
// is the term, `resign`, and `leader`, whose ok value is {"term" n, "leader" name}.
//
//   two-holders       a process got the lock while another one held it
//   token-went-back   a lock acquired after another acquisition was over has no greater token
//   two-leaders       one term, two leaders
//   term-went-back    a term seen after a greater one
//
//   unexpected-leader a leader was seen whose candidate never stood, only failed, or was elected in other terms
//   stale-leader      a leader was seen while another one led during the whole operation
//
// A process holds from its ok until it invokes a release or resignation, however that ends. What follows an operation
// of unknown outcome is no hold, for its client may be gone and the lock with it. One of which nothing more is heard
// holds on as long as operations are invoked: clients are closed after that. That the lock lapsed meanwhile (a lease)
// is no excuse: the holder could not know. Holds of a process alone put nothing to the test.
//
// These are all that mutual exclusion asks for: when the times of certain holds are disjoint, letting each acquisition
// take effect when it ends and each release when it begins is an order that explains them. Where operations carry no
// term, holds and names are judged all the same.
#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "checkers/workload/judgement.h"
#include "checkers/workload/workload_checkers.h"

namespace ordeal::work {
namespace {

struct Words {
  std::string_view acquire, release, token;
  const char* too_many;
  const char* back;
};
constexpr Words kLock = {"acquire", "release", "token", "two-holders", "token-went-back"};
constexpr Words kElection = {"campaign", "resign", "term", "two-holders", "term-went-back"};

struct Hold {
  OperationEvents acquire;
  EventIndex until = kNoEvent;  // the process certainly held until here
};

// A token or term, and the operation that saw it.
struct Sighting {
  OperationEvents op;
  std::int64_t token = 0;
};

class Lock {
 public:
  Lock(Judgement& in, ValueId key, const Words& words) : in_(in), key_(key), words_(words) {}

  void take(OperationEvents op) {
    const ProcessId process = in_.history().process(op.invocation);
    last_invocation_ = std::max(last_invocation_, op.invocation);
    if (const auto held = open_.find(process); held != open_.end()) {
      holds_[held->second].until = op.invocation;
      const bool certain = in_.ok(op) || in_.failed(op);
      if (in_.f(op) == words_.release || !certain) open_.erase(held);
    }
    if (in_.f(op) != words_.acquire || !in_.ok(op)) return;
    ++in_.counter("acquired");
    holders_.insert(process);
    const auto token = in_.integer(in_.seen(op));
    if (token && in_.seen(op) != in_.asked(op)) see({op, *token});
    // A process that holds already and acquires again (a reentrant lock) goes on holding.
    if (open_.contains(process)) return;
    open_[process] = holds_.size();
    holds_.push_back({op, op.completion});
  }

  void see(Sighting sighting) { sightings_.push_back(sighting); }

  // `strictly`: of two acquisitions, the later must have the greater token; otherwise it must not have a smaller one.
  void judge(bool strictly) {
    for (const auto& [process, hold] : open_) holds_[hold].until = std::max(holds_[hold].until, last_invocation_);
    if (open_.size() > 1) {
      in_.inconclusive(std::to_string(open_.size()) +
                       " processes held in the end, when the clients of the first of them "
                       "may have been gone already");
    }
    std::sort(holds_.begin(), holds_.end(),
              [](const Hold& a, const Hold& b) { return a.acquire.completion < b.acquire.completion; });
    const Hold* longest = nullptr;
    for (const Hold& hold : holds_) {
      if (longest != nullptr && hold.acquire.completion < longest->until) overlap(*longest, hold);
      if (longest == nullptr || hold.until > longest->until) longest = &hold;
    }
    tokens(strictly);
  }
  [[nodiscard]] bool contested() const { return holders_.size() > 1; }
  // By completion of the acquisition. Requires: judge() was called.
  [[nodiscard]] const std::vector<Hold>& holds() const { return holds_; }

 private:
  std::string process(OperationEvents op) const { return in_.history().client(in_.history().process(op.invocation)); }

  void overlap(const Hold& first, const Hold& second) {
    in_.tell(words_.too_many, {first.acquire.invocation, second.acquire.invocation, first.until},
             process(second.acquire) + " was granted the lock (" + in_.event(second.acquire.completion) + ") while " +
                 process(first.acquire) + " held it (" + in_.event(first.acquire.completion) + " to " +
                 in_.event(first.until) + ")",
             {process(first.acquire) + " got it at " + in_.event(first.acquire.completion) +
                  " and did nothing to give it back until " + in_.event(first.until) + ".",
              process(second.acquire) + " got it at " + in_.event(second.acquire.completion) + ", in between."},
             key_);
  }

  void tokens(bool strictly) {
    std::vector<const Sighting*> ended, begun;
    for (const Sighting& one : sightings_) ended.push_back(&one);
    begun = ended;
    std::sort(ended.begin(), ended.end(), [](auto a, auto b) { return a->op.completion < b->op.completion; });
    std::sort(begun.begin(), begun.end(), [](auto a, auto b) { return a->op.invocation < b->op.invocation; });
    const Sighting* greatest = nullptr;  // of those over before the one at hand began
    std::size_t next = 0;
    for (const Sighting* one : begun) {
      for (; next < ended.size() && ended[next]->op.completion < one->op.invocation; ++next) {
        if (greatest == nullptr || ended[next]->token > greatest->token) greatest = ended[next];
      }
      if (greatest == nullptr || one->token > greatest->token || (!strictly && one->token == greatest->token)) continue;
      in_.tell(words_.back, {greatest->op.invocation, one->op.invocation},
               in_.named(one->op) + " returned " + std::string(words_.token) + " " + std::to_string(one->token) +
                   ", although " + in_.named(greatest->op) + ", which was over before, had returned " +
                   std::to_string(greatest->token),
               {}, key_);
    }
  }

  Judgement& in_;
  ValueId key_;
  const Words& words_;
  std::vector<Hold> holds_;
  std::map<ProcessId, std::size_t> open_;  // by process: its hold
  std::set<ProcessId> holders_;
  EventIndex last_invocation_ = 0;
  std::vector<Sighting> sightings_;
};

void judge_locks(Judgement& in) {
  if (!in.understands({"acquire", "release"})) return;
  std::map<ValueId, Lock> locks;
  for (const OperationEvents op : in.operations())
    locks.try_emplace(in.key(op), in, in.key(op), kLock).first->second.take(op);
  bool contested = false;
  for (auto& [key, lock] : locks) {
    lock.judge(true);
    contested = contested || lock.contested();
  }
  in.keys(locks.size());
  if (in.counter("acquired") < 2)
    in.inconclusive("the lock was acquired less than twice, so nothing was put to the test");
  else if (!contested)
    in.inconclusive("no lock was acquired by two processes, so nothing was put to the test");
}

// The leaders of one election by term.
class Terms {
 public:
  explicit Terms(Judgement& in, ValueId key) : in_(in), key_(key) {}
  void see(OperationEvents op, std::int64_t term, ValueId leader) {
    if (leader == kAbsent || leader == kNil) return;
    const auto [place, fresh] = leaders_.try_emplace(term, leader, op);
    if (fresh || place->second.first == leader) return;
    const OperationEvents other = place->second.second;
    in_.tell("two-leaders", {other.invocation, op.invocation},
             "in term " + std::to_string(term) + " " + in_.shown(place->second.first) + " led (" +
                 in_.event(other.invocation) + ") and " + in_.shown(leader) + " did, too (" + in_.event(op.invocation) +
                 ")",
             {}, key_);
  }

 private:
  Judgement& in_;
  ValueId key_;
  std::map<std::int64_t, std::pair<ValueId, OperationEvents>> leaders_;
};

// Who was seen to lead, against who stood.
class Leaders {
 public:
  Leaders(Judgement& in, ValueId key) : in_(in), key_(key) {}

  void campaign(OperationEvents op) {
    if (in_.asked(op) == kAbsent) return;
    stood_.add(in_, in_.asked(op), op);
    const auto term = in_.integer(in_.seen(op));
    if (in_.ok(op) && term && in_.seen(op) != in_.asked(op)) {
      terms_.try_emplace({in_.asked(op), *term}, op.invocation);
    } else if (!in_.failed(op)) {
      any_term_.try_emplace(in_.asked(op), op.invocation);  // in a term that is not known
    }
  }
  void see(OperationEvents op, std::optional<std::int64_t> term, ValueId leader) {
    if (leader != kAbsent && leader != kNil) seen_.push_back({op, term, leader});
  }

  void judge(const std::vector<Hold>& holds) {
    for (const Sight& one : seen_) {
      if (!stood_.explained(in_, "unexpected-leader", "leader", one.leader, one.op, key_)) continue;
      if (one.term && !elected(one)) {
        in_.tell("unexpected-leader", {one.op.invocation},
                 in_.named(one.op) + " returned the leader " + in_.shown(one.leader) + " in term " +
                     std::to_string(*one.term) + ", in which it was never elected until then",
                 {}, key_);
      } else {
        stale(one, holds);
      }
    }
  }

 private:
  struct Sight {
    OperationEvents op;
    std::optional<std::int64_t> term;
    ValueId leader = kNil;
  };

  // By an attempt that had begun before the operation that saw it was over.
  bool elected(const Sight& one) const {
    const auto in_term = terms_.find({one.leader, *one.term});
    const auto in_any = any_term_.find(one.leader);
    return (in_term != terms_.end() && in_term->second < one.op.completion) ||
           (in_any != any_term_.end() && in_any->second < one.op.completion);
  }

  void stale(const Sight& one, const std::vector<Hold>& holds) {
    // The last hold that began before the operation: earlier ones that still last are told as two holders.
    const auto after = std::partition_point(
        holds.begin(), holds.end(), [&](const Hold& hold) { return hold.acquire.completion < one.op.invocation; });
    in_.work();
    if (after == holds.begin()) return;
    const Hold& hold = *std::prev(after);
    const ValueId name = in_.asked(hold.acquire);
    if (name == kAbsent || name == one.leader || hold.until < one.op.completion) return;
    in_.tell("stale-leader", {hold.acquire.invocation, one.op.invocation, hold.until},
             in_.named(one.op) + " returned the leader " + in_.shown(one.leader) + ", although " + in_.shown(name) +
                 " led all the while (" + in_.event(hold.acquire.completion) + " to " + in_.event(hold.until) + ")",
             {}, key_);
  }

  Judgement& in_;
  ValueId key_;
  AttemptTable stood_;
  // Of each candidate: when its first attempt that got the term began; and that of which nobody knows the term.
  std::map<std::pair<ValueId, std::int64_t>, EventIndex> terms_;
  std::map<ValueId, EventIndex> any_term_;
  std::vector<Sight> seen_;
};

struct Election {
  Election(Judgement& in, ValueId key) : lock(in, key, kElection), terms(in, key), leaders(in, key) {}
  Lock lock;
  Terms terms;
  Leaders leaders;
};

void judge_elections(Judgement& in) {
  if (!in.understands({"campaign", "resign", "leader"})) return;
  std::map<ValueId, Election> elections;
  for (const OperationEvents op : in.operations()) {
    const ValueId key = in.key(op);
    Election& election = elections.try_emplace(key, in, key).first->second;
    election.lock.take(op);
    if (in.f(op) == "campaign") election.leaders.campaign(op);
    if (!in.ok(op)) continue;
    const ValueId seen = in.seen(op);
    if (in.f(op) == "campaign" && in.integer(seen) && seen != in.asked(op))
      election.terms.see(op, *in.integer(seen), in.asked(op));
    if (in.f(op) != "leader" || seen == kNil) continue;
    const bool name_alone = in.is(seen, Value::Kind::string);
    const ValueId leader = name_alone ? seen : in.is_map(seen) ? in.values().member(seen, "leader") : kAbsent;
    const auto term = in.integer(seen, "term");
    if (leader == kAbsent) return in.refuse(op, R"({"term" n, "leader" name}, or a name,)");
    election.leaders.see(op, term, leader);
    if (!term) continue;
    election.lock.see({op, *term});
    election.terms.see(op, *term, leader);
  }
  bool contested = false;
  for (auto& [key, election] : elections) {
    election.lock.judge(false);
    election.leaders.judge(election.lock.holds());
    contested = contested || election.lock.contested();
  }
  in.keys(elections.size());
  if (in.counter("acquired") < 2)
    in.inconclusive("there were fewer than two leaders, so nothing was put to the test");
  else if (!contested)
    in.inconclusive("one process alone was elected, so nothing was put to the test");
}

}  // namespace

WorkloadChecker lock() {
  return {"lock",
          "a lock: one holder at a time, fencing tokens that only grow",
          {"mutual-exclusion"},
          judge_locks,
          {{"two-holders", "a process was granted a lock, or led, while another one held it"},
           {"token-went-back", "a lock was granted with a fencing token that is not greater than an earlier one"}}};
}

WorkloadChecker leader_election() {
  return {"leader-election",
          "an election: one leader at a time and a term, terms that never go back",
          {"mutual-exclusion"},
          judge_elections,
          {{"two-holders", "a process was granted a lock, or led, while another one held it"},
           {"two-leaders", "one term had two leaders"},
           {"term-went-back", "a term was seen after a greater one"},
           {"unexpected-leader", "a leader was seen that never stood, or was never elected in that term"},
           {"stale-leader", "a leader was seen while another one led all the while"}}};
}

}  // namespace ordeal::work
