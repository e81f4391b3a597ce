#pragma once
// ShellVersions: a second process.start, process.upgrade-start, for rolling upgrades. Which of the two has started what
// runs is read from the environment of its processes in /proc, where ORDEAL_START says it. Thread-safety: as Target.

#include <atomic>
#include <string>
#include <vector>

#include "targets/process/shell_commands.h"

namespace ordeal {

class ShellVersions final : public Target::Versions {
 public:
  // Borrows both.
  ShellVersions(Cluster& cluster, const ShellCommands& commands) : commands_(commands), second_(cluster.size()) {}

  std::string problem() const override;
  void choose(Node& node, Version version) override { second_[commands_.index_of(node)] = version == Version::second; }
  Result<Running> running(Node& node, Deadline deadline) override;

  // The option that starts the chosen version, and what ORDEAL_START is for it.
  [[nodiscard]] const char* key(const Node& node) const {
    return second_[commands_.index_of(node)] ? "process.upgrade-start" : "process.start";
  }
  [[nodiscard]] const char* mark(const Node& node) const {
    return second_[commands_.index_of(node)] ? "second" : "first";
  }

 private:
  const ShellCommands& commands_;
  std::vector<std::atomic<bool>> second_;  // by node
};

}  // namespace ordeal
