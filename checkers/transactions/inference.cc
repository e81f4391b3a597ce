#include "checkers/transactions/inference.h"

#include <algorithm>

namespace ordeal::txn {

void add_finding(std::vector<Finding>& findings, Finding finding) {
  std::size_t kept = 0;
  Finding* last = nullptr;
  for (Finding& one : findings) {
    if (one.type != finding.type) continue;
    ++kept;
    last = &one;
  }
  if (kept < kMaxFindings)
    findings.push_back(std::move(finding));
  else
    ++last->more;
}

std::string txn_name(const History& history, const Transactions& txns, TxnIndex t) {
  return "T" + std::to_string(history.index(txns.invocation[t]));
}

void choose_open(Inference& in) {
  // More pairs than this are not worth asking about.
  constexpr std::size_t kMaxChoices = 2'000'000;
  const Components parts = components(in.graph, kAllData | kProcess | kRealtime);
  std::vector<TxnIndex> owner(in.txns.micro.size());
  for (TxnIndex t = 0; t < in.txns.size(); ++t) {
    for (std::uint32_t m = in.txns.first[t]; m < in.txns.first[t + 1]; ++m) owner[m] = t;
  }
  for (const OpenGroup& group : in.open) {
    const auto base = static_cast<std::uint32_t>(in.stretches.size());
    for (const std::uint32_t micro : group.micro)
      in.stretches.push_back({group.key, owner[micro], owner[micro], in.txns.micro[micro].value, 0, 0});
    for (std::uint32_t i = base; i < in.stretches.size(); ++i) {
      for (std::uint32_t j = i + 1; j < in.stretches.size(); ++j) {
        if (!parts.same(in.stretches[i].head, in.stretches[j].head)) continue;
        if (in.choices.size() >= kMaxChoices) {
          in.open_pairs_dropped = true;
          return;
        }
        in.choices.push_back({i, j});
      }
    }
  }
}

void edges_before(const Inference& in, const Stretch& earlier, const Stretch& later, std::vector<Edge>& out) {
  if (earlier.tail != kNone) out.push_back({earlier.tail, later.head, later.key, later.head_value, EdgeKind::ww});
  for (std::uint32_t i = earlier.readers; i < earlier.readers_end; ++i) {
    if (in.readers[i] != later.head)
      out.push_back({in.readers[i], later.head, later.key, later.head_value, EdgeKind::rw});
  }
}

}  // namespace ordeal::txn
