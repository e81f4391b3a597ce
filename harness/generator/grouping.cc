// Generators that split the workers into groups: reserve, each_worker, each_key.

#include <algorithm>
#include <string>
#include <utility>

#include "harness/generator/combinators.h"
#include "harness/generator/rounds.h"

namespace ordeal::gen {
namespace {

// A group of workers with a generator of its own, which sees only the group.
struct Group {
  int first = 0;
  int size = 0;
  GeneratorPtr child;  // nullptr: nothing to do

  GeneratorStep next(GeneratorContext context) const {
    if (child == nullptr) return Done{};
    context.worker -= first;
    context.workers = size;
    return child->next(context);
  }
  void update(GeneratorEvent event) const {
    if (child == nullptr) return;
    event.worker -= first;
    child->update(event);
  }
};

class Grouped final : public Generator {
 public:
  // `divide` makes the groups once the number of workers is known.
  explicit Grouped(std::function<std::vector<Group>(int workers)> divide) : divide_(std::move(divide)) {}

  GeneratorStep next(const GeneratorContext& context) override {
    if (group_of_.empty()) form(context.workers);
    return groups_[group_of_[static_cast<std::size_t>(context.worker)]].next(context);
  }
  void update(const GeneratorEvent& event) override {
    if (!group_of_.empty()) groups_[group_of_[static_cast<std::size_t>(event.worker)]].update(event);
  }

 private:
  void form(int workers) {
    groups_ = divide_(workers);
    group_of_.assign(static_cast<std::size_t>(workers), 0);
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      for (int w = groups_[g].first; w < groups_[g].first + groups_[g].size; ++w) {
        group_of_[static_cast<std::size_t>(w)] = g;
      }
    }
  }

  std::function<std::vector<Group>(int)> divide_;
  std::vector<Group> groups_;
  std::vector<std::size_t> group_of_;  // by worker
};

// Puts the key on the operations of one key's generator that name none themselves.
class Keyed final : public Generator {
 public:
  Keyed(Value key, GeneratorPtr child) : key_(std::move(key)), child_(std::move(child)) {}
  GeneratorStep next(const GeneratorContext& context) override {
    GeneratorStep step = child_->next(context);
    if (auto* operation = std::get_if<Operation>(&step); operation != nullptr && !operation->key) operation->key = key_;
    return step;
  }
  void update(const GeneratorEvent& event) override { child_->update(event); }

 private:
  Value key_;
  GeneratorPtr child_;
};

}  // namespace

GeneratorPtr reserve(std::vector<Reserved> groups, GeneratorPtr rest) {
  auto shared = std::make_shared<std::pair<std::vector<Reserved>, GeneratorPtr>>(std::move(groups), std::move(rest));
  return std::make_unique<Grouped>([shared](int workers) {
    std::vector<Group> made;
    int first = 0;
    for (auto& [count, child] : shared->first) {
      const int size = std::clamp(count, 0, workers - first);
      if (size > 0) made.push_back({first, size, std::move(child)});
      first += size;
    }
    if (first < workers) made.push_back({first, workers - first, std::move(shared->second)});
    return made;
  });
}

GeneratorPtr each_worker(std::function<GeneratorPtr(int)> make) {
  return std::make_unique<Grouped>([make = std::move(make)](int workers) {
    std::vector<Group> made;
    for (int w = 0; w < workers; ++w) made.push_back({w, 1, make(w)});
    return made;
  });
}

Value key_name(std::uint64_t number) { return Value("k" + std::to_string(number)); }

GeneratorPtr each_key(EachKey how, std::function<GeneratorPtr(std::uint64_t)> make) {
  ORDEAL_CHECK(how.workers_per_key > 0, "each_key needs at least one worker a key");
  return std::make_unique<Grouped>([how, make = std::move(make)](int workers) {
    const int groups = (workers + how.workers_per_key - 1) / how.workers_per_key;
    std::vector<Group> made;
    for (int g = 0; g < groups; ++g) {
      const int first = g * how.workers_per_key;
      auto key_round = [how, make, g, groups](std::uint64_t round) -> GeneratorPtr {
        const std::uint64_t key = round * static_cast<std::uint64_t>(groups) + static_cast<std::uint64_t>(g);
        if (key >= how.keys) return nullptr;
        return std::make_unique<Keyed>(key_name(key), limit(how.operations_per_key, make(key)));
      };
      made.push_back({first, std::min(how.workers_per_key, workers - first), std::make_unique<Rounds>(key_round)});
    }
    return made;
  });
}

}  // namespace ordeal::gen
