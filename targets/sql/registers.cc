// Registers, registers with versions, unique ids and counters: a row a key.

#include <fmt/format.h>

#include "harness/interfaces/bad_operation.h"
#include "targets/sql/data_type.h"

namespace ordeal {
namespace {

constexpr const char* kRegisters = "CREATE TABLE IF NOT EXISTS ordeal_registers (k text PRIMARY KEY, v text NOT NULL)";

Completion read_register(SqlWork& work, const Operation& operation, Deadline deadline) {
  return work.reader.read(
      [&](SqlTransaction& in) {
        const auto found = in.query("SELECT v FROM ordeal_registers WHERE k = $1", {sql_key(operation)});
        return Completion::ok(found.rows.empty() ? Value() : sql_value(found.rows[0][0]));
      },
      deadline);
}

Completion write_register(SqlWork& work, const Operation& operation, Deadline deadline) {
  return work.session.change(
      [&](SqlTransaction& in) {
        if (operation.value.is_nil())
          in.query("DELETE FROM ordeal_registers WHERE k = $1", {sql_key(operation)});
        else
          in.query(work.session.dialect().upsert("ordeal_registers"), {sql_key(operation), operation.value.to_json()});
        return Completion::ok();
      },
      deadline);
}

Completion compare_and_set(SqlWork& work, const Operation& operation, Deadline deadline) {
  if (!operation.value.is_list() || operation.value.items().size() != 2) return bad_operation(operation, "[old, new]");
  const Value& old = operation.value.items()[0];
  const Value& fresh = operation.value.items()[1];
  const std::string key = sql_key(operation);
  return work.session.change(
      [&](SqlTransaction& in) {
        bool met = false;
        if (old.is_nil() && fresh.is_nil()) {
          met = in.query("SELECT v FROM ordeal_registers WHERE k = $1", {key}).rows.empty();
        } else if (old.is_nil()) {
          met = in.query("INSERT INTO ordeal_registers (k, v) VALUES ($1, $2) ON CONFLICT (k) DO NOTHING",
                         {key, fresh.to_json()})
                    .changed == 1;
        } else if (fresh.is_nil()) {
          met = in.query("DELETE FROM ordeal_registers WHERE k = $1 AND v = $2", {key, old.to_json()}).changed == 1;
        } else {
          met = in.query("UPDATE ordeal_registers SET v = $2 WHERE k = $1 AND v = $3",
                         {key, fresh.to_json(), old.to_json()})
                    .changed == 1;
        }
        return met ? Completion::ok() : Completion::failed("precondition", "the value was not " + old.to_json());
      },
      deadline);
}

std::vector<std::string> register_schema(const SqlDialect&, const SqlShape&) { return {kRegisters}; }

Completion read_version(SqlWork& work, const Operation& operation, Deadline deadline) {
  return work.reader.read(
      [&](SqlTransaction& in) {
        const auto found = in.query("SELECT version, v FROM ordeal_versions WHERE k = $1", {sql_key(operation)});
        if (found.rows.empty()) return Completion::ok(Value::list({0, Value()}));
        return Completion::ok(Value::list({sql_value(found.rows[0][0]), sql_value(found.rows[0][1])}));
      },
      deadline);
}

// Optimistic locking: the row is changed only when it still has the version that was read.
Completion set_by_version(SqlWork& work, const Operation& operation, Deadline deadline) {
  const Value& asked = operation.value;
  if (!asked.is_list() || asked.items().size() != 2 || !asked.items()[0].is_integer())
    return bad_operation(operation, "[expected version, value]");
  const std::int64_t expected = asked.items()[0].integer();
  return work.session.change(
      [&](SqlTransaction& in) {
        const std::vector<SqlText> parameters = {sql_key(operation), asked.items()[1].to_json(),
                                                 std::to_string(expected)};
        const bool met =
            (expected == 0
                 ? in.query("INSERT INTO ordeal_versions (k, v, version) VALUES ($1, $2, $3::bigint + 1) "
                            "ON CONFLICT (k) DO NOTHING",
                            parameters)
                 : in.query("UPDATE ordeal_versions SET v = $2, version = version + 1 WHERE k = $1 AND version = "
                            "$3::bigint",
                            parameters))
                .changed == 1;
        if (!met) return Completion::failed("conflict", "another version is current");
        return Completion::ok(Value::list({expected + 1, asked.items()[1]}));
      },
      deadline);
}

std::vector<std::string> version_schema(const SqlDialect&, const SqlShape&) {
  return {"CREATE TABLE IF NOT EXISTS ordeal_versions (k text PRIMARY KEY, v text NOT NULL, version bigint NOT NULL)"};
}

Completion add_to_counter(SqlWork& work, const Operation& operation, Deadline deadline) {
  if (!operation.value.is_integer()) return bad_operation(operation, "a whole number");
  return work.session.change(
      [&](SqlTransaction& in) {
        in.query(
            "INSERT INTO ordeal_counters (k, n) VALUES ($1, $2::bigint) ON CONFLICT (k) DO UPDATE SET n = "
            "ordeal_counters.n + excluded.n",
            {sql_key(operation), operation.value.to_json()});
        return Completion::ok();
      },
      deadline);
}

Completion read_counter(SqlWork& work, const Operation& operation, Deadline deadline) {
  return work.reader.read(
      [&](SqlTransaction& in) {
        const auto found = in.query("SELECT n FROM ordeal_counters WHERE k = $1", {sql_key(operation)});
        return Completion::ok(found.rows.empty() ? Value(0) : sql_value(found.rows[0][0]));
      },
      deadline);
}

std::vector<std::string> counter_schema(const SqlDialect&, const SqlShape&) {
  return {"CREATE TABLE IF NOT EXISTS ordeal_counters (k text PRIMARY KEY, n bigint NOT NULL)"};
}

Completion generate_id(SqlWork& work, const Operation&, Deadline deadline) {
  return work.session.change(
      [&](SqlTransaction& in) {
        const auto found =
            in.query("SELECT " + fmt::format(fmt::runtime(work.session.dialect().sequence), "ordeal_ids"));
        return Completion::ok(found.rows.empty() ? Value() : sql_value(found.rows[0][0]));
      },
      deadline);
}

std::vector<std::string> id_schema(const SqlDialect&, const SqlShape&) {
  return {"CREATE SEQUENCE IF NOT EXISTS ordeal_ids"};
}

}  // namespace

std::span<const SqlDataType> sql_registers() {
  static const std::vector<SqlDataType> all = {
      {"register", register_schema, {{"read", read_register}, {"write", write_register}, {"cas", compare_and_set}}},
      {"versioned", version_schema, {{"read", read_version}, {"cas-version", set_by_version}}},
      {"counter", counter_schema, {{"add", add_to_counter}, {"read", read_counter}}},
      {"unique-ids", id_schema, {{"generate", generate_id}}},
      {"ordered-ids", id_schema, {{"generate", generate_id}}},
  };
  return all;
}

}  // namespace ordeal
