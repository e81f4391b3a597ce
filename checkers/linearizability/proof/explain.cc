#include "checkers/linearizability/proof/explain.h"

#include <algorithm>
#include <compare>
#include <cstdint>
#include <set>
#include <tuple>
#include <vector>

#include "checkers/linearizability/models/operations.h"
#include "checkers/linearizability/proof/any_state.h"
#include "checkers/linearizability/proof/reason.h"
#include "checkers/linearizability/proof/told.h"

namespace ordeal::lin {
namespace {

// Places in the list of calls: a bit each.
class Done {
 public:
  explicit Done(std::size_t calls) : words_((calls + 63) / 64) {}
  void add(std::size_t i) { words_[i / 64] |= std::uint64_t{1} << (i % 64); }
  [[nodiscard]] bool has(std::size_t i) const { return (words_[i / 64] >> (i % 64) & 1) != 0; }
  friend auto operator<=>(const Done&, const Done&) = default;

 private:
  std::vector<std::uint64_t> words_;
};

// How far one order got.
struct Reached {
  Done done;
  State state;
  std::size_t ok = 0;  // how many of them are acknowledged
  friend bool operator<(const Reached& x, const Reached& y) {
    return std::tie(x.done, x.state) < std::tie(y.done, y.state);
  }
};

class Explainer {
 public:
  Explainer(const KeyHistory& minimal, const KeyHistory& whole, const View& view)
      : h_(*minimal.history), told_(minimal), view_(view), key_(minimal), whole_(whole) {
    if (key_.from == 0 && view.elements.empty() && view.unseen == Unseen::nothing) return;
    from_any_ = from_any_state(*minimal.model, h_, minimal.calls, view);
    key_.model = from_any_.get();
  }

  Anomaly run() {
    Anomaly out;
    out.type = "nonlinearizable";
    if (key_.key != kNil) out.key = h_.values().to_value(key_.key);
    for (const Call& call : key_.calls) out.operations.push_back(call.inv);
    constexpr std::size_t kMax = 6;
    for (std::size_t i = 0; i < key_.calls.size() && i < kMax; ++i)
      out.sentences.push_back(what_happened(key_.calls[i]));
    if (key_.calls.size() > kMax) {
      out.sentences.push_back(std::to_string(key_.calls.size() - kMax) +
                              " more operations belong to it; see the list.");
    }
    if (key_.from != 0) {
      out.sentences.push_back("What was over before event " + std::to_string(h_.index(key_.from)) +
                              " does not matter: there is no order whatever the state was then.");
    }
    if (!view_.elements.empty()) out.sentences.push_back(only_elements());
    if (const char* what = besides(); *what != '\0')
      out.sentences.push_back("What else was " + std::string(what) +
                              " is left out: there is no order however much it was.");
    walk(out);
    if (const auto reason = reason_for(key_, whole_)) name_reason(*reason, out);
    if (key_.key != kNil) out.explanation += " (key " + h_.values().to_json(key_.key) + ")";
    graph(out);
    if (key_.calls.size() <= kMaxWithNeighbours) neighbours(out);
    return out;
  }

 private:
  std::string moment(EventIndex e) const { return told_.moment(e); }
  std::string who(const Call& call) const { return told_.who(call); }

  std::string only_elements() const {
    std::string out = "Only what is said of ";
    for (std::size_t i = 0; i < view_.elements.size(); ++i)
      out += (i == 0 ? "" : " and ") + told_.value(view_.elements[i]);
    return out + " is looked at here, of reads as well: that has no order, whatever the others do.";
  }

  // Of containers and registers with versions.
  const char* besides() const {
    if (view_.unseen == Unseen::nothing) return "";
    if (key_.model->name() == "versioned-register") return "written";
    if (family_of(*key_.model) != Family::containers) return "";
    return view_.unseen == Unseen::additions ? "put in" : "taken";
  }

  // A mistake that has a name says more than that the orders end somewhere.
  void name_reason(const Reason& reason, Anomaly& out) {
    out.explanation = reason.text;
    guilty_.clear();
    for (std::size_t i = 0; i < key_.calls.size(); ++i) {
      if (key_.calls[i].inv == reason.by.front()) guilty_.insert(i);
    }
  }

