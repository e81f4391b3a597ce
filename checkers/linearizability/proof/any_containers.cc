#include "checkers/linearizability/proof/any_containers.h"

#include <algorithm>
#include <limits>
#include <string>

#include "checkers/linearizability/models/model_base.h"
#include "checkers/linearizability/models/operations.h"
#include "checkers/linearizability/proof/some_elements.h"

namespace ordeal::lin {
namespace {

// A state of a queue or a stack is a word, 1 when there may be more before or under what is known, and then what is
// known in the order in which it was put in.
class AnySequence : public SomeElements {
 public:
  using SomeElements::SomeElements;
  State initial() const override {
    // Where puts are unseen, what was there before was put in by one of them, so to say.
    State out{!view_.from_initial && view_.unseen != Unseen::additions};
    if (!view_.from_initial) return out;
    for (const std::uint32_t id : model_.initial()) {
      if (is_looked_at(id)) out.push_back(id);
    }
    return out;
  }

  void step(const State& state, const Operation& op, std::vector<State>& successors) const override {
    if (op.code == queue::kPut) {
      State next = state;
      next.push_back(static_cast<std::uint32_t>(op.a));
      successors.push_back(std::move(next));
    } else if (op.a == kNil) {
      if (state.size() == 1 || view_.unseen == Unseen::subtractions) successors.push_back({0});
    } else if (op.a == kUnknown) {
      successors.push_back(state);  // it took something else, or nothing
      if (state.size() > 1) successors.push_back(without_next(state));
    } else {
      take(state, static_cast<std::uint32_t>(op.a), successors);
    }
  }

  std::string describe(const Operation& op) const override { return model_.describe(op); }

 protected:
  virtual void take(const State& state, std::uint32_t element, std::vector<State>& successors) const = 0;
  // REQUIRES: something is known to be inside.
  virtual State without_next(const State& state) const = 0;
};

class AnyQueue final : public AnySequence {
 public:
  using AnySequence::AnySequence;
  std::string describe(const State& state) const override {
    if (state[0] != 0) return state.size() == 1 ? "not known" : "what is not known, and then " + known(state);
    return known(state) + (view_.unseen == Unseen::additions ? ", perhaps with others in between" : "");
  }

 private:
  void take(const State& state, std::uint32_t element, std::vector<State>& successors) const override {
    const auto first = std::find(state.begin() + 1, state.end(), element);
    const bool is_next = first == state.begin() + 1 && first != state.end();
    if (view_.unseen == Unseen::additions) {
      // Known elements only stand in the way of an empty queue: the fewer the better.
      successors.push_back(is_next ? without_next(state) : state);
      return;
    }
    if (state[0] != 0) successors.push_back(state);
    // Where others may have gone before, the first of several leaves most: what can be done after the second, can after
    // it as well.
    if (is_next || (view_.unseen == Unseen::subtractions && first != state.end())) {
      State next{0};
      next.insert(next.end(), first + 1, state.end());
      successors.push_back(std::move(next));
    }
  }
  State without_next(const State& state) const override {
    State next{0};
    next.insert(next.end(), state.begin() + 2, state.end());
    return next;
  }
  std::string known(const State& state) const { return list(state, 1, state.size()); }
};

class AnyStack final : public AnySequence {
 public:
  using AnySequence::AnySequence;
  std::string describe(const State& state) const override {
    const std::string known = list(state, 1, state.size());
    if (state[0] != 0) return state.size() == 1 ? "not known" : known + " on top of what is not known";
    return known + (view_.unseen == Unseen::additions ? ", perhaps with others in between" : "");
  }

