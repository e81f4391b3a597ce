#include "nemesis/network/link_probe.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <set>
#include <sstream>

#include "nemesis/node/agent_program.h"
#include "nemesis/node/parallel.h"

namespace ordeal {
namespace {

constexpr int kLimitMs = 4000;

struct Said {
  std::vector<std::size_t> nodes;
  std::vector<Result<std::string>> texts;  // of each
};

// Runs the probe on all nodes that have a part in it, at once.
Said run_probe(const Cluster& cluster, std::string_view id, bool in_force, const std::string& kind,
               const std::vector<ProbeFlow>& flows, const ProbeSettings& settings, Deadline deadline) {
  std::map<std::size_t, std::pair<std::string, std::string>> parts;  // what it sends, and what it receives
  for (std::size_t i = 0; i < flows.size(); ++i) {
    auto& sends = parts[flows[i].from].first;
    sends += fmt::format("{}{}={}", sends.empty() ? "" : ",", i, flows[i].address);
    auto& receives = parts[flows[i].to].second;
    receives += fmt::format("{}{}", receives.empty() ? "" : ",", i);
  }
  Said out;
  for (const auto& [node, part] : parts) out.nodes.push_back(node);
  const std::string nonce = std::to_string(std::random_device()());
  out.texts = on_each(out.nodes, [&](std::size_t node) {
    const auto& [sends, receives] = parts.at(node);
    const std::vector<std::string> words = {"probe",
                                            kind,
                                            std::to_string(settings.port),
                                            nonce,
                                            std::to_string(settings.count),
                                            std::to_string(settings.size),
                                            std::to_string(settings.gap_us),
                                            std::to_string(kLimitMs),
                                            sends,
                                            receives};
    return in_force ? run_agent(cluster.at(node), id, words, deadline)
                    : run_agent_once(cluster.at(node), id, words, deadline);
  });
  return out;
}

}  // namespace

DatagramsSeen probe_datagrams(const Cluster& cluster, std::string_view id, bool in_force,
                              const std::vector<ProbeFlow>& flows, const ProbeSettings& settings, Deadline deadline) {
  DatagramsSeen out;
  out.flows.resize(flows.size());
  const Said said = run_probe(cluster, id, in_force, "datagrams", flows, settings, deadline);
  std::set<std::size_t> mute;
  for (std::size_t k = 0; k < said.nodes.size(); ++k) {
    if (!said.texts[k]) {
      if (out.problem.empty()) out.problem = cluster.at(said.nodes[k]).name() + ": " + said.texts[k].error().message;
      mute.insert(said.nodes[k]);
      continue;
    }
    std::istringstream lines(*said.texts[k]);
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      std::string what;
      std::size_t flow = 0;
      words >> what;
      if (what == "node") {
        words >> out.damaged[said.nodes[k]] >> out.discarded[said.nodes[k]];
        continue;
      }
      if (!(words >> flow) || flow >= flows.size()) continue;
      FlowSeen& seen = out.flows[flow];
      double first = 0;
      double second = 0;
      if (what == "sent" && words >> seen.sent >> seen.echoes >> first >> second) {
        seen.rtt_low_ms = first / 1000;
        seen.rtt_median_ms = second / 1000;
      } else if (what == "got" && words >> seen.distinct >> seen.twice >> seen.late >> seen.bytes >> first) {
        seen.took_s = first / 1e6;
      }
    }
  }
  // What one end alone says shows nothing.
  for (std::size_t i = 0; i < flows.size(); ++i) {
    if (mute.contains(flows[i].from) || mute.contains(flows[i].to)) out.flows[i] = {};
  }
  return out;
}

std::vector<ConversationSeen> probe_connections(const Cluster& cluster, std::string_view id, bool in_force,
                                                const std::vector<ProbeFlow>& flows, const ProbeSettings& settings,
                                                Deadline deadline) {
  std::vector<ConversationSeen> out(flows.size());
  const Said said = run_probe(cluster, id, in_force, "connections", flows, settings, deadline);
  for (const auto& text : said.texts) {
    std::istringstream words(text ? *text : "");
    std::string what;
    std::size_t flow = 0;
    ConversationSeen seen;
    while (words >> what >> flow >> seen.exchanges >> seen.end) {
      if (what == "conversation" && flow < out.size()) out[flow] = seen;
    }
  }
  return out;
}

}  // namespace ordeal
