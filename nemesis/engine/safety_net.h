#pragma once
// SafetyNet: what undoes a fault whoever dies: its undo scripts in the ledger, on the nodes, and the watchdogs there,
// which the heartbeat keeps still.
//
// In this order: complete(), announce(), arm(), then the fault itself; undo(), release(), close(). A fault that is in
// force is thus always in the ledger, and what is in the ledger was perhaps never injected, which costs nothing.
//
// Thread-safety: all methods from any thread.

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "harness/interfaces/fault.h"
#include "nemesis/engine/driver_options.h"
#include "nemesis/engine/heartbeat.h"
#include "nemesis/engine/ledger.h"

namespace ordeal {

// The complete undo scripts of one fault or groundwork.
struct Undoing {
  std::string name;  // on nodes and in the ledger: "3f2a91bc-4"
  std::string fault;
  std::vector<Undo> undo;
  std::vector<std::size_t> nodes;  // of `undo`
};

class SafetyNet {
 public:
  // Borrows both. Requires: the options' `run` is set.
  SafetyNet(Cluster& cluster, const DriverOptions& options);

  // Once, before all else. Errors: io.
  [[nodiscard]] Result<void> open();
  // Puts scripts around what a fault says about its undoing. Errors: not_found, a node that the cluster does not have.
  [[nodiscard]] Result<Undoing> complete(std::string name, std::string fault, const std::vector<Undo>& bodies) const;
  // On disk when it returns; beats go to the nodes from then on. Errors: io.
  [[nodiscard]] Result<void> announce(const Undoing& undoing, const Value& description);
  // Puts the scripts on the nodes and starts their watchdogs. Errors: what the nodes say.
  [[nodiscard]] Result<void> arm(const Undoing& undoing, Deadline deadline);
  // Runs the scripts, on all nodes at once. What each said ("undone", or "gone": somebody else had undone it), in the
  // order of `undoing.nodes`.
  [[nodiscard]] std::vector<Result<std::string>> undo(const Undoing& undoing, Deadline deadline);
  // The nodes (places in `undoing.nodes`) on which somebody has undone it since it was armed, at `since`.
  [[nodiscard]] std::vector<std::size_t> lifted(const Undoing& undoing,
                                                std::chrono::steady_clock::time_point since) const;
  // The nodes need no more beats for it.
  void release(const Undoing& undoing);
  // It is undone: nobody has to undo it again. Errors: io.
  [[nodiscard]] Result<void> close(const Undoing& undoing);

 private:
  Cluster& cluster_;
  const DriverOptions& options_;
  Ledger ledger_;
  Heartbeat heartbeat_;
};

}  // namespace ordeal
