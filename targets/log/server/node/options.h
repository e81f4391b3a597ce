#pragma once
// The options of a node, from flags and a TOML file (flags win), and what it remembers of itself in its data directory.
// Thread-safety: values.

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "targets/log/server/raft/types.h"

namespace ordeal::log::node {

// A node as it is listed: "NAME=PEER/CLIENT", two HOST:PORT.
struct MemberAddress {
  raft::NodeId id = raft::kNobody;
  std::string name;
  std::string peer;
  std::string client;

  friend bool operator==(const MemberAddress&, const MemberAddress&) = default;
};
[[nodiscard]] Result<MemberAddress> parse_member(const std::string& text);

struct NodeOptions {
  std::string data;                              // the data directory
  std::string name = "n1";                       // of this node
  std::string listen_client = "127.0.0.1:7300";  // HTTP
  std::string listen_peer = "127.0.0.1:7301";
  std::string advertise_client;  // where others reach it; empty: where it listens
  std::string advertise_peer;
  std::vector<std::string> cluster;           // the members of a new cluster; empty: this node alone
  std::vector<std::string> join;              // HOST:PORT of clients' ports of a running cluster
  bool recover = false;                       // damaged files: be rebuilt from the quorum (recover.h)
  std::string origin = "ordeal.example/log";  // the name of the transparency log
  bool redirect = false;                      // a follower redirects clients rather than passing their requests on
  bool lease_reads = false;                   // linearizable reads by the leader's lease rather than ReadIndex
  std::string token;                // clients must show it ("Authorization: Bearer …"); empty: anybody may ask
  std::uint64_t election_ms = 150;  // time-outs are drawn from [election_ms, 2 election_ms)
  std::uint64_t heartbeat_ms = 50;
  std::uint64_t snapshot_entries = 10'000;  // applied since the last snapshot, then there is another
  std::uint64_t max_in_flight = 1024;       // requests; more are answered 429
  std::uint64_t max_connections = 1024;     // of clients
  std::uint64_t max_body_bytes = 2U << 20;
  std::uint64_t request_timeout_ms = 5000;  // of a request that names none
  std::string bug = "none";                 // of the test build: bugs.h
};

// Reads the arguments of `ordeal-log` without the program's name. `help`: what was asked for is a text to print, no
// node.
struct Parsed {
  NodeOptions options;
  std::string help;
};
// Errors: usage, naming the flag, or file, line and key.
[[nodiscard]] Result<Parsed> parse_options(const std::vector<std::string>& arguments);
[[nodiscard]] Result<void> check(const NodeOptions& options);

// What a node is, decided once: file node.json of the data directory.
struct Identity {
  raft::NodeId id = raft::kNobody;
  std::string cluster;                  // its id
  std::vector<MemberAddress> founders;  // of the cluster, all of them voters; empty for a node that joined
  std::vector<MemberAddress> known;     // of a node that joined: the members then
};
// Nothing when there is no file. Errors: input, io.
[[nodiscard]] Result<Identity> load_identity(const std::string& data, bool& there);
[[nodiscard]] Result<void> save_identity(const std::string& data, const Identity& identity);
// Of a founder of a new cluster. Errors: usage, when the list does not have this node, or a name twice.
[[nodiscard]] Result<Identity> founder(const NodeOptions& options);

}  // namespace ordeal::log::node
