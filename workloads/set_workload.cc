#include "workloads/set_workload.h"

#include "workloads/generators.h"
#include "workloads/levels.h"

namespace ordeal {
namespace {

// The models of sets, with the checker that finds more of what is wrong first.
const std::vector<std::string>& set_models() {
  static const std::vector<std::string> all = {"set-full", "set"};
  return all;
}

// What the workload waits before its last reads, the checker takes for the time that elements have to spread.
std::vector<ConfiguredChecker> set_judges(const Options& options) {
  return {judge_at(set_models(), options.string("set.consistency"), settling({"set-full"}, options, "set"))};
}
std::vector<ConfiguredChecker> set_full_judges(const Options& options) {
  return {judge_at(set_models(), options.string("set-full.consistency"), options)};
}

Result<Workload> make(const WorkloadContext& context, const std::string& name) {
  const Rng rng = Rng(context.seed).split(name);
  const double reads = context.options.real(name + ".reads");
  Workload workload;
  workload.name = name;
  workload.generator = mixed(rng, counting("add"), reads, gen::repeat(plain("read")));
  workload.final_generator = each_worker_until_ok(plain("read"), context.options.seconds(name + ".final-read-time"));
  // Where reads may be late, the last ones count, and what was added last needs time to spread.
  const std::string level = context.options.string(name + ".consistency");
  if (level == "eventual" || level == "final")
    workload.final_generator = settled(context.options, name, std::move(workload.final_generator));
  workload.checkers = name == "set" ? set_judges(context.options) : set_full_judges(context.options);
  return workload;
}

void offer_set_levels(WorkloadFactory& factory) {
  factory.options.push_back(
      settle_option(factory.name,
                    "at the levels eventual and final: how long elements have to spread before the last "
                    "reads"));
  offer_levels(factory, {factory.name + ".consistency",
                         set_models(),
                         "linearizable",
                         {kCausalMeaning,
                          {"eventual", "reads may be late, but nothing acknowledged is lost in the end"},
                          {"final", "only the last read counts, which shows all that was acknowledged"}}});
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
      final_read_option("set", "the set"),
  };
  offer_set_levels(factory);
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
      final_read_option("set-full", "the set"),
  };
  offer_set_levels(factory);
  factory.make = [](const WorkloadContext& context) { return make(context, "set-full"); };
  factory.checkers = set_full_judges;
  return factory;
}

}  // namespace ordeal
