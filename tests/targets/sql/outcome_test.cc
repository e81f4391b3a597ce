// What errors of a SQL server say about a transaction, by the tables.

#include "targets/sql/outcome.h"

#include <gtest/gtest.h>

namespace ordeal {
namespace {

EventType at(SqlPhase phase, const char* state, bool changes = true, const char* message = "") {
  return unanswered(postgres_states(), {state, message}, phase, changes).type;
}

// Without COMMIT the server rolls back, whatever was wrong.
TEST(SqlOutcome, BeforeCommitEverythingHasFailed) {
  for (const char* state : {"", "40001", "08006", "57P01", "57014", "53200", "XX000", "P0001", "99999"})
    EXPECT_EQ(at(SqlPhase::before_commit, state), EventType::fail) << state;
}

TEST(SqlOutcome, ThatTheServerDoesNotKnowIsUnknownAtAnyTime) {
  EXPECT_EQ(at(SqlPhase::before_commit, "40003"), EventType::info);
  EXPECT_EQ(at(SqlPhase::at_commit, "40003"), EventType::info);
  EXPECT_EQ(at(SqlPhase::at_commit, "40001", true, "result is ambiguous (removing lease)"), EventType::info);
}

TEST(SqlOutcome, AtCommitOnlyRefusalsAreCertain) {
  for (const char* state : {"40001", "40P01", "40002", "23505", "23503", "25006", "25P02", "22012", "42P01", "55P03"})
    EXPECT_EQ(at(SqlPhase::at_commit, state), EventType::fail) << state;
  for (const char* state : {"", "08006", "57P01", "57P02", "57014", "53100", "53200", "58030", "XX000", "XX001",
                            "25P03", "25P04", "P0001", "40000", "99999"})
    EXPECT_EQ(at(SqlPhase::at_commit, state), EventType::info) << state;
}

TEST(SqlOutcome, CockroachDBHasCodesOfItsOwn) {
  const auto at_commit = [](const char* state, const char* message = "") {
    return unanswered(cockroachdb_states(), {state, message}, SqlPhase::at_commit, true);
  };
  for (const char* state : {"40001", "XXC02", "XCUBS", "23505"})
    EXPECT_EQ(at_commit(state).type, EventType::fail) << state;
  for (const char* state : {"40003", "58C00", "58C01", "XXA00", "XXUUU", "XX000", "08006"})
    EXPECT_EQ(at_commit(state).type, EventType::info) << state;
  EXPECT_EQ(at_commit("40001",
                      "restart transaction: TransactionRetryWithProtoRefreshError: TransactionRetryError: retry "
                      "txn (RETRY_SERIALIZABLE - failed preemptive refresh)")
                .error->kind,
            "RETRY_SERIALIZABLE");
  EXPECT_EQ(at_commit("40001").error->kind, "serialization-failure");
}

TEST(SqlOutcome, AReadThatHasNoAnswerHasFailed) {
  for (const char* state : {"", "08006", "57P01", "40003"})
    EXPECT_EQ(at(SqlPhase::at_commit, state, false), EventType::fail) << state;
}

TEST(SqlOutcome, SaysWhatWasWrong) {
  const auto late = unanswered(postgres_states(), {"", "no answer in time", true}, SqlPhase::at_commit, true);
  EXPECT_EQ(late.error->kind, "timeout");
  EXPECT_EQ(unanswered(postgres_states(), {"23505", "dup"}, SqlPhase::at_commit, true).error->kind, "unique-violation");
  EXPECT_EQ(unanswered(postgres_states(), {"23503", "ref"}, SqlPhase::at_commit, true).error->message, "23503: ref");
  EXPECT_EQ(unanswered(postgres_states(), {"99999", "?"}, SqlPhase::at_commit, true).error->kind, "sqlstate-99999");
}

}  // namespace
}  // namespace ordeal
