#include "workloads/unique_ids_workload.h"

#include "workloads/generators.h"
#include "workloads/levels.h"

namespace ordeal {
namespace {

std::vector<ConfiguredChecker> judges(const Options& options) {
  return {judge_at({"unique-ids"}, options.string("unique-ids.consistency"), options)};
}

Result<Workload> make(const WorkloadContext& context) {
  Workload workload;
  workload.name = "unique-ids";
  workload.generator = gen::repeat(plain("generate"));
  workload.checkers = judges(context.options);
  return workload;
}

}  // namespace

WorkloadFactory unique_ids_workload() {
  WorkloadFactory factory;
  factory.name = "unique-ids";
  factory.help = "ids are generated; none may come twice";
  factory.promise = "No id is generated twice.";
  factory.data_type = "unique-ids";
  factory.operations = {"generate"};
  offer_levels(factory, {"unique-ids.consistency", {"unique-ids"}, "unique"});
  factory.make = make;
  factory.checkers = judges;
  return factory;
}

}  // namespace ordeal
