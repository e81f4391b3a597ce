#pragma once
// Draws from a run's generator, written out so that a seed means the same schedule with every standard library
// (std::shuffle and std::uniform_int_distribution may differ). Thread-safety: pure functions over the generator.

#include <cstddef>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

namespace ordeal {

// 0 … n-1. Requires: n > 0. The bias of the modulus is below 2^-50 for any number of nodes.
[[nodiscard]] inline std::size_t draw_below(std::mt19937_64& random, std::size_t n) {
  return static_cast<std::size_t>(random() % n);
}

// In [low, high).
[[nodiscard]] inline double draw_between(std::mt19937_64& random, double low, double high) {
  return low + (high - low) * (static_cast<double>(random() >> 11) * 0x1p-53);
}

// 0 … n-1 in a random order.
[[nodiscard]] inline std::vector<std::size_t> draw_order(std::mt19937_64& random, std::size_t n) {
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (std::size_t i = n; i > 1; --i) std::swap(order[i - 1], order[draw_below(random, i)]);
  return order;
}

}  // namespace ordeal
