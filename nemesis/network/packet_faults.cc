#include "nemesis/network/packet_faults.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <memory>

#include "nemesis/network/link_injection.h"
#include "nemesis/network/netem.h"
#include "nemesis/network/packet_agent.h"
#include "nemesis/node/agent_program.h"
#include "nemesis/node/draw.h"
#include "nemesis/node/parallel.h"

namespace ordeal {
namespace {

constexpr double kLookSeconds = 1.2;  // what a look at the links may take
constexpr int kBucketBytes = 1600;    // of the kernel's token bucket: a frame of Ethernet must fit
constexpr double kMaxMeasured_ms =
    150;  // each way; with more, the probes would not be back within the second they have

// From where on a link counts as cut, so that a quorum is kept without it (nemesis/engine/quorum.h). TCP hardly makes
// headway when half of its segments are lost, and hardly a connection outlives a fifth whose contents are wrong; 200
// kbit/s is what a few hundred small operations a second take. Latency is compared with the target's election timeout.
constexpr double kCutLost = 50;         // percent
constexpr double kCutFalsified = 20;    // percent
constexpr std::int64_t kCutRate = 200;  // kbit/s
constexpr double kElectionTimeout = 1;  // seconds, where the target does not say it

// What was drawn, in the words of the agent, of the kernel and of the report.
struct Effect {
  std::string text;         // nemesis/programs/agent/packet_effect.h
  std::string queue;        // the kernel's (nemesis/network/netem.h)
  std::string not_queue;    // why the kernel cannot do it; empty: it can, where it has that queue
  bool one_queue = false;   // for all receivers together
  bool must_queue = false;  // <fault>.mechanism=netem
  Value parameters = Value::map();
  std::uint64_t seed = 0;
  bool cuts = false;  // so much that the nodes cannot work together over the links
};

// Sums over the flows that worked before the injection.
struct Totals {
  int flows = 0;  // that were shaken hands over
  int cut = 0;    // that were not: another fault
  std::int64_t sent = 0;
  std::int64_t distinct = 0;
  std::int64_t twice = 0;
  std::int64_t late = 0;
  std::int64_t discarded = 0;
  std::int64_t damaged = 0;
  std::string problem;
};

// Settings of a fault's probes such that about forty of the datagrams are hit.
ProbeSettings rate_settings(const Links& links, double share, double burst = 1) {
  const double flows = static_cast<double>(std::min<std::size_t>(links.ways.size(), 20));
  ProbeSettings out;
  out.port = links.probe_port;
  out.count = static_cast<int>(std::clamp(40 * burst / (share * flows), 50.0, 800.0));
  out.gap_us = out.count > 300 ? 500 : 1000;
  return out;
}

// A fault of this family: the agent's effect, and what the probes show of it.
class PacketFault : public LinkInjection {
 public:
  PacketFault(const FaultContext& context, Links links, Effect effect, ProbeSettings settings)
      : LinkInjection(context, std::move(links)),
        effect_(std::move(effect)),
        settings_(settings),
        queues_(context.cluster.size()) {}

  Value describe() const override {
    Value out = LinkInjection::describe();
    for (const auto& [key, one] : effect_.parameters.entries()) out.set(key, one);
    if (by_kernel()) {
      out.set("mechanism", effect_.queue.substr(0, effect_.queue.find(' ')));
    } else {
      out.set("mechanism", "iptables (NFQUEUE) and agent");
      out.set("not_netem", not_queue_);
    }
    return out;
  }

  // By the kernel on all nodes that send, or by the agent on all.
  Result<void> prepare(Deadline deadline) override {
    if (auto done = LinkInjection::prepare(deadline); !done) return done;
    not_queue_ = effect_.not_queue.empty() ? why_not_by_kernel(deadline) : effect_.not_queue;
    if (!by_kernel()) claim_.reset();
    if (effect_.must_queue && !by_kernel()) return fail(ErrorCode::unsupported, "not by netem: " + not_queue_);
    return {};
  }

  std::vector<Undo> undo() const override {
    const std::string script = by_kernel() ? netem_remove_script(id_) : packet_agent_undo_script(id_);
    std::vector<Undo> out;
    for (const std::size_t node : involved()) out.push_back({name(node), script});
    return out;
  }

