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
//   - What crashed takes took is asked the other way round, of each element that nobody returned: that it stayed inside
//     is what contradicts, and then the next thing to try is a crashed take of it.
//   - A long history is judged only when all is matched. After going back, a choice begins with what it was before:
//     most contradictions are mended by one choice, and the others need not be found again.
//   - Elements that contradicted each other are remembered and not matched so again. They mostly are two: of a stack
//   one
//     that was put in after another and taken after it. So when all is judged wrong, all such pairs are looked for, and
//     the search goes back to the one whose choices were made first, before which nothing is wrong that is known.
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
  MustGo(const KeyHistory& history, const std::vector<CallIndex>& take_of)
      : stack_(type_of(*history.model) == DataType::stack) {
    const bool ordered = stack_ || type_of(*history.model) == DataType::fifo_queue;
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

// Whether two elements that were taken contradict each other whatever the others are; the first was put in first. On a
// stack the second is taken before the first, unless that was gone; of a queue after it; of a priority queue a smaller
// one before a greater one.
class Contradict {
 public:
  explicit Contradict(const KeyHistory& history) : history_(history), type_(type_of(*history.model)) {}
  bool knows() const {
    return type_ == DataType::stack || type_ == DataType::fifo_queue || type_ == DataType::priority_queue;
  }
  bool operator()(const ContainedElement& first, const ContainedElement& second) const {
    if (type_ == DataType::priority_queue) {
      const auto x = number(first), y = number(second);
      return x < y ? stays(first, second) : y < x && stays(second, first);
    }
    if (first.put_ret >= second.put_inv) return false;
    if (type_ == DataType::fifo_queue) return second.take_ret < first.take_inv;
    return second.put_ret < first.take_inv && first.take_ret < second.take_inv;
  }

 private:
  // Whether the other is taken while the one is inside.
  static bool stays(const ContainedElement& one, const ContainedElement& other) {
    return one.put_ret < other.take_inv && other.take_ret < one.take_inv;
  }
  std::int64_t number(const ContainedElement& one) const {
    return history_.history->values().as_integer(static_cast<ValueId>(history_.calls[one.put].op.a));
  }
  const KeyHistory& history_;
  DataType type_;
};

// Takes out of the elements of a contradiction what it does not need; stops when the budget is out.
class Kernel {
 public:
  Kernel(const KeyHistory& history, Core core, Budget& budget) : history_(history), core_(core), budget_(budget) {}

  // REQUIRES: the core refutes the container by these culprits.
  std::vector<CallIndex> of(const ContainerCalls& container, const std::vector<CallIndex>& culprits) {
    const auto named = [&](CallIndex call) { return std::binary_search(culprits.begin(), culprits.end(), call); };
    kept_ = {};
    for (const ContainedElement& element : container.elements) {
      if (named(element.put)) kept_.elements.push_back(element);
    }
    for (const CallIndex empty : container.empties) {
      if (named(empty)) kept_.empties.push_back(empty);
    }
    if (kept_.elements.size() <= kSmall || !refutes(kept_)) return culprits;
    for (std::size_t chunk = kept_.elements.size() / 2; chunk > 0; chunk /= 2) {
      for (std::size_t first = 0; first < kept_.elements.size() && !budget_.out_of_time();) {
        ContainerCalls less = kept_;
        const auto at = less.elements.begin() + static_cast<std::ptrdiff_t>(first);
        less.elements.erase(at, at + static_cast<std::ptrdiff_t>(std::min(chunk, less.elements.size() - first)));
        if (refutes(less))
          kept_ = std::move(less);
        else
          first += chunk;
      }
    }
    std::vector<CallIndex> out = kept_.empties;
    for (const ContainedElement& element : kept_.elements) {
      out.push_back(element.put);
      if (element.take != kNoCall) out.push_back(element.take);
    }
    std::sort(out.begin(), out.end());
    return out;
  }

 private:
  static constexpr std::size_t kSmall = 3;
  bool refutes(const ContainerCalls& container) const {
    return core_(history_, container, budget_).verdict == Verdict::invalid;
  }
  const KeyHistory& history_;
  Core core_;
  Budget& budget_;
  ContainerCalls kept_;
};

class Matcher {
 public:
  Matcher(const KeyHistory& history, Budget& budget)
      : history_(history),
        calls_(history.calls),
        core_(core_of(*history.model)),
        budget_(budget),
        take_of_(calls_.size(), kNoCall),
        chosen_by_(calls_.size(), kFree),
        who_may_take_(calls_.size()) {}

  Decision run() {
    collect();
    if (wrong_) return *std::move(wrong_);
    // What is matched without a choice must fit by itself.
    if (auto conflict = judge(0)) return finish(Verdict::invalid, conflict->culprits);
    if (undecided_) return give_up();
    std::size_t depth = 0;
    while (depth < choices_.size()) {
      if (++steps_ % 64 == 0 && budget_.out_of_time()) return give_up();
      if (!advance(depth)) {
        // All was tried: the choices that stood in the way of each are to blame.
        const std::set<std::size_t> blamed = std::move(choices_[depth].blamed);
        if (blamed.empty()) return finish(Verdict::invalid, {});
        depth = back_to(*blamed.rbegin(), depth, blamed);
        continue;
      }
      if (auto conflict = judge(depth + 1)) {
        if (conflict->choices.empty()) return finish(Verdict::invalid, conflict->culprits);
        depth = back_to(*conflict->choices.rbegin(), depth, conflict->choices);
        continue;
      }
      if (undecided_) return give_up();
      ++depth;
    }
    return finish(Verdict::valid, {});
  }

 private:
  // Of a take that returned: the puts that it may have taken. Of a put: the crashed takes that may have taken it, or
  // none.
  struct Choice {
    CallIndex subject = 0;
    std::vector<CallIndex> candidates;  // in the order in which they are tried; kNoCall: none
    std::size_t next = 0;               // the place of the one to try next
    CallIndex present = kNoCall;
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
              [&](const Choice& x, const Choice& y) { return calls_[x.subject].ret < calls_[y.subject].ret; });
    for (std::size_t c = 0; c < choices_.size(); ++c) {
      for (const CallIndex put : choices_[c].candidates) who_may_take_[put].push_back(static_cast<std::uint32_t>(c));
    }
    if (!crashed.empty()) add_crashed(crashed);
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
    if (type_of(*history_.model) == DataType::stack) {
      std::stable_sort(puts.begin(), puts.end(), [&](CallIndex x, CallIndex y) {
        const bool before_x = calls_[x].ret < calls_[take].inv, before_y = calls_[y].ret < calls_[take].inv;
        return before_x != before_y ? before_x : calls_[x].inv > calls_[y].inv;
      });
    }
    choices_.push_back({take, std::move(puts), 0, kNoCall, {}});
  }

  // A crashed take of an element whose put crashed might as well have happened together with it or not at all. First
  // comes what must go for what others returned.
  void add_crashed(const std::vector<CallIndex>& crashed) {
    std::vector<CallIndex> gone, stays{kNoCall};
    stays.insert(stays.end(), crashed.begin(), crashed.end());
    gone = crashed;
    gone.push_back(kNoCall);
    const MustGo must_go(history_, take_of_);
    for (const bool must : {true, false}) {
      for (CallIndex i = 0; i < calls_.size(); ++i) {
        if (!is_put(i) || calls_[i].crashed() || take_of_[i] != kNoCall || must_go(calls_[i]) != must) continue;
        who_may_take_[i].push_back(static_cast<std::uint32_t>(choices_.size()));
        choices_.push_back({i, must ? gone : stays, 0, kNoCall, {}});
      }
    }
  }

  // Gives the choice its next candidate that is free. False: there is none left.
  bool advance(std::size_t depth) {
    Choice& choice = choices_[depth];
    release(choice);
    while (choice.next < choice.candidates.size()) {
      const CallIndex candidate = choice.candidates[choice.next++];
      if (candidate == kNoCall) return true;
      const CallIndex put = is_put(choice.subject) ? choice.subject : candidate;
      const CallIndex take = is_put(choice.subject) ? candidate : choice.subject;
      const std::size_t in_the_way = chosen_by_[put] != kFree ? chosen_by_[put] : chosen_by_[take];
      if (in_the_way != kFree) {
        choice.blamed.insert(in_the_way);
        continue;
      }
      if (is_known_to_contradict(put, take, choice.blamed)) continue;
      chosen_by_[put] = chosen_by_[take] = depth;
      take_of_[put] = take;
      choice.present = candidate;
      return true;
    }
    return false;
  }

  // A contradiction among matched elements, so that it is met once only.
  void remember(const std::vector<CallIndex>& culprits) {
    if (contradictions_.size() >= kMostRemembered) return;
    std::vector<std::pair<CallIndex, CallIndex>> elements;
    for (const CallIndex call : culprits) {
      if (!is_put(call)) continue;
      if (take_of_[call] == kNoCall) return;
      elements.emplace_back(call, take_of_[call]);
    }
    for (const auto& [put, take] : elements) {
      if (chosen_by_[put] != kFree) contradictions_of_[element(put, take)].push_back(contradictions_.size());
    }
    contradictions_.push_back(std::move(elements));
  }
  // Whether an element contradicts those that are matched, as was seen before; those choices are to blame.
  bool is_known_to_contradict(CallIndex put, CallIndex take, std::set<std::size_t>& blamed) const {
    const auto known = contradictions_of_.find(element(put, take));
    if (known == contradictions_of_.end()) return false;
    for (const std::size_t one : known->second) {
      const auto& elements = contradictions_[one];
      if (!std::all_of(elements.begin(), elements.end(),
                       [&](const auto& e) { return e.first == put || take_of_[e.first] == e.second; }))
        continue;
      for (const auto& [other, its_take] : elements) {
        if (other != put && chosen_by_[other] != kFree) blamed.insert(chosen_by_[other]);
      }
      return true;
    }
    return false;
  }
  static std::uint64_t element(CallIndex put, CallIndex take) { return std::uint64_t{put} << 32 | take; }

  void release(Choice& choice) {
    if (choice.present == kNoCall) return;
    const CallIndex put = is_put(choice.subject) ? choice.subject : choice.present;
    chosen_by_[choice.subject] = chosen_by_[choice.present] = kFree;
    take_of_[put] = kNoCall;
    choice.present = kNoCall;
  }

  // Undoes the choices after `to`, down from `from`; the others in `blamed` are to blame for what `to` cannot be.
  std::size_t back_to(std::size_t to, std::size_t from, const std::set<std::size_t>& blamed) {
    for (std::size_t d = to + 1; d <= from; ++d) {
      Choice& choice = choices_[d];
      if (choice.next > 1 && choice.next <= choice.candidates.size() && d < from) {
        const auto now = choice.candidates.begin() + static_cast<std::ptrdiff_t>(choice.next - 1);
        std::rotate(choice.candidates.begin(), now, now + 1);
      }
      release(choice);
      choice.next = 0;
      choice.blamed.clear();
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
    if (!all && depth > 0 && calls_.size() > kShort) return std::nullopt;
    ContainerCalls container = container_calls(calls_, take_of_);
    if (!all) {
      std::erase_if(container.elements, [](const ContainedElement& element) { return element.take == kNoCall; });
    }
    const Decision found = core_(history_, container, budget_);
    if (found.verdict == Verdict::unknown) undecided_ = true;
    if (found.verdict != Verdict::invalid) return std::nullopt;
    if (auto pair = first_pair(container)) return pair;
    return blame(Kernel(history_, core_, budget_).of(container, found.culprits));
  }
  Conflict blame(std::vector<CallIndex> culprits) {
    Conflict out;
    out.culprits = std::move(culprits);
    remember(out.culprits);
    for (const CallIndex call : out.culprits) {
      if (!is_put(call)) continue;
      if (chosen_by_[call] != kFree)
        out.choices.insert(chosen_by_[call]);
      else if (take_of_[call] == kNoCall)
        out.choices.insert(who_may_take_[call].begin(), who_may_take_[call].end());
    }
    return out;
  }
  // Of the pairs that contradict each other, which are all remembered, the one whose last choice was made first.
  std::optional<Conflict> first_pair(ContainerCalls container) {
    const Contradict contradict(history_);
    if (!contradict.knows()) return std::nullopt;
    auto& elements = container.elements;
    std::erase_if(elements, [](const ContainedElement& one) { return one.take == kNoCall; });
    std::sort(elements.begin(), elements.end(),
              [](const ContainedElement& x, const ContainedElement& y) { return x.put_inv < y.put_inv; });
    std::optional<Conflict> out;
    std::vector<const ContainedElement*> inside;
    for (const ContainedElement& one : elements) {
      std::erase_if(inside, [&](const ContainedElement* other) { return other->take_ret < one.put_inv; });
      for (const ContainedElement* other : inside) {
        if (!contradict(*other, one)) continue;
        Conflict pair = blame({other->put, other->take, one.put, one.take});
        if (!out || last_of(pair.choices) < last_of(out->choices)) out = std::move(pair);
      }
      inside.push_back(&one);
    }
    return out;
  }
  // One more than the last of them.
  static std::size_t last_of(const std::set<std::size_t>& choices) {
    return choices.empty() ? 0 : *choices.rbegin() + 1;
  }

  Decision finish(Verdict verdict, std::vector<CallIndex> culprits) const {
    Decision out;
    if (verdict == Verdict::invalid) out = refuted(std::move(culprits));
    out.verdict = verdict;
    out.steps = steps_;
    return out;
  }

  Decision give_up() const {
    Decision out;
    out.reason = budget_.reason();
    out.steps = steps_;
    return out;
  }

  static constexpr std::size_t kFree = static_cast<std::size_t>(-1);
  static constexpr std::size_t kShort = 200;
  static constexpr std::size_t kMostRemembered = 1'000'000;
  const KeyHistory& history_;
  const std::vector<Call>& calls_;
  Core core_;
  Budget& budget_;
  std::uint64_t steps_ = 0;
  std::vector<CallIndex> take_of_;      // by put
  std::vector<std::size_t> chosen_by_;  // by put or take: the choice that matched it, or kFree
  // By put: the choices that decide whether it was taken.
  std::vector<std::vector<std::uint32_t>> who_may_take_;
  std::vector<Choice> choices_;  // of takes, by return; then of puts
  // Sets of elements (put, take) that contradict each other, and those in which an element is.
  std::vector<std::vector<std::pair<CallIndex, CallIndex>>> contradictions_;
  boost::unordered_flat_map<std::uint64_t, std::vector<std::size_t>> contradictions_of_;
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
