#pragma once
// idempotency-keys: operations with a key and a body, sent again by clients that do not know whether they were heard,
// sometimes with another body, and later, when the key may have expired.

#include "harness/interfaces/workload.h"

namespace ordeal {

[[nodiscard]] WorkloadFactory idempotency_keys_workload();

}  // namespace ordeal
