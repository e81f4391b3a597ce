// Cycles in words: "T3 read key "x" without T7's 4 (anti-dependency, rw), so T3 came before T7; …".

#include <algorithm>
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
    if (edge.kind == EdgeKind::process) return a + " and " + b + " were done by process " + history_.process_name(txns_.process[edge.from]) + ", " + a + " first" + so;
    if (edge.kind == EdgeKind::realtime) return a + " had completed (event " + std::to_string(index(txns_.completion[edge.from])) + ") before " + b + " was invoked (event " + std::to_string(index(txns_.invocation[edge.to])) + ")" + gap(edge) + so;
    const std::string key = "key " + history_.values().to_json(txns_.keys[edge.key]);
    const std::string value = edge.value == kAbsent ? std::string() : history_.values().to_json(edge.value);
    const bool list = appends(edge);
    if (edge.kind == EdgeKind::wr) return b + " observed " + a + "'s " + (list ? "append of " : "write of ") + value + " to " + key + so;
    if (edge.kind == EdgeKind::ww) return b + (list ? " appended " : " wrote ") + value + " to " + key + " on top of what " + a + " had " + (list ? "appended" : "written") + so;
    return a + " did not observe " + b + "'s " + (list ? "append of " : "write of ") + value + " to " + key + so;
  }

  std::string label(const Edge& edge) const {
    if (edge.key == kNone) return "";
    return history_.values().to_json(txns_.keys[edge.key]) + (edge.value == kAbsent ? "" : ": " + history_.values().to_json(edge.value));
  }

  // The micro-operations of a transaction as it saw them, a few a line.
  std::string node(TxnIndex t, const History& history) const {
    const EventIndex inv = txns_.invocation[t];
    return name(t) + " " + history.values().to_json(history.operation_value({inv, history.partner(inv)}));
  }

  std::string transaction(TxnIndex t) const {
    OperationEvents op{txns_.invocation[t], history_.partner(txns_.invocation[t])};
    std::string out = name(t) + " = " + history_.describe(op) + " (process " + history_.process_name(txns_.process[t]);
    const std::int64_t from = history_.time(op.invocation);
    if (from >= 0) {
      out += ", " + std::to_string(from) + " ns to ";
      out += txns_.completion[t] == kNoEvent ? "never" : std::to_string(history_.time(txns_.completion[t])) + " ns";
    }
    return out + ")";
  }

 private:
  std::int64_t index(EventIndex e) const { return e == kNoEvent ? -1 : history_.index(e); }
  std::string gap(const Edge& edge) const {
    const std::int64_t done = history_.time(txns_.completion[edge.from]), invoked = history_.time(txns_.invocation[edge.to]);
    return done < 0 || invoked < 0 ? std::string() : ", " + std::to_string(invoked - done) + " ns earlier";
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
    case EdgeKind::ww: return "ww";
    case EdgeKind::wr: return "wr";
    case EdgeKind::process: return "process";
    case EdgeKind::realtime: return "realtime";
    default: return "rw";
  }
}

// How many transactions are introduced one by one; longer circles tell of the others in their edges.
constexpr std::size_t kMostIntroduced = 12;
// How many edges are told; a circle of thousands is cut in the middle.
constexpr std::size_t kMostEdges = 40;

void introduce(Finding& out, const Words& words) {
  for (std::size_t i = 0; i < std::min(out.txns.size(), kMostIntroduced); ++i) out.sentences.push_back("Let " + words.transaction(out.txns[i]) + ".");
  if (out.txns.size() > kMostIntroduced) {
    out.sentences.push_back("And " + std::to_string(out.txns.size() - kMostIntroduced) + " more transactions.");
  }
}

