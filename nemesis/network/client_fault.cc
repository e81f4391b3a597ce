#include "nemesis/network/client_fault.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <sstream>
#include <thread>

#include "base/names.h"
#include "base/text.h"
#include "nemesis/network/client_probe.h"
#include "nemesis/network/cluster_addresses.h"
#include "nemesis/network/packet_agent.h"
#include "nemesis/network/packet_filter.h"
#include "nemesis/network/ports.h"
#include "nemesis/node/draw.h"
#include "nemesis/node/node_state.h"
#include "nemesis/node/parallel.h"
#include "nemesis/node/selector.h"

namespace ordeal {
namespace {

enum class Kind { cut, latency, loss };
constexpr const char* kKinds[] = {"cut", "latency", "loss"};

// Long enough for any way on which clients would work.
constexpr int kWait_ms = 700;
// A lost first packet is sent again after a second, so that a connection without an answer by then has lost one.
constexpr int kLossWait_ms = 600;
constexpr int kProbes = 5;
// TCP hardly makes headway when so many percent of its segments are lost.
constexpr double kCutLost = 50;

struct ClientPlan {
  Kind kind = Kind::cut;
  double delay_ms = 0;
  double percent = 0;
  std::uint64_t seed = 0;
  std::vector<int> ports;  // of the target on its nodes; empty: all but sshd's
  int probe_port = 0;
  std::vector<std::string> named;  // addresses of clients beside the controller's
};

// How the controller comes to a node, as sshd there tells it: its address, and sshd's port.
struct ControlWay {
  std::string from;
  int port = 0;
};

class ClientFault final : public Injection {
 public:
  ClientFault(const FaultContext& context, Selection selection, ClientPlan plan)
      : cluster_(context.cluster),
        id_(context.id),
        selection_(std::move(selection)),
        plan_(std::move(plan)),
        ways_(cluster_.size()),
        sources_(cluster_.size()),
        queues_(cluster_.size()) {}

  Value describe() const override;
  std::vector<std::string> nodes() const override { return node_names(cluster_, selection_.nodes); }
  // Whoever asks the target whether it serves comes the way of the clients: to them the node is down.
  Impairment impairment() const override {
    const bool silent = plan_.kind == Kind::cut || (plan_.kind == Kind::loss && plan_.percent >= kCutLost);
    return silent ? Impairment{selection_.nodes, {}} : Impairment();
  }
  bool may_be_held() const override { return true; }
  Result<void> prepare(Deadline deadline) override;
  std::vector<Undo> undo() const override {
    const std::string script =
        plan_.kind == Kind::cut ? filter_remove_script(id_, {FilterChain()}) : packet_agent_undo_script(id_);
    std::vector<Undo> out;
    for (const std::size_t node : selection_.nodes) out.push_back({name(node), script});
    return out;
  }
  Result<void> make_ready(Deadline deadline) override;
  Result<void> inject(Deadline deadline) override;
  Result<Observation> confirm(Deadline deadline) override { return look_until(deadline, false); }
  Result<Observation> confirm_healed(Deadline deadline) override { return look_until(deadline, true); }

 private:
  const std::string& name(std::size_t node) const { return cluster_.at(node).name(); }
  Result<void> look_up_ways(Deadline deadline);
  Result<void> look_up_sources(Deadline deadline);
  std::vector<FilterRule> rules(std::size_t node, const std::string& action) const;
  std::vector<FilterChain> chains(std::size_t node) const;
  int probes() const {
    return plan_.kind == Kind::loss ? static_cast<int>(std::clamp(40 / plan_.percent * 100, 80.0, 400.0)) : kProbes;
  }
  std::vector<ClientAnswers> ask() const;
  // Whether what a node answered is what the fault does or, when it is healed, what it did before.
  bool is_right(const ClientAnswers& before, const ClientAnswers& now, bool healed) const;
  Observation judge(const std::vector<ClientAnswers>& now, bool healed) const;
  Observation look_until(Deadline deadline, bool healed) const;

