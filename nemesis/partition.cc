#include "nemesis/partition.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <sstream>
#include <thread>

#include "checkers/base/catalogue.h"
#include "nemesis/draw.h"
#include "nemesis/grudge.h"
#include "nemesis/links.h"
#include "nemesis/packet_filter.h"
#include "nemesis/parallel.h"
#include "nemesis/selector.h"

namespace ordeal {
namespace {

// Long enough for any link on which a cluster would run, short enough to keep injection and proof near a second.
constexpr int kProbeWaitMs = 700;

bool is_literal(const std::string& address) {
  std::array<unsigned char, sizeof(in6_addr)> buffer{};
  return ::inet_pton(AF_INET, address.c_str(), buffer.data()) == 1 ||
         ::inet_pton(AF_INET6, address.c_str(), buffer.data()) == 1;
}

Value names_value(const Cluster& cluster, const std::vector<std::size_t>& nodes) {
  Value out = Value::list();
  for (const std::size_t i : nodes) out.items().emplace_back(cluster.at(i).name());
  return out;
}

class Partition final : public Injection {
 public:
  Partition(const FaultContext& context, std::string shape, bool one_way, Grudge grudge, std::string note)
      : cluster_(context.cluster),
        id_(context.id),
        shape_(std::move(shape)),
        one_way_(one_way),
        grudge_(std::move(grudge)),
        note_(std::move(note)),
        port_(static_cast<int>(context.options.integer("partition.probe-port"))) {}

  Value describe() const override;
  std::vector<std::string> nodes() const override { return node_names(cluster_, filtering()); }
  Impairment impairment() const override { return {{}, grudge_.cut}; }
  Result<void> prepare(Deadline deadline) override;
  std::vector<Undo> undo() const override;
  Result<void> inject(Deadline deadline) override;
  Result<Observation> confirm(Deadline deadline) override;
  Result<Observation> confirm_healed(Deadline deadline) override;

 private:
  bool drops(std::size_t at, std::size_t from) const {
    return std::binary_search(grudge_.drops[at].begin(), grudge_.drops[at].end(), from);
  }
  std::vector<std::size_t> filtering() const;
  std::vector<std::string> all_addresses(std::size_t node) const;
  std::vector<std::string> probed_addresses(std::size_t from, std::size_t to) const;
  Result<void> look_up_addresses(Deadline deadline);
  Result<void> make_rules();
  Result<void> check_tools() const;
  void baseline(Deadline deadline);
  Observation observe(Deadline deadline) const;
  std::string link_name(const Probe& probe) const;

