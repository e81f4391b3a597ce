#include "workloads/idempotency_keys_workload.h"

#include <algorithm>

#include "workloads/generators.h"
#include "workloads/judges.h"

namespace ordeal {
namespace {

std::vector<ConfiguredChecker> judges(const Options& options) { return {judge("idempotency-keys", options)}; }

Result<Workload> make(const WorkloadContext& context) {
  constexpr std::int64_t kRecent = 8, kLongAgo = 60;
  const Rng rng = Rng(context.seed).split("idempotency-keys");
  const double again = context.options.real("idempotency-keys.repeats");
  const double late = context.options.real("idempotency-keys.late-repeats");
  const double other = context.options.real("idempotency-keys.other-bodies");
  const auto apply = [](std::int64_t id, std::int64_t body) {
    Value value = Value::map();
    value.set("id", id);
    value.set("body", body);
    return Operation{"apply", std::nullopt, std::move(value)};
  };
  auto draw = [=, next = std::int64_t{0}](const GeneratorContext&, Rng& dice) mutable -> std::optional<Operation> {
    if (next == 0 || !dice.chance(again)) return apply(next++, 0);
    const std::int64_t back = dice.chance(late) ? kLongAgo : kRecent;
    const std::int64_t id = dice.between(std::max<std::int64_t>(0, next - back), next - 1);
    return apply(id, dice.chance(other) ? dice.between(1, 2) : 0);
  };
  Workload workload;
  workload.name = "idempotency-keys";
  workload.generator = mixed(rng, gen::generate(rng.split("apply"), std::move(draw)),
                             context.options.real("idempotency-keys.reads"), gen::repeat(plain("read")));
  workload.final_generator = settled_reads(context.options, "idempotency-keys");
  workload.checkers = judges(context.options);
  return workload;
}

}  // namespace

WorkloadFactory idempotency_keys_workload() {
  using Type = OptionSpec::Type;
  WorkloadFactory factory;
  factory.name = "idempotency-keys";
  factory.help =
      "operations with a key and a body are sent again: executed once, another body refused, until it expires";
  factory.promise =
      "Until its key expires (idempotency-keys.ttl) an operation is executed at most once however often it is sent, "
      "once "
      "when it is acknowledged, stays and is answered the same each time; under its key another body is refused, and "
      "nothing is refused otherwise.";
  factory.data_type = "idempotency-keys";
  factory.operations = {"apply", "read"};
  factory.options = {
      {"idempotency-keys.repeats", Type::real, 0.5, "which part of the operations are sent again", 0.01, 0.99},
      {"idempotency-keys.late-repeats", Type::real, 0.2, "which part of these long after the first time", 0, 1},
      {"idempotency-keys.other-bodies", Type::real, 0.2, "which part of them with another body", 0.01, 1},
      {"idempotency-keys.reads", Type::real, 0.02, "which part of the operations are reads", 0, 0.99},
      final_read_option("idempotency-keys"),
      settle_option("idempotency-keys", "how long operations of unknown outcome have before the final reads"),
  };
  offer_checker_options(factory, "idempotency-keys");
  factory.make = make;
  factory.checkers = judges;
  return factory;
}

}  // namespace ordeal
