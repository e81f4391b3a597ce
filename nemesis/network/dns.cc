#include "nemesis/network/dns.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <sstream>
#include <thread>

#include "nemesis/network/packet_agent.h"
#include "nemesis/node/agent_program.h"
#include "nemesis/node/draw.h"
#include "nemesis/node/parallel.h"
#include "nemesis/node/process_injection.h"
#include "nemesis/node/selector.h"

namespace ordeal {
namespace {

struct Answer {
  std::string_view name;
  int code;  // of RFC 1035; -1: no answer
};
constexpr std::array<Answer, 4> kAnswers = {{{"silence", -1}, {"servfail", 2}, {"nxdomain", 3}, {"refused", 5}}};

// What asking a name server showed.
struct Asked {
  std::string server;
  std::string what;  // answered, refused, silent
  int code = 0;
  [[nodiscard]] bool answered() const { return what == "answered"; }
  friend bool operator==(const Asked&, const Asked&) = default;
};

class Dns final : public Injection {
 public:
  Dns(const FaultContext& context, Selection selection, Answer answer)
      : cluster_(context.cluster), id_(context.id), selection_(std::move(selection)), answer_(answer) {}

  Value describe() const override {
    Value out = Value::map();
    out.set("selector", selection_.how);
    Value list = Value::list();
    for (const auto& node : nodes()) list.items().emplace_back(node);
    out.set("nodes", std::move(list));
    out.set("answer", answer_.name);
    out.set("mechanism", silent() ? "iptables" : "iptables (NFQUEUE) and agent");
    if (!selection_.note.empty()) out.set("note", selection_.note);
    return out;
  }
  std::vector<std::string> nodes() const override { return node_names(cluster_, selection_.nodes); }

  Result<void> prepare(Deadline deadline) override {
    for (const std::size_t node : selection_.nodes) {
      const std::string script =
          "command -v iptables >/dev/null && command -v iptables-restore >/dev/null || echo missing";
      auto said =
          run_ok(cluster_.at(node), root_script(std::string("PATH=$PATH:/usr/sbin:/sbin\n") + script, deadline));
      if (!said) return fail(said.error());
      if (!said->empty()) {
        return fail(ErrorCode::unsupported, cluster_.at(node).name() +
                                                ": name resolution is made to fail by iptables, which "
                                                "is not there; install the package iptables on the node");
      }
    }
    before_ = ask_all(deadline);
    return {};
  }

  std::vector<Undo> undo() const override {
    const std::string script =
        silent() ? filter_remove_script(id_, {FilterChain()}) : packet_agent_undo_script(id_, "OUTPUT");
    std::vector<Undo> out;
    for (const auto& node : nodes()) out.push_back({node, script});
    return out;
  }

  // Answers that are dropped where they arrive leave the sender nothing but silence; what is dropped where it leaves
  // would be an error of the system call.
  Result<void> inject(Deadline deadline) override {
    return all_done(on_each(selection_.nodes, [&](std::size_t node) -> Result<std::string> {
      std::vector<FilterChain> chains = {
          {"filter", "INPUT", {{"", "-p udp --sport 53", "-j DROP"}, {"", "-p tcp --sport 53", "-j DROP"}}}};
      if (!silent()) {
        auto queue = start_packet_agent(cluster_.at(node), id_, 0, fmt::format("dns {}", answer_.code), deadline);
        if (!queue) return fail(queue.error());
        chains = queue_chains(*queue, {{"", "-p udp --dport 53", ""}}, "OUTPUT");
        chains.back().rules.push_back({"", "-p tcp --dport 53", "-j REJECT --reject-with tcp-reset"});
      }
      return run_ok(cluster_.at(node), root_script(filter_install_script(id_, chains), deadline));
    }));
  }

  Result<Observation> confirm(Deadline deadline) override {
    return look_until(deadline,
                      [this](std::size_t node, const std::vector<Asked>& now) { return in_force(node, now); });
  }
  Result<Observation> confirm_healed(Deadline deadline) override {
    return look_until(deadline, [this](std::size_t node, const std::vector<Asked>& now) { return healed(node, now); });
  }

 private:
  using Judge = std::function<Observation(std::size_t, const std::vector<Asked>&)>;
  bool silent() const { return answer_.code < 0; }

  // By node.
  std::map<std::size_t, std::vector<Asked>> ask_all(Deadline deadline) const {
    std::map<std::size_t, std::vector<Asked>> out;
    std::mutex mutex;
    (void)on_each(selection_.nodes, [&](std::size_t node) {
      auto said = run_agent_once(cluster_.at(node), id_, {"probe", "names"}, deadline);
      std::istringstream words(said ? *said : "");
      std::vector<Asked> asked;
      std::string head;
      for (Asked one; words >> head >> one.server >> one.what >> one.code;) asked.push_back(one);
      const std::lock_guard lock(mutex);
      out[node] = std::move(asked);
      return said;
    });
    return out;
  }

