#pragma once
// Workload bank: money is transferred between accounts, each operation one transaction, while others read all balances.
// Whatever happens, the total stays the same and no account goes below zero. After Jepsen's bank.

#include "harness/interfaces/workload.h"

namespace ordeal {

[[nodiscard]] WorkloadFactory bank_workload();

}  // namespace ordeal
