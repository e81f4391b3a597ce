#pragma once
// Packet faults: latency, loss, duplicate, reorder, corrupt and bandwidth: what a bad network does to packets between
// nodes; by the kernel of the sending node (netem.h) or an agent on the receiving one (packet_agent.h), proven by
// datagrams (link_probe.h). Thread-safety: as of Injection.

#include "harness/interfaces/fault.h"

namespace ordeal {

[[nodiscard]] FaultFactory latency_fault();
[[nodiscard]] FaultFactory loss_fault();
[[nodiscard]] FaultFactory duplicate_fault();
[[nodiscard]] FaultFactory reorder_fault();
[[nodiscard]] FaultFactory corrupt_fault();
[[nodiscard]] FaultFactory bandwidth_fault();

}  // namespace ordeal
