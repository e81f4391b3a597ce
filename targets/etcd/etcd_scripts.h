#pragma once
// The shell scripts that control one member of etcd on its node, as text. POSIX sh and the GNU tools that every
// Debian has; every script may run twice without harm.
//
// A member is recognised by its argument --data-dir=DIR, which names the node: whatever other etcd runs on the
// machine is never touched. Thread-safety: pure.

#include <cstdint>
#include <string>
#include <vector>

#include "base/options.h"

namespace ordeal {

struct EtcdMember {
  std::string name;
  std::string address;
};

// Where things are on a node: everything below <etcd.dir>/<node>.
struct EtcdPaths {
  std::string home;
  std::string binary;         // only there when a binary was uploaded
  std::string second_binary;  // likewise, that of etcd.upgrade-binary
  std::string data;
  std::string log;
  std::string pid_file;
};
[[nodiscard]] EtcdPaths etcd_paths(const Options& options, const std::string& node);

// "http://10.0.0.1:2379", "http://[fd00::1]:2379".
[[nodiscard]] std::string etcd_url(const std::string& address, std::int64_t port);

// How a member differs from those with which the cluster began.
struct EtcdVariant {
  std::string joins;    // it joins a cluster that exists: the argument --initial-cluster ("n1=http://…,n2=…")
  bool second = false;  // the second version: with etcd.upgrade-flags
};

// The arguments of the member `self` of a cluster of `members`.
[[nodiscard]] std::vector<std::string> etcd_arguments(const Options& options, const std::vector<EtcdMember>& members,
                                                      std::size_t self, const EtcdVariant& variant = {});
// The words of etcd.upgrade-flags.
[[nodiscard]] std::vector<std::string> etcd_upgrade_flags(const Options& options);

// Prints the process ids of the member, one a line.
[[nodiscard]] std::string etcd_pids_script(const EtcdPaths& paths);
// Prints, for each process of the member, its program and then its arguments, one a line, and an empty line.
[[nodiscard]] std::string etcd_commands_script(const EtcdPaths& paths);
// Starts the member as a daemon with pid file and log, unless it runs. Exit code 3 when it died at once; what
// its log says of that is then on standard error.
[[nodiscard]] std::string etcd_start_script(const EtcdPaths& paths, const std::vector<std::string>& arguments);
// Target::Membership::rejoin_script(): asks the other members over HTTP (bash and timeout(1)), each time after a
// linearizable read, whether the member `self` is one of them; if not, its data, which is that of a member that was
// removed, is deleted and it is announced; then it is started.
[[nodiscard]] std::string etcd_rejoin_script(const Options& options, const std::vector<EtcdMember>& members,
                                             std::size_t self, const EtcdPaths& paths, bool second);
// Deletes the data of a member that does not run, and its log.
[[nodiscard]] std::string etcd_erase_script(const EtcdPaths& paths, bool with_log);
// What a member said last, on standard error (of etcd_start_script) or in its log, in a sentence: the messages of its
// JSON log, once each; for a port that somebody else has, what to do.
[[nodiscard]] std::string etcd_last_words(const std::string& said);
// Sends a signal to the member. With `gone`, waits until no process is left, for at most `wait_s` seconds; exit code
// 4 when one is.
[[nodiscard]] std::string etcd_signal_script(const EtcdPaths& paths, const std::string& signal, bool gone, int wait_s);

}  // namespace ordeal
