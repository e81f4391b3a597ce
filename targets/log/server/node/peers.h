#pragma once
// Peers: the TCP connections between nodes. Sending never blocks: each peer has a bounded queue and a thread that
// connects, again when it must, and writes; what does not fit is dropped, which consensus takes for a lost message.
//
// A peer's address is the last one that this node was told: by the command line, by the members in the replicated
// state, or by the peer itself when it connected. Who connects is believed to be who he says; keep the peers' port
// among the nodes (targets/log/doc/operations.md). Thread-safety: all methods from any thread; `received` is called
// from several threads.

#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/descriptor.h"
#include "base/error.h"
#include "targets/log/server/node/frames.h"

namespace ordeal::log::node {

class Peers {
 public:
  static constexpr std::size_t kMaxQueuedBytes = std::size_t{64} << 20;  // to one peer
  static constexpr std::size_t kMaxConnections = 128;                    // of others to this node

  using Received = std::function<void(raft::NodeId from, FrameReader::Frame frame)>;
  // Listens at `listen` ("host:port"; an empty host: all addresses) and begins to serve. Errors: usage, io.
  [[nodiscard]] static Result<std::unique_ptr<Peers>> start(const std::string& listen, Hello self, Received received);
  ~Peers();
  Peers(const Peers&) = delete;
  Peers& operator=(const Peers&) = delete;

  // Where a peer is reached ("host:port"). The same again costs nothing.
  void set_address(raft::NodeId peer, const std::string& address);
  // Forgets a peer, and closes its connection.
  void forget(raft::NodeId peer);
  // False: it certainly was not sent (no address, or its queue is full).
  bool send(raft::NodeId to, FrameKind kind, std::string_view payload);
  // The addresses that a peer told when it connected; empty: it did not.
  [[nodiscard]] std::string told_by(raft::NodeId peer) const;

 private:
  struct Peer {
    std::string address;
    std::deque<std::string> queue;
    std::size_t bytes = 0;
    std::condition_variable_any wake;
    std::jthread sender;
  };
  struct Inbound {
    std::jthread reader;
    bool done = false;
  };
  Peers(Descriptor listener, Hello self, Received received);
  void accept_connections(const std::stop_token& stop);
  void read_from(const std::stop_token& stop, const Descriptor& socket);
  bool take(const FrameReader::Frame& frame, raft::NodeId& from);
  void send_to(const std::stop_token& stop, Peer& peer);
  [[nodiscard]] bool write_frames(const std::stop_token& stop, Peer& peer, const Descriptor& socket);
  void reap();

  const Descriptor listener_;
  const Hello self_;
  const Received received_;
  mutable std::mutex mutex_;  // guards all below
  std::map<raft::NodeId, std::unique_ptr<Peer>> peers_;
  std::map<raft::NodeId, std::string> told_;
  std::list<Inbound> inbound_;
  std::jthread acceptor_;  // last: it uses the others
};

// "host:port" apart; the port of "[fd00::1]:7" is 7. Errors: usage.
struct HostPort {
  std::string host;
  std::string port;
};
[[nodiscard]] Result<HostPort> parse_host_port(const std::string& text);

}  // namespace ordeal::log::node
