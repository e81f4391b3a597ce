#include "checkers/consistency/causal.h"

#include <algorithm>

#include "checkers/consistency/order.h"

namespace ordeal::weak {
namespace {

using Edge = Violation::Edge;
using Because = Violation::Because;

void append(std::vector<Edge>& to, std::vector<Edge> more) { to.insert(to.end(), more.begin(), more.end()); }

// Everything the judges share: who happened, and the sentences of the patterns.
class Patterns {
 public:
  Patterns(const Execution& execution, const Sources& sources) : execution_(execution), sources_(sources) {
    alive = happened(execution, sources);
  }

  Violation cyclic(std::string type, std::vector<Edge> cycle, const std::string& order) const {
    Violation out;
    out.type = std::move(type);
    out.guilty = cycle.back().to;
    out.explanation = execution_.describe(out.guilty) + " comes before itself in " + order;
    out.sentences = {"These edges form a cycle, so no order keeps them all."};
    out.edges = std::move(cycle);
    return out;
  }

  // `reader` saw the initial value although `write` comes before it.
  Violation missed_write(std::string type, const Order& order, AccessId write, AccessId reader) const {
    Violation out;
    out.type = std::move(type);
    out.guilty = reader;
    out.others = {write};
    out.edges = order.path(write, reader);
    out.known = order.known(out.edges);
    out.explanation = execution_.describe(reader) + " returned the initial value although " +
                      execution_.describe(write) + " comes before it";
    out.sentences = {out.explanation + "."};
    return out;
  }

  // `reader` saw `source`, although `source` comes before `newer`, and that before `reader`.
  Violation overwritten(std::string type, const Order& order, AccessId source, AccessId newer, AccessId reader) const {
    Violation out;
    out.type = std::move(type);
    out.guilty = reader;
    out.others = {source, newer};
    out.edges = order.path(source, newer);
    append(out.edges, order.path(newer, reader));
    out.known = order.known(out.edges);
    out.explanation = execution_.describe(reader) + " returned the value of " + execution_.describe(source) +
                      " although " + execution_.describe(newer) + " comes in between";
    out.sentences = {out.explanation + "."};
    return out;
  }

  [[nodiscard]] bool has_source(AccessId r) const {
    return alive[r] != 0 && execution_.accesses[r].reads && sources_[r] != kUndecided;
  }

  // The first read, if there is one, that is wrong in `order` as it stands.
  std::optional<Violation> first_wrong_read(const Order& order) const {
    for (AccessId r = 0; r < sources_.size(); ++r) {
      if (!has_source(r)) continue;
      for (const std::uint32_t session : order.writers(execution_.accesses[r].key)) {
        const auto newer = order.last_write(r, session);
        if (!newer || *newer == sources_[r]) continue;
        if (sources_[r] == kInitial) return missed_write("WriteCOInitRead", order, *newer, r);
        if (order.before(sources_[r], *newer)) return overwritten("WriteCORead", order, sources_[r], *newer, r);
      }
    }
    return std::nullopt;
  }

  std::vector<char> alive;

 private:
  const Execution& execution_;
  const Sources& sources_;
};

std::string too_big(const Execution& execution, const WeakLimits& limits) {
  const std::size_t needed = execution.accesses.size() * (execution.sessions.size() * sizeof(std::uint32_t) + 64);
  if (needed <= limits.memory_bytes) return {};
  return "the vector clocks of " + std::to_string(execution.accesses.size()) + " operations in " +
         std::to_string(execution.sessions.size()) + " sessions would need " + std::to_string(needed >> 20) +
         " MiB, more than the memory limit";
}

// One session's view: adds what its reads demand until nothing changes. `type` names the violations it finds.
class View {
 public:
  View(const Execution& execution, const Sources& sources, const Patterns& patterns, Order& order,
       std::uint32_t session, std::string init_type, std::string cycle_type)
      : execution_(execution),
        sources_(sources),
        patterns_(patterns),
        order_(order),
        session_(session),
        init_type_(std::move(init_type)),
        cycle_type_(std::move(cycle_type)),
        queued_(execution.sessions[session].size(), 0) {}

  Finding run(const WeakLimits& limits) {
    // The last first: what it demands is demanded of everything before as well, so that the clocks of a long session
    // are walked once and not once a read.
    const auto& session = execution_.sessions[session_];
    for (auto r = session.rbegin(); r != session.rend(); ++r) enqueue(*r);
    for (std::size_t i = 0; i < queue_.size(); ++i) {
      if (i % 64 == 0) {
        if (std::string why = limits.reached(); !why.empty()) return Finding::unknown(std::move(why));
      }
      const AccessId r = queue_[i];
      queued_[execution_.accesses[r].position] = 0;
      if (auto wrong = satisfy(r)) return Finding::invalid(std::move(*wrong));
    }
    return {};
  }

 private:
  void enqueue(AccessId r) {
    const Access& a = execution_.accesses[r];
    if (a.session != session_ || !patterns_.has_source(r) || queued_[a.position] != 0) return;
    queued_[a.position] = 1;
    queue_.push_back(r);
  }

  std::optional<Violation> satisfy(AccessId r) {
    for (const std::uint32_t session : order_.writers(execution_.accesses[r].key)) {
      const auto newer = order_.last_write(r, session);
      if (!newer || *newer == sources_[r]) continue;
      if (sources_[r] == kInitial) return patterns_.missed_write(init_type_, order_, *newer, r);
      if (order_.before(*newer, sources_[r])) continue;
      if (order_.before(sources_[r], *newer)) return patterns_.overwritten(cycle_type_, order_, sources_[r], *newer, r);
      order_.add({*newer, sources_[r], Because::version_order, r}, [&](AccessId changed) { enqueue(changed); });
    }
    return std::nullopt;
  }

