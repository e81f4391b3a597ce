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
// A process holds from its ok until it invokes a release or resignation, however that ends; it must show that it lives:
// what follows its last event, and what follows an operation of unknown outcome, is no hold, for its client may be gone
// and the lock with it. That the lock lapsed meanwhile (a lease) is no excuse: the holder could not know.
#include <algorithm>
#include <map>
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
    if (const auto held = open_.find(process); held != open_.end()) {
      holds_[held->second].until = op.invocation;
      const bool certain = in_.ok(op) || in_.failed(op);
      if (in_.f(op) == words_.release || !certain) open_.erase(held);
    }
    if (in_.f(op) != words_.acquire || !in_.ok(op)) return;
    ++in_.counter("acquired");
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
    std::sort(holds_.begin(), holds_.end(),
              [](const Hold& a, const Hold& b) { return a.acquire.completion < b.acquire.completion; });
    const Hold* longest = nullptr;
    for (const Hold& hold : holds_) {
      if (longest != nullptr && hold.acquire.completion < longest->until) overlap(*longest, hold);
      if (longest == nullptr || hold.until > longest->until) longest = &hold;
    }
    tokens(strictly);
  }

 private:
  std::string process(OperationEvents op) const {
    return "process " + in_.history().process_name(in_.history().process(op.invocation));
  }

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
  std::vector<Sighting> sightings_;
};

void judge_locks(Judgement& in) {
  if (!in.understands({"acquire", "release"})) return;
  std::map<ValueId, Lock> locks;
  for (const OperationEvents op : in.operations())
    locks.try_emplace(in.key(op), in, in.key(op), kLock).first->second.take(op);
  for (auto& [key, lock] : locks) lock.judge(true);
  in.keys(locks.size());
  if (in.counter("acquired") < 2)
    in.inconclusive("the lock was acquired less than twice, so nothing was put to the test");
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

void judge_elections(Judgement& in) {
  if (!in.understands({"campaign", "resign", "leader"})) return;
  std::map<ValueId, Lock> locks;
  std::map<ValueId, Terms> terms;
  for (const OperationEvents op : in.operations()) {
    const ValueId key = in.key(op);
    Lock& lock = locks.try_emplace(key, in, key, kElection).first->second;
    Terms& leaders = terms.try_emplace(key, in, key).first->second;
    lock.take(op);
    if (!in.ok(op)) continue;
    const ValueId seen = in.seen(op);
    if (in.f(op) == "campaign" && in.integer(seen) && seen != in.asked(op))
      leaders.see(op, *in.integer(seen), in.asked(op));
    if (in.f(op) != "leader" || seen == kNil) continue;
    const auto term = in.integer(seen, "term");
    if (!term) return in.refuse(op, R"({"term" n, "leader" name})");
    lock.see({op, *term});
    leaders.see(op, *term, in.values().member(seen, "leader"));
  }
  for (auto& [key, lock] : locks) lock.judge(false);
  in.keys(locks.size());
  if (in.counter("acquired") < 2) in.inconclusive("there were fewer than two leaders, so nothing was put to the test");
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
           {"term-went-back", "a term was seen after a greater one"}}};
}

}  // namespace ordeal::work
