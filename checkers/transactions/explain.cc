// Cycles in words: "T3 read key "x" without T7's 4 (anti-dependency, rw), so T3 came before T7; …".

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "checkers/transactions/cycles.h"

namespace ordeal::txn {
namespace {

class Words {
 public:
  Words(const Inference& inference, const History& history) : txns_(inference.txns), history_(history) {}

  std::string name(TxnIndex t) const { return txn_name(history_, txns_, t); }

  std::string sentence(const Edge& edge) const {
    const std::string a = name(edge.from), b = name(edge.to);
    const std::string so = ", so " + a + " came before " + b;
    if (edge.kind == EdgeKind::process)
      return a + " and " + b + " were done by " + history_.client(txns_.process[edge.from]) + ", " + a + " first" + so;
    if (edge.kind == EdgeKind::realtime)
      return a + " had completed (event " + std::to_string(index(txns_.completion[edge.from])) + ") before " + b +
             " was invoked (event " + std::to_string(index(txns_.invocation[edge.to])) + ")" + gap(edge) + so;
    const std::string key = "key " + history_.values().to_json(txns_.keys[edge.key]);
    const std::string value = edge.value == kAbsent ? std::string() : history_.values().to_json(edge.value);
    const bool list = appends(edge);
    if (edge.kind == EdgeKind::wr)
      return b + " observed " + a + "'s " + (list ? "append of " : "write of ") + value + " to " + key + so;
    if (edge.kind == EdgeKind::ww)
      return b + (list ? " appended " : " wrote ") + value + " to " + key + " on top of what " + a + " had " +
             (list ? "appended" : "written") + so;
    return a + " did not observe " + b + "'s " + (list ? "append of " : "write of ") + value + " to " + key + so;
  }

  // Of an edge ww or rw that holds because the other order of the two writes closes a circle, too.
  std::string conclusion(const Edge& edge) const {
    const std::string a = name(edge.from), b = name(edge.to),
                      key = "key " + history_.values().to_json(txns_.keys[edge.key]);
    return (edge.kind == EdgeKind::ww ? a + " wrote " + key : a + " observed what was written to " + key) + " before " +
           b + " wrote it, since the other order closes a circle, too, so " + a + " came before " + b;
  }

  std::string label(const Edge& edge) const {
    if (edge.key == kNone) return "";
    return "key " + history_.values().to_json(txns_.keys[edge.key]) +
           (edge.value == kAbsent ? "" : ": " + history_.values().to_json(edge.value));
  }

  // A transaction as it was seen: those of its micro-operations that are on `keys` (all, when there are none), the
  // others counted.
  std::string seen(TxnIndex t, const std::set<KeyIndex>& keys) const {
    std::string out = "[";
    std::size_t left_out = 0;
    for (const MicroOp& op : txns_.ops(t)) {
      if (!keys.empty() && !keys.contains(op.key)) {
        ++left_out;
        continue;
      }
      if (out.size() > 1) out += ", ";
      out += op.kind == MicroKind::append ? "append " : op.kind == MicroKind::write ? "w " : "r ";
      out += history_.values().to_json(txns_.keys[op.key]) + " " +
             (op.kind == MicroKind::read && op.value == kAbsent ? "?" : abbreviated(op.value));
    }
    out += "]";
    if (left_out > 0) out += " and " + std::to_string(left_out) + " more";
    return out;
  }
  // A long list by its beginning and its end.
  std::string abbreviated(ValueId id) const {
    constexpr std::size_t kWhole = 12, kBegin = 3, kEnd = 6;
    const ValueTable& values = history_.values();
    if (id == kAbsent || values.kind(id) != Value::Kind::list || values.as_list(id).size() <= kWhole)
      return values.to_json(id);
    const auto items = values.as_list(id);
    std::string out = "[";
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i == kBegin) {
        const std::size_t skipped = items.size() - kBegin - kEnd;
        out += ",… " + std::to_string(skipped) + " more …";
        i += skipped;
      }
      out += (i > 0 ? "," : "") + values.to_json(items[i]);
    }
    return out + "]";
  }

  std::string node(TxnIndex t, const std::set<KeyIndex>& keys) const { return name(t) + "\n" + seen(t, keys); }

