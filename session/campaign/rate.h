#pragma once
// How often something shows, from few trials: the rate with its 95 % interval after Wilson (1927), which holds also for
// none and for all of them. Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference,
// JASA 22 (1927). Thread-safety: pure functions.

#include <cstddef>
#include <string>

namespace ordeal {

struct Rate {
  std::size_t seen = 0;
  std::size_t of = 0;
  double low = 0;  // of the interval
  double high = 1;
};

// Requires: seen <= of.
[[nodiscard]] Rate rate_of(std::size_t seen, std::size_t of);
// "7 of 20 (35 %; 95 % interval 18 % to 57 %)"; "0 of 0" when there was no trial.
[[nodiscard]] std::string told(const Rate& rate);

}  // namespace ordeal
