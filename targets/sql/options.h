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
// Sets how slow which transactions of the client with that number are. Clients are at different places in the order.
void set_slowness(SqlSession::Settings& settings, const Options& options, const std::string& target,
                  std::uint64_t client);
// For TargetFactory::check_options. Errors: usage, when no tables are known for the data type.
[[nodiscard]] Result<void> check_sql_data_type(std::string_view target, std::string_view data_type);

}  // namespace ordeal
