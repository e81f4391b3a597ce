// Cycles in words: "T3 read key "x" without T7's 4 (anti-dependency, rw), so T3 came before T7; …".

#include <algorithm>

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
  for (const TxnIndex t : out.txns) out.sentences.push_back("Let " + words.transaction(t) + ".");
  for (std::size_t i = 0; i < cycle.edges.size(); ++i) {
    const bool last = i + 1 == cycle.edges.size();
    out.sentences.push_back((last ? "However, " : i == 0 ? "Then " : "Further, ") + words.sentence(cycle.edges[i]) + (last ? ": a contradiction." : "."));
  }
  out.explanation = "each of these transactions came before the next: ";
  for (const TxnIndex t : out.txns) out.explanation += words.name(t) + " < ";
  out.explanation += words.name(out.txns.front());
  std::vector<TxnIndex> nodes = out.txns;
  std::sort(nodes.begin(), nodes.end());
  nodes.erase(std::unique(nodes.begin(), nodes.end()), nodes.end());
  const auto place = [&](TxnIndex t) { return static_cast<std::size_t>(std::lower_bound(nodes.begin(), nodes.end(), t) - nodes.begin()); };
  for (const TxnIndex t : nodes) {
    const EventIndex inv = inference.txns.invocation[t];
    out.graph.nodes.push_back({inv, words.name(t) + " " + history.values().to_json(history.operation_value({inv, history.partner(inv)})), false});
  }
  for (const Edge& edge : cycle.edges) {
    out.graph.edges.push_back({place(edge.from), place(edge.to), std::string(edge_name(edge.kind)), words.label(edge)});
  }
  if (cycle.component > nodes.size()) out.graph.component_size = cycle.component;
  return out;
}

}  // namespace ordeal::txn