  Cluster& cluster_;
  const std::string id_;
  const Selection selection_;
  const ClientPlan plan_;
  std::vector<ControlWay> ways_;                   // by node
  std::vector<std::vector<std::string>> sources_;  // by node: from where clients come
  std::vector<PacketQueueId> queues_;              // by node
  std::vector<ClientAnswers> before_;              // by place in selection_.nodes
};

Value ClientFault::describe() const {
  Value out = Value::map({{"kind", kKinds[static_cast<std::size_t>(plan_.kind)]}, {"selector", selection_.how}});
  Value list = Value::list();
  for (const auto& one : nodes()) list.items().emplace_back(one);
  out.set("nodes", std::move(list));
  if (plan_.kind == Kind::latency) out.set("delay_ms", plan_.delay_ms);
  if (plan_.kind == Kind::loss) out.set("percent", plan_.percent);
  out.set("ports", plan_.ports.empty() ? "all but sshd's" : ports_text(plan_.ports));
  Value from = Value::map();
  for (const std::size_t node : selection_.nodes) from.set(name(node), join(sources_[node], ", "));
  out.set("clients_from", std::move(from));
  out.set("mechanism", plan_.kind == Kind::cut ? "iptables" : "iptables (NFQUEUE) and agent");
  if (!selection_.note.empty()) out.set("note", selection_.note);
  return out;
}

Result<void> ClientFault::look_up_ways(Deadline deadline) {
  return all_done(on_each(selection_.nodes, [&](std::size_t node) -> Result<std::string> {
    Command command = root_script("echo \"${SSH_CONNECTION:-}\"", deadline);
    command.sudo = false;  // sudo forgets from where the controller comes
    auto said = run_ok(cluster_.at(node), command);
    if (!said) return said;
    std::istringstream words(*said);
    ControlWay way;
    int port = 0;
    std::string server;
    if (!(words >> way.from >> port >> server >> way.port)) {
      return fail(ErrorCode::unsupported,
                  fmt::format("{}: sshd does not say (SSH_CONNECTION) by which port the controller comes, so that its "
                              "own connection could not be spared",
                              name(node)));
    }
    if (way.from.starts_with("::ffff:")) way.from.erase(0, 7);
    if (std::find(plan_.ports.begin(), plan_.ports.end(), way.port) != plan_.ports.end()) {
      return fail(
          ErrorCode::unsupported,
          fmt::format("clients.ports: {} is the port by which the controller reaches {}", way.port, name(node)));
    }
    ways_[node] = std::move(way);
    return std::string();
  }));
}

Result<void> ClientFault::look_up_sources(Deadline deadline) {
  const auto known = ClusterAddresses::look_up(cluster_, deadline);
  if (!known) return fail(known.error());
  for (const std::size_t node : selection_.nodes) {
    std::vector<std::string> all = plan_.named;
    all.push_back(ways_[node].from);
    // Through a jump host, or behind address translation, sshd sees another address than the target does.
    if (const auto own = source_address_to(cluster_.at(node).address())) all.push_back(*own);
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    for (std::size_t other = 0; other < cluster_.size(); ++other) {
      for (const auto& address : known->all(other)) {
        if (std::find(all.begin(), all.end(), address) == all.end()) continue;
        return fail(ErrorCode::unsupported,
                    fmt::format("clients come to {} from {}, an address of {}: what is done to their packets would be "
                                "done to that node's, too",
                                name(node), address, name(other)));
      }
    }
    sources_[node] = std::move(all);
  }
  return {};
}

Result<void> ClientFault::prepare(Deadline deadline) {
  if (auto found = look_up_ways(deadline); !found) return found;
  if (auto found = look_up_sources(deadline); !found) return found;
  before_ = ask();
  return {};
}

std::vector<FilterRule> ClientFault::rules(std::size_t node, const std::string& action) const {
  std::vector<std::string> matches;
  if (plan_.ports.empty()) {
    matches = {fmt::format("-p tcp ! --dport {}", ways_[node].port), "-p udp"};
  } else {
    std::vector<int> ports = plan_.ports;
    if (std::find(ports.begin(), ports.end(), plan_.probe_port) == ports.end()) ports.push_back(plan_.probe_port);
    for (const char* protocol : {"tcp", "udp"}) {
      matches.push_back(fmt::format("-p {0} -m multiport --dports {1}", protocol, ports_text(ports)));
    }
  }
  std::vector<FilterRule> out;
  for (const auto& source : sources_[node]) {
    for (const auto& match : matches) out.push_back({source, match, action});
  }
  return out;
}

Result<void> ClientFault::make_ready(Deadline deadline) {
  if (plan_.kind == Kind::cut) return {};
  const std::string effect = plan_.kind == Kind::latency
                                 ? fmt::format("latency {} 0 uniform 0", std::llround(plan_.delay_ms * 1000))
                                 : fmt::format("loss {} 1", std::llround(plan_.percent * 10'000));
  return all_done(on_each(selection_.nodes, [&](std::size_t node) -> Result<std::string> {
    auto queue = start_packet_agent(cluster_.at(node), id_, plan_.seed + node, effect, deadline);
    if (!queue) return fail(queue.error().during(name(node)));
    queues_[node] = *queue;
    return std::string();
  }));
}

std::vector<FilterChain> ClientFault::chains(std::size_t node) const {
  if (plan_.kind != Kind::cut) return queue_chains(queues_[node], rules(node, ""));
  FilterChain drop;
  drop.rules = rules(node, "-j DROP");
  return {std::move(drop)};
}

Result<void> ClientFault::inject(Deadline deadline) {
  std::vector<std::string> scripts;
  for (const std::size_t node : selection_.nodes) scripts.push_back(filter_install_script(id_, chains(node)));
  return all_done(run_scripts(cluster_, selection_.nodes, scripts, deadline));
}

std::vector<ClientAnswers> ClientFault::ask() const {
  std::vector<std::string> addresses;
  for (const std::size_t node : selection_.nodes) addresses.push_back(cluster_.at(node).address());
  const int wait_ms = plan_.kind == Kind::loss ? kLossWait_ms : kWait_ms + static_cast<int>(plan_.delay_ms);
  return probe_from_here(addresses, plan_.probe_port, probes(), wait_ms);
}

bool ClientFault::is_right(const ClientAnswers& before, const ClientAnswers& now, bool healed) const {
  const double silent = static_cast<double>(now.asked - now.answered) / std::max(now.asked, 1);
  switch (plan_.kind) {
    case Kind::cut:
      return healed ? now.answered == now.asked : now.answered == 0 && now.problem.empty();
    case Kind::latency: {
      const double gained = now.median_ms - before.median_ms;
      return now.answered > now.asked / 2 && (healed ? gained < 0.35 * plan_.delay_ms : gained > 0.6 * plan_.delay_ms);
    }
    case Kind::loss:
      return healed ? silent < plan_.percent / 400 : silent >= plan_.percent / 200 && now.answered > 0;
  }
  return false;
}

Observation ClientFault::judge(const std::vector<ClientAnswers>& now, bool healed) const {
  std::size_t judged = 0;
  std::size_t right = 0;
  int asked = 0;
  int answered = 0;
  double slowest_ms = 0;
  std::string unanswered;  // before the injection
  std::string wrong;
  for (std::size_t i = 0; i < now.size(); ++i) {
    const ClientAnswers& before = before_[i];
    if (before.answered * 10 < before.asked * 9 || before.asked == 0) {
      unanswered += fmt::format("; {} did not answer on port {} before{}", name(selection_.nodes[i]), plan_.probe_port,
                                before.problem.empty() ? "" : " (" + before.problem + ")");
      continue;
    }
    ++judged;
    asked += now[i].asked;
    answered += now[i].answered;
    slowest_ms = std::max(slowest_ms, now[i].median_ms);
    if (is_right(before, now[i], healed)) {
      ++right;
    } else if (wrong.empty()) {
      wrong = fmt::format("; {}: {} of {} answered, {:.1f} ms in the median, before {:.1f} ms",
                          name(selection_.nodes[i]), now[i].answered, now[i].asked, now[i].median_ms, before.median_ms);
    }
  }
  if (judged == 0) return {false, "no proof: none of the nodes answers clients" + unanswered};
  return {
      right == judged,
      fmt::format("from where the clients are, {} of {} connections to port {} of {} nodes are answered{}: {} of {} "
                  "nodes {}{}{}",
                  answered, asked, plan_.probe_port, judged,
                  answered > 0 ? fmt::format(", after {:.1f} ms in the median at most", slowest_ms) : "", right, judged,
                  healed ? "as before" : "as was meant", wrong, unanswered)};
}

Observation ClientFault::look_until(Deadline deadline, bool healed) const {
  while (true) {
    Observation seen = judge(ask(), healed);
    if (seen.confirmed || Deadline::after(std::chrono::milliseconds(2 * kWait_ms)) > deadline) return seen;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

std::string inapplicable(const FaultContext& context) {
  if (context.cluster.nodes.empty()) {
    return fmt::format("target {} runs on no nodes, so there is no way to them", context.target.name());
  }
  if (const std::string problem = selector_problem(context.options.string("clients.nodes"), context); !problem.empty())
    return "clients.nodes: " + problem;
  if (const auto ports = parse_ports(context.options.string("clients.ports")); !ports)
    return "clients.ports: " + ports.error().message;
  return "";
}

Result<std::unique_ptr<Injection>> plan(const FaultContext& context, std::mt19937_64& random) {
  const Options& options = context.options;
  auto selection = select_nodes(options.string("clients.nodes"), context, random);
  if (!selection) return fail(selection.error());
  ClientPlan out;
  const std::size_t drawn_kind = draw_below(random, std::size(kKinds));
  const double drawn_delay_ms = 20 * std::pow(25.0, draw_between(random, 0, 1));
  const double drawn_percent = draw_between(random, 10, 50);
  out.seed = random();
  const std::string kind = options.string("clients.kind");
  const auto named = std::find(std::begin(kKinds), std::end(kKinds), kind);
  out.kind =
      static_cast<Kind>(named == std::end(kKinds) ? drawn_kind : static_cast<std::size_t>(named - std::begin(kKinds)));
  const double delay_s = options.seconds("clients.delay");
  const double percent = options.real("clients.percent");
  if (out.kind == Kind::latency) out.delay_ms = delay_s > 0 ? delay_s * 1000 : drawn_delay_ms;
  if (out.kind == Kind::loss) out.percent = percent > 0 ? percent : drawn_percent;
  auto ports = parse_ports(options.string("clients.ports"));
  if (!ports) return fail(ports.error());
  out.ports = *std::move(ports);
  out.probe_port = out.ports.empty() ? static_cast<int>(options.integer("clients.probe-port")) : out.ports.front();
  out.named = split(options.string("clients.from"), ',');
  return std::make_unique<ClientFault>(context, *std::move(selection), std::move(out));
}

std::vector<OptionSpec> client_options() {
  using Type = OptionSpec::Type;
  return {
      {"clients.nodes", Type::string, "random",
       "the way to which nodes: one, minority, majority, all, primaries, followers, subset (any set), a named set "
       "(n1,n3), or random: draws among one, minority and primaries"},
      {"clients.kind",
       Type::string,
       "random",
       "cut: nothing that clients send arrives; latency: it arrives late; loss: some of it does not; random draws "
       "among "
       "them",
       std::nullopt,
       std::nullopt,
       {"random", "cut", "latency", "loss"}},
      {"clients.delay", Type::duration, 0.0, "of latency, one way; 0: drawn, 20 ms to 500 ms", 0.0, 10.0},
      {"clients.percent", Type::real, 0.0, "of loss: of the packets; 0: drawn, 10 to 50", 0.0, 90.0},
      {"clients.ports", Type::string, "",
       "the ports of the target to which clients come (\"2379\"); the first is the one that is probed; empty: all but "
       "sshd's"},
      {"clients.from", Type::string, "",
       "addresses of clients elsewhere, separated by commas; the controller's own are known"},
      {"clients.probe-port", Type::integer, 7,
       "without clients.ports: TCP port to which the proving connections go; it may be closed, but not silent", 1,
       65535},
  };
}

}  // namespace

FaultFactory clients_fault() {
  FaultFactory out;
  out.name = "clients";
  out.help =
      "The way from the clients to some nodes is cut, slow or lossy, while the nodes see each other as ever, and the "
      "controller's own connection (sshd's port) stays. Mechanism: on the nodes, a chain of its own (ORDEAL-…) in "
      "iptables and ip6tables for what arrives from the controller's addresses; a cut drops it, for latency and loss "
      "it goes to an agent (NFQUEUE). Proof: TCP connections from the controller, where the clients are, that are not "
      "answered any more, later, or not all, and are as before when it is healed. Needs on the nodes: root or sudo, "
      "iptables, for latency and loss its target NFQUEUE and a 64-bit Linux on x86_64 or aarch64. Cannot tell clients "
      "from a node of the cluster on the same address, nor reach those behind a proxy: name their addresses in "
      "clients.from.";
  out.options = client_options();
  out.inapplicable = inapplicable;
  out.needs = [](const Options& options) {
    std::vector<NodeNeed> all = {NodeNeed::packet_filter};
    if (options.string("clients.kind") != "cut") all.insert(all.end(), {NodeNeed::packet_queue, NodeNeed::agent});
    return all;
  };
  out.plan = plan;
  return out;
}

}  // namespace ordeal
