// Patterns that applications build on transactions: an outbox, idempotency keys, a saga.

#include <algorithm>

#include "harness/interfaces/bad_operation.h"
#include "targets/sql/data_type.h"

namespace ordeal {
namespace {

constexpr int kStepAttempts = 10;  // of a saga's second step, as long as each attempt certainly did not happen

// ---- outbox: a change and its message in one transaction, numbered by key; a relay publishes what lies in the outbox

Completion change(SqlWork& work, const Operation& operation, Deadline deadline) {
  const Value* id = operation.value.find("id");
  const Value* key = operation.value.find("key");
  if (id == nullptr || key == nullptr) return bad_operation(operation, R"({"id": …, "key": …})");
  const Value* rollback = operation.value.find("rollback");
  return work.session.change(
      [&](SqlTransaction& in) {
        // The row of the key is locked until the end, so that numbers of a key are in the order of commits.
        const auto number = in.query(
            "INSERT INTO ordeal_change_numbers (k, n) VALUES ($1, 1) ON CONFLICT (k) DO UPDATE SET n = "
            "ordeal_change_numbers.n + 1 RETURNING n",
            {key->to_json()});
        if (number.rows.empty()) return Completion::ok();
        const std::vector<SqlText> row = {key->to_json(), number.rows[0][0], id->to_json()};
        in.query("INSERT INTO ordeal_changes (k, n, id) VALUES ($1, $2::bigint, $3)", row);
        in.query("INSERT INTO ordeal_outbox (k, n, id) VALUES ($1, $2::bigint, $3)", row);
        if (rollback != nullptr && *rollback == Value(true))
          return Completion::failed("rolled-back", "as it was asked for");
        return Completion::ok();
      },
      deadline);
}

Value pairs(const SqlRows& found) {
  Value all = Value::list();
  for (const auto& row : found.rows) all.items().push_back(Value::list({sql_value(row[0]), sql_value(row[1])}));
  return all;
}

Completion read_changes(SqlWork& work, const Operation&, Deadline deadline) {
  return work.reader.read(
      [](SqlTransaction& in) {
        return Completion::ok(pairs(in.query("SELECT k, id FROM ordeal_changes ORDER BY k, n")));
      },
      deadline);
}

// One relay at a time takes what is in the outbox.
Completion publish(SqlTransaction& in) {
  const auto relay = in.query("SELECT last FROM ordeal_relay WHERE id = 1 FOR UPDATE");
  if (relay.rows.empty()) return Completion::ok();
  std::int64_t place = sql_value(relay.rows[0][0]).integer();
  auto taken = in.query("DELETE FROM ordeal_outbox RETURNING k, n, id");
  if (taken.rows.empty()) return Completion::ok();
  std::sort(taken.rows.begin(), taken.rows.end(), [](const auto& a, const auto& b) {
    return a[0] != b[0] ? a[0] < b[0] : sql_value(a[1]).integer() < sql_value(b[1]).integer();
  });
  std::vector<SqlStatement> statements;
  for (const auto& row : taken.rows) {
    statements.push_back({"INSERT INTO ordeal_published (place, k, id) VALUES ($1::bigint, $2, $3)",
                          {std::to_string(++place), row[0], row[2]}});
  }
  statements.push_back({"UPDATE ordeal_relay SET last = $1::bigint WHERE id = 1", {std::to_string(place)}});
  in.query(std::move(statements));
  return Completion::ok();
}

Completion read_messages(SqlWork& work, const Operation&, Deadline deadline) {
  // What becomes of it is seen in what is published.
  if (const Completion done = work.session.change(publish, deadline); done.type != EventType::ok)
    return Completion::failed(done.error->kind, done.error->message);
  return work.reader.read(
      [](SqlTransaction& in) {
        return Completion::ok(pairs(in.query("SELECT k, id FROM ordeal_published ORDER BY place")));
      },
      deadline);
}

std::vector<std::string> outbox_schema(const SqlDialect&, const SqlShape&) {
  return {"CREATE TABLE IF NOT EXISTS ordeal_change_numbers (k text PRIMARY KEY, n bigint NOT NULL)",
          "CREATE TABLE IF NOT EXISTS ordeal_changes (k text, n bigint, id text NOT NULL, PRIMARY KEY (k, n))",
          "CREATE TABLE IF NOT EXISTS ordeal_outbox (k text, n bigint, id text NOT NULL, PRIMARY KEY (k, n))",
          "CREATE TABLE IF NOT EXISTS ordeal_published (place bigint PRIMARY KEY, k text NOT NULL, id text NOT NULL)",
          "CREATE TABLE IF NOT EXISTS ordeal_relay (id bigint PRIMARY KEY, last bigint NOT NULL)",
          "INSERT INTO ordeal_relay (id, last) VALUES (1, 0) ON CONFLICT (id) DO NOTHING"};
}

// ---- idempotency: the key, what was answered, and the effect in one transaction

Completion apply(SqlWork& work, const Operation& operation, Deadline deadline) {
  const Value* named = operation.value.find("id");
  const Value* given = operation.value.find("body");
  const std::string id = (named == nullptr ? operation.value : *named).to_json();
  const std::string asked = given == nullptr ? "null" : given->to_json();
  return work.session.change(
      [&](SqlTransaction& in) {
        const auto answer = [](const SqlText& n) { return Completion::ok(Value::map({{"effect", sql_value(n)}})); };
        const auto known = in.query("SELECT n, body FROM ordeal_keys WHERE id = $1", {id});
        if (!known.rows.empty()) {
          if (known.rows[0][1] != asked) return Completion::failed("conflict", "the key is taken by another body");
          return answer(known.rows[0][0]);
        }
        const auto effect = in.query("INSERT INTO ordeal_effects (id, body) VALUES ($1, $2) RETURNING n", {id, asked});
        if (effect.rows.empty()) return Completion::ok();
        in.query("INSERT INTO ordeal_keys (id, body, n) VALUES ($1, $2, $3::bigint)", {id, asked, effect.rows[0][0]});
        return answer(effect.rows[0][0]);
      },
      deadline);
}

Completion read_effects(SqlWork& work, const Operation&, Deadline deadline) {
  return work.reader.read(
      [&](SqlTransaction& in) {
        const auto found = in.query("SELECT id, body FROM ordeal_effects");
        if (work.data_type == "idempotency-keys") return Completion::ok(pairs(found));
        Value all = Value::list();
        for (const auto& row : found.rows) all.items().push_back(sql_value(row[0]));
        return Completion::ok(std::move(all));
      },
      deadline);
}

std::vector<std::string> key_schema(const SqlDialect&, const SqlShape&) {
  return {"CREATE TABLE IF NOT EXISTS ordeal_keys (id text PRIMARY KEY, body text NOT NULL, n bigint NOT NULL)",
          "CREATE TABLE IF NOT EXISTS ordeal_effects (n bigserial PRIMARY KEY, id text NOT NULL, body text NOT NULL)"};
}

// ---- saga: money is taken in one transaction and given in another, by whoever comes first when the client is gone

constexpr const char* kInitialBalance = "20";

Completion take(SqlTransaction& in, const std::string& id, const Value& from, const Value& to, const Value& amount) {
  for (const Value* account : {&from, &to}) {
    in.query(
        "INSERT INTO ordeal_saga_accounts (id, balance) VALUES ($1::bigint, $2::bigint) ON CONFLICT (id) DO NOTHING",
        {account->to_json(), kInitialBalance});
  }
  if (in.query("UPDATE ordeal_saga_accounts SET balance = balance - $2::bigint WHERE id = $1::bigint AND balance >= "
               "$2::bigint",
               {from.to_json(), amount.to_json()})
          .changed != 1)
    return Completion::failed("insufficient", "the account holds too little");
  in.query("INSERT INTO ordeal_saga_events (saga, account, amount) VALUES ($1, $2::bigint, - $3::bigint)",
           {id, from.to_json(), amount.to_json()});
  in.query("INSERT INTO ordeal_sagas (id, recipient, amount, done) VALUES ($1, $2::bigint, $3::bigint, false)",
           {id, to.to_json(), amount.to_json()});
  return Completion::ok();
}

// Once, whoever calls it how often.
Completion give(SqlWork& work, const SqlText& id, const SqlText& to, const SqlText& amount, Deadline deadline) {
  return work.session.change(
      [&](SqlTransaction& in) {
        if (in.query("UPDATE ordeal_sagas SET done = true WHERE id = $1 AND NOT done", {id}).changed == 1) {
          in.query("UPDATE ordeal_saga_accounts SET balance = balance + $2::bigint WHERE id = $1::bigint",
                   {to, amount});
          in.query("INSERT INTO ordeal_saga_events (saga, account, amount) VALUES ($1, $2::bigint, $3::bigint)",
                   {id, to, amount});
        }
        return Completion::ok();
      },
      deadline);
}

Completion saga(SqlWork& work, const Operation& operation, Deadline deadline) {
  const Value* id = operation.value.find("id");
  const Value* from = operation.value.find("from");
  const Value* to = operation.value.find("to");
  const Value* amount = operation.value.find("amount");
  const auto integer = [](const Value* value) { return value != nullptr && value->is_integer(); };
  if (id == nullptr || !integer(from) || !integer(to) || !integer(amount))
    return bad_operation(operation, R"({"id": …, "from": account, "to": account, "amount": integer})");
  const Completion taken =
      work.session.change([&](SqlTransaction& in) { return take(in, id->to_json(), *from, *to, *amount); }, deadline);
  if (taken.type != EventType::ok) return taken;
  Completion given;
  for (int attempt = 0; attempt < kStepAttempts; ++attempt) {
    given = give(work, id->to_json(), to->to_json(), amount->to_json(), deadline);
    if (given.type != EventType::fail || given.found_nobody() || deadline.passed()) break;
  }
  if (given.type == EventType::ok) return given;
  return Completion::unknown(given.error->kind, "the first step is done: " + given.error->message);
}

Completion read_ledger(SqlWork& work, const Operation&, Deadline deadline) {
  // Sagas whose clients are gone are brought to their ends; those under way find the second step done.
  std::vector<std::vector<SqlText>> open;
  const Completion looked = work.reader.read(
      [&](SqlTransaction& in) {
        open = in.query("SELECT id, recipient, amount FROM ordeal_sagas WHERE NOT done").rows;
        return Completion::ok();
      },
      deadline);
  if (looked.type != EventType::ok) return looked;
  for (const auto& one : open) (void)give(work, one[0], one[1], one[2], deadline);
  return work.reader.read(
      [](SqlTransaction& in) {
        Value balances = Value::map();
        for (const auto& row : in.query("SELECT id, balance FROM ordeal_saga_accounts").rows)
          balances.set(sql_value(row[0]), sql_value(row[1]));
        Value events = Value::list();
        for (const auto& row : in.query("SELECT saga, account, amount FROM ordeal_saga_events ORDER BY n").rows)
          events.items().push_back(Value::list({sql_value(row[0]), sql_value(row[1]), sql_value(row[2])}));
        return Completion::ok(Value::map({{"balances", std::move(balances)}, {"events", std::move(events)}}));
      },
      deadline);
}

std::vector<std::string> saga_schema(const SqlDialect&, const SqlShape&) {
  return {"CREATE TABLE IF NOT EXISTS ordeal_saga_accounts (id bigint PRIMARY KEY, balance bigint NOT NULL)",
          "CREATE TABLE IF NOT EXISTS ordeal_saga_events (n bigserial PRIMARY KEY, saga text NOT NULL, account bigint "
          "NOT NULL, amount bigint NOT NULL)",
          "CREATE TABLE IF NOT EXISTS ordeal_sagas (id text PRIMARY KEY, recipient bigint NOT NULL, amount bigint NOT "
          "NULL, done boolean NOT NULL)",
          "CREATE INDEX IF NOT EXISTS ordeal_sagas_open ON ordeal_sagas (done)"};
}

}  // namespace

std::span<const SqlDataType> sql_promises() {
  static const std::vector<SqlDataType> all = {
      {"outbox", outbox_schema, {{"change", change}, {"read", read_changes}, {"messages", read_messages}}},
      {"idempotency", key_schema, {{"apply", apply}, {"read", read_effects}}},
      {"idempotency-keys", key_schema, {{"apply", apply}, {"read", read_effects}}},
      {"saga", saga_schema, {{"saga", saga}, {"read", read_ledger}}},
  };
  return all;
}

}  // namespace ordeal
