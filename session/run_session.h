#pragma once
// RunSession: the life of one run, from a plan to a complete history in its directory: nodes, target, nemesis, clients,
// logs. run_and_judge() adds the verdict, and is the whole of `ordeal run` for one plan:
//
//   RunRequest request;
//   request.flags = {{"target", {"memory", "test"}}, {"time-limit", {"1s", "test"}}, {"store", {store, "test"}}};
//   auto plan = resolve(request);
//   auto judged = run_and_judge(*plan, observer, {});
//   EXPECT_EQ(judged->verdict, Verdict::valid);
//
// Whoever runs sessions ends the program by leave() (harness/runner/stuck.h). Thread-safety: one thread; two sessions
// may run at once as far as their targets may.

#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/error.h"
#include "harness/interfaces/plan.h"
#include "session/judge.h"
#include "session/observer.h"

namespace ordeal {

class RunSession {
 public:
  // Borrows the plan and the observer. `stop` ends the run early: faults are healed and logs collected all the same.
  // `at_anomaly`: the first anomaly that is seen while it runs does so, too (follower.h); the target is then frozen,
  // and its data saved, before faults are healed.
  RunSession(const Plan& plan, RunObserver& observer, std::stop_token stop, bool at_anomaly = false);
  // Gives the nodes back; local ones are gone afterwards.
  ~RunSession();
  RunSession(const RunSession&) = delete;
  RunSession& operator=(const RunSession&) = delete;

  // Until the history is complete. Errors: usage, for what only shows with the nodes at hand; nodes, target, network.
  // The run's directory then says more in ordeal.log.
  [[nodiscard]] Result<void> play();
  // Empty before there is one.
  [[nodiscard]] const std::string& directory() const;
  // What the option nodes.keep asks for, when the run is judged: leaves the nodes and what runs there as they are, and
  // returns the words that tell how to enter and how to remove them; empty: there are none. Without a call they go
  // with the session.
  [[nodiscard]] std::string keep_nodes();
  // What went wrong beside the history, which can be judged all the same.
  [[nodiscard]] const std::vector<Error>& troubles() const;

 private:
  class Parts;
  std::unique_ptr<Parts> parts_;
};

// Two wishes of whoever waits: `run` ends the run, which is healed, collected and judged all the same, or, when it has
// ended, its judgement; `judging` ends the judgement at any rate, with what is known by then.
struct RunStops {
  std::stop_token run;
  std::stop_token judging;
  bool at_anomaly = false;  // see RunSession
};

// Plays the plan and judges what it left. A run that failed is judged as well: JudgedRun::failure then says why.
// Errors: what kept the run from having a directory; of judge_run().
[[nodiscard]] Result<JudgedRun> run_and_judge(const Plan& plan, RunObserver& observer, const RunStops& stops);

}  // namespace ordeal
