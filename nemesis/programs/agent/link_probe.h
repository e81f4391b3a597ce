#pragma once
// Link probe: what really happens to datagrams between two nodes, and to connections, seen from both ends. It knows
// nothing of queues and rules.
//
// The same command runs on all nodes that take part, at about the same time. A *flow* has a number, goes one way, and
// is known on both its ends. Times are in nanoseconds or, where they say so, microseconds.

#include <cstdint>
#include <string>
#include <vector>

namespace ordeal::agent {

struct ProbePlan {
  int port = 0;                  // UDP or TCP, the same on all nodes
  std::uint64_t nonce = 0;       // of this probing: strangers' datagrams are not counted
  int count = 0;                 // datagrams, or exchanges
  int size = 0;                  // bytes of a datagram
  int gap_us = 0;                // between two datagrams of a flow
  int limit_ms = 0;              // it ends then in any case
  std::vector<std::string> out;  // FLOW=ADDRESS
  std::vector<std::string> in;   // FLOW
};

// Prints, for each flow that it sends, "sent FLOW DATAGRAMS ECHOES RTT_LOW_US RTT_MEDIAN_US" (the lower quartile and
// the median), for each that it receives "got FLOW DISTINCT TWICE LATE BYTES TOOK_US" (late: after one that was sent
// later; the time from first to last), and "node DAMAGED DISCARDED": datagrams that arrived with other bytes than were
// sent, and those that the kernel discarded meanwhile for their checksum, whosever they were.
int probe_datagrams(const ProbePlan& plan);

// Opens a connection for each flow, exchanges `count` short messages and closes. Prints "conversation FLOW EXCHANGES
// END", where END is closed (the other end saw it and closed, too), hung (it did not within a second), reset, silent (a
// message was not answered) or unreachable.
int probe_connections(const ProbePlan& plan);

}  // namespace ordeal::agent