  const Execution& execution_;
  const Sources& sources_;
  const Patterns& patterns_;
  Order& order_;
  std::uint32_t session_;
  std::string init_type_, cycle_type_;
  std::vector<char> queued_;  // by position
  std::vector<AccessId> queue_;
};

}  // namespace

std::string WeakLimits::reached() const {
  if (stop.stop_requested()) return "stopped on request";
  if (deadline != std::chrono::steady_clock::time_point::max() && std::chrono::steady_clock::now() >= deadline) {
    return "the time limit was reached";
  }
  return {};
}

Finding judge_cc(const Execution& execution, const Sources& sources, const WeakLimits& limits) {
  if (std::string why = too_big(execution, limits); !why.empty()) return Finding::unknown(std::move(why));
  const Patterns patterns(execution, sources);
  const Order order(execution, sources, patterns.alive, [](AccessId) { return true; });
  if (!order.cycle().empty()) return Finding::invalid(patterns.cyclic("CyclicCO", order.cycle(), "causal order"));
  if (auto wrong = patterns.first_wrong_read(order)) return Finding::invalid(std::move(*wrong));
  return {};
}

Finding judge_ccv(const Execution& execution, const Sources& sources, const WeakLimits& limits) {
  if (std::string why = too_big(execution, limits); !why.empty()) return Finding::unknown(std::move(why));
  const Patterns patterns(execution, sources);
  const Order order(execution, sources, patterns.alive, [](AccessId) { return true; });
  if (!order.cycle().empty()) return Finding::invalid(patterns.cyclic("CyclicCO", order.cycle(), "causal order"));
  if (auto wrong = patterns.first_wrong_read(order)) return Finding::invalid(std::move(*wrong));
  // Each read puts every other write it knows of before its source. What it knows of is meant causally, so these
  // edges do not beget others.
  std::vector<std::vector<Edge>> graph = order.edges();
  for (AccessId r = 0; r < sources.size(); ++r) {
    if (!patterns.has_source(r) || sources[r] == kInitial) continue;
    for (const std::uint32_t session : order.writers(execution.accesses[r].key)) {
      const auto other = order.last_write(r, session);
      if (!other || *other == sources[r] || order.before(*other, sources[r])) continue;
      graph[*other].push_back({*other, sources[r], Because::version_order, r});
    }
    if (r % 1024 == 0) {
      if (std::string why = limits.reached(); !why.empty()) return Finding::unknown(std::move(why));
    }
  }
  if (auto cycle = find_cycle(graph); !cycle.empty()) {
    Violation out = patterns.cyclic("CyclicCF", std::move(cycle), "causal order and the order of versions");
    out.known = order.known(out.edges);
    return Finding::invalid(std::move(out));
  }
  return {};
}

Finding judge_cm(const Execution& execution, const Sources& sources, const WeakLimits& limits) {
  if (std::string why = too_big(execution, limits); !why.empty()) return Finding::unknown(std::move(why));
  const Patterns patterns(execution, sources);
  const Order order(execution, sources, patterns.alive, [](AccessId) { return true; });
  if (!order.cycle().empty()) return Finding::invalid(patterns.cyclic("CyclicCO", order.cycle(), "causal order"));
  if (auto wrong = patterns.first_wrong_read(order)) return Finding::invalid(std::move(*wrong));
  for (std::uint32_t session = 0; session < execution.sessions.size(); ++session) {
    Order own = order;
    Finding found = View(execution, sources, patterns, own, session, "WriteHBInitRead", "CyclicHB").run(limits);
    if (found.verdict != Verdict::valid) return found;
  }
  return {};
}

Finding judge_pram(const Execution& execution, const Sources& sources, const WeakLimits& limits) {
  if (std::string why = too_big(execution, limits); !why.empty()) return Finding::unknown(std::move(why));
  const Patterns patterns(execution, sources);
  for (std::uint32_t session = 0; session < execution.sessions.size(); ++session) {
    Order own(execution, sources, patterns.alive, [&](AccessId r) { return execution.accesses[r].session == session; });
    if (!own.cycle().empty()) {
      return Finding::invalid(patterns.cyclic("nonpram", own.cycle(), "what its process saw and the sessions' orders"));
    }
    Finding found = View(execution, sources, patterns, own, session, "nonpram", "nonpram").run(limits);
    if (found.verdict != Verdict::valid) return found;
  }
  return {};
}

std::vector<AnomalyEntry> causal_anomalies() {
  return {
      {"CyclicCO", "what processes did and saw puts an operation before itself"},
      {"WriteCOInitRead", "a read returned the initial value although a write to its key comes before it causally"},
      {"WriteCORead", "a read returned a value that, as it must have known, was overwritten"},
      {"CyclicCF", "the reads of different processes agree on no order of the writes"},
      {"WriteHBInitRead",
       "a read returned the initial value although, from what its process saw, a write comes before it"},
      {"CyclicHB", "one process' reads fit no order of the writes that it knows causally"},
      {"nonpram", "one process' reads fit no order of all writes that keeps the order of each process"},
  };
}

}  // namespace ordeal::weak
