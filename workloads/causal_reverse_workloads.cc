#include "workloads/causal_reverse_workloads.h"

#include "workloads/generators.h"
#include "workloads/levels.h"

namespace ordeal {
namespace {

const std::vector<std::string>& models() {
  static const std::vector<std::string> all = {"causal-reverse", "set-full", "set"};
  return all;
}

std::vector<ConfiguredChecker> judges(const Options& options, const std::string& name) {
  return {judge_at(models(), options.string(name + ".consistency"), settling({"set-full"}, options, name))};
}
std::vector<ConfiguredChecker> causal_reverse_judges(const Options& options) {
  return judges(options, "causal-reverse");
}
std::vector<ConfiguredChecker> comments_judges(const Options& options) { return judges(options, "comments"); }

constexpr double kPatienceS = 10;  // how long a worker tries to read at the end

// Elements of one set, so that every target with sets can carry it out.
Result<Workload> make(const WorkloadContext& context, const std::string& name) {
  Workload workload;
  workload.name = name;
  workload.generator = mixed(Rng(context.seed).split(name), counting("add"), context.options.real(name + ".reads"),
                             gen::repeat(plain("read")));
  workload.final_generator = each_worker_until_ok(plain("read"), kPatienceS);
  // Where reads may be late, the last ones count, when all has had the time to spread.
  const std::string level = context.options.string(name + ".consistency");
  if (level == "eventual" || level == "final")
    workload.final_generator = settled(context.options, name, std::move(workload.final_generator));
  workload.checkers = name == "comments" ? comments_judges(context.options) : causal_reverse_judges(context.options);
  return workload;
}

WorkloadFactory factory_of(const std::string& name) {
  WorkloadFactory factory;
  factory.name = name;
  factory.help = "elements are written and read; who sees one sees all that were over before it began";
  factory.promise =
      "Writes and reads are strictly serializable: a read shows every element acknowledged before it began, and with "
      "each element all that were over before that one's write began.";
  factory.data_type = "set";
  factory.operations = {"add", "read"};
  factory.options = {
      {name + ".reads", OptionSpec::Type::real, 0.1, "which part of the operations are reads", 0.001, 0.99},
      settle_option(name, "at the levels eventual and final: how long elements have to spread before the last reads")};
  factory.checkers = name == "comments" ? comments_judges : causal_reverse_judges;
  offer_levels(factory, {name + ".consistency",
                         models(),
                         "strict-serializable",
                         {kCausalMeaning,
                          {"eventual", "reads may be late, but nothing acknowledged is lost in the end"},
                          {"final", "only the last read counts, which shows all that was acknowledged"}}});
  return factory;
}

}  // namespace

WorkloadFactory causal_reverse_workload() {
  WorkloadFactory factory = factory_of("causal-reverse");
  factory.make = [](const WorkloadContext& context) { return make(context, "causal-reverse"); };
  return factory;
}

WorkloadFactory comments_workload() {
  WorkloadFactory factory = factory_of("comments");
  factory.make = [](const WorkloadContext& context) { return make(context, "comments"); };
  return factory;
}

}  // namespace ordeal
