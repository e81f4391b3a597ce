#include <random>

#include "support/promise_oracle.h"
#include "tests/checkers/workload/clients.h"
#include "tests/checkers/workload/histories.h"

namespace ordeal::work {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string money(int account, int amount) {
  return "{:account " + std::to_string(account) + " :amount " + std::to_string(amount) + "}";
}
std::string deposit(int process, int account, int amount, std::string_view type = "ok") {
  return op(process, "deposit", money(account, amount), type, money(account, amount));
}
std::string withdraw(int process, int account, int amount, std::string_view type = "ok") {
  return op(process, "withdraw", money(account, amount), type, money(account, amount));
}
std::string completed(int process, std::string_view f, std::string_view type, std::string_view value) {
  if (type != "insufficient") return event(process, type, f, value);
  return "{:process " + std::to_string(process) + " :type :fail :f :" + std::string(f) +
         " :error {:kind \"insufficient\" :message \"\"}}\n";
}
std::string refused(int process, int account, int amount) {
  return event(process, "invoke", "withdraw", money(account, amount)) +
         completed(process, "withdraw", "insufficient", "");
}
std::string read(std::string_view balances) { return ok(9, "read", "nil", balances); }
std::string judge(const std::string& edn) { return verdict(judged("overdraft", edn)); }

// Ten on each account, and a refusal, without which the rule is not put to the test.
const std::string kBegun = deposit(0, 0, 10) + deposit(0, 1, 10) + refused(0, 0, 21);

TEST(Overdraft, TheSumIsNeverBelowNothing) {
  EXPECT_EQ(judge(kBegun + withdraw(1, 0, 15) + read("[-5 10]") + withdraw(1, 1, 5) + read("[-5 5]")), "valid");
  const auto more = judged("overdraft", kBegun + withdraw(1, 0, 15) + withdraw(2, 1, 6) + read("[-5 4]"));
  EXPECT_EQ(verdict(more), "overdraft overdraft");
  EXPECT_THAT(more.anomalies[1].operations, ElementsAre(0, 2, 6, 8));
  EXPECT_THAT(more.anomalies[1].explanation, HasSubstr("withdrawals of 21 had been, and only 20 had been paid in"));
  EXPECT_THAT(more.anomalies[1].sentences[0], HasSubstr("not up to date"));
  EXPECT_EQ(judge(kBegun + withdraw(1, 0, 15, "info") + withdraw(2, 1, 6) + read("[10 4]")), "valid");
  EXPECT_EQ(judge(kBegun + withdraw(1, 0, 15, "info") + withdraw(2, 1, 6) + read("[-5 4]")), "overdraft");
}

TEST(Overdraft, WriteSkewAndLostUpdatesAreCalledThat) {
  const auto skew = [](int account) {
    return judged("overdraft", kBegun + event(1, "invoke", "withdraw", money(0, 15)) +
                                   event(2, "invoke", "withdraw", money(account, 15)) +
                                   event(1, "ok", "withdraw", "nil") + event(2, "ok", "withdraw", "nil"));
  };
  ASSERT_EQ(verdict(skew(1)), "overdraft");
  EXPECT_THAT(skew(1).anomalies[0].sentences, ElementsAre(HasSubstr("(write skew)")));
  ASSERT_EQ(verdict(skew(0)), "overdraft");
  EXPECT_THAT(skew(0).anomalies[0].sentences, ElementsAre(HasSubstr("(a lost update)")));
}

TEST(Overdraft, OfEachAccountByItself) {
  const CheckOptions each = with("overdraft", {{"overdraft.rule", "each"}});
  const std::string begun = deposit(0, 0, 10) + deposit(0, 1, 10) + refused(0, 0, 11);
  EXPECT_EQ(judge(begun + read("[10 10]") + withdraw(1, 1, 5)), "needless-refusal");
  EXPECT_EQ(verdict(judged("overdraft", begun + read("[10 10]") + withdraw(1, 1, 5), each)), "valid");
  EXPECT_EQ(verdict(judged("overdraft", begun + read("[10 10]") + withdraw(1, 0, 11), each)), "overdraft");
  EXPECT_EQ(verdict(judged("overdraft", begun + withdraw(1, 0, 5) + read("[-1 10]"), each)), "overdraft");
}

TEST(Overdraft, NobodyIsRefusedWhatIsThere) {
  EXPECT_EQ(judge(kBegun + refused(1, 0, 20) + withdraw(1, 0, 1) + read("[9 10]")), "needless-refusal");
  // One under way may have taken it; a deposit under way may not be there yet.
  EXPECT_EQ(judge(kBegun + event(1, "invoke", "withdraw", money(0, 1)) + refused(2, 0, 20) +
                  event(1, "ok", "withdraw", "nil") + read("[9 10]")),
            "valid");
  EXPECT_EQ(judge(kBegun + withdraw(0, 0, 1) + event(1, "invoke", "deposit", money(0, 1)) + refused(2, 0, 20) +
                  event(1, "ok", "deposit", "nil") + read("[10 10]")),
            "valid");
  EXPECT_EQ(judge(kBegun + withdraw(1, 0, 5, "info") + refused(2, 0, 20) + withdraw(3, 0, 1) + read("[4 10]")),
            "valid");
  // It was taken, as the refusal shows, but a later read does not know of it.
  EXPECT_EQ(judge(kBegun + withdraw(1, 0, 5, "info") + refused(2, 0, 20) + withdraw(3, 0, 1) + read("[9 10]")),
            "unexplained-balances");
}

TEST(Overdraft, EveryBalanceIsExplained) {
  EXPECT_EQ(judge(kBegun + withdraw(1, 0, 5) + read("[10 10]")), "unexplained-balances");
  EXPECT_EQ(judge(kBegun + withdraw(1, 0, 5) + read("[5 11]")), "unexplained-balances");
  EXPECT_EQ(judge(kBegun + withdraw(1, 0, 5, "fail") + withdraw(1, 0, 1) + read("[4 10]")), "unexplained-balances");
  const auto late = judged("overdraft", kBegun + withdraw(1, 0, 5) + read("[5 10]") + read("[10 10]") + read("[5 10]"));
  EXPECT_EQ(verdict(late), "unexplained-balances");
  EXPECT_THAT(late.anomalies[0].operations, ElementsAre(8, 10));
  EXPECT_EQ(verdict(judged("overdraft", kBegun + withdraw(1, 0, 5) + read("[10 10]"), at("no-overdraft"))), "valid");
  EXPECT_EQ(verdict(judged("overdraft", kBegun + withdraw(1, 0, 21) + read("[10 10]"), at("no-overdraft"))),
            "overdraft");
}

// What a read showed sums up all that was over before it. (All that had ever been paid in and taken was named.)
TEST(RegressLongOverdraft, IsProvedFromTheLastRead) {
  std::string begun = kBegun;
  for (int i = 0; i < 50; ++i) begun += deposit(0, i % 2, 2) + withdraw(1, i % 2, 2) + read("[10 10]");
  const auto named = [&](const std::string& then, const char* options = "strict-serializable") {
    const auto result = judged("overdraft", begun + then, at(options));
    return result.anomalies.empty() ? std::size_t{0} : result.anomalies[0].operations.size();
  };
  EXPECT_EQ(named(withdraw(1, 0, 15) + withdraw(2, 1, 6)), 3u);
  EXPECT_EQ(named(withdraw(1, 0, 15) + withdraw(2, 1, 6), "no-overdraft"), 104u) << "reads may be late";
  EXPECT_EQ(named(refused(1, 0, 20)), 2u);
  EXPECT_EQ(named(deposit(1, 0, 1) + read("[10 10]")), 3u);
  EXPECT_EQ(named(read("[10 9]")), 2u);
  // A deposit that was under way while the read was may be in it or not.
  EXPECT_EQ(named(event(1, "invoke", "deposit", money(0, 1)) + read("[10 10]") + event(1, "ok", "deposit", "nil") +
                  withdraw(2, 0, 21)),
            0u);
  EXPECT_EQ(named(event(1, "invoke", "deposit", money(0, 1)) + read("[10 10]") + event(1, "ok", "deposit", "nil") +
                  withdraw(2, 0, 22)),
            3u);
}

TEST(Overdraft, UnknownWhenNotPutToTheTest) {
  EXPECT_THAT(judge(deposit(0, 0, 10) + refused(1, 0, 11) + read("[10 0]")), HasSubstr("of no customer"));
  EXPECT_THAT(judge(deposit(0, 0, 10) + withdraw(0, 0, 1)), HasSubstr("of no customer"));
  EXPECT_THAT(judge(deposit(0, 0, 10) + withdraw(0, 0, 1) + read("[9 0]")), HasSubstr("refused"));
  // A failure of another kind is no refusal.
  EXPECT_THAT(judge(deposit(0, 0, 10) + withdraw(0, 0, 1) + withdraw(0, 0, 1, "fail") + read("[9 0]")),
              HasSubstr("refused"));
  EXPECT_THAT(judge(deposit(0, 2, 10)), HasSubstr("was expected"));
  EXPECT_THAT(judge(deposit(0, 0, 0)), HasSubstr("was expected"));
  EXPECT_THAT(judge(kBegun + read("7")), HasSubstr("both balances"));
  EXPECT_THAT(judge(ok(0, "transfer", "1")), HasSubstr("not transfer"));
  std::string crashed = kBegun;
  for (int i = 0; i < 70; ++i) crashed += withdraw(20 + i, i % 2, 1, "info");
  EXPECT_THAT(judge(crashed + withdraw(1, 0, 1) + read("[8 9]")), HasSubstr("too many operations"));
}

// ---- against trying all orders

// Puts deposits of what the first read shows before everything else, so that what is named has no order from there
// either. False: that cannot be done.
bool paid_in_before_the_first_read(std::vector<testing_support::Call>& calls) {
  const auto ends = [](const testing_support::Call& call) {
    return call.f == "read" && call.ok() ? call.until : testing_support::Call::kForever;
  };
  const auto read =
      *std::min_element(calls.begin(), calls.end(), [&](const auto& x, const auto& y) { return ends(x) < ends(y); });
  if (ends(read) == testing_support::Call::kForever) return false;
  std::vector<testing_support::Call> paid_in;
  for (int account = 0; account < 2; ++account) {
    const Value& amount = read.seen.items()[static_cast<std::size_t>(account)];
    if (amount.integer() < 0) return false;
    testing_support::Call one;
    one.f = "deposit";
    one.key = read.key;
    one.asked = one.seen = Value::map({{Value("account"), Value(account)}, {Value("amount"), amount}});
    one.outcome = EventType::ok;
    one.from = -10 + 2 * account;
    one.until = one.from + 1;
    paid_in.push_back(std::move(one));
  }
  calls.insert(calls.begin(), paid_in.begin(), paid_in.end());
  return true;
}

TEST(Overdraft, AgreesWithTryingAllOrders) {
  std::mt19937 random(9);
  const auto draw = [&](int from, int to) { return std::uniform_int_distribution<int>(from, to)(random); };
  const auto keeps = [](const History& h) { return testing_support::keeps_overdraft(testing_support::calls_of(h)); };
  std::map<std::string, int> seen;
  for (int round = 0; round < 6000; ++round) {
    std::pair<int, int> state;
    std::vector<std::pair<int, int>> asked;  // by tag: account and amount
    const int lies = draw(0, 2);
    Clients clients(random, 4);
    const std::string text = clients.play(
        9,
        [&](int) {
          const int kind = draw(0, 9);
          const auto tag = static_cast<int>(asked.size());
          asked.emplace_back(draw(0, 1), draw(1, 3));
          if (kind >= 7) return Begun{0, "read", "nil", tag};
          return Begun{0, kind < 3 ? "deposit" : "withdraw", money(asked.back().first, asked.back().second), tag};
        },
        [&](Begun& one) -> Ended {
          const bool lie = draw(0, 9) < lies;
          const auto [account, amount] = asked[static_cast<std::size_t>(one.tag)];
          if (one.f == "read")
            return {"ok", "[" + std::to_string(state.first + (lie ? draw(-1, 1) : 0)) + " " +
                              std::to_string(state.second) + "]"};
          if (one.f == "withdraw" && (state.first + state.second < amount) != lie) return {"insufficient", ""};
          const bool crashed = draw(0, 4) == 0;
          if (!crashed || draw(0, 1) == 0)
            (account == 0 ? state.first : state.second) += one.f == "deposit" ? amount : -amount;
          return {crashed ? "info" : "ok", one.asked};
        });
    const History history = history_of(text);
    const bool explained = keeps(history);
    const auto result = judged("overdraft", history);
    ASSERT_EQ(result.verdict == Verdict::invalid, !explained) << text << verdict(result);
    ++seen[explained ? "explained" : "not"];
    for (const auto& anomaly : result.anomalies) ++seen[anomaly.type];
    expect_proved(history, result, keeps);
    for (const auto& anomaly : result.anomalies) {
      const auto& said = anomaly.sentences;
      const auto sums_up = [](const std::string& sentence) { return sentence.find("summed up") != std::string::npos; };
      if (std::none_of(said.begin(), said.end(), sums_up)) continue;
      auto named = testing_support::calls_of(testing_support::part_of(history, anomaly.operations));
      if (!paid_in_before_the_first_read(named)) continue;
      EXPECT_FALSE(testing_support::keeps_overdraft(named)) << text << anomaly.explanation;
      ++seen["from a read"];
    }
  }
  EXPECT_GT(seen["from a read"], 300);
  EXPECT_GT(seen["explained"], 1000);
  EXPECT_GT(seen["overdraft"], 300);
  EXPECT_GT(seen["needless-refusal"], 300);
  EXPECT_GT(seen["unexplained-balances"], 300);
}

}  // namespace
}  // namespace ordeal::work
