#include "tests/integration/memory_run.h"

#include "checkers/history/reader.h"
#include "harness/store/run_directory.h"
#include "targets/catalogue.h"
#include "tests/harness/store/scratch.h"
#include "workloads/catalogue.h"

namespace ordeal {

Judged judged_run(const std::string& workload_name, const Settings& settings, std::uint64_t seed, double seconds,
                  double rate) {
  const Scratch scratch;
  const auto target_factory = find_target("memory");
  const auto workload_factory = find_workload(workload_name);
  ORDEAL_CHECK(target_factory && workload_factory, "the catalogues lack something");
  Options options((*target_factory)->options);
  options.declare((*workload_factory)->options);
  for (const auto& [key, value] : settings) {
    const auto set = options.set(key, value, "test");
    ORDEAL_CHECK(set.has_value(), set ? "" : set.error().message);
  }
  Cluster cluster;
  auto target = (*target_factory)->make(cluster, options);
  auto workload = (*workload_factory)->make({options, 10, seed, seconds});
  auto directory = RunDirectory::create(scratch.path(), "memory-" + workload_name);
  ORDEAL_CHECK(target && workload && directory, "the run could not be set up");
  auto journal = Journal::create(directory->history_path());
  ORDEAL_CHECK(journal.has_value(), "no journal");
  RunLog log;
  RunSetup setup;
  setup.target = std::move(*target);
  setup.target->use((*workload_factory)->data_type);
  setup.workload = &*workload;
  setup.journal = journal->get();
  setup.log = &log;
  setup.time_limit_s = seconds;
  setup.rate = rate;
  setup.seed = seed;
  const auto outcome = run_workload(setup);
  ORDEAL_CHECK(outcome.has_value(), outcome ? "" : outcome.error().message);
  const auto read = read_history_file(directory->history_path());
  ORDEAL_CHECK(read.has_value(), read ? "" : read.error().message);
  Judged out;
  out.counts = outcome->counts;
  for (const auto& [checker, check_options] : workload->checkers) {
    const auto result = checker->check(read->history, check_options);
    out.verdict = merged(out.verdict, result.verdict);
    out.text += result.checker + ": " + std::string(name(result.verdict)) + " " + result.reason + "\n";
    for (const auto& anomaly : result.anomalies) {
      out.anomalies.push_back(anomaly.type);
      out.text += "  " + anomaly.type + ": " + anomaly.explanation + "\n";
    }
  }
  return out;
}

}  // namespace ordeal
