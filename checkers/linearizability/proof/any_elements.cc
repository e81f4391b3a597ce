#include "checkers/linearizability/proof/any_elements.h"

#include <algorithm>
#include <string>

#include "checkers/linearizability/models/operations.h"
#include "checkers/linearizability/proof/any_containers.h"
#include "checkers/linearizability/proof/some_elements.h"

namespace ordeal::lin {
namespace {

// A word an element: it is absent, it is there, or nobody knows.
class AnySet final : public SomeElements {
 public:
  using SomeElements::SomeElements;
  State initial() const override {
    State out(view_.elements.size(), kNotKnown);
    if (!view_.from_initial) return out;
    const State whole = model_.initial();
    for (std::size_t i = 0; i < out.size(); ++i)
      out[i] = std::any_of(whole.begin(), whole.end(), [&](std::uint32_t id) { return id == view_.elements[i]; });
    return out;
  }

  void step(const State& state, const Operation& op, std::vector<State>& successors) const override {
    State next = state;
    for (std::size_t i = 0; i < next.size(); ++i) {
      const bool read = op.code == set::kRead, updates = op.code == set::kAdd || op.code == set::kRemove;
      if (!read && op.a != view_.elements[i]) continue;
      bool there = op.code == set::kAdd;
      if (op.code == set::kContains) there = op.b != 0;
      if (read) {
        const auto shown = shown_by(op);
        const auto times =
            std::count_if(shown.begin(), shown.end(), [&](ValueId item) { return item == view_.elements[i]; });
        if (times > 1) return;  // a set has nothing twice
        there = times == 1;
      }
      if (!updates && next[i] != kNotKnown && next[i] != std::uint32_t{there}) return;
      next[i] = there;
    }
    successors.push_back(std::move(next));
  }

  std::string describe(const State& state) const override {
    static constexpr const char* kWords[] = {"not there", "there", "not known"};
    return by_element([&](std::size_t i) { return std::string(kWords[state[i]]); });
  }
  std::string describe(const Operation& op) const override { return model_.describe(op); }

 private:
  static constexpr std::uint32_t kNotKnown = 2;
};

// A state is: whether all is known that a read showed or, where nothing is unseen, that the log holds; how many
// elements that are; those elements; and what was appended afterwards with unseen ones anywhere in between. When not
// all is known, it is the end of what the log holds.
class AnyLog final : public SomeElements {
 public:
  using SomeElements::SomeElements;
  State initial() const override {
    State out{view_.from_initial, 0};
    if (!view_.from_initial) return out;
    for (const std::uint32_t id : model_.initial()) {
      if (is_looked_at(id)) out.push_back(id);
    }
    out[1] = static_cast<std::uint32_t>(out.size() - 2);
    return out;
  }

  void step(const State& state, const Operation& op, std::vector<State>& successors) const override {
    if (op.code == log::kAppend) {
      State next = state;
      next.push_back(static_cast<std::uint32_t>(op.a));
      if (view_.unseen == Unseen::nothing) ++next[1];
      successors.push_back(std::move(next));
      return;
    }
    State seen{1, 0};
    for (const ValueId item : shown_by(op)) {
      if (is_looked_at(item)) seen.push_back(item);
    }
    seen[1] = static_cast<std::uint32_t>(seen.size() - 2);
    if (fits(state, seen)) successors.push_back(std::move(seen));
  }

  std::string describe(const State& state) const override {
    const std::size_t shown = state[1];
    std::string out = state[0] != 0 ? "" : "something that ends in ";
    if (state[0] == 0 && state.size() == 2) return "not known";
    if (state[0] != 0 || shown > 0) out += list(state, 2, 2 + shown);
    if (state.size() == 2 + shown) return out;
    if (state[0] != 0 || shown > 0) out += ", and after that ";
    return out + list(state, 2 + shown, state.size()) + ", perhaps with others in between";
  }
  std::string describe(const Operation& op) const override { return model_.describe(op); }

 private:
  bool fits(const State& state, const State& seen) const {
    const auto begin = state.begin() + 2, known = begin + state[1];
    if (view_.unseen == Unseen::nothing) {
      if (state[0] != 0) return state == seen;
      return state.size() <= seen.size() && std::equal(state.rbegin(), state.rend() - 2, seen.rbegin());
    }
    if (seen[1] < state[1] || !std::equal(begin, known, seen.begin() + 2)) return false;
    auto place = known;
    for (auto item = seen.begin() + 2 + state[1]; item != seen.end() && place != state.end(); ++item)
      place += *item == *place;
    return place == state.end();
  }
};

// Two words an element: how many there are, and whether it is so many, so many or more, so many or fewer, or any
// number. Unseen enqueues leave a lower bound, unseen dequeues an upper one.
class AnyBag final : public SomeElements {
 public:
  using SomeElements::SomeElements;
  State initial() const override {
    const State whole = view_.from_initial ? model_.initial() : State{};
    State out;
    for (const std::int64_t element : view_.elements) {
      const auto count = std::count_if(whole.begin(), whole.end(), [&](std::uint32_t id) { return id == element; });
      Kind kind = view_.unseen == Unseen::nothing ? kExactly : view_.unseen == Unseen::additions ? kOrMore : kOrFewer;
      if (!view_.from_initial) kind = view_.unseen == Unseen::subtractions ? kAny : kOrMore;
      out.push_back(static_cast<std::uint32_t>(count));
      out.push_back(kind);
    }
    return out;
  }

