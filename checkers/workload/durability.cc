// The checker "durability": what was acknowledged is there in the end, but for what a crash may cost (the recovery
// point objective, RPO), and after a crash the system serves again in time (the recovery time objective, RTO).
//
// Operations: `add` element, each once; `read`, a list of all elements. Keys, if any, are sets of their own, lost
// together with them. The *final reads* are the ok reads that began after every add of the key had ended (one of
// unknown outcome: had begun), at least durability.settle later; an element is *lost* when it was
// acknowledged and none of them has it. *Crashes* are the injections of kill, crash and power-loss that the nemesis
// recorded; one takes place between "inject" and "injected", or when the fault says that it struck. Options
// durability.rpo (P), .max-lost (N), .rto (R).
//
//   lost-element        a lost element, and no crash came after its add had begun; with P = 0, any lost element
//   rpo-exceeded        a lost element that was acknowledged more than P before every crash that came after
//   too-many-lost       more elements were lost than N for each crash that can have cost them
//   rto-exceeded        after a crash no operation that was begun then succeeded within R, though clients tried, the
//                       last of them in the last quarter of that time, and no other fault was in force
//   unexpected-element  a read has an element that nobody had added, or whose add failed
//
// A write is acknowledged between its two events and lost by a crash that came at most P after that: the add must have
// ended at most P before the crash began, and have begun before the crash was over. Lost elements are given to crashes
// that can have cost them, N to each, in the order of their last one: if that does not do, nothing does. Cost: O(n log
// n), and for each lost element the crashes.
#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "checkers/history/fault_record.h"
#include "checkers/workload/judgement.h"
#include "checkers/workload/workload_checkers.h"

namespace ordeal::work {
namespace {

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

// A crash, or another fault, in ns.
struct Fault {
  std::int64_t id = 0;
  std::string name;
  std::int64_t begin = 0, over = kNever, healed = kNever;
  std::int64_t struck_from = 0, struck_to = kNever;  // within [begin, over], as closely as is known
  bool crash = false;
};

struct Lost {
  OperationEvents add;
  ValueId element = kAbsent;
  ValueId key = kAbsent;
  std::size_t first = 0, last = 0;  // the crashes that can have cost it: [first, last)
};

class Durability {
 public:
  explicit Durability(Judgement& in)
      : in_(in), rpo_(in.option_ns("durability.rpo")), rto_(in.option_ns("durability.rto")) {
    for (const FaultRecord& record : fault_records(in.history())) {
      if (record.inject_ns < 0) continue;
      Fault one{record.id, record.fault, record.inject_ns, kNever, kNever, record.inject_ns, kNever, false};
      if (record.injected_ns >= 0) one.over = one.struck_to = record.injected_ns;
      if (record.struck_from_ns >= 0) {
        one.struck_from = record.struck_from_ns;
        one.struck_to = record.struck_to_ns;
      }
      if (record.healed_ns >= 0) one.healed = record.healed_ns;
      one.crash = record.fault == "kill" || record.fault == "crash" || record.fault == "power-loss";
      if (one.crash && record.injected_ns >= 0) ++in_.counter("crashes");
      faults_.push_back(one);
    }
    std::sort(faults_.begin(), faults_.end(), [](const Fault& a, const Fault& b) { return a.begin < b.begin; });
    std::copy_if(faults_.begin(), faults_.end(), std::back_inserter(crashes_),
                 [](const Fault& one) { return one.crash; });
    std::stable_sort(crashes_.begin(), crashes_.end(),
                     [](const Fault& a, const Fault& b) { return a.struck_from < b.struck_from; });
  }

  void judge() {
    for (const OperationEvents op : in_.operations()) {
      Set& set = sets_[in_.key(op)];
      if (in_.f(op) == "read") {
        if (in_.ok(op)) set.reads.push_back(op);
        continue;
      }
      if (in_.f(op) != "add") continue;
      set.tried.add(in_, in_.asked(op), op);
      if (in_.failed(op)) continue;
      set.last_add = std::max(set.last_add, in_.ok(op) ? op.completion : op.invocation);
      if (in_.ok(op)) set.acknowledged.emplace_back(op, in_.asked(op));
    }
    for (auto& [key, set] : sets_) look(key, set);
    in_.keys(sets_.size());
    weigh();
    if (rto_ > 0) recoveries();
  }

