#include "checkers/consistency/session_guarantees.h"

#include <algorithm>
#include <unordered_map>

#include "checkers/consistency/order.h"

namespace ordeal::weak {
namespace {

using Edge = Violation::Edge;
using Because = Violation::Because;

// The version graph of all keys. Its nodes are the writes and, for read-your-writes, "everything that this session has
// written to this key so far", which saves an edge from each earlier write to each later read.
class Versions {
 public:
  Versions(const Execution& execution, const Sources& sources)
      : execution_(execution),
        sources_(sources),
        alive_(happened(execution, sources)),
        out_(execution.accesses.size()) {}

  void monotonic_reads() {
    each_session([&](const std::vector<AccessId>& session) {
      std::unordered_map<std::uint32_t, AccessId> last;  // by key: the last read
      for (const AccessId r : session) {
        if (!has_source(r)) continue;
        const auto [found, fresh] = last.try_emplace(key(r), r);
        if (fresh) continue;
        const AccessId before = std::exchange(found->second, r);
        const Source from = sources_[before], to = sources_[r];
        if (from == to || from == kInitial) continue;
        if (to == kInitial)
          went_back("non-monotonic-read", r,
                    {{from, before, Because::reads_from, 0}, {before, r, Because::session, 0}});
        else
          add(from, to, Because::monotonic_reads, r, before);
      }
    });
  }

  void monotonic_writes() {
    each_session([&](const std::vector<AccessId>& session) {
      std::unordered_map<std::uint32_t, AccessId> last;
      for (const AccessId w : session) {
        if (!writes(w)) continue;
        const auto [found, fresh] = last.try_emplace(key(w), w);
        if (!fresh) add(std::exchange(found->second, w), w, Because::session, 0);
      }
    });
  }

  // With monotonic reads, the last read before a write speaks for those before it.
  void writes_follow_reads() {
    each_session([&](const std::vector<AccessId>& session) {
      std::unordered_map<std::uint32_t, AccessId> last;
      for (const AccessId a : session) {
        if (has_source(a)) last[key(a)] = a;
        if (!writes(a)) continue;
        const auto found = last.find(key(a));
        if (found != last.end() && sources_[found->second] != kInitial) {
          add(sources_[found->second], a, Because::writes_follow_reads, found->second);
        }
      }
    });
  }

  void read_your_writes() {
    each_session([&](const std::vector<AccessId>& session) {
      std::unordered_map<std::uint32_t, std::vector<Own>> written;  // by key, in order
      for (const AccessId a : session) {
        auto& own = written[key(a)];
        if (has_source(a) && !own.empty()) demand_own_writes(a, own);
        if (!writes(a)) continue;
        const auto sum = static_cast<AccessId>(out_.size());
        out_.emplace_back();
        add(a, sum, Because::session, 0);
        if (!own.empty()) add(own.back().sum, sum, Because::session, 0);
        own.push_back({a, sum, 0});
      }
    });
  }

  // `type` names a cycle with an edge of the guarantee's own; a cycle of reads alone is monotonic reads' fault.
  Finding judged(const std::string& type) {
    if (direct_) return Finding::invalid(std::move(*direct_));
    std::vector<Edge> cycle = contracted(find_cycle(out_));
    if (cycle.empty()) return {};
    Violation out;
    const bool only_reads =
        std::all_of(cycle.begin(), cycle.end(), [](const Edge& e) { return e.because == Because::monotonic_reads; });
    out.type = only_reads ? "non-monotonic-read" : type;
    out.guilty = cycle.back().because == Because::session ? cycle.back().to : cycle.back().seen_by;
    out.explanation = execution_.describe(cycle.back().to) +
                      " would have to come before itself in the order of the versions of " +
                      execution_.describe_key(key(cycle.back().to));
    out.sentences = {"No one order of the versions agrees with all of these."};
    out.edges = std::move(cycle);
    return Finding::invalid(std::move(out));
  }

 private:
  struct Own {
    AccessId write;
    AccessId sum;          // node: this write and all before it
    std::size_t demanded;  // of the writes after this one, how many are known to be before it already
  };

