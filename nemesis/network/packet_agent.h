#pragma once
// Packet agent: the controller's side of faults for which the agent takes packets into its hands
// (nemesis/programs/agent/packet_fault.h).
//
// The rule that leads packets to it stands in table mangle, so that the filters of the node and other faults still see
// what it lets pass, and --queue-bypass lets everything pass when it is gone. What has been through it carries a bit of
// the packets' mark, which a chain in table filter takes away again. Thread-safety: pure functions.

#include <cstdint>
#include <string>
#include <vector>

#include "harness/interfaces/target.h"
#include "nemesis/network/packet_filter.h"

namespace ordeal {

struct PacketQueueId {
  int number = 0;
  std::uint32_t mark = 0;
};

// Puts the agent on the node and starts it: `effect` as in nemesis/programs/agent/packet_effect.h. Nothing is led to it
// yet.
[[nodiscard]] Result<PacketQueueId> start_packet_agent(Node& node, std::string_view id, std::uint64_t seed,
                                                       const std::string& effect, Deadline deadline);

// The chains that lead packets to it: those of `rules` (whose actions do not matter), on `hook`.
[[nodiscard]] std::vector<FilterChain> queue_chains(const PacketQueueId& queue, std::vector<FilterRule> rules,
                                                    const std::string& hook = "INPUT");

// The body of an undo script: first the rules that queue_chains() made go, and those of `others`, then the agent.
[[nodiscard]] std::string packet_agent_undo_script(std::string_view id, const std::string& hook = "INPUT",
                                                   const std::vector<FilterChain>& others = {});

}  // namespace ordeal