 private:
  struct Set {
    AttemptTable tried;
    std::vector<std::pair<OperationEvents, ValueId>> acknowledged;
    std::vector<OperationEvents> reads;
    EventIndex last_add = 0;
  };

  std::int64_t begun(OperationEvents op) const { return in_.history().time(op.invocation); }
  std::int64_t ended(OperationEvents op) const { return in_.history().time(op.completion); }

  // Finds what was lost of one set.
  void look(ValueId key, Set& set) {
    std::set<ValueId> kept;
    bool looked = false;
    for (const OperationEvents op : set.reads) {
      const bool final = in_.settled(set.last_add, op, "durability.settle");
      for (const ValueId element : in_.items(in_.seen(op))) {
        (void)set.tried.explained(in_, "unexpected-element", "element", element, op, key);
        if (final) kept.insert(element);
      }
      looked = looked || final;
    }
    if (!looked) return;
    ++in_.counter("sets-read-in-the-end");
    in_.counter("acknowledged") += static_cast<std::int64_t>(set.acknowledged.size());
    for (const auto& [add, element] : set.acknowledged) {
      in_.work();
      if (!kept.contains(element)) lost_.push_back({add, element, key, 0, 0});
    }
    in_.counter("lost") = static_cast<std::int64_t>(lost_.size());
  }

  // Gives each lost element the crashes that can have cost it, and tells those that have none.
  void weigh() {
    std::vector<Lost> excused;
    for (Lost& one : lost_) {
      if (rpo_ == 0) {
        tell("lost-element", one, "");
        continue;
      }
      std::vector<std::size_t> costly;
      bool any_after = false;
      for (std::size_t i = 0; i < crashes_.size(); ++i) {
        in_.work();
        if (crashes_[i].struck_to < begun(one.add)) continue;
        any_after = true;
        if (crashes_[i].struck_from - rpo_ <= ended(one.add)) costly.push_back(i);
      }
      if (costly.empty()) {
        tell(any_after ? "rpo-exceeded" : "lost-element", one,
             any_after ? "; the next crash came more than durability.rpo later" : "; no crash came after that");
        continue;
      }
      one.first = costly.front();
      one.last = costly.back() + 1;
      excused.push_back(one);
    }
    if (in_.option("durability.max-lost") > 0) share_out(std::move(excused), in_.option("durability.max-lost"));
  }

  void share_out(std::vector<Lost> lost, std::int64_t most) {
    std::stable_sort(lost.begin(), lost.end(), [](const Lost& a, const Lost& b) { return a.last < b.last; });
    std::vector<std::int64_t> cost(crashes_.size());
    for (const Lost& one : lost) {
      std::size_t crash = one.first;
      for (; crash < one.last && cost[crash] == most; ++crash) in_.work();
      if (crash < one.last) {
        ++cost[crash];
        continue;
      }
      tell("too-many-lost", one,
           "; as many others, durability.max-lost, were lost by each crash that can have cost it");
    }
  }

  void tell(const char* type, const Lost& one, const std::string& why) {
    in_.tell(type, {one.add.invocation},
             "element " + in_.shown(one.element) + " was acknowledged (" + in_.event(one.add.completion) +
                 ") and is in no final read" + why,
             {}, one.key);
  }

