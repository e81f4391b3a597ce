#pragma once
// Connection faults: reset and slow-close: what a broken middlebox does to TCP connections between nodes; by iptables,
// proven by connections (link_probe.h). Thread-safety: as of Injection.

#include "harness/interfaces/fault.h"

namespace ordeal {

[[nodiscard]] FaultFactory reset_fault();
[[nodiscard]] FaultFactory slow_close_fault();

}  // namespace ordeal
