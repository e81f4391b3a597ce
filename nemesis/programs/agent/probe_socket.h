#pragma once
// Sockets of the probes, which speak IPv4 and IPv6 alike.

#include <netinet/in.h>

#include <string>
#include <vector>

namespace ordeal::agent {

// IPv4 addresses are mapped into IPv6 ones where the machine has that. False when it is no address.
[[nodiscard]] bool parse_address(const std::string& text, int port, sockaddr_in6& out);

// A non-blocking socket of SOCK_DGRAM or SOCK_STREAM bound to `port` on all addresses, -1 with errno set when there is
// none. What another probe just uses is waited for, half a second at most.
[[nodiscard]] int open_probe_socket(int type, int port);

// "FLOW=ADDRESS"
struct OutFlow {
  int flow = 0;
  sockaddr_in6 to{};
};
[[nodiscard]] std::vector<OutFlow> parse_out_flows(const std::vector<std::string>& words, int port);

}  // namespace ordeal::agent