  Cluster& cluster_;
  std::string id_;
  std::string shape_;
  bool one_way_;
  Grudge grudge_;
  std::string note_;
  int port_;
  // Filled by prepare().
  std::vector<NodeAddresses> addresses_;
  std::vector<FilterRules> rules_;
  std::vector<Probe> cut_probes_;     // across cut links, answered before the injection
  std::vector<Probe> intact_probes_;  // along links that stay, answered before
};

Value Partition::describe() const {
  Value out = Value::map();
  out.set("shape", shape_);
  out.set("direction", one_way_ ? "one-way" : "both");
  Value groups = Value::list();
  for (const auto& group : grudge_.groups) groups.items().push_back(names_value(cluster_, group));
  out.set("groups", std::move(groups));
  Value deaf = Value::map();
  for (std::size_t i = 0; i < grudge_.drops.size(); ++i) {
    if (!grudge_.drops[i].empty()) deaf.set(cluster_.at(i).name(), names_value(cluster_, grudge_.drops[i]));
  }
  out.set("drops", std::move(deaf));
  if (!note_.empty()) out.set("note", note_);
  return out;
}

// The nodes that get a chain: those that drop, and in a one-way cut also those that show by counting that they still
// hear the deaf side.
std::vector<std::size_t> Partition::filtering() const {
  std::set<std::size_t> out;
  for (const auto& [a, b] : grudge_.cut) {
    out.insert(a);
    out.insert(b);
  }
  return {out.begin(), out.end()};
}

std::vector<std::string> Partition::all_addresses(std::size_t node) const {
  const NodeAddresses& own = addresses_[node];
  std::vector<std::string> out = own.v4;
  out.insert(out.end(), own.v6.begin(), own.v6.end());
  out.insert(out.end(), own.v6_link.begin(), own.v6_link.end());
  // Behind address translation the cluster's name for a node is none of its own addresses.
  const std::string& named = cluster_.at(node).address();
  if (is_literal(named) && std::find(out.begin(), out.end(), named) == out.end()) out.push_back(named);
  return out;
}

// Where `from` tries to reach `to`: the address that the cluster uses and, where both have IPv6, one of that, too.
std::vector<std::string> Partition::probed_addresses(std::size_t from, std::size_t to) const {
  const NodeAddresses& peer = addresses_[to];
  std::vector<std::string> out;
  const std::string& named = cluster_.at(to).address();
  if (is_literal(named)) {
    out.push_back(named);
  } else if (!peer.v4.empty()) {
    out.push_back(peer.v4.front());
  }
  const bool both_v6 = !peer.v6.empty() && !addresses_[from].v6.empty();
  if (both_v6 && (out.empty() || !is_v6(out.front()))) out.push_back(peer.v6.front());
  return out;
}

Result<void> Partition::look_up_addresses(Deadline deadline) {
  std::vector<std::size_t> everyone(cluster_.size());
  for (std::size_t i = 0; i < everyone.size(); ++i) everyone[i] = i;
  const auto found = on_each(everyone, [&](std::size_t node) {
    Command command = root_script(addresses_script(), deadline);
    command.sudo = false;  // sudo forgets from where the controller comes
    return run_ok(cluster_.at(node), command);
  });
  if (auto all = all_done(found); !all) return fail(all.error().during("looking up the nodes' addresses"));
  addresses_.clear();
  for (std::size_t i = 0; i < found.size(); ++i) {
    auto parsed = parse_addresses(*found[i]);
    if (!parsed) return fail(parsed.error().during(cluster_.at(i).name()));
    addresses_.push_back(*std::move(parsed));
  }
  return {};
}

Result<void> Partition::check_tools() const {
  for (const std::size_t node : filtering()) {
    std::vector<std::string> sources = rules_[node].drop;
    sources.insert(sources.end(), rules_[node].count.begin(), rules_[node].count.end());
    std::istringstream missing(addresses_[node].missing);
    std::string tool;
    while (missing >> tool) {
      const bool v6_tool = tool.starts_with("ip6");
      const bool needed = tool.starts_with("ip") && std::any_of(sources.begin(), sources.end(), [&](const auto& source) {
                            return is_v6(source) == v6_tool;
                          });
      if (!needed) continue;
      return fail(ErrorCode::unsupported, fmt::format("{}: a partition needs {}, which is not there; install the package "
                                                      "iptables on the node", cluster_.at(node).name(), tool));
    }
  }
  return {};
}

Result<void> Partition::make_rules() {
  rules_.assign(cluster_.size(), {});
  for (std::size_t at = 0; at < cluster_.size(); ++at) {
    // An address that several nodes have (a container bridge, a virtual address) cannot tell them apart, and packets
    // of the node itself must pass.
    std::set<std::string> spared;
    for (std::size_t other = 0; other < cluster_.size(); ++other) {
      if (drops(at, other)) continue;
      for (auto& address : all_addresses(other)) spared.insert(std::move(address));
    }
    // A node without IPv6 but for link-local addresses does without ip6tables.
    const bool v4_only = addresses_[at].v6.empty() && addresses_[at].missing.find("ip6tables") != std::string::npos;
    for (const std::size_t from : grudge_.drops[at]) {
      const std::size_t before = rules_[at].drop.size();
      for (const auto& address : all_addresses(from)) {
        if (address == addresses_[at].controller) {
          return fail(ErrorCode::unsupported,
                      fmt::format("the controller reaches {} from {}, an address of {}: a partition between the two "
                                  "would cut off the controller; run it from, or jump through, a machine that is not "
                                  "part of the cluster",
                                  cluster_.at(at).name(), address, cluster_.at(from).name()));
        }
        if (!spared.contains(address) && !(v4_only && is_v6(address))) rules_[at].drop.push_back(address);
      }
      if (rules_[at].drop.size() == before) {
        return fail(ErrorCode::unsupported, fmt::format("{} has no address of its own by which {} could drop its packets",
                                                        cluster_.at(from).name(), cluster_.at(at).name()));
      }
    }
  }
  if (!one_way_) return {};
  for (const auto& [a, b] : grudge_.cut) {
    const auto [hearing, deaf] = drops(a, b) ? std::pair{b, a} : std::pair{a, b};
    for (auto& address : all_addresses(deaf)) rules_[hearing].count.push_back(std::move(address));
  }
  return {};
}

// Keeps the probes that are answered while nothing is in force: only those can prove anything later.
void Partition::baseline(Deadline deadline) {
  std::vector<Probe> all;
  for (std::size_t from = 0; from < cluster_.size(); ++from) {
    for (std::size_t to = 0; to < cluster_.size(); ++to) {
      if (from == to) continue;
      for (auto& address : probed_addresses(from, to)) all.push_back({from, to, std::move(address)});
    }
  }
  const auto links = probe_links(cluster_, all, port_, kProbeWaitMs, deadline);
  cut_probes_.clear();
  intact_probes_.clear();
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (links[i] != Link::open) continue;
    const bool cut = drops(all[i].from, all[i].to) || drops(all[i].to, all[i].from);
    (cut ? cut_probes_ : intact_probes_).push_back(all[i]);
  }
}

Result<void> Partition::prepare(Deadline deadline) {
  if (auto done = look_up_addresses(deadline); !done) return done;
  if (auto done = make_rules(); !done) return done;
  if (auto done = check_tools(); !done) return done;
  baseline(deadline);
  return {};
}

std::vector<Undo> Partition::undo() const {
  std::vector<Undo> out;
  for (const std::size_t node : filtering()) out.push_back({cluster_.at(node).name(), filter_remove_script(id_)});
  return out;
}

Result<void> Partition::inject(Deadline deadline) {
  const auto nodes = filtering();
  std::vector<std::string> scripts;
  for (const std::size_t node : nodes) scripts.push_back(filter_install_script(id_, rules_[node]));
  return all_done(run_scripts(cluster_, nodes, scripts, deadline));
}

std::string Partition::link_name(const Probe& probe) const {
  return fmt::format("{} to {} ({})", cluster_.at(probe.from).name(), cluster_.at(probe.to).name(), probe.address);
}

// A connection needs both directions, so silence proves a cut in one of them. Which one, the counters tell: packets
// that were dropped on the deaf side, packets that arrived on the hearing side.
Observation Partition::observe(Deadline deadline) const {
  std::vector<Probe> probes = cut_probes_;
  probes.insert(probes.end(), intact_probes_.begin(), intact_probes_.end());
  const auto links = probe_links(cluster_, probes, port_, kProbeWaitMs, deadline);
  std::size_t silent = 0;
  std::size_t intact = 0;
  std::string first_answer;
  for (std::size_t i = 0; i < probes.size(); ++i) {
    if (i >= cut_probes_.size()) {
      intact += links[i] == Link::open ? 1 : 0;
    } else if (links[i] == Link::silent) {
      ++silent;
    } else if (first_answer.empty()) {
      first_answer = link_name(probes[i]) + (links[i] == Link::open ? " still answers" : " could not be probed");
    }
  }
  const auto nodes = filtering();
  const auto printed = run_scripts(cluster_, nodes, std::vector(nodes.size(), filter_counters_script(id_)), deadline);
  std::uint64_t dropped = 0;
  std::uint64_t heard = 0;
  std::string idle;  // a node whose rules saw nothing
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const auto counters = printed[i] ? parse_counters(*printed[i]) : std::map<std::string, std::uint64_t>();
    const auto sum = [&](const std::vector<std::string>& addresses) {
      std::uint64_t total = 0;
      for (const auto& address : addresses) {
        if (const auto found = counters.find(address); found != counters.end()) total += found->second;
      }
      return total;
    };
    const FilterRules& rules = rules_[nodes[i]];
    dropped += sum(rules.drop);
    heard += sum(rules.count);
    const bool saw_all = (rules.drop.empty() || sum(rules.drop) > 0) && (rules.count.empty() || sum(rules.count) > 0);
    if (!saw_all && idle.empty()) idle = cluster_.at(nodes[i]).name();
  }
  Observation out;
  out.confirmed = !cut_probes_.empty() && silent == cut_probes_.size() && (!one_way_ || idle.empty());
  if (cut_probes_.empty()) {
    out.evidence = fmt::format("no proof: none of the links to cut answered on port {} before the injection", port_);
    return out;
  }
  out.evidence = fmt::format("{} of {} connections across the cut, all answered before, now meet silence; {} packets dropped",
                             silent, cut_probes_.size(), dropped);
  if (one_way_) out.evidence += fmt::format(", {} heard in the other direction", heard);
  if (!intact_probes_.empty()) {
    out.evidence += fmt::format("; {} of {} connections that it spares answer", intact, intact_probes_.size());
  }
  if (!first_answer.empty()) out.evidence += "; " + first_answer;
  if (one_way_ && !idle.empty()) out.evidence += fmt::format("; the rules on {} saw no packet", idle);
  return out;
}

