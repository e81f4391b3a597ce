#pragma once
// SqlSession: a client's transactions on one server. Connects when it has to, begins each transaction at the level
// that was asked for, reads the level back inside it, commits, and tells what became of it.
//
// A body is given to transact(): it asks statements of its SqlTransaction and returns what the operation observed. When
// a statement fails the transaction is broken: all later statements return nothing at once, what the body returns is
// dropped, and the transaction is rolled back. So bodies need not look for errors. A body may be called again from the
// beginning (SqlSession::Settings::retries), hence it keeps nothing. Thread-safety: one thread.

#include <functional>
#include <memory>
#include <string>
#include <string_view>
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
  bool slow_ = false;
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
    // Which part of the transactions stay open, waiting for so long before each statement but the first, and before
    // COMMIT. In a regular order: the first one when `slow_share` has been added to `slow_phase` so often that it is 1.
    double slow_share = 0;
    double slow_s = 0;
    double slow_phase = 0;
  };
  using Body = std::function<Completion(SqlTransaction&)>;

  explicit SqlSession(Settings settings) : settings_(std::move(settings)) {}

  [[nodiscard]] const SqlDialect& dialect() const { return *settings_.dialect; }
  [[nodiscard]] Result<void> open(Deadline deadline);
  void close() { connection_.reset(); }
  [[nodiscard]] bool is_open() const { return connection_ != nullptr && connection_->usable(); }

  // A transaction that may change data: what is not certain is unknown.
  [[nodiscard]] Completion change(const Body& body, Deadline deadline) { return transact(true, body, deadline); }
  // One that changes nothing: what is not ok has failed.
  [[nodiscard]] Completion read(const Body& body, Deadline deadline) { return transact(false, body, deadline); }
  // Statements that commit by themselves or keep the transaction open, as written. Nullopt: all is well.
  [[nodiscard]] std::optional<Completion> direct(std::vector<SqlStatement> statements, std::vector<SqlRows>& rows,
                                                 Deadline deadline);

 private:
  friend class SqlTransaction;
  Completion transact(bool changes, const Body& body, Deadline deadline);
  [[nodiscard]] bool next_is_slow();
  void linger(Deadline deadline) const;
  // Sends COMMIT, or what commits in this dialect.
  Completion commit(Completion observed, bool changes, bool& retry, Deadline deadline);
  void roll_back();
  [[nodiscard]] SqlConnection::Reply run(std::vector<SqlStatement> statements, Deadline deadline);
  // What comes before the first statement of a transaction.
  [[nodiscard]] std::vector<SqlStatement> head() const;
  [[nodiscard]] bool savepoints() const { return settings_.retries > 0 && settings_.dialect->restart_savepoint; }

  Settings settings_;
  std::unique_ptr<SqlConnection> connection_;
};

}  // namespace ordeal
