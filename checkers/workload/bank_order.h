#pragma once
// BankOrder: is there one order of transfers and reads of all balances, within real time, that explains every read?
//
// An order is told by what each read shows: a set of transfers that make up its balances. Such sets belong to an order
// exactly when
//   - a read shows all that was acknowledged before it began, and nothing that was invoked only after it ended;
//   - what is shown comes with all that had been acknowledged before it was invoked;
//   - of two reads one shows all that the other does, the later one when they do not overlap.
// So reads are put one after another, each with a choice of transfers to add, depth first with a memory of what was
// tried. Only choices without a part that changes nothing are tried: such a part could as well be added later. Reads
// that admit one choice, which is nearly all, cost nothing; the search gives up after a number of steps.
//
// Tested against brute force by bank_test.cc. Thread-safety: pure.

#include <cstdint>
#include <vector>

#include "checkers/workload/bank_choices.h"

namespace ordeal::work {

struct BankRead {
  EventIndex inv = 0, ret = 0;
  std::vector<std::int64_t> seen;  // by account
  std::vector<std::size_t> open;   // the transfers that it may show and need not
};

enum class BankAnswer { yes, no, gave_up };

// From balances `initial`. Takes from `steps` what it needs, and gives up when there are none left. Requires: the reads
// are those of one history, `open` being all that was invoked before a read ended and not acknowledged before it began.
[[nodiscard]] BankAnswer order_explains(const std::vector<BankTransfer>& transfers, std::vector<BankRead> reads,
                                        std::vector<std::int64_t> initial, std::size_t& steps);

}  // namespace ordeal::work
