#include "targets/sql/session.h"

#include <algorithm>
#include <thread>

#include "base/text.h"

namespace ordeal {
namespace {

constexpr auto kRollBack = std::chrono::milliseconds(500);  // for a transaction whose outcome is known already

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  return text;
}

}  // namespace

SqlRows SqlTransaction::query(std::string text, std::vector<SqlText> parameters) {
  std::vector<SqlStatement> one;
  one.push_back({std::move(text), std::move(parameters)});
  auto answers = query(std::move(one));
  return answers.empty() ? SqlRows() : std::move(answers.front());
}

std::vector<SqlRows> SqlTransaction::query(std::vector<SqlStatement> statements) {
  if (problem_) return {};
  std::vector<SqlStatement> all = begun_ ? std::vector<SqlStatement>() : session_.head();
  const std::size_t head = all.size();
  if (begun_) session_.wait(deadline_);
  all.insert(all.end(), statements.begin(), statements.end());
  begun_ = true;
  auto reply = session_.run(std::move(all), deadline_);
  problem_ = std::move(reply.problem);
  // SHOW is the last statement of the head.
  if (head > 0 && reply.rows.size() >= head) {
    const auto& shown = reply.rows[head - 1].rows;
    const std::string level = shown.empty() ? "" : shown[0][0].value_or("");
    session_.level_ = level;
    if (level != session_.settings_.isolation) {
      wrong_level_ = true;
      problem_ = SqlProblem{"", "the transaction was to be " + session_.settings_.isolation + ", and is " + level};
    }
  }
  reply.rows.erase(reply.rows.begin(),
                   reply.rows.begin() + static_cast<std::ptrdiff_t>(std::min(head, reply.rows.size())));
  for (const auto& one : statements) {
    if (!problem_ && session_.settings_.evidence != SqlSession::Settings::Evidence::none)
      problem_ = session_.note_plan(one, deadline_);
  }
  return problem_ ? std::vector<SqlRows>() : std::move(reply.rows);
}

Result<void> SqlSession::open(Deadline deadline) {
  connection_.reset();
  auto opened = SqlConnection::open(settings_.endpoint, deadline);
  if (!opened) return fail(opened.error());
  connection_ = std::move(*opened);
  return {};
}

std::vector<SqlStatement> SqlSession::head() const {
  std::vector<SqlStatement> out = {{"BEGIN ISOLATION LEVEL " + upper(settings_.isolation)}};
  if (savepoints()) out.push_back({"SAVEPOINT cockroach_restart"});  // has to come first
  out.push_back({"SHOW transaction_isolation"});
  return out;
}

SqlConnection::Reply SqlSession::run(std::vector<SqlStatement> statements, Deadline deadline) {
  auto reply = connection_->run(statements, deadline);
  if (!connection_->usable()) connection_.reset();
  return reply;
}

// A connection on which this does not work is given up, and the server rolls back.
void SqlSession::roll_back() {
  if (is_open() && run({{"ROLLBACK"}}, Deadline::after(kRollBack)).problem) connection_.reset();
}

Completion SqlSession::commit(Completion observed, bool changes, bool& retry, Deadline deadline) {
  if (savepoints()) {
    auto reply = run({{"RELEASE SAVEPOINT cockroach_restart"}}, deadline);
    if (!reply.problem) return released(std::move(observed), deadline);
    retry = reply.problem->state == "40001";
    return unanswered(dialect().states, *reply.problem, SqlPhase::at_commit, changes);
  }
  std::vector<SqlStatement> last;
  if (settings_.evidence == Settings::Evidence::full && changes) last.push_back({"SELECT txid_current_if_assigned()"});
  last.push_back({"COMMIT"});
  const std::size_t asked = last.size();
  auto reply = run(std::move(last), deadline);
  if (asked > 1 && !reply.rows.empty() && !reply.rows[0].rows.empty()) xid_ = reply.rows[0].rows[0][0].value_or("");
  if (reply.problem) {
    retry = reply.problem->state == "40001";
    return unanswered(dialect().states, *reply.problem, SqlPhase::at_commit, changes);
  }
  if (reply.rows.size() != asked || reply.rows.back().tag != "COMMIT")
    return Completion::failed("rolled-back", "COMMIT was answered by ROLLBACK");
  // "canceling wait for synchronous replication": committed here, and maybe nowhere else.
  if (changes && !reply.warnings.empty()) return Completion::unknown("commit-warning", reply.warnings.front());
  return observed;
}

