#include "nemesis/network/link_injection.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <thread>

#include "nemesis/network/ports.h"
#include "nemesis/node/draw.h"
#include "nemesis/node/parallel.h"

namespace ordeal {
namespace {

// Of how many senders a node receives probes: enough to show it, and few enough in large clusters.
constexpr std::size_t kProbedSenders = 4;

std::string key(std::string_view fault, std::string_view name) { return fmt::format("{}.{}", fault, name); }

}  // namespace

Value LinkInjection::describe() const {
  Value out = Value::map();
  out.set("selector", links_.nodes.how);
  Value nodes = Value::list();
  for (const std::size_t node : links_.nodes.nodes) nodes.items().emplace_back(name(node));
  out.set("nodes", std::move(nodes));
  out.set("direction", links_.direction);
  Value ways = Value::map();
  for (const auto& [from, to] : links_.ways) {
    Value list = Value::list();
    if (const Value* known = ways.find(name(from))) list = *known;
    list.items().emplace_back(name(to));
    ways.set(name(from), std::move(list));
  }
  out.set("from_to", std::move(ways));
  if (!links_.ports.empty()) out.set("ports", ports_text(links_.ports));
  if (!links_.nodes.note.empty()) out.set("note", links_.nodes.note);
  return out;
}

std::vector<std::string> LinkInjection::nodes() const { return node_names(cluster_, involved()); }

std::vector<std::size_t> LinkInjection::involved() const {
  std::set<std::size_t> out;
  for (const auto& [from, to] : links_.ways) {
    out.insert(from);
    out.insert(to);
  }
  return {out.begin(), out.end()};
}

bool LinkInjection::touched(std::size_t from, std::size_t to) const {
  return std::binary_search(links_.ways.begin(), links_.ways.end(), std::pair(from, to));
}

Impairment LinkInjection::as_cut() const {
  Impairment out;
  for (const auto& [from, to] : links_.ways) {
    if (from < to || !touched(to, from)) out.cut.emplace_back(from, to);
  }
  return out;
}

Result<void> LinkInjection::prepare(Deadline deadline) {
  auto found = ClusterAddresses::look_up(cluster_, deadline);
  if (!found) return fail(found.error());
  addresses_ = *std::move(found);
  std::vector<std::size_t> senders(cluster_.size(), 0);
  for (const auto& [from, to] : links_.ways) {
    if (auto sources = addresses_->sources(to, from, {from}); !sources) return fail(sources.error());
    if (senders[to]++ >= kProbedSenders) continue;
    for (auto& address : addresses_->reachable(from, to)) flows_.push_back({from, to, std::move(address)});
  }
  if (!flows_.empty() && !baseline(deadline))
    return fail(ErrorCode::not_found, "none of the probes passes along its links");
  return {};
}

std::vector<FilterRule> LinkInjection::rules(std::size_t to, const std::string& match,
                                             const std::string& action) const {
  std::vector<int> ports = links_.ports;
  if (!ports.empty()) ports.push_back(links_.probe_port);
  std::vector<FilterRule> out;
  for (const auto& [from, at] : links_.ways) {
    if (at != to) continue;
    const auto sources = addresses_->sources(to, from, {from});
    if (!sources) continue;  // prepare() has seen that there are some
    for (const auto& source : *sources) {
      for (const auto& by_port : port_matches(ports)) {
        // A match that names a protocol goes with the ports of that protocol only.
        const bool other = !match.empty() && !by_port.empty() && match.substr(0, 6) != by_port.substr(0, 6);
        if (other) continue;
        const std::string rest = match.empty() || by_port.empty() ? by_port : by_port.substr(6);
        out.push_back({source, match + rest, action});
      }
    }
  }
  return out;
}

std::vector<std::vector<std::string>> LinkInjection::destinations(std::size_t from) const {
  std::vector<std::vector<std::string>> out;
  for (const auto& [at, to] : links_.ways) {
    if (at != from) continue;
    const auto addresses = addresses_->sources(from, to, {to});
    if (!addresses) continue;
    std::vector<std::string> of_node;
    std::copy_if(addresses->begin(), addresses->end(), std::back_inserter(of_node),
                 [](const std::string& one) { return !one.starts_with("fe80:"); });
    if (!of_node.empty()) out.push_back(std::move(of_node));
  }
  return out;
}

std::string LinkInjection::flow_name(std::size_t flow) const {
  return fmt::format("{} to {} ({})", name(flows_[flow].from), name(flows_[flow].to), flows_[flow].address);
}

Observation LinkInjection::look_until(Deadline deadline, double look_s, const std::function<Observation()>& look) {
  const auto ahead = std::chrono::duration<double>(look_s);
  while (true) {
    Observation seen = look();
    if (seen.confirmed || std::chrono::steady_clock::now() + ahead > deadline) return seen;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

std::vector<OptionSpec> link_options(std::string_view fault, int probe_port) {
  using Type = OptionSpec::Type;
  return {
      {key(fault, "nodes"), Type::string, "random",
       "whose packets: one, minority, majority, all, primaries, subset (any set), a named set (n1,n3), or random: "
       "draws "
       "among one, minority and primaries"},
      {key(fault, "peers"), Type::string, "all", "only those to or from these nodes; as above"},
      {key(fault, "direction"),
       Type::string,
       "both",
       "in: what those nodes receive from their peers; out: what they send to them; both; random: draws among the "
       "three",
       std::nullopt,
       std::nullopt,
       {"both", "in", "out", "random"}},
      {key(fault, "ports"), Type::string, "",
       "only packets from or to these ports, TCP and UDP (\"2380,2379\"); empty: all"},
      {key(fault, "probe-port"), Type::integer, probe_port,
       "port (UDP or TCP) that the probes use on the nodes, and on which nothing else listens", 1, 65535},
  };
}

std::string link_problem(const FaultContext& context, std::string_view fault) {
  if (context.cluster.nodes.empty()) {
    return fmt::format("target {} runs on no nodes, so there is no network between them", context.target.name());
  }
  if (context.cluster.size() < 2) return "it needs two nodes or more";
  for (const char* one : {"nodes", "peers"}) {
    const std::string problem = selector_problem(context.options.string(key(fault, one)), context);
    if (!problem.empty()) return fmt::format("{}.{}: {}", fault, one, problem);
  }
  const auto ports = parse_ports(context.options.string(key(fault, "ports")));
  return ports ? "" : key(fault, "ports") + ": " + ports.error().message;
}

Result<Links> draw_links(const FaultContext& context, std::string_view fault, std::mt19937_64& random) {
  auto nodes = select_nodes(context.options.string(key(fault, "nodes")), context, random);
  if (!nodes) return fail(nodes.error());
  auto peers = select_nodes(context.options.string(key(fault, "peers")), context, random);
  if (!peers) return fail(peers.error());
  auto ports = parse_ports(context.options.string(key(fault, "ports")));
  if (!ports) return fail(ports.error());
  static constexpr std::string_view kDirections[] = {"both", "in", "out"};
  const std::string_view drawn = kDirections[draw_below(random, 3)];
  Links out;
  out.direction = context.options.string(key(fault, "direction"));
  if (out.direction == "random") out.direction = drawn;
  std::set<std::pair<std::size_t, std::size_t>> ways;
  for (const std::size_t node : nodes->nodes) {
    for (const std::size_t peer : peers->nodes) {
      if (node == peer) continue;
      if (out.direction != "in") ways.emplace(node, peer);
      if (out.direction != "out") ways.emplace(peer, node);
    }
  }
  if (ways.empty())
    return fail(ErrorCode::usage, fmt::format("{0}.nodes and {0}.peers name the same single node", fault));
  out.ways.assign(ways.begin(), ways.end());
  out.nodes = *std::move(nodes);
  out.ports = *std::move(ports);
  out.probe_port = static_cast<int>(context.options.integer(key(fault, "probe-port")));
  return out;
}

std::string link_help() {
  return "Only packets between nodes of the cluster are touched, by their addresses, IPv4 and IPv6: never those of "
         "clients, nor the controller's. ";
}

}  // namespace ordeal
