// Generators that decide when: rate, delay, time limit. They read no clock; the moment comes with the question.

#include <algorithm>
#include <cmath>
#include <utility>

#include "harness/generator/combinators.h"

namespace ordeal::gen {
namespace {

class TimeLimit final : public Generator {
 public:
  TimeLimit(std::int64_t ns, GeneratorPtr child) : ns_(ns), child_(std::move(child)) {}
  GeneratorStep next(const GeneratorContext& context) override {
    if (!end_) end_ = context.now_ns + ns_;
    if (context.now_ns >= *end_) return Done{};
    GeneratorStep step = child_->next(context);
    // Nobody may sleep past the end.
    if (auto* wait = std::get_if<Wait>(&step)) wait->until_ns = std::min(wait->until_ns, *end_);
    return step;
  }
  void update(const GeneratorEvent& event) override { child_->update(event); }

 private:
  std::int64_t ns_;
  std::optional<std::int64_t> end_;
  GeneratorPtr child_;
};

class Rate final : public Generator {
 public:
  Rate(Arrivals arrivals, double per_second, Rng rng, GeneratorPtr child)
      : arrivals_(arrivals), mean_ns_(1e9 / per_second), rng_(rng), child_(std::move(child)) {}

  GeneratorStep next(const GeneratorContext& context) override {
    if (!due_) due_ = context.now_ns;
    if (context.now_ns < *due_) return Wait{*due_, false};
    GeneratorStep step = child_->next(context);
    if (std::holds_alternative<Operation>(step)) {
      // The schedule is kept on its own axis, so that waking late does not lower the rate; but a stall (all workers
      // waiting for a dead node) may be made good only in part.
      *due_ = std::max(*due_, context.now_ns - kMaxLagNs) + gap();
    }
    return step;
  }
  void update(const GeneratorEvent& event) override { child_->update(event); }

 private:
  static constexpr std::int64_t kMaxLagNs = 100'000'000;

  std::int64_t gap() {
    const double exact = (arrivals_ == Arrivals::poisson ? rng_.exponential(mean_ns_) : mean_ns_) + rest_;
    const double whole = std::floor(exact);
    rest_ = exact - whole;  // carried on, so that high rates lose nothing to rounding
    return static_cast<std::int64_t>(whole);
  }

  Arrivals arrivals_;
  double mean_ns_;
  Rng rng_;
  GeneratorPtr child_;
  std::optional<std::int64_t> due_;
  double rest_ = 0;
};

class Delay final : public Generator {
 public:
  Delay(std::int64_t ns, GeneratorPtr child) : ns_(ns), child_(std::move(child)) {}
  GeneratorStep next(const GeneratorContext& context) override {
    if (due_ && context.now_ns < *due_) return Wait{*due_, false};
    GeneratorStep step = child_->next(context);
    if (std::holds_alternative<Operation>(step)) due_ = context.now_ns + ns_;
    return step;
  }
  void update(const GeneratorEvent& event) override { child_->update(event); }

 private:
  std::int64_t ns_;
  GeneratorPtr child_;
  std::optional<std::int64_t> due_;
};

}  // namespace

GeneratorPtr time_limit(std::int64_t ns, GeneratorPtr child) {
  return std::make_unique<TimeLimit>(ns, std::move(child));
}
GeneratorPtr rate(Arrivals arrivals, double per_second, Rng rng, GeneratorPtr child) {
  if (per_second <= 0) return child;
  return std::make_unique<Rate>(arrivals, per_second, rng, std::move(child));
}
GeneratorPtr delay(std::int64_t ns, GeneratorPtr child) { return std::make_unique<Delay>(ns, std::move(child)); }

}  // namespace ordeal::gen
