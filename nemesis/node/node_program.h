#pragma once
// Node program: the programs of ours that work on nodes (nemesis/programs/agent, nemesis/programs/disk), as bytes of
// the controller, one for each kind of machine it was built for, and how the right one gets onto a node.
//
// A kind of machine is what `uname -m` says: "x86_64", "aarch64". A cluster may have several. A program is sent over
// the command's standard input, which needs neither SFTP nor a folder that the login user may write. Thread-safety: all
// functions from any thread.

#include <string>
#include <string_view>

#include "harness/interfaces/target.h"

namespace ordeal {

enum class NodeProgram { agent, disk };

// Its file's name on the node: "agent", "disk".
[[nodiscard]] std::string_view program_name(NodeProgram program);

// Its bytes for that kind of machine; empty: there is none.
[[nodiscard]] std::string_view program_bytes(NodeProgram program, std::string_view machine);
// Where it runs, in words: "x86_64 and aarch64".
[[nodiscard]] std::string program_machines(NodeProgram program);

// Why a node of that kind of machine cannot be helped, and what to do.
[[nodiscard]] std::string program_missing(NodeProgram program, std::string_view node, std::string_view machine);

// Its bytes for the node. A node is asked only once what it is, which is remembered for as long as this process lives.
// Errors: unsupported, when there is none for that kind of machine (program_missing()); those of Node::run.
[[nodiscard]] Result<std::string_view> program_for(Node& node, NodeProgram program, Deadline deadline);

// For a shell script on a node: prints a line that says what to do when there is none for its kind of machine, else
// nothing.
[[nodiscard]] std::string missing_program_script(NodeProgram program);

// Puts it into the fault's folder and then runs the script. Standard output. Requires: the fault is armed. Errors: as
// above; remote, when the script fails.
[[nodiscard]] Result<std::string> install_and_run(Node& node, std::string_view id, NodeProgram program,
                                                  std::string_view script, Deadline deadline);
// The same with a folder and a script before, which makes it.
[[nodiscard]] Result<std::string> install_and_run_in(Node& node, const std::string& folder, std::string_view before,
                                                     NodeProgram program, std::string_view script, Deadline deadline);

}  // namespace ordeal
