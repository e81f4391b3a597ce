#pragma once
// Rng: the source of chance of generators, workloads and the memory target: small, fast, splittable, and the same on
// every machine.
//
// The nemesis draws from std::mt19937_64 (nemesis/node/draw.h), whose numbers the standard fixes: a plan and a seed
// must give the same schedule of faults as they did in every version before, so its draws cannot move to this engine.
//
// The engine is xoshiro256** 1.0 and its state is filled by splitmix64 (David Blackman and Sebastiano Vigna,
// "Scrambled linear pseudorandom number generators", ACM TOMS 47(4), 2021; both algorithms are in the public domain).
// The distributions are ours because those of <random> differ from one standard library to the next, and a seed must
// mean the same schedule everywhere.
//
// split() derives an independent stream from the seed and a label, never from how much was drawn already:
//   Rng root(plan.seed);
//   Rng arrivals = root.split("arrivals");   // adding a draw here …
//   Rng key7 = root.split("key").split(7);   // … changes nothing there
//
// Thread-safety: a value type; one thread at a time.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

namespace ordeal {

class Rng {
 public:
  explicit Rng(std::uint64_t seed);

  // An independent stream, fixed by this one's seed and the label.
  [[nodiscard]] Rng split(std::uint64_t label) const;
  [[nodiscard]] Rng split(std::string_view label) const;

  // 64 uniform bits.
  std::uint64_t next();
  // Uniform in [0, n), without bias (Lemire's multiplication method). Requires: n > 0.
  std::uint64_t below(std::uint64_t n);
  // Uniform in [min, max], both included. Requires: min <= max.
  std::int64_t between(std::int64_t min, std::int64_t max);
  // Uniform in [0, 1), a multiple of 2^-53.
  double unit();
  // True with probability p.
  bool chance(double p);
  // Exponentially distributed with this mean: the distance between the events of a Poisson process.
  double exponential(double mean);
  // An index with probability proportional to its weight. Requires: some weight > 0, none negative.
  std::size_t weighted(std::span<const double> weights);

  // Fisher and Yates.
  template <class T>
  void shuffle(std::span<T> items) {
    for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
  }

 private:
  std::uint64_t seed_ = 0;
  std::uint64_t state_[4] = {};
};

}  // namespace ordeal