  std::string transaction(TxnIndex t, const std::set<KeyIndex>& keys) const {
    std::string out = name(t) + " = " + seen(t, keys) + " by " + history_.client(txns_.process[t]);
    const std::int64_t from = history_.time(txns_.invocation[t]);
    if (txns_.completion[t] == kNoEvent)
      return out + ", whose end is not known" + (from < 0 ? std::string() : " (begun at " + milliseconds(from) + ")");
    if (from < 0) return out;
    return out + ", " + milliseconds(from) + " to " + milliseconds(history_.time(txns_.completion[t]));
  }
  // Of nanoseconds; three digits after the point.
  static std::string milliseconds(std::int64_t ns) {
    const std::int64_t us = ns / 1000;
    std::string rest = std::to_string(us % 1000);
    return std::to_string(us / 1000) + "." + std::string(3 - rest.size(), '0') + rest + " ms";
  }

 private:
  std::int64_t index(EventIndex e) const { return e == kNoEvent ? -1 : history_.index(e); }
  std::string gap(const Edge& edge) const {
    const std::int64_t done = history_.time(txns_.completion[edge.from]),
                       invoked = history_.time(txns_.invocation[edge.to]);
    return done < 0 || invoked < 0 ? std::string() : ", " + milliseconds(invoked - done) + " earlier";
  }
  bool appends(const Edge& edge) const {
    for (const TxnIndex t : {edge.from, edge.to}) {
      for (const MicroOp& op : txns_.ops(t)) {
        if (op.key == edge.key && op.kind != MicroKind::read) return op.kind == MicroKind::append;
      }
    }
    return false;
  }

  const Transactions& txns_;
  const History& history_;
};

std::string_view edge_name(EdgeKind kind) {
  switch (kind) {
    case EdgeKind::ww:
      return "ww";
    case EdgeKind::wr:
      return "wr";
    case EdgeKind::process:
      return "process";
    case EdgeKind::realtime:
      return "realtime";
    default:
      return "rw";
  }
}

// How many transactions are introduced one by one; longer circles tell of the others in their edges.
constexpr std::size_t kMaxIntroduced = 12;
// How many edges are told; a circle of thousands is cut in the middle.
constexpr std::size_t kMaxEdges = 40;

// The keys that matter to each transaction: those of its edges.
using Keys = std::map<TxnIndex, std::set<KeyIndex>>;
Keys keys_of(std::initializer_list<const std::vector<Edge>*> cycles) {
  Keys out;
  for (const auto* cycle : cycles) {
    for (const Edge& edge : *cycle) {
      if (edge.key == kNone) continue;
      out[edge.from].insert(edge.key);
      out[edge.to].insert(edge.key);
    }
  }
  return out;
}

void introduce(Finding& out, const Words& words, Keys& keys) {
  for (std::size_t i = 0; i < std::min(out.txns.size(), kMaxIntroduced); ++i)
    out.sentences.push_back("Let " + words.transaction(out.txns[i], keys[out.txns[i]]) + ".");
  if (out.txns.size() > kMaxIntroduced) {
    out.sentences.push_back("And " + std::to_string(out.txns.size() - kMaxIntroduced) + " more transactions.");
  }
}

using Why = std::function<std::string(const Edge&)>;

void tell(Finding& out, const Words& words, const std::vector<Edge>& cycle, std::string_view begin,
          const Why& why = {}) {
  for (std::size_t i = 0; i < cycle.size(); ++i) {
    const bool last = i + 1 == cycle.size();
    if (i == kMaxEdges / 2 && cycle.size() > kMaxEdges) {
      const std::size_t skipped = cycle.size() - kMaxEdges;
      out.sentences.push_back("And so on over " + std::to_string(skipped) + " more transactions.");
      i += skipped;
    }
    const std::string start(i == 0 ? begin : last ? "However, " : "Further, ");
    const std::string own = why ? why(cycle[i]) : std::string();
    out.sentences.push_back(start + (own.empty() ? words.sentence(cycle[i]) : own) +
                            (last ? ": a contradiction." : "."));
  }
}

// Close neighbours of a finding's transactions: whom they read from, and who came after them, with those first that
// have most to do with them; and what else is known between the transactions themselves.
class Neighbours {
 public:
  Neighbours(const Inference& inference, const std::vector<TxnIndex>& nodes)
      : in_(inference), nodes_(nodes.begin(), nodes.end()) {
    if (nodes.size() > kMaxWithNeighbours) return;
    for (const TxnIndex t : nodes) {
      std::uint32_t cursor = 0;
      Edge edge;
      for (std::size_t seen = 0; seen < kMaxLookedAt && in_.graph.next(t, kAllData, cursor, edge); ++seen) {
        if (in_.graph.is_transaction(edge.to) && edge.kind != EdgeKind::onward) take(edge);
      }
      for (std::uint32_t m = in_.txns.first[t]; m < in_.txns.first[t + 1]; ++m) {
        if (in_.source[m] < kNoSource)
          take({in_.source[m], t, in_.txns.micro[m].key, written(in_.source[m], in_.txns.micro[m].key), EdgeKind::wr});
      }
    }
    choose();
  }

