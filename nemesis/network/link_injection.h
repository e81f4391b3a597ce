#pragma once
// Link injection: what the faults have in common that do something to the packets between some nodes and others: which
// links, by which addresses, and probes along them. A packet is dealt with where it arrives, and once only.
// Thread-safety: as of Injection.

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harness/interfaces/fault.h"
#include "nemesis/network/cluster_addresses.h"
#include "nemesis/network/link_probe.h"
#include "nemesis/network/packet_filter.h"
#include "nemesis/node/selector.h"

namespace ordeal {

// Which packets: those from one node to another, by pairs, and by port.
struct Links {
  Selection nodes;
  std::string direction;                                  // in, out or both, as seen from the selected nodes
  std::vector<std::pair<std::size_t, std::size_t>> ways;  // (from, to), ascending
  std::vector<int> ports;                                 // of either end; empty: all
  int probe_port = 0;
};

class LinkInjection : public Injection {
 public:
  LinkInjection(const FaultContext& context, Links links)
      : cluster_(context.cluster), id_(context.id), links_(std::move(links)) {}

  Value describe() const override;
  // All that have a part in it: packets of theirs, or to them, are touched.
  std::vector<std::string> nodes() const override;
  // Error `not_found`, when it is prepared but nothing passes along its links, so that there is nothing to compare
  // with: neither its effect nor its healing could be shown.
  Result<void> prepare(Deadline deadline) override;

 protected:
  // Runs the probes once before the injection. False: nothing passed.
  virtual bool baseline(Deadline deadline) = 0;

  const std::string& name(std::size_t node) const { return cluster_.at(node).name(); }
  std::vector<std::size_t> involved() const;
  bool touched(std::size_t from, std::size_t to) const;
  // When so little passes that the nodes cannot work together: each touched pair is as good as cut, in one direction or
  // both.
  Impairment as_cut() const;
  // For the chain of node `to`: all packets in question that arrive there. The probes' port is always among the ports.
  std::vector<FilterRule> rules(std::size_t to, const std::string& match, const std::string& action) const;
  // The addresses to which node `from` sends the packets in question, by node, without link-local ones.
  std::vector<std::vector<std::string>> destinations(std::size_t from) const;
  // "n1 to n2 (10.0.0.2)"
  std::string flow_name(std::size_t flow) const;
  // Looks again until the effect is as wanted, or the next look (of so many seconds) would be over too late.
  static Observation look_until(Deadline deadline, double look_s, const std::function<Observation()>& look);

  Cluster& cluster_;
  const std::string id_;
  const Links links_;
  std::vector<ProbeFlow> flows_;  // along touched links

 private:
  std::optional<ClusterAddresses> addresses_;
};

// The options "<fault>.nodes", ".peers", ".direction", ".ports" and ".probe-port".
[[nodiscard]] std::vector<OptionSpec> link_options(std::string_view fault, int probe_port);
// For FaultFactory::inapplicable: empty, or what is wrong.
[[nodiscard]] std::string link_problem(const FaultContext& context, std::string_view fault);
// Draws. Errors: usage.
[[nodiscard]] Result<Links> draw_links(const FaultContext& context, std::string_view fault, std::mt19937_64& random);

// What their help says of all of them.
[[nodiscard]] std::string link_help();

}  // namespace ordeal
