#pragma once
// Update serializability (Hansdah and Patnaik, 1986; PL-3U of Adya, 1999): the transactions that write are
// serializable, and so are they together with any single transaction that only reads.

#include <functional>
#include <optional>

#include "checkers/transactions/cycles.h"

namespace ordeal::txn {

struct UpdateAnswer {
  bool decided = false;
  std::optional<Cycle> cycle;  // of transactions that write and at most one that only reads
};

// Requires: the graph has all dependencies. `extra`: nothing, kProcess, or kProcess | kRealtime. `suffix` is put after
// the name of the cycle. O((V + E) · readers within cycles / 512).
[[nodiscard]] UpdateAnswer check_updates(const Inference& inference, unsigned extra, const std::string& suffix,
                                         const std::function<bool()>& out_of_budget);

}  // namespace ordeal::txn
