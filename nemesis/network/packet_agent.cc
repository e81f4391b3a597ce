#include "nemesis/network/packet_agent.h"

#include <fmt/format.h>

#include <sstream>

#include "nemesis/node/agent_program.h"
#include "nemesis/node/node_state.h"

namespace ordeal {

Result<PacketQueueId> start_packet_agent(Node& node, std::string_view id, std::uint64_t seed, const std::string& effect,
                                         Deadline deadline) {
  // The agent's integers are signed.
  const std::vector<std::string> words = {"packets", "start", fault_folder(id), std::to_string(seed >> 1U), effect};
  auto said = install_and_run_agent(node, id, words, deadline);
  if (!said) return fail(said.error());
  PacketQueueId out;
  std::istringstream text(*said);
  std::string word;
  if (!(text >> word >> out.number >> out.mark) || word != "queue") {
    return fail(ErrorCode::remote,
                node.name() + ": the agent said \"" + *said + "\" instead of the number of its queue");
  }
  return out;
}

std::vector<FilterChain> queue_chains(const PacketQueueId& queue, std::vector<FilterRule> rules,
                                      const std::string& hook) {
  const std::string seen = fmt::format("-m mark --mark {0:#x}/{0:#x}", queue.mark);
  FilterChain to_queue{"mangle", hook, {{"", seen, "-j RETURN"}}};
  for (FilterRule& rule : rules) {
    rule.action = fmt::format("-j NFQUEUE --queue-num {} --queue-bypass", queue.number);
    to_queue.rules.push_back(std::move(rule));
  }
  return {std::move(to_queue),
          {"filter", hook, {{"", seen, fmt::format("-j MARK --set-xmark 0x0/{:#x}", queue.mark)}}}};
}

std::string packet_agent_undo_script(std::string_view id, const std::string& hook,
                                     const std::vector<FilterChain>& others) {
  std::vector<FilterChain> chains = queue_chains({}, {}, hook);
  chains.insert(chains.end(), others.begin(), others.end());
  return filter_remove_script(id, chains) + agent_undo_script(id, {"packets", "undo", fault_folder(id)});
}

}  // namespace ordeal
