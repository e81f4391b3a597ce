#include "checkers/consistency/sequential_proof.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "base/names.h"
#include "checkers/linearizability/proof/links.h"
#include "checkers/linearizability/proof/minimise.h"
#include "checkers/linearizability/proof/reason.h"

namespace ordeal {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kMinimising{2000};
constexpr std::size_t kCandidateBytes = std::size_t{64} << 20;
constexpr std::size_t kMaxSessionsTold = 6;
constexpr std::size_t kMaxStepsTold = 6;

using Kept = std::set<EventIndex>;  // invocations

class Minimiser {
 public:
  Minimiser(const lin::Model& model, const lin::Partition& parts, const SequentialSessions& sessions,
            SequentialLimits limits)
      : model_(model), parts_(parts), sessions_(sessions), limits_(std::move(limits)) {
    for (const lin::KeyHistory& key : parts.keys) links_.emplace_back(key);
    for (const auto& session : sessions) {
      for (const SequentialStep& step : session) kept_.insert(step.invocation);
    }
    const auto until = Clock::now() + kMinimising;
    limits_.deadline = limits_.deadline ? std::min(*limits_.deadline, until) : until;
    limits_.memory_bytes = std::min(limits_.memory_bytes, kCandidateBytes);
  }

  SequentialSessions run() {
    std::size_t before = 0;
    do {
      before = kept_.size();
      reduce(units());
    } while (kept_.size() < before && !late());
    return part(kept_);
  }

 private:
  [[nodiscard]] bool late() const { return Clock::now() >= *limits_.deadline || limits_.stop.stop_requested(); }

  // What goes together, of what can go at all.
  [[nodiscard]] std::vector<Kept> units() const {
    std::map<std::tuple<std::uint32_t, std::int64_t, EventIndex>, Kept> groups;
    for (const auto& session : sessions_) {
      for (const SequentialStep& step : session) {
        if (!kept_.contains(step.invocation) || links_[step.key].stays(step.call)) continue;
        const std::int64_t together = links_[step.key].together(step.call);
        groups[{step.key, together, together < 0 ? step.invocation : 0}].insert(step.invocation);
      }
    }
    std::vector<Kept> out;
    for (auto& [group, members] : groups) out.push_back(std::move(members));
    return out;
  }

  [[nodiscard]] SequentialSessions part(const Kept& kept) const {
    SequentialSessions out;
    for (const auto& session : sessions_) {
      std::vector<SequentialStep> some;
      for (const SequentialStep& step : session) {
        if (kept.contains(step.invocation)) some.push_back(step);
      }
      if (!some.empty()) out.push_back(std::move(some));
    }
    return out;
  }

  [[nodiscard]] bool proves(const Kept& kept) const {
    const SequentialSessions some = part(kept);
    std::vector<lin::Calls> by_key(parts_.keys.size());
    for (const auto& session : some) {
      for (const SequentialStep& step : session) by_key[step.key].push_back(step.call);
    }
    for (std::size_t k = 0; k < by_key.size(); ++k) {
      std::sort(by_key[k].begin(), by_key[k].end());
      if (!links_[k].complete_in_any_order(by_key[k])) return false;
    }
    return SequentialSearch(model_, some, parts_.keys.size(), limits_).run() == Verdict::invalid;
  }

  // Leaves out units: large chunks first, down to single ones, until none can go.
  void reduce(std::vector<Kept> units) {
    for (std::size_t chunk = std::max<std::size_t>(1, units.size() / 2); !units.empty() && !late();) {
      bool any = false;
      for (std::size_t first = 0; first < units.size() && !late();) {
        const std::size_t last = std::min(units.size(), first + chunk);
        Kept smaller = kept_;
        for (std::size_t u = first; u < last; ++u) {
          for (const EventIndex e : units[u]) smaller.erase(e);
        }
        if (proves(smaller)) {
          kept_ = std::move(smaller);
          units.erase(units.begin() + static_cast<std::ptrdiff_t>(first),
                      units.begin() + static_cast<std::ptrdiff_t>(last));
          any = true;
        } else {
          first = last;
        }
      }
      if (chunk == 1 && !any) return;
      chunk = std::max<std::size_t>(1, chunk / 2);
    }
  }

  const lin::Model& model_;
  const lin::Partition& parts_;
  const SequentialSessions& sessions_;
  SequentialLimits limits_;
  std::vector<lin::Links> links_;
  Kept kept_;
};

class Teller {
 public:
  // Those that did more than one thing come first: theirs are the orders.
  Teller(const History& history, const lin::Model& model, const lin::Partition& parts, SequentialSessions sessions)
      : history_(history), model_(model), parts_(parts), sessions_(std::move(sessions)) {
    std::stable_sort(sessions_.begin(), sessions_.end(),
                     [](const auto& a, const auto& b) { return a.size() > b.size(); });
  }

