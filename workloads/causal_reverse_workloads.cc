#include "workloads/causal_reverse_workloads.h"

#include "workloads/generators.h"
#include "workloads/levels.h"

namespace ordeal {
namespace {

const std::vector<std::string>& models() {
  static const std::vector<std::string> all = {"causal-reverse", "set-full", "set"};
  return all;
}

std::vector<ConfiguredChecker> causal_reverse_judges(const Options& options) {
  return {judge_at(models(), options.string("causal-reverse.consistency"), options)};
}
std::vector<ConfiguredChecker> comments_judges(const Options& options) {
  return {judge_at(models(), options.string("comments.consistency"), options)};
}

// Elements of one set, so that every target with sets can carry it out.
Result<Workload> make(const WorkloadContext& context, const std::string& name) {
  Workload workload;
  workload.name = name;
  workload.generator = mixed(Rng(context.seed).split(name), counting("add"), context.options.real(name + ".reads"),
                             gen::repeat(plain("read")));
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
      {name + ".reads", OptionSpec::Type::real, 0.1, "which part of the operations are reads", 0.001, 0.99}};
  factory.checkers = name == "comments" ? comments_judges : causal_reverse_judges;
  // There are no reads after everything has spread.
  offer_levels(factory, {name + ".consistency", models(), "strict-serializable", {}, {"eventual", "final"}});
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
