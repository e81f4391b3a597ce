// race: a few searches alone, one after the other, each for a short while; then those from both sides (bounds.cc), the
// exact one and wgl in threads under one budget, and whoever decides first stops the others. None is best on all
// histories: bounded searches decide those with many linearizations or a plain contradiction, jit invalid ones in
// little memory, and wgl finds a witness in the depth. Alone, jit decides most keys as fast as they can be; where
// crashed operations make it slow, wgl mostly finds an order at once, or narrow searches do, so these have their turns
// before jit gets all the time that a longer key needs. For containers matching.cc runs as well, and has a start of its
// own, a longer one where the others would need most memory: most of what it decides at all it decides then. Their
// verdicts agree, so who wins does not matter to the answer.

#include <functional>
#include <new>
#include <thread>
#include <vector>

#include "checkers/linearizability/search/searches.h"

namespace ordeal::lin {
namespace {

constexpr std::chrono::milliseconds kAlone{60};
constexpr std::chrono::microseconds kMatchingACall{100};  // and so much more
constexpr std::size_t kFirstWidth = 4;

// How much of the thread's work a search alone gets, and how much more for each call.
struct Share {
  std::chrono::microseconds work, each;
};
constexpr Share kFirstLook{std::chrono::milliseconds(2), std::chrono::microseconds(1)};
constexpr Share kSecondLook{std::chrono::milliseconds(8), std::chrono::microseconds(6)};
constexpr Share kLongLook{kAlone, std::chrono::microseconds(0)};

class RaceStrategy final : public Strategy {
 public:
  std::string_view name() const override { return "race"; }
  std::string objection(const KeyHistory&) const override { return ""; }

  Decision decide(const KeyHistory& history, Budget& budget, bool want_order) const override {
    if (auto found = find_unexplained(history)) return std::move(*found);
    const bool container = matching_->objection(history).empty();
    if (container && !want_order) {
      Budget head_start(budget, std::chrono::steady_clock::now() + kAlone + history.calls.size() * kMatchingACall, {});
      Decision alone = matching_->decide(history, head_start, false);
      if (alone.verdict != Verdict::unknown || budget.out_of_time()) return alone;
    }
    const std::pair<const Strategy*, Share> turns[] = {
        {jit_.get(), kFirstLook}, {wgl_.get(), kSecondLook}, {bounds_.get(), kSecondLook}, {jit_.get(), kLongLook}};
    for (const auto& [search, share] : turns) {
      Budget part(budget, share.work + history.calls.size() * share.each);
      Decision alone = search->decide(history, part, want_order);
      if (alone.verdict != Verdict::unknown || budget.out_of_time()) return alone;
    }
    const auto from_below = [&](Budget& part) {
      for (std::size_t width = kFirstWidth;; width *= 4) {
        Decision found = search_within({Side::below, width, {}}, history, part, want_order);
        if (!found.too_narrow) return found;
      }
    };
    std::vector<std::function<Decision(Budget&)>> runners{
        [&](Budget& part) { return close_in_from_above(kFirstWidth, history, part, want_order); }, from_below,
        [&](Budget& part) { return jit_->decide(history, part, want_order); },
        [&](Budget& part) { return wgl_->decide(history, part, want_order); }};
    if (container) runners.emplace_back([&](Budget& part) { return matching_->decide(history, part, want_order); });
    std::stop_source stop;
    std::vector<Decision> found(runners.size());
    const auto run = [&](std::size_t i) {
      Budget part(budget, std::chrono::steady_clock::time_point::max(), stop.get_token());
      try {
        found[i] = runners[i](part);
      } catch (const std::bad_alloc&) {  // leaves no thread, and does not keep the others from going on
        found[i] = {};
        found[i].reason = "the machine's memory was exhausted";
      }
      const bool lacks_order = want_order && found[i].verdict == Verdict::valid && found[i].order.empty();
      if (found[i].verdict != Verdict::unknown && !lacks_order) stop.request_stop();
    };
    {
      std::vector<std::jthread> others;
      for (std::size_t i = 1; i < runners.size(); ++i) others.emplace_back(run, i);
      run(0);
    }
    for (Decision& decision : found) {
      if (decision.verdict != Verdict::unknown) return std::move(decision);
    }
    return std::move(found[2]);
  }

 private:
  std::unique_ptr<Strategy> jit_ = jit_strategy(), wgl_ = wgl_strategy(), bounds_ = bounds_strategy(),
                            matching_ = matching_strategy();
};

}  // namespace

std::unique_ptr<Strategy> race_strategy() { return std::make_unique<RaceStrategy>(); }

}  // namespace ordeal::lin
