#pragma once
// The memory target: a linearizable store inside the controller. It needs no nodes and answers in microseconds, so it
// shows Ordeal at work on any machine, measures the harness itself, and, with its bugs switched on, proves that the
// checkers find what they should. See store.h for what it can do. Thread-safety: as Target.

#include "harness/interfaces/target.h"

namespace ordeal {

[[nodiscard]] TargetFactory memory_target();

}  // namespace ordeal
