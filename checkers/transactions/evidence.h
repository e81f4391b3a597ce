#pragma once
// Evidence: who shows what a finding takes for granted. A circle of transactions is a proof only together with those
// that saw in which order a list's appends took effect, and that a crashed transaction did take effect.
//
// Thread-safety: one thread.

#include <string>
#include <vector>

#include "checkers/transactions/inference.h"

namespace ordeal::txn {

class Evidence {
 public:
  // Borrows both. O(micro-operations).
  Evidence(const Inference& inference, const History& history);

  struct Witness {
    TxnIndex txn = kNone;
    std::string sentence;
  };
  // Transactions beyond the finding's own without which it would not be proved.
  [[nodiscard]] std::vector<Witness> of(const Finding& finding) const;

 private:
  [[nodiscard]] bool holds_before(std::uint32_t read, TxnIndex txn, ValueId element) const;
  [[nodiscard]] bool shows_order(const Finding& finding, const Edge& edge) const;
  [[nodiscard]] bool saw(TxnIndex reader, TxnIndex writer) const;
  [[nodiscard]] bool holds(std::uint32_t read, ValueId element) const;
  [[nodiscard]] ValueId last_append(TxnIndex txn, KeyIndex key) const;

  const Inference& in_;
  const History& history_;
  std::vector<TxnIndex> owner_;         // by micro-operation
  std::vector<std::uint32_t> longest_;  // by key: the micro-operation that read the longest list; kNone: nobody did
  std::vector<TxnIndex> reader_;        // by transaction: one that read what it wrote last; kNone: nobody did
};

}  // namespace ordeal::txn
