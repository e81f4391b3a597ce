#include "checkers/transactions/inference.h"

#include <algorithm>

namespace ordeal::txn {

void add_finding(std::vector<Finding>& findings, Finding finding) {
  const auto same = std::count_if(findings.begin(), findings.end(), [&](const Finding& one) { return one.type == finding.type; });
  if (static_cast<std::size_t>(same) < kMostFindings) findings.push_back(std::move(finding));
}

std::string txn_name(const History& history, const Transactions& txns, TxnIndex t) {
  return "T" + std::to_string(history.index(txns.invocation[t]));
}

void choose_open(Inference& in) {
  // More pairs than this are not worth asking about.
  constexpr std::size_t kMostChoices = 100'000;
  const Components parts = components(in.graph, kAllData | kProcess | kRealtime);
  std::vector<TxnIndex> owner(in.txns.micro.size());
  for (TxnIndex t = 0; t < in.txns.size(); ++t) {
    for (std::uint32_t m = in.txns.first[t]; m < in.txns.first[t + 1]; ++m) owner[m] = t;
  }
  for (const OpenGroup& group : in.open) {
    for (std::size_t i = 0; i < group.micro.size(); ++i) {
      for (std::size_t j = i + 1; j < group.micro.size(); ++j) {
        const TxnIndex a = owner[group.micro[i]], b = owner[group.micro[j]];
        if (!parts.same(a, b)) continue;
        if (in.choices.size() >= kMostChoices) {
          in.open_pairs_dropped = true;
          return;
        }
        in.choices.push_back({{{a, b, group.key, in.txns.micro[group.micro[j]].value, EdgeKind::ww}},
                              {{b, a, group.key, in.txns.micro[group.micro[i]].value, EdgeKind::ww}}, a, b, group.key});
      }
    }
  }
}

}  // namespace ordeal::txn
