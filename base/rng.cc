#include "base/rng.h"

#include <bit>
#include <cmath>

#include "base/error.h"

namespace ordeal {
namespace {

// One step of splitmix64: advances `state` and returns a well mixed word.
std::uint64_t splitmix64(std::uint64_t& state) {
  state += 0x9E3779B97F4A7C15u;
  std::uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

}  // namespace

Rng::Rng(std::uint64_t seed) : seed_(seed) {
  std::uint64_t state = seed;
  for (auto& word : state_) word = splitmix64(state);
}

Rng Rng::split(std::uint64_t label) const {
  // Two rounds over seed and label, so that (seed, label) and (seed + 1, label - 1) have nothing in common.
  std::uint64_t state = seed_ ^ 0xA0761D6478BD642Fu;
  state = splitmix64(state) ^ label;
  return Rng(splitmix64(state));
}

Rng Rng::split(std::string_view label) const {
  std::uint64_t hash = 0xCBF29CE484222325u;  // FNV-1a, 64 bits
  for (const char c : label) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
  return split(hash);
}

std::uint64_t Rng::next() {
  const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const std::uint64_t t = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= t;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

std::uint64_t Rng::below(std::uint64_t n) {
  ORDEAL_CHECK(n > 0, "a random number below zero was asked for");
  __extension__ using Wide = unsigned __int128;
  Wide product = static_cast<Wide>(next()) * n;
  if (static_cast<std::uint64_t>(product) < n) {
    const std::uint64_t threshold = (0 - n) % n;
    while (static_cast<std::uint64_t>(product) < threshold) product = static_cast<Wide>(next()) * n;
  }
  return static_cast<std::uint64_t>(product >> 64);
}

std::int64_t Rng::between(std::int64_t min, std::int64_t max) {
  ORDEAL_CHECK(min <= max, "an empty range of random numbers was asked for");
  const std::uint64_t span = static_cast<std::uint64_t>(max) - static_cast<std::uint64_t>(min) + 1;
  const std::uint64_t offset = span == 0 ? next() : below(span);
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(min) + offset);
}

double Rng::unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

bool Rng::chance(double p) { return unit() < p; }

double Rng::exponential(double mean) { return -mean * std::log1p(-unit()); }

std::size_t Rng::weighted(std::span<const double> weights) {
  double sum = 0;
  for (const double w : weights) sum += w;
  ORDEAL_CHECK(sum > 0, "a weighted choice needs a positive weight");
  double left = unit() * sum;
  std::size_t last = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] <= 0) continue;
    last = i;
    if (left < weights[i]) return i;
    left -= weights[i];
  }
  return last;  // reached only when rounding ate the remainder
}

}  // namespace ordeal
