#pragma once
// What an error of a SQL server says about a transaction: that it certainly did not happen, or that nobody knows.
//
// Before COMMIT was sent a transaction cannot have happened, whatever went wrong: without it the server rolls back. As
// the answer to COMMIT only errors that the server gives before it commits are certain; the dialect's table names them,
// and what is not in it is unknown. Sources: PostgreSQL's appendix "Error Codes" and src/backend/access/transam/xact.c
// (an ERROR before the commit record rolls back; FATAL may come after it); CockroachDB's "Transaction Retry Error
// Reference", "Common Errors" and pkg/sql/pgwire/pgcode/codes.go. Thread-safety: pure.

#include <span>
#include <string>
#include <string_view>

#include "checkers/history/operation.h"
#include "targets/sql/connection.h"

namespace ordeal {

// Of the codes that begin with `prefix`: the longest prefix counts.
struct SqlStateRule {
  std::string_view prefix;
  bool certain;           // as the answer to COMMIT: the transaction did not happen
  std::string_view kind;  // a name to count by; empty: that of a shorter prefix, or "sqlstate-CODE"
};

[[nodiscard]] std::span<const SqlStateRule> postgres_states();
[[nodiscard]] std::span<const SqlStateRule> cockroachdb_states();

enum class SqlPhase {
  before_commit,  // COMMIT was not sent
  at_commit,      // it was, or the statement commits by itself
};

// `changes`: the transaction may have changed data; else what is not ok has failed.
[[nodiscard]] Completion unanswered(std::span<const SqlStateRule> states, const SqlProblem& problem, SqlPhase phase,
                                    bool changes);

}  // namespace ordeal
