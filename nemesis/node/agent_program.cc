#include "nemesis/node/agent_program.h"

#include <fmt/format.h>

#include "nemesis/node/node_program.h"
#include "nemesis/node/node_state.h"
#include "nemesis/node/parallel.h"

namespace ordeal {
namespace {

std::string quoted(const std::vector<std::string>& arguments) {
  std::string out;
  for (const auto& one : arguments) out += ' ' + shell_quote(one);
  return out;
}

std::string agent_in(const std::string& folder) {
  return fmt::format("{}/{}", folder, program_name(NodeProgram::agent));
}

}  // namespace

std::string agent_path(std::string_view id) { return agent_in(fault_folder(id)); }

Result<std::string> install_and_run_agent(Node& node, std::string_view id, const std::vector<std::string>& arguments,
                                          Deadline deadline) {
  return install_and_run(node, id, NodeProgram::agent, agent_path(id) + quoted(arguments), deadline);
}

Result<std::string> run_agent(Node& node, std::string_view id, const std::vector<std::string>& arguments,
                              Deadline deadline) {
  return run_ok(node, root_script(agent_path(id) + quoted(arguments), deadline));
}

Result<std::string> run_agent_once(Node& node, std::string_view id, const std::vector<std::string>& arguments,
                                   Deadline deadline) {
  const std::string folder = fmt::format("{}/look-{}", kNodeStateRoot, id);
  // When the controller dies meanwhile nobody is left to hear what goes wrong, which must not end the shell before it
  // has cleaned up.
  const std::string before =
      fmt::format("trap 'rm -rf {0}; rmdir {1} 2>/dev/null' EXIT\ntrap 'exit 1' HUP INT TERM PIPE\nmkdir -p {0}\n",
                  folder, kNodeStateRoot);
  return install_and_run_in(node, folder, before, NodeProgram::agent, agent_in(folder) + quoted(arguments), deadline);
}

std::string agent_undo_script(std::string_view id, const std::vector<std::string>& arguments) {
  return fmt::format("[ -x {0} ] || exit 0\n{0}{1}", agent_path(id), quoted(arguments));
}

}  // namespace ordeal
