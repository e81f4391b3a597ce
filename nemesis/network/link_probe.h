#pragma once
// Link probe: datagrams and connections between nodes, sent and received by agents on both ends
// (nemesis/programs/agent/link_probe.h), which share nothing with those that inject. Thread-safety: pure functions.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "harness/interfaces/target.h"

namespace ordeal {

// One way from a node to an address of another.
struct ProbeFlow {
  std::size_t from = 0;
  std::size_t to = 0;
  std::string address;
};

struct ProbeSettings {
  int port = 0;
  int count = 0;      // datagrams, or exchanges, for each flow
  int size = 64;      // bytes of a datagram
  int gap_us = 1000;  // between two of a flow
};

struct FlowSeen {
  int sent = 0;  // 0: the other end did not answer a greeting within 1.5 s, or one of the two could not be asked
  int echoes = 0;
  double rtt_low_ms = 0;  // the lower quartile
  double rtt_median_ms = 0;
  int distinct = 0;
  int twice = 0;
  int late = 0;  // arrived after one that had been sent later
  std::int64_t bytes = 0;
  double took_s = 0;  // from the first that arrived to the last
};

struct DatagramsSeen {
  std::vector<FlowSeen> flows;                    // in the order of the flows
  std::map<std::size_t, std::int64_t> damaged;    // by node: arrived with other bytes than were sent
  std::map<std::size_t, std::int64_t> discarded;  // by node: discarded by its kernel for their checksum
  std::string problem;                            // of the first node that could not be asked
};

// `id` is that of the fault; `in_force`: its folder with the agent is on all nodes, else the agent is sent there and
// removed again. Takes as long as the datagrams do, and 4 s at most.
[[nodiscard]] DatagramsSeen probe_datagrams(const Cluster& cluster, std::string_view id, bool in_force,
                                            const std::vector<ProbeFlow>& flows, const ProbeSettings& settings,
                                            Deadline deadline);

struct ConversationSeen {
  int exchanges = 0;
  std::string end;  // closed, hung, reset, silent, unreachable; empty: it could not be tried
};
[[nodiscard]] std::vector<ConversationSeen> probe_connections(const Cluster& cluster, std::string_view id,
                                                              bool in_force, const std::vector<ProbeFlow>& flows,
                                                              const ProbeSettings& settings, Deadline deadline);

}  // namespace ordeal
