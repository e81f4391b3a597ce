#include "workloads/cas_by_version_workload.h"

#include <algorithm>
#include <deque>

#include "harness/generator/combinators.h"
#include "workloads/levels.h"

namespace ordeal {
namespace {

constexpr int kWorkersPerKey = 5;
// Versions that a compare-and-set with an outdated one chooses from.
constexpr std::size_t kRemembered = 5;

std::vector<ConfiguredChecker> judges(const Options& options) {
  return {judge_at({"cas-by-version"}, options.string("cas-by-version.consistency"), options)};
}

struct Shape {
  double reads = 0;
  double outdated = 0;
  std::int64_t values = 0;
};

// Reads, and compare-and-sets that expect what was seen last, or before. One key.
class OneKey final : public Generator {
 public:
  OneKey(Shape shape, Rng rng) : shape_(shape), rng_(rng) {}

  GeneratorStep next(const GeneratorContext&) override {
    if (rng_.chance(shape_.reads)) return Operation{"read", std::nullopt, {}};
    const bool outdated = versions_.size() > 1 && rng_.chance(shape_.outdated);
    const std::int64_t expected = outdated ? versions_[rng_.below(versions_.size() - 1)] : versions_.back();
    return Operation{"cas-version", std::nullopt, Value::list({expected, rng_.between(1, shape_.values)})};
  }

  void update(const GeneratorEvent& event) override {
    if (event.completion == nullptr || event.type != EventType::ok || !event.completion->value) return;
    const Value& seen = *event.completion->value;
    if (!seen.is_list() || seen.items().size() != 2 || !seen.items()[0].is_integer()) return;
    const std::int64_t version = seen.items()[0].integer();
    if (version <= versions_.back()) return;
    versions_.push_back(version);
    if (versions_.size() > kRemembered) versions_.pop_front();
  }

 private:
  Shape shape_;
  Rng rng_;
  std::deque<std::int64_t> versions_{0};  // the last that were seen, ascending
};

Result<Workload> make(const WorkloadContext& context) {
  const Options& options = context.options;
  const Shape shape{options.real("cas-by-version.reads"), options.real("cas-by-version.outdated"),
                    options.integer("cas-by-version.values")};
  gen::EachKey how;
  how.workers_per_key = std::min(kWorkersPerKey, context.workers);
  how.operations_per_key = static_cast<std::uint64_t>(options.integer("cas-by-version.operations-per-key"));
  Workload workload;
  workload.name = "cas-by-version";
  workload.generator = gen::each_key(how, [shape, rng = Rng(context.seed).split("cas-by-version")](std::uint64_t key) {
    return std::make_unique<OneKey>(shape, rng.split(key));
  });
  workload.checkers = judges(options);
  return workload;
}

}  // namespace

WorkloadFactory cas_by_version_workload() {
  using Type = OptionSpec::Type;
  WorkloadFactory factory;
  factory.name = "cas-by-version";
  factory.help = "compare-and-set on the version that was read; never on the value, which may be the same again (ABA)";
  factory.promise =
      "Each key is a linearizable register with a version: a compare-and-set succeeds only against the current "
      "version, "
      "also when the value is the same again, and makes a version greater than all before it; no version ever stands "
      "for two values.";
  factory.data_type = "versioned";
  factory.operations = {"cas-version", "read"};
  factory.options = {
      {"cas-by-version.operations-per-key", Type::integer, 100, "operations on a key before the next one", 1, 1e9},
      {"cas-by-version.reads", Type::real, 0.4, "which part of the operations are reads", 0.01, 0.99},
      {"cas-by-version.outdated", Type::real, 0.3,
       "which part of the compare-and-sets expect a version seen before the last", 0, 1},
      {"cas-by-version.values", Type::integer, 3, "how many different values are written", 1, 1e9},
  };
  // The versions decide what a read is behind; of the other levels below linearizable none says anything of a
  // compare-and-set by version, whose success shows no read.
  offer_levels(factory, {"cas-by-version.consistency", {"cas-by-version"}, "linearizable"});
  factory.make = make;
  factory.checkers = judges;
  return factory;
}

}  // namespace ordeal