  std::string what_happened(const Call& call) const {
    std::string out = who(call) + " invoked \"" + key_.model->describe(call.op) + "\" at " + moment(call.inv);
    out[0] = 'P';
    const EventIndex end = h_.partner(call.inv);
    if (call.crashed()) {
      return out + " and nobody knows whether it happened" +
             (end == kNoEvent ? "." : " (info at " + moment(end) + ").");
    }
    return out + " and it completed at " + moment(end) + ".";
  }

  // Follows every order of the minimal history as far as it goes: where it ends, and what would have been needed.
  void walk(Anomaly& out) {
    std::set<Reached> seen, open{{Done(key_.calls.size()), key_.model->canonical(key_.model->initial())}};
    std::vector<Reached> longest;
    std::size_t most_ok = 0;
    // The more operations, the less of what is possible is looked at.
    const std::size_t most = std::min<std::size_t>(20'000, 400'000 / std::max<std::size_t>(1, key_.calls.size()));
    while (!open.empty() && seen.size() < most) {
      const auto [place, added] = seen.insert(std::move(open.extract(open.begin()).value()));
      if (!added) continue;
      const Reached& here = *place;
      if (here.ok > most_ok) longest.clear();
      most_ok = std::max(most_ok, here.ok);
      if (here.ok == most_ok) longest.push_back(here);
      for (const std::size_t i : next_ones(here.done)) {
        std::vector<State> successors;
        key_.model->step(here.state, key_.calls[i].op, successors);
        for (State& state : successors) {
          Reached next{here.done, key_.model->canonical(std::move(state)), here.ok};
          next.done.add(i);
          if (!key_.calls[i].crashed()) ++next.ok;
          open.insert(std::move(next));
        }
      }
    }
    std::set<std::string> states;
    for (const Reached& reached : longest) states.insert(key_.model->describe(reached.state));
    std::string reach = "Every order that the model allows ends after at most " + std::to_string(most_ok) + " of the " +
                        std::to_string(count_all_ok()) + " acknowledged operations, with the state ";
    std::size_t named = 0;
    for (const std::string& state : states) {
      if (named == 5) {
        reach += " or another";
        break;
      }
      reach += (named++ == 0 ? "" : " or ") + state;
    }
    out.sentences.push_back(reach + ".");
    if (longest.empty()) return;
    // What is left then, from the viewpoint of one such end.
    const Reached& end = longest.front();
    for (const std::size_t i : next_ones(end.done)) {
      const Call& call = key_.calls[i];
      if (call.crashed()) continue;
      guilty_.insert(i);
      if (out.sentences.size() < 8) {
        out.sentences.push_back("There \"" + key_.model->describe(call.op) + "\" of " + who(call) +
                                " must come next and cannot: " + needed(call.op) + ", but the state is " +
                                key_.model->describe(end.state) + ".");
      }
    }
    out.explanation = out.operations.size() == 1 ? "\"" + key_.model->describe(key_.calls[0].op) +
                                                       "\" cannot be explained by any operation of the history"
                                                 : summary(end.state);
  }

  std::string summary(const State& state) const {
    std::string out = std::to_string(key_.calls.size()) + " operations have no order that " +
                      std::string(key_.model->name()) + " allows" + (key_.from != 0 ? ", whatever was before" : "");
    if (!guilty_.empty()) {
      const Call& call = key_.calls[*guilty_.begin()];
      out += ": \"" + key_.model->describe(call.op) + "\" of " + who(call) + " at " + moment(call.inv) +
             " does not fit the state " + key_.model->describe(state);
    }
    return out;
  }

  std::string needed(const Operation& op) const {
    if (is_one_register(*key_.model)) return "it needs the value " + h_.values().to_json(static_cast<ValueId>(op.a));
    return "it is not possible in every state";
  }

  std::size_t count_all_ok() const {
    return static_cast<std::size_t>(
        std::count_if(key_.calls.begin(), key_.calls.end(), [](const Call& c) { return !c.crashed(); }));
  }

  // The calls that real time allows next.
  std::vector<std::size_t> next_ones(const Done& done) const {
    EventIndex deadline = kNever;
    for (std::size_t i = 0; i < key_.calls.size(); ++i) {
      if (!done.has(i)) deadline = std::min(deadline, key_.calls[i].ret);
    }
    std::vector<std::size_t> out;
    for (std::size_t i = 0; i < key_.calls.size(); ++i) {
      if (!done.has(i) && key_.calls[i].inv < deadline) out.push_back(i);
    }
    return out;
  }

