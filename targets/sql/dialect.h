#pragma once
// SqlDialect: where PostgreSQL and CockroachDB differ. All other text is the same for both. Thread-safety: constants.

#include <span>
#include <string>
#include <string_view>

#include "targets/sql/outcome.h"

namespace ordeal {

struct SqlDialect {
  std::string_view name;
  std::string_view user, database;
  bool blind_upsert;           // UPSERT INTO: writes without a look at what is there
  std::string_view timestamp;  // an expression: the transaction's place in the order of all, a whole number
  std::string_view sequence;   // an expression: a number that nobody else gets; {} is the sequence's name
  bool advisory_locks;
  // Whether a transaction that has to be tried again is taken up at the savepoint cockroach_restart, and RELEASE of it
  // commits (CockroachDB's "Advanced Client-Side Transaction Retries").
  bool restart_savepoint;
  std::span<const SqlStateRule> states;

  // Writes $2 under the key $1 of a table with the columns k and v.
  [[nodiscard]] std::string upsert(std::string_view table) const;
};

[[nodiscard]] const SqlDialect& postgres_dialect();
[[nodiscard]] const SqlDialect& cockroachdb_dialect();

}  // namespace ordeal
