#pragma once
// SomeElements: what data types have in common of which only some elements are looked at, from whatever state
// (any_elements.h, any_containers.h). Thread-safety: as Model.

#include <algorithm>
#include <span>
#include <string>

#include "checkers/linearizability/proof/any_state.h"
#include "checkers/linearizability/proof/derived.h"

namespace ordeal::lin {

// A view, and what the events of the history call the elements.
class SomeElements : public Derived {
 public:
  SomeElements(const Model& model, const History& history, const View& view)
      : Derived(model), values_(history.values()), view_(view) {}
  // What nobody knows is known when it has been read, and what somebody saw may have been done by nobody who is looked
  // at: nothing is without a trace.
  unsigned traits(const Operation& op) const override { return model_.traits(op) & ~unsigned{kPure}; }

 protected:
  bool is_looked_at(std::int64_t element) const {
    return view_.elements.empty() || std::binary_search(view_.elements.begin(), view_.elements.end(), element);
  }
  std::span<const ValueId> shown_by(const Operation& read) const {
    return read.a == kNil ? std::span<const ValueId>() : values_.as_list(static_cast<ValueId>(read.a));
  }
  std::string text(std::int64_t element) const { return values_.to_json(static_cast<ValueId>(element)); }
  // Part of a state: "[1, 2]", of a long one the end.
  std::string list(const State& state, std::size_t from, std::size_t end) const {
    constexpr std::size_t kMost = 20;
    std::string out = "[";
    const std::size_t first = end - from > kMost ? end - kMost : from;
    if (first > from) out += "…, ";
    for (std::size_t i = first; i < end; ++i)
      out += (i == first ? "" : ", ") + (state[i] < values_.size() ? text(state[i]) : std::string("an initial value"));
    return out + "]";
  }
  // "1: there, 2: not known"
  template <class Word>
  std::string by_element(Word word) const {
    std::string out;
    for (std::size_t i = 0; i < view_.elements.size(); ++i)
      out += (i == 0 ? "" : ", ") + text(view_.elements[i]) + ": " + word(i);
    return out;
  }

  const ValueTable& values_;
  View view_;
};

}  // namespace ordeal::lin
