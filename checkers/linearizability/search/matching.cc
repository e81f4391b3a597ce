// matching: queues, stacks, priority queues and unordered queues in which values are repeated or takes have crashed.
//
// What makes such histories hard for a search over states is that it walks through the orders of the puts. If it were
// known which put each take took, the elements could be told apart, and the special cases of containers would decide
// the history without a search (special/container_calls.h). So the search is over that alone: a take that returned is
// matched with a put of its value, a crashed take with any put or with none. The history is linearizable exactly when
// some matching makes it so. The number of matchings does not depend on the length or on how many are concurrent, but
// on how many takes have a choice (compare "fixed-parameter-tractable monitoring", arXiv 2509.05586).
//
//   - Leaving out an element, its put and its take, keeps an explained history explained. So those that are matched so
//     far are judged alone, and a contradiction among them ends the branch.
//   - The special case names the calls that contradict each other. The choices behind those calls are to blame, and the
//     search goes back to the last of them at once, not to the choice before (conflict-directed backjumping: Prosser,
//     "Hybrid algorithms for the constraint satisfaction problem", 1993). A contradiction behind which there is no
//     choice refutes the history.
//   - Crashed takes can stand for each other: an earlier one for a later, since neither has an end. So those that take
//     effect are the first ones.
//
// Gives no order. Tested by tests/checkers/linearizability/special_cases_test.cc against plain enumeration.

#include <algorithm>
#include <boost/unordered/unordered_flat_map.hpp>
#include <set>

#include "checkers/linearizability/models/operations.h"
#include "checkers/linearizability/search/searches.h"
#include "checkers/linearizability/special/container_calls.h"

namespace ordeal::lin {
namespace {

using Core = Decision (*)(const KeyHistory&, const ContainerCalls&, Budget&);

Core core_of(const Model& model) {
  if (model.name() == "queue") return decide_queue;
  if (model.name() == "stack") return decide_stack;
  if (model.name() == "priority-queue") return decide_priority_queue;
  if (model.name() == "unordered-queue") return decide_unordered_queue;
  return nullptr;
}

// Whether an element that no take returned cannot stay inside: a container was found empty after it was put in, or what
// is taken after it was. A guess that the search begins with; it need not be right.
class MustGo {
 public:
  MustGo(const KeyHistory& history, const std::vector<CallIndex>& take_of) : stack_(history.model->name() == "stack") {
    const bool ordered = stack_ || history.model->name() == "queue";
    for (CallIndex i = 0; i < history.calls.size(); ++i) {
      const Call& call = history.calls[i];
      const bool found_empty = call.op.code == queue::kTake && !call.crashed() && call.op.a == kNil;
      if (found_empty) last_empty_ = std::max(last_empty_, call.inv);
      if (!ordered || call.op.code != queue::kPut || take_of[i] == kNoCall) continue;
      last_put_ = std::max(last_put_, call.inv);
      below_.emplace_back(std::min(call.ret, history.calls[take_of[i]].ret), history.calls[take_of[i]].inv);
    }
    std::sort(below_.begin(), below_.end());
    for (std::size_t i = 1; i < below_.size(); ++i) {
      below_[i].second = std::max(below_[i].second, below_[i - 1].second);
    }
  }

  bool operator()(const Call& put) const {
    if (last_empty_ > put.ret) return true;
    if (!stack_) return last_put_ > put.ret;
    const auto before = std::partition_point(below_.begin(), below_.end(), [&](auto& e) { return e.first < put.inv; });
    return before != below_.begin() && std::prev(before)->second > put.ret;
  }

 private:
  bool stack_;
  EventIndex last_empty_ = 0, last_put_ = 0;
  // Of elements that were taken: when they had been put in, and the last invocation of a take of those up to it.
  std::vector<std::pair<EventIndex, EventIndex>> below_;
};

class Matcher {
 public:
  Matcher(const KeyHistory& history, Budget& budget)
      : history_(history),
        calls_(history.calls),
        core_(core_of(*history.model)),
        budget_(budget),
        take_of_(calls_.size(), kNoCall) {}

  Decision run() {
    collect();
    if (wrong_) return *std::move(wrong_);
    // What is matched without a choice must fit by itself.
    if (auto conflict = judge(0)) return finish(Verdict::invalid, conflict->culprits);
    std::size_t depth = 0;
    while (depth < choices_.size()) {
      ++steps_;
      if (budget_.out_of_time()) return give_up(budget_.reason());
      Choice& choice = choices_[depth];
      if (!advance(depth)) {
        // All was tried: the choices that stood in the way of each are to blame.
        const std::set<std::size_t> blamed = std::move(choice.blamed);
        if (blamed.empty()) return finish(Verdict::invalid, {});
        depth = back_to(*blamed.rbegin(), depth, blamed);
        continue;
      }
      if (auto conflict = judge(depth + 1)) {
        if (conflict->choices.empty()) return finish(Verdict::invalid, conflict->culprits);
        depth = back_to(*conflict->choices.rbegin(), depth, conflict->choices);
        continue;
      }
      if (undecided_) return give_up(budget_.reason());
      ++depth;
    }
    return finish(Verdict::valid, {});
  }

