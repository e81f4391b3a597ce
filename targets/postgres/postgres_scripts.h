#pragma once
// The POSIX shell scripts by which target postgres works on a node. All may run twice. Thread-safety: pure.
//
// Everything of a node lies below <postgres.dir>/<node>: data/, postgres.log and the mark that the data directory is
// complete. The server never runs as root (it refuses to): scripts that run as root start it as postgres.user, others
// as the login user. Its processes are known by their working directory, which is the data directory.

#include <string>

#include "base/options.h"

namespace ordeal {

struct PostgresPaths {
  std::string home, data, log, made;
};
[[nodiscard]] PostgresPaths postgres_paths(const Options& options, const std::string& node);

// Exits 0 when the programs run as the user that they will run as; else says what is missing.
[[nodiscard]] std::string postgres_check_script(const Options& options, const std::string& node, bool standby);
// Makes the data directory unless that is done, and starts the server unless it runs. `primary`: the address of the
// server that it copies and then follows; empty: it is the primary.
[[nodiscard]] std::string postgres_start_script(const Options& options, const std::string& node,
                                                const std::string& address, const std::string& primary);
[[nodiscard]] std::string postgres_pids_script(const Options& options, const std::string& node);
// To all processes; waits up to `wait_s` until they are gone and exits 4 when they are not, unless it is 0.
[[nodiscard]] std::string postgres_signal_script(const Options& options, const std::string& node,
                                                 const std::string& signal, int wait_s);
// A fast shutdown: asks the first process alone.
[[nodiscard]] std::string postgres_stop_script(const Options& options, const std::string& node, int wait_s);
[[nodiscard]] std::string postgres_erase_script(const Options& options, const std::string& node);

}  // namespace ordeal