Result<Observation> Partition::confirm(Deadline deadline) {
  Observation seen;
  for (int attempt = 0; attempt < 3; ++attempt) {
    seen = observe(deadline);
    const auto left = deadline - std::chrono::steady_clock::now();
    if (seen.confirmed || cut_probes_.empty() || left < std::chrono::milliseconds(2 * kProbeWaitMs)) break;
  }
  return seen;
}

Result<Observation> Partition::confirm_healed(Deadline deadline) {
  Observation out;
  if (cut_probes_.empty()) {
    out.evidence = "no proof: none of the cut links answered before the injection";
    return out;
  }
  while (true) {
    const auto links = probe_links(cluster_, cut_probes_, port_, kProbeWaitMs, deadline);
    const auto open = static_cast<std::size_t>(std::count(links.begin(), links.end(), Link::open));
    out.confirmed = open == links.size();
    out.evidence = fmt::format("{} of {} connections across the former cut answer", open, links.size());
    if (!out.confirmed) {
      const auto at = std::find_if(links.begin(), links.end(), [](Link link) { return link != Link::open; });
      out.evidence += "; not " + link_name(cut_probes_[static_cast<std::size_t>(at - links.begin())]);
    }
    if (out.confirmed || std::chrono::steady_clock::now() + std::chrono::milliseconds(2 * kProbeWaitMs) > deadline) {
      return out;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

std::string inapplicable(const FaultContext& context) {
  if (context.cluster.nodes.empty()) {
    return fmt::format("target {} runs on no nodes, so there is no network to cut", context.target.name());
  }
  const std::size_t n = context.cluster.size();
  if (n < 2) return "a partition needs two nodes or more";
  const std::string shape = context.options.string("partition.shape");
  if (shape == "primaries" && context.target.roles() == nullptr) {
    return fmt::format("partition.shape=primaries: target {} cannot say which of its nodes lead", context.target.name());
  }
  if (shape == "random" || shape == "primaries") return "";
  std::mt19937_64 random;
  const auto grudge = make_grudge(shape, n, CutDirection::both, {}, random);
  return grudge ? "" : grudge.error().message;
}

Result<std::unique_ptr<Injection>> plan(const FaultContext& context, std::mt19937_64& random) {
  const std::size_t n = context.cluster.size();
  std::string shape = context.options.string("partition.shape");
  const std::string direction = context.options.string("partition.direction");
  if (shape == "random") {
    std::vector<std::string> shapes = blind_shapes();
    if (n < 3) shapes = {"halves", "one"};
    if (context.target.roles() != nullptr) shapes.emplace_back("primaries");
    shape = shapes[draw_below(random, shapes.size())];
  }
  const bool one_way_drawn = draw_below(random, 3) == 0;
  const bool first_is_deaf = draw_below(random, 2) == 0;
  const bool one_way = direction == "one-way" || (direction == "random" && one_way_drawn);
  const CutDirection cut = !one_way        ? CutDirection::both
                           : first_is_deaf ? CutDirection::first_is_deaf
                                           : CutDirection::first_is_unheard;
  std::vector<std::size_t> primaries;
  std::string note;
  if (shape == "primaries") {
    primaries = known_primaries(context);
    // When all lead there is nobody to isolate them from, and they are isolated from each other.
    if (primaries.empty()) {
      primaries = {draw_below(random, n)};
      note = "no node said that it leads; one was drawn instead";
    }
  }
  auto grudge = make_grudge(shape, n, cut, primaries, random);
  if (!grudge) return fail(grudge.error());
  return std::make_unique<Partition>(context, shape, one_way, *std::move(grudge), note);
}

}  // namespace

FaultFactory partition_fault() {
  using Type = OptionSpec::Type;
  FaultFactory out;
  out.name = "partition";
  out.help =
      "Cuts the network between nodes. Mechanism: a chain of its own (ORDEAL-…) in iptables and ip6tables that drops "
      "incoming packets by the peers' addresses, IPv4 and IPv6; rules of others are not touched. Proof: TCP connections "
      "between the nodes that were answered before and are not any more, and the counters of the rules. Needs on the "
      "nodes: root or sudo, iptables, bash, timeout. Cannot cut traffic that a node forwards (to containers behind it), "
      "nor the links between clients and nodes.";
  std::vector<std::string> shapes = {"random"};
  for (const auto& shape : blind_shapes()) shapes.push_back(shape);
  shapes.emplace_back("primaries");
  out.options = {
      {"partition.shape", Type::string, "random",
       "halves, one (against the rest), majority (against a random minority), majorities-ring (every node hears another "
       "majority), bridge (one node hears both halves), primaries (each leader alone); random draws among them",
       std::nullopt, std::nullopt, shapes},
      {"partition.direction", Type::string, "both",
       "both: no packet passes either way; one-way: one side is heard but hears nothing; random: one-way for a third of "
       "them",
       std::nullopt, std::nullopt, {"both", "one-way", "random"}},
      {"partition.probe-port", Type::integer, 22,
       "TCP port on the nodes to which the proving connections go; it may be closed, but not silent", 1, 65535},
  };
  out.inapplicable = inapplicable;
  out.plan = plan;
  return out;
}

}  // namespace ordeal
