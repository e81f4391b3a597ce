#include "workloads/ordered_ids_workload.h"

#include "workloads/generators.h"
#include "workloads/judges.h"

namespace ordeal {
namespace {

std::vector<ConfiguredChecker> judges(const Options& options) { return {judge("ordered-ids", options)}; }

Result<Workload> make(const WorkloadContext& context) {
  Workload workload;
  workload.name = "ordered-ids";
  workload.generator = gen::repeat(plain("generate"));
  workload.checkers = judges(context.options);
  return workload;
}

}  // namespace

WorkloadFactory ordered_ids_workload() {
  WorkloadFactory factory;
  factory.name = "ordered-ids";
  factory.help =
      "ids that are roughly ordered by time (Snowflake, UUIDv7, ULID); none twice, none less than an old one";
  factory.promise =
      "No id is generated twice, and each is greater than every id that had been returned more than "
      "ordered-ids.tolerance before it was asked for.";
  factory.data_type = "ordered-ids";
  factory.operations = {"generate"};
  offer_checker_options(factory, "ordered-ids");
  factory.make = make;
  factory.checkers = judges;
  return factory;
}

}  // namespace ordeal
