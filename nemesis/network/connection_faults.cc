#include "nemesis/network/connection_faults.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "nemesis/network/link_injection.h"
#include "nemesis/node/agent_program.h"
#include "nemesis/node/draw.h"
#include "nemesis/node/parallel.h"

namespace ordeal {
namespace {

constexpr double kLookSeconds = 2.5;  // what a look at the links may take
constexpr double kCutPercent = 20;    // connections that are reset so often carry nothing any more

// Rules that touch TCP connections, and how conversations end under them.
class ConnectionFault : public LinkInjection {
 public:
  ConnectionFault(const FaultContext& context, Links links, int exchanges) : LinkInjection(context, std::move(links)) {
    settings_.port = links_.probe_port;
    settings_.count = exchanges;
  }

  Value describe() const override {
    Value out = LinkInjection::describe();
    out.set("mechanism", "iptables");
    return out;
  }

  std::vector<Undo> undo() const override {
    std::vector<Undo> out;
    for (const std::size_t node : receivers()) out.push_back({name(node), filter_remove_script(id_, {FilterChain()})});
    return out;
  }

  bool may_be_held() const override { return true; }
  Result<void> inject(Deadline deadline) override {
    const auto nodes = receivers();
    std::vector<std::string> scripts;
    for (const std::size_t node : nodes)
      scripts.push_back(filter_install_script(id_, {{"filter", "INPUT", all_rules(node)}}));
    return all_done(run_scripts(cluster_, nodes, scripts, deadline));
  }

  Result<Observation> confirm(Deadline deadline) override {
    return look_until(deadline, kLookSeconds, [&] { return judge(deadline, wanted_end()); });
  }
  Result<Observation> confirm_healed(Deadline deadline) override {
    return look_until(deadline, kLookSeconds, [&] { return judge(deadline, "closed"); });
  }

 protected:
  virtual std::vector<FilterRule> all_rules(std::size_t node) const = 0;
  virtual std::string wanted_end() const = 0;

  bool baseline(Deadline deadline) override {
    before_ = converse(deadline);
    return std::any_of(before_.begin(), before_.end(), [](const ConversationSeen& one) { return one.end == "closed"; });
  }

 private:
  std::vector<std::size_t> receivers() const {
    std::set<std::size_t> out;
    for (const auto& [from, to] : links_.ways) out.insert(to);
    return {out.begin(), out.end()};
  }

  std::vector<ConversationSeen> converse(Deadline deadline) const {
    return probe_connections(cluster_, id_, false, flows_, settings_, deadline);
  }

  // Only conversations that were held and closed before can show anything. One that cannot begin is cut by another
  // fault, and one that falls silent has lost its packets to one: neither is what these faults do.
  Observation judge(Deadline deadline, const std::string& wanted) const {
    const auto now = converse(deadline);
    std::size_t judged = 0;
    std::size_t right = 0;
    std::size_t silent = 0;
    std::string other;
    for (std::size_t i = 0; i < now.size(); ++i) {
      if (before_[i].end != "closed" || now[i].end.empty() || now[i].end == "unreachable") continue;
      if (now[i].end == "silent") {
        ++silent;
        continue;
      }
      ++judged;
      if (now[i].end == wanted) {
        ++right;
      } else if (other.empty()) {
        other = fmt::format("; {}: {} after {} exchanges", flow_name(i), now[i].end, now[i].exchanges);
      }
    }
    if (judged == 0) {
      return {false,
              fmt::format("no proof: no connection between the nodes on TCP port {} that had been possible before",
                          settings_.port)};
    }
    const char* what = wanted == "reset"  ? "were reset after they had been opened"
                       : wanted == "hung" ? "hung when one end had closed them"
                                          : "were held and closed on both ends";
    if (silent > 0) other += fmt::format("; {} more fell silent", silent);
    return {right == judged, fmt::format("{} of {} connections {}{}", right, judged, what, other)};
  }

  ProbeSettings settings_;
  std::vector<ConversationSeen> before_;
};

class Reset final : public ConnectionFault {
 public:
  Reset(const FaultContext& context, Links links, double percent)
      : ConnectionFault(context, std::move(links), static_cast<int>(std::clamp(500 / percent, 20.0, 500.0))),
        percent_(percent) {}

