#include "workloads/lock_workloads.h"

#include "workloads/generators.h"
#include "workloads/judges.h"

namespace ordeal {
namespace {

std::vector<ConfiguredChecker> lock_judges(const Options&) { return {judge("lock")}; }
std::vector<ConfiguredChecker> election_judges(const Options&) { return {judge("leader-election")}; }

// Tries to take it for a while, then gives it back, forever. It is given back also when no attempt succeeded: one whose
// outcome nobody knows may have. A refusal to take it back is final for who does not have it.
GeneratorPtr in_turn(const Operation& take, const Operation& give) {
  return gen::cycle([take, give](std::uint64_t) {
    return gen::sequence(gen::list_of(gen::limit(20, gen::until_ok(gen::repeat(take))),
                                      gen::limit(3, gen::until_ok(gen::repeat(give)))));
  });
}

// In the end everybody gives it back before any client is closed, so that the history tells until when it was held.
GeneratorPtr give_back(const std::string& f) {
  return gen::each_worker([f](int) { return gen::limit(3, gen::until_ok(gen::repeat(plain(f)))); });
}

Result<Workload> make_lock(const WorkloadContext& context) {
  Workload workload;
  workload.name = "lock";
  workload.generator = gen::each_worker([](int) { return in_turn(plain("acquire"), plain("release")); });
  workload.final_generator = give_back("release");
  workload.checkers = lock_judges(context.options);
  return workload;
}

Result<Workload> make_election(const WorkloadContext& context) {
  const Rng rng = Rng(context.seed).split("leader-election");
  const double looks = context.options.real("leader-election.looks");
  Workload workload;
  workload.name = "leader-election";
  workload.generator = gen::each_worker([rng, looks](int worker) {
    const Operation campaign{"campaign", std::nullopt, Value("w" + std::to_string(worker))};
    return mixed(rng.split(static_cast<std::uint64_t>(worker)), in_turn(campaign, plain("resign")), looks,
                 gen::repeat(plain("leader")));
  });
  workload.final_generator = give_back("resign");
  workload.checkers = election_judges(context.options);
  return workload;
}

}  // namespace

WorkloadFactory lock_workload() {
  WorkloadFactory factory;
  factory.name = "lock";
  factory.help = "workers take a lock in turn; never two at once, and fencing tokens only grow";
  factory.promise = "At no time do two clients hold the lock, and a later acquisition gets a greater fencing token.";
  factory.data_type = "lock";
  factory.operations = {"acquire", "release"};
  factory.make = make_lock;
  factory.checkers = lock_judges;
  return factory;
}

WorkloadFactory leader_election_workload() {
  WorkloadFactory factory;
  factory.name = "leader-election";
  factory.help = "workers are elected in turn; never two lead at once or in one term, and terms only grow";
  factory.promise =
      "At no time and in no term do two candidates lead, terms never go back, and whoever is seen to lead was elected "
      "and was not replaced before.";
  factory.data_type = "election";
  factory.operations = {"campaign", "leader", "resign"};
  factory.options = {
      {"leader-election.looks", OptionSpec::Type::real, 0.4, "which part of the operations ask who leads", 0, 0.99}};
  factory.make = make_election;
  factory.checkers = election_judges;
  return factory;
}

}  // namespace ordeal