  // Real time where nothing lies between, and who can have read from whom.
  void graph(Anomaly& out) {
    constexpr std::size_t kMaxNodes = 60;
    const auto& calls = key_.calls;
    const std::size_t n = std::min(calls.size(), kMaxNodes);
    if (calls.size() > n) out.graph.component_size = calls.size();
    for (std::size_t i = 0; i < n; ++i) {
      out.graph.nodes.push_back(
          {calls[i].inv, key_.model->describe(calls[i].op) + "\n" + who(calls[i]), guilty_.count(i) != 0, false});
    }
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < n; ++j) {
        if (calls[i].crashed() || calls[i].ret >= calls[j].inv) continue;
        const bool between = std::any_of(calls.begin(), calls.begin() + static_cast<std::ptrdiff_t>(n),
                                         [&](const Call& k) { return calls[i].ret < k.inv && k.ret < calls[j].inv; });
        if (between) continue;
        out.graph.edges.push_back(
            {i, j, "realtime", "completed at " + moment(h_.partner(calls[i].inv)) + ", before " + moment(calls[j].inv),
             false});
      }
    }
    if (!is_one_register(*key_.model)) return;
    for (std::size_t i = 0; i < n; ++i) {
      if (calls[i].op.code == reg::kWrite) continue;
      for (std::size_t j = 0; j < n; ++j) {
        const Operation& writer = calls[j].op;
        const bool made = (writer.code == reg::kWrite && writer.a == calls[i].op.a) ||
                          (writer.code == reg::kCas && writer.b == calls[i].op.a);
        if (i != j && made && calls[j].inv < calls[i].ret) {
          out.graph.edges.push_back({j, i, "wr", h_.values().to_json(static_cast<ValueId>(calls[i].op.a)), false});
        }
      }
    }
  }

  // What else was going on around the operations that cannot be explained: those that overlap them, and the last
  // before.
  std::vector<Call> around() const {
    EventIndex from = kNever, until = 0;
    for (const std::size_t i : guilty_) {
      from = std::min(from, key_.calls[i].inv);
      until = std::max(until, key_.calls[i].ret);
    }
    std::vector<Call> overlapping, before;
    for (const Call& call : whole_.calls) {
      if (call.inv > until) break;
      const auto known = [&](const Call& one) { return one.inv == call.inv; };
      if (std::any_of(key_.calls.begin(), key_.calls.end(), known)) continue;
      (call.ret < from ? before : overlapping).push_back(call);
    }
    std::sort(before.begin(), before.end(), [](const Call& a, const Call& b) { return a.ret > b.ret; });
    before.resize(std::min<std::size_t>(before.size(), 2));
    overlapping.insert(overlapping.begin(), before.begin(), before.end());
    return overlapping;
  }

  void neighbours(Anomaly& out) const {
    if (guilty_.empty()) return;
    std::vector<Call> near = around();
    if (near.size() > kMaxNeighbours) {
      out.graph.neighbours_left_out = near.size() - kMaxNeighbours;
      near.resize(kMaxNeighbours);
    }
    std::vector<Call> all = key_.calls;
    all.insert(all.end(), near.begin(), near.end());
    for (const Call& call : near) {
      out.graph.nodes.push_back(
          {call.inv, key_.model->describe(call.op) + "\n" + who(call) + (call.crashed() ? ", outcome unknown" : ""),
           false, true});
    }
    for (std::size_t i = 0; i < all.size(); ++i) {
      for (std::size_t j = 0; j < all.size(); ++j) {
        if (std::max(i, j) < key_.calls.size() || all[i].ret >= all[j].inv) continue;
        const bool between = std::any_of(all.begin(), all.end(),
                                         [&](const Call& k) { return all[i].ret < k.inv && k.ret < all[j].inv; });
        if (!between) out.graph.edges.push_back({i, j, "realtime", "", true});
      }
    }
  }

  static constexpr std::size_t kMaxWithNeighbours = 12, kMaxNeighbours = 6;
  const History& h_;
  const Told told_;
  const View& view_;
  KeyHistory key_;
  std::unique_ptr<Model> from_any_;  // the model of a part that begins in the middle
  const KeyHistory& whole_;
  std::set<std::size_t> guilty_;
};

}  // namespace

Anomaly explain(const KeyHistory& minimal, const KeyHistory& whole, const View& view) {
  return Explainer(minimal, whole, view).run();
}

}  // namespace ordeal::lin