  Value describe() const override {
    Value out = ConnectionFault::describe();
    out.set("percent", percent_);
    return out;
  }
  Impairment impairment() const override {
    return percent_ < kCutPercent || !links_.ports.empty() ? Impairment() : as_cut();
  }

 private:
  // Not of those that open a connection, and not of resets: with one the other end would never learn of its own.
  std::vector<FilterRule> all_rules(std::size_t node) const override {
    std::string match = "-p tcp -m tcp --tcp-flags SYN,RST NONE";
    if (percent_ < 100) match += fmt::format(" -m statistic --mode random --probability {:.5f}", percent_ / 100);
    return rules(node, match, "-j REJECT --reject-with tcp-reset");
  }
  std::string wanted_end() const override { return "reset"; }

  const double percent_;
};

class SlowClose final : public ConnectionFault {
 public:
  SlowClose(const FaultContext& context, Links links) : ConnectionFault(context, std::move(links), 5) {}

 private:
  std::vector<FilterRule> all_rules(std::size_t node) const override {
    auto out = rules(node, "-p tcp -m tcp --tcp-flags FIN FIN", "-j DROP");
    for (auto& rule : rules(node, "-p tcp -m tcp --tcp-flags RST RST", "-j DROP")) out.push_back(std::move(rule));
    return out;
  }
  std::string wanted_end() const override { return "hung"; }
};

std::string needs_text(const char* modules) {
  return link_help() +
         fmt::format(
             "Mechanism: a chain of its own (ORDEAL-…) in iptables and ip6tables. Needs on the nodes: root or sudo, "
             "iptables{}, and for the proof a TCP port that probes may use between the nodes and a 64-bit Linux on "
             "x86_64 or aarch64. Connections that a node forwards (to containers behind it) are "
             "not touched.",
             modules);
}

// The agent runs the probes.
std::vector<NodeNeed> needs(const Options&) { return {NodeNeed::packet_filter, NodeNeed::agent}; }

}  // namespace

FaultFactory reset_fault() {
  FaultFactory out;
  out.name = "reset";
  out.help =
      "TCP connections between nodes are reset while they are in use, those that are open already and fresh ones: a "
      "part "
      "of the packets is answered with a reset and dropped. Proof: connections between the nodes that were opened and "
      "then "
      "reset. " +
      needs_text(" with REJECT and statistic");
  out.options = link_options("reset", 47087);
  out.options.insert(
      out.options.begin() + 1,
      {"reset.percent", OptionSpec::Type::real, 0.0,
       "of the packets that are answered so; 100: no connection survives its first message; 0: drawn, 1 to 10", 0.0,
       100.0});
  out.inapplicable = [](const FaultContext& context) { return link_problem(context, "reset"); };
  out.needs = needs;
  out.plan = [](const FaultContext& context, std::mt19937_64& random) -> Result<std::unique_ptr<Injection>> {
    auto links = draw_links(context, "reset", random);
    if (!links) return fail(links.error());
    const double drawn = draw_between(random, 1, 10);
    const double wanted = context.options.real("reset.percent");
    return std::make_unique<Reset>(context, *std::move(links), wanted > 0 ? std::max(wanted, 0.01) : drawn);
  };
  return out;
}

FaultFactory slow_close_fault() {
  FaultFactory out;
  out.name = "slow-close";
  out.help =
      "The end of TCP connections between nodes does not arrive: packets with FIN or RST are dropped, so that the "
      "other end "
      "takes the connection for open until the fault is healed and the end is sent again, and a closed port is silent "
      "instead of refusing. Proof: connections that one end has closed and the other has not. " +
      needs_text("");
  out.options = link_options("slow-close", 47088);
  out.inapplicable = [](const FaultContext& context) { return link_problem(context, "slow-close"); };
  out.needs = needs;
  out.plan = [](const FaultContext& context, std::mt19937_64& random) -> Result<std::unique_ptr<Injection>> {
    auto links = draw_links(context, "slow-close", random);
    if (!links) return fail(links.error());
    return std::make_unique<SlowClose>(context, *std::move(links));
  };
  return out;
}

}  // namespace ordeal
