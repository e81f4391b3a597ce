#pragma once
// The inventory of hosts that `--nodes ssh:FILE` reads.
//
//     # comment
//     network-namespace=/proc/4711/ns/net
//     n1 host=10.0.0.1 user=root identity=~/.ssh/id_ed25519
//     n2 host=10.0.0.2 port=2222 known_hosts=hosts.txt jump=admin@gate:22 password_env=ORDEAL_N2_PASSWORD
//
// One host a line: its name, then key=value pairs in any order; a value with spaces stands in double quotes. What is
// not given is taken from ~/.ssh/config under the host's name, as `ssh` does. A password comes from a variable of the
// environment whose name begins with "ORDEAL_", and no other is ever sent to a host. Thread-safety: pure functions.

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "harness/control/ssh_node.h"

namespace ordeal::nodes {

struct Inventory {
  std::string network_namespace;  // to be entered before connecting; empty: none
  std::vector<SshEndpoint> hosts;
};

// `file` is for messages and as the base of relative paths. Errors: usage, with file:line and what was expected.
[[nodiscard]] Result<Inventory> parse_inventory(std::string_view text, const std::string& file);
// Errors: usage, also when the file cannot be read.
[[nodiscard]] Result<Inventory> read_inventory(const std::string& file);

}  // namespace ordeal::nodes
