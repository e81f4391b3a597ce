#include "targets/sql/dialect.h"

#include <fmt/format.h>

namespace ordeal {

std::string SqlDialect::upsert(std::string_view table) const {
  if (blind_upsert) return fmt::format("UPSERT INTO {} (k, v) VALUES ($1, $2)", table);
  return fmt::format("INSERT INTO {} (k, v) VALUES ($1, $2) ON CONFLICT (k) DO UPDATE SET v = excluded.v", table);
}

const SqlDialect& postgres_dialect() {
  static const SqlDialect dialect = {
      .name = "postgres",
      .user = "postgres",
      .database = "postgres",
      .blind_upsert = false,
      // Of two transactions that both changed a table, serializably, the later one's number is greater, whatever clocks
      // do.
      .timestamp = "txid_current()",
      .sequence = "nextval('{}')",
      .advisory_locks = true,
      .restart_savepoint = false,
      .states = postgres_states(),
  };
  return dialect;
}

const SqlDialect& cockroachdb_dialect() {
  static const SqlDialect dialect = {
      .name = "cockroachdb",
      .user = "root",
      .database = "defaultdb",
      .blind_upsert = true,
      // Nanoseconds and ten decimals of a logical clock.
      .timestamp = "(cluster_logical_timestamp() * 10000000000)::decimal(38, 0)",
      .sequence = "unique_rowid()",
      .advisory_locks = false,
      .restart_savepoint = true,
      .states = cockroachdb_states(),
  };
  return dialect;
}

}  // namespace ordeal