 private:
  // A take and the puts that it may have taken, in the order in which they are tried.
  struct Choice {
    CallIndex take = 0;
    std::vector<CallIndex> puts;  // kNoCall: none (a crashed take)
    std::size_t next = 0;         // the place of the one to try next; the present one is before it
    std::set<std::size_t> blamed;
  };
  struct Conflict {
    std::set<std::size_t> choices;
    std::vector<CallIndex> culprits;
  };

  bool is_put(CallIndex call) const { return calls_[call].op.code == queue::kPut; }

  // Puts and takes by value; takes without a choice are matched, the others become choices.
  void collect() {
    struct OfValue {
      std::vector<CallIndex> puts, takes;
    };
    boost::unordered_flat_map<std::int64_t, std::size_t> place;
    std::vector<OfValue> values;
    std::vector<CallIndex> crashed;
    for (CallIndex i = 0; i < calls_.size(); ++i) {
      const Operation& op = calls_[i].op;
      if (!is_put(i) && calls_[i].crashed()) crashed.push_back(i);
      if (!is_put(i) && (calls_[i].crashed() || op.a == kNil)) continue;
      const auto [found, added] = place.try_emplace(op.a, values.size());
      if (added) values.emplace_back();
      (is_put(i) ? values[found->second].puts : values[found->second].takes).push_back(i);
    }
    for (const OfValue& value : values) {
      if (value.takes.size() > value.puts.size()) {
        std::vector<CallIndex> all = value.puts;
        all.insert(all.end(), value.takes.begin(), value.takes.end());
        wrong_ = refuted(std::move(all));
        return;
      }
      for (const CallIndex take : value.takes) choose_for(take, value.puts);
      if (wrong_) return;
    }
    std::sort(choices_.begin(), choices_.end(),
              [&](const Choice& x, const Choice& y) { return calls_[x.take].ret < calls_[y.take].ret; });
    crashed_from_ = choices_.size();
    add_crashed(crashed);
    find_who_may_take();
  }

  void choose_for(CallIndex take, const std::vector<CallIndex>& all) {
    std::vector<CallIndex> puts;
    for (const CallIndex put : all) {
      if (calls_[put].inv < calls_[take].ret) puts.push_back(put);
    }
    if (puts.empty()) {
      std::vector<CallIndex> culprits = all;
      culprits.push_back(take);
      wrong_ = refuted(std::move(culprits));
      return;
    }
    if (all.size() == 1) {
      take_of_[puts[0]] = take;
      return;
    }
    // A stack gives what was put in last, of what was put in for certain; the others what was put in first.
    if (history_.model->name() == "stack") {
      std::stable_sort(puts.begin(), puts.end(), [&](CallIndex x, CallIndex y) {
        const bool before_x = calls_[x].ret < calls_[take].inv, before_y = calls_[y].ret < calls_[take].inv;
        return before_x != before_y ? before_x : calls_[x].inv > calls_[y].inv;
      });
    }
    choices_.push_back({take, std::move(puts), 0, {}});
  }

  // A crashed take of an element whose put crashed might as well have happened together with it or not at all. First
  // what must go for what others returned, in the order of the puts; then nothing; then what may stay.
  void add_crashed(const std::vector<CallIndex>& crashed) {
    std::vector<CallIndex> puts, optional;
    const MustGo must_go(history_, take_of_);
    for (CallIndex i = 0; i < calls_.size(); ++i) {
      if (!is_put(i) || calls_[i].crashed() || take_of_[i] != kNoCall) continue;
      (must_go(calls_[i]) ? puts : optional).push_back(i);
    }
    puts.push_back(kNoCall);
    puts.insert(puts.end(), optional.begin(), optional.end());
    for (const CallIndex take : crashed) choices_.push_back({take, puts, 0, {}});
  }

  void find_who_may_take() {
    who_may_take_.resize(calls_.size());
    for (std::size_t c = 0; c < choices_.size(); ++c) {
      for (const CallIndex put : choices_[c].puts) {
        if (put != kNoCall) who_may_take_[put].push_back(static_cast<std::uint32_t>(c));
      }
    }
    chosen_by_.assign(calls_.size(), kFree);
    stride_ = std::max<std::size_t>(1, calls_.size() / 256);
  }

