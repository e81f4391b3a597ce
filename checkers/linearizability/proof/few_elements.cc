#include "checkers/linearizability/proof/few_elements.h"

#include <algorithm>
#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>

#include "checkers/linearizability/models/operations.h"
#include "checkers/linearizability/proof/any_containers.h"
#include "checkers/linearizability/proof/any_elements.h"
#include "checkers/linearizability/proof/element.h"
#include "checkers/linearizability/proof/window.h"
#include "checkers/linearizability/search/strategies.h"

namespace ordeal::lin {
namespace {

// How much work it may be in all, and to ask once whether some elements have an order.
constexpr std::chrono::milliseconds kInAll{4000}, kPerQuestion{200};
// A counterexample of so many operations is small; pairs are looked for among so many elements.
constexpr std::size_t kFew = 20, kMostPaired = 12;
// Of a part that is no longer, a window is made by leaving out; of longer ones a window is looked for at the end.
constexpr std::size_t kShort = 256;

class FewElements {
 public:
  FewElements(const KeyHistory& history, const Decision& decision, Budget& budget)
      : history_(history), budget_(budget), log_(type_of(*history.model) == DataType::log) {
    for (CallIndex i = 0; i < history.calls.size(); ++i) {
      const Call& call = history.calls[i];
      if (shows_all(call)) {
        const bool blamed = std::binary_search(decision.culprits.begin(), decision.culprits.end(), i);
        if (decision.culprits.empty() || blamed) looks_.push_back(i);
      } else if (call.op.a == kUnknown) {
        any_.push_back(i);
      } else {
        if (call.op.code == queue::kTake && type_of(*history.model) == DataType::priority_queue) takes_.push_back(i);
        of_element_[call.op.a].push_back(i);
      }
    }
    order_elements(decision.failed_at);
  }

  std::optional<Counterexample> run() {
    for (const std::int64_t element : elements_) {
      if (is_done()) return std::move(best_);
      look_at({element});
    }
    // Who is absent where the other is shown, and the other way round.
    const auto absent = first_that([&](std::int64_t x) { return !all_show(x); });
    const auto shown = first_that([&](std::int64_t x) { return any_shows(x); });
    for (const std::int64_t x : absent) {
      for (const std::int64_t y : log_ || shown.empty() ? absent : shown) {
        if (is_done()) return std::move(best_);
        if (x != y) look_at({std::min(x, y), std::max(x, y)});
      }
    }
    return std::move(best_);
  }

 private:
  bool is_done() const { return budget_.out_of_time() || (best_ && best_->calls.size() <= kFew); }
  bool is_set() const { return type_of(*history_.model) == DataType::set; }

  // A read of everything, or a take that found nothing.
  bool shows_all(const Call& call) const {
    if (family_of(*history_.model) == Family::containers) return call.op.code == queue::kTake && call.op.a == kNil;
    return call.op.code == set::kRead;
  }
  std::span<const ValueId> shown_by(CallIndex look) const {
    const Operation& op = history_.calls[look].op;
    return op.a == kNil ? std::span<const ValueId>() : history_.history->values().as_list(static_cast<ValueId>(op.a));
  }
  bool shows(CallIndex look, std::int64_t element) const {
    const auto list = shown_by(look);
    return std::any_of(list.begin(), list.end(), [&](ValueId item) { return item == element; });
  }
  bool all_show(std::int64_t x) const {
    return std::all_of(looks_.begin(), looks_.end(), [&](CallIndex look) { return shows(look, x); });
  }
  bool any_shows(std::int64_t x) const {
    return std::any_of(looks_.begin(), looks_.end(), [&](CallIndex look) { return shows(look, x); });
  }

