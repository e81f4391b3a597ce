#include "targets/sql/connection.h"

#include <arpa/inet.h>
#include <libpq-fe.h>
#include <poll.h>

#include <array>
#include <cstdlib>
#include <string_view>

#include "base/text.h"

namespace ordeal {
namespace {

struct ClearResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
using ResultPointer = std::unique_ptr<PGresult, ClearResult>;

// Whether the socket is ready before the deadline. After it nothing is, also where a server sends without an end.
bool await(int socket, short events, Deadline deadline) {
  pollfd one{socket, events, 0};
  while (!deadline.passed()) {
    const int ready = poll(&one, 1, deadline.poll_ms());
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
  }
  return false;
}

bool is_ip(const std::string& address) {
  unsigned char buffer[sizeof(in6_addr)];
  return inet_pton(AF_INET, address.c_str(), buffer) == 1 || inet_pton(AF_INET6, address.c_str(), buffer) == 1;
}

std::string field(const PGresult* result, int which) {
  const char* text = PQresultErrorField(result, which);
  return text == nullptr ? "" : text;
}

SqlProblem problem_of(const PGresult* result) {
  SqlProblem out{field(result, PG_DIAG_SQLSTATE), field(result, PG_DIAG_MESSAGE_PRIMARY)};
  if (out.message.empty()) out.message = std::string(trimmed(PQresultErrorMessage(result)));
  if (const std::string detail = field(result, PG_DIAG_MESSAGE_DETAIL); !detail.empty()) out.message += ": " + detail;
  return out;
}

SqlRows rows_of(PGresult* result) {
  SqlRows out;
  for (int row = 0; row < PQntuples(result); ++row) {
    auto& fields = out.rows.emplace_back();
    for (int column = 0; column < PQnfields(result); ++column) {
      if (PQgetisnull(result, row, column) != 0) {
        fields.emplace_back();
      } else {
        fields.emplace_back(
            std::string(PQgetvalue(result, row, column), static_cast<std::size_t>(PQgetlength(result, row, column))));
      }
    }
  }
  out.tag = PQcmdStatus(result);
  out.changed = std::strtoll(PQcmdTuples(result), nullptr, 10);
  return out;
}

}  // namespace

void SqlConnection::Close::operator()(pg_conn* connection) const { PQfinish(connection); }

SqlConnection::~SqlConnection() = default;

// Only warnings: notices tell of what was there already.
void SqlConnection::notice(void* self, const PGresult* result) {
  auto* warnings = static_cast<SqlConnection*>(self)->warnings_;
  if (warnings == nullptr || field(result, PG_DIAG_SEVERITY_NONLOCALIZED) != "WARNING") return;
  warnings->push_back(problem_of(result).message);
}

Result<std::unique_ptr<SqlConnection>> SqlConnection::open(const SqlEndpoint& endpoint, Deadline deadline) {
  const std::string port = std::to_string(endpoint.port);
  // What is given here is not taken from the environment (PGOPTIONS and others).
  const std::string options = "-c client_min_messages=warning " + endpoint.settings;
  const std::array<std::pair<const char*, const char*>, 10> settings = {{
      {is_ip(endpoint.address) ? "hostaddr" : "host", endpoint.address.c_str()},
      {"port", port.c_str()},
      {"user", endpoint.user.c_str()},
      {"dbname", endpoint.database.c_str()},
      {"sslmode", "disable"},
      {"gssencmode", "disable"},
      {"client_encoding", "UTF8"},
      {"application_name", "ordeal"},
      {"target_session_attrs", "any"},
      {"options", options.c_str()},
  }};
  std::vector<const char*> keys, values;
  for (const auto& [key, value] : settings) {
    keys.push_back(key);
    values.push_back(value);
  }
  keys.push_back(nullptr);
  values.push_back(nullptr);
  const std::string where = endpoint.address + ":" + port;
  auto out = std::unique_ptr<SqlConnection>(new SqlConnection(PQconnectStartParams(keys.data(), values.data(), 0)));
  PGconn* connection = out->connection_.get();
  if (connection == nullptr) return fail(ErrorCode::internal, where + ": no memory for a connection");
  PostgresPollingStatusType state = PGRES_POLLING_WRITING;
  while (PQstatus(connection) != CONNECTION_BAD && state != PGRES_POLLING_OK && state != PGRES_POLLING_FAILED) {
    if (!await(PQsocket(connection), state == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline))
      return fail(ErrorCode::timeout, where + ": no connection in time");
    state = PQconnectPoll(connection);
  }
  if (PQstatus(connection) != CONNECTION_OK)
    return fail(ErrorCode::unreachable, where + ": " + std::string(trimmed(PQerrorMessage(connection))));
  if (PQsetnonblocking(connection, 1) != 0 || PQenterPipelineMode(connection) != 1)
    return fail(ErrorCode::internal, where + ": " + std::string(trimmed(PQerrorMessage(connection))));
  PQsetNoticeReceiver(connection, &SqlConnection::notice, out.get());
  return out;
}

bool SqlConnection::send(const SqlStatement& statement, std::vector<std::string>& newly_prepared) {
  PGconn* connection = connection_.get();
  if (statement.once)
    return PQsendQueryParams(connection, statement.text.c_str(), 0, nullptr, nullptr, nullptr, nullptr, 0) == 1;
  auto [known, fresh] = prepared_.try_emplace(statement.text);
  if (fresh) {
    known->second = "s" + std::to_string(++names_);  // no name is used again
    newly_prepared.push_back(statement.text);
    if (PQsendPrepare(connection, known->second.c_str(), statement.text.c_str(), 0, nullptr) != 1) return false;
  }
  std::vector<const char*> values;
  for (const auto& one : statement.parameters) values.push_back(one ? one->c_str() : nullptr);
  return PQsendQueryPrepared(connection, known->second.c_str(), static_cast<int>(values.size()), values.data(), nullptr,
                             nullptr, 0) == 1;
}

SqlProblem SqlConnection::closed() const {
  const std::string said(trimmed(PQerrorMessage(connection_.get())));
  return {"", said.empty() ? "the connection was closed" : said};
}

SqlConnection::Reply SqlConnection::run(std::span<const SqlStatement> statements, Deadline deadline) {
  Reply reply;
  if (connection_ == nullptr) {
    reply.problem = SqlProblem{"", "the connection is closed"};
    return reply;
  }
  warnings_ = &reply.warnings;
  std::vector<std::string> newly_prepared;
  bool sent = true;
  for (const auto& statement : statements) sent = sent && send(statement, newly_prepared);
  if (sent && PQpipelineSync(connection_.get()) == 1) {
    receive(reply, deadline);
  } else {
    reply.problem = closed();
    connection_.reset();
  }
  // What came after a failure was never prepared; what came before it is prepared again, under another name.
  if (reply.problem) {
    for (const auto& text : newly_prepared) prepared_.erase(text);
  }
  warnings_ = nullptr;
  return reply;
}

SqlConnection::Reply SqlConnection::explain(const SqlStatement& statement, Deadline deadline) {
  const auto known = prepared_.find(statement.text);
  if (connection_ == nullptr || known == prepared_.end()) return {};
  std::string parameters;
  for (const auto& one : statement.parameters) {
    const std::unique_ptr<char, decltype(&PQfreemem)> literal(
        one ? PQescapeLiteral(connection_.get(), one->c_str(), one->size()) : nullptr, &PQfreemem);
    parameters += (parameters.empty() ? "" : ", ") + std::string(literal == nullptr ? "NULL" : literal.get());
  }
  std::string text = "EXPLAIN (COSTS OFF) EXECUTE " + known->second;
  if (!parameters.empty()) text += "(" + parameters + ")";
  const SqlStatement one{std::move(text), {}, true};
  return run({&one, 1}, deadline);
}

int SqlConnection::backend() const { return connection_ == nullptr ? 0 : PQbackendPID(connection_.get()); }

std::optional<SqlProblem> SqlConnection::exchange(Deadline deadline) {
  PGconn* connection = connection_.get();
  const int left = PQflush(connection);
  if (left < 0) return closed();
  const short events = left > 0 ? static_cast<short>(POLLIN | POLLOUT) : POLLIN;
  if (!await(PQsocket(connection), events, deadline)) return SqlProblem{"", "no answer in time", true};
  if (PQconsumeInput(connection) != 1) return closed();
  return std::nullopt;
}

void SqlConnection::receive(Reply& reply, Deadline deadline) {
  PGconn* connection = connection_.get();
  while (true) {
    // Who never says that all is answered is late as well.
    if (deadline.passed()) {
      if (!reply.problem) reply.problem = SqlProblem{"", "no answer in time", true};
      return connection_.reset();
    }
    while (PQisBusy(connection) != 0) {
      auto problem = exchange(deadline);
      if (!problem) continue;
      const bool hung_up = !problem->late && PQstatus(connection) == CONNECTION_BAD;
      if (!reply.problem) reply.problem = std::move(problem);
      if (!hung_up) return connection_.reset();
      break;  // what the server said before it hung up tells more than that it did
    }
    const ResultPointer result(PQgetResult(connection));
    if (result == nullptr) {  // between the answers to two statements
      if (PQstatus(connection) != CONNECTION_BAD) continue;
      if (!reply.problem) reply.problem = closed();
      return connection_.reset();
    }
    switch (PQresultStatus(result.get())) {
      case PGRES_PIPELINE_SYNC:
        return;
      case PGRES_PIPELINE_ABORTED:
        break;
      case PGRES_COMMAND_OK:
      case PGRES_TUPLES_OK:
        // That a statement is prepared is answered, too, without a tag.
        if (*PQcmdStatus(result.get()) != '\0') reply.rows.push_back(rows_of(result.get()));
        break;
      default:
        if (!reply.problem || reply.problem->state.empty()) reply.problem = problem_of(result.get());
    }
  }
}

}  // namespace ordeal
