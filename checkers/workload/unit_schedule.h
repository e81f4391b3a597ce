#pragma once
// Can tasks that all take the same time share one machine, each begun within a window of its own?
//
// That is what a token bucket comes down to. In the virtual scheduling of the generic cell rate algorithm (ITU-T I.371,
// annex A) a grant is a task of length T, the time in which a token grows, and the machine may begin it up to the time
// in which the rest of the burst grows, (B - 1) T, after it was granted. So a grant that took place somewhere between
// its invocation and its answer is a task that begins between the invocation and the answer + (B - 1) T, and instants
// that respect the limit exist exactly when there is a schedule.
//
// Tasks of one length with any release times and deadlines: M. R. Garey, D. S. Johnson, B. B. Simons and R. E. Tarjan,
// "Scheduling unit-time tasks with arbitrary release times and deadlines", SIAM Journal on Computing 10(2), 1981.
// Before that, two answers that are quick: taking the earliest deadline first succeeds (a schedule), or some window has
// more tasks than fit (none). Tested against trying all orders. Thread-safety: pure.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "checkers/workload/judgement.h"

namespace ordeal::work {

// Begins no earlier than `release` and no later than `deadline`.
struct Task {
  std::int64_t release = 0, deadline = 0;
};

struct Schedule {
  enum class Answer { possible, impossible, undecided } answer = Answer::possible;
  std::vector<std::size_t> proof;  // when impossible: places of tasks that have no schedule, even alone
};

// `unit`: how long each takes; more than 0. Undecided: too many tasks for the exact method, which takes time in the
// square of them. Counts its steps as work of `in`, and so throws OutOfLimits.
[[nodiscard]] Schedule schedule(const std::vector<Task>& tasks, std::int64_t unit, const Judgement& in);

}  // namespace ordeal::work