  void step(const State& state, const Operation& op, std::vector<State>& successors) const override {
    State next = state;
    if (op.code == queue::kTake && op.a == kNil) {
      for (std::size_t i = 0; i < next.size(); i += 2) {
        if (!found_empty(next[i], next[i + 1])) return;
      }
      successors.push_back(std::move(next));
      return;
    }
    for (std::size_t i = 0; i < next.size(); i += 2) {
      if (op.a != kUnknown && op.a != view_.elements[i / 2]) continue;
      next = state;
      if (op.code == queue::kPut) {
        if (next[i + 1] != kAny) ++next[i];
      } else if (!taken(next[i], next[i + 1])) {
        continue;
      }
      successors.push_back(next);
    }
  }

  std::string describe(const State& state) const override {
    static constexpr const char* kWords[] = {"", " or more", " or fewer", "any number"};
    return by_element([&](std::size_t i) {
      return (state[2 * i + 1] == kAny ? "" : std::to_string(state[2 * i])) + kWords[state[2 * i + 1]];
    });
  }
  std::string describe(const Operation& op) const override { return model_.describe(op); }

 private:
  enum Kind : std::uint32_t { kExactly, kOrMore, kOrFewer, kAny };

  bool found_empty(std::uint32_t& count, std::uint32_t& kind) const {
    if ((kind == kExactly || kind == kOrMore) && count > 0) return false;
    count = 0;
    if (kind == kAny) kind = kOrFewer;
    if (kind == kOrMore && view_.unseen == Unseen::nothing) kind = kExactly;
    return true;
  }
  static bool taken(std::uint32_t& count, std::uint32_t kind) {
    if (count == 0 && (kind == kExactly || kind == kOrFewer)) return false;
    if (count > 0) --count;
    return true;
  }
};

class AnyMutex final : public SomeElements {
 public:
  using SomeElements::SomeElements;
  State initial() const override { return known({view_.from_initial ? kFree : kNotKnown}); }

  void step(const State& state, const Operation& op, std::vector<State>& successors) const override {
    const bool acquire = op.code == lock::kAcquire;
    if (state[0] != (acquire ? kHeld : kFree)) successors.push_back(known({acquire ? kHeld : kFree}));
  }

  std::string describe(const State& state) const override {
    static constexpr const char* kWords[] = {"free", "held", "not known"};
    return kWords[state[0]];
  }
  std::string describe(const Operation& op) const override { return model_.describe(op); }

 private:
  static constexpr std::uint32_t kFree = 0, kHeld = 1, kNotKnown = 2;
  // Somebody unseen may have acquired what is free, or released what is held.
  State known(State state) const {
    if (view_.unseen == Unseen::additions && state[0] == kFree) return {kNotKnown};
    if (view_.unseen == Unseen::subtractions && state[0] == kHeld) return {kNotKnown};
    return state;
  }
};

}  // namespace

std::unique_ptr<Model> elements_from_any_state(const Model& model, const History& history, const View& view) {
  switch (type_of(model)) {
    case DataType::set:
      return std::make_unique<AnySet>(model, history, view);
    case DataType::log:
      return std::make_unique<AnyLog>(model, history, view);
    case DataType::unordered_queue:
      return std::make_unique<AnyBag>(model, history, view);
    case DataType::mutex:
      return std::make_unique<AnyMutex>(model, history, view);
    case DataType::fifo_queue:
    case DataType::stack:
    case DataType::priority_queue:
      return container_from_any_state(model, history, view);
    default:
      return nullptr;
  }
}

bool concerns(const KeyHistory& history, const Call& call, const Elements& elements) {
  const DataType type = type_of(*history.model);
  const std::int64_t element = call.op.a;
  if (type == DataType::log && call.op.code == log::kRead) return call.op.b == 0;  // others know only an end
  if (elements.empty() || (type == DataType::set && call.op.code == set::kRead)) return true;
  const bool takes = family_of(*history.model) == Family::containers && call.op.code == queue::kTake;
  if (takes && element <= kNil) return true;
  return std::binary_search(elements.begin(), elements.end(), element) ||
         (takes && shows_that_smaller_are_gone(history, call.op, elements));
}

}  // namespace ordeal::lin
