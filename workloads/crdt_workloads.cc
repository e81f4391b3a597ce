#include "workloads/crdt_workloads.h"

#include "workloads/generators.h"
#include "workloads/levels.h"

namespace ordeal {
namespace {

const std::vector<std::string>& set_models() {
  static const std::vector<std::string> all = {"convergence", "set-full", "set"};
  return all;
}
const std::vector<std::string>& counter_models() {
  static const std::vector<std::string> all = {"convergence", "counter"};
  return all;
}

// What the workload of that name waits before its final reads, the checker takes for the time to converge.
std::vector<ConfiguredChecker> judges(const Options& options, const std::string& name,
                                      const std::vector<std::string>& models) {
  const Options settings = settling({"convergence", "set-full"}, options, name);
  return {judge_at(models, options.string(name + ".consistency"), settings)};
}
std::vector<ConfiguredChecker> set_judges(const Options& options) { return judges(options, "g-set", set_models()); }
std::vector<ConfiguredChecker> counter_judges(const Options& options) {
  return judges(options, "pn-counter", counter_models());
}

Result<Workload> make_set(const WorkloadContext& context) {
  Workload workload;
  workload.name = "g-set";
  workload.generator = mixed(Rng(context.seed).split("g-set"), counting("add"), context.options.real("g-set.reads"),
                             gen::repeat(plain("read")));
  workload.final_generator = settled_reads(context.options, "g-set");
  workload.checkers = set_judges(context.options);
  return workload;
}

Result<Workload> make_counter(const WorkloadContext& context) {
  const Rng rng = Rng(context.seed).split("pn-counter");
  GeneratorPtr adds =
      gen::generate(rng.split("add"), [](const GeneratorContext&, Rng& dice) -> std::optional<Operation> {
        const std::int64_t amount = dice.between(1, 5);
        return Operation{"add", std::nullopt, Value(dice.chance(0.5) ? -amount : amount)};
      });
  Workload workload;
  workload.name = "pn-counter";
  workload.generator =
      mixed(rng, std::move(adds), context.options.real("pn-counter.reads"), gen::repeat(plain("read")));
  workload.final_generator = settled_reads(context.options, "pn-counter");
  workload.checkers = counter_judges(context.options);
  return workload;
}

std::vector<OptionSpec> options_of(const std::string& name) {
  using Type = OptionSpec::Type;
  return {
      {name + ".reads", Type::real, 0.05, "which part of the operations are reads", 0, 0.99},
      settle_option(name, "how long replicas have to converge before the final reads"),
      final_read_option(name),
  };
}

}  // namespace

WorkloadFactory g_set_workload() {
  WorkloadFactory factory;
  factory.name = "g-set";
  factory.help = "a replicated set that only grows: in the end all replicas hold all that was acknowledged";
  factory.promise =
      "Strong eventual consistency: after the last add and the time to settle all replicas return the same elements, "
      "with all that were acknowledged; at no time one that nobody added, or one twice.";
  factory.data_type = "set";
  factory.operations = {"add", "read"};
  factory.options = options_of("g-set");
  factory.make = make_set;
  factory.checkers = set_judges;
  offer_levels(factory, {"g-set.consistency",
                         set_models(),
                         "strong-eventual",
                         {kCausalMeaning,
                          {"eventual", "reads may be late, but nothing acknowledged is lost in the end"},
                          {"final", "only the last read counts, which shows all that was acknowledged"}}});
  return factory;
}

WorkloadFactory pn_counter_workload() {
  WorkloadFactory factory;
  factory.name = "pn-counter";
  factory.help = "a replicated counter that goes up and down: in the end all replicas hold the sum";
  factory.promise =
      "Strong eventual consistency: after the last add and the time to settle all replicas return the same sum, with "
      "all that was acknowledged; at no time one that no part of the adds begun until then makes up.";
  factory.data_type = "counter";
  factory.operations = {"add", "read"};
  factory.options = options_of("pn-counter");
  factory.make = make_counter;
  factory.checkers = counter_judges;
  offer_levels(factory,
               {"pn-counter.consistency",
                counter_models(),
                "strong-eventual",
                {{"bounds", "each read alone shows at least what was acknowledged and at most what was tried"}}});
  return factory;
}

}  // namespace ordeal
