#include "checkers/transactions/evidence.h"

#include <algorithm>

namespace ordeal::txn {

Evidence::Evidence(const Inference& inference, const History& history)
    : in_(inference),
      history_(history),
      owner_(inference.txns.micro.size()),
      longest_(inference.txns.keys.size(), kNone),
      reader_(inference.txns.size(), kNone) {
  const Transactions& txns = in_.txns;
  const ValueTable& values = history_.values();
  std::vector<std::size_t> length(longest_.size(), 0);
  for (TxnIndex t = 0; t < txns.size(); ++t) {
    for (std::uint32_t m = txns.first[t]; m < txns.first[t + 1]; ++m) {
      owner_[m] = t;
      const MicroOp& op = txns.micro[m];
      if (in_.source[m] < kNoSource && reader_[in_.source[m]] == kNone) reader_[in_.source[m]] = t;
      if (op.kind != MicroKind::read || txns.outcome[t] != Outcome::ok || op.value == kAbsent || op.value == kNil)
        continue;
      if (values.kind(op.value) != Value::Kind::list || values.as_list(op.value).size() <= length[op.key]) continue;
      length[op.key] = values.as_list(op.value).size();
      longest_[op.key] = m;
    }
  }
}

bool Evidence::holds(std::uint32_t read, ValueId element) const {
  const ValueId list = in_.txns.micro[read].value;
  if (list == kAbsent || history_.values().kind(list) != Value::Kind::list) return list == element;
  const auto items = history_.values().as_list(list);
  return std::find(items.begin(), items.end(), element) != items.end();
}

ValueId Evidence::last_append(TxnIndex txn, KeyIndex key) const {
  ValueId out = kAbsent;
  for (const MicroOp& op : in_.txns.ops(txn)) {
    if (op.kind == MicroKind::append && op.key == key) out = op.value;
  }
  return out;
}

// Whether a read has an append of the transaction before the element.
bool Evidence::holds_before(std::uint32_t read, TxnIndex txn, ValueId element) const {
  const ValueId list = in_.txns.micro[read].value;
  if (list == kAbsent || history_.values().kind(list) != Value::Kind::list) return false;
  for (const ValueId item : history_.values().as_list(list)) {
    if (item == element) return false;
    for (const MicroOp& op : in_.txns.ops(txn)) {
      if (op.kind == MicroKind::append && op.key == in_.txns.micro[read].key && op.value == item) return true;
    }
  }
  return false;
}

// Some transaction of the finding read a list that shows which of the two appends comes first. That it has the later
// one is not enough: where reads contradict each other, it need not have the other one before it.
bool Evidence::shows_order(const Finding& finding, const Edge& edge) const {
  const bool later_seen = holds(longest_[edge.key], edge.value);
  const ValueId wanted = later_seen ? edge.value : last_append(edge.from, edge.key);
  return std::any_of(finding.txns.begin(), finding.txns.end(), [&](TxnIndex t) {
    for (std::uint32_t m = in_.txns.first[t]; m < in_.txns.first[t + 1]; ++m) {
      const MicroOp& op = in_.txns.micro[m];
      if (op.kind == MicroKind::read && op.key == edge.key && in_.txns.outcome[t] == Outcome::ok && holds(m, wanted) &&
          (!later_seen || holds_before(m, edge.from, wanted)))
        return true;
    }
    return false;
  });
}

bool Evidence::saw(TxnIndex reader, TxnIndex writer) const {
  if (in_.txns.outcome[reader] != Outcome::ok) return false;
  for (const MicroOp& write : in_.txns.ops(writer)) {
    if (write.kind == MicroKind::read) continue;
    for (std::uint32_t m = in_.txns.first[reader]; m < in_.txns.first[reader + 1]; ++m) {
      const MicroOp& op = in_.txns.micro[m];
      if (op.kind == MicroKind::read && op.key == write.key && op.value != kAbsent && holds(m, write.value))
        return true;
    }
  }
  return false;
}

std::vector<Evidence::Witness> Evidence::of(const Finding& finding) const {
  std::vector<Witness> out;
  const auto there = [&](TxnIndex t) {
    return std::find(finding.txns.begin(), finding.txns.end(), t) != finding.txns.end() ||
           std::any_of(out.begin(), out.end(), [&](const Witness& one) { return one.txn == t; });
  };
  const auto key_text = [&](KeyIndex k) { return history_.values().to_json(in_.txns.keys[k]); };
  for (const Edge& edge : finding.edges) {
    if (edge.kind != EdgeKind::ww || edge.key == kNone || longest_[edge.key] == kNone) continue;
    if (last_append(edge.to, edge.key) == kAbsent || shows_order(finding, edge)) continue;
    const TxnIndex reader = owner_[longest_[edge.key]];
    if (there(reader)) continue;
    out.push_back({reader, txn_name(history_, in_.txns, reader) + " read key " + key_text(edge.key) + " as " +
                               history_.values().to_json(in_.txns.micro[longest_[edge.key]].value) +
                               ", which shows the order of its appends."});
  }
  for (const TxnIndex t : finding.txns) {
    if (in_.txns.outcome[t] != Outcome::info) continue;
    if (std::any_of(finding.txns.begin(), finding.txns.end(), [&](TxnIndex other) { return saw(other, t); })) continue;
    TxnIndex reader = reader_[t];
    for (const MicroOp& op : in_.txns.ops(t)) {
      if (reader != kNone) break;
      const std::uint32_t longest = op.kind == MicroKind::append ? longest_[op.key] : kNone;
      if (longest != kNone && holds(longest, op.value)) reader = owner_[longest];
    }
    if (reader == kNone || there(reader)) continue;
    out.push_back({reader, txn_name(history_, in_.txns, reader) + " saw what " + txn_name(history_, in_.txns, t) +
                               " wrote, so that one took effect although nobody was told."});
  }
  return out;
}

}  // namespace ordeal::txn
