#pragma once
// Rtnetlink: the handful of network changes that a local node needs, made over one netlink socket.
//
// It exists because starting `ip` a dozen times costs more than all the rest of bringing nodes up. A socket belongs to
// the network namespace in which it was opened, also after its process has moved on to another one.
// Thread-safety: one thread per object. See rtnetlink(7).

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/descriptor.h"
#include "base/error.h"

namespace ordeal::nodes {

using HardwareAddress = std::array<unsigned char, 6>;

struct Neighbour {
  std::string address;
  HardwareAddress hardware{};
};

class Rtnetlink {
 public:
  // Opens a socket in the calling thread's network namespace.
  [[nodiscard]] static Result<Rtnetlink> open();

  // A bridge without spanning tree and without multicast snooping: its ports forward at once.
  [[nodiscard]] Result<void> add_bridge(const std::string& name, const HardwareAddress& own);
  // A veth pair: `name` here, as a port of the bridge with index `bridge`, and `peer` in the network namespace to which
  // `peer_namespace` (a file descriptor) refers, with the hardware address `own`.
  [[nodiscard]] Result<void> add_veth(const std::string& name, int bridge, const std::string& peer, int peer_namespace,
                                      const HardwareAddress& own);
  [[nodiscard]] Result<void> set_up(const std::string& name);
  // Adds an IPv4 or IPv6 address. IPv6 addresses skip duplicate address detection, which would take a second.
  [[nodiscard]] Result<void> add_address(const std::string& name, const std::string& address, int prefix_length);
  // From now on the interface (its index) knows who has that IPv4 or IPv6 address, and need not ask. The kernel keeps
  // what was asked for in one table of the whole machine, with room for a thousand neighbours of all namespaces; what
  // it was told has no limit. Requires: the interface is up.
  [[nodiscard]] Result<void> add_neighbour(int interface, const Neighbour& neighbour);
  // The interface's index in the socket's namespace.
  [[nodiscard]] Result<int> index(const std::string& name);

 private:
  explicit Rtnetlink(Descriptor socket) : socket_(std::move(socket)) {}
  // Sends one request and waits for its acknowledgement. `reply` receives the answer's payload where there is one.
  [[nodiscard]] Result<void> request(std::vector<char>& message, const std::string& doing,
                                     std::vector<char>* reply = nullptr);

  Descriptor socket_;
  std::uint32_t sequence_ = 0;
};

}  // namespace ordeal::nodes
