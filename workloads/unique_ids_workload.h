#pragma once
// Workload unique-ids: ids are generated as fast as the rate allows; none may come twice. After Jepsen's unique-ids.

#include "harness/interfaces/workload.h"

namespace ordeal {

[[nodiscard]] WorkloadFactory unique_ids_workload();

}  // namespace ordeal