  // The neighbours, and the edges that they and the finding's transactions have beyond those of the proof.
  std::vector<TxnIndex> chosen;
  std::vector<Edge> edges;
  std::size_t left_out = 0;

 private:
  static constexpr std::size_t kMaxWithNeighbours = 12;  // of longer cycles the picture is large enough
  static constexpr std::size_t kMax = 6, kMaxEdges = 18, kMaxLookedAt = 1000;

  // The last that a transaction wrote to a key.
  ValueId written(TxnIndex t, KeyIndex key) const {
    ValueId out = kAbsent;
    for (const MicroOp& op : in_.txns.ops(t)) {
      if (op.key == key && op.kind != MicroKind::read) out = op.value;
    }
    return out;
  }
  void take(const Edge& edge) {
    const bool inner = nodes_.contains(edge.from) && nodes_.contains(edge.to);
    if (edge.from == edge.to) return;
    if (inner)
      edges.push_back(edge);
    else
      around_[nodes_.contains(edge.from) ? edge.to : edge.from].push_back(edge);
  }
  void choose() {
    std::vector<std::pair<std::size_t, TxnIndex>> order;
    for (const auto& [t, found] : around_) order.emplace_back(SIZE_MAX - found.size(), t);
    std::sort(order.begin(), order.end());
    for (const auto& [rank, t] : order) {
      if (chosen.size() == kMax || edges.size() >= kMaxEdges) {
        ++left_out;
        continue;
      }
      chosen.push_back(t);
      edges.insert(edges.end(), around_[t].begin(), around_[t].end());
    }
    if (edges.size() > kMaxEdges) edges.resize(kMaxEdges);
  }

  const Inference& in_;
  std::set<TxnIndex> nodes_;
  std::map<TxnIndex, std::vector<Edge>> around_;
};

// The transactions of a finding and what is known between them, as a picture.
void picture(Finding& out, const Words& words, Keys& keys, const Inference& inference,
             std::initializer_list<const std::vector<Edge>*> cycles) {
  std::vector<TxnIndex> nodes = out.txns;
  std::sort(nodes.begin(), nodes.end());
  nodes.erase(std::unique(nodes.begin(), nodes.end()), nodes.end());
  const auto place = [&](TxnIndex t) {
    return static_cast<std::size_t>(std::lower_bound(nodes.begin(), nodes.end(), t) - nodes.begin());
  };
  for (const TxnIndex t : nodes)
    out.graph.nodes.push_back({inference.txns.invocation[t], words.node(t, keys[t]), false, false});
  std::set<std::tuple<std::size_t, std::size_t, EdgeKind, KeyIndex>> drawn;
  const bool proof = std::any_of(cycles.begin(), cycles.end(), [](const auto* cycle) { return !cycle->empty(); });
  const auto draw = [&](const Edge& edge, std::size_t from, std::size_t to, bool near) {
    if (drawn.emplace(from, to, edge.kind, edge.key).second)
      out.graph.edges.push_back({from, to, std::string(edge_name(edge.kind)), words.label(edge), near});
  };
  for (const auto* cycle : cycles) {
    for (const Edge& edge : *cycle) draw(edge, place(edge.from), place(edge.to), false);
  }
  const Neighbours around(inference, nodes);
  const auto place_near = [&](TxnIndex t) {
    const auto at = std::find(around.chosen.begin(), around.chosen.end(), t);
    return at == around.chosen.end() ? place(t) : nodes.size() + static_cast<std::size_t>(at - around.chosen.begin());
  };
  Keys shared;
  for (const Edge& edge : around.edges) {
    shared[edge.from].insert(edge.key);
    shared[edge.to].insert(edge.key);
  }
  for (const TxnIndex t : around.chosen)
    out.graph.nodes.push_back({inference.txns.invocation[t], words.node(t, shared[t]), false, true});
  for (const Edge& edge : around.edges) {
    const std::size_t from = place_near(edge.from), to = place_near(edge.to);
    draw(edge, from, to, proof || std::max(from, to) >= nodes.size());
  }
  out.graph.neighbours_left_out = around.left_out;
}

}  // namespace

void complete(Finding& finding, const Inference& inference, const History& history) {
  if (!finding.sentences.empty() || finding.txns.empty()) return;  // told already
  const Words words(inference, history);
  Keys keys;
  for (const TxnIndex t : finding.txns) {
    if (finding.key != kNone) keys[t].insert(finding.key);
  }
  std::vector<TxnIndex>& txns = finding.txns;
  std::sort(txns.begin(), txns.end());
  txns.erase(std::unique(txns.begin(), txns.end()), txns.end());
  introduce(finding, words, keys);
  finding.sentences.push_back("Then " + finding.explanation + ".");
  picture(finding, words, keys, inference, {});
}

