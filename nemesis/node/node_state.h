#pragma once
// Node state: what Ordeal keeps on a node while a fault is in force there, and nothing else of Ordeal's is there.
//
//   /var/lib/ordeal/faults/<id>/undo.sh      undoes the fault and then removes this folder and the watchdog
//                              watchdog.sh   the dead-man's switch: runs undo.sh when `beat` has not changed for a
//                              while beat          a counter, written anew by the controller twice a second watchdog
//                              the watchdog's process id agent         the agent, and what it keeps, for faults that
//                              need it (agent_program.h)
//
// The id is "<run>-<number>", so that runs never meet. Everything is POSIX shell, since nothing else can be taken for
// granted on a node; the watchdog counts its own sleeps and reads no clock but that of the time since the node's boot,
// so that a clock fault does not fire it.
//
// An undo script may be run at any time, any number of times, by several at once (controller, watchdog, `ordeal heal`,
// a person), and says on standard output "undone" when it was the one that removed the folder, else "gone".
//
// Thread-safety: pure functions that make scripts.

#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/error.h"

namespace ordeal {

inline constexpr std::string_view kNodeStateRoot = "/var/lib/ordeal";

// Found where iptables lives also for login users without sbin in their path; messages of tools in English.
inline constexpr std::string_view kScriptHead =
    "PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin LC_ALL=C\nexport PATH LC_ALL\n";

// At most 20 letters, digits and hyphens: it becomes part of file names and of chain names.
[[nodiscard]] bool is_fault_id(std::string_view id);

// Where a fault's files are on the node.
[[nodiscard]] std::string fault_folder(std::string_view id);

// The complete undo script around `body`, which exits non-zero while the fault is still in force. Requires:
// is_fault_id.
[[nodiscard]] std::string undo_script(std::string_view id, std::string_view fault, std::string_view body);

// A target's start script as part of an undo script's body: the watchdog's umask, directory and priority are its own.
[[nodiscard]] std::string start_in_undo(std::string_view script);

// Puts the undo script on the node and starts the watchdog, which fires after `dead_man_s` to `dead_man_s` + 1 seconds
// of silence. Requires: dead_man_s >= 1.
[[nodiscard]] std::string arm_script(std::string_view id, std::string_view undo, int dead_man_s);

// Runs the node's own copy of the undo script, if it is `undo` to the byte; else says only "absent" or "differs". For
// scripts that come from a file of perhaps somebody else's, which must not decide what runs here. Requires:
// is_fault_id.
[[nodiscard]] std::string undo_if_same_script(std::string_view id, std::string_view undo);

// Writes `count` into the beat of every fault of the run that is in force on the node; one line for each of them, its
// id, and a full stop at the end (parse_beat).
[[nodiscard]] std::string beat_script(std::string_view run, std::uint64_t count);

// The ids that a beat's script named; nothing: what it said breaks off.
[[nodiscard]] std::optional<std::set<std::string>> parse_beat(std::string_view said);

// Runs every undo script that is on the node, of whatever run; one line each: "undone ID" or "failed ID".
[[nodiscard]] std::string undo_everything_script();

}  // namespace ordeal
