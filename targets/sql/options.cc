#include "targets/sql/options.h"

#include <algorithm>

#include "base/names.h"
#include "harness/interfaces/slow_transactions.h"
#include "targets/sql/client.h"
#include "targets/sql/ledger.h"

namespace ordeal {

std::vector<OptionSpec> sql_options(const std::string& target, const std::string& default_queue) {
  std::vector<OptionSpec> out = slow_transaction_options();
  using Type = OptionSpec::Type;
  const auto choice = [&](const char* name, const char* otherwise, const char* help, std::vector<std::string> choices) {
    return OptionSpec{target + "." + name, Type::string, otherwise,         help,
                      std::nullopt,        std::nullopt, std::move(choices)};
  };
  const std::vector<OptionSpec> own = {
      choice("isolation", "serializable",
             "the isolation level of every transaction; it is read back inside, and another one is a failure",
             {"serializable", "repeatable-read", "read-committed", "read-uncommitted"}),
      {target + ".pipeline", Type::boolean, false,
       "send all micro-operations of a transaction in one go instead of one by one"},
      {target + ".bank-accounts", Type::integer, 8, "accounts of the bank", 2, 10'000},
      {target + ".bank-balance", Type::integer, 10, "what each of them begins with", 0, 1e12},
      choice("bank-tables", "one", "whether the bank's accounts are in one table or each in one of its own",
             {"one", "each"}),
      choice("queue", default_queue.c_str(),
             "how a message is taken: the first one, or the first that nobody else is taking (FOR UPDATE SKIP LOCKED, "
             "which keeps no order and may find nothing too early: say --consistency at-most-once)",
             {"first", "skip-locked"}),
      ledger_break_option(target),
  };
  out.insert(out.begin(), own.begin(), own.end());
  return out;
}

SqlShape sql_shape(const Options& options, const std::string& target) {
  SqlShape out;
  out.bank_accounts = options.integer(target + ".bank-accounts");
  out.bank_balance = options.integer(target + ".bank-balance");
  out.bank_tables = options.string(target + ".bank-tables") == "each";
  out.skip_locked = options.string(target + ".queue") == "skip-locked";
  out.ledger_break = ledger_break_named(options.string(target + ".ledger-break"));
  out.pipeline = options.boolean(target + ".pipeline");
  return out;
}

std::string sql_isolation(const Options& options, const std::string& target) {
  std::string out = options.string(target + ".isolation");
  std::replace(out.begin(), out.end(), '-', ' ');
  return out;
}

Result<void> check_sql_options(const Options& options, std::string_view target, std::string_view data_type) {
  if (data_type == "lock" && options.real("txn.slow-share") > 0)
    return fail(ErrorCode::usage, "txn.slow-share: the operations of a lock are no transactions; leave it out");
  if (sql_data_type(data_type) != nullptr) return check_ledger_break(options, std::string(target), data_type);
  std::vector<std::string> known;
  for (const SqlDataType* one : sql_data_types()) known.emplace_back(one->name);
  return fail(unknown_name("data type of target " + std::string(target), data_type, known));
}

}  // namespace ordeal
