#include "nemesis/engine/safety_net.h"

#include <utility>

#include "nemesis/node/node_state.h"
#include "nemesis/node/parallel.h"

namespace ordeal {

SafetyNet::SafetyNet(Cluster& cluster, const DriverOptions& options)
    : cluster_(cluster), options_(options), heartbeat_(cluster, options.run) {}

Result<void> SafetyNet::open() {
  return ledger_.open(options_.ledger_path, options_.run, options_.node_spec, cluster_);
}

Result<Undoing> SafetyNet::complete(std::string name, std::string fault, const std::vector<Undo>& bodies) const {
  Undoing out{std::move(name), std::move(fault), {}, {}};
  for (const Undo& one : bodies) {
    auto index = node_index(cluster_, one.node);
    if (!index) return fail(index.error());
    out.nodes.push_back(*index);
    out.undo.push_back({one.node, undo_script(out.name, out.fault, one.script)});
  }
  return out;
}

Result<void> SafetyNet::announce(const Undoing& undoing, const Value& description) {
  if (auto done = ledger_.opened(undoing.name, undoing.fault, description, undoing.undo); !done) return done;
  heartbeat_.hold(undoing.nodes);
  return {};
}

Result<void> SafetyNet::arm(const Undoing& undoing, Deadline deadline) {
  std::vector<std::string> scripts;
  const int silence_s = dead_man_limit_s(options_.dead_man_s, cluster_.size());
  for (const Undo& one : undoing.undo) scripts.push_back(arm_script(undoing.name, one.script, silence_s));
  auto done = all_done(run_scripts(cluster_, undoing.nodes, scripts, deadline));
  if (!done) return fail(done.error().during("preparing the node to undo the fault by itself"));
  return done;
}

std::vector<Result<std::string>> SafetyNet::undo(const Undoing& undoing, Deadline deadline) {
  std::vector<std::string> scripts;
  for (const Undo& one : undoing.undo) scripts.push_back(one.script);
  return run_scripts(cluster_, undoing.nodes, scripts, deadline);
}

std::vector<std::size_t> SafetyNet::lifted(const Undoing& undoing, std::chrono::steady_clock::time_point since) const {
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < undoing.nodes.size(); ++i) {
    if (heartbeat_.missed(undoing.nodes[i], undoing.name, since)) out.push_back(i);
  }
  return out;
}

void SafetyNet::release(const Undoing& undoing) { heartbeat_.release(undoing.nodes); }

Result<void> SafetyNet::close(const Undoing& undoing) { return ledger_.closed(undoing.name, "driver"); }

}  // namespace ordeal
