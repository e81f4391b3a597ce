#pragma once
// SqlSession: a client's transactions on one server. Connects when it has to, begins each transaction at the level
// that was asked for, reads the level back inside it, commits, and tells what became of it.
//
// A body is given to transact(): it asks statements of its SqlTransaction and returns what the operation observed. When
// a statement fails the transaction is broken: all later statements return nothing at once, what the body returns is
// dropped, and the transaction is rolled back. So bodies need not look for errors. A body may be called again from the
// beginning (SqlSession::Settings::retries), hence it keeps nothing. Thread-safety: one thread.

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "checkers/history/operation.h"
#include "targets/sql/connection.h"
#include "targets/sql/dialect.h"

namespace ordeal {

class SqlTransaction {
 public:
  // Parameters are $1, $2, … of the text. Rows are empty, and nothing is sent, when the transaction is broken.
  SqlRows query(std::string text, std::vector<SqlText> parameters = {});
  // All in one go: the answers, in order; fewer when the transaction is broken.
  std::vector<SqlRows> query(std::vector<SqlStatement> statements);
  [[nodiscard]] bool broken() const { return problem_.has_value(); }

 private:
  friend class SqlSession;
  SqlTransaction(class SqlSession& session, Deadline deadline) : session_(session), deadline_(deadline) {}

  class SqlSession& session_;
  const Deadline deadline_;
  bool begun_ = false;
  bool wrong_level_ = false;
  std::optional<SqlProblem> problem_;
};

class SqlSession {
 public:
  struct Settings {
    SqlEndpoint endpoint;
    const SqlDialect* dialect = nullptr;
    std::string isolation = "serializable";  // as SQL has it, in small letters
    // How often a body is tried again after an error that says that the transaction certainly did not happen and might
    // if it was tried again (40001). Only with a dialect that has a savepoint for it.
    int retries = 0;
    // What a completion that is ok tells of how it came about, as its "error" of the kind "evidence". PostgreSQL only.
    enum class Evidence {
      none,
      plan,  // the level that the server said, and the scans of the statements' plans
      full,  // and the transaction's number and the server's process: each its own, so that histories grow
    };
    Evidence evidence = Evidence::none;
  };
  using Body = std::function<Completion(SqlTransaction&)>;

  explicit SqlSession(Settings settings) : settings_(std::move(settings)) {}

  [[nodiscard]] const SqlDialect& dialect() const { return *settings_.dialect; }
  [[nodiscard]] Result<void> open(Deadline deadline);
  void close() { connection_.reset(); }
  [[nodiscard]] bool is_open() const { return connection_ != nullptr && connection_->usable(); }

  // How long transactions wait before each statement but the first, and before COMMIT, from now on; 0: not at all.
  void linger(double pause_s) { pause_s_ = pause_s; }

  // A transaction that may change data: what is not certain is unknown.
  [[nodiscard]] Completion change(const Body& body, Deadline deadline);
  // One that changes nothing: what is not ok has failed.
  [[nodiscard]] Completion read(const Body& body, Deadline deadline);
  // Statements that commit by themselves or keep the transaction open, as written. Nullopt: all is well.
  [[nodiscard]] std::optional<Completion> direct(std::vector<SqlStatement> statements, std::vector<SqlRows>& rows,
                                                 Deadline deadline);

 private:
  friend class SqlTransaction;
  Completion transact(bool changes, const Body& body, Deadline deadline);
  void wait(Deadline deadline) const;
  // Sends COMMIT, or what commits in this dialect.
  Completion commit(Completion observed, bool changes, bool& retry, Deadline deadline);
  // The same for CockroachDB's savepoint, that committed when it was released.
  Completion released(Completion observed, Deadline deadline);
  // By which paths the server finds the rows of a statement that it just carried out: "Index Scan using i on t"; looked
  // up again after a while. Errors: the server's, which broke the transaction.
  std::optional<SqlProblem> note_plan(const SqlStatement& statement, Deadline deadline);
  // `done` with all of that, when it is ok.
  [[nodiscard]] Completion told(Completion done) const;
  void roll_back();
  [[nodiscard]] SqlConnection::Reply run(std::vector<SqlStatement> statements, Deadline deadline);
  // What comes before the first statement of a transaction.
  [[nodiscard]] std::vector<SqlStatement> head() const;
  [[nodiscard]] bool savepoints() const { return settings_.retries > 0 && settings_.dialect->restart_savepoint; }

  struct Plan {
    std::vector<std::string> scans;
    std::chrono::steady_clock::time_point at{};
  };

  Settings settings_;
  std::unique_ptr<SqlConnection> connection_;
  double pause_s_ = 0;
  std::unordered_map<std::string, Plan> plans_;  // by the statement's text
  // Of the transaction under way.
  std::string level_, xid_;
  std::vector<std::string> scans_;
};

}  // namespace ordeal
