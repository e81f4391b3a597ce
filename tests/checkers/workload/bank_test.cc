#include "tests/checkers/workload/histories.h"

namespace ordeal::work {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

const std::string kTransfer = ok(0, "transfer", "{:from 0 :to 1 :amount 3}");

std::string read(std::string_view balances) { return ok(1, "read", "nil", balances); }

TEST(Bank, KeepsTheTotal) {
  const auto result = judged("bank", read("{0 10, 1 0}") + kTransfer + read("{0 7, 1 3}"));
  EXPECT_EQ(verdict(result), "valid");
  EXPECT_EQ(count(result, "reads"), 2);
  EXPECT_EQ(count(result, "transfers"), 1);
}

TEST(Bank, ReadsThatDisagree) {
  const auto result = judged("bank", read("{0 10, 1 0}") + kTransfer + read("{0 7, 1 0}"));
  EXPECT_EQ(verdict(result), "wrong-total");
  EXPECT_THAT(result.anomalies[0].operations, ElementsAre(0, 4));
  EXPECT_THAT(result.anomalies[0].explanation, HasSubstr("add up to 7"));
}

TEST(Bank, AGivenTotal) {
  const std::string history = read("{0 10, 1 0}") + kTransfer;
  EXPECT_EQ(verdict(judged("bank", history, with("bank", {{"bank.total", "10"}}))), "valid");
  EXPECT_EQ(verdict(judged("bank", history, with("bank", {{"bank.total", "11"}}))), "wrong-total");
}

TEST(Bank, NegativeBalances) {
  const std::string history = kTransfer + read("{0 -3, 1 13}");
  EXPECT_EQ(verdict(judged("bank", history)), "negative-balance");
  EXPECT_EQ(verdict(judged("bank", history, with("bank", {{"bank.negative-balances", "true"}}))), "valid");
}

TEST(Bank, AccountsThatDoNotExist) {
  const std::string history = kTransfer + read("{0 7, 1 3, 2 0}");
  EXPECT_EQ(verdict(judged("bank", history)), "valid");
  EXPECT_EQ(verdict(judged("bank", history, with("bank", {{"bank.accounts", "3"}}))), "valid");
  EXPECT_EQ(verdict(judged("bank", history, with("bank", {{"bank.accounts", "2"}}))), "unexpected-account");
}

TEST(Bank, MissingBalances) { EXPECT_EQ(verdict(judged("bank", kTransfer + read("{0 7, 1 nil}"))), "nil-balance"); }

TEST(Bank, FailedAndCrashedOperationsProveNothing) {
  const std::string quiet = kTransfer + op(2, "transfer", "{:from 0 :to 1 :amount 5}", "fail", "") +
                            op(3, "transfer", "{:from 0 :to 1 :amount 5}", "info", "") +
                            op(4, "read", "nil", "info", "{0 999}") + op(5, "read", "nil", "fail", "{0 -1}");
  EXPECT_EQ(verdict(judged("bank", quiet + read("{0 7, 1 3}") + read("{0 2, 1 8}"))), "valid");
}

TEST(Bank, UnknownWhenNothingWasSeenOrUnderstood) {
  EXPECT_THAT(verdict(judged("bank", kTransfer)), HasSubstr("no read succeeded"));
  EXPECT_THAT(verdict(judged("bank", read("{0 10}"))), HasSubstr("no transfer succeeded"));
  EXPECT_THAT(verdict(judged("bank", kTransfer + read("7"))), HasSubstr("a map from accounts to balances"));
  EXPECT_THAT(verdict(judged("bank", kTransfer + read("{0 \"x\"}"))), HasSubstr("whole numbers"));
  EXPECT_THAT(verdict(judged("bank", kTransfer + read("{0 -10}") + ok(3, "close-account", "0"))),
              HasSubstr("not close-account"));
  EXPECT_THAT(verdict(judged("bank", kTransfer, at("causal"))), StartsWith("unknown: "));
}

}  // namespace
}  // namespace ordeal::work
