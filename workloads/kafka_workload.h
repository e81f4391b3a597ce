#pragma once
// Workload kafka: unique messages are sent to totally ordered logs and polled by consumers that assign themselves to
// some of them; in the end every worker polls all logs. After Jepsen's kafka workload.

#include "harness/interfaces/workload.h"

namespace ordeal {

[[nodiscard]] WorkloadFactory kafka_workload();

}  // namespace ordeal
