#include "nemesis/engine/guarded_target.h"

namespace ordeal {
namespace {

// Longer than any sound call for one node takes; then the other lane's call hangs, and that is worth an error.
constexpr auto kPatience = std::chrono::seconds(30);

}  // namespace

GuardedTarget::GuardedTarget(Target& target, const Cluster& cluster) : ForwardingTarget(target) {
  for (const auto& node : cluster.nodes) nodes_[node->name()];
}

template <class Call>
auto GuardedTarget::locked(Node& node, Call call) -> decltype(call()) {
  std::unique_lock lock(nodes_.at(node.name()), kPatience);
  if (!lock) return fail(ErrorCode::timeout, node.name() + ": another fault has been at work on this node for 30 s");
  return call();
}

Result<void> GuardedTarget::start(Node& node) {
  return locked(node, [&] { return to_.start(node); });
}

Result<void> GuardedTarget::stop(Node& node) {
  return locked(node, [&] { return to_.stop(node); });
}

Result<void> GuardedTarget::GuardedInstallation::install(Node& node) {
  return owner_.locked(node, [&] { return owner_.to_.installation()->install(node); });
}

Result<void> GuardedTarget::GuardedInstallation::wipe(Node& node) {
  return owner_.locked(node, [&] { return owner_.to_.installation()->wipe(node); });
}

Result<Value> GuardedTarget::GuardedInstallation::describe(Node& node) {
  return owner_.locked(node, [&] { return owner_.to_.installation()->describe(node); });
}

Result<void> GuardedTarget::GuardedMembership::remove(Node& node, Deadline deadline) {
  return owner_.locked(node, [&] { return owner_.to_.membership()->remove(node, deadline); });
}

Result<void> GuardedTarget::GuardedMembership::add(Node& node, Deadline deadline) {
  return owner_.locked(node, [&] { return owner_.to_.membership()->add(node, deadline); });
}

void GuardedTarget::GuardedVersions::choose(Node& node, Version version) {
  const std::lock_guard lock(owner_.nodes_.at(node.name()));
  owner_.to_.versions()->choose(node, version);
}

Result<Target::Versions::Running> GuardedTarget::GuardedVersions::running(Node& node, Deadline deadline) {
  return owner_.locked(node, [&] { return owner_.to_.versions()->running(node, deadline); });
}

Result<void> GuardedTarget::GuardedProcesses::kill(Node& node) {
  return owner_.locked(node, [&] { return owner_.to_.processes()->kill(node); });
}

Result<void> GuardedTarget::GuardedProcesses::pause(Node& node) {
  return owner_.locked(node, [&] { return owner_.to_.processes()->pause(node); });
}

Result<void> GuardedTarget::GuardedProcesses::resume(Node& node) {
  return owner_.locked(node, [&] { return owner_.to_.processes()->resume(node); });
}

Result<std::vector<int>> GuardedTarget::GuardedProcesses::pids(Node& node) {
  return owner_.locked(node, [&] { return owner_.to_.processes()->pids(node); });
}

Result<std::vector<std::size_t>> GuardedTarget::GuardedRoles::primaries(Deadline deadline) {
  const std::unique_lock lock(owner_.roles_mutex_, deadline);
  if (!lock) return fail(ErrorCode::timeout, "another fault is still asking who leads");
  return owner_.to_.roles()->primaries(deadline);
}

}  // namespace ordeal
