#include "workloads/counter_workload.h"

#include "workloads/generators.h"
#include "workloads/levels.h"

namespace ordeal {
namespace {

std::vector<ConfiguredChecker> judges(const Options& options) {
  return {judge_at({"counter"}, options.string("counter.consistency"), options)};
}

Result<Workload> make(const WorkloadContext& context) {
  const Options& options = context.options;
  const Rng rng = Rng(context.seed).split("counter");
  const std::int64_t most = options.integer("counter.max-add");
  const bool down = options.boolean("counter.decrements");
  GeneratorPtr adds =
      gen::generate(rng.split("add"), [=](const GeneratorContext&, Rng& dice) -> std::optional<Operation> {
        const std::int64_t amount = dice.between(1, most);
        return Operation{"add", std::nullopt, Value(down && dice.chance(0.5) ? -amount : amount)};
      });
  Workload workload;
  workload.name = "counter";
  workload.generator = mixed(rng, std::move(adds), options.real("counter.reads"), gen::repeat(plain("read")));
  workload.final_generator = each_worker_until_ok(plain("read"), options.seconds("counter.final-read-time"));
  workload.checkers = judges(options);
  return workload;
}

}  // namespace

WorkloadFactory counter_workload() {
  using Type = OptionSpec::Type;
  WorkloadFactory factory;
  factory.name = "counter";
  factory.help = "a counter is added to and read; no read may lack an acknowledged add, or hold more than was tried";
  factory.promise = "The counter is linearizable: one order of adds and reads within real time explains every read.";
  factory.data_type = "counter";
  factory.operations = {"add", "read"};
  factory.options = {
      {"counter.reads", Type::real, 0.5, "which part of the operations are reads", 0.01, 0.99},
      {"counter.max-add", Type::integer, 1, "the largest amount of an add", 1, 1e6},
      {"counter.decrements", Type::boolean, false, "whether half of the adds are negative"},
      final_read_option("counter", "the counter"),
  };
  offer_levels(factory,
               {"counter.consistency",
                {"counter"},
                "linearizable",
                {{"bounds", "each read alone shows at least what was acknowledged and at most what was tried"}}});
  factory.make = make;
  factory.checkers = judges;
  return factory;
}

}  // namespace ordeal
