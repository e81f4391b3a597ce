#include "nemesis/schedule.h"

#include "nemesis/draw.h"

namespace ordeal {
namespace {

constexpr double kJitter = 0.4;
constexpr double kFirst = 0.4;  // of an interval

// SplitMix64 (Steele, Lea, Flood 2014): neighbouring seeds give unrelated generators.
std::uint64_t mixed(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

}  // namespace

Schedule::Schedule(std::uint64_t seed, std::size_t lanes, double interval_s, double duration_s)
    : seed_(seed), interval_s_(interval_s), duration_s_(duration_s) {
  std::mt19937_64 random(mixed(seed));
  place_ = draw_order(random, lanes);
}

Slot Schedule::slot(std::size_t lane, std::size_t k) const {
  Slot out;
  out.id = static_cast<int>(lane + 1 + k * place_.size());
  out.random.seed(mixed(mixed(mixed(seed_) + lane + 1) + k));
  const double wait = draw_between(out.random, 1 - kJitter, 1 + kJitter);
  const double stay = draw_between(out.random, 1 - kJitter, 1 + kJitter);
  out.duration_s = duration_s_ * stay;
  if (k > 0) {
    out.wait_s = interval_s_ * wait * static_cast<double>(1 + place_.size()) / 2;
  } else {
    const double share = static_cast<double>(place_[lane]) / static_cast<double>(place_.size());
    out.wait_s = kFirst * interval_s_ + (interval_s_ + duration_s_) * share * wait;
  }
  return out;
}

}  // namespace ordeal
