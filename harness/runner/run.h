#pragma once
// run_workload: one run, from open clients to closed ones.
//
//   open clients → main phase (the workload's generator under rate and time limit) with the nemesis beside it
//   → stop the nemesis, heal everything → wait until the target serves again → final phase → close
//   → the last record of the journal: how the run ended (store/run_end.h)
//
// The cluster and the target are brought up before and collected from afterwards by lifecycle.h; the history is in
// the journal's file and is read back from there to be judged, so that a long run costs no memory.
//
// Thread-safety: one run at a time per target; called from one thread.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "harness/generator/combinators.h"
#include "harness/interfaces/nemesis.h"
#include "harness/interfaces/plan.h"
#include "harness/interfaces/target.h"
#include "harness/interfaces/workload.h"
#include "harness/runner/worker_pool.h"
#include "harness/store/journal.h"
#include "harness/store/run_end.h"
#include "harness/store/run_log.h"

namespace ordeal {

// What a run is doing, for a progress line.
struct Progress {
  std::string phase;   // "opening", "main", "healing", "recovering", "final", "closing"
  double seconds = 0;  // since the run began
  OperationCounts counts;
  std::vector<std::string> active_faults;  // names, one for each injection in force
};

struct RunSetup {
  std::shared_ptr<Target> target;  // shared with threads that a client never gives back
  std::size_t nodes = 1;           // over which the workers are spread; 1 for a target without nodes
  Cluster* cluster = nullptr;      // to look at nodes that do not serve again; may be nullptr
  Workload* workload = nullptr;
  Nemesis* nemesis = nullptr;  // nullptr: none
  Journal* journal = nullptr;
  RunLog* log = nullptr;

  double time_limit_s = 60;   // of the main phase
  double final_limit_s = 60;  // of the final phase
  double rate = 200;          // 0: unlimited
  gen::Arrivals arrivals = gen::Arrivals::poisson;
  std::uint64_t seed = 0;
  double recovery_s = 30;
  WorkerPool::Settings workers;  // `nodes` is filled in from above

  // Ends the run early: what is open comes to its end, faults are healed, the final phase is left out.
  std::stop_token stop;
  // Ends it early for what was seen of it: nothing further is asked or injected, `at_halt` is called once, on the
  // caller's thread, while faults are in force and operations may be open; then as above.
  std::stop_token halt;
  std::function<void()> at_halt;
  std::function<void(const Progress&)> progress;  // on the caller's thread, every progress_interval
  std::chrono::milliseconds progress_interval{500};

  // The settings of a plan; the pointers are left to the caller.
  [[nodiscard]] static RunSetup from(const Plan& plan);
};

struct RunOutcome {
  OperationCounts counts;
  std::vector<FaultRecord> faults;
  // ns since the run began, -1: it did not come to that.
  std::int64_t main_begin_ns = -1;
  std::int64_t main_end_ns = -1;
  std::int64_t healed_ns = -1;
  std::int64_t recovered_ns = -1;  // the target served again
  std::int64_t final_begin_ns = -1;
  std::int64_t end_ns = -1;
  bool interrupted = false;       // by the stop token
  bool halted = false;            // by the other one
  std::size_t lost_workers = 0;   // never had a client, or no thread in the end
  std::size_t stuck_threads = 0;  // clients that never came back: leave the program by leave() (stuck.h)
  // What went wrong on the way. Whatever it is, faults were healed as far as possible and clients closed.
  std::optional<Error> failure;           // the journal: the history is cut short
  std::optional<Error> heal_failure;      // what is still broken
  std::optional<Error> recovery_failure;  // nobody knows whether the target came back
  // What the target itself did not survive.
  std::vector<UnrecoveredNode> unrecovered;

  [[nodiscard]] Value to_value() const;
};

// Errors: no client could be opened (the journal says so, and nothing else was done); unsupported, when there are no
// threads.
[[nodiscard]] Result<RunOutcome> run_workload(const RunSetup& setup);

}  // namespace ordeal
