#include "harness/generator/rounds.h"

#include <algorithm>

namespace ordeal::gen {

Generator* Rounds::round(std::uint64_t number) {
  while (!ended_ && number >= first_ + alive_.size()) {
    if (GeneratorPtr made = make_(first_ + alive_.size())) {
      alive_.push_back(std::move(made));
    } else {
      ended_ = true;
    }
  }
  return number < first_ + alive_.size() ? alive_[number - first_].get() : nullptr;
}

GeneratorStep Rounds::next(const GeneratorContext& context) {
  // A worker that finds this many new rounds empty in a row is taken to be at the end: cycle() over something that
  // is always done must not spin under the runner's lock.
  constexpr int kMaxEmptyRounds = 1000;
  if (position_.empty()) position_.assign(static_cast<std::size_t>(context.workers), 0);
  auto& position = position_[static_cast<std::size_t>(context.worker)];
  int made = 0;
  bool moved = false;
  while (true) {
    if (position >= first_ + alive_.size() && ++made > kMaxEmptyRounds) return Done{};
    Generator* current = round(position);
    if (current == nullptr) return Done{};
    GeneratorStep step = current->next(context);
    if (!std::holds_alternative<Done>(step)) {
      if (moved) forget_finished();
      return step;
    }
    ++position;
    moved = true;
  }
}

void Rounds::forget_finished() {
  const std::uint64_t least = *std::min_element(position_.begin(), position_.end());
  while (first_ < least && !alive_.empty()) {
    alive_.pop_front();
    ++first_;
  }
}

void Rounds::update(const GeneratorEvent& event) {
  if (position_.empty()) return;
  // A worker moves on only when it asks, which it does only while it has no open operation: its position is still
  // the round from which the operation came.
  const std::uint64_t position = position_[static_cast<std::size_t>(event.worker)];
  if (position >= first_ && position < first_ + alive_.size()) alive_[position - first_]->update(event);
}

}  // namespace ordeal::gen
