#include "harness/interfaces/slow_transactions.h"

#include <algorithm>
#include <cmath>

#include "base/names.h"

namespace ordeal {

std::vector<OptionSpec> slow_transaction_options() {
  using Type = OptionSpec::Type;
  return {
      {"txn.slow-share", Type::real, 0.0,
       "which part of the transactions stay open for long; beside many short ones, about 0.001", 0, 1},
      {"txn.slow", Type::duration, 1.0,
       "how long these wait between their steps, and before they commit; --op-timeout has to leave room for it", 0,
       3600},
  };
}

Result<void> check_slow_transactions(const Options& options, const std::string& data_type,
                                     const std::vector<std::string>& transactional) {
  if (options.real("txn.slow-share") <= 0) return {};
  if (std::find(transactional.begin(), transactional.end(), data_type) != transactional.end()) return {};
  return fail(ErrorCode::usage, "txn.slow-share: the operations of data type " + data_type +
                                    " are no transactions here, those of " + joined(transactional) + " are");
}

SlowTransactions::SlowTransactions(const Options& options, std::uint64_t client)
    : share_(options.real("txn.slow-share")), pause_s_(options.seconds("txn.slow")) {
  constexpr double kGolden = 0.6180339887498949;  // its multiples lie evenly between whole numbers
  phase_ = std::fmod(static_cast<double>(client + 1) * kGolden, 1.0);
}

double SlowTransactions::next_pause_s() {
  phase_ += share_;
  if (phase_ < 1) return 0;
  phase_ -= 1;
  return pause_s_;
}

}  // namespace ordeal
