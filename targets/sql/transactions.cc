// Transactions of several statements: micro-operations, a bank, accounts under a rule, predicates, timestamps, chains.

#include <fmt/format.h>

#include <algorithm>

#include "harness/interfaces/bad_operation.h"
#include "targets/sql/data_type.h"

namespace ordeal {
namespace {

// A list is one text, its elements with commas between them.
SqlStatement statement_of(const Value& micro, const SqlWork& work) {
  const bool lists = work.data_type == "list-append";
  const std::string& f = micro.items()[0].string();
  const std::string key = sql_text(micro.items()[1]);
  const SqlAccess* access = sql_access_of(work.shape.access, key);
  const std::string table = sql_access_table(lists ? "ordeal_lists" : "ordeal_registers", access);
  if (f == "w") return {work.session.dialect().upsert(table), {key, micro.items()[2].to_json()}};
  if (f == "append") {
    return {fmt::format("INSERT INTO {0} (k, v) VALUES ($1, $2) ON CONFLICT (k) DO UPDATE SET v = {0}.v || ',' "
                        "|| excluded.v",
                        table),
            {key, micro.items()[2].to_json()}};
  }
  return {fmt::format("SELECT v FROM {} WHERE {}", table, access == nullptr ? "k = $1" : sql_access_condition(*access)),
          {key}};
}

bool is_micro(const Value& value, bool lists) {
  if (!value.is_list() || value.items().size() != 3 || !value.items()[0].is_string()) return false;
  const std::string& f = value.items()[0].string();
  return f == "r" || f == (lists ? "append" : "w");
}

Value seen(const SqlRows& found, bool lists) {
  if (found.rows.empty()) return {};
  const SqlText& text = found.rows[0][0];
  return sql_value(lists ? SqlText("[" + text.value_or("") + "]") : text);
}

Completion transact(SqlWork& work, const Operation& operation, Deadline deadline) {
  const bool lists = work.data_type == "list-append";
  if (!operation.value.is_list()) return bad_operation(operation, "a list of micro-operations");
  const auto& asked = operation.value.items();
  if (!std::all_of(asked.begin(), asked.end(), [&](const Value& one) { return is_micro(one, lists); }))
    return bad_operation(operation, lists ? R"(["r", key, null] or ["append", key, value])"
                                          : R"(["r", key, null] or ["w", key, value])");
  const bool changes =
      std::any_of(asked.begin(), asked.end(), [](const Value& one) { return one.items()[0].string() != "r"; });
  const auto body = [&](SqlTransaction& in) {
    std::vector<SqlStatement> statements;
    for (const auto& micro : asked) statements.push_back(statement_of(micro, work));
    std::vector<SqlRows> answers;
    if (work.shape.pipeline) {
      answers = in.query(std::move(statements));
    } else {
      for (auto& one : statements) answers.push_back(in.query(std::move(one.text), std::move(one.parameters)));
    }
    Value done = operation.value;
    for (std::size_t i = 0; i < answers.size(); ++i) {
      auto& micro = done.items()[i].items();
      if (micro[0].string() == "r") micro[2] = seen(answers[i], lists);
    }
    return Completion::ok(std::move(done));
  };
  return changes ? work.session.change(body, deadline) : work.reader.read(body, deadline);
}

// A row a key, or such a table for each access path.
std::vector<std::string> row_schema(std::string_view table, const SqlShape& shape) {
  if (shape.access.empty())
    return {fmt::format("CREATE TABLE IF NOT EXISTS {} (k text PRIMARY KEY, v text NOT NULL)", table)};
  std::vector<std::string> out;
  for (const SqlAccess* access : shape.access) {
    for (auto& text : sql_access_schema(table, *access, "PRIMARY KEY", ", v text NOT NULL", "'0'"))
      out.push_back(std::move(text));
  }
  return out;
}
std::vector<std::string> list_schema(const SqlDialect&, const SqlShape& shape) {
  return row_schema("ordeal_lists", shape);
}
std::vector<std::string> rw_register_schema(const SqlDialect&, const SqlShape& shape) {
  return row_schema("ordeal_registers", shape);
}

// ---- the bank: one table, or one for each account

std::string account_table(const SqlShape& shape, std::int64_t account) {
  return shape.bank_tables ? fmt::format("ordeal_account_{}", account) : "ordeal_accounts";
}

Completion transfer(SqlWork& work, const Operation& operation, Deadline deadline) {
  const Value* words[] = {operation.value.find("from"), operation.value.find("to"), operation.value.find("amount")};
  if (!std::all_of(std::begin(words), std::end(words),
                   [](const Value* one) { return one != nullptr && one->is_integer(); }))
    return bad_operation(operation, R"({"from": account, "to": account, "amount": integer})");
  const std::int64_t accounts[] = {words[0]->integer(), words[1]->integer()};
  const std::int64_t amount = words[2]->integer();
  for (const std::int64_t one : accounts) {
    if (one < 0 || one >= work.shape.bank_accounts) return bad_operation(operation, "a known account");
  }
  return work.session.change(
      [&](SqlTransaction& in) {
        std::int64_t balances[2] = {0, 0};
        for (std::size_t i = 0; i < 2; ++i) {
          const auto found =
              in.query("SELECT balance FROM " + account_table(work.shape, accounts[i]) + " WHERE id = $1::bigint",
                       {std::to_string(accounts[i])});
          const Value balance = found.rows.empty() ? Value() : sql_value(found.rows[0][0]);
          if (balance.is_integer()) balances[i] = balance.integer();
        }
        if (balances[0] < amount) return Completion::failed("insufficient", "the balance is too low");
        balances[0] -= amount;
        balances[1] += amount;
        for (std::size_t i = 0; i < 2; ++i) {
          in.query(
              "UPDATE " + account_table(work.shape, accounts[i]) + " SET balance = $2::bigint WHERE id = $1::bigint",
              {std::to_string(accounts[i]), std::to_string(balances[i])});
        }
        return Completion::ok();
      },
      deadline);
}

Completion read_bank(SqlWork& work, const Operation&, Deadline deadline) {
  return work.reader.read(
      [&](SqlTransaction& in) {
        Value all = Value::map();
        for (std::int64_t i = 0; i < (work.shape.bank_tables ? work.shape.bank_accounts : 1); ++i) {
          for (const auto& row : in.query("SELECT id, balance FROM " + account_table(work.shape, i)).rows)
            all.set(sql_value(row[0]), sql_value(row[1]));
        }
        return Completion::ok(std::move(all));
      },
      deadline);
}

std::vector<std::string> bank_schema(const SqlDialect&, const SqlShape& shape) {
  std::vector<std::string> out;
  for (std::int64_t i = 0; i < shape.bank_accounts; ++i) {
    const std::string table = account_table(shape, i);
    if (i == 0 || shape.bank_tables)
      out.push_back("CREATE TABLE IF NOT EXISTS " + table + " (id bigint PRIMARY KEY, balance bigint NOT NULL)");
    out.push_back(fmt::format("INSERT INTO {} (id, balance) VALUES ({}, {}) ON CONFLICT (id) DO NOTHING", table, i,
                              shape.bank_balance));
  }
  return out;
}

// ---- accounts under a rule: both of a customer's together are never overdrawn, each is a row

Completion move_money(SqlWork& work, const Operation& operation, Deadline deadline) {
  const Value* account = operation.value.find("account");
  const Value* amount = operation.value.find("amount");
  if (account == nullptr || amount == nullptr || !account->is_integer() || !amount->is_integer() ||
      amount->integer() <= 0)
    return bad_operation(operation, R"({"account": 0 or 1, "amount": integer above 0})");
  const bool withdraws = operation.f == "withdraw";
  const std::string customer = sql_key(operation);
  return work.session.change(
      [&](SqlTransaction& in) {
        std::int64_t both = 0;
        for (const auto& row : in.query("SELECT balance FROM ordeal_customers WHERE customer = $1", {customer}).rows)
          both += sql_value(row[0]).integer();
        if (withdraws && both < amount->integer())
          return Completion::failed("insufficient", "both accounts together hold too little");
        in.query(
            "INSERT INTO ordeal_customers (customer, account, balance) VALUES ($1, $2::bigint, $3::bigint) "
            "ON CONFLICT (customer, account) DO UPDATE SET balance = ordeal_customers.balance + excluded.balance",
            {customer, account->to_json(), (withdraws ? "-" : "") + amount->to_json()});
        return Completion::ok();
      },
      deadline);
}

Completion read_customer(SqlWork& work, const Operation& operation, Deadline deadline) {
  return work.reader.read(
      [&](SqlTransaction& in) {
        Value out = Value::list({0, 0});
        for (const auto& row :
             in.query("SELECT account, balance FROM ordeal_customers WHERE customer = $1", {sql_key(operation)}).rows) {
          const Value account = sql_value(row[0]);
          if (account == Value(0) || account == Value(1))
            out.items()[static_cast<std::size_t>(account.integer())] = sql_value(row[1]);
        }
        return Completion::ok(std::move(out));
      },
      deadline);
}

std::vector<std::string> customer_schema(const SqlDialect&, const SqlShape&) {
  return {
      "CREATE TABLE IF NOT EXISTS ordeal_customers (customer text, account bigint, balance bigint NOT NULL, "
      "PRIMARY KEY (customer, account))"};
}

// ---- predicates: two tables, rows of a key found by an index. Keys are scattered over it, and it has many pages from
// the beginning: what locks pages would else let hardly anything happen at once.

Completion insert_unless_there(SqlWork& work, const Operation& operation, Deadline deadline) {
  if (!operation.key || !operation.value.is_list() || operation.value.items().size() != 2)
    return bad_operation(operation, "a key and [a, b]");
  const bool in_a = !operation.value.items()[0].is_nil();
  const std::string id = operation.value.items()[in_a ? 0 : 1].to_json();
  const std::string key = sql_key(operation);
  const SqlAccess* access = sql_access_of(work.shape.access, key);
  const std::string condition = access == nullptr ? "k = md5($1)" : sql_access_condition(*access);
  return work.session.change(
      [&](SqlTransaction& in) {
        for (const char* table : {"ordeal_g2_a", "ordeal_g2_b"}) {
          if (!in.query(fmt::format("SELECT id FROM {} WHERE {}", sql_access_table(table, access), condition), {key})
                   .rows.empty())
            return Completion::failed("exists", "the key has a row");
        }
        in.query(fmt::format("INSERT INTO {} (id, k) VALUES ($1, {})",
                             sql_access_table(in_a ? "ordeal_g2_a" : "ordeal_g2_b", access),
                             access == nullptr ? "md5($2)" : "$2"),
                 {id, key});
        return Completion::ok();
      },
      deadline);
}

std::vector<std::string> predicate_schema(const SqlDialect&, const SqlShape& shape) {
  std::vector<std::string> out;
  for (const char* table : {"ordeal_g2_a", "ordeal_g2_b"}) {
    for (const SqlAccess* access : shape.access) {
      for (auto& text : sql_access_schema(table, *access, "NOT NULL", ", id text PRIMARY KEY", "'fill' || i::text"))
        out.push_back(std::move(text));
    }
    if (!shape.access.empty()) continue;
    out.push_back(fmt::format("CREATE TABLE IF NOT EXISTS {} (id text PRIMARY KEY, k text NOT NULL)", table));
    out.push_back(fmt::format("CREATE INDEX IF NOT EXISTS {0}_k ON {0} (k)", table));
    out.push_back(
        fmt::format("INSERT INTO {} (id, k) SELECT 'fill' || i::text, md5('fill' || i::text) FROM "
                    "generate_series(1, 20000) AS i ON CONFLICT (id) DO NOTHING",
                    table));
  }
  return out;
}

// ---- rows with the database's timestamp

Completion stamp(SqlWork& work, const Operation&, Deadline deadline) {
  return work.session.change(
      [&](SqlTransaction& in) {
        const auto greatest = in.query("SELECT coalesce(max(val), -1) + 1 FROM ordeal_stamps");
        if (greatest.rows.empty()) return Completion::ok();
        const auto row = in.query(fmt::format("INSERT INTO ordeal_stamps (val, sts) VALUES ($1::bigint, {}) RETURNING "
                                              "val, sts",
                                              work.session.dialect().timestamp),
                                  {greatest.rows[0][0]});
        if (row.rows.empty()) return Completion::ok();
        return Completion::ok(Value::map({{"val", sql_value(row.rows[0][0])}, {"sts", sql_value(row.rows[0][1])}}));
      },
      deadline);
}

Completion read_stamps(SqlWork& work, const Operation&, Deadline deadline) {
  return work.reader.read(
      [&](SqlTransaction& in) {
        Value all = Value::list();
        for (const auto& row : in.query("SELECT val, sts FROM ordeal_stamps ORDER BY sts").rows)
          all.items().push_back(Value::map({{"val", sql_value(row[0])}, {"sts", sql_value(row[1])}}));
        return Completion::ok(std::move(all));
      },
      deadline);
}

std::vector<std::string> stamp_schema(const SqlDialect&, const SqlShape&) {
  return {"CREATE TABLE IF NOT EXISTS ordeal_stamps (val bigint NOT NULL, sts numeric NOT NULL)",
          "CREATE INDEX IF NOT EXISTS ordeal_stamps_val ON ordeal_stamps (val)"};
}

// ---- subkeys, written one after the other and read in reverse, a transaction each

constexpr std::size_t kSubkeys = 5;

std::string subkey(const Value& key, std::size_t which) { return key.to_json() + "_" + std::to_string(which); }

Completion write_chain(SqlWork& work, const Operation& operation, Deadline deadline) {
  for (std::size_t i = 0; i < kSubkeys; ++i) {
    const Completion done = work.session.change(
        [&](SqlTransaction& in) {
          in.query("INSERT INTO ordeal_subkeys (k) VALUES ($1) ON CONFLICT (k) DO NOTHING",
                   {subkey(operation.value, i)});
          return Completion::ok();
        },
        deadline);
    if (done.type == EventType::ok) continue;
    // Those before it are written, so that the whole has happened in part.
    return i == 0 ? done : Completion::unknown(done.error->kind, done.error->message);
  }
  return Completion::ok();
}

Completion read_chain(SqlWork& work, const Operation& operation, Deadline deadline) {
  Value subkeys = Value::list();
  for (std::size_t i = kSubkeys; i-- > 0;) {
    Completion done = work.reader.read(
        [&](SqlTransaction& in) {
          const auto found = in.query("SELECT k FROM ordeal_subkeys WHERE k = $1", {subkey(operation.value, i)});
          return Completion::ok(found.rows.empty() ? Value() : Value(found.rows[0][0].value_or("")));
        },
        deadline);
    if (done.type != EventType::ok) return done;
    subkeys.items().push_back(std::move(*done.value));
  }
  return Completion::ok(Value::list({operation.value, std::move(subkeys)}));
}

std::vector<std::string> chain_schema(const SqlDialect&, const SqlShape&) {
  return {"CREATE TABLE IF NOT EXISTS ordeal_subkeys (k text PRIMARY KEY)"};
}

}  // namespace

std::span<const SqlDataType> sql_transactions() {
  static const std::vector<SqlDataType> all = {
      {"list-append", list_schema, {{"txn", transact}}},
      {"rw-register", rw_register_schema, {{"txn", transact}}},
      {"bank", bank_schema, {{"transfer", transfer}, {"read", read_bank}}},
      {"accounts", customer_schema, {{"deposit", move_money}, {"withdraw", move_money}, {"read", read_customer}}},
      {"g2", predicate_schema, {{"insert", insert_unless_there}}},
      {"monotonic", stamp_schema, {{"stamp", stamp}, {"read", read_stamps}}},
      {"sequential", chain_schema, {{"write-chain", write_chain}, {"read-chain", read_chain}}},
  };
  return all;
}

}  // namespace ordeal
