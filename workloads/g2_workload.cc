#include "workloads/g2_workload.h"

#include "harness/generator/combinators.h"
#include "workloads/judges.h"
#include "workloads/key_order.h"

namespace ordeal {
namespace {

std::vector<ConfiguredChecker> judges(const Options&) { return {judge("g2")}; }

Result<Workload> make(const WorkloadContext& context) {
  Workload workload;
  workload.name = "g2";
  // Both inserts of a key follow on each other, so two workers carry them out at once; ids are unique over all keys.
  workload.generator = gen::generate(
      Rng(context.seed).split("g2"),
      [id = std::int64_t{0}, first_in_a = true, order = KeyOrder(context.options, "g2", context.seed)](
          const GeneratorContext&, Rng& rng) mutable -> std::optional<Operation> {
        const std::int64_t key = order(id / 2);
        if (id % 2 == 0) first_in_a = rng.chance(0.5);
        const bool in_a = (id % 2 == 0) == first_in_a;
        const Value row(++id);
        return Operation{"insert", Value(key), in_a ? Value::list({row, Value()}) : Value::list({Value(), row})};
      });
  workload.checkers = judges(context.options);
  return workload;
}

}  // namespace

WorkloadFactory g2_workload() {
  WorkloadFactory factory;
  factory.name = "g2";
  factory.help = "pairs of inserts that each look for the other's row first; at most one of each pair may succeed";
  factory.promise =
      "Of two inserts that each look for the other's row first, at most one succeeds (no G2 by predicates).";
  factory.data_type = "g2";
  factory.operations = {"insert"};
  factory.options = {key_order_option("g2")};
  factory.make = make;
  factory.checkers = judges;
  return factory;
}

}  // namespace ordeal
