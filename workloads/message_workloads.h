#pragma once
// Workloads of messages that something else depends on.
//
//   dead-letter   consumers that fail on some messages: these end in the dead-letter queue, the others are done
//   outbox        changes that send a message in their transaction: both or neither

#include "harness/interfaces/workload.h"

namespace ordeal {

[[nodiscard]] WorkloadFactory dead_letter_workload();
[[nodiscard]] WorkloadFactory outbox_workload();

}  // namespace ordeal
