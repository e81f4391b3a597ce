#include "nemesis/engine/schedule.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "nemesis/node/draw.h"

namespace ordeal {
namespace {

constexpr double kJitter = 0.4;
constexpr double kFirst = 0.4;  // of an interval
constexpr double kNever = std::numeric_limits<double>::infinity();
constexpr double kTooShort = 1;  // seconds

// SplitMix64 (Steele, Lea, Flood 2014): neighbouring seeds give unrelated generators.
std::uint64_t mixed(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

// FNV-1a (Fowler, Noll, Vo), 64 bits: the same on every machine, unlike std::hash.
std::uint64_t hashed(std::string_view text) {
  std::uint64_t h = 0xcbf29ce484222325;
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return h;
}

}  // namespace

Schedule::Schedule(std::uint64_t seed, std::size_t lanes, double interval_s, double duration_s,
                   std::vector<Intensity> intensities)
    : seed_(seed), interval_s_(interval_s), duration_s_(duration_s), intensities_(std::move(intensities)) {
  ORDEAL_CHECK(intensities_.empty() || intensities_.size() == lanes, "one intensity for each lane");
  intensities_.resize(lanes);
  std::mt19937_64 random(mixed(seed));
  place_ = draw_order(random, lanes);
}

Schedule Schedule::periodic(std::uint64_t seed, std::size_t lanes, double interval_s, double duration_s,
                            std::vector<Intensity> intensities) {
  Schedule out(seed, lanes, interval_s, duration_s, std::move(intensities));
  out.kind_ = Kind::periodic;
  return out;
}

Schedule Schedule::scripted(std::uint64_t seed, std::vector<ScriptedTimes> entries) {
  Schedule out(seed, entries.size(), 0, 0);
  out.kind_ = Kind::scripted;
  out.entries_ = std::move(entries);
  return out;
}

std::optional<Slot> Schedule::slot(std::size_t lane, std::size_t k) const {
  Slot out;
  out.id = static_cast<int>(lane + 1 + k * place_.size());
  out.random.seed(mixed(mixed(mixed(seed_) + lane + 1) + k));
  if (kind_ == Kind::scripted) {
    const ScriptedTimes& entry = entries_[lane];
    if (entry.times > 0 && k >= static_cast<std::size_t>(entry.times)) return std::nullopt;
    out.at_s = entry.at_s + static_cast<double>(k) * entry.every_s;
    out.duration_s = entry.duration_s;
    return out;
  }
  const Intensity& intensity = intensities_[lane];
  if (kind_ == Kind::periodic) {
    const auto turn = static_cast<double>(k * place_.size() + lane);
    out.at_s = interval_s_ + turn * (interval_s_ + duration_s_);
    out.duration_s = duration_s_ * intensity.duration;
    return out;
  }
  const double wait = draw_between(out.random, 1 - kJitter, 1 + kJitter);
  const double stay = draw_between(out.random, 1 - kJitter, 1 + kJitter);
  out.duration_s = duration_s_ * intensity.duration * stay;
  if (k > 0) {
    out.wait_s = interval_s_ * intensity.interval * wait * static_cast<double>(1 + place_.size()) / 2;
  } else {
    const double share = static_cast<double>(place_[lane]) / static_cast<double>(place_.size());
    out.wait_s = kFirst * interval_s_ + (interval_s_ + duration_s_) * share * wait;
  }
  return out;
}

Swarm draw_swarm(std::uint64_t seed, const std::vector<std::string>& faults) {
  Swarm out;
  std::size_t first = 0;  // is chosen when no other is
  std::uint64_t lowest = std::numeric_limits<std::uint64_t>::max();
  for (std::size_t i = 0; i < faults.size(); ++i) {
    std::mt19937_64 random(mixed(mixed(seed) ^ hashed(faults[i])));
    const std::uint64_t lot = random();
    if (lot < lowest) {
      lowest = lot;
      first = i;
    }
    out.chosen.push_back(draw_below(random, 2) == 1);
    Intensity intensity;
    intensity.interval = std::exp2(draw_between(random, -1, 1));
    intensity.duration = std::exp2(draw_between(random, -1, 1));
    out.intensities.push_back(intensity);
  }
  if (!faults.empty() && std::find(out.chosen.begin(), out.chosen.end(), true) == out.chosen.end()) {
    out.chosen[first] = true;
  }
  return out;
}

double Quiet::next_s(double t) const {
  double out = kNever;
  if (every_s > 0 && length_s > 0) {
    const double cycle = std::floor(t / every_s) * every_s;
    out = std::max(t, cycle + every_s - length_s);
  }
  if (from_s >= 0) out = std::min(out, std::max(t, from_s));
  return out;
}

double Quiet::wait_s(double t) const {
  double at = t;
  // Each round moves to the end of one quiet time; two follow each other at most once, where the last one begins.
  for (int round = 0; round < 3; ++round) {
    if (next_s(at) >= at + kTooShort) return at - t;
    if (from_s >= 0 && at + kTooShort > from_s) return kNever;
    at = (std::floor((at + kTooShort) / every_s) + 1) * every_s;
  }
  return kNever;  // there is hardly a moment between quiet times
}

bool Quiet::too_late(double t) const { return end_s >= 0 && t + kTooShort > end_s; }

}  // namespace ordeal
