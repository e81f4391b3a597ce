// Generators that pass on the operations of one child: fewer of them, or changed.

#include <utility>

#include "harness/generator/combinators.h"

namespace ordeal::gen {
namespace {

class Limit final : public Generator {
 public:
  Limit(std::uint64_t n, GeneratorPtr child) : left_(n), child_(std::move(child)) {}
  GeneratorStep next(const GeneratorContext& context) override {
    if (left_ == 0) return Done{};
    GeneratorStep step = child_->next(context);
    if (std::holds_alternative<Operation>(step)) --left_;
    return step;
  }
  void update(const GeneratorEvent& event) override { child_->update(event); }

 private:
  std::uint64_t left_;
  GeneratorPtr child_;
};

class Map final : public Generator {
 public:
  Map(std::function<Operation(Operation)> transform, GeneratorPtr child)
      : transform_(std::move(transform)), child_(std::move(child)) {}
  GeneratorStep next(const GeneratorContext& context) override {
    GeneratorStep step = child_->next(context);
    if (auto* operation = std::get_if<Operation>(&step)) *operation = transform_(std::move(*operation));
    return step;
  }
  void update(const GeneratorEvent& event) override { child_->update(event); }

 private:
  std::function<Operation(Operation)> transform_;
  GeneratorPtr child_;
};

class Filter final : public Generator {
 public:
  Filter(std::function<bool(const Operation&)> keep, GeneratorPtr child)
      : keep_(std::move(keep)), child_(std::move(child)) {}
  GeneratorStep next(const GeneratorContext& context) override {
    // An endless child of which nothing is ever kept must not hold the runner's lock forever.
    constexpr int kMaxDropped = 10'000;
    constexpr std::int64_t kPauseNs = 1'000'000;
    for (int i = 0; i < kMaxDropped; ++i) {
      GeneratorStep step = child_->next(context);
      const auto* operation = std::get_if<Operation>(&step);
      if (operation == nullptr || keep_(*operation)) return step;
    }
    return Wait{context.now_ns + kPauseNs, false};
  }
  void update(const GeneratorEvent& event) override { child_->update(event); }

 private:
  std::function<bool(const Operation&)> keep_;
  GeneratorPtr child_;
};

class UntilOk final : public Generator {
 public:
  explicit UntilOk(GeneratorPtr child) : child_(std::move(child)) {}
  GeneratorStep next(const GeneratorContext& context) override {
    if (seen_) return Done{};
    return child_->next(context);
  }
  void update(const GeneratorEvent& event) override {
    if (event.type == EventType::ok) seen_ = true;
    child_->update(event);
  }

 private:
  GeneratorPtr child_;
  bool seen_ = false;
};

}  // namespace

GeneratorPtr limit(std::uint64_t n, GeneratorPtr child) { return std::make_unique<Limit>(n, std::move(child)); }
GeneratorPtr once(GeneratorPtr child) { return limit(1, std::move(child)); }
GeneratorPtr map(std::function<Operation(Operation)> transform, GeneratorPtr child) {
  return std::make_unique<Map>(std::move(transform), std::move(child));
}
GeneratorPtr filter(std::function<bool(const Operation&)> keep, GeneratorPtr child) {
  return std::make_unique<Filter>(std::move(keep), std::move(child));
}
GeneratorPtr until_ok(GeneratorPtr child) { return std::make_unique<UntilOk>(std::move(child)); }

}  // namespace ordeal::gen
