#include "nemesis/node/node_program.h"

#include <fmt/format.h>

#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "nemesis/node/embedded_file.h"
#include "nemesis/node/node_state.h"
#include "nemesis/node/parallel.h"

// The build makes a list of what it has: lines ORDEAL_NODE_PROGRAM(agent, x86_64, "path").
#define ORDEAL_NODE_PROGRAM(program, machine, path) ORDEAL_EMBEDDED_FILE(ordeal_##program##_##machine, path);
#include "node_programs.inc"
#undef ORDEAL_NODE_PROGRAM

namespace ordeal {
namespace {

struct Embedded {
  NodeProgram program;
  std::string_view machine;
  const char* begin;
  const char* end;
};

constexpr Embedded kEmbedded[] = {
#define ORDEAL_NODE_PROGRAM(program, machine, path) \
  {NodeProgram::program, #machine, ordeal_##program##_##machine##_begin, ordeal_##program##_##machine##_end},
#include "node_programs.inc"
#undef ORDEAL_NODE_PROGRAM
};

// What `uname -m` says, by name and address of the node. A stale answer would do no harm: the node looks itself whether
// what it is sent is for it.
class KnownMachines {
 public:
  Result<std::string> of(Node& node, Deadline deadline) {
    const std::pair key(node.name(), node.address());
    {
      const std::lock_guard lock(mutex_);
      if (const auto known = machines_.find(key); known != machines_.end()) return known->second;
    }
    auto said = run_ok(node, root_script(std::string(kScriptHead) + "uname -m\n", deadline));
    if (!said) return fail(said.error().during("asking for its kind of machine"));
    std::string machine = said->substr(0, said->find('\n'));
    const std::lock_guard lock(mutex_);
    return machines_[key] = std::move(machine);
  }

 private:
  std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, std::string> machines_;  // guarded by mutex_
};

Result<std::string> machine_of(Node& node, Deadline deadline) {
  static KnownMachines known;
  return known.of(node, deadline);
}

struct Chosen {
  std::string machine;
  std::string_view bytes;
};

Result<Chosen> choose(Node& node, NodeProgram program, Deadline deadline) {
  auto machine = machine_of(node, deadline);
  if (!machine) return fail(machine.error());
  const std::string_view bytes = program_bytes(program, *machine);
  if (!bytes.empty()) return Chosen{*std::move(machine), bytes};
  return fail(ErrorCode::unsupported, program_missing(program, node.name(), *machine));
}

// Reads the program from standard input into `folder`, under its name only when it is complete.
std::string receive_script(const std::string& folder, NodeProgram program, const Chosen& chosen) {
  return fmt::format(R"script(machine=$(uname -m)
[ "$machine" = {machine} ] || {{ echo "the {name} is for {machine}, and this node is $machine now" >&2; exit 1; }}
umask 077
cat >"{folder}/{name}.$$" || exit 1
[ "$(wc -c <"{folder}/{name}.$$")" -eq {size} ] || {{ echo "the {name} did not arrive whole" >&2; exit 1; }}
chmod 700 "{folder}/{name}.$$" && mv "{folder}/{name}.$$" "{folder}/{name}" || exit 1
)script",
                     fmt::arg("machine", chosen.machine), fmt::arg("folder", folder),
                     fmt::arg("name", program_name(program)), fmt::arg("size", chosen.bytes.size()));
}

}  // namespace

std::string_view program_name(NodeProgram program) { return program == NodeProgram::agent ? "agent" : "disk"; }

std::string_view program_bytes(NodeProgram program, std::string_view machine) {
  for (const Embedded& one : kEmbedded) {
    if (one.program == program && one.machine == machine) return {one.begin, one.end};
  }
  return {};
}

std::string program_machines(NodeProgram program) {
  std::string out;
  for (const Embedded& one : kEmbedded) {
    if (one.program == program) out += fmt::format("{}{}", out.empty() ? "" : " and ", one.machine);
  }
  return out;
}

std::string program_missing(NodeProgram program, std::string_view node, std::string_view machine) {
  std::string build;
  if (machine == "aarch64" || machine == "x86_64") {
    build = fmt::format("build Ordeal again with {} installed (make build does both) or on a machine of that kind, or ",
                        machine == "aarch64" ? "g++-aarch64-linux-gnu" : "g++-x86-64-linux-gnu");
  }
  return fmt::format(
      "{} is a machine of kind {}, and this Ordeal has its {} program for {} only: {}leave out that node, or the "
      "faults that need the {}",
      node, machine, program_name(program), program_machines(program), build, program_name(program));
}

Result<std::string_view> program_for(Node& node, NodeProgram program, Deadline deadline) {
  const auto chosen = choose(node, program, deadline);
  if (!chosen) return fail(chosen.error());
  return chosen->bytes;
}

std::string missing_program_script(NodeProgram program) {
  std::string out = "machine=$(uname -m)\ncase $machine in\n";
  for (const Embedded& one : kEmbedded) {
    if (one.program == program) out += fmt::format("{}) ;;\n", one.machine);
  }
  for (const auto& [pattern, machine] :
       {std::pair("x86_64", "x86_64"), std::pair("aarch64", "aarch64"), std::pair("*", "$machine")}) {
    out += fmt::format("{}) echo \"{}\" ;;\n", pattern, program_missing(program, "it", machine));
  }
  return out + "esac\n";
}

Result<std::string> install_and_run_in(Node& node, const std::string& folder, std::string_view before,
                                       NodeProgram program, std::string_view script, Deadline deadline) {
  const auto chosen = choose(node, program, deadline);
  if (!chosen) return fail(chosen.error());
  Command command = root_script(
      fmt::format("{}{}{}{}", kScriptHead, before, receive_script(folder, program, *chosen), script), deadline);
  command.input = chosen->bytes;
  return run_ok(node, command);
}

Result<std::string> install_and_run(Node& node, std::string_view id, NodeProgram program, std::string_view script,
                                    Deadline deadline) {
  return install_and_run_in(node, fault_folder(id), "", program, script, deadline);
}

}  // namespace ordeal
