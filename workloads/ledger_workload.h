#pragma once
// The workload `ledger`: deposits and withdrawals as events of accounts, many at once on few accounts, with a read
// model beside them. It finds withdrawals that overdraw together, versions that are skipped or given twice, events that
// are lost or written twice, and read models that miss messages, apply them twice, or stay behind.

#include "harness/interfaces/workload.h"

namespace ordeal {

[[nodiscard]] WorkloadFactory ledger_workload();

}  // namespace ordeal
