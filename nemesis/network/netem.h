#pragma once
// Netem: the kernel's own emulation of bad networks (tc-netem(8), and tc-tbf(8) for a rate) as another mechanism of
// faults on packets, which acts where they leave. As scripts.
//
// A classful queue (prio) with a handle of this injection's takes the place of the device's; its first three bands are
// those of the default one, and what goes to a node of the cluster gets a band of its own with the emulation behind
// it. Devices that have a queue of somebody's making are left alone. Removal names this handle only, and the kernel
// puts its default queue back.

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "harness/interfaces/target.h"

namespace ordeal {

// The addresses that share a band: those of one node, or of all.
using NetemBands = std::vector<std::vector<std::string>>;
inline constexpr std::size_t kMaxNetemBands = 13;  // prio has 16

// Prints "yes", or why netem_install_script() would fail on this node. Tries the queues in a network namespace that is
// gone when it ends; what stays are the kernel's modules, loaded.
[[nodiscard]] std::string netem_probe_script(const NetemBands& bands, std::string_view effect);

// `effect` is a queue and its parameters: "netem delay 10ms". Run twice it does no more than once.
// Requires: at most kMaxNetemBands bands.
[[nodiscard]] std::string netem_install_script(std::string_view id, const NetemBands& bands, std::string_view effect);
// The body of the undo script.
[[nodiscard]] std::string netem_remove_script(std::string_view id);

// Two faults at once cannot both have the queues of a node: who has this has those of some nodes, as far as faults of
// this process go, until it is destroyed. Thread-safety: take() and destruction from any thread; the scripts are pure
// functions.
class NetemClaim {
 public:
  // Null, when another has one of the nodes. Borrows the cluster.
  [[nodiscard]] static std::unique_ptr<NetemClaim> take(const Cluster& cluster, const std::vector<std::size_t>& nodes);
  ~NetemClaim();
  NetemClaim(const NetemClaim&) = delete;
  NetemClaim& operator=(const NetemClaim&) = delete;

 private:
  NetemClaim(const Cluster& cluster, const std::vector<std::size_t>& nodes) : cluster_(cluster), nodes_(nodes) {}
  const Cluster& cluster_;
  const std::vector<std::size_t> nodes_;
};

}  // namespace ordeal
