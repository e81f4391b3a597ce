#include "nemesis/programs/agent/followers.h"

#include <unistd.h>

#include <algorithm>

#include "nemesis/programs/agent/proc.h"

namespace ordeal::agent {

bool Followers::add(int process) {
  const ProcessStatus status = status_of(process);
  if (!status.alive()) return false;
  known_.push_back({process, status.started});
  commands_.push_back(command_of(process));
  return true;
}

std::vector<int> Followers::look() {
  std::vector<Known> alive;
  std::vector<int> out;
  // Parents have smaller ids than their children, but where ids have begun anew: then the next look finds the child.
  for (const int process : all_processes()) {
    const ProcessStatus status = status_of(process);
    if (process == ::getpid() || !status.alive()) continue;
    const Known one{process, status.started};
    if (!is_known(one) && !is_ours(process, status.parent)) continue;
    alive.push_back(one);
    out.push_back(process);
    if (!is_known(one)) known_.push_back(one);
  }
  known_ = std::move(alive);
  return out;
}

bool Followers::is_known(const Known& one) const {
  return std::find(known_.begin(), known_.end(), one) != known_.end();
}

bool Followers::is_ours(int process, int parent) const {
  if (std::any_of(known_.begin(), known_.end(), [&](const Known& one) { return one.process == parent; })) return true;
  const std::string command = command_of(process);
  return !command.empty() && std::find(commands_.begin(), commands_.end(), command) != commands_.end();
}

}  // namespace ordeal::agent
