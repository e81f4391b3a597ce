#pragma once
// SlowTransactions: a part of the transactions stays open for long, beside many short ones. What a database keeps of
// transactions that have committed while others are open (summaries of what they read, old versions, locks) is put to
// the test only so: of PostgreSQL's SERIALIZABLE write skew was found by it, with a share of 0.0007.
//
// The options are one table for every target that has transactions. Thread-safety: one for each client.

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/options.h"

namespace ordeal {

// txn.slow-share, txn.slow: of TargetFactory::options.
[[nodiscard]] std::vector<OptionSpec> slow_transaction_options();
// Usage when they are asked for and what the target does with `data_type` are no transactions.
[[nodiscard]] Result<void> check_slow_transactions(const Options& options, const std::string& data_type,
                                                   const std::vector<std::string>& transactional);

class SlowTransactions {
 public:
  // Clients, by their numbers, are at different places in the order, so that they are not slow all at once.
  SlowTransactions(const Options& options, std::uint64_t client);
  // Clients that are never slow.
  SlowTransactions() = default;

  // How long the next transaction waits between its steps, and before it commits, in seconds; mostly 0. In a regular
  // order: it is a slow one when the share has been added up to 1.
  [[nodiscard]] double next_pause_s();

 private:
  double share_ = 0;
  double pause_s_ = 0;
  double phase_ = 0;
};

}  // namespace ordeal
