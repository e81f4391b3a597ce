#pragma once
// SqlConnection: one connection to a server that speaks PostgreSQL's protocol, over libpq, never blocking beyond a
// deadline. Nothing is repeated and nothing reconnects by itself.
//
// Statements are prepared once per connection, known by their text. Several are sent in one go, as a pipeline: the
// server carries them out one after the other and leaves out all that follow one that failed. Thread-safety: one
// thread.

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/deadline.h"
#include "base/error.h"

struct pg_conn;
struct pg_result;

namespace ordeal {

using SqlText = std::optional<std::string>;  // none: NULL

struct SqlStatement {
  std::string text;
  std::vector<SqlText> parameters = {};  // $1, $2, …, as text
  bool once = false;                     // is not prepared: its text does not come again
};

struct SqlRows {
  std::vector<std::vector<SqlText>> rows;
  std::int64_t changed = 0;  // how many rows were inserted, changed, deleted or returned
  std::string tag;           // the command's: "COMMIT", "UPDATE 1"
};

// Why there is no answer, or none but an error.
struct SqlProblem {
  std::string state;  // SQLSTATE; empty when the server said none
  std::string message;
  bool late = false;  // the deadline passed
};

struct SqlEndpoint {
  std::string address;  // IPv4, IPv6, or a name, which is looked up without a deadline
  int port = 0;
  std::string user;
  std::string database;
  std::string settings = {};  // "-c enable_seqscan=off"
};

class SqlConnection {
 public:
  // Errors: unreachable, timeout. Nothing was asked of the server.
  [[nodiscard]] static Result<std::unique_ptr<SqlConnection>> open(const SqlEndpoint& endpoint, Deadline deadline);
  ~SqlConnection();
  SqlConnection(const SqlConnection&) = delete;
  SqlConnection& operator=(const SqlConnection&) = delete;

  struct Reply {
    std::vector<SqlRows> rows;               // of the statements that succeeded, in order
    std::optional<SqlProblem> problem;       // of the first that did not; those after it were left out
    std::vector<std::string> warnings = {};  // what the server said beside
  };
  // Sends all and waits for all answers. After a problem look at usable(): an answer may still be under way.
  [[nodiscard]] Reply run(std::span<const SqlStatement> statements, Deadline deadline);
  // The plan by which the server carries out the statement, which was run() on this connection, with its parameters: a
  // row a line. Nothing is carried out. A problem breaks the transaction, as any other.
  [[nodiscard]] Reply explain(const SqlStatement& statement, Deadline deadline);
  // The number of the server's process or session.
  [[nodiscard]] int backend() const;
  // Whether another statement can be sent. Never again true once it was not.
  [[nodiscard]] bool usable() const { return connection_ != nullptr; }

 private:
  struct Close {
    void operator()(pg_conn* connection) const;
  };
  explicit SqlConnection(pg_conn* connection) : connection_(connection) {}
  // False when libpq refused to take it.
  bool send(const SqlStatement& statement, std::vector<std::string>& newly_prepared);
  // Until bytes came, or could be sent: empty; or what went wrong.
  std::optional<SqlProblem> exchange(Deadline deadline);
  // The answers up to the end of the pipeline.
  void receive(Reply& reply, Deadline deadline);
  SqlProblem closed() const;
  static void notice(void* self, const pg_result* result);

  std::unique_ptr<pg_conn, Close> connection_;
  std::unordered_map<std::string, std::string> prepared_;  // text → name
  std::size_t names_ = 0;
  std::vector<std::string>* warnings_ = nullptr;  // of the run() under way
};

}  // namespace ordeal
