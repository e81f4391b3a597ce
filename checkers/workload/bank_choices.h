#pragma once
// BankChoices: which sets of transfers make up a difference of balances?
//
// Some account is not at its balance yet, so a transfer of that account must be among those still to choose; each is
// tried, and then given up for the branches after it. Small sets come first. Sets that hold a part which changes
// nothing are left out. What one transfer changes is at most twice its amount, which bounds what few can make up.
//
// Tested by bank_test.cc, as a part of both that use it: bank_moves.h and bank_order.h. Thread-safety: pure.

#include <cstdint>
#include <vector>

#include "checkers/history/history.h"

namespace ordeal::work {

struct BankTransfer {
  EventIndex inv = 0;
  EventIndex ret = kNoEvent;  // kNoEvent: it may not have happened
  std::size_t from = 0, to = 0;
  std::int64_t amount = 0;
};

struct BankChoices {
  std::vector<std::vector<std::size_t>> found;  // each: places in `candidates`
  bool all = true;                              // nothing was left out
};

// The sets of `candidates` that change the balances of each account by `left`, at most `wanted` of them. Whoever is
// chosen brings along all that had returned when it was invoked. Takes from `steps` what it needs, and leaves off when
// there are none left.
[[nodiscard]] BankChoices choices_of(std::vector<BankTransfer> candidates, std::vector<std::int64_t> left,
                                     std::size_t wanted, std::size_t& steps);

}  // namespace ordeal::work
