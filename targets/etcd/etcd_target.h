#pragma once
// Target etcd: the database half (install, start, kill, …) on nodes, and its registration in the catalogue.
// What each method does on a node is one shell script in etcd_scripts.h; the client half is client.h.

#include "harness/interfaces/target.h"

namespace ordeal {

[[nodiscard]] TargetFactory etcd_target();

}  // namespace ordeal
