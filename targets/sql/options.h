#pragma once
// The options that every SQL target has, under its own name ("postgres.isolation"). Thread-safety: pure.

#include <string>
#include <vector>

#include "base/options.h"
#include "targets/sql/data_type.h"

namespace ordeal {

[[nodiscard]] std::vector<OptionSpec> sql_options(const std::string& target, const std::string& default_queue);
[[nodiscard]] SqlShape sql_shape(const Options& options, const std::string& target);
// As SQL has it: "repeatable read".
[[nodiscard]] std::string sql_isolation(const Options& options, const std::string& target);
// For TargetFactory::check_options. Errors: usage, when no tables are known for the data type, or slow transactions are
// asked for where there are none: a lock is held between operations, not within.
[[nodiscard]] Result<void> check_sql_options(const Options& options, std::string_view target,
                                             std::string_view data_type);

}  // namespace ordeal
