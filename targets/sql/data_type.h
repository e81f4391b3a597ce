#pragma once
// SqlDataType: what one data type of the vocabulary (doc/formats.md) is in tables, and how its operations are done.
//
// Values are kept as their JSON, keys as text. Every operation is a transaction of its own (SqlSession::change, read)
// unless it says otherwise. Thread-safety: constants.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "targets/sql/access.h"
#include "targets/sql/session.h"

namespace ordeal {

// What is wrong with a ledger on purpose (ledger.h).
enum class LedgerBreak {
  none,
  no_version_check,
  version_first,
  stale_balance,
  stale_retry,
  retry_ambiguous,
  ack_before_commit,
  dual_write,
  no_dedup,
  commit_before_apply,
  arrival_order,
  replay_on_top,
  split_read,
};

struct SqlShape {
  std::int64_t bank_accounts = 8;
  std::int64_t bank_balance = 10;
  bool bank_tables = false;  // a table for each account
  bool skip_locked = false;  // a queue takes the first message that nobody else is taking
  bool row_lock = false;     // the lock is that of a row (FOR UPDATE) rather than an advisory one
  bool pipeline = false;     // all micro-operations of a transaction are sent in one go
  LedgerBreak ledger_break = LedgerBreak::none;
  // By which paths the rows of list-append, rw-register and g2 are found, each for a part of the keys; empty: as the
  // schema without them has it.
  std::vector<const SqlAccess*> access = {};
};

// What an operation needs beside itself; one for each client.
struct SqlWork {
  SqlSession& session;
  SqlSession& reader;  // what changes nothing is asked here; the same, unless replicas are read
  const SqlShape& shape;
  std::string_view data_type;
  bool holds_lock = false;
};

struct SqlDataType {
  using Verb = Completion (*)(SqlWork& work, const Operation& operation, Deadline deadline);
  std::string_view name;
  // The statements that make its tables and initial rows; all may be carried out again.
  std::vector<std::string> (*schema)(const SqlDialect& dialect, const SqlShape& shape);
  std::vector<std::pair<std::string_view, Verb>> verbs;
  bool needs_advisory_locks = false;
};

// registers.cc, transactions.cc, collections.cc, promises.cc, ledger.cc
[[nodiscard]] std::span<const SqlDataType> sql_registers();
[[nodiscard]] std::span<const SqlDataType> sql_transactions();
[[nodiscard]] std::span<const SqlDataType> sql_collections();
[[nodiscard]] std::span<const SqlDataType> sql_promises();
[[nodiscard]] std::span<const SqlDataType> sql_ledger();

// "k7" → "k7", 7 → "7".
[[nodiscard]] inline std::string sql_text(const Value& value) {
  return value.is_string() ? value.string() : value.to_json();
}
// The operation's key; "" when it has none.
[[nodiscard]] inline std::string sql_key(const Operation& operation) {
  return operation.key ? sql_text(*operation.key) : "";
}
// What a column holds that is JSON or a number. Values of the harness come back as they were; what is none of ours is a
// text.
[[nodiscard]] inline Value sql_value(const SqlText& text) {
  if (!text) return {};
  auto value = Value::from_json(*text);
  return value ? std::move(*value) : Value(*text);
}

}  // namespace ordeal
