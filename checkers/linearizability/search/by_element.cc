// by-element: a set without reads of everything is the product of its elements, and linearizability is local (Herlihy
// and Wing, 1990, theorem 1): the history is linearizable exactly when its part for each element is. An element is
// there or it is not, so a search over one sees two states and the operations on that element that are open together,
// where a search over the whole sees every subset of the elements.
//
// The order that explains all of it is made of those of the elements: each operation of an element takes effect at the
// latest invocation among those ordered up to it, which lies within its own interval, since the order respects real
// time; such moments of different elements are never equal, so sorting by them keeps every element's order and real
// time.
// Tested by tests/checkers/linearizability/special_cases_test.cc against plain enumeration, and by
// lin_search_property_test.

#include <algorithm>

#include "checkers/linearizability/models/operations.h"
#include "checkers/linearizability/search/searches.h"
#include "checkers/linearizability/special/presence.h"

namespace ordeal::lin {
namespace {

// The set, of which one element is asked for. Adding and removing then overwrite what was.
class OneElement final : public Model {
 public:
  OneElement(const Model& whole, State initial) : whole_(whole), initial_(std::move(initial)) {}
  std::string_view name() const override { return whole_.name(); }
  Result<std::optional<Operation>> parse(OperationEvents op) const override { return whole_.parse(op); }
  State initial() const override { return initial_; }
  void step(const State& state, const Operation& op, std::vector<State>& successors) const override {
    whole_.step(state, op, successors);
  }
  unsigned traits(const Operation& op) const override {
    return op.code == set::kAdd || op.code == set::kRemove ? kTotal | kOverwrites : whole_.traits(op);
  }
  std::string describe(const State& state) const override { return whole_.describe(state); }
  std::string describe(const Operation& op) const override { return whole_.describe(op); }

 private:
  const Model& whole_;
  State initial_;
};

class ByElement final : public Strategy {
 public:
  std::string_view name() const override { return "by-element"; }

  std::string objection(const KeyHistory& history) const override {
    if (type_of(*history.model) != DataType::set) return "it decides sets only";
    const bool reads = std::any_of(history.calls.begin(), history.calls.end(),
                                   [](const Call& call) { return call.op.code == set::kRead; });
    return reads ? "there are reads of all elements" : "";
  }

  Decision decide(const KeyHistory& history, Budget& budget, bool want_order) const override {
    const State initial = history.model->initial();
    Decision out;
    out.verdict = Verdict::valid;
    std::vector<std::pair<EventIndex, CallIndex>> moments;  // of all calls that take effect
    for (const std::vector<CallIndex>& element : elements_of(history)) {
      const auto id = static_cast<std::uint32_t>(history.calls[element.front()].op.a);
      const bool there = std::binary_search(initial.begin(), initial.end(), id);
      Decision part = one(history, element, there ? State{id} : State{}, budget, want_order);
      out.steps += part.steps;
      out.peak = std::max(out.peak, part.peak);
      if (part.verdict == Verdict::invalid) {
        part.steps = out.steps;
        part.peak = out.peak;
        return part;
      }
      if (part.verdict == Verdict::unknown && out.verdict == Verdict::valid) {
        out.verdict = Verdict::unknown;
        out.reason = std::move(part.reason);
        if (budget.out_of_time()) return out;
      }
      append_moments(history, part.order, moments);
    }
    if (!want_order || out.verdict != Verdict::valid) return out;
    // Within an element equal moments stay in the order of the element; of two elements none are equal.
    std::stable_sort(moments.begin(), moments.end(), [](auto& x, auto& y) { return x.first < y.first; });
    for (const auto& [moment, call] : moments) out.order.push_back(call);
    return out;
  }

 private:
  // The calls of each element, in the order of their first ones.
  static std::vector<std::vector<CallIndex>> elements_of(const KeyHistory& history) {
    std::vector<std::pair<std::int64_t, CallIndex>> by_element;
    by_element.reserve(history.calls.size());
    for (CallIndex i = 0; i < history.calls.size(); ++i) by_element.emplace_back(history.calls[i].op.a, i);
    std::sort(by_element.begin(), by_element.end());
    std::vector<std::vector<CallIndex>> out;
    for (std::size_t i = 0; i < by_element.size(); ++i) {
      if (i == 0 || by_element[i].first != by_element[i - 1].first) out.emplace_back();
      out.back().push_back(by_element[i].second);
    }
    std::sort(out.begin(), out.end(), [](const auto& x, const auto& y) { return x.front() < y.front(); });
    return out;
  }

  // Decides one element; what it names is of the whole history.
  Decision one(const KeyHistory& history, const std::vector<CallIndex>& element, State initial, Budget& budget,
               bool want_order) const {
    if (initial.empty() && !want_order) {
      if (const auto fits = presence_fits(history.calls, element)) {
        Decision simple;
        simple.steps = element.size();
        simple.verdict = *fits ? Verdict::valid : Verdict::invalid;
        if (!*fits) simple.culprits = element;
        return simple;
      }
    }
    const OneElement model(*history.model, std::move(initial));
    KeyHistory part{history.history, &model, history.key, {}};
    for (const CallIndex i : element) part.calls.push_back(history.calls[i]);
    Decision found = race_->decide(part, budget, want_order);
    if (found.verdict == Verdict::invalid && found.culprits.empty()) {
      for (CallIndex i = 0; i < part.calls.size(); ++i) {
        if (part.calls[i].inv <= found.failed_at) found.culprits.push_back(i);
      }
    }
    for (CallIndex& call : found.culprits) call = element[call];
    for (CallIndex& call : found.order) call = element[call];
    return found;
  }

  static void append_moments(const KeyHistory& history, const std::vector<CallIndex>& order,
                             std::vector<std::pair<EventIndex, CallIndex>>& moments) {
    EventIndex moment = 0;
    for (const CallIndex call : order) {
      moment = std::max(moment, history.calls[call].inv);
      moments.emplace_back(moment, call);
    }
  }

  std::unique_ptr<Strategy> race_ = race_strategy();
};

}  // namespace

std::unique_ptr<Strategy> by_element_strategy() { return std::make_unique<ByElement>(); }

}  // namespace ordeal::lin
