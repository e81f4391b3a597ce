#pragma once
// The ways in which the ledger of the SQL targets is made wrong on purpose, to see that the workload finds each: the
// option `<target>.ledger-break`. Thread-safety: constants and pure functions.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/options.h"
#include "targets/sql/data_type.h"

namespace ordeal {

struct LedgerBreakRow {
  LedgerBreak kind;
  const char* name;
  const char* help;
};
// `none` is the first.
[[nodiscard]] std::span<const LedgerBreakRow> ledger_breaks();
// Requires: one of their names (checked).
[[nodiscard]] LedgerBreak ledger_break_named(std::string_view name);
[[nodiscard]] OptionSpec ledger_break_option(const std::string& target);
// Errors: usage, when the break that the options of the target say changes nothing of that data type, or nothing at
// their isolation level, or cannot be made on that system.
[[nodiscard]] Result<void> check_ledger_break(const Options& options, const std::string& target,
                                              std::string_view data_type);

}  // namespace ordeal