  // Gives the choice its next put that is free. False: there is none left.
  bool advance(std::size_t depth) {
    Choice& choice = choices_[depth];
    release(choice);
    while (choice.next < choice.puts.size()) {
      const CallIndex put = choice.puts[choice.next++];
      if (put == kNoCall) return true;
      if (depth > crashed_from_ && present(choices_[depth - 1]) == kNoCall) {
        choice.blamed.insert(depth - 1);
        continue;
      }
      if (chosen_by_[put] != kFree) {
        choice.blamed.insert(chosen_by_[put]);
        continue;
      }
      chosen_by_[put] = depth;
      take_of_[put] = choice.take;
      return true;
    }
    return false;
  }

  CallIndex present(const Choice& choice) const { return choice.next == 0 ? kNoCall : choice.puts[choice.next - 1]; }

  void release(Choice& choice) {
    const CallIndex put = present(choice);
    if (put == kNoCall || take_of_[put] != choice.take) return;
    take_of_[put] = kNoCall;
    chosen_by_[put] = kFree;
  }

  // Undoes the choices after `to`, down from `from`; the others in `blamed` are to blame for what `to` cannot be.
  std::size_t back_to(std::size_t to, std::size_t from, const std::set<std::size_t>& blamed) {
    for (std::size_t d = to + 1; d <= from; ++d) {
      release(choices_[d]);
      choices_[d].next = 0;
      choices_[d].blamed.clear();
    }
    for (const std::size_t choice : blamed) {
      if (choice < to) choices_[to].blamed.insert(choice);
    }
    return to;
  }

  // What contradicts itself when the first `depth` choices are made; with all made, elements that nobody took stay.
  std::optional<Conflict> judge(std::size_t depth) {
    undecided_ = false;
    const bool all = depth == choices_.size();
    if (!all && depth % stride_ != 0) return std::nullopt;
    ContainerCalls container = container_calls(calls_, take_of_);
    if (!all) {
      std::erase_if(container.elements, [](const ContainedElement& element) { return element.take == kNoCall; });
    }
    const Decision found = core_(history_, container, budget_);
    if (found.verdict == Verdict::unknown) undecided_ = true;
    if (found.verdict != Verdict::invalid) return std::nullopt;
    Conflict out;
    out.culprits = found.culprits;
    const auto blame = [&](CallIndex put) {
      if (chosen_by_[put] != kFree) {
        out.choices.insert(chosen_by_[put]);
      } else if (take_of_[put] == kNoCall) {
        out.choices.insert(who_may_take_[put].begin(), who_may_take_[put].end());
      }
    };
    for (const CallIndex call : found.culprits) {
      if (is_put(call)) blame(call);
    }
    return out;
  }

  Decision finish(Verdict verdict, std::vector<CallIndex> culprits) const {
    Decision out;
    if (verdict == Verdict::invalid) out = refuted(std::move(culprits));
    out.verdict = verdict;
    out.steps = steps_;
    return out;
  }

  Decision give_up(std::string why) const {
    Decision out;
    out.reason = std::move(why);
    out.steps = steps_;
    return out;
  }

  static constexpr std::size_t kFree = static_cast<std::size_t>(-1);
  const KeyHistory& history_;
  const std::vector<Call>& calls_;
  Core core_;
  Budget& budget_;
  std::uint64_t steps_ = 0;
  std::vector<CallIndex> take_of_;  // by put
  std::vector<Choice> choices_;     // of takes that returned, by return; then of crashed ones, by invocation
  std::size_t crashed_from_ = 0;
  std::vector<std::size_t> chosen_by_;                    // by put: the choice that took it, or kFree
  std::vector<std::vector<std::uint32_t>> who_may_take_;  // by put
  std::size_t stride_ = 1;                                // of long histories not every choice is judged by itself
  bool undecided_ = false;
  std::optional<Decision> wrong_;
};

class MatchingStrategy final : public Strategy {
 public:
  std::string_view name() const override { return "matching"; }
  std::string objection(const KeyHistory& history) const override {
    if (core_of(*history.model) == nullptr) return "it decides queues, stacks and priority queues only";
    return starts_empty(history) ? "" : "it does not start empty";
  }
  Decision decide(const KeyHistory& history, Budget& budget, bool) const override {
    return Matcher(history, budget).run();
  }
};

}  // namespace

std::unique_ptr<Strategy> matching_strategy() { return std::make_unique<MatchingStrategy>(); }

}  // namespace ordeal::lin
