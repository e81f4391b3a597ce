#pragma once
// read-model: events are appended to logs, and the state built from them is read: at least as far as a token says, as
// it was at a position, and by replaying the log. What it finds: clients that miss their own writes in spite of their
// token, a past that changes, a model that differs from its log, events lost or taken twice, a model that stays behind.

#include "harness/interfaces/workload.h"

namespace ordeal {

[[nodiscard]] WorkloadFactory read_model_workload();

}  // namespace ordeal
