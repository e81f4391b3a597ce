#include "workloads/order_workloads.h"

#include <algorithm>

#include "workloads/generators.h"
#include "workloads/judges.h"

namespace ordeal {
namespace {

std::vector<ConfiguredChecker> monotonic_judges(const Options&) { return {judge("monotonic")}; }
std::vector<ConfiguredChecker> sequential_judges(const Options&) { return {judge("sequential-writes")}; }

Result<Workload> make_monotonic(const WorkloadContext& context) {
  Workload workload;
  workload.name = "monotonic";
  workload.generator = mixed(Rng(context.seed).split("monotonic"), gen::repeat(plain("stamp")),
                             context.options.real("monotonic.reads"), gen::repeat(plain("read")));
  workload.final_generator = each_worker_until_ok(plain("read"), context.options.seconds("monotonic.final-read-time"));
  workload.checkers = monotonic_judges(context.options);
  return workload;
}

// Fresh keys are written, and some of the last ones are read.
Result<Workload> make_sequential(const WorkloadContext& context) {
  constexpr std::int64_t kRecent = 10;
  const double reads = context.options.real("sequential.reads");
  Workload workload;
  workload.name = "sequential";
  workload.generator = gen::generate(
      Rng(context.seed).split("sequential"),
      [reads, next = std::int64_t{0}](const GeneratorContext&, Rng& rng) mutable -> std::optional<Operation> {
        if (next == 0 || !rng.chance(reads)) return Operation{"write-chain", std::nullopt, Value(next++)};
        return Operation{"read-chain", std::nullopt,
                         Value(rng.between(std::max<std::int64_t>(0, next - kRecent), next - 1))};
      });
  workload.checkers = sequential_judges(context.options);
  return workload;
}

}  // namespace

WorkloadFactory monotonic_workload() {
  using Type = OptionSpec::Type;
  WorkloadFactory factory;
  factory.name = "monotonic";
  factory.help = "rows with the next value and the database's timestamp; both orders agree, and no row is lost";
  factory.promise =
      "Rows are inserted and read strictly serializably: values and timestamps agree with each other and with real "
      "time, and a row that was once returned is in every later read, once.";
  factory.data_type = "monotonic";
  factory.operations = {"stamp", "read"};
  factory.options = {
      {"monotonic.reads", Type::real, 0.05, "which part of the operations are reads", 0, 0.99},
      final_read_option("monotonic", "the rows"),
  };
  factory.make = make_monotonic;
  factory.checkers = monotonic_judges;
  return factory;
}

WorkloadFactory sequential_workload() {
  WorkloadFactory factory;
  factory.name = "sequential";
  factory.help = "subkeys are written in order and read in reverse; who sees one sees those written before it";
  factory.promise =
      "Writes and reads of subkeys are sequentially consistent: one order of all of them keeps the order of each "
      "process and explains every read.";
  factory.data_type = "sequential";
  factory.operations = {"write-chain", "read-chain"};
  factory.options = {
      {"sequential.reads", OptionSpec::Type::real, 0.5, "which part of the operations are reads", 0.01, 0.99}};
  factory.make = make_sequential;
  factory.checkers = sequential_judges;
  return factory;
}

}  // namespace ordeal