  Impairment impairment() const override { return effect_.cuts ? as_cut() : Impairment(); }

  // Nodes that only send have the agent for the probes.
  Result<void> make_ready(Deadline deadline) override {
    if (by_kernel()) return {};
    return all_done(on_each(involved(), [&](std::size_t node) -> Result<std::string> {
      auto queue = start_packet_agent(cluster_.at(node), id_, effect_.seed + node, effect_.text, deadline);
      if (!queue) return fail(queue.error().during(name(node)));
      queues_[node] = *queue;
      return std::string();
    }));
  }

  bool may_be_held() const override { return true; }
  Result<void> inject(Deadline deadline) override {
    return all_done(on_each(involved(), [&](std::size_t node) -> Result<std::string> {
      if (by_kernel()) {
        const NetemBands to = bands(node);
        if (to.empty()) return std::string();
        return run_ok(cluster_.at(node), root_script(netem_install_script(id_, to, effect_.queue), deadline));
      }
      auto arriving = rules(node, "", "");
      if (arriving.empty()) return std::string();
      return run_ok(
          cluster_.at(node),
          root_script(filter_install_script(id_, queue_chains(queues_[node], std::move(arriving))), deadline));
    }));
  }

  Result<Observation> confirm(Deadline deadline) override {
    return look_until(deadline, kLookSeconds, [&] { return judge(probe(true, deadline), false); });
  }
  Result<void> heal(Deadline) override {
    claim_.reset();
    return {};
  }
  Result<Observation> confirm_healed(Deadline deadline) override {
    return look_until(deadline, kLookSeconds, [&] { return judge(probe(false, deadline), true); });
  }

 protected:
  // Whether what was seen is what the fault does or, when it is healed, that it does it no more.
  virtual Observation judge(const DatagramsSeen& seen, bool healed) const = 0;

  bool baseline(Deadline deadline) override {
    before_ = probe(false, deadline);
    for (std::size_t i = 0; i < flows_.size(); ++i) {
      if (worked(i)) return true;
    }
    return false;
  }

  bool by_kernel() const { return not_queue_.empty(); }

  // The agent is on the nodes while it does the work.
  DatagramsSeen probe(bool in_force, Deadline deadline) const {
    return probe_datagrams(cluster_, id_, in_force && !by_kernel(), flows_, settings_, deadline);
  }

  // Only what worked before can show anything later.
  bool worked(std::size_t flow) const {
    const FlowSeen& seen = before_.flows[flow];
    return seen.sent > 0 && seen.distinct * 10 >= seen.sent * 8;
  }

  Observation no_proof(const DatagramsSeen& seen) const {
    std::string why = fmt::format("no proof: no datagram passed on UDP port {}", settings_.port);
    const bool before =
        std::none_of(before_.flows.begin(), before_.flows.end(), [](const FlowSeen& f) { return f.sent > 0; });
    if (before) why += " before the injection";
    const std::string& problem = before && !before_.problem.empty() ? before_.problem : seen.problem;
    if (!problem.empty()) why += "; " + problem;
    return {false, why};
  }

  Totals sum(const DatagramsSeen& seen) const {
    Totals out;
    std::vector<bool> receives(cluster_.size(), false);
    for (std::size_t i = 0; i < flows_.size(); ++i) {
      if (!worked(i)) continue;
      if (seen.flows[i].sent == 0 || seen.flows[i].distinct == 0) {
        ++out.cut;
        continue;
      }
      ++out.flows;
      out.sent += seen.flows[i].sent;
      out.distinct += seen.flows[i].distinct;
      out.twice += seen.flows[i].twice;
      out.late += seen.flows[i].late;
      receives[flows_[i].to] = true;
    }
    for (std::size_t node = 0; node < receives.size(); ++node) {
      if (!receives[node]) continue;
      if (const auto at = seen.discarded.find(node); at != seen.discarded.end()) out.discarded += at->second;
      if (const auto at = seen.damaged.find(node); at != seen.damaged.end()) out.damaged += at->second;
    }
    return out;
  }

  const Effect effect_;
  const ProbeSettings settings_;
  std::vector<PacketQueueId> queues_;  // by node
  DatagramsSeen before_;

