#include "nemesis/network/partition.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>
#include <thread>

#include "base/names.h"
#include "nemesis/network/cluster_addresses.h"
#include "nemesis/network/grudge.h"
#include "nemesis/network/links.h"
#include "nemesis/network/packet_agent.h"
#include "nemesis/network/packet_filter.h"
#include "nemesis/network/ports.h"
#include "nemesis/node/agent_program.h"
#include "nemesis/node/draw.h"
#include "nemesis/node/parallel.h"
#include "nemesis/node/selector.h"

namespace ordeal {
namespace {

// Long enough for any link on which a cluster would run, short enough to keep injection and proof near a second.
constexpr int kProbeWaitMs = 700;
// Where all answers came much sooner than that before the injection, silence is told sooner, too.
constexpr int kMinWaitMs = 300;
constexpr double kWaitPerAnswer = 10;
// For a cut that comes and goes: many looks are better than long ones.
constexpr int kFlapWaitMs = 200;
// Phases that last longer than this cannot both be seen while the fault is confirmed.
constexpr double kLongFlap_s = 4;

Value names_value(const Cluster& cluster, const std::vector<std::size_t>& nodes) {
  Value out = Value::list();
  for (const std::size_t i : nodes) out.items().emplace_back(cluster.at(i).name());
  return out;
}

std::vector<std::string> all_names(const Cluster& cluster) {
  std::vector<std::string> out;
  for (const auto& node : cluster.nodes) out.push_back(node->name());
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
        ports_(parse_ports(context.options.string("partition.ports")).value_or(std::vector<int>())),
        flap_s_(context.options.seconds("partition.flap")),
        port_(ports_.empty() ? static_cast<int>(context.options.integer("partition.probe-port")) : ports_.front()) {}

  Value describe() const override;
  std::vector<std::string> nodes() const override { return node_names(cluster_, filtering()); }
  Impairment impairment() const override { return {{}, grudge_.cut}; }
  bool may_be_held() const override { return !flaps(); }
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
  // What one node does with the packets of others, by their addresses.
  struct Rules {
    std::vector<std::string> drop;
    std::vector<std::string> count;  // to show that they arrive
  };
  bool flaps() const { return flap_s_ > 0; }
  std::vector<FilterRule> filter_rules(const std::vector<std::string>& sources, const std::string& action) const;
  Result<void> make_rules();
  Result<void> inject_flapping(Deadline deadline);
  void baseline(Deadline deadline);
  Observation observe(Deadline deadline) const;
  Observation observe_flapping(Deadline deadline) const;
  std::string link_name(const Probe& probe) const;
  std::string unlooked() const;

  Cluster& cluster_;
  std::string id_;
  std::string shape_;
  bool one_way_;
  Grudge grudge_;
  std::string note_;
  std::vector<int> ports_;  // empty: all
  double flap_s_;           // 0: the cut stays
  int port_;
  // Filled by prepare().
  std::optional<ClusterAddresses> addresses_;
  std::vector<Rules> rules_;          // by node
  std::vector<Probe> cut_probes_;     // across cut links, answered before the injection
  std::vector<Probe> intact_probes_;  // along links that stay, answered before
  std::size_t links_ = 0;             // that there are
  std::string unanswered_;            // the first of those that were not answered; empty: all were
  int wait_ms_ = kProbeWaitMs;
};

Value Partition::describe() const {
  Value out = Value::map();
  out.set("shape", shape_);
  out.set("direction", one_way_ ? "one-way" : "both");
  Value groups = Value::list();
  for (const auto& group : grudge_.groups) groups.items().push_back(names_value(cluster_, group));
  out.set("groups", std::move(groups));
  if (!ports_.empty()) out.set("ports", ports_text(ports_));
  if (flaps()) out.set("flap_s", flap_s_);
  out.set("mechanism", flaps() ? "iptables (NFQUEUE) and agent" : "iptables");
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

Result<void> Partition::make_rules() {
  rules_.assign(cluster_.size(), {});
  for (std::size_t at = 0; at < cluster_.size(); ++at) {
    for (const std::size_t from : grudge_.drops[at]) {
      auto sources = addresses_->sources(at, from, grudge_.drops[at]);
      if (!sources) return fail(sources.error());
      rules_[at].drop.insert(rules_[at].drop.end(), sources->begin(), sources->end());
    }
  }
  if (!one_way_) return {};
  for (const auto& [a, b] : grudge_.cut) {
    const auto [hearing, deaf] = drops(a, b) ? std::pair{b, a} : std::pair{a, b};
    auto sources = addresses_->sources(hearing, deaf, {deaf});
    if (!sources) return fail(sources.error());
    rules_[hearing].count.insert(rules_[hearing].count.end(), sources->begin(), sources->end());
  }
  return {};
}

// Keeps the probes that are answered while nothing is in force: only those can prove anything later.
void Partition::baseline(Deadline deadline) {
  std::vector<Probe> all;
  for (std::size_t from = 0; from < cluster_.size(); ++from) {
    for (std::size_t to = 0; to < cluster_.size(); ++to) {
      if (from == to) continue;
      for (auto& address : addresses_->reachable(from, to)) all.push_back({from, to, std::move(address)});
    }
  }
  const auto [links, slowest_ms] = probe_links(cluster_, id_, false, all, port_, kProbeWaitMs, deadline);
  cut_probes_.clear();
  intact_probes_.clear();
  unanswered_.clear();
  links_ = all.size();
  if (slowest_ms > 0) {
    wait_ms_ = std::clamp(static_cast<int>(std::lround(kWaitPerAnswer * slowest_ms)), kMinWaitMs, kProbeWaitMs);
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (links[i] != Link::open) {
      if (unanswered_.empty()) unanswered_ = link_name(all[i]);
      continue;
    }
    const bool cut = drops(all[i].from, all[i].to) || drops(all[i].to, all[i].from);
    (cut ? cut_probes_ : intact_probes_).push_back(all[i]);
  }
}

Result<void> Partition::prepare(Deadline deadline) {
  auto found = ClusterAddresses::look_up(cluster_, deadline);
  if (!found) return fail(found.error());
  addresses_ = *std::move(found);
  if (auto done = make_rules(); !done) return done;
  baseline(deadline);
  return {};
}

std::vector<FilterRule> Partition::filter_rules(const std::vector<std::string>& sources,
                                                const std::string& action) const {
  std::vector<FilterRule> out;
  for (const auto& source : sources) {
    for (const auto& match : port_matches(ports_)) out.push_back({source, match, action});
  }
  return out;
}

std::vector<Undo> Partition::undo() const {
  const std::string script = flaps() ? packet_agent_undo_script(id_) : filter_remove_script(id_, {FilterChain()});
  std::vector<Undo> out;
  for (const std::size_t node : filtering()) out.push_back({cluster_.at(node).name(), script});
  return out;
}

Result<void> Partition::inject(Deadline deadline) {
  if (flaps()) return inject_flapping(deadline);
  const auto nodes = filtering();
  std::vector<std::string> scripts;
  for (const std::size_t node : nodes) {
    FilterChain chain{"filter", "INPUT", filter_rules(rules_[node].drop, "-j DROP")};
    for (auto& rule : filter_rules(rules_[node].count, "")) chain.rules.push_back(std::move(rule));
    scripts.push_back(filter_install_script(id_, {std::move(chain)}));
  }
  return all_done(run_scripts(cluster_, nodes, scripts, deadline));
}

// The agents drop the packets in the first half of each period; they need no word from each other, since they go by the
// wall clock.
Result<void> Partition::inject_flapping(Deadline deadline) {
  const std::string effect = fmt::format("flap {}", std::llround(flap_s_ * 1e6));
  return all_done(on_each(filtering(), [&](std::size_t node) -> Result<std::string> {
    auto queue = start_packet_agent(cluster_.at(node), id_, 0, effect, deadline);
    if (!queue) return fail(queue.error());
    auto chains = queue_chains(*queue, filter_rules(rules_[node].drop, ""));
    for (auto& rule : filter_rules(rules_[node].count, "")) chains.back().rules.push_back(std::move(rule));
    return run_ok(cluster_.at(node), root_script(filter_install_script(id_, chains), deadline));
  }));
}

std::string Partition::link_name(const Probe& probe) const {
  return fmt::format("{} to {} ({})", cluster_.at(probe.from).name(), cluster_.at(probe.to).name(), probe.address);
}

// Of links that did not answer before, nothing can be shown.
std::string Partition::unlooked() const {
  const std::size_t answered = cut_probes_.size() + intact_probes_.size();
  return fmt::format("{} of {} links looked at: {} did not answer before (the first: {})", answered, links_,
                     links_ - answered, unanswered_);
}

// A connection needs both directions, so silence proves a cut in one of them. Which one, the counters tell: packets
// that were dropped on the deaf side, packets that arrived on the hearing side.
Observation Partition::observe(Deadline deadline) const {
  std::vector<Probe> probes = cut_probes_;
  probes.insert(probes.end(), intact_probes_.begin(), intact_probes_.end());
  const auto links = probe_links(cluster_, id_, false, probes, port_, wait_ms_, deadline).links;
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
    const Rules& rules = rules_[nodes[i]];
    dropped += sum(rules.drop);
    heard += sum(rules.count);
    const bool saw_all = (rules.drop.empty() || sum(rules.drop) > 0) && (rules.count.empty() || sum(rules.count) > 0);
    if (!saw_all && idle.empty()) idle = cluster_.at(nodes[i]).name();
  }
  Observation out;
  out.confirmed = !cut_probes_.empty() && silent == cut_probes_.size() && (!one_way_ || idle.empty());
  if (cut_probes_.empty()) {
    out.evidence = fmt::format("no proof: none of the links to cut answered on port {} before the injection; {}", port_,
                               unlooked());
    return out;
  }
  out.evidence =
      fmt::format("{} of {} connections across the cut, all answered before, now meet silence; {} packets dropped",
                  silent, cut_probes_.size(), dropped);
  if (one_way_) out.evidence += fmt::format(", {} heard in the other direction", heard);
  if (!intact_probes_.empty()) {
    out.evidence += fmt::format("; {} of {} connections that it spares answer", intact, intact_probes_.size());
  }
  if (!unanswered_.empty()) out.evidence += "; " + unlooked();
  if (!first_answer.empty()) out.evidence += "; " + first_answer;
  if (one_way_ && !idle.empty()) out.evidence += fmt::format("; the rules on {} saw no packet", idle);
  return out;
}

// Looks until every link was seen cut and was seen open.
Observation Partition::observe_flapping(Deadline deadline) const {
  std::vector<bool> cut(cut_probes_.size(), false);
  std::vector<bool> open(cut_probes_.size(), false);
  const auto all = [](const std::vector<bool>& seen) { return std::count(seen.begin(), seen.end(), true); };
  const auto n = static_cast<std::ptrdiff_t>(cut_probes_.size());
  while (all(cut) < n || all(open) < n) {
    const auto links = probe_links(cluster_, id_, true, cut_probes_, port_, kFlapWaitMs, deadline).links;
    for (std::size_t i = 0; i < links.size(); ++i) {
      if (links[i] == Link::silent) cut[i] = true;
      if (links[i] == Link::open) open[i] = true;
    }
    if (std::chrono::steady_clock::now() + std::chrono::milliseconds(2 * kFlapWaitMs) > deadline) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
  }
  const bool both_expected = flap_s_ / 2 < kLongFlap_s;
  Observation out;
  out.confirmed = n > 0 && all(cut) == n && (all(open) == n || !both_expected);
  out.evidence = fmt::format(
      "of {} connections across the cut, all answered before, {} met silence at times, and {} were "
      "answered at others",
      n, all(cut), all(open));
  if (!unanswered_.empty()) out.evidence += "; " + unlooked();
  return out;
}

Result<Observation> Partition::confirm(Deadline deadline) {
  if (flaps() && !cut_probes_.empty()) return observe_flapping(deadline);
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
  // One that flaps is healed when it is open for longer than it was at a time.
  const auto now = [] { return std::chrono::steady_clock::now(); };
  const auto enough = std::chrono::duration<double>(flaps() ? std::min(0.6 * flap_s_, kLongFlap_s / 2) : 0);
  auto since = now();
  while (true) {
    const auto links = probe_links(cluster_, id_, false, cut_probes_, port_, kProbeWaitMs, deadline).links;
    const auto open = static_cast<std::size_t>(std::count(links.begin(), links.end(), Link::open));
    if (open < links.size()) since = now();
    out.confirmed = open == links.size() && now() - since >= enough;
    out.evidence = fmt::format("{} of {} connections across the former cut answer", open, links.size());
    if (open < links.size()) {
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
  if (const auto ports = parse_ports(context.options.string("partition.ports")); !ports) {
    return "partition.ports: " + ports.error().message;
  }
  if (const double flap_s = context.options.seconds("partition.flap"); flap_s > 0 && flap_s < 0.1) {
    return "partition.flap: 0, or a tenth of a second or more";
  }
  const std::string shape = context.options.string("partition.shape");
  if (const std::string groups = context.options.string("partition.groups"); !groups.empty()) {
    if (shape != "random") {
      return fmt::format("partition.shape={} and partition.groups both say who is cut off; say one of them", shape);
    }
    const auto sides = parse_sides(groups, all_names(context.cluster));
    return sides ? "" : "partition.groups: " + sides.error().message;
  }
  if (shape == "primaries" && context.target.roles() == nullptr) {
    return fmt::format("partition.shape=primaries: target {} cannot say which of its nodes lead",
                       context.target.name());
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
  const std::string named = context.options.string("partition.groups");
  if (!named.empty()) shape = "groups";
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
  if (!named.empty()) {
    auto sides = parse_sides(named, all_names(context.cluster));
    if (!sides) return fail(sides.error().during("partition.groups"));
    return std::make_unique<Partition>(context, shape, one_way, grudge_of_sides(*std::move(sides), n, cut), "");
  }
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
      "incoming packets by the peers' addresses, IPv4 and IPv6; rules of others are not touched. Proof: TCP "
      "connections "
      "between the nodes that were answered before and are not any more, and the counters of the rules. Needs on the "
      "nodes: root or sudo, iptables, and what can connect: the agent, or bash and timeout where it cannot run (then "
      "for the first 20 links of a node); to flap also the target NFQUEUE of iptables and a 64-bit Linux on "
      "x86_64 or aarch64, since an agent does it, which drops packets in the first half of each period of "
      "the wall clock and, should it die, none. Cannot cut traffic that a node forwards (to containers behind it), nor "
      "the links between clients and nodes.";
  std::vector<std::string> shapes = {"random"};
  for (const auto& shape : blind_shapes()) shapes.push_back(shape);
  shapes.emplace_back("primaries");
  out.options = {
      {"partition.shape", Type::string, "random",
       "halves, one (against the rest), majority (against a random minority), majorities-ring (every node hears "
       "another "
       "majority), bridge (one node hears both halves), primaries (each leader alone); random draws among them",
       std::nullopt, std::nullopt, shapes},
      {"partition.groups", Type::string, "",
       "who is cut off from whom, by name, in place of a shape: names separated by commas, sides by bars "
       "(\"n1,n2|n3\"); rest: all other nodes (\"n1|rest\"); a node that is on no side hears, and is heard by, all"},
      {"partition.direction",
       Type::string,
       "both",
       "both: no packet passes either way; one-way: one side is heard but hears nothing; random: one-way for a third "
       "of "
       "them",
       std::nullopt,
       std::nullopt,
       {"both", "one-way", "random"}},
      {"partition.ports", Type::string, "",
       "cut only packets from or to these ports, TCP and UDP (\"2380,2379\"); the first is the one that is probed; "
       "empty: "
       "all"},
      {"partition.flap", Type::duration, 0.0, "the cut comes and goes with this period, half of it each; 0: it stays",
       0.0, 3600.0},
      {"partition.probe-port", Type::integer, 22,
       "TCP port on the nodes to which the proving connections go; it may be closed, but not silent", 1, 65535},
  };
  out.inapplicable = inapplicable;
  out.needs = [](const Options& options) {
    std::vector<NodeNeed> all = {NodeNeed::packet_filter, NodeNeed::connect};
    if (options.seconds("partition.flap") > 0) all.insert(all.end(), {NodeNeed::packet_queue, NodeNeed::agent});
    return all;
  };
  out.plan = plan;
  return out;
}

}  // namespace ordeal
