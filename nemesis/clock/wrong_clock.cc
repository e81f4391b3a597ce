#include "nemesis/clock/wrong_clock.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "nemesis/node/draw.h"

namespace ordeal {
namespace {

constexpr std::size_t kJumps = 8;

constexpr std::array<std::string_view, 5> kKinds = {"offset", "jump", "drift", "strobe", "freeze"};

// Between the two, all orders of magnitude alike; of either sign.
double draw_magnitude(std::mt19937_64& random, double least, double most) {
  const double size = least * std::pow(most / least, draw_between(random, 0, 1));
  return draw_below(random, 2) == 0 ? size : -size;
}

}  // namespace

void Wrong::describe(Value& out) const {
  out.set("kind", kind);
  if (drift != 0) {
    out.set("drift_percent", 100 * drift);
    return;
  }
  Value steps = Value::list();
  for (const double one : steps_s) steps.items().emplace_back(one);
  out.set("offsets_s", std::move(steps));
  if (period_s > 0) out.set("period_s", period_s);
}

std::vector<OptionSpec> wrong_clock_options(std::string_view fault, const WrongClockRange& range) {
  using Type = OptionSpec::Type;
  const auto key = [&](const char* name) { return fmt::format("{}.{}", fault, name); };
  std::vector<std::string> kinds = {"random"};
  kinds.insert(kinds.end(), kKinds.begin(), kKinds.end());
  return {
      {key("kind"), Type::string, "random",
       "offset (wrong by the same all the time), jump (by another amount every period), drift (too fast or too slow), "
       "strobe (wrong and right in turn, a period each), freeze (it stands still); random draws among them",
       std::nullopt, std::nullopt, kinds},
      {key("offset"), Type::real, 0.0,
       "seconds ahead, negative: behind; for jump the most either way; 0: drawn, from 0.1 s to an hour", -3.2e8, 3.2e8},
      {key("drift"), Type::real, 0.0,
       fmt::format("percent gained, negative: lost; 0: drawn, from {:g} to {:g} either way",
                   range.least_drawn_drift_percent, range.most_drawn_drift_percent),
       std::max(-99.0, -range.most_drift_percent), range.most_drift_percent},
      {key("period"), Type::duration, 0.0,
       fmt::format("of strobe and jump; 0: drawn, from {:g} ms to 1 s", 1000 * range.least_drawn_period_s), 0.0,
       86400.0},
  };
}

Wrong draw_wrong(const Options& options, std::string_view fault, const WrongClockRange& range,
                 std::mt19937_64& random) {
  const auto key = [&](const char* name) { return fmt::format("{}.{}", fault, name); };
  const std::string_view drawn = kKinds[draw_below(random, kKinds.size())];
  std::vector<double> jumps;
  for (std::size_t i = 0; i < kJumps; ++i) jumps.push_back(draw_magnitude(random, 0.05, 300));
  const double offset = draw_magnitude(random, 0.1, 3600);
  const double drift = draw_magnitude(random, range.least_drawn_drift_percent, range.most_drawn_drift_percent);
  const double strobe_period = std::abs(draw_magnitude(random, range.least_drawn_period_s, 1));
  const double jump_period = draw_between(random, 0.2, 1);

  Wrong out;
  out.kind = options.string(key("kind"));
  if (out.kind == "random") out.kind = drawn;
  const double wanted_offset = options.real(key("offset"));
  const double wanted_period = options.seconds(key("period"));
  const double chosen = wanted_offset != 0 ? wanted_offset : offset;
  if (out.kind == "offset") {
    out.steps_s = {chosen};
  } else if (out.kind == "drift") {
    const double wanted = options.real(key("drift"));
    out.drift = (wanted != 0 ? wanted : drift) / 100;
  } else if (out.kind == "freeze") {
    out.drift = -1;
  } else if (out.kind == "strobe") {
    out.steps_s = {chosen, 0};
    out.period_s = wanted_period > 0 ? wanted_period : strobe_period;
  } else {
    if (wanted_offset != 0) {
      for (double& one : jumps) one *= std::abs(wanted_offset) / 300;
    }
    out.steps_s = jumps;
    out.period_s = wanted_period > 0 ? wanted_period : jump_period;
  }
  return out;
}

std::string ahead(double seconds, std::string_view what) {
  return fmt::format("{:.3f} s {} {}", std::abs(seconds), seconds < 0 ? "behind" : "ahead of", what);
}

Observation judge_clock(const Wrong& wrong, const std::vector<ClockReading>& readings, std::string_view against) {
  const ClockReading& first = readings.front();
  const ClockReading& last = readings.back();
  const double error = first.error() + last.error();
  const double passed = last.time() - first.time();
  if (wrong.kind == "drift" || wrong.kind == "freeze") {
    const double gained = last.offset() - first.offset();
    const bool right = std::abs(gained - wrong.drift * passed) <= error && std::abs(gained) > error;
    if (wrong.kind == "freeze") {
      return {right, fmt::format("its clock moved by {:.1f} ms in {:.3f} s", 1000 * std::abs(passed + gained), passed)};
    }
    return {right,
            fmt::format("its clock gains {:+.2f} % and is {}", 100 * gained / passed, ahead(last.offset(), against))};
  }
  std::vector<bool> seen(wrong.steps_s.size(), false);
  for (const ClockReading& one : readings) {
    std::vector<std::size_t> fit;
    for (std::size_t i = 0; i < seen.size(); ++i) {
      if (std::abs(one.offset() - wrong.steps_s[i]) <= one.error()) fit.push_back(i);
    }
    if (fit.empty()) return {false, fmt::format("its clock is {}", ahead(one.offset(), against))};
    // What could be two steps shows neither.
    if (fit.size() == 1) seen[fit[0]] = true;
  }
  const auto count = std::count(seen.begin(), seen.end(), true);
  if (wrong.steps_s.size() == 1) {
    // A clock that is right must not pass for one that is a little wrong.
    const bool told = std::any_of(readings.begin(), readings.end(),
                                  [](const ClockReading& one) { return std::abs(one.offset()) > one.error(); });
    return {told, fmt::format("its clock is {}{}", ahead(first.offset(), against),
                              told ? "" : fmt::format(", which may be wrong by {:.3f} s", first.error()))};
  }
  // Those who set a period of an hour cannot be shown two steps now.
  const bool enough = count >= 2 || (passed < wrong.period_s && !seen.back());
  return {enough, fmt::format("its clock is {} and then {}; {} of {} offsets were seen", ahead(first.offset(), against),
                              ahead(last.offset(), against), count, seen.size())};
}

ReadingPlan reading_plan(const Wrong& wrong, double error_s) {
  if (wrong.drift != 0) {
    // Long enough that what a slow drift gains is more than what reading may be wrong by.
    return {2, std::clamp(3 * error_s / std::abs(wrong.drift), 0.3, 10.0)};
  }
  if (wrong.period_s > 0) return {8, std::clamp(wrong.period_s * 0.3, 0.001, 0.3)};
  return {};
}

}  // namespace ordeal
