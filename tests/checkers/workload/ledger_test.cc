#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "support/promise_oracle.h"
#include "tests/checkers/workload/clients.h"
#include "tests/checkers/workload/histories.h"
#include "tests/checkers/workload/seed.h"

namespace ordeal::work {
namespace {

using testing::HasSubstr;

std::string asked(int id, int amount) {
  return "{:id " + std::to_string(id) + " :amount " + std::to_string(amount) + "}";
}
std::string deposit(int id, int amount, int version) {
  return ok(0, "deposit", asked(id, amount), std::to_string(version));
}
std::string withdraw(int id, int amount, int version, int process = 1) {
  return ok(process, "withdraw", asked(id, amount), std::to_string(version));
}
std::string begins(int process, std::string_view f, int id, int amount) {
  return event(process, "invoke", f, asked(id, amount));
}
std::string crashed(int process, std::string_view f, int id, int amount) {
  return op(process, f, asked(id, amount), "info", "nil");
}
std::string refused(int process, int id, int amount) {
  return begins(process, "withdraw", id, amount) + "{:process " + std::to_string(process) +
         " :type :fail :f :withdraw :error {:kind \"insufficient\" :message \"\"}}\n";
}
std::string see(std::string_view f, std::string_view shown) { return ok(9, f, "nil", shown); }

// Events 1 (10), 2 (-4) and 4 (-1); 3 was refused; two withdrawals ran side by side.
const std::string kBegun = deposit(1, 10, 1) + begins(5, "withdraw", 2, 4) + begins(6, "withdraw", 4, 1) +
                           event(5, "ok", "withdraw", "2") + event(6, "ok", "withdraw", "3") + refused(1, 3, 6) +
                           see("balance", "[3 5]") + see("replay", "[3 5]");
// What shows all of it in the end.
const std::string kEnd = see("events", "[[1 1 10] [2 2 -4] [3 4 -1]]") + see("model", "[3 5]");

CheckResult timeless(const std::string& edn, const char* level = "linearizable") {
  CheckOptions options = with("ledger", {{"ledger.settle", "0"}});
  options.consistency = level;
  return judged("ledger", edn, options);
}
std::string judge(const std::string& edn) { return verdict(timeless(edn)); }
std::string weakly(const std::string& edn) { return verdict(timeless(edn, "consistent-prefix")); }

TEST(Ledger, WhatAddsUpIsValid) {
  EXPECT_EQ(judge(kBegun + kEnd), "valid");
  EXPECT_EQ(weakly(kBegun + kEnd), "valid");
  // Another account has versions of its own.
  const auto of_b = [](std::string text) {
    for (std::size_t at = 0; (at = text.find(":process", at)) != text.npos; at += 18) text.insert(at, ":key \"b\" ");
    return text;
  };
  const std::string seen = of_b(see("events", "[[1 1 3]]") + see("model", "[1 3]"));
  EXPECT_EQ(judge(of_b(deposit(1, 3, 1)) + kBegun + kEnd + seen), "valid");
  EXPECT_EQ(judge(of_b(deposit(1, 3, 2)) + kBegun + kEnd + seen), "wrong-version");
}

TEST(Ledger, NoAccountIsEverBelowNothing) {
  EXPECT_EQ(judge(kBegun + withdraw(5, 6, 4) + see("events", "[[1 1 10] [2 2 -4] [3 4 -1] [4 5 -6]]")), "overdraft");
  const auto found = timeless(kBegun + begins(7, "withdraw", 5, 3) + withdraw(6, 3, 4) +
                              event(7, "ok", "withdraw", "5") + deposit(7, 5, 6));
  EXPECT_EQ(verdict(found), "overdraft");
  EXPECT_THAT(found.anomalies[0].sentences, testing::Contains(HasSubstr("ran side by side")));
}

TEST(Ledger, VersionsHaveNoGapsAndAreGivenOnce) {
  EXPECT_EQ(judge(kBegun + deposit(5, 1, 5) + see("events", "[[1 1 10] [2 2 -4] [3 4 -1] [5 5 1]]")),
            "skipped-version");
  EXPECT_EQ(judge(kBegun + kEnd + deposit(5, 1, 5)), "skipped-version");
  EXPECT_EQ(judge(kBegun + deposit(5, 1, 4) + deposit(6, 1, 4)), "duplicate-version");
  EXPECT_EQ(judge(kBegun + deposit(5, 1, 4) + deposit(6, 1, 5) +
                  see("events", "[[1 1 10] [2 2 -4] [3 4 -1] [4 5 1] [4 6 1]]")),
            "duplicate-version");
  EXPECT_EQ(judge(kBegun + deposit(5, 1, 5) + deposit(6, 1, 4)), "version-went-back");
  // One that crashed may be there in between.
  EXPECT_EQ(judge(kBegun + crashed(7, "deposit", 5, 1) + deposit(6, 1, 5) +
                  see("events", "[[1 1 10] [2 2 -4] [3 4 -1] [4 5 1] [5 6 1]]") + see("model", "[5 7]")),
            "valid");
  EXPECT_THAT(judge(kBegun + kEnd + crashed(7, "deposit", 5, 1) + deposit(6, 1, 5)), HasSubstr("not read up to"));
}

TEST(Ledger, StreamsHaveWhatWasAcknowledgedAndNothingElse) {
  EXPECT_EQ(judge(kBegun + see("events", "[[1 1 10] [2 4 -1] [3 2 -4]]")), "wrong-version");
  EXPECT_EQ(judge(kBegun + crashed(7, "deposit", 5, 1) + see("events", "[[1 1 10] [2 5 1] [3 4 -1]]")), "lost-event");
  EXPECT_EQ(judge(kBegun + deposit(5, 1, 4) + kEnd), "lost-event model-behind");
  EXPECT_EQ(judge(kBegun + see("events", "[[1 1 10] [2 2 -4] [3 4 -1] [4 4 -1]]")), "duplicate-event");
  EXPECT_EQ(judge(kBegun + see("events", "[[1 1 10] [2 2 -4] [3 4 -1] [4 9 1]]")), "unexpected-event");
  EXPECT_EQ(judge(kBegun + see("events", "[[1 1 10] [2 2 -4] [3 4 -1] [4 3 -6]]")), "unexpected-event");
  EXPECT_EQ(judge(kBegun + see("events", "[[1 1 10] [2 2 -5] [3 4 -1]]")), "unexpected-event");
  EXPECT_EQ(judge(kBegun + see("events", "[[1 1 10] [2 2 -4] [3 4 -1] [4 5 1]]") + deposit(5, 1, 4)),
            "unexpected-event");
  EXPECT_EQ(judge(kBegun + see("balance", "[4 6]") + kEnd), "unexpected-event");
  EXPECT_EQ(judge(kBegun + crashed(7, "deposit", 5, 1) + crashed(8, "deposit", 6, 2) +
                  see("events", "[[1 1 10] [2 2 -4] [3 4 -1] [4 5 1]]") +
                  see("events", "[[1 1 10] [2 2 -4] [3 4 -1] [4 6 2]]")),
            "rewritten-stream");
}

TEST(Ledger, EveryBalanceIsTheSumOfTheFirstEvents) {
  EXPECT_EQ(judge(kBegun + kEnd + see("balance", "[3 6]")), "wrong-balance");
  EXPECT_EQ(judge(kBegun + see("model", "[3 6]") + kEnd), "wrong-model");
  EXPECT_EQ(judge(kBegun + see("replay", "[3 10]") + kEnd), "wrong-replay");
  EXPECT_EQ(judge(kBegun + see("model", "[2 6]") + kEnd), "model-behind");
  EXPECT_EQ(judge(begins(7, "deposit", 7, 2) + kBegun + see("model", "[2 6]") + event(7, "ok", "deposit", "4") +
                  see("events", "[[1 1 10] [2 2 -4] [3 4 -1] [4 7 2]]") + see("model", "[4 7]")),
            "valid");
}

TEST(Ledger, ReadsShowWhatWasKnown) {
  EXPECT_EQ(judge(kBegun + see("balance", "[2 6]") + kEnd), "stale-read");
  EXPECT_EQ(judge(kBegun + kEnd + see("events", "[[1 1 10]]")), "stale-read");
  EXPECT_EQ(judge(begins(7, "deposit", 7, 2) + kBegun + event(9, "invoke", "balance", "nil") +
                  event(7, "ok", "deposit", "4") + event(9, "ok", "balance", "[3 5]") +
                  see("events", "[[1 1 10] [2 2 -4] [3 4 -1] [4 7 2]]") + see("model", "[4 7]")),
            "valid");
  EXPECT_EQ(weakly(kBegun + see("balance", "[2 6]") + see("events", "[]") + kEnd), "lost-event");  // at rest
  const std::string late = kBegun + see("balance", "[2 6]");
  EXPECT_EQ(weakly(late + kEnd), "valid");
  EXPECT_EQ(weakly(late + see("balance", "[2 7]") + kEnd), "wrong-balance");
}

TEST(Ledger, NobodyIsRefusedWhatIsThere) {
  EXPECT_EQ(judge(kBegun + refused(1, 8, 5) + kEnd), "needless-refusal");
  EXPECT_EQ(weakly(kBegun + refused(1, 8, 5) + kEnd), "valid");
  // By one that was under way, or crashed and is seen to be there.
  EXPECT_EQ(judge(kBegun + begins(7, "withdraw", 7, 2) + refused(1, 8, 5) + event(7, "ok", "withdraw", "4") +
                  see("events", "[[1 1 10] [2 2 -4] [3 4 -1] [4 7 -2]]") + see("model", "[4 3]")),
            "valid");
  EXPECT_EQ(judge(kBegun + crashed(7, "withdraw", 7, 2) + refused(1, 8, 5) +
                  see("events", "[[1 1 10] [2 2 -4] [3 4 -1] [4 7 -2]]") + see("model", "[4 3]")),
            "valid");
  // … or seen not to be there.
  EXPECT_EQ(judge(kBegun + crashed(7, "withdraw", 7, 2) + refused(1, 8, 5) + kEnd), "needless-refusal");
  EXPECT_THAT(judge(kBegun + kEnd + crashed(7, "withdraw", 7, 2) + refused(1, 8, 5)), HasSubstr("unknown outcome"));
  // A refusal shows that it was there, and a later one does not know of it.
  EXPECT_EQ(judge(kBegun + begins(7, "withdraw", 7, 2) + begins(8, "deposit", 10, 9) + refused(1, 8, 5) +
                  refused(1, 11, 4) + event(7, "ok", "withdraw", "5") + event(8, "ok", "deposit", "4") +
                  see("events", "[[1 1 10] [2 2 -4] [3 4 -1] [4 10 9] [5 7 -2]]") + see("model", "[5 12]")),
            "needless-refusal needless-refusal");
}

TEST(Ledger, TheReadModelFollows) {
  EXPECT_EQ(judge(begins(7, "deposit", 7, 2) + kBegun + see("model", "[3 5]") + see("model", "[2 6]") +
                  event(7, "ok", "deposit", "4") + see("events", "[[1 1 10] [2 2 -4] [3 4 -1] [4 7 2]]") +
                  see("model", "[4 7]")),
            "model-went-back");
  EXPECT_EQ(judge(kBegun + see("events", "[[1 1 10] [2 2 -4] [3 4 -1]]") + see("model", "[2 6]")), "model-behind");
  EXPECT_EQ(judge(kBegun + kEnd + see("replay", "[1 10]")), "model-went-back model-behind");
  EXPECT_EQ(weakly(kBegun + kEnd + see("replay", "[1 10]")), "model-behind");
  const auto timed = [](int first_ms, int model_ms, const std::string& model) {
    std::string out;
    int ms = first_ms;
    const std::string text = kBegun + kEnd;
    for (std::size_t from = 0; from < text.size();) {
      const std::size_t end = text.find('\n', from) + 1;
      out += "{:time " + std::to_string(ms++) + "000000 " + text.substr(from + 1, end - from - 1);
      from = end;
    }
    for (const char* type : {"invoke", "ok"})
      out += "{:time " + std::to_string(model_ms) + "000000 " + event(9, type, "model", model).substr(1);
    return judged("ledger", out, with("ledger", {{"ledger.lag", "1s"}, {"ledger.settle", "500ms"}}));
  };
  EXPECT_THAT(verdict(timed(0, 900, "[3 5]")), HasSubstr("never read more than ledger.lag"));
  EXPECT_EQ(verdict(timed(0, 30'000, "[3 5]")), "valid");
  EXPECT_EQ(verdict(timed(0, 2'000, "[2 6]")), "model-went-back read-model-lag");
}

TEST(Ledger, UnknownWhenNotPutToTheTest) {
  EXPECT_THAT(judge(deposit(1, 10, 1) + see("events", "[[1 1 10]]") + see("model", "[1 10]")),
              HasSubstr("no withdrawal succeeded"));
  EXPECT_THAT(
      judge(deposit(1, 10, 1) + withdraw(2, 4, 2) + see("events", "[[1 1 10] [2 2 -4]]") + see("model", "[2 6]")),
      HasSubstr("was refused"));
  EXPECT_THAT(judge(deposit(1, 10, 1) + withdraw(2, 4, 2) + refused(1, 3, 7) + see("events", "[[1 1 10] [2 2 -4]]") +
                    see("model", "[2 6]")),
              HasSubstr("of more than one process"));
  EXPECT_EQ(judge(deposit(1, 10, 1) + withdraw(2, 4, 2) + refused(2, 3, 7) + see("balance", "[2 6]") +
                  see("replay", "[2 6]") + see("events", "[[1 1 10] [2 2 -4]]") + see("model", "[2 6]")),
            "valid");
  EXPECT_THAT(judge(kBegun + see("model", "[3 5]")), HasSubstr("not read up to version 3"));
  EXPECT_THAT(judge(kBegun + see("events", "[[1 1 10] [2 2 -4] [3 4 -1]]")), HasSubstr("the read model of account"));
  EXPECT_THAT(verdict(judged("ledger", history_of(kBegun + kEnd))), HasSubstr("no times"));
  EXPECT_THAT(judge(ok(0, "deposit", asked(1, 1), "nil")), HasSubstr("the event's version"));
  EXPECT_THAT(judge(deposit(1, 1, 1) + deposit(1, 1, 2)), HasSubstr("new to the account"));
  EXPECT_THAT(judge(deposit(1, 0, 1)), HasSubstr("was expected"));
  EXPECT_THAT(judge(kBegun + see("events", "[[1 1]]")), HasSubstr("a list of [version, id, amount]"));
  EXPECT_THAT(judge(kBegun + see("model", "7")), HasSubstr("[version, balance]"));
  EXPECT_THAT(judge(ok(0, "transfer", "1")), HasSubstr("not transfer"));
}

// ---- against trying all orders

struct Row {
  int id = 0, amount = 0;
};

std::string rows(const std::vector<Row>& stream) {
  std::string out = "[";
  for (std::size_t i = 0; i < stream.size(); ++i)
    out += "[" + std::to_string(i + 1) + " " + std::to_string(stream[i].id) + " " + std::to_string(stream[i].amount) +
           "] ";
  return out + "]";
}
std::string sum(const std::vector<Row>& stream, std::size_t count, int lie) {
  int money = lie;
  for (std::size_t i = 0; i < count; ++i) money += stream[i].amount;
  return "[" + std::to_string(count) + " " + std::to_string(money) + "]";
}

// The operations named, and beside them every other append that did not fail as one of unknown outcome: what is wrong
// by its versions and sums is so whatever else was appended.
bool proved_beside_others(const History& history, const Anomaly& anomaly, const testing_support::LedgerTimes& times) {
  std::vector<testing_support::Call> calls;
  for (testing_support::Call one : testing_support::calls_of(history)) {
    const bool named = std::find(anomaly.operations.begin(), anomaly.operations.end(),
                                 static_cast<EventIndex>(one.from)) != anomaly.operations.end();
    const bool append = one.f == "deposit" || one.f == "withdraw";
    if (!named && (!append || one.outcome == EventType::fail)) continue;
    if (!named) {
      one.outcome = EventType::info;
      one.seen = Value();
      one.until = one.until_ns = testing_support::Call::kForever;
    }
    calls.push_back(std::move(one));
  }
  return !testing_support::keeps_ledger(calls, times);
}

TEST(Ledger, AgreesWithTryingAllOrders) {
  std::mt19937 random(seed_or(14));
  const auto draw = [&](int from, int to) { return std::uniform_int_distribution<int>(from, to)(random); };
  const testing_support::LedgerTimes times{0, 3'000'000};
  const auto keeps = [&](const History& h) {
    return testing_support::keeps_ledger(testing_support::calls_of(h), times);
  };
  const CheckOptions options = with("ledger", {{"ledger.settle", "3ms"}});
  std::map<std::string, int> seen;
  for (int round = 0; round < 5000; ++round) {
    std::vector<Row> stream;
    std::vector<Row> wanted;  // by tag
    std::size_t model = 0;
    const int lies = draw(0, 2);
    const auto lie = [&] { return draw(0, 12) < lies; };
    Clients clients(random, 3, true);
    std::string text = clients.play(
        9,
        [&](int) -> Begun {
          const int kind = draw(0, 11);
          const auto tag = static_cast<int>(wanted.size());
          wanted.push_back({tag, kind < 3 ? draw(2, 5) : draw(1, 3)});
          if (kind < 7) return {0, kind < 3 ? "deposit" : "withdraw", asked(tag, wanted.back().amount), tag};
          static constexpr const char* kReads[] = {"balance", "events", "model", "replay", "balance"};
          return {0, kReads[kind - 7], "nil", tag};
        },
        [&](Begun& one) -> Ended {
          const Row& row = wanted[static_cast<std::size_t>(one.tag)];
          std::size_t end = stream.size();
          if (one.f == "deposit" || one.f == "withdraw") {
            int money = 0;
            for (const Row& event : stream) money += event.amount;
            if (one.f == "withdraw" && (money < row.amount) != lie()) return {"insufficient", ""};
            const bool unknown = draw(0, 5) == 0;
            if (unknown ? draw(0, 1) == 0 : !lie())
              stream.push_back({row.id, one.f == "deposit" ? row.amount : -row.amount});
            if (lie() && !stream.empty()) stream.push_back(stream.back());
            return {unknown ? "info" : "ok", std::to_string(stream.size() + (lie() ? 1 : 0))};
          }
          if (lie() && end > 0) --end;
          if (one.f == "events")
            return {"ok", rows({stream.begin(), stream.begin() + static_cast<std::ptrdiff_t>(end)})};
          if (one.f == "model") {
            if (model <= end) model = static_cast<std::size_t>(draw(static_cast<int>(model), static_cast<int>(end)));
            end = std::min(end, model);
          }
          return {"ok", sum(stream, end, lie() ? draw(-1, 1) : 0)};
        });
    // A last look at everything, late enough, most of the time.
    if (draw(0, 4) > 0) {
      const std::size_t end = lie() && !stream.empty() ? stream.size() - 1 : stream.size();
      const std::string at = "{:time " + std::to_string(clients.now_ms() + 5) + "000000 ";
      const auto look = [&](const char* f, const std::string& value) {
        text += at + event(70, "invoke", f, "nil").substr(1) + at + event(70, "ok", f, value).substr(1);
      };
      look("events", rows(stream));
      look("model", sum(stream, end, 0));
    }
    const History history = history_of(text);
    const bool explained = keeps(history);
    const auto result = judged("ledger", history, options);
    ASSERT_FALSE(result.verdict == Verdict::invalid && explained) << text << verdict(result);
    ASSERT_FALSE(result.verdict == Verdict::valid && !explained) << text;
    ++seen[explained ? "explained" : result.verdict == Verdict::invalid ? "found" : "undecided"];
    if (explained && result.verdict == Verdict::valid) ++seen["valid"];
    for (const auto& anomaly : result.anomalies) ++seen[anomaly.type];
    expect_proved(history, result, keeps);
    for (const auto& anomaly : result.anomalies) {
      static const std::set<std::string> kByVersions = {"wrong-balance", "wrong-model",     "wrong-replay",
                                                        "stale-read",    "model-went-back", "read-model-lag",
                                                        "model-behind"};
      if (!kByVersions.contains(anomaly.type)) continue;
      EXPECT_TRUE(proved_beside_others(history, anomaly, times)) << text << anomaly.explanation;
      ++seen["beside others"];
      seen["named"] += static_cast<int>(anomaly.operations.size());
    }
  }
  EXPECT_GT(seen["beside others"], 300);
  EXPECT_LT(seen["named"], 3 * seen["beside others"]);
  EXPECT_GT(seen["explained"], 1000);
  EXPECT_GT(seen["valid"], 20);
  EXPECT_GT(seen["found"], 1000);
  EXPECT_LT(seen["undecided"], seen["found"] / 5);
  for (const char* type : {"overdraft", "duplicate-event", "lost-event", "wrong-balance", "wrong-model", "wrong-replay",
                           "stale-read", "needless-refusal", "model-behind"})
    EXPECT_GT(seen[type], 20) << type;
}

}  // namespace
}  // namespace ordeal::work
