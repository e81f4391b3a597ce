#pragma once
// ByValue: something of each value that occurs in one key's history. An array where the key has a good part of the
// whole history's values, a map where it has few of them: many small keys must not each pay for all values there are.
// Thread-safety: a value.

#include <cstddef>
#include <unordered_map>
#include <vector>

#include "checkers/linearizability/interfaces/key_history.h"

namespace ordeal::lin {

template <class T>
class ByValue {
 public:
  // `none`: of a value of which nothing was said yet.
  explicit ByValue(const KeyHistory& history, T none = T())
      : none_(none), dense_(is_dense(history) ? history.history->values().size() : 0, none) {}

  // References stay valid.
  [[nodiscard]] T& operator[](std::size_t value) {
    return value < dense_.size() ? dense_[value] : sparse_.try_emplace(value, none_).first->second;
  }
  [[nodiscard]] const T& operator[](std::size_t value) const {
    if (value < dense_.size()) return dense_[value];
    const auto found = sparse_.find(value);
    return found == sparse_.end() ? none_ : found->second;
  }
  [[nodiscard]] static std::size_t bytes_for(const KeyHistory& history) {
    constexpr std::size_t kNode = 48;
    return is_dense(history) ? history.history->values().size() * sizeof(T)
                             : history.calls.size() * (sizeof(T) + kNode);
  }

 private:
  static bool is_dense(const KeyHistory& history) {
    return history.history->values().size() <= 8 * history.calls.size() + 64;
  }
  T none_;
  std::vector<T> dense_;
  std::unordered_map<std::size_t, T> sparse_;
};

}  // namespace ordeal::lin
