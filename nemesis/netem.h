#pragma once
// Netem: the kernel's own emulation of bad networks (tc-netem(8)) as another mechanism of faults on packets, which acts
// where they leave. As scripts.
//
// A classful queue (prio) with a handle of this injection's takes the place of the device's; its first three bands are those of
// the standard one, and the fourth, behind netem, gets what goes to some addresses. Devices that have a queue of somebody's
// making are left alone. Removal names this handle only, and the kernel puts its standard queue back.
//
// Thread-safety: pure functions.

#include <string>
#include <string_view>
#include <vector>

namespace ordeal {

// `effect` is what follows "netem". Run twice it does no more than once. Fails where the kernel has no netem.
[[nodiscard]] std::string netem_install_script(std::string_view id, const std::vector<std::string>& destinations,
                                               std::string_view effect);
// The body of the undo script.
[[nodiscard]] std::string netem_remove_script(std::string_view id);

}  // namespace ordeal