  template <class Each>
  void each_session(Each each) {
    for (const auto& session : execution_.sessions) each(session);
  }
  [[nodiscard]] std::uint32_t key(AccessId a) const { return execution_.accesses[a].key; }
  [[nodiscard]] bool writes(AccessId a) const { return alive_[a] != 0 && execution_.accesses[a].writes; }
  [[nodiscard]] bool has_source(AccessId a) const {
    return alive_[a] != 0 && execution_.accesses[a].reads && sources_[a] != kUndecided;
  }
  void add(AccessId from, AccessId to, Because because, AccessId seen_by, AccessId before = 0) {
    out_[from].push_back({from, to, because, seen_by, before});
  }

  void demand_own_writes(AccessId r, std::vector<Own>& own) {
    const Source seen = sources_[r];
    if (seen == kInitial) {
      went_back("stale-own-write", r, {{own.back().write, r, Because::session, 0}});
      return;
    }
    const auto found = std::find_if(own.rbegin(), own.rend(), [&](const Own& one) { return one.write == seen; });
    if (found == own.rend() || execution_.accesses[seen].session != execution_.accesses[r].session) {
      add(own.back().sum, seen, Because::read_your_writes, r);
      return;
    }
    const auto at = static_cast<std::size_t>(own.rend() - found) - 1;
    if (at > 0) add(own[at - 1].sum, seen, Because::read_your_writes, r);
    for (std::size_t later = at + 1 + own[at].demanded; later < own.size(); ++later) {
      add(own[later].write, seen, Because::read_your_writes, r);
      ++own[at].demanded;
    }
  }

  void went_back(std::string type, AccessId r, std::vector<Edge> edges) {
    if (direct_) return;
    Violation out;
    out.type = std::move(type);
    out.guilty = r;
    out.explanation = execution_.describe(r) + " returned the initial value again";
    out.sentences = {"Yet " + execution_.describe(r) + " returned the initial value, which is before every write."};
    out.edges = std::move(edges);
    direct_ = std::move(out);
  }

  // Replaces the chains through sums by one edge each.
  std::vector<Edge> contracted(std::vector<Edge> cycle) const {
    const auto is_write = [&](const Edge& edge) { return edge.from < execution_.accesses.size(); };
    const auto first = std::find_if(cycle.begin(), cycle.end(), is_write);
    std::rotate(cycle.begin(), first, cycle.end());
    std::vector<Edge> out;
    for (const Edge& edge : cycle) {
      if (is_write(edge))
        out.push_back(edge);
      else
        out.back().to = edge.to, out.back().because = edge.because, out.back().seen_by = edge.seen_by,
        out.back().before = edge.before;
    }
    return out;
  }

  const Execution& execution_;
  const Sources& sources_;
  std::vector<char> alive_;
  std::vector<std::vector<Edge>> out_;
  std::optional<Violation> direct_;
};

}  // namespace

Finding judge_read_your_writes(const Execution& execution, const Sources& sources, const WeakLimits&) {
  Versions versions(execution, sources);
  versions.read_your_writes();
  return versions.judged("stale-own-write");
}

Finding judge_monotonic_reads(const Execution& execution, const Sources& sources, const WeakLimits&) {
  Versions versions(execution, sources);
  versions.monotonic_reads();
  return versions.judged("non-monotonic-read");
}

Finding judge_monotonic_writes(const Execution& execution, const Sources& sources, const WeakLimits&) {
  Versions versions(execution, sources);
  versions.monotonic_reads();
  versions.monotonic_writes();
  return versions.judged("non-monotonic-write");
}

Finding judge_writes_follow_reads(const Execution& execution, const Sources& sources, const WeakLimits&) {
  Versions versions(execution, sources);
  versions.monotonic_reads();
  versions.writes_follow_reads();
  return versions.judged("write-before-read-version");
}

std::vector<AnomalyEntry> session_anomalies() {
  return {
      {"stale-own-write", "a process did not see what it had written itself, or something newer"},
      {"non-monotonic-read", "a process saw an older version of a key after a newer one"},
      {"non-monotonic-write", "a process' writes to a key were seen in another order than it made them"},
      {"write-before-read-version", "a write was seen before the version that its process had read when it wrote"},
  };
}

}  // namespace ordeal::weak
