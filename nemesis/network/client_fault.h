#pragma once
// Fault `clients`: the way between the clients and some nodes is cut, slow or lossy, while the nodes see each other as
// ever. Thread-safety: a pure function.

#include "harness/interfaces/fault.h"

namespace ordeal {

[[nodiscard]] FaultFactory clients_fault();

}  // namespace ordeal