 private:
  NetemBands bands(std::size_t node) const {
    NetemBands out = destinations(node);
    if (!effect_.one_queue || out.size() < 2) return out;
    NetemBands all(1);
    for (const auto& addresses : out) all[0].insert(all[0].end(), addresses.begin(), addresses.end());
    return all;
  }

  // Empty: it can, and the queues are ours.
  std::string why_not_by_kernel(Deadline deadline) {
    std::vector<std::size_t> senders;
    for (const std::size_t node : involved()) {
      if (!destinations(node).empty()) senders.push_back(node);
    }
    claim_ = NetemClaim::take(cluster_, senders);
    if (claim_ == nullptr) return "another fault has the queue of a node";
    const auto said = on_each(senders, [&](std::size_t node) {
      return run_ok(cluster_.at(node), root_script(netem_probe_script(bands(node), effect_.queue), deadline));
    });
    for (std::size_t i = 0; i < said.size(); ++i) {
      const std::string answer = said[i] ? said[i]->substr(0, said[i]->find('\n')) : said[i].error().message;
      if (answer != "yes") return name(senders[i]) + ": " + answer;
    }
    return "";
  }

  std::unique_ptr<NetemClaim> claim_;
  std::string not_queue_ = "not looked for";  // why it is not done by the kernel
};

class Latency final : public PacketFault {
 public:
  Latency(const FaultContext& context, Links links, Effect effect, ProbeSettings settings, double least_ms,
          double most_ms)
      : PacketFault(context, std::move(links), std::move(effect), settings), least_ms_(least_ms), most_ms_(most_ms) {}

  // {"rtt_ms":{"n1-n2":103.2}}
  Result<Value> measure(Deadline deadline) override {
    if (most_ms_ > kMaxMeasured_ms) return Value();
    std::vector<ProbeFlow> once;
    for (const ProbeFlow& flow : flows_) {
      const bool known = std::any_of(once.begin(), once.end(), [&](const ProbeFlow& other) {
        return std::minmax(other.from, other.to) == std::minmax(flow.from, flow.to);
      });
      if (!known) once.push_back(flow);
    }
    ProbeSettings few = settings_;
    few.count = 8;
    const auto seen = probe_datagrams(cluster_, id_, !by_kernel(), once, few, deadline);
    Value times = Value::map();
    for (std::size_t i = 0; i < once.size(); ++i) {
      if (seen.flows[i].echoes == 0) continue;
      times.set(fmt::format("{}-{}", name(once[i].from), name(once[i].to)), seen.flows[i].rtt_median_ms);
    }
    if (times.is_map() && !times.entries().empty()) return Value::map({{Value("rtt_ms"), std::move(times)}});
    return fail(ErrorCode::timeout, "no datagram was answered in time");
  }

 private:
  // Most of what passes there and back is held up by `least_ms_` each time.
  Observation judge(const DatagramsSeen& seen, bool healed) const override {
    std::size_t right = 0;
    std::size_t judged = 0;
    double before_ms = 0;
    double now_ms = 0;
    std::string worst;
    for (std::size_t i = 0; i < flows_.size(); ++i) {
      const FlowSeen& now = seen.flows[i];
      if (!worked(i) || before_.flows[i].echoes < 3 || now.echoes < 3) continue;
      const int times =
          (touched(flows_[i].from, flows_[i].to) ? 1 : 0) + (touched(flows_[i].to, flows_[i].from) ? 1 : 0);
      const double gained = now.rtt_low_ms - before_.flows[i].rtt_low_ms;
      const double expected = least_ms_ * times;
      ++judged;
      before_ms = std::max(before_ms, before_.flows[i].rtt_median_ms);
      now_ms = judged == 1 || healed ? std::max(now_ms, now.rtt_median_ms) : std::min(now_ms, now.rtt_median_ms);
      if (healed ? gained < 0.35 * expected : gained > 0.6 * expected) {
        ++right;
      } else if (worst.empty()) {
        worst = fmt::format("; {}: {:.2f} ms", flow_name(i), now.rtt_median_ms);
      }
    }
    if (judged == 0) return no_proof(seen);
    return {right == judged,
            fmt::format("{} of {} links answer a datagram {}; there and back it takes {:.2f} ms at {} in the median, "
                        "{:.2f} ms at most before{}",
                        right, judged, healed ? "as before" : "later by what was meant", now_ms,
                        healed ? "most" : "least", before_ms, worst)};
  }

