// Generators over several children: mix, any, sequence, phases, cycle.

#include <algorithm>
#include <utility>

#include "harness/generator/combinators.h"
#include "harness/generator/rounds.h"

namespace ordeal::gen {
namespace {

// How long a worker at a barrier sleeps before it looks again by itself. Mostly the event that opens the barrier
// wakes it; only a barrier opened by a worker that then has nothing to do leaves no event.
constexpr std::int64_t kBarrierPollNs = 5'000'000;

class Mix final : public Generator {
 public:
  Mix(Rng rng, GeneratorList children, std::vector<double> weights)
      : rng_(rng), children_(std::move(children)), weights_(std::move(weights)) {}

  GeneratorStep next(const GeneratorContext& context) override {
    if (workers_.empty()) {
      workers_.resize(static_cast<std::size_t>(context.workers));
      for (auto& worker : workers_) worker.weights = weights_;
    }
    auto& worker = workers_[static_cast<std::size_t>(context.worker)];
    while (true) {
      if (!chosen_ || worker.weights[*chosen_] <= 0) {
        if (std::none_of(worker.weights.begin(), worker.weights.end(), [](double w) { return w > 0; })) return Done{};
        chosen_ = rng_.weighted(worker.weights);
      }
      const std::size_t choice = *chosen_;
      GeneratorStep step = children_[choice]->next(context);
      if (std::holds_alternative<Done>(step)) {
        worker.weights[choice] = 0;
        chosen_.reset();
        continue;
      }
      if (std::holds_alternative<Operation>(step)) {
        worker.source = choice;
        chosen_.reset();
      }
      return step;
    }
  }

  void update(const GeneratorEvent& event) override {
    if (workers_.empty()) return;
    const auto& source = workers_[static_cast<std::size_t>(event.worker)].source;
    if (source) children_[*source]->update(event);
  }

 private:
  struct Worker {
    std::vector<double> weights;        // 0 for the children that are done for this worker
    std::optional<std::size_t> source;  // the child that gave its last operation
  };
  Rng rng_;
  GeneratorList children_;
  std::vector<double> weights_;
  std::vector<Worker> workers_;
  std::optional<std::size_t> chosen_;
};

class Any final : public Generator {
 public:
  explicit Any(GeneratorList children) : children_(std::move(children)) {}

  GeneratorStep next(const GeneratorContext& context) override {
    if (source_.empty()) source_.resize(static_cast<std::size_t>(context.workers));
    std::optional<Wait> wait;
    for (std::size_t i = 0; i < children_.size(); ++i) {
      GeneratorStep step = children_[i]->next(context);
      if (std::holds_alternative<Operation>(step)) {
        source_[static_cast<std::size_t>(context.worker)] = i;
        return step;
      }
      if (const auto* asked = std::get_if<Wait>(&step)) {
        if (!wait) wait = *asked;
        wait->until_ns = std::min(wait->until_ns, asked->until_ns);
        wait->on_update = wait->on_update || asked->on_update;
      }
    }
    if (wait) return *wait;
    return Done{};
  }

  void update(const GeneratorEvent& event) override {
    if (source_.empty()) return;
    const auto& source = source_[static_cast<std::size_t>(event.worker)];
    if (source) children_[*source]->update(event);
  }

 private:
  GeneratorList children_;
  std::vector<std::optional<std::size_t>> source_;  // by worker
};

class Phases final : public Generator {
 public:
  explicit Phases(GeneratorList children) : children_(std::move(children)) {}

  GeneratorStep next(const GeneratorContext& context) override {
    if (finished_.empty()) finished_.assign(static_cast<std::size_t>(context.workers), false);
    while (phase_ < children_.size()) {
      const auto worker = static_cast<std::size_t>(context.worker);
      if (!finished_[worker]) {
        GeneratorStep step = children_[phase_]->next(context);
        if (!std::holds_alternative<Done>(step)) return step;
        // It asks, so its last operation is over: one worker fewer to wait for.
        finished_[worker] = true;
        ++count_;
      }
      if (count_ < finished_.size()) return Wait{context.now_ns + kBarrierPollNs, true};
      ++phase_;
      count_ = 0;
      finished_.assign(finished_.size(), false);
    }
    return Done{};
  }

  void update(const GeneratorEvent& event) override {
    if (phase_ < children_.size()) children_[phase_]->update(event);
  }

 private:
  GeneratorList children_;
  std::size_t phase_ = 0;
  std::vector<bool> finished_;  // by worker: has nothing more to do in this phase
  std::size_t count_ = 0;       // how many are true
};

}  // namespace

GeneratorPtr mix(Rng rng, GeneratorList children) {
  std::vector<double> weights(children.size(), 1.0);
  return std::make_unique<Mix>(rng, std::move(children), std::move(weights));
}

GeneratorPtr weighted_mix(Rng rng, std::vector<Weighted> children) {
  GeneratorList list;
  std::vector<double> weights;
  for (auto& [weight, child] : children) {
    ORDEAL_CHECK(weight >= 0, "the weights of a mix must not be negative");
    weights.push_back(weight);
    list.push_back(std::move(child));
  }
  return std::make_unique<Mix>(rng, std::move(list), std::move(weights));
}

GeneratorPtr any(GeneratorList children) { return std::make_unique<Any>(std::move(children)); }

GeneratorPtr sequence(GeneratorList children) {
  auto rest = std::make_shared<GeneratorList>(std::move(children));
  return std::make_unique<Rounds>(
      [rest](std::uint64_t i) -> GeneratorPtr { return i < rest->size() ? std::move((*rest)[i]) : nullptr; });
}

GeneratorPtr phases(GeneratorList children) { return std::make_unique<Phases>(std::move(children)); }

GeneratorPtr synchronize(GeneratorPtr child) { return phases(list_of(operations({}), std::move(child))); }

GeneratorPtr cycle(std::function<GeneratorPtr(std::uint64_t)> make, std::uint64_t rounds) {
  return std::make_unique<Rounds>(
      [make = std::move(make), rounds](std::uint64_t i) -> GeneratorPtr { return i < rounds ? make(i) : nullptr; });
}

}  // namespace ordeal::gen