 private:
  void take(const State& state, std::uint32_t element, std::vector<State>& successors) const override {
    if (state.size() > 1 && state.back() == element) {
      successors.push_back(without_next(state));
      return;
    }
    switch (view_.unseen) {
      case Unseen::additions:
        successors.push_back(state);
        return;
      case Unseen::nothing:
        if (state[0] != 0 && state.size() == 1) successors.push_back(state);
        return;
      case Unseen::subtractions:
        break;
    }
    // Of several the one on top leaves most, and the least is left when it came from the bottom.
    const auto top = std::find(state.rbegin(), state.rend() - 1, element);
    if (top != state.rend() - 1)
      successors.emplace_back(state.begin(), top.base() - 1);
    else if (state[0] != 0)
      successors.push_back({1});
  }
  State without_next(const State& state) const override { return {state.begin(), state.end() - 1}; }
};

// A state is the least number that may be inside besides what is known, in two words, and what is known, by number.
class AnyPriorityQueue final : public SomeElements {
 public:
  using SomeElements::SomeElements;
  State initial() const override {
    State out;
    push_number(out, view_.from_initial ? kNone : std::numeric_limits<std::int64_t>::min());
    if (!view_.from_initial) return out;
    for (const std::uint32_t id : model_.initial()) {
      if (is_looked_at(id)) out.push_back(id);
    }
    return out;
  }

  void step(const State& state, const Operation& op, std::vector<State>& successors) const override {
    State next = state;
    const auto id = static_cast<std::uint32_t>(op.a);
    if (op.code == queue::kPut) {
      next.insert(place_of(next, number(id)), id);
      successors.push_back(std::move(next));
      return;
    }
    if (op.a == kUnknown) {
      successors.push_back(state);  // it took something else, or nothing
      if (next.size() > kKnown) {
        next.erase(next.begin() + kKnown);
        successors.push_back(std::move(next));
      }
      return;
    }
    // Everything smaller is gone; everything at all where nothing was found.
    const std::int64_t taken = op.a == kNil ? kNone : number(id);
    const auto place = op.a == kNil ? next.end() : place_of(next, taken);
    if (place != next.begin() + kKnown && view_.unseen != Unseen::subtractions) return;
    next.erase(next.begin() + kKnown, place);
    const std::int64_t least = number_at(state, 0);
    if (op.a != kNil && is_looked_at(op.a)) {
      // One that is known: so many others may be inside that only what is known can be too much.
      if (next.size() > kKnown && next[kKnown] == id)
        next.erase(next.begin() + kKnown);
      else if (taken < least && view_.unseen != Unseen::additions)
        return;
    }
    State out;
    push_number(out, view_.unseen == Unseen::additions ? least : std::max(least, taken));
    out.insert(out.end(), next.begin() + kKnown, next.end());
    successors.push_back(std::move(out));
  }

  std::string describe(const State& state) const override {
    const std::int64_t least = number_at(state, 0);
    std::string out = list(state, kKnown, state.size());
    if (view_.unseen == Unseen::additions) return out + ", perhaps with others";
    if (least == kNone) return out;
    if (least == std::numeric_limits<std::int64_t>::min())
      return state.size() == kKnown ? "not known" : out + " and what is not known";
    return out + " and nothing else below " + std::to_string(least);
  }
  std::string describe(const Operation& op) const override { return model_.describe(op); }

 private:
  static constexpr std::ptrdiff_t kKnown = 2;
  static constexpr std::int64_t kNone = std::numeric_limits<std::int64_t>::max();
  std::int64_t number(std::uint32_t id) const { return values_.as_integer(id); }
  State::iterator place_of(State& state, std::int64_t of) const {
    return std::lower_bound(state.begin() + kKnown, state.end(), of,
                            [&](std::uint32_t id, std::int64_t n) { return number(id) < n; });
  }
};

}  // namespace

std::unique_ptr<Model> container_from_any_state(const Model& model, const History& history, const View& view) {
  switch (type_of(model)) {
    case DataType::fifo_queue:
      return std::make_unique<AnyQueue>(model, history, view);
    case DataType::stack:
      return std::make_unique<AnyStack>(model, history, view);
    case DataType::priority_queue:
      return std::make_unique<AnyPriorityQueue>(model, history, view);
    default:
      return nullptr;
  }
}

bool shows_that_smaller_are_gone(const KeyHistory& history, const Operation& take, const Elements& elements) {
  if (type_of(*history.model) != DataType::priority_queue || take.code != queue::kTake || take.a <= kNil) return false;
  const auto number = [&](std::int64_t id) { return history.history->values().as_integer(static_cast<ValueId>(id)); };
  return std::any_of(elements.begin(), elements.end(), [&](std::int64_t id) { return number(id) < number(take.a); });
}

bool needs_an_empty_one(const Model& model) { return type_of(model) == DataType::fifo_queue; }

}  // namespace ordeal::lin
