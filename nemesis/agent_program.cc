#include "nemesis/agent_program.h"

#include <fmt/format.h>

#include "nemesis/embedded_file.h"
#include "nemesis/node_state.h"
#include "nemesis/parallel.h"

// ORDEAL_AGENT_FILE and ORDEAL_AGENT_MACHINE come from CMakeLists.txt.
ORDEAL_EMBEDDED_FILE(ordeal_agent, ORDEAL_AGENT_FILE);

namespace ordeal {
namespace {

std::string quoted(const std::vector<std::string>& arguments) {
  std::string out;
  for (const auto& one : arguments) out += ' ' + shell_quote(one);
  return out;
}

// Reads the program from standard input into `folder`, under its name only when it is complete.
std::string receive_script(const std::string& folder, const NodeProgram& program) {
  return fmt::format(R"script({head}machine=$(uname -m)
[ "$machine" = {machine} ] || {{ echo "the {name} is built for {machine}, and this node is $machine" >&2; exit 1; }}
umask 077
cat >"{folder}/{name}.$$" || exit 1
[ "$(wc -c <"{folder}/{name}.$$")" -eq {size} ] || {{ echo "the {name} did not arrive whole" >&2; exit 1; }}
chmod 700 "{folder}/{name}.$$" && mv "{folder}/{name}.$$" "{folder}/{name}" || exit 1
)script",
                     fmt::arg("head", kScriptHead), fmt::arg("machine", agent_machine()), fmt::arg("folder", folder),
                     fmt::arg("name", program.name), fmt::arg("size", program.bytes.size()));
}

Result<std::string> send_and_run(Node& node, const NodeProgram& program, std::string script, Deadline deadline) {
  Command command = root_script(std::move(script), deadline);
  command.input = program.bytes;
  return run_ok(node, command);
}

constexpr std::string_view kAgent = "agent";

}  // namespace

std::string_view agent_program() { return {ordeal_agent_begin, ordeal_agent_end}; }
std::string_view agent_machine() { return ORDEAL_AGENT_MACHINE; }

std::string agent_path(std::string_view id) { return fmt::format("{}/{}", fault_folder(id), kAgent); }

Result<std::string> install_and_run(Node& node, std::string_view id, const NodeProgram& program, std::string_view script,
                                    Deadline deadline) {
  return send_and_run(node, program, receive_script(fault_folder(id), program) + std::string(script), deadline);
}

Result<std::string> install_and_run_agent(Node& node, std::string_view id, const std::vector<std::string>& arguments,
                                          Deadline deadline) {
  return install_and_run(node, id, {kAgent, agent_program()}, agent_path(id) + quoted(arguments), deadline);
}

Result<std::string> run_agent(Node& node, std::string_view id, const std::vector<std::string>& arguments,
                              Deadline deadline) {
  return run_ok(node, root_script(agent_path(id) + quoted(arguments), deadline));
}

Result<std::string> run_agent_once(Node& node, std::string_view id, const std::vector<std::string>& arguments,
                                   Deadline deadline) {
  const std::string folder = fmt::format("{}/look-{}", kNodeStateRoot, id);
  const NodeProgram agent{kAgent, agent_program()};
  const std::string script = fmt::format("mkdir -p {0}; trap 'rm -rf {0}; rmdir {1} 2>/dev/null' EXIT\n{2}{0}/agent{3}",
                                         folder, kNodeStateRoot, receive_script(folder, agent), quoted(arguments));
  return send_and_run(node, agent, script, deadline);
}

std::string agent_undo_script(std::string_view id, const std::vector<std::string>& arguments) {
  return fmt::format("[ -x {0} ] || exit 0\n{0}{1}", agent_path(id), quoted(arguments));
}

}  // namespace ordeal
