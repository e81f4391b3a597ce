#include "workloads/promise_workloads.h"

#include <algorithm>

#include "workloads/generators.h"
#include "workloads/judges.h"

namespace ordeal {
namespace {

std::vector<ConfiguredChecker> idempotency_judges(const Options&) { return {judge("idempotency")}; }
std::vector<ConfiguredChecker> saga_judges(const Options& options) { return {judge("saga", options)}; }
std::vector<ConfiguredChecker> rate_limit_judges(const Options& options) { return {judge("rate-limit", options)}; }

// New keys, and some of the last ones again, as clients do that do not know whether they were heard.
Result<Workload> make_idempotency(const WorkloadContext& context) {
  constexpr std::int64_t kRecent = 10;
  const Rng rng = Rng(context.seed).split("idempotency");
  const double again = context.options.real("idempotency.repeats");
  GeneratorPtr applies = gen::generate(
      rng.split("apply"),
      [again, next = std::int64_t{0}](const GeneratorContext&, Rng& dice) mutable -> std::optional<Operation> {
        if (next == 0 || !dice.chance(again)) return Operation{"apply", std::nullopt, Value(next++)};
        return Operation{"apply", std::nullopt,
                         Value(dice.between(std::max<std::int64_t>(0, next - kRecent), next - 1))};
      });
  Workload workload;
  workload.name = "idempotency";
  workload.generator =
      mixed(rng, std::move(applies), context.options.real("idempotency.reads"), gen::repeat(plain("read")));
  workload.final_generator =
      each_worker_until_ok(plain("read"), context.options.seconds("idempotency.final-read-time"));
  workload.checkers = idempotency_judges(context.options);
  return workload;
}

Result<Workload> make_rate_limit(const WorkloadContext& context) {
  Workload workload;
  workload.name = "rate-limit";
  workload.generator = gen::repeat(plain("request"));
  workload.checkers = rate_limit_judges(context.options);
  return workload;
}

Result<Workload> make_saga(const WorkloadContext& context) {
  const Rng rng = Rng(context.seed).split("saga");
  const std::int64_t accounts = context.options.integer("saga.accounts");
  GeneratorPtr sagas = gen::generate(
      rng.split("saga"),
      [accounts, id = std::int64_t{0}](const GeneratorContext&, Rng& dice) mutable -> std::optional<Operation> {
        const std::int64_t from = dice.between(0, accounts - 1);
        Value value = Value::map();
        value.set("id", id++);
        value.set("from", from);
        value.set("to", (from + dice.between(1, accounts - 1)) % accounts);
        value.set("amount", dice.between(1, 10));
        return Operation{"saga", std::nullopt, std::move(value)};
      });
  Workload workload;
  workload.name = "saga";
  workload.generator = mixed(rng, std::move(sagas), context.options.real("saga.reads"), gen::repeat(plain("read")));
  workload.final_generator = settled_reads(context.options, "saga");
  workload.checkers = saga_judges(context.options);
  return workload;
}

}  // namespace

WorkloadFactory idempotency_workload() {
  using Type = OptionSpec::Type;
  WorkloadFactory factory;
  factory.name = "idempotency";
  factory.help = "operations with a key are sent again; each takes effect once";
  factory.promise =
      "An operation with a key takes effect at most once however often it is sent, once when it is acknowledged, "
      "stays, and is answered the same each time.";
  factory.data_type = "idempotency";
  factory.operations = {"apply", "read"};
  factory.options = {
      {"idempotency.repeats", Type::real, 0.4, "which part of the operations are sent again", 0.01, 0.99},
      {"idempotency.reads", Type::real, 0.02, "which part of the operations are reads", 0, 0.99},
      final_read_option("idempotency"),
  };
  factory.make = make_idempotency;
  factory.checkers = idempotency_judges;
  return factory;
}

WorkloadFactory rate_limit_workload() {
  WorkloadFactory factory;
  factory.name = "rate-limit";
  factory.help = "requests are granted or denied; no window of time holds more grants than the limit";
  factory.promise =
      "No window of time holds more grants than the limit, and no request is denied while the window before it has "
      "room.";
  factory.data_type = "rate-limit";
  factory.operations = {"request"};
  offer_checker_options(factory, "rate-limit");
  factory.make = make_rate_limit;
  factory.checkers = rate_limit_judges;
  return factory;
}

WorkloadFactory saga_workload() {
  using Type = OptionSpec::Type;
  WorkloadFactory factory;
  factory.name = "saga";
  factory.help = "transfers of several steps on a ledger; complete or compensated, and balances and events add up";
  factory.promise =
      "Every saga is done as a whole or not at all: acknowledged ones at once, those given up or of unknown outcome by "
      "the end; balances are never negative and always what the events add up to.";
  factory.data_type = "saga";
  factory.operations = {"read", "saga"};
  factory.options = {
      {"saga.accounts", Type::integer, 5, "how many accounts there are", 2, 1e6},
      {"saga.reads", Type::real, 0.02, "which part of the operations are reads", 0, 0.99},
      final_read_option("saga", "the ledger"),
      settle_option("saga", "how long whoever goes on with a crashed saga has before the final reads"),
  };
  offer_checker_options(factory, "saga");
  factory.make = make_saga;
  factory.checkers = saga_judges;
  return factory;
}

}  // namespace ordeal
