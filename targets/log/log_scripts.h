#pragma once
// The shell scripts that control one node of ordeal-log, as text. POSIX sh and the GNU tools that every Debian has;
// every script may run twice without harm.
//
// A node is recognised by its argument --data=DIR, which names it. A node that could not go on (its disk failed) ends
// with exit code 3; the script that started it starts it again, once a second, as a service manager would.
// Thread-safety: pure.

#include <cstdint>
#include <string>
#include <vector>

#include "base/options.h"

namespace ordeal {

struct LogMember {
  std::string name;
  std::string address;
};

// Where things are on a node: everything below <log.dir>/<node>.
struct LogPaths {
  std::string home;
  std::string binary;
  std::string data;
  std::string log;
  std::string keeper;  // who wants it to run: the process id of the script that starts it again
};
[[nodiscard]] LogPaths log_paths(const Options& options, const std::string& node);

// The program to upload: log.binary, or the ordeal-log that was built with this program. Errors: usage, not_found.
[[nodiscard]] Result<std::string> log_program(const Options& options);

// "10.0.0.1:7300"
[[nodiscard]] std::string log_client_address(const Options& options, const LogMember& member);
[[nodiscard]] std::string log_peer_address(const Options& options, const LogMember& member);

// The arguments of the member `self`. `joins`: it enters a cluster that exists rather than founding it. `second`: the
// second version: with log.upgrade-flags.
[[nodiscard]] std::vector<std::string> log_arguments(const Options& options, const std::vector<LogMember>& members,
                                                     std::size_t self, bool joins, bool second);
[[nodiscard]] std::vector<std::string> log_upgrade_flags(const Options& options);

// Prints the process ids, one a line.
[[nodiscard]] std::string log_pids_script(const LogPaths& paths);
// Prints the arguments of each process, one a line, and an empty line.
[[nodiscard]] std::string log_commands_script(const LogPaths& paths);
// Starts the node as a daemon, unless it runs. Exit code 3 when it died at once; why is then on standard error.
[[nodiscard]] std::string log_start_script(const LogPaths& paths, const std::vector<std::string>& arguments);
// Target::Membership::rejoin_script(): unless another member has it among the members, its data is deleted; then it is
// started with --join.
[[nodiscard]] std::string log_rejoin_script(const Options& options, const std::vector<LogMember>& members,
                                            std::size_t self, const LogPaths& paths, bool second);
// Deletes the data of a node that does not run, and its log.
[[nodiscard]] std::string log_erase_script(const LogPaths& paths, bool with_log);
// Sends a signal. With `gone`, nobody starts it again, and it is waited for `wait_s` seconds at most until no process
// is left; exit code 4 when one is.
[[nodiscard]] std::string log_signal_script(const LogPaths& paths, const std::string& signal, bool gone, int wait_s);

}  // namespace ordeal
