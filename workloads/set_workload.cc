#include "workloads/set_workload.h"

#include "harness/generator/combinators.h"
#include "workloads/judges.h"

namespace ordeal {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

Operation read() { return {"read", std::nullopt, {}}; }

// Counts up over all workers, so that no element is added twice.
GeneratorPtr adds(Rng rng) {
  return gen::generate(rng,
                       [next = std::int64_t{0}](const GeneratorContext&, Rng&) mutable -> std::optional<Operation> {
                         return Operation{"add", std::nullopt, Value(next++)};
                       });
}

// Each worker, and so each node that has one, reads until it has seen the set once.
GeneratorPtr final_reads(double patience_s) {
  return gen::each_worker([patience_s](int) {
    return gen::time_limit(static_cast<std::int64_t>(patience_s * static_cast<double>(kSecond)),
                           gen::until_ok(gen::delay(kSecond / 5, gen::repeat(read()))));
  });
}

std::vector<ConfiguredChecker> judges(const Options&) {
  CheckOptions options;
  return {judge("set", std::move(options))};
}

Result<Workload> make(const WorkloadContext& context) {
  const Rng rng = Rng(context.seed).split("set");
  const double reads = context.options.real("set.reads");
  Workload workload;
  workload.name = "set";
  GeneratorPtr elements_in = adds(rng.split("add"));
  if (reads > 0) {
    std::vector<gen::Weighted> children;
    children.push_back({1 - reads, std::move(elements_in)});
    children.push_back({reads, gen::repeat(read())});
    workload.generator = gen::weighted_mix(rng.split("mix"), std::move(children));
  } else {
    workload.generator = std::move(elements_in);
  }
  workload.final_generator = final_reads(context.options.seconds("set.final-read-time"));
  workload.checkers = judges(context.options);
  return workload;
}

}  // namespace

WorkloadFactory set_workload() {
  using Type = OptionSpec::Type;
  WorkloadFactory factory;
  factory.name = "set";
  factory.help = "unique elements are added and read; nothing acknowledged may be lost, appear twice or be read late";
  factory.data_type = "set";
  factory.operations = {"add", "read"};
  factory.options = {
      // A read carries the whole set: many reads of a large set make large histories.
      {"set.reads", Type::real, 0.05, "which part of the operations are reads", 0, 0.99},
      {"set.final-read-time", Type::duration, 10.0, "how long a worker tries to read the set at the end", 0, 3600},
  };
  factory.make = make;
  factory.checkers = judges;
  return factory;
}

}  // namespace ordeal
