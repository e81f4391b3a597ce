#include <random>

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

struct One {
  int begin = 0, end = 1000;  // the time in ms; 1000: it may not have happened
  std::string f, type;
  int body = 0, answer = 0;
  std::multiset<int> shown;
};

struct State {
  std::multiset<int> executed;
  bool taken = false;
  int body = 0, answer = 0, since = 0, now = 0;
};

bool some_order(const std::vector<One>& all, std::vector<bool>& done, const State& state, int ttl_ms) {
  int first_end = 1000;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!done[i]) first_end = std::min(first_end, all[i].end);
  }
  if (first_end == 1000) return true;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const One& one = all[i];
    if (done[i] || one.begin > first_end) continue;
    for (int at = std::max(one.begin, state.now); at <= std::min(one.end, first_end); ++at) {
      std::vector<State> next;
      State same = state;
      same.now = at;
      if (one.f == "read") {
        if (one.shown == state.executed) next.push_back(same);
      } else if (one.type == "conflict") {
        if (state.taken && state.body != one.body) next.push_back(same);
      } else {
        const bool crashed = one.type == "info";
        if (state.taken && state.body == one.body && (crashed || state.answer == -1 || state.answer == one.answer)) {
          if (!crashed) same.answer = one.answer;
          next.push_back(same);
        }
        if (!state.taken || (ttl_ms > 0 && at - state.since >= ttl_ms)) {
          State fresh = state;
          fresh.executed.insert(one.body);
          fresh.taken = true;
          fresh.body = one.body;
          fresh.answer = crashed ? -1 : one.answer;
          fresh.since = fresh.now = at;
          next.push_back(fresh);
        }
      }
      done[i] = true;
      for (const State& after : next) {
        if (!some_order(all, done, after, ttl_ms)) continue;
        done[i] = false;
        return true;
      }
      done[i] = false;
    }
  }
  return false;
}

TEST(IdempotencyKeys, AgreesWithTryingAllOrders) {
  std::mt19937 random(13);
  const auto draw = [&](int from, int to) { return std::uniform_int_distribution<int>(from, to)(random); };
  std::map<std::string, int> seen;
  for (int round = 0; round < 4000; ++round) {
    const int ttl_ms = draw(0, 1) == 0 ? 0 : draw(3, 9);
    const bool forgets = draw(0, 2) == 0;  // the store keeps keys for a shorter time
    const int lies = draw(0, 1);
    State state;
    std::vector<One> all;
    std::map<int, std::size_t> open;
    std::vector<std::pair<int, std::string>> events;
    int now = 0, answers = 0;
    for (int step = 0; step < 10 || !open.empty(); ++step) {
      now += draw(1, 3);
      const int p = draw(0, 2);
      const auto found = open.find(p);
      if (found == open.end()) {
        if (step >= 10) continue;
        One one;
        one.begin = now;
        one.f = draw(0, 3) == 0 ? "read" : "apply";
        one.body = draw(0, 1);
        events.emplace_back(now,
                            event(p, "invoke", one.f, one.f == "read" ? "nil" : asked("1", std::to_string(one.body))));
        open[p] = all.size();
        all.push_back(one);
        continue;
      }
      One& one = all[found->second];
      one.type = "ok";
      const bool lie = draw(0, 9) < lies;
      std::string text;
      if (one.f == "read") {
        one.shown = state.executed;
        if (lie && !one.shown.empty()) one.shown.erase(one.shown.begin());
        text = "[";
        for (const int body : one.shown) text += "[1 " + std::to_string(body) + "]";
        text += "]";
      } else {
        const int kept = forgets ? ttl_ms / 2 : ttl_ms;
        const bool live = state.taken && (kept == 0 || now - state.since < kept);
        if (live && state.body != one.body && !lie) {
          one.type = "conflict";
        } else if (!live || lie) {
          state.taken = true;
          state.body = one.body;
          state.answer = answers++;
          state.since = now;
          state.executed.insert(one.body);
        }
        one.answer = state.answer;
        if (one.type == "ok" && draw(0, 4) == 0) one.type = "info";
        text = one.type == "ok" ? "[" + std::to_string(one.answer) + "]" : "nil";
      }
      if (one.type != "info") one.end = now;
      events.emplace_back(now, one.type == "conflict" ? failed(p, one.f, "conflict") : event(p, one.type, one.f, text));
      open.erase(found);
    }
    // What is read of other keys says nothing of this one.
    std::vector<bool> done(all.size());
    const bool explained = some_order(all, done, {}, ttl_ms);
    const auto result = judged("idempotency-keys", timed(events), ttl((std::to_string(ttl_ms) + "ms").c_str()));
    ASSERT_EQ(result.verdict == Verdict::invalid, !explained) << ttl_ms << "\n" << timed(events) << verdict(result);
    ++seen[explained ? "explained" : "not"];
    for (const auto& anomaly : result.anomalies) ++seen[anomaly.type];
    const History history = history_of(timed(events));
    for (const auto& anomaly : result.anomalies) {
      std::vector<One> named;
      for (const EventIndex e : anomaly.operations) {
        std::size_t number = 0;
        for (EventIndex before = 0; before < e; ++before) number += history.type(before) == EventType::invoke ? 1 : 0;
        named.push_back(all[number]);
      }
      std::vector<bool> none(named.size());
      EXPECT_FALSE(some_order(named, none, {}, ttl_ms)) << anomaly.type << "\n" << timed(events);
    }
  }
  EXPECT_GT(seen["explained"], 1000);
  EXPECT_GT(seen["not"], 400);
  for (const char* type : {"applied-twice", "key-reused", "different-answers", "lost-element"})
    EXPECT_GT(seen[type], 20) << type;
}

}  // namespace
}  // namespace ordeal::work
