#include "workloads/set_workload.h"

#include "workloads/generators.h"
#include "workloads/judges.h"

namespace ordeal {
namespace {

std::vector<ConfiguredChecker> at_level(const std::string& level) {
  CheckOptions how;
  how.consistency = level;
  return {judge(level == "final" ? "set" : "set-full", std::move(how))};
}
std::vector<ConfiguredChecker> set_judges(const Options& options) {
  return at_level(options.string("set.consistency"));
}
std::vector<ConfiguredChecker> set_full_judges(const Options& options) {
  return at_level(options.string("set-full.consistency"));
}

Result<Workload> make(const WorkloadContext& context, const std::string& name) {
  const Rng rng = Rng(context.seed).split(name);
  const double reads = context.options.real(name + ".reads");
  Workload workload;
  workload.name = name;
  workload.generator = mixed(rng, counting("add"), reads, gen::repeat(plain("read")));
  workload.final_generator = each_worker_until_ok(plain("read"), context.options.seconds(name + ".final-read-time"));
  workload.checkers = name == "set" ? set_judges(context.options) : set_full_judges(context.options);
  return workload;
}

OptionSpec level_option(const char* key, std::vector<std::string> levels, const char* help) {
  return {key, OptionSpec::Type::string, "linearizable", help, std::nullopt, std::nullopt, std::move(levels)};
}

}  // namespace

WorkloadFactory set_workload() {
  using Type = OptionSpec::Type;
  WorkloadFactory factory;
  factory.name = "set";
  factory.help = "unique elements are added and read; nothing acknowledged may be lost, appear twice or be read late";
  factory.promise =
      "The set is linearizable: a read shows every element acknowledged before it, none that was not added, none "
      "twice, and reads agree on one order of the adds.";
  factory.data_type = "set";
  factory.operations = {"add", "read"};
  factory.options = {
      // A read carries the whole set: many reads of a large set make large histories.
      {"set.reads", Type::real, 0.05, "which part of the operations are reads", 0, 0.99},
      {"set.final-read-time", Type::duration, 10.0, "how long a worker tries to read the set at the end", 0, 3600},
      level_option(
          "set.consistency", {"linearizable", "eventual", "final"},
          "what is claimed: linearizable; eventual: reads may be late, but nothing is lost in the end; final: only the "
          "last read counts"),
  };
  factory.make = [](const WorkloadContext& context) { return make(context, "set"); };
  factory.checkers = set_judges;
  return factory;
}

WorkloadFactory set_full_workload() {
  using Type = OptionSpec::Type;
  WorkloadFactory factory;
  factory.name = "set-full";
  factory.help = "a set that is read more often: lost, late and revived elements, and how long each took to be visible";
  factory.promise =
      "The set is linearizable: a read shows every element acknowledged before it, none that was not added, none "
      "twice, and reads agree on one order of the adds.";
  factory.data_type = "set";
  factory.operations = {"add", "read"};
  factory.options = {
      {"set-full.reads", Type::real, 0.05, "which part of the operations are reads", 0.001, 0.99},
      {"set-full.final-read-time", Type::duration, 10.0, "how long a worker tries to read the set at the end", 0, 3600},
      level_option("set-full.consistency", {"linearizable", "eventual"},
                   "what is claimed: linearizable; eventual: reads may be late, but nothing is lost in the end"),
  };
  factory.make = [](const WorkloadContext& context) { return make(context, "set-full"); };
  factory.checkers = set_full_judges;
  return factory;
}

}  // namespace ordeal