  Anomaly run(SequentialLimits limits) {
    Anomaly out;
    out.type = "nonsequential";
    for (const auto& session : sessions_) {
      for (const SequentialStep& step : session) out.operations.push_back(step.invocation);
    }
    std::sort(out.operations.begin(), out.operations.end());
    out.key = only_key();
    const std::size_t operations = out.operations.size();
    if (operations == 1) {
      const SequentialStep& step = sessions_[0][0];
      const lin::KeyHistory& key = parts_.keys[step.key];
      const auto reason = lin::reason_for(lin::part_of(key, {step.call}), key);
      out.explanation =
          reason ? reason->text : who(step) + " saw " + what(step) + ", which no operation of the history explains";
    } else if (sessions_.size() == 1) {
      out.explanation =
          "what " + who(sessions_[0][0]) + " saw contradicts what it did itself: " + in_order(sessions_[0]);
    } else {
      out.explanation = "what " + std::to_string(sessions_.size()) +
                        " processes did cannot be reconciled: " + orders() + "; no one order of these " +
                        std::to_string(operations) + " operations keeps each of them and explains what was seen";
    }
    for (std::size_t s = 0; s < std::min(sessions_.size(), kMaxSessionsTold); ++s)
      out.sentences.push_back(who(sessions_[s][0]) + " did, in this order: " + in_order(sessions_[s]));
    if (sessions_.size() > kMaxSessionsTold)
      out.sentences.push_back(std::to_string(sessions_.size() - kMaxSessionsTold) + " more processes belong to it");
    tell_end(std::move(limits), out);
    picture(out);
    return out;
  }

 private:
  [[nodiscard]] std::string who(const SequentialStep& step) const {
    return history_.client(history_.process(step.invocation));
  }
  [[nodiscard]] std::string key_of(const SequentialStep& step) const {
    const ValueId key = parts_.keys[step.key].key;
    return key == kNil ? "" : " of key " + history_.values().to_json(key);
  }
  [[nodiscard]] std::string what(const SequentialStep& step) const {
    return "\"" + model_.describe(step.op) + "\"" + key_of(step) + " (event " +
           std::to_string(history_.index(step.invocation)) + (step.crashed ? ", outcome unknown" : "") + ")";
  }
  [[nodiscard]] std::string in_order(const std::vector<SequentialStep>& session) const {
    std::string out;
    for (std::size_t i = 0; i < session.size(); ++i) {
      // Of a long one the beginning and the end.
      if (session.size() > kMaxStepsTold && i == kMaxStepsTold / 2) {
        const std::size_t skipped = session.size() - kMaxStepsTold + 1;
        out += ", then " + std::to_string(skipped) + " more";
        i += skipped - 1;
        continue;
      }
      out += (i == 0 ? "" : ", then ") + what(session[i]);
    }
    return out;
  }
  [[nodiscard]] std::string orders() const {
    std::string out;
    for (std::size_t s = 0; s < std::min<std::size_t>(sessions_.size(), 3); ++s)
      out += (s == 0 ? "" : "; ") + who(sessions_[s][0]) + " did " + in_order(sessions_[s]);
    return out + (sessions_.size() > 3 ? "; and so on" : "");
  }
  [[nodiscard]] std::optional<Value> only_key() const {
    std::set<ValueId> keys;
    for (const auto& session : sessions_) {
      for (const SequentialStep& step : session) keys.insert(parts_.keys[step.key].key);
    }
    if (keys.size() != 1 || *keys.begin() == kNil) return std::nullopt;
    return history_.values().to_value(*keys.begin());
  }

  // How far an order of them gets, and what it is stopped by.
  void tell_end(SequentialLimits limits, Anomaly& out) {
    SequentialSearch search(model_, sessions_, parts_.keys.size(), std::move(limits));
    search.keep_furthest();
    if (search.run() != Verdict::invalid) return;
    const SequentialSearch::End& end = search.furthest();
    out.sentences.push_back("No order that keeps all of this holds more than " + std::to_string(end.done) + " of the " +
                            std::to_string(search.must()) + " acknowledged operations");
    for (std::size_t s = 0; s < sessions_.size(); ++s) {
      if (end.at[s] == sessions_[s].size()) continue;
      const SequentialStep& next = sessions_[s][end.at[s]];
      guilty_.insert(next.invocation);
      if (guilty_.size() > 4) continue;
      out.sentences.push_back("In one that gets so far " + what(next) + " of " + who(next) +
                              " must come next and cannot: the state" + key_of(next) + " is " +
                              model_.describe(end.states[next.key]));
    }
  }

  void picture(Anomaly& out) const {
    constexpr std::size_t kMaxNodes = 60;
    if (out.operations.size() > kMaxNodes) return;
    for (const auto& session : sessions_) {
      for (std::size_t i = 0; i < session.size(); ++i) {
        const SequentialStep& step = session[i];
        if (i > 0) {
          const std::size_t here = out.graph.nodes.size();
          out.graph.edges.push_back({here - 1, here, "process", "the same process did it first", false});
        }
        out.graph.nodes.push_back({step.invocation, model_.describe(step.op) + key_of(step) + "\n" + who(step),
                                   guilty_.contains(step.invocation), false});
      }
    }
  }

  const History& history_;
  const lin::Model& model_;
  const lin::Partition& parts_;
  SequentialSessions sessions_;
  std::set<EventIndex> guilty_;
};

}  // namespace

Anomaly explain_nonsequential(const History& history, const lin::Model& model, const lin::Partition& parts,
                              const SequentialSessions& sessions, SequentialLimits limits) {
  const SequentialSessions minimal = Minimiser(model, parts, sessions, limits).run();
  if (!limits.deadline) limits.deadline = Clock::now() + kMinimising;
  return Teller(history, model, parts, minimal).run(std::move(limits));
}

}  // namespace ordeal