  const double least_ms_;  // of three quarters of the packets
  const double most_ms_;   // of any
};

// Faults that hit a share of the packets.
class Share final : public PacketFault {
 public:
  enum class Kind { loss, duplicate, reorder, corrupt, corrupt_repaired };

  Share(const FaultContext& context, Links links, Effect effect, ProbeSettings settings, Kind kind, double share)
      : PacketFault(context, std::move(links), std::move(effect), settings), kind_(kind), share_(share) {}

  // Of loss: {"lost_percent":{"n2":18.5}}, by receiving node.
  Result<Value> measure(Deadline deadline) override {
    if (kind_ != Kind::loss) return Value();
    ProbeSettings few = settings_;
    few.count = 50;
    const auto seen = probe_datagrams(cluster_, id_, !by_kernel(), flows_, few, deadline);
    std::map<std::string, std::pair<int, int>> lost;
    for (std::size_t i = 0; i < flows_.size(); ++i) {
      if (seen.flows[i].sent == 0) continue;
      auto& [missing, sent] = lost[name(flows_[i].to)];
      missing += seen.flows[i].sent - seen.flows[i].distinct;
      sent += seen.flows[i].sent;
    }
    Value out = Value::map();
    for (const auto& [node, counts] : lost) out.set(node, 100.0 * counts.first / counts.second);
    return Value::map({{Value("lost_percent"), std::move(out)}});
  }

 private:
  // How many datagrams were hit. Those that were held back count only when one that was sent later has come first.
  std::int64_t hit(const Totals& totals) const {
    switch (kind_) {
      case Kind::loss:
        return totals.sent - totals.distinct - totals.discarded;
      case Kind::duplicate:
        return totals.twice;
      case Kind::reorder:
        return totals.late;
      case Kind::corrupt:
        return totals.discarded;
      case Kind::corrupt_repaired:
        return totals.damaged;
    }
    return 0;
  }
  const char* what() const {
    switch (kind_) {
      case Kind::loss:
        return "were lost";
      case Kind::duplicate:
        return "arrived twice";
      case Kind::reorder:
        return "arrived after one that was sent later";
      case Kind::corrupt:
        return "were discarded by the receiver's kernel for their checksum";
      case Kind::corrupt_repaired:
        return "arrived with other bytes than were sent";
    }
    return "";
  }

  Observation judge(const DatagramsSeen& seen, bool healed) const override {
    const Totals now = sum(seen);
    const Totals before = sum(before_);
    if (now.sent == 0) return no_proof(seen);
    const double part = static_cast<double>(hit(now)) / static_cast<double>(now.sent);
    // Held up for a moment, a packet is often not overtaken.
    const double min_share = kind_ == Kind::reorder ? share_ / 5 : share_ / 2;
    Observation out;
    out.confirmed = healed ? part < min_share / 2 : part >= min_share;
    out.evidence =
        fmt::format("{} of {} datagrams {}, {} of {} before the injection", std::max<std::int64_t>(hit(now), 0),
                    now.sent, what(), std::max<std::int64_t>(hit(before), 0), before.sent);
    if (now.cut > 0) out.evidence += fmt::format("; {} of {} links were silent", now.cut, now.cut + now.flows);
    return out;
  }

  const Kind kind_;
  const double share_;
};

class Bandwidth final : public PacketFault {
 public:
  Bandwidth(const FaultContext& context, Links links, Effect effect, ProbeSettings settings, double bits_per_s)
      : PacketFault(context, std::move(links), std::move(effect), settings), bits_per_s_(bits_per_s) {}

 private:
  // What arrived after the first, and what a bucket lets pass at once, in bits per second; 0 when too little did.
  double rate(const FlowSeen& seen) const {
    const std::int64_t at_once = settings_.size + (by_kernel() ? kBucketBytes : 0);
    if (seen.distinct < 3 || seen.took_s <= 0 || seen.bytes <= at_once) return 0;
    return static_cast<double>(seen.bytes - at_once) * 8 / seen.took_s;
  }

