#include "workloads/durability_workload.h"

#include "workloads/generators.h"
#include "workloads/judges.h"

namespace ordeal {
namespace {

std::vector<ConfiguredChecker> judges(const Options& options) { return {judge("durability", options)}; }

Result<Workload> make(const WorkloadContext& context) {
  const Options& options = context.options;
  Workload workload;
  workload.name = "durability";
  workload.generator = mixed(Rng(context.seed).split("durability"), counting("add"), options.real("durability.reads"),
                             gen::repeat(plain("read")));
  workload.final_generator = settled_reads(options, "durability");
  workload.checkers = judges(options);
  return workload;
}

}  // namespace

WorkloadFactory durability_workload() {
  using Type = OptionSpec::Type;
  WorkloadFactory factory;
  factory.name = "durability";
  factory.help = "what was acknowledged before crashes is there after them, or lost within bounds (RPO, RTO)";
  factory.promise =
      "Every element that was acknowledged is in a final read; with durability.rpo but for those acknowledged at most "
      "so "
      "long before a crash, and no more of them for a crash than durability.max-lost; with durability.rto an operation "
      "succeeds that soon after every crash that no other fault followed.";
  factory.data_type = "set";
  factory.operations = {"add", "read"};
  factory.options = {
      {"durability.reads", Type::real, 0.02, "which part of the operations are reads", 0, 0.99},
      final_read_option("durability"),
  };
  offer_checker_options(factory, "durability");
  factory.make = make;
  factory.checkers = judges;
  return factory;
}

}  // namespace ordeal