  // First those that are shown though nobody put them in, then those that were in use last before it failed.
  void order_elements(EventIndex failed_at) {
    for (const CallIndex look : looks_) {
      for (const ValueId item : shown_by(look)) of_element_.try_emplace(item);
    }
    for (const auto& [element, calls] : of_element_) elements_.push_back(element);
    const auto last = [&](std::int64_t x) {
      const Calls& calls = of_element_.find(x)->second;
      const auto before = std::partition_point(calls.begin(), calls.end(),
                                               [&](CallIndex i) { return history_.calls[i].inv < failed_at; });
      if (calls.empty()) return kNever;
      return before == calls.begin() ? EventIndex{0} : history_.calls[*std::prev(before)].inv;
    };
    std::sort(elements_.begin(), elements_.end(), [&](std::int64_t x, std::int64_t y) {
      const EventIndex last_x = last(x), last_y = last(y);
      return last_x != last_y ? last_x > last_y : x < y;
    });
  }
  template <class Wanted>
  Elements first_that(Wanted wanted) const {
    Elements out;
    for (const std::int64_t x : elements_) {
      if (out.size() == kMostPaired) break;
      if (wanted(x)) out.push_back(x);
    }
    return out;
  }

  // All that is said of the elements, ascending.
  Calls part_about(const Elements& elements) const {
    Calls out = looks_;
    for (const CallIndex i : takes_) {
      if (shows_that_smaller_are_gone(history_, history_.calls[i].op, elements)) out.push_back(i);
    }
    out.insert(out.end(), any_.begin(), any_.end());
    for (const std::int64_t x : elements) {
      const Calls& calls = of_element_.find(x)->second;
      out.insert(out.end(), calls.begin(), calls.end());
    }
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return out;
  }

  void look_at(const Elements& elements) {
    const Calls part = part_about(elements);
    if (is_set() && elements.size() == 1) offer_register(elements, part);
    if (!is_done()) offer_window(elements, part);
  }

  void offer(Counterexample found) {
    if (!best_ || found.calls.size() < best_->calls.size()) best_ = std::move(found);
  }

  void offer_register(const Elements& elements, const Calls& part) {
    const auto element = element_register(history_, elements[0], part);
    if (!element) return;
    Budget short_time(budget_, kPerQuestion);
    const Decision decision = on_one_thread(element->history).decide(element->history, short_time, false);
    if (decision.verdict != Verdict::invalid) return;
    Counterexample found = counterexample(element->history, decision, budget_);
    for (CallIndex& i : found.calls) i = element->places[i];
    found.view = {Unseen::nothing, elements, found.from == 0};
    offer(std::move(found));
  }

  void offer_window(const Elements& elements, const Calls& part) {
    KeyHistory view = part_of(history_, part);
    const auto model =
        from_any_state(*history_.model, *history_.history, view.calls, {Unseen::nothing, elements, true});
    view.model = model.get();
    Budget short_time(budget_, kPerQuestion);
    const Decision decision = find_strategy("bounds")->decide(view, short_time, false);
    if (decision.verdict != Verdict::invalid) return;
    std::optional<Window> window;
    if (part.size() > kShort) window = find_window(history_, decision.failed_at, budget_, elements);
    if (!window)
      window =
          reduce_window(history_, {before(part, decision.failed_at), 0, decision.failed_at, false, elements}, budget_);
    if (window) offer(as_counterexample(history_, *window));
  }

  // What may have happened before the moment. What only looks and ended later shows nothing by then.
  Calls before(const Calls& part, EventIndex moment) const {
    Calls out;
    for (const CallIndex i : part) {
      const Call& call = history_.calls[i];
      const bool pure = (history_.model->traits(call.op) & kPure) != 0;
      if (call.inv < moment && (!pure || call.ret <= moment) && concerns(history_, call, {})) out.push_back(i);
    }
    return out;
  }

  const KeyHistory& history_;
  Budget& budget_;
  bool log_;
  Calls looks_;  // ascending, as are the others
  Calls any_;    // takes that crashed
  Calls takes_;  // of a priority queue, the others
  boost::unordered_flat_map<std::int64_t, Calls> of_element_;
  Elements elements_;
  std::optional<Counterexample> best_;
};

}  // namespace

std::optional<Counterexample> about_few_elements(const KeyHistory& history, const Decision& decision, Budget& budget) {
  switch (type_of(*history.model)) {
    case DataType::set:
    case DataType::log:
    case DataType::unordered_queue:
    case DataType::fifo_queue:
    case DataType::stack:
    case DataType::priority_queue:
      break;
    default:
      return std::nullopt;
  }
  Budget short_time(budget, kInAll);
  return FewElements(history, decision, short_time).run();
}

}  // namespace ordeal::lin
