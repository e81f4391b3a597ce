#pragma once
// ordered-ids: ids are generated everywhere and at all times. What it finds: ids that come twice, as after a restart
// with a lost counter or two nodes with one number, and ids that go back, as after a clock did.

#include "harness/interfaces/workload.h"

namespace ordeal {

[[nodiscard]] WorkloadFactory ordered_ids_workload();

}  // namespace ordeal
