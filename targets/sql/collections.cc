// Sets, queues and locks.

#include "targets/sql/data_type.h"

namespace ordeal {
namespace {

// ---- a set: nothing keeps an element from being there twice, so that an insert that is carried out twice shows

Completion add_element(SqlWork& work, const Operation& operation, Deadline deadline) {
  return work.session.change(
      [&](SqlTransaction& in) {
        in.query("INSERT INTO ordeal_elements (k, element) VALUES ($1, $2)",
                 {sql_key(operation), operation.value.to_json()});
        return Completion::ok();
      },
      deadline);
}

Completion list_column(const SqlRows& found) {
  Value all = Value::list();
  for (const auto& row : found.rows) all.items().push_back(sql_value(row[0]));
  return Completion::ok(std::move(all));
}

Completion read_elements(SqlWork& work, const Operation& operation, Deadline deadline) {
  return work.reader.read(
      [&](SqlTransaction& in) {
        return list_column(in.query("SELECT element FROM ordeal_elements WHERE k = $1", {sql_key(operation)}));
      },
      deadline);
}

std::vector<std::string> set_schema(const SqlDialect&, const SqlShape&) {
  return {"CREATE TABLE IF NOT EXISTS ordeal_elements (k text NOT NULL, element text NOT NULL)"};
}

// ---- a queue: rows in the order of a serial number

Completion enqueue(SqlWork& work, const Operation& operation, Deadline deadline) {
  return work.session.change(
      [&](SqlTransaction& in) {
        in.query("INSERT INTO ordeal_queue (k, message) VALUES ($1, $2)",
                 {sql_key(operation), operation.value.to_json()});
        return Completion::ok();
      },
      deadline);
}

Completion dequeue(SqlWork& work, const Operation& operation, Deadline deadline) {
  return work.session.change(
      [&](SqlTransaction& in) {
        const auto found = in.query(
            work.shape.skip_locked
                ? "DELETE FROM ordeal_queue WHERE n = (SELECT n FROM ordeal_queue WHERE k = $1 ORDER BY n LIMIT 1 FOR "
                  "UPDATE SKIP LOCKED) RETURNING message"
                : "DELETE FROM ordeal_queue WHERE n = (SELECT min(n) FROM ordeal_queue WHERE k = $1) RETURNING message",
            {sql_key(operation)});
        return Completion::ok(found.rows.empty() ? Value() : sql_value(found.rows[0][0]));
      },
      deadline);
}

Completion drain(SqlWork& work, const Operation& operation, Deadline deadline) {
  return work.session.change(
      [&](SqlTransaction& in) {
        return list_column(
            in.query("WITH taken AS (DELETE FROM ordeal_queue WHERE k = $1 RETURNING n, message) SELECT message FROM "
                     "taken ORDER BY n",
                     {sql_key(operation)}));
      },
      deadline);
}

std::vector<std::string> queue_schema(const SqlDialect&, const SqlShape&) {
  return {"CREATE TABLE IF NOT EXISTS ordeal_queue (n bigserial PRIMARY KEY, k text NOT NULL, message text NOT NULL)",
          "CREATE INDEX IF NOT EXISTS ordeal_queue_order ON ordeal_queue (k, n)"};
}

// ---- a lock, which lasts as long as its connection: an advisory one, with a token, or that of a row in a transaction
// that stays open

Completion acquire_advisory(SqlWork& work, const Operation& operation, Deadline deadline) {
  std::vector<SqlRows> answers;
  if (auto problem = work.session.direct(
          {{"SELECT pg_try_advisory_lock(hashtext($1))", {sql_key(operation)}}, {"SELECT nextval('ordeal_tokens')"}},
          answers, deadline))
    return *problem;
  if (answers[0].rows[0][0] != "t") return Completion::failed("held", "another client holds the lock");
  work.holds_lock = true;
  return Completion::ok(sql_value(answers[1].rows[0][0]));
}

Completion acquire_row(SqlWork& work, const Operation& operation, Deadline deadline) {
  std::vector<SqlRows> answers;
  if (operation.key) {
    const std::string key = sql_key(operation);
    if (auto problem = work.session.direct(
            {{"INSERT INTO ordeal_locks (k) VALUES ($1) ON CONFLICT (k) DO NOTHING", {key}}}, answers, deadline))
      return *problem;
  }
  auto problem = work.session.direct(
      {{"BEGIN"}, {"SELECT k FROM ordeal_locks WHERE k = $1 FOR UPDATE NOWAIT", {sql_key(operation)}}}, answers,
      deadline);
  if (problem) {
    work.session.close();  // ends the transaction
    return *problem;
  }
  work.holds_lock = true;
  return Completion::ok();
}

Completion acquire(SqlWork& work, const Operation& operation, Deadline deadline) {
  if (work.holds_lock) return Completion::failed("held", "this client holds the lock already");
  return work.shape.row_lock ? acquire_row(work, operation, deadline) : acquire_advisory(work, operation, deadline);
}

Completion release(SqlWork& work, const Operation& operation, Deadline deadline) {
  if (!work.holds_lock) return Completion::failed("not-held", "this client does not hold the lock");
  work.holds_lock = false;
  if (!work.session.is_open()) return Completion::failed("lost", "the connection broke, and the lock with it");
  std::vector<SqlRows> answers;
  if (auto problem = work.session.direct(
          {work.shape.row_lock ? SqlStatement{"COMMIT"}
                               : SqlStatement{"SELECT pg_advisory_unlock(hashtext($1))", {sql_key(operation)}}},
          answers, deadline)) {
    work.session.close();  // whatever became of it, the server gives the lock back
    return *problem;
  }
  const bool had = work.shape.row_lock ? answers[0].tag == "COMMIT" : answers[0].rows[0][0] == "t";
  return had ? Completion::ok() : Completion::failed("lost", "this client did not hold the lock any more");
}

std::vector<std::string> lock_schema(const SqlDialect&, const SqlShape& shape) {
  if (!shape.row_lock) return {"CREATE SEQUENCE IF NOT EXISTS ordeal_tokens"};
  return {"CREATE TABLE IF NOT EXISTS ordeal_locks (k text PRIMARY KEY)",
          "INSERT INTO ordeal_locks (k) VALUES ('') ON CONFLICT (k) DO NOTHING"};
}

}  // namespace

std::span<const SqlDataType> sql_collections() {
  static const std::vector<SqlDataType> all = {
      {"set", set_schema, {{"add", add_element}, {"read", read_elements}}},
      {"queue", queue_schema, {{"enqueue", enqueue}, {"dequeue", dequeue}, {"drain", drain}}},
      {"lock", lock_schema, {{"acquire", acquire}, {"release", release}}},
  };
  return all;
}

}  // namespace ordeal