// It is committed already, and nothing can change that: what COMMIT says matters to the next transaction only.
Completion SqlSession::released(Completion observed, Deadline deadline) {
  if (run({{"COMMIT"}}, deadline).problem) connection_.reset();
  return observed;
}

void SqlSession::wait(Deadline deadline) const {
  if (pause_s_ > 0) std::this_thread::sleep_until(deadline.within_s(pause_s_));
}

std::optional<SqlProblem> SqlSession::note_plan(const SqlStatement& statement, Deadline deadline) {
  constexpr auto kKnown = std::chrono::seconds(2);
  if (!statement.text.starts_with("SELECT ") && !statement.text.starts_with("UPDATE ") &&
      !statement.text.starts_with("DELETE "))
    return std::nullopt;
  auto [known, fresh] = plans_.try_emplace(statement.text);
  Plan& plan = known->second;
  if (const auto now = std::chrono::steady_clock::now(); fresh || now - plan.at > kKnown) {
    if (!is_open()) return std::nullopt;
    const auto reply = connection_->explain(statement, deadline);
    if (!connection_->usable()) connection_.reset();
    if (reply.problem) {
      plans_.erase(known);
      return reply.problem;
    }
    plan = {{}, now};
    for (const auto& row : reply.rows.empty() ? std::vector<std::vector<SqlText>>() : reply.rows[0].rows) {
      std::string line(trimmed(row.empty() ? "" : row[0].value_or("")));
      if (line.starts_with("->")) line = std::string(trimmed(line.substr(2)));
      if (line.find(" Scan") != std::string::npos && line.find(':') == std::string::npos) plan.scans.push_back(line);
    }
  }
  for (const auto& scan : plan.scans) {
    if (std::find(scans_.begin(), scans_.end(), scan) == scans_.end()) scans_.push_back(scan);
  }
  return std::nullopt;
}

Completion SqlSession::told(Completion done) const {
  if (settings_.evidence == Settings::Evidence::none || done.type != EventType::ok || done.error || level_.empty())
    return done;
  std::string text = level_;
  for (const auto& one : scans_) text += "; " + one;
  if (!xid_.empty()) text += "; xid " + xid_;
  if (settings_.evidence == Settings::Evidence::full && connection_ != nullptr)
    text += "; backend " + std::to_string(connection_->backend());
  done.error = EventError{"evidence", std::move(text)};
  return done;
}

Completion SqlSession::change(const Body& body, Deadline deadline) { return told(transact(true, body, deadline)); }

Completion SqlSession::read(const Body& body, Deadline deadline) { return told(transact(false, body, deadline)); }

Completion SqlSession::transact(bool changes, const Body& body, Deadline deadline) {
  level_.clear();
  xid_.clear();
  scans_.clear();
  if (!is_open()) {
    if (auto opened = open(deadline); !opened) {
      return Completion::failed(opened.error().code == ErrorCode::timeout ? "no-connection" : "connection-refused",
                                opened.error().message);
    }
  }
  SqlTransaction transaction(*this, deadline);
  for (int attempt = 0;; ++attempt) {
    Completion done = body(transaction);
    bool retry = false;
    if (transaction.problem_) {
      retry = transaction.problem_->state == "40001";
      done = unanswered(dialect().states, *transaction.problem_, SqlPhase::before_commit, changes);
      if (transaction.wrong_level_) done.error->kind = "isolation-level";
    } else if (done.type == EventType::ok && transaction.begun_) {
      wait(deadline);
      done = commit(std::move(done), changes, retry, deadline);
      if (done.type == EventType::ok) return done;
    }
    if (!transaction.begun_) return done;
    // Another attempt is no repetition: this one certainly did not happen.
    if (retry && done.type == EventType::fail && savepoints() && attempt < settings_.retries && is_open() &&
        !run({{"ROLLBACK TO SAVEPOINT cockroach_restart"}}, deadline).problem) {
      transaction.problem_.reset();
      continue;
    }
    roll_back();
    return done;
  }
}

std::optional<Completion> SqlSession::direct(std::vector<SqlStatement> statements, std::vector<SqlRows>& rows,
                                             Deadline deadline) {
  if (!is_open()) {
    if (auto opened = open(deadline); !opened) return Completion::failed("connection-refused", opened.error().message);
  }
  auto reply = run(std::move(statements), deadline);
  rows = std::move(reply.rows);
  if (!reply.problem) return std::nullopt;
  return unanswered(dialect().states, *reply.problem, SqlPhase::at_commit, true);
}

}  // namespace ordeal
