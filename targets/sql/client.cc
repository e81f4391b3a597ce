#include "targets/sql/client.h"

#include <set>
#include <thread>

#include "base/names.h"

namespace ordeal {

std::vector<const SqlDataType*> sql_data_types() {
  std::vector<const SqlDataType*> out;
  for (const auto all : {sql_registers(), sql_transactions(), sql_collections(), sql_promises(), sql_ledger()}) {
    for (const auto& one : all) out.push_back(&one);
  }
  return out;
}

const SqlDataType* sql_data_type(std::string_view name) {
  for (const SqlDataType* one : sql_data_types()) {
    if (one->name == name) return one;
  }
  return nullptr;
}

std::vector<std::string> sql_tables(const SqlDialect& dialect, const SqlShape& shape, std::string_view data_type) {
  static constexpr std::string_view kMake = "CREATE TABLE IF NOT EXISTS ";
  const SqlDataType* type = sql_data_type(data_type);
  std::vector<std::string> out;
  if (type == nullptr) return out;
  for (const auto& text : type->schema(dialect, shape)) {
    if (text.starts_with(kMake)) out.push_back(text.substr(kMake.size(), text.find(' ', kMake.size()) - kMake.size()));
  }
  return out;
}

std::vector<std::string> sql_operations() {
  std::set<std::string> all;
  for (const SqlDataType* type : sql_data_types()) {
    for (const auto& [f, verb] : type->verbs) all.emplace(f);
  }
  return {all.begin(), all.end()};
}

SqlClient::SqlClient(SqlSession::Settings settings, const SqlShape& shape, const std::string& data_type,
                     std::optional<SqlSession::Settings> reader, SlowTransactions slow)
    : session_(std::move(settings)),
      reader_(reader ? std::optional<SqlSession>(std::in_place, std::move(*reader)) : std::nullopt),
      shape_(shape),
      type_(sql_data_type(data_type)),
      work_{session_, reader_ ? *reader_ : session_, shape_, type_ == nullptr ? "" : type_->name},
      slow_(slow) {}

Result<void> SqlClient::open(Deadline deadline) {
  if (auto opened = session_.open(deadline); !opened || !reader_) return opened;
  return reader_->open(deadline);
}

void SqlClient::close() {
  session_.close();
  if (reader_) reader_->close();
}

Completion SqlClient::invoke(const Operation& operation, Deadline deadline) {
  if (type_ != nullptr) {
    for (const auto& [f, verb] : type_->verbs) {
      if (f != operation.f) continue;
      const double pause_s = slow_.next_pause_s();
      session_.linger(pause_s);
      if (reader_) reader_->linger(pause_s);
      Completion done = verb(work_, operation, deadline);
      if (done.error && done.error->kind == "no-table") make_tables(deadline);
      return done;
    }
  }
  return Completion::failed("unsupported", "there is no operation \"" + operation.f + "\" here");
}

// The tables were there when the run began. An application would make them when it starts; so what is read next shows
// what is lost.
void SqlClient::make_tables(Deadline deadline) {
  std::vector<SqlRows> ignored;
  for (const auto& text : type_->schema(session_.dialect(), shape_)) (void)session_.direct({{text}}, ignored, deadline);
}

Result<void> prepare_sql(SqlSession& session, const SqlShape& shape, std::string_view data_type, Deadline deadline) {
  const SqlDataType* type = sql_data_type(data_type);
  if (type == nullptr) {
    std::vector<std::string> known;
    for (const SqlDataType* one : sql_data_types()) known.emplace_back(one->name);
    return fail(unknown_name("data type", data_type, known));
  }
  std::string wrong;
  while (true) {
    bool done = true;
    for (const auto& text : type->schema(session.dialect(), shape)) {
      std::vector<SqlRows> ignored;
      const auto problem = session.direct({{text}}, ignored, deadline);
      done = done && !problem;
      if (problem) wrong = problem->error->message;
    }
    const Completion looked = session.read(
        [](SqlTransaction& in) {
          in.query("SELECT 1");
          return Completion::ok();
        },
        deadline);
    if (looked.type != EventType::ok) wrong = looked.error->message;
    if (done && looked.type == EventType::ok) return {};
    if (deadline.passed() || (looked.error && looked.error->kind == "isolation-level"))
      return fail(ErrorCode::target, "making the tables: " + wrong);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

}  // namespace ordeal