  Observation look_until(Deadline deadline, const Judge& judge) const {
    while (true) {
      Observation out{true, ""};
      for (const auto& [node, asked] : ask_all(deadline)) {
        Observation one = asked.empty() ? Observation{false, "it could not be asked"} : judge(node, asked);
        out.confirmed = out.confirmed && one.confirmed;
        out.evidence +=
            fmt::format("{}{}: {}", out.evidence.empty() ? "" : "; ", cluster_.at(node).name(), one.evidence);
      }
      if (out.confirmed || std::chrono::steady_clock::now() + std::chrono::milliseconds(1500) > deadline) return out;
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
  }

  static std::string text(const Asked& asked) {
    return asked.answered() ? fmt::format("{} answers with code {}", asked.server, asked.code)
                            : fmt::format("{} is {}", asked.server, asked.what);
  }

  // Silence is shown by servers that answered before, a code also by those that did not, where another would show
  // nothing.
  Observation in_force(std::size_t node, const std::vector<Asked>& now) const {
    const auto& before = before_.at(node);
    std::string seen;
    bool right = now.size() == before.size();
    std::size_t judged = 0;
    for (std::size_t i = 0; i < now.size() && i < before.size(); ++i) {
      // One that cannot be reached at all (no route) is not asked by anybody.
      if (!before[i].answered() && (silent() || !now[i].answered())) continue;
      if (!silent() && before[i].answered() && before[i].code == answer_.code) continue;
      ++judged;
      right = right && (silent() ? !now[i].answered() : now[i].answered() && now[i].code == answer_.code);
      seen +=
          fmt::format("{}{}, where before it {}", seen.empty() ? "" : ", ", text(now[i]),
                      before[i].answered() ? fmt::format("answered with {}", before[i].code) : "was " + before[i].what);
    }
    if (judged == 0) return {false, "no proof: no name server answered before the injection"};
    return {right, seen};
  }

  Observation healed(std::size_t node, const std::vector<Asked>& now) const {
    const auto& before = before_.at(node);
    std::string seen;
    bool right = now.size() == before.size();
    for (std::size_t i = 0; i < now.size() && i < before.size(); ++i) {
      // A server that did not answer may have found its tongue.
      right = right && (before[i].answered() ? now[i] == before[i] : !now[i].answered() || now[i].code != answer_.code);
      seen += fmt::format("{}{}", seen.empty() ? "" : ", ", text(now[i]));
    }
    return {right, seen + (right ? ", as before" : "")};
  }

  Cluster& cluster_;
  const std::string id_;
  const Selection selection_;
  const Answer answer_;
  std::map<std::size_t, std::vector<Asked>> before_;
};

}  // namespace

FaultFactory dns_fault() {
  FaultFactory out;
  out.name = "dns";
  out.help =
      "Names cannot be resolved on some nodes, also by programs that run already and by a resolver on the node itself. "
      "Mechanism: iptables and ip6tables drop what name servers answer (silence), or an agent (NFQUEUE) answers every "
      "query "
      "over UDP in their stead and connections over TCP are refused. Proof: the agent asks the node's name servers "
      "and one of its own that it runs meanwhile on 127.77.0.53, before, meanwhile and after. Needs on the nodes: root "
      "or "
      "sudo, iptables (but for silence with the target NFQUEUE), a 64-bit Linux on x86_64 or aarch64. What "
      "is in /etc/hosts or in a cache is still found, and DNS over TLS or HTTPS is not touched.";
  std::vector<std::string> answers = {"random"};
  for (const Answer& one : kAnswers) answers.emplace_back(one.name);
  out.options = {
      process_nodes_option("dns"),
      {"dns.answer", OptionSpec::Type::string, "random",
       "silence (programs wait until they give up), servfail, nxdomain (no such name), refused; random draws among "
       "them",
       std::nullopt, std::nullopt, answers},
  };
  out.inapplicable = [](const FaultContext& context) -> std::string {
    if (context.cluster.nodes.empty()) return fmt::format("target {} runs on no nodes", context.target.name());
    const std::string problem = selector_problem(context.options.string("dns.nodes"), context);
    return problem.empty() ? "" : "dns.nodes: " + problem;
  };
  out.needs = [](const Options& options) {
    std::vector<NodeNeed> all = {NodeNeed::packet_filter, NodeNeed::agent};
    if (options.string("dns.answer") != "silence") all.push_back(NodeNeed::packet_queue);
    return all;
  };
  out.plan = [](const FaultContext& context, std::mt19937_64& random) -> Result<std::unique_ptr<Injection>> {
    auto selection = select_nodes(context.options.string("dns.nodes"), context, random);
    if (!selection) return fail(selection.error());
    Answer answer = kAnswers[draw_below(random, kAnswers.size())];
    const std::string wanted = context.options.string("dns.answer");
    for (const Answer& one : kAnswers) {
      if (one.name == wanted) answer = one;
    }
    return std::make_unique<Dns>(context, *std::move(selection), answer);
  };
  return out;
}

}  // namespace ordeal