Finding explain(const Cycle& cycle, const Inference& inference, const History& history, const Why& why) {
  const Words words(inference, history);
  Finding out;
  out.type = cycle.type;
  out.edges = cycle.edges;
  for (const Edge& edge : cycle.edges) {
    out.txns.push_back(edge.from);
    if (out.key == kNone) out.key = edge.key;
    if (edge.key != kNone && edge.key != out.key) out.key = kNone - 1;
  }
  if (out.key == kNone - 1) out.key = kNone;
  Keys keys = keys_of({&cycle.edges});
  introduce(out, words, keys);
  tell(out, words, cycle.edges, "Then ", why);
  out.explanation = "each of these transactions came before the next: ";
  for (std::size_t i = 0; i < out.txns.size(); ++i) {
    if (i == kMaxEdges / 2 && out.txns.size() > kMaxEdges) {
      const std::size_t skipped = out.txns.size() - kMaxEdges;
      out.explanation += "… " + std::to_string(skipped) + " more … < ";
      i += skipped;
    }
    out.explanation += words.name(out.txns[i]) + " < ";
  }
  out.explanation += words.name(out.txns.front());
  picture(out, words, keys, inference, {&cycle.edges});
  if (cycle.component > cycle.edges.size()) out.graph.component_size = cycle.component;
  return out;
}

namespace {

// Whether an edge between writes of a register was not seen, but is what another question of their order was answered
// with: each other answer had closed a circle. `cycle` begins with the assumption.
bool was_concluded(const Edge& edge, const std::vector<Edge>& cycle, const Inference& inference) {
  if (edge.key == kNone || edge.kind == EdgeKind::wr) return false;
  const auto same = [&](const Edge& other) {
    return other.from == edge.from && other.to == edge.to && other.kind == edge.kind && other.key == edge.key;
  };
  if (same(cycle.front()) || std::any_of(inference.forced.begin(), inference.forced.end(), same)) return false;
  for (const MicroOp& op : inference.txns.ops(edge.to)) {
    if (op.kind == MicroKind::append) return false;
  }
  Edge known;
  for (std::uint32_t cursor = 0; inference.graph.next(edge.from, kAllData, cursor, known);) {
    if (same(known) || !inference.graph.is_transaction(known.to))
      return false;  // a helper: it read the initial version
  }
  return true;
}

}  // namespace

Finding explain(const Dilemma& dilemma, const Inference& inference, const History& history) {
  const Words words(inference, history);
  Finding out;
  out.type = dilemma.type;
  out.edges = dilemma.if_first;
  out.edges.insert(out.edges.end(), dilemma.if_second.begin(), dilemma.if_second.end());
  out.key = dilemma.key;
  out.txns = dilemma.txns;
  out.explanation =
      "nobody saw in which order some writes took effect, and every order of them leads to a cycle that the level "
      "forbids";
  if (dilemma.sources) {
    out.explanation =
        "several transactions wrote the same value, and whichever of them the reads show, and in whatever order the "
        "writes took effect, that leads to a cycle that the level forbids";
  }
  Keys keys = keys_of({&dilemma.if_first, &dilemma.if_second});
  introduce(out, words, keys);
  if (dilemma.first != kNone) {
    const std::string first = words.name(dilemma.first), second = words.name(dilemma.second);
    const std::string key = history.values().to_json(inference.txns.keys[dilemma.key]);
    out.explanation += ": neither " + first + " nor " + second + " can have written key " + key + " first";
    out.sentences.push_back("Either " + first + " or " + second + " wrote key " + key + " first.");
    const auto why = [&](const std::vector<Edge>& cycle) {
      return [&](const Edge& edge) {
        return was_concluded(edge, cycle, inference) ? words.conclusion(edge) : std::string();
      };
    };
    tell(out, words, dilemma.if_first, "If " + first + " did: ", why(dilemma.if_first));
    tell(out, words, dilemma.if_second, "If " + second + " did: ", why(dilemma.if_second));
  } else if (!out.txns.empty()) {
    out.sentences.push_back(dilemma.sources
                                ? "Each order of their writes, with each choice of writers for their reads, closes a "
                                  "circle; reads whose value others wrote, too, were left aside."
                                : "Each order of their writes that was tried, and all were, closes a circle.");
  }
  picture(out, words, keys, inference, {&dilemma.if_first, &dilemma.if_second});
  return out;
}

}  // namespace ordeal::txn
