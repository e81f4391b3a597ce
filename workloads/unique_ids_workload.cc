#include "workloads/unique_ids_workload.h"

#include "workloads/generators.h"
#include "workloads/judges.h"

namespace ordeal {
namespace {

std::vector<ConfiguredChecker> judges(const Options&) { return {judge("unique-ids")}; }

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
  factory.make = make;
  factory.checkers = judges;
  return factory;
}

}  // namespace ordeal
