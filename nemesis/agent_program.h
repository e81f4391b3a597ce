#pragma once
// Agent program: how the controller puts the agent (nemesis/agent) on a node and runs it.
//
// The agent lies in the folder of the fault that needs it (node_state.h), beside the undo script that calls it, and goes
// with it: when the fault is undone nothing of Ordeal's is left on the node. It is sent over the command's standard
// input, which needs neither SFTP nor a folder that the login user may write. Thread-safety: pure functions.

#include <string>
#include <string_view>
#include <vector>

#include "harness/runner/target.h"

namespace ordeal {

// A program of ours for nodes: its file's name there, and its bytes.
struct NodeProgram {
  std::string_view name;
  std::string_view bytes;
};
// Puts it into the fault's folder and then runs the script. Standard output. Requires: the fault is armed.
[[nodiscard]] Result<std::string> install_and_run(Node& node, std::string_view id, const NodeProgram& program,
                                                  std::string_view script, Deadline deadline);

// The agent, and the machine it runs on as `uname -m` says it.
[[nodiscard]] std::string_view agent_program();
[[nodiscard]] std::string_view agent_machine();

// Where it is while the fault `id` is in force.
[[nodiscard]] std::string agent_path(std::string_view id);

// Puts it there and runs it. Standard output, or an error that carries its message. Requires: the fault is armed.
[[nodiscard]] Result<std::string> install_and_run_agent(Node& node, std::string_view id,
                                                        const std::vector<std::string>& arguments, Deadline deadline);
// Runs the one that is there. Errors: remote, also when it is not there any more.
[[nodiscard]] Result<std::string> run_agent(Node& node, std::string_view id, const std::vector<std::string>& arguments,
                                            Deadline deadline);
// Puts it into a folder of its own, runs it and removes both: to observe when no fault is in force.
[[nodiscard]] Result<std::string> run_agent_once(Node& node, std::string_view id,
                                                 const std::vector<std::string>& arguments, Deadline deadline);

// The body of an undo script that leaves the work to the agent. When it is not there, nothing was injected.
[[nodiscard]] std::string agent_undo_script(std::string_view id, const std::vector<std::string>& arguments);

}  // namespace ordeal
