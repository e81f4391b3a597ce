#pragma once
// Workload: which operations to generate, which a target must support, which checkers judge. One file per workload
// in workloads/. Thread-safety: built once per run, then read.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/options.h"
#include "checkers/interfaces/checker.h"
#include "harness/generator/generator.h"

namespace ordeal {

// What a workload needs to know of the run when it makes its generators.
struct WorkloadContext {
  const Options& options;
  int workers = 0;
  std::uint64_t seed = 0;
  double time_limit_s = 0;
};

// A checker with the options it runs under.
struct ConfiguredChecker {
  std::shared_ptr<const Checker> checker;
  CheckOptions options;
};

struct Workload {
  std::string name;
  std::unique_ptr<Generator> generator;        // the main phase; the runner adds rate and time limit
  std::unique_ptr<Generator> final_generator;  // after all faults are healed; nullptr: none
  std::vector<ConfiguredChecker> checkers;
};

struct WorkloadFactory {
  std::string name;
  std::string help;
  // What a `valid` claims, in one sentence, when the options are left alone: exactly what the checkers decide. Options
  // that ask for less, or more, say so in their help.
  std::string promise;
  std::string data_type;                // "register", "set", "counter", …: what Target::use() is told
  std::vector<std::string> operations;  // the f's it issues; a target must support them all
  // Those of them that an option of type real leaves out when it is 0: {"cas", "register.cas"}.
  std::vector<std::pair<std::string, std::string>> weights;
  std::vector<OptionSpec> options;  // keys begin with "<name>."
  // Where the level that is claimed can be chosen (workloads/levels.h): by which option, among the levels of which
  // models, and what those levels claim that the models' catalogue has no words for. Else empty.
  std::string level_option;
  std::vector<std::string> models;
  std::vector<std::pair<std::string, std::string>> meanings;
  // Errors: usage (more workers than keys, …).
  Result<Workload> (*make)(const WorkloadContext& context) = nullptr;
  // Only the checkers, for `ordeal check --workload` and `ordeal report`.
  std::vector<ConfiguredChecker> (*checkers)(const Options& options) = nullptr;
};

}  // namespace ordeal
