#pragma once
// DNS: name resolution fails on some nodes, also for programs that run already. Thread-safety: as of Injection.

#include "harness/interfaces/fault.h"

namespace ordeal {

[[nodiscard]] FaultFactory dns_fault();

}  // namespace ordeal
