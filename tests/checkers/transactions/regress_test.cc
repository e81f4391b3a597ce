// Shrunk histories of transactions that were once judged wrongly, kind by kind.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "checkers/history/reader.h"
#include "checkers/transactions/checker.h"

namespace ordeal {
namespace {

using testing::HasSubstr;

// Lines "process transaction": acknowledged ones, one after the other. Reads show what they saw.
CheckResult judged(const std::string& text, const std::string& model, const std::string& level,
                   NilReads nil_reads = NilReads::observe) {
  std::string json;
  std::istringstream in(text);
  std::string process, value;
  while (in >> process && std::getline(in, value)) {
    for (const char* type : {"invoke", "ok"})
      json += "{\"process\":" + process + ",\"type\":\"" + type + "\",\"f\":\"txn\",\"value\":" + value + "}\n";
  }
  ReadOptions options;
  options.transactions = true;
  auto read = read_history(json, "test", options);
  EXPECT_TRUE(read) << json;
  CheckOptions how;
  how.model = model;
  how.consistency = level;
  how.nil_reads = nil_reads;
  return transactional_checker()->check(read->history, how);
}

// A transaction that read a key again got no source for the second read, so the axiom did not see it: a false valid.
TEST(RegressRepeatedReads, AreReadsToTheAxiom) {
  const std::string registers =
      "0 [[\"w\",0,1],[\"w\",1,1]]\n1 [[\"w\",0,2],[\"w\",1,2]]\n2 [[\"r\",0,1],[\"r\",1,2],[\"r\",0,1]]\n";
  const std::string lists =
      "0 [[\"append\",0,1],[\"append\",1,1]]\n1 [[\"append\",0,2],[\"append\",1,2]]\n"
      "2 [[\"r\",0,[1]],[\"r\",1,[1,2]],[\"r\",0,[1]]]\n";
  for (const char* level : {"read-committed-axiomatic", "monotonic-atomic-view"}) {
    EXPECT_EQ(judged(registers, "rw-register", level).verdict, Verdict::invalid) << level;
    EXPECT_EQ(judged(lists, "list-append", level).verdict, Verdict::invalid) << level;
  }
  EXPECT_EQ(judged(registers, "rw-register", "read-committed").verdict, Verdict::valid);
}

// A failed write of the initial value made reads of that value say nothing at all: a stale read was valid.
TEST(RegressInitialValue, IsReadAlsoWhereAFailedWriteHadIt) {
  std::string text;
  const auto event = [&](int process, const char* type, const std::string& value) {
    text += "{\"process\":" + std::to_string(process) + ",\"type\":\"" + type + "\",\"f\":\"txn\",\"value\":[" + value +
            "]}\n";
  };
  const auto done = [&](int process, const char* type, const std::string& value) {
    event(process, "invoke", value);
    event(process, type, value);
  };
  done(0, "ok", "[\"w\",\"x\",1]");
  done(1, "fail", "[\"w\",\"x\",null]");
  done(2, "ok", "[\"r\",\"x\",1]");
  done(2, "ok", "[\"r\",\"x\",null]");
  auto read = read_history(text, "test");
  ASSERT_TRUE(read);
  CheckOptions how;
  how.model = "rw-register";
  how.consistency = "strict-serializable";
  EXPECT_EQ(transactional_checker()->check(read->history, how).verdict, Verdict::invalid);
  how.consistency = "serializable";
  EXPECT_EQ(transactional_checker()->check(read->history, how).verdict, Verdict::valid);
}

// Biswas and Enea, and Adya's histories, take for granted that a transaction sees its own last write.
TEST(RegressOwnWrites, MustBeSeenWhereTheLevelSaysSo) {
  const std::string registers = "0 [[\"w\",\"x\",1]]\n1 [[\"w\",\"x\",2],[\"r\",\"x\",1]]\n";
  for (const char* level : {"read-committed-axiomatic", "repeatable-read"}) {
    const CheckResult result = judged(registers, "rw-register", level);
    EXPECT_EQ(result.verdict, Verdict::invalid) << level;
    ASSERT_FALSE(result.anomalies.empty()) << level;
    EXPECT_EQ(result.anomalies.front().type, "missed-own-write") << level;
  }
  EXPECT_EQ(judged(registers, "rw-register", "read-committed").verdict, Verdict::valid);
  const CheckResult serializable = judged(registers, "rw-register", "serializable");
  ASSERT_EQ(serializable.anomalies.size(), 1u);
  EXPECT_EQ(serializable.anomalies.front().type, "internal");
}

// 328 of 4,000 random histories with repeated elements were accused, though serial executions explain them.
TEST(RegressRepeatedElements, AreNeverAFalseAccusation) {
  for (const char* text : {"0 [[\"append\",\"x\",1]]\n1 [[\"append\",\"x\",1]]\n2 [[\"r\",\"x\",[1,1]]]\n",
                           "0 [[\"append\",\"x\",1]]\n1 [[\"r\",\"x\",[1]],[\"append\",\"x\",1]]\n",
                           "0 [[\"append\",\"x\",1],[\"append\",\"x\",1],[\"r\",\"x\",[1,1]]]\n",
                           "0 [[\"append\",\"x\",1]]\n1 [[\"r\",\"x\",[1]],[\"append\",\"x\",2],[\"append\",\"x\",1]]\n"
                           "2 [[\"r\",\"x\",[1,2,1]]]\n"}) {
    for (const char* level : {"serializable", "strict-serializable", "read-atomic", "cursor-stability"}) {
      EXPECT_EQ(judged(text, "list-append", level).verdict, Verdict::unknown) << level << "\n" << text;
    }
  }
  // What nobody appended is wrong all the same, and so is another key.
  EXPECT_EQ(judged("0 [[\"append\",\"x\",1]]\n1 [[\"append\",\"x\",1]]\n2 [[\"r\",\"x\",[1,7]]]\n", "list-append",
                   "read-committed")
                .verdict,
            Verdict::invalid);
  EXPECT_EQ(judged("0 [[\"append\",\"x\",1]]\n1 [[\"append\",\"x\",1]]\n0 [[\"append\",\"y\",1]]\n"
                   "2 [[\"r\",\"y\",[1,1]]]\n",
                   "list-append", "serializable")
                .verdict,
            Verdict::invalid);
}

// Fifty transactions whose results were lost were `valid`.
TEST(RegressResults, OfTransactionsThatWereNotRecordedAreUnknown) {
  auto read = read_history(
      R"({"process":0,"type":"invoke","f":"txn","value":[["append","x",1]]}
{"process":0,"type":"ok","f":"txn","value":[["append","x",1]]}
{"process":1,"type":"invoke","f":"txn","value":[["r","x",null]]}
{"process":1,"type":"ok","f":"txn"}
{"process":2,"type":"invoke","f":"txn","value":[["r","x",null]]}
{"process":2,"type":"ok","f":"txn","value":[["r","x",[1]]]}
)",
      "test");
  ASSERT_TRUE(read);
  CheckOptions options;
  options.model = "list-append";
  const CheckResult result = transactional_checker()->check(read->history, options);
  EXPECT_EQ(result.verdict, Verdict::unknown);
  EXPECT_THAT(result.reason, HasSubstr("was not recorded"));
}

TEST(RegressNothing, ReadIsUnknown) {
  const CheckResult lists =
      judged("0 [[\"append\",\"x\",1]]\n1 [[\"append\",\"x\",2]]\n", "list-append", "strict-serializable");
  EXPECT_EQ(lists.verdict, Verdict::unknown);
  EXPECT_THAT(lists.reason, HasSubstr("nothing of value was observed"));
  EXPECT_EQ(judged("0 [[\"w\",\"x\",1]]\n", "rw-register", "strict-serializable").verdict, Verdict::unknown);
  EXPECT_EQ(judged("0 [[\"w\",\"x\",1]]\n", "rw-register", "strongest").verdict, Verdict::unknown);
}

TEST(RegressNilReads, OfRegistersMayBeUnknown) {
  const std::string text = "0 [[\"w\",\"x\",6]]\n0 [[\"r\",\"x\",null]]\n0 [[\"r\",\"x\",6]]\n";
  EXPECT_EQ(judged(text, "rw-register", "strict-serializable").verdict, Verdict::invalid);
  EXPECT_EQ(judged(text, "rw-register", "strict-serializable", NilReads::unknown).verdict, Verdict::valid);
}

TEST(RegressNames, OfMicroOperationsMayBeSpelledOut) {
  const std::string text = "0 [[\"write\",\"x\",1]]\n0 [[\"read\",\"x\",1]]\n";
  EXPECT_EQ(judged(text, "rw-register", "strict-serializable").verdict, Verdict::valid);
  EXPECT_EQ(
      judged("0 [[\"write\",\"x\",1]]\n0 [[\"read\",\"x\",null]]\n", "rw-register", "strict-serializable").verdict,
      Verdict::invalid);
}

// Of two transactions that read a value which several wrote, one was said to have lost the other's update.
TEST(RegressLostUpdate, IsNotConcludedFromAReadNobodyCanTellTheWriterOf) {
  const CheckResult result = judged(
      "0 [[\"w\",\"x\",1]]\n3 [[\"w\",\"x\",5]]\n4 [[\"w\",\"x\",5]]\n"
      "1 [[\"r\",\"x\",1],[\"w\",\"x\",2]]\n2 [[\"r\",\"x\",1],[\"r\",\"x\",5],[\"w\",\"x\",3]]\n",
      "rw-register", "cursor-stability");
  EXPECT_EQ(result.verdict, Verdict::unknown);
}

// A transaction of the circle had read [1], which was taken to show that 4 comes before 1.
TEST(RegressEvidence, OfAnOrderIsAReadThatHasBoth) {
  const CheckResult result = judged(
      "0 [[\"append\",\"x\",1],[\"append\",\"x\",2],[\"append\",\"x\",3]]\n0 [[\"r\",\"x\",[1]],[\"append\",\"x\",4]]\n"
      "1 [[\"append\",\"x\",5],[\"r\",\"x\",[4,1,5]]]\n0 [[\"r\",\"x\",[4,1,2,3,5]]]\n",
      "list-append", "strong-read-uncommitted");
  ASSERT_EQ(result.verdict, Verdict::invalid);
  const auto circle = std::find_if(result.anomalies.begin(), result.anomalies.end(),
                                   [](const Anomaly& one) { return one.type.starts_with("G0-"); });
  ASSERT_NE(circle, result.anomalies.end());
  EXPECT_EQ(circle->operations.size(), 3U);
}

}  // namespace
}  // namespace ordeal
