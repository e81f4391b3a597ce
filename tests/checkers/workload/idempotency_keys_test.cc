#include <random>

#include "support/promise_oracle.h"
#include "tests/checkers/workload/clients.h"
#include "tests/checkers/workload/histories.h"

namespace ordeal::work {
namespace {

using testing::HasSubstr;

std::string asked(std::string_view id, std::string_view body) {
  return "{:id " + std::string(id) + " :body " + std::string(body) + "}";
}
std::string failed(int process, std::string_view f, std::string_view kind) {
  return "{:process " + std::to_string(process) + " :type :fail :f :" + std::string(f) + " :error {:kind \"" +
         std::string(kind) + "\" :message \"\"}}\n";
}
std::string apply(std::string_view id, std::string_view body, std::string_view answer, int process = 0) {
  return ok(process, "apply", asked(id, body), answer);
}
std::string crash(std::string_view id, std::string_view body, int process) {
  return op(process, "apply", asked(id, body), "info", "nil");
}
std::string refuse(std::string_view id, std::string_view body, std::string_view kind = "conflict") {
  return event(0, "invoke", "apply", asked(id, body)) + failed(0, "apply", kind);
}
std::string read(std::string_view all) { return ok(9, "read", "nil", all); }
std::string judge(const std::string& edn) { return verdict(judged("idempotency-keys", edn)); }

const std::string kBegun = apply("1", ":a", "10") + apply("1", ":a", "10") + refuse("1", ":b");

TEST(IdempotencyKeys, OnceAndTheSameAnswer) {
  EXPECT_EQ(judge(kBegun + read("[[1 :a]]")), "valid");
  EXPECT_EQ(judge(kBegun + read("[[1 :a] [1 :a]]")), "applied-twice");
  EXPECT_EQ(judge(kBegun + read("[[1 :a] [2 :a]]")), "unexpected-element");
  EXPECT_EQ(judge(kBegun + read("[[1 :a] [1 :b]]")), "unexpected-element");
  EXPECT_EQ(judge(kBegun + apply("2", ":a", "11") + read("[[1 :a]]")), "lost-element");
  EXPECT_EQ(judge(kBegun + apply("1", ":a", "12") + read("[[1 :a]]")), "different-answers");
  EXPECT_EQ(judge(kBegun + apply("1", ":b", "10") + read("[[1 :a]]")), "key-reused");
  EXPECT_EQ(judge(kBegun + apply("1", ":b", "12") + read("[[1 :a] [1 :b]]")), "key-reused");
  EXPECT_EQ(judge(kBegun + refuse("1", ":a") + read("[[1 :a]]")), "needless-refusal");
  EXPECT_EQ(judge(refuse("2", ":a") + kBegun + read("[[1 :a]]")), "needless-refusal");
  EXPECT_EQ(judge(refuse("2", ":a", "refused") + kBegun + read("[[1 :a]]")), "valid");
}

TEST(IdempotencyKeys, AttemptsOfUnknownOutcome) {
  EXPECT_EQ(judge(kBegun + crash("2", ":a", 5) + read("[[1 :a]]") + read("[[2 :a] [1 :a]]")), "valid");
  EXPECT_EQ(judge(kBegun + crash("2", ":a", 5) + read("[[2 :a] [1 :a]]") + read("[[1 :a]]")), "lost-element");
  EXPECT_EQ(judge(kBegun + crash("2", ":a", 5) + refuse("2", ":b") + read("[[2 :a] [1 :a]]")), "valid");
  // The refusal shows that it happened.
  EXPECT_EQ(judge(kBegun + crash("2", ":a", 5) + refuse("2", ":b") + read("[[1 :a]]")), "lost-element");
  EXPECT_EQ(judge(kBegun + crash("2", ":a", 5) + apply("2", ":b", "7") + read("[[2 :b] [1 :a]]")), "valid");
  EXPECT_EQ(judge(kBegun + crash("2", ":a", 5) + crash("2", ":b", 6) + read("[[2 :b] [2 :a] [1 :a]]")), "key-reused");
  EXPECT_EQ(judge(kBegun + crash("2", ":a", 5) + crash("2", ":a", 6) + read("[[2 :a] [2 :a] [1 :a]]")),
            "applied-twice");
}

// Events at these times in ms.
std::string timed(const std::vector<std::pair<int, std::string>>& events) {
  std::string out;
  for (const auto& [at_ms, text] : events)
    out += "{:time " + std::to_string(at_ms) + "000000 " + text.substr(1, text.size() - 1);
  return out;
}
CheckOptions ttl(const char* time) { return with("idempotency-keys", {{"idempotency-keys.ttl", time}}); }

TEST(IdempotencyKeys, AfterItsTimeAKeyMayBeTakenAnew) {
  const auto again = [](int begin_ms, std::string_view body, std::string_view answer, std::string_view shown) {
    return verdict(judged("idempotency-keys",
                          timed({{0, event(0, "invoke", "apply", asked("1", ":a"))},
                                 {2, event(0, "ok", "apply", "10")},
                                 {3, event(0, "invoke", "apply", asked("1", ":b"))},
                                 {4, failed(0, "apply", "conflict")},
                                 {5, event(0, "invoke", "apply", asked("1", ":a"))},
                                 {6, event(0, "ok", "apply", "10")},
                                 {begin_ms, event(0, "invoke", "apply", asked("1", body))},
                                 {begin_ms + 2, event(0, "ok", "apply", answer)},
                                 {90, event(9, "invoke", "read", "nil")},
                                 {91, event(9, "ok", "read", shown)}}),
                          ttl("20ms")));
  };
  EXPECT_EQ(again(17, ":a", "10", "[[1 :a]]"), "valid");
  EXPECT_EQ(again(17, ":a", "11", "[[1 :a] [1 :a]]"), "different-answers");  // 19 ms after the first at most
  EXPECT_EQ(again(18, ":a", "11", "[[1 :a] [1 :a]]"), "valid");
  EXPECT_EQ(again(18, ":b", "11", "[[1 :a] [1 :b]]"), "valid");
  EXPECT_EQ(again(17, ":b", "11", "[[1 :a] [1 :b]]"), "key-reused");
  EXPECT_EQ(again(60, ":a", "10", "[[1 :a]]"), "valid");  // it may be kept for longer
  EXPECT_EQ(again(60, ":a", "10", "[[1 :a] [1 :a]]"), "valid");
  EXPECT_EQ(again(60, ":a", "11", "[[1 :a]]"), "unexplained-key");
  EXPECT_EQ(again(60, ":a", "11", "[[1 :a] [1 :a] [1 :a]]"), "applied-twice");
}

TEST(IdempotencyKeys, TimesThatStepBackExcuse) {
  // The order of lines counts; a clock that stepped back by 40 ms proves no distance.
  EXPECT_EQ(verdict(judged("idempotency-keys",
                           timed({{50, event(0, "invoke", "apply", asked("1", ":a"))},
                                  {51, event(0, "ok", "apply", "10")},
                                  {12, event(0, "invoke", "apply", asked("1", ":a"))},
                                  {13, event(0, "ok", "apply", "11")},
                                  {14, event(0, "invoke", "apply", asked("1", ":b"))},
                                  {15, failed(0, "apply", "conflict")},
                                  {90, event(9, "invoke", "read", "nil")},
                                  {91, event(9, "ok", "read", "[[1 :a] [1 :a]]")}}),
                           ttl("20ms"))),
            "valid");
}

TEST(IdempotencyKeys, UnknownWhenNotPutToTheTest) {
  EXPECT_THAT(judge(kBegun), HasSubstr("no read showed"));
  EXPECT_THAT(judge(kBegun + crash("2", ":a", 5) + ok(9, "read", "nil", "[1]")), HasSubstr("was expected"));
  EXPECT_THAT(judge(apply("1", ":a", "1") + refuse("1", ":b") + read("[[1 :a]]")), HasSubstr("sent twice"));
  EXPECT_THAT(judge(apply("1", ":a", "1") + apply("1", ":a", "1") + read("[[1 :a]]")), HasSubstr("no other body"));
  EXPECT_THAT(judge(ok(0, "apply", "7")), HasSubstr("was expected"));
  EXPECT_THAT(verdict(judged("idempotency-keys", kBegun + read("[[1 :a]]"), ttl("1s"))), HasSubstr("no times"));
}

// ---- against trying all orders, and all whole milliseconds for each operation

TEST(IdempotencyKeys, AgreesWithTryingAllOrders) {
  std::mt19937 random(13);
  const auto draw = [&](int from, int to) { return std::uniform_int_distribution<int>(from, to)(random); };
  std::map<std::string, int> seen;
  for (int round = 0; round < 4000; ++round) {
    const int ttl_ms = draw(0, 1) == 0 ? 0 : draw(3, 9);
    const bool forgets = draw(0, 2) == 0;  // the store keeps keys for a shorter time
    const int lies = draw(0, 1);
    std::multiset<int> executed;
    bool taken = false;
    int body = 0, answer = 0, since = 0, answers = 0;
    Clients clients(random, 3, true);
    const std::string text = clients.play(
        6,
        [&](int) {
          const int own = draw(0, 1);
          if (draw(0, 3) == 0) return Begun{0, "read", "nil", own};
          return Begun{0, "apply", asked("1", std::to_string(own)), own};
        },
        [&](Begun& one) -> Ended {
          const bool lie = draw(0, 9) < lies;
          if (one.f == "read") {
            std::string shown = "[";
            for (auto at = executed.begin(); at != executed.end(); ++at) {
              if (!lie || at != executed.begin()) shown += "[1 " + std::to_string(*at) + "]";
            }
            return {"ok", shown + "]"};
          }
          const int kept = forgets ? ttl_ms / 2 : ttl_ms;
          const bool live = taken && (kept == 0 || clients.now_ms() - since < kept);
          if (live && body != one.tag && !lie) return {"conflict", ""};
          if (!live || lie) {
            taken = true;
            body = one.tag;
            answer = answers++;
            since = clients.now_ms();
            executed.insert(body);
          }
          return draw(0, 4) == 0 ? Ended{"info", "nil"} : Ended{"ok", "[" + std::to_string(answer) + "]"};
        });
    const auto keeps = [&](const History& h) {
      return testing_support::keeps_idempotency_keys(testing_support::calls_of(h), ttl_ms * 1'000'000, 1'000'000);
    };
    const History history = history_of(text);
    const bool explained = keeps(history);
    const auto result = judged("idempotency-keys", history, ttl((std::to_string(ttl_ms) + "ms").c_str()));
    ASSERT_EQ(result.verdict == Verdict::invalid, !explained) << ttl_ms << "\n" << text << verdict(result);
    ++seen[explained ? "explained" : "not"];
    for (const auto& anomaly : result.anomalies) ++seen[anomaly.type];
    expect_proved(history, result, keeps);
  }
  EXPECT_GT(seen["explained"], 1000);
  EXPECT_GT(seen["not"], 400);
  for (const char* type : {"applied-twice", "key-reused", "different-answers", "lost-element"})
    EXPECT_GT(seen[type], 20) << type;
}

}  // namespace
}  // namespace ordeal::work