  Observation judge(const DatagramsSeen& seen, bool healed) const override {
    std::size_t right = 0;
    std::size_t judged = 0;
    double fastest = 0;
    double slowest = 0;
    for (std::size_t i = 0; i < flows_.size(); ++i) {
      const double before = before_.flows[i].sent > 0 ? rate(before_.flows[i]) : 0;
      const double now = rate(seen.flows[i]);
      // A link that was no faster before shows nothing.
      if (before < 2 * bits_per_s_ || now == 0) continue;
      ++judged;
      fastest = std::max(fastest, now);
      slowest = judged == 1 ? now : std::min(slowest, now);
      right += healed ? now > 1.7 * bits_per_s_ : now < 1.4 * bits_per_s_;
    }
    if (judged == 0) return no_proof(seen);
    return {right == judged,
            fmt::format("{} of {} links carried {:.0f} to {:.0f} kbit/s, where {:.0f} are allowed and more "
                        "than twice as many passed before the injection",
                        judged, flows_.size(), slowest / 1000, fastest / 1000, bits_per_s_ / 1000)};
  }

  const double bits_per_s_;
};

// Between the two, all orders of magnitude alike.
double draw_scale(std::mt19937_64& random, double min, double max) {
  return min * std::pow(max / min, draw_between(random, 0, 1));
}

std::string needs_text() {
  return link_help() +
         "Mechanism: where the kernels of all nodes that send have it, a queue of the kernel (tc: prio, and behind it "
         "netem, for "
         "bandwidth tbf), where the packets leave; else a chain of its own (ORDEAL-…) in iptables and ip6tables leads "
         "them, where "
         "they arrive, to an agent (NFQUEUE), which says what becomes of each; should the agent die, they pass. The "
         "record says "
         "which, and why not netem. Needs on the nodes: root or sudo; for netem tc and unshare, and devices whose "
         "queue is the "
         "standard one; for the agent iptables with the target NFQUEUE; a 64-bit Linux on x86_64 or aarch64, and "
         "a UDP port that the probes may use between the nodes. The agent does not touch packets that a node forwards "
         "(to "
         "containers behind it), and uses bits 20 to 31 of the packets' mark between the tables mangle and filter.";
}

using Type = OptionSpec::Type;

OptionSpec mechanism_option(const std::string& fault) {
  return {fault + ".mechanism",
          Type::string,
          "auto",
          "netem: by the kernel; agent: by the agent; auto: netem where all nodes have it and nothing is asked for "
          "that only "
          "the agent can do (ports, repaired checksums), else the agent",
          std::nullopt,
          std::nullopt,
          {"auto", "netem", "agent"}};
}

// What only the agent can do, of what is asked for; empty: nothing.
std::string only_agent(const Options& options, std::string_view fault) {
  if (!options.string(fmt::format("{}.ports", fault)).empty()) return "it does not know ports";
  if (fault == "corrupt" && options.string("corrupt.checksum") == "repaired") return "it repairs no checksum";
  return "";
}

// The agent also runs the probes.
std::vector<NodeNeed> packet_needs(const Options& options, std::string_view fault) {
  const std::string mechanism = options.string(fmt::format("{}.mechanism", fault));
  if (mechanism == "netem") return {NodeNeed::agent, NodeNeed::netem};
  if (mechanism == "auto" && only_agent(options, fault).empty()) return {NodeNeed::agent, NodeNeed::netem_or_queue};
  return {NodeNeed::agent, NodeNeed::packet_filter, NodeNeed::packet_queue};
}

std::string packet_problem(const FaultContext& context, std::string_view fault) {
  const std::string missing = only_agent(context.options, fault);
  if (context.options.string(fmt::format("{}.mechanism", fault)) == "netem" && !missing.empty()) {
    return fmt::format("{0}.mechanism=netem: {1}; use {0}.mechanism=agent", fault, missing);
  }
  return link_problem(context, fault);
}

FaultFactory packet_fault(std::string name, std::string what, std::vector<OptionSpec> options, int probe_port) {
  FaultFactory out;
  out.help = what + " " + needs_text();
  out.options = link_options(name, probe_port);
  options.push_back(mechanism_option(name));
  out.options.insert(out.options.begin() + 1, options.begin(), options.end());
  out.name = std::move(name);
  return out;
}

OptionSpec percent_option(const char* fault, const char* what, const char* drawn, double max) {
  return {fmt::format("{}.percent", fault),
          Type::real,
          0.0,
          fmt::format("of the packets {}; 0: drawn, {}", what, drawn),
          0.0,
          max};
}

// Draws the links, the seed and then what `draw` draws, always in this order.
template <class Draw>
Result<std::unique_ptr<Injection>> plan_fault(const FaultContext& context, const char* fault, std::mt19937_64& random,
                                              Draw draw) {
  auto links = draw_links(context, fault, random);
  if (!links) return fail(links.error());
  Effect effect;
  effect.seed = random();
  const std::string mechanism = context.options.string(fmt::format("{}.mechanism", fault));
  effect.must_queue = mechanism == "netem";
  effect.not_queue = mechanism == "agent" ? "the agent was asked for" : only_agent(context.options, fault);
  return draw(*std::move(links), std::move(effect));
}

Result<std::unique_ptr<Injection>> plan_share(const FaultContext& context, const char* fault, std::mt19937_64& random,
                                              double min, double max, const char* effect_name, Share::Kind kind,
                                              const std::function<std::string(double)>& netem,
                                              const std::string& more = "", double burst = 1) {
  return plan_fault(context, fault, random, [&](Links links, Effect effect) {
    const double drawn = draw_between(random, min, max);
    const double wanted = context.options.real(fmt::format("{}.percent", fault));
    const double percent = wanted > 0 ? wanted : drawn;
    effect.text = fmt::format("{} {}{}", effect_name, std::llround(percent * 10'000), more);
    effect.queue = "netem limit 32768 " + netem(percent);
    // The copy is put in at the root, and kernels allow no other netem beside one that does so.
    effect.one_queue = kind == Share::Kind::duplicate;
    effect.parameters.set("percent", percent);
    effect.cuts = (kind == Share::Kind::loss || kind == Share::Kind::corrupt)
                      ? percent >= kCutLost
                      : kind == Share::Kind::corrupt_repaired && percent >= kCutFalsified;
    const ProbeSettings settings = rate_settings(links, percent / 100, burst);
    return std::make_unique<Share>(context, std::move(links), std::move(effect), settings, kind, percent / 100);
  });
}

}  // namespace

FaultFactory latency_fault() {
  FaultFactory out =
      packet_fault("latency",
                   "Packets between nodes arrive late. Those of one sender keep their order (see reorder for another). "
                   "Proof: how long "
                   "datagrams take between the nodes, there and back, before and after; followed every second while "
                   "they take less than 0.3 s.",
                   {{"latency.delay", Type::duration, 0.0, "each way; 0: drawn, 10 ms to 500 ms", 0.0, 60.0},
                    {"latency.jitter", Type::duration, -1.0,
                     "the most by which the delay differs either way (normal: its deviation); negative: drawn, up to "
                     "half of the delay",
                     -1.0, 60.0},
                    {"latency.distribution",
                     Type::string,
                     "uniform",
                     "of the jitter",
                     std::nullopt,
                     std::nullopt,
                     {"uniform", "normal"}},
                    {"latency.correlation", Type::integer, 0,
                     "percent by which a packet's jitter is that of the one before it", 0, 99}},
                   47081);
  out.inapplicable = [](const FaultContext& context) { return packet_problem(context, "latency"); };
  out.needs = [](const Options& options) { return packet_needs(options, "latency"); };
  out.plan = [](const FaultContext& context, std::mt19937_64& random) {
    return plan_fault(context, "latency", random, [&](Links links, Effect effect) {
      const double drawn_ms = draw_scale(random, 10, 500);
      const double drawn_part = draw_between(random, 0, 0.5);
      const double wanted_ms = 1000 * context.options.seconds("latency.delay");
      const double delay_ms = wanted_ms > 0 ? wanted_ms : drawn_ms;
      const double wanted_jitter_ms = 1000 * context.options.seconds("latency.jitter");
      const double jitter_ms = wanted_jitter_ms >= 0 ? wanted_jitter_ms : drawn_part * delay_ms;
      const std::string distribution = context.options.string("latency.distribution");
      effect.text = fmt::format("latency {} {} {} {}", std::llround(delay_ms * 1000), std::llround(jitter_ms * 1000),
                                distribution, context.options.integer("latency.correlation"));
      effect.queue = fmt::format("netem limit 32768 delay {}us", std::llround(delay_ms * 1000));
      if (jitter_ms > 0) {
        // With a rate, which is none here, a packet does not leave before the one ahead of it.
        effect.queue += fmt::format(" {}us {}%{} rate 10gbit", std::llround(jitter_ms * 1000),
                                    context.options.integer("latency.correlation"),
                                    distribution == "normal" ? " distribution normal" : "");
      }
      effect.parameters = Value::map({{Value("delay_ms"), Value(delay_ms)},
                                      {Value("jitter_ms"), Value(jitter_ms)},
                                      {Value("distribution"), Value(distribution)}});
      ProbeSettings settings;
      settings.port = links.probe_port;
      settings.count = 40;
      settings.gap_us = 2000;
      const Target::Roles* roles = context.target.roles();
      const double timeout_s =
          roles == nullptr || roles->election_timeout_s() <= 0 ? kElectionTimeout : roles->election_timeout_s();
      effect.cuts = (delay_ms + jitter_ms) * (links.direction == "both" ? 2 : 1) >= 1000 * timeout_s;
      // The lower quartile of a uniform distribution; that of a normal one is higher.
      const double least_ms = std::max(delay_ms - jitter_ms / 2, delay_ms / 4);
      return std::make_unique<Latency>(context, std::move(links), std::move(effect), settings, least_ms,
                                       delay_ms + jitter_ms);
    });
  };
  return out;
}

FaultFactory loss_fault() {
  FaultFactory out = packet_fault(
      "loss", "Packets between nodes are lost. Proof: numbered datagrams that arrive or do not; followed every second.",
      {percent_option("loss", "lost", "2 to 40", 90),
       {"loss.burst", Type::real, 1.0, "how many are lost in a row, on average; 1: each by itself", 1.0, 1000.0}},
      47082);
  out.inapplicable = [](const FaultContext& context) { return packet_problem(context, "loss"); };
  out.needs = [](const Options& options) { return packet_needs(options, "loss"); };
  out.plan = [](const FaultContext& context, std::mt19937_64& random) {
    const double burst = context.options.real("loss.burst");
    // The chain of two states: into the one that loses, and out of it (as in nemesis/programs/agent/packet_effect.cc).
    const auto netem = [burst](double percent) {
      const double enter = std::min(100.0, percent / (burst * (1 - percent / 100)));
      return burst > 1 ? fmt::format("loss gemodel {:.4f}% {:.4f}%", enter, 100 / burst)
                       : fmt::format("loss {:.4f}%", percent);
    };
    return plan_share(context, "loss", random, 2, 40, "loss", Share::Kind::loss, netem,
                      fmt::format(" {}", std::llround(burst)), burst);
  };
  return out;
}

FaultFactory duplicate_fault() {
  FaultFactory out = packet_fault(
      "duplicate", "Packets between nodes arrive twice. Proof: numbered datagrams of which some come again.",
      {percent_option("duplicate", "doubled", "5 to 50", 100)}, 47083);
  out.inapplicable = [](const FaultContext& context) { return packet_problem(context, "duplicate"); };
  out.needs = [](const Options& options) { return packet_needs(options, "duplicate"); };
  out.plan = [](const FaultContext& context, std::mt19937_64& random) {
    return plan_share(context, "duplicate", random, 5, 50, "duplicate", Share::Kind::duplicate,
                      [](double percent) { return fmt::format("duplicate {:.4f}%", percent); });
  };
  return out;
}

FaultFactory reorder_fault() {
  FaultFactory out = packet_fault(
      "reorder",
      "Packets between nodes overtake others: some are held back for a time. Proof: numbered datagrams that arrive "
      "after "
      "one that was sent later.",
      {percent_option("reorder", "held back", "5 to 50", 90),
       {"reorder.by", Type::duration, 0.0, "the most for which one is held back; 0: drawn, 5 ms to 50 ms", 0.0, 10.0}},
      47084);
  out.inapplicable = [](const FaultContext& context) { return packet_problem(context, "reorder"); };
  out.needs = [](const Options& options) { return packet_needs(options, "reorder"); };
  out.plan = [](const FaultContext& context, std::mt19937_64& random) {
    const double drawn_s = draw_scale(random, 0.005, 0.05);
    const double wanted_s = context.options.seconds("reorder.by");
    const double by_s = wanted_s > 0 ? wanted_s : drawn_s;
    // It has it the other way round: the part that is not held back.
    const auto netem = [by_s](double percent) {
      return fmt::format("delay {}us reorder {:.4f}%", std::llround(by_s * 1e6), 100 - percent);
    };
    return plan_share(context, "reorder", random, 5, 50, "reorder", Share::Kind::reorder, netem,
                      fmt::format(" {}", std::llround(by_s * 1e6)));
  };
  return out;
}

FaultFactory corrupt_fault() {
  FaultFactory out = packet_fault(
      "corrupt",
      "A bit of packets between nodes is flipped. Proof: what the receiver's kernel discards of numbered datagrams, "
      "or, when "
      "the checksum is repaired, what arrives with other bytes.",
      {percent_option("corrupt", "damaged", "1 to 20", 90),
       {"corrupt.checksum",
        Type::string,
        "wrong",
        "wrong: any bit behind the IP header, as a bad line does, so that the receiver's kernel discards the packet; "
        "repaired: one of the payload of TCP or UDP, with a checksum that agrees, as bad memory in a router does, so "
        "that it "
        "reaches the program",
        std::nullopt,
        std::nullopt,
        {"wrong", "repaired"}}},
      47085);
  out.inapplicable = [](const FaultContext& context) { return packet_problem(context, "corrupt"); };
  out.needs = [](const Options& options) { return packet_needs(options, "corrupt"); };
  out.plan = [](const FaultContext& context, std::mt19937_64& random) {
    const bool repaired = context.options.string("corrupt.checksum") == "repaired";
    return plan_share(
        context, "corrupt", random, 1, 20, "corrupt", repaired ? Share::Kind::corrupt_repaired : Share::Kind::corrupt,
        [](double percent) { return fmt::format("corrupt {:.4f}%", percent); }, repaired ? " repaired" : " wrong");
  };
  return out;
}

FaultFactory bandwidth_fault() {
  FaultFactory out = packet_fault(
      "bandwidth",
      "Links between nodes carry only so much, each sender by itself; what would have to wait for too long is dropped. "
      "Proof: how fast datagrams arrive that are sent all at once, before and after.",
      {{"bandwidth.rate", Type::integer, 0, "kbit/s on each link; 0: drawn, 100 to 10000", 0, 100'000},
       {"bandwidth.buffer", Type::duration, 0.2, "the longest wait", 0.05, 10.0}},
      47086);
  out.inapplicable = [](const FaultContext& context) { return packet_problem(context, "bandwidth"); };
  out.needs = [](const Options& options) { return packet_needs(options, "bandwidth"); };
  out.plan = [](const FaultContext& context, std::mt19937_64& random) {
    return plan_fault(context, "bandwidth", random, [&](Links links, Effect effect) {
      const auto drawn = static_cast<std::int64_t>(draw_scale(random, 100, 10'000));
      const std::int64_t wanted = context.options.integer("bandwidth.rate");
      const std::int64_t rate = wanted > 0 ? wanted : drawn;
      const double buffer_s = context.options.seconds("bandwidth.buffer");
      effect.text = fmt::format("bandwidth {} {}", rate * 1000, std::llround(buffer_s * 1e6));
      effect.queue =
          fmt::format("tbf rate {}kbit burst {} latency {}us", rate, kBucketBytes, std::llround(buffer_s * 1e6));
      effect.parameters = Value::map({{Value("kbit_per_s"), Value(rate)}, {Value("buffer_s"), Value(buffer_s)}});
      effect.cuts = rate < kCutRate;
      ProbeSettings settings;
      settings.port = links.probe_port;
      const double bytes = std::clamp(static_cast<double>(rate) * 125 * std::min(2 * buffer_s, 0.5), 2000.0, 600'000.0);
      settings.size = static_cast<int>(std::clamp(bytes / 24, 64.0, 1200.0));
      settings.count = static_cast<int>(bytes / settings.size);
      settings.gap_us = 0;
      return std::make_unique<Bandwidth>(context, std::move(links), std::move(effect), settings,
                                         static_cast<double>(rate) * 1000);
    });
  };
  return out;
}

}  // namespace ordeal
