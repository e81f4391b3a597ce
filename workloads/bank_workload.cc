#include "workloads/bank_workload.h"

#include "workloads/generators.h"
#include "workloads/judges.h"
#include "workloads/levels.h"

namespace ordeal {
namespace {

constexpr std::int64_t kAccounts = 8;

// Transfers between different accounts.
GeneratorPtr transfers(Rng rng, std::int64_t accounts, std::int64_t largest) {
  return gen::generate(rng, [=](const GeneratorContext&, Rng& dice) -> std::optional<Operation> {
    const std::int64_t from = dice.between(0, accounts - 1);
    const std::int64_t to = (from + dice.between(1, accounts - 1)) % accounts;
    Value value = Value::map();
    value.set("from", from);
    value.set("to", to);
    value.set("amount", dice.between(1, largest));
    return Operation{"transfer", std::nullopt, std::move(value)};
  });
}

std::vector<ConfiguredChecker> judges(const Options& options) {
  return {judge_at({"bank"}, options.string("bank.consistency"), options)};
}

Result<Workload> make(const WorkloadContext& context) {
  const Options& options = context.options;
  const Rng rng = Rng(context.seed).split("bank");
  const std::int64_t given = options.integer("bank.accounts");
  if (given == 1) return fail(ErrorCode::usage, "workload bank: a transfer needs two accounts; raise bank.accounts");
  Workload workload;
  workload.name = "bank";
  workload.generator =
      mixed(rng, transfers(rng.split("transfer"), given == 0 ? kAccounts : given, options.integer("bank.max-transfer")),
            options.real("bank.reads"), gen::repeat(plain("read")));
  workload.final_generator = each_worker_until_ok(plain("read"), options.seconds("bank.final-read-time"));
  workload.checkers = judges(options);
  return workload;
}

}  // namespace

WorkloadFactory bank_workload() {
  using Type = OptionSpec::Type;
  WorkloadFactory factory;
  factory.name = "bank";
  factory.help = "transfers between accounts and reads of all of them; the total never changes, no balance is negative";
  factory.promise =
      "Transfers and reads are strictly serializable: every read shows the balances after all transfers acknowledged "
      "before it and some of those under way or of unknown outcome; no money appears, vanishes or is overdrawn.";
  factory.data_type = "bank";
  factory.operations = {"read", "transfer"};
  offer_checker_options(factory, "bank");
  const std::vector<OptionSpec> own = {
      {"bank.max-transfer", Type::integer, 5, "the largest amount of a transfer", 1, 1e9},
      {"bank.reads", Type::real, 0.5, "which part of the operations are reads", 0.01, 0.99},
      final_read_option("bank", "the balances"),
  };
  factory.options.insert(factory.options.end(), own.begin(), own.end());
  offer_levels(factory, {"bank.consistency",
                         {"bank"},
                         "strict-serializable",
                         {{"snapshot-isolation", "every read shows whole transfers, however late"}}});
  factory.make = make;
  factory.checkers = judges;
  return factory;
}

}  // namespace ordeal
