// race: jit alone for as long as most keys need; then the searches from both sides (bounds.cc), the exact one and wgl
// in threads under one budget, and whoever decides first stops the others. None is best on all histories: bounded
// searches decide those with many linearizations or a plain contradiction, jit invalid ones in little memory, and wgl
// finds a witness in the depth. Their verdicts agree, so who wins does not matter to the answer.

#include <array>
#include <functional>
#include <new>
#include <thread>

#include "checkers/linearizability/search/searches.h"

namespace ordeal::lin {
namespace {

constexpr std::chrono::milliseconds kAlone{60};
constexpr std::size_t kFirstWidth = 4;

class RaceStrategy final : public Strategy {
 public:
  std::string_view name() const override { return "race"; }
  std::string objection(const KeyHistory&) const override { return ""; }

  Decision decide(const KeyHistory& history, Budget& budget, bool want_order) const override {
    if (auto found = find_unexplained(history)) return std::move(*found);
    {
      Budget head_start(budget, std::chrono::steady_clock::now() + kAlone, {});
      Decision alone = jit_->decide(history, head_start, want_order);
      if (alone.verdict != Verdict::unknown || budget.out_of_time()) return alone;
    }
    const auto from_below = [&](Budget& part) {
      for (std::size_t width = kFirstWidth;; width *= 4) {
        Decision found = search_within({Side::below, width, {}}, history, part, want_order);
        if (!found.too_narrow) return found;
      }
    };
    const std::array<std::function<Decision(Budget&)>, 4> runners{
        [&](Budget& part) { return close_in_from_above(kFirstWidth, history, part, want_order); }, from_below,
        [&](Budget& part) { return jit_->decide(history, part, want_order); },
        [&](Budget& part) { return wgl_->decide(history, part, want_order); }};
    std::stop_source stop;
    std::array<Decision, runners.size()> found;
    const auto run = [&](std::size_t i) {
      Budget part(budget, std::chrono::steady_clock::time_point::max(), stop.get_token());
      try {
        found[i] = runners[i](part);
      } catch (const std::bad_alloc&) {  // leaves no thread, and does not keep the others from going on
        found[i] = {};
        found[i].reason = "the machine's memory was exhausted";
      }
      if (found[i].verdict != Verdict::unknown) stop.request_stop();
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
  std::unique_ptr<Strategy> jit_ = jit_strategy(), wgl_ = wgl_strategy();
};

}  // namespace

std::unique_ptr<Strategy> race_strategy() { return std::make_unique<RaceStrategy>(); }

}  // namespace ordeal::lin
