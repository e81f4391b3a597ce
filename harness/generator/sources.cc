// The generators that have no children.

#include <utility>

#include "harness/generator/combinators.h"

namespace ordeal::gen {
namespace {

class FromFunction final : public Generator {
 public:
  FromFunction(Rng rng, OperationFunction make) : rng_(rng), make_(std::move(make)) {}
  GeneratorStep next(const GeneratorContext& context) override {
    auto made = make_(context, rng_);
    if (!made) return Done{};
    return std::move(*made);
  }

 private:
  Rng rng_;
  OperationFunction make_;
};

class FromList final : public Generator {
 public:
  explicit FromList(std::vector<Operation> list) : list_(std::move(list)) {}
  GeneratorStep next(const GeneratorContext&) override {
    if (at_ == list_.size()) return Done{};
    return std::move(list_[at_++]);
  }

 private:
  std::vector<Operation> list_;
  std::size_t at_ = 0;
};

class Repeat final : public Generator {
 public:
  Repeat(Operation operation, std::uint64_t times) : operation_(std::move(operation)), left_(times) {}
  GeneratorStep next(const GeneratorContext&) override {
    if (left_ == 0) return Done{};
    --left_;
    return operation_;
  }

 private:
  Operation operation_;
  std::uint64_t left_;
};

class Sleep final : public Generator {
 public:
  explicit Sleep(std::int64_t ns) : ns_(ns) {}
  GeneratorStep next(const GeneratorContext& context) override {
    if (!end_) end_ = context.now_ns + ns_;
    if (context.now_ns >= *end_) return Done{};
    return Wait{*end_, false};
  }

 private:
  std::int64_t ns_;
  std::optional<std::int64_t> end_;
};

}  // namespace

GeneratorPtr generate(Rng rng, OperationFunction make) { return std::make_unique<FromFunction>(rng, std::move(make)); }
GeneratorPtr operations(std::vector<Operation> list) { return std::make_unique<FromList>(std::move(list)); }
GeneratorPtr once(Operation operation) { return repeat(std::move(operation), 1); }
GeneratorPtr repeat(Operation operation, std::uint64_t times) {
  return std::make_unique<Repeat>(std::move(operation), times);
}
GeneratorPtr sleep(std::int64_t ns) { return std::make_unique<Sleep>(ns); }

}  // namespace ordeal::gen