  // After each crash, whether clients succeeded again.
  void recoveries() {
    std::int64_t end = 0;
    for (const OperationEvents op : in_.operations()) {
      end = std::max(end, begun(op));
      if (op.completion != kNoEvent) end = std::max(end, ended(op));
    }
    for (const Fault& crash : crashes_) {
      if (crash.over == kNever) continue;
      const std::int64_t until = crash.over + rto_;
      bool served = false, late = false;
      std::vector<EventIndex> tries;
      for (const OperationEvents op : in_.operations()) {
        in_.work();
        if (begun(op) < crash.over || begun(op) > until) continue;
        served = served || (in_.ok(op) && ended(op) <= until);
        late = late || op.completion == kNoEvent || ended(op) >= until - rto_ / 4;
        if (tries.size() < 10) tries.push_back(op.invocation);
      }
      const bool disturbed = std::any_of(faults_.begin(), faults_.end(), [&](const Fault& other) {
        return other.id != crash.id && other.begin <= until && other.healed >= crash.over;
      });
      if (served) ++in_.counter("recoveries-judged");
      if (served || !late || disturbed || end < until) continue;
      ++in_.counter("recoveries-judged");
      in_.tell("rto-exceeded", tries,
               "after fault " + std::to_string(crash.id) + " (" + crash.name +
                   ") no operation that was begun then succeeded within " + std::to_string(rto_ / 1'000'000) +
                   " ms; the first tries are " + in_.event(tries.front()) + " and after");
    }
  }

  Judgement& in_;
  const std::int64_t rpo_, rto_;
  std::vector<Fault> faults_, crashes_;  // by their beginning
  std::map<ValueId, Set> sets_;
  std::vector<Lost> lost_;
};

void judge_durability(Judgement& in) {
  if (!in.understands({"add", "read"})) return;
  const bool timed = in.option_ns("durability.rpo") > 0 || in.option_ns("durability.rto") > 0;
  std::set<std::pair<ValueId, ValueId>> added;
  for (const OperationEvents op : in.operations()) {
    if (in.f(op) == "read" && in.ok(op) && !in.takes_elements(op)) return;
    if (in.f(op) == "add" && !in.failed(op) && !added.emplace(in.key(op), in.asked(op)).second)
      return in.refuse(op, "an element that was not added before");
    const bool untimed =
        in.history().time(op.invocation) < 0 || (op.completion != kNoEvent && in.history().time(op.completion) < 0);
    if (timed && untimed)
      return in.refuse("the history has no times (" + in.event(op.invocation) +
                       "), which durability.rpo and .rto need");
  }
  Durability(in).judge();
  if (in.counter("sets-read-in-the-end") == 0)
    in.inconclusive("no read succeeded after the last add" + in.without_times());
  if (in.counter("acknowledged") == 0) in.inconclusive("no add succeeded");
  if (timed && in.counter("crashes") == 0) in.inconclusive("no crash was injected (kill, crash, power-loss)");
  if (in.option_ns("durability.rto") > 0 && in.counter("recoveries-judged") == 0)
    in.inconclusive("after no crash were the clients at work for durability.rto without another fault");
}

}  // namespace

WorkloadChecker durability() {
  return {
      "durability",
      "what was acknowledged is there in the end, but for what crashes may cost (RPO), and they are over in time (RTO)",
      {"recovery-point"},
      judge_durability,
      {{"lost-element", "an acknowledged element is missing from every later read"},
       {"rpo-exceeded", "a crash cost an element that had been acknowledged longer before than the bound"},
       {"too-many-lost", "crashes cost more acknowledged elements than the bound"},
       {"rto-exceeded", "after a crash no operation succeeded within the bound"},
       {"unexpected-element", "something was read that nobody wrote, or whose write certainly failed"}},
      {{"durability.rpo", OptionSpec::Type::duration, 0.0,
        "how long before a crash what it may cost was acknowledged; 0: nothing is ever lost", 0, 86400},
       {"durability.settle", OptionSpec::Type::duration, 2.0, "how long the system has before the final reads", 0,
        3600},
       {"durability.max-lost", OptionSpec::Type::integer, 0,
        "how many elements one crash may cost, of those that durability.rpo allows; 0: any number", 0, 1e9},
       {"durability.rto", OptionSpec::Type::duration, 0.0,
        "how soon after a crash an operation must succeed, whether or not it was healed; 0: not judged", 0, 86400}}};
}

}  // namespace ordeal::work