void tell(Finding& out, const Words& words, const std::vector<Edge>& cycle, std::string_view begin) {
  for (std::size_t i = 0; i < cycle.size(); ++i) {
    const bool last = i + 1 == cycle.size();
    if (i == kMostEdges / 2 && cycle.size() > kMostEdges) {
      const std::size_t skipped = cycle.size() - kMostEdges;
      out.sentences.push_back("And so on over " + std::to_string(skipped) + " more transactions.");
      i += skipped;
    }
    const std::string start(i == 0 ? begin : last ? "However, " : "Further, ");
    out.sentences.push_back(start + words.sentence(cycle[i]) + (last ? ": a contradiction." : "."));
  }
}

// The transactions of a finding and what is known between them, as a picture.
void picture(Finding& out, const Words& words, const Inference& inference, const History& history, std::initializer_list<const std::vector<Edge>*> cycles) {
  std::vector<TxnIndex> nodes = out.txns;
  std::sort(nodes.begin(), nodes.end());
  nodes.erase(std::unique(nodes.begin(), nodes.end()), nodes.end());
  const auto place = [&](TxnIndex t) { return static_cast<std::size_t>(std::lower_bound(nodes.begin(), nodes.end(), t) - nodes.begin()); };
  for (const TxnIndex t : nodes) out.graph.nodes.push_back({inference.txns.invocation[t], words.node(t, history), false});
  std::set<std::tuple<std::size_t, std::size_t, std::string, std::string>> drawn;
  for (const auto* cycle : cycles) {
    for (const Edge& edge : *cycle) {
      const AnomalyGraph::Edge one{place(edge.from), place(edge.to), std::string(edge_name(edge.kind)), words.label(edge)};
      if (drawn.emplace(one.from, one.to, one.kind, one.label).second) out.graph.edges.push_back(one);
    }
  }
}

}  // namespace

Finding explain(const Cycle& cycle, const Inference& inference, const History& history) {
  const Words words(inference, history);
  Finding out;
  out.type = cycle.type;
  for (const Edge& edge : cycle.edges) {
    out.txns.push_back(edge.from);
    if (out.key == kNone) out.key = edge.key;
    if (edge.key != kNone && edge.key != out.key) out.key = kNone - 1;
  }
  if (out.key == kNone - 1) out.key = kNone;
  introduce(out, words);
  tell(out, words, cycle.edges, "Then ");
  out.explanation = "each of these transactions came before the next: ";
  for (std::size_t i = 0; i < out.txns.size(); ++i) {
    if (i == kMostEdges / 2 && out.txns.size() > kMostEdges) {
      const std::size_t skipped = out.txns.size() - kMostEdges;
      out.explanation += "… " + std::to_string(skipped) + " more … < ";
      i += skipped;
    }
    out.explanation += words.name(out.txns[i]) + " < ";
  }
  out.explanation += words.name(out.txns.front());
  picture(out, words, inference, history, {&cycle.edges});
  if (cycle.component > out.graph.nodes.size()) out.graph.component_size = cycle.component;
  return out;
}

Finding explain(const Dilemma& dilemma, const Inference& inference, const History& history) {
  const Words words(inference, history);
  Finding out;
  out.type = dilemma.type;
  out.key = dilemma.key;
  out.txns = dilemma.txns;
  out.explanation = "nobody saw in which order some writes took effect, and every order of them leads to a cycle that the level forbids";
  introduce(out, words);
  if (dilemma.first != kNone) {
    const std::string first = words.name(dilemma.first), second = words.name(dilemma.second);
    const std::string key = history.values().to_json(inference.txns.keys[dilemma.key]);
    out.explanation += ": neither " + first + " nor " + second + " can have written key " + key + " first";
    out.sentences.push_back("Either " + first + " or " + second + " wrote key " + key + " first.");
    tell(out, words, dilemma.if_first, "If " + first + " did: ");
    tell(out, words, dilemma.if_second, "If " + second + " did: ");
  } else if (!out.txns.empty()) {
    out.sentences.push_back("Each order of their writes that was tried, and all were, closes a circle.");
  }
  picture(out, words, inference, history, {&dilemma.if_first, &dilemma.if_second});
  return out;
}

}  // namespace ordeal::txn
