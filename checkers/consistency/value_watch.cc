#include "checkers/consistency/value_watch.h"

#include <algorithm>

#include "checkers/linearizability/models/operations.h"

namespace ordeal {
namespace {

std::uint64_t pair_of(std::uint64_t high, std::uint64_t low) { return high << 32 | low; }

}  // namespace

std::uint32_t ValueWatch::place(std::uint32_t key, std::uint32_t value) {
  const auto [found, fresh] = place_of_.try_emplace(pair_of(key, value), static_cast<std::uint32_t>(places_.size()));
  if (fresh) places_.emplace_back();
  return found->second;
}

void ValueWatch::follows(std::uint32_t key, std::uint32_t session, std::uint32_t at) {
  const auto [last, fresh] = last_of_.try_emplace(pair_of(key, session), at);
  if (!fresh && last->second != at) places_[at].after.push_back(last->second);
  last->second = at;
}

ValueWatch::Watched ValueWatch::add(std::uint32_t key, std::uint32_t session, const lin::Operation& op, bool crashed) {
  Watched out;
  const auto first = static_cast<std::uint32_t>(op.a);
  if (op.code == lin::reg::kWrite) {
    out.makes = place(key, first);
  } else {
    out.needs = place(key, first);
    if (op.code == lin::reg::kCas) out.makes = place(key, static_cast<std::uint32_t>(op.b));
  }
  if (out.makes != kNone) ++places_[out.makes].makers;
  // A crashed operation may not have happened: it is no sighting, and needs nothing.
  if (crashed) return out;
  if (out.needs != kNone) {
    ++places_[out.needs].needs;
    follows(key, session, out.needs);
  }
  if (out.makes != kNone) follows(key, session, out.makes);
  return out;
}

void ValueWatch::begin(std::uint32_t keys, std::uint32_t initially) {
  for (Place& one : places_) one.once = one.makers == 1;
  for (std::uint32_t key = 0; key < keys; ++key) {
    if (const auto found = place_of_.find(pair_of(key, initially)); found != place_of_.end())
      places_[found->second].once = false;
  }
  for (Place& one : places_) {
    if (!one.once) one.after.clear();
    std::erase_if(one.after, [&](std::uint32_t before) { return !places_[before].once; });
    std::sort(one.after.begin(), one.after.end());
    one.after.erase(std::unique(one.after.begin(), one.after.end()), one.after.end());
  }
}

bool ValueWatch::may_come(std::uint32_t key, std::uint32_t now, const Watched& what) const {
  if (what.makes == kNone) return true;
  const Place& made = places_[what.makes];
  if (std::any_of(made.after.begin(), made.after.end(),
                  [&](std::uint32_t before) { return places_[before].makers > 0; }))
    return false;
  const auto held = place_of_.find(pair_of(key, now));
  if (held == place_of_.end() || held->second == what.makes) return true;
  const Place& lost = places_[held->second];
  // Its own need is met now.
  return lost.makers > 0 || lost.needs <= (what.needs == held->second ? 1U : 0U);
}

void ValueWatch::performed(const Watched& what, bool must) {
  if (what.makes != kNone) --places_[what.makes].makers;
  if (must && what.needs != kNone) --places_[what.needs].needs;
}
void ValueWatch::undone(const Watched& what, bool must) {
  if (what.makes != kNone) ++places_[what.makes].makers;
  if (must && what.needs != kNone) ++places_[what.needs].needs;
}

}  // namespace ordeal
