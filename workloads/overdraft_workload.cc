#include "workloads/overdraft_workload.h"

#include <algorithm>

#include "workloads/generators.h"
#include "workloads/judges.h"
#include "workloads/levels.h"

namespace ordeal {
namespace {

std::vector<ConfiguredChecker> judges(const Options& options) {
  return {judge_at({"overdraft"}, options.string("overdraft.consistency"), options)};
}

// The n-th customer's key.
Value customer(std::int64_t n) { return Value("c" + std::to_string(n)); }

Result<Workload> make(const WorkloadContext& context) {
  const std::int64_t together = context.options.integer("overdraft.customers");
  const std::int64_t operations = context.options.integer("overdraft.operations-per-customer");
  const double reads = context.options.real("overdraft.reads");
  // How many there have been: the final phase reads all.
  const auto customers = std::make_shared<std::int64_t>(0);
  auto draw = [=, asked = std::int64_t{0}](const GeneratorContext&, Rng& dice) mutable -> std::optional<Operation> {
    const std::int64_t generation = asked++ / (together * operations);
    const std::int64_t one = generation * together + dice.between(0, together - 1);
    *customers = std::max(*customers, one + 1);
    if (dice.chance(reads)) return Operation{"read", customer(one), {}};
    Value value = Value::map();
    const bool deposit = dice.chance(0.35);
    value.set("account", dice.between(0, 1));
    value.set("amount", dice.between(1, 10));
    return Operation{deposit ? "deposit" : "withdraw", customer(one), std::move(value)};
  };
  auto read_all = [customers, next = std::int64_t{0}](const GeneratorContext&,
                                                      Rng&) mutable -> std::optional<Operation> {
    if (next >= *customers) return std::nullopt;
    return Operation{"read", customer(next++), {}};
  };
  Workload workload;
  workload.name = "overdraft";
  workload.generator = gen::generate(Rng(context.seed).split("overdraft"), std::move(draw));
  workload.final_generator = settled(context.options, "overdraft", gen::generate(Rng(0), std::move(read_all)));
  workload.checkers = judges(context.options);
  return workload;
}

}  // namespace

WorkloadFactory overdraft_workload() {
  using Type = OptionSpec::Type;
  WorkloadFactory factory;
  factory.name = "overdraft";
  factory.help = "withdrawals from two accounts at once: the rule over both holds, nobody is refused without need";
  factory.promise =
      "The accounts are strictly serializable: no withdrawal breaks the rule (overdraft.rule), none is refused for "
      "want "
      "of money that was there, and one order of all operations explains every balance.";
  factory.data_type = "accounts";
  factory.operations = {"deposit", "read", "withdraw"};
  factory.options = {
      {"overdraft.customers", Type::integer, 2, "how many customers are worked on at a time", 1, 1e6},
      {"overdraft.operations-per-customer", Type::integer, 40, "after so many operations others follow", 1, 1e6},
      {"overdraft.reads", Type::real, 0.2, "which part of the operations are reads", 0.01, 0.99},
      settle_option("overdraft", "how long operations of unknown outcome have before the final reads"),
  };
  offer_checker_options(factory, "overdraft");
  offer_levels(factory, {"overdraft.consistency",
                         {"overdraft"},
                         "strict-serializable",
                         {{"no-overdraft", "the rule over the accounts holds; reads may be late"}}});
  factory.make = make;
  factory.checkers = judges;
  return factory;
}

}  // namespace ordeal
