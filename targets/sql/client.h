#pragma once
// SqlClient: the operations of the vocabulary on a server that speaks SQL; and the tables that they need.
// Thread-safety: as Client; the functions are pure.

#include <optional>
#include <string>
#include <vector>

#include "harness/interfaces/slow_transactions.h"
#include "harness/interfaces/target.h"
#include "targets/sql/data_type.h"

namespace ordeal {

class SqlClient final : public Client {
 public:
  // `reader`: another server that transactions which only read are asked of.
  SqlClient(SqlSession::Settings settings, const SqlShape& shape, const std::string& data_type,
            std::optional<SqlSession::Settings> reader = std::nullopt, SlowTransactions slow = {});
  Result<void> open(Deadline deadline) override;
  Completion invoke(const Operation& operation, Deadline deadline) override;
  void close() override;

 private:
  void make_tables(Deadline deadline);

  SqlSession session_;
  std::optional<SqlSession> reader_;
  const SqlShape shape_;
  const SqlDataType* type_;  // nullptr: unknown
  SqlWork work_;
  SlowTransactions slow_;
};

// All f's of all data types, in the order of the alphabet.
[[nodiscard]] std::vector<std::string> sql_operations();
// Nullptr when there is none.
[[nodiscard]] const SqlDataType* sql_data_type(std::string_view name);
[[nodiscard]] std::vector<const SqlDataType*> sql_data_types();
// The names of a data type's tables; none of one that is not known.
[[nodiscard]] std::vector<std::string> sql_tables(const SqlDialect& dialect, const SqlShape& shape,
                                                  std::string_view data_type);

// Makes the tables of a data type, and sees that a transaction has the level that is asked for. Tries again until the
// deadline: nothing of it does harm when it is done twice. Errors: target, usage when there is no such data type.
[[nodiscard]] Result<void> prepare_sql(SqlSession& session, const SqlShape& shape, std::string_view data_type,
                                       Deadline deadline);

}  // namespace ordeal
