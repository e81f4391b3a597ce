#pragma once
// Partition: some nodes no longer hear some others. See grudge.h for the shapes, packet_filter.h for the mechanism,
// links.h for the proof. Thread-safety: as of Injection.

#include "harness/interfaces/fault.h"

namespace ordeal {

[[nodiscard]] FaultFactory partition_fault();

}  // namespace ordeal
