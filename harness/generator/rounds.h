#pragma once
// Rounds: generators one after the other, made when first needed, each worker moving on by itself. The common part of
// sequence(), cycle() and each_key(). Thread-safety: as Generator.

#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

#include "harness/generator/generator.h"

namespace ordeal::gen {

class Rounds final : public Generator {
 public:
  // make(i) yields the i-th generator, nullptr after the last.
  explicit Rounds(std::function<GeneratorPtr(std::uint64_t)> make) : make_(std::move(make)) {}

  GeneratorStep next(const GeneratorContext& context) override;
  void update(const GeneratorEvent& event) override;

 private:
  // The generator of that round, or nullptr after the last.
  Generator* round(std::uint64_t number);
  void forget_finished();

  std::function<GeneratorPtr(std::uint64_t)> make_;
  std::deque<GeneratorPtr> alive_;  // the rounds first_, first_+1, …
  std::uint64_t first_ = 0;
  bool ended_ = false;
  std::vector<std::uint64_t> position_;  // by worker
};

}  // namespace ordeal::gen
