#pragma once
// The command lines and POSIX shell scripts by which target cockroachdb works on a node. All scripts may run twice.
// Source of the flags: cockroachdb/docs, cockroach-start.md and cockroach-init.md of v25.2. Thread-safety: pure.
//
// Everything of a node lies below <cockroachdb.dir>/<node>: data/, cockroach.log, and bin/cockroach when a program was
// uploaded. The process is known by its argument --store in /proc.

#include <string>
#include <vector>

#include "base/options.h"

namespace ordeal {

struct CockroachPaths {
  std::string home, binary, data, log;
};
[[nodiscard]] CockroachPaths cockroach_paths(const Options& options, const std::string& node);

// `addresses`: of all nodes, in order. One node alone needs no others and no init.
[[nodiscard]] std::vector<std::string> cockroach_arguments(const Options& options, const std::string& node,
                                                           const std::vector<std::string>& addresses, std::size_t self);
// NAME=VALUE words. Small ranges need the fourth from 23.1 on.
[[nodiscard]] std::vector<std::string> cockroach_environment(const Options& options);
[[nodiscard]] std::string cockroach_start_script(const Options& options, const std::string& node,
                                                 const std::vector<std::string>& addresses, std::size_t self);
// Initializes the cluster by that node; exits 0 also when that is done already.
[[nodiscard]] std::string cockroach_init_script(const Options& options, const std::string& node,
                                                const std::string& address);
[[nodiscard]] std::string cockroach_pids_script(const Options& options, const std::string& node);
// Waits up to `wait_s` until the process is gone and exits 4 when it is not, unless it is 0.
[[nodiscard]] std::string cockroach_signal_script(const Options& options, const std::string& node,
                                                  const std::string& signal, int wait_s);
[[nodiscard]] std::string cockroach_erase_script(const Options& options, const std::string& node);

}  // namespace ordeal
