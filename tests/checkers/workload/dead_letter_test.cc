#include <random>

#include "support/promise_oracle.h"
#include "tests/checkers/workload/histories.h"
#include "tests/checkers/workload/seed.h"

namespace ordeal::work {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string message(int id, bool poison) {
  return "{:id " + std::to_string(id) + " :poison " + (poison ? "true" : "false") + "}";
}
bool poisonous(int id) { return id >= 100; }
std::string put(int id, std::string_view type = "ok") {
  const std::string value = message(id, poisonous(id));
  return op(0, "enqueue", value, type, value);
}
std::string get(int process, int id) { return ok(process, "receive", "nil", message(id, poisonous(id))); }
std::string say(int process, std::string_view f, int id, std::string_view type = "ok") {
  return op(process, f, std::to_string(id), type, std::to_string(id));
}
std::string none(int process = 8) { return ok(process, "receive", "nil", "nil"); }
std::string dead(std::initializer_list<int> ids) {
  std::string all = "[";
  for (const int id : ids) all += message(id, poisonous(id)) + " ";
  return ok(9, "drain-dead", "nil", all + "]");
}
std::string fails(int id, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += get(1, id) + say(1, "reject", id);
  return out;
}
std::string judge(const std::string& edn, const char* option = "dead-letter.redelivery", const char* value = "false") {
  return verdict(judged("dead-letter", edn, with("dead-letter", {{"dead-letter.settle", "0s"}, {option, value}})));
}

// One that is done, one that is dead.
const std::string kDone = put(1) + get(1, 1) + say(1, "ack", 1);
const std::string kBoth = kDone + put(100) + fails(100, 3);

TEST(DeadLetter, PoisonEndsInTheDeadLetterQueue) {
  EXPECT_EQ(judge(kBoth + none() + dead({100})), "valid");
  EXPECT_EQ(judge(kBoth + none() + dead({})), "lost-element");
  EXPECT_EQ(judge(kBoth + none() + dead({100, 100})), "duplicate-element");
  EXPECT_EQ(judge(kBoth + fails(100, 1) + none() + dead({100})), "endless-delivery");
  EXPECT_EQ(judge(kDone + put(100) + fails(100, 1) + none() + dead({100})), "valid");  // at most so many
  EXPECT_EQ(judge(kBoth + none() + dead({100}) + get(2, 100) + say(2, "reject", 100)), "endless-delivery in-both");
}

TEST(DeadLetter, NothingElseDoes) {
  EXPECT_EQ(judge(kBoth + none() + dead({100, 1})), "in-both");
  EXPECT_EQ(judge(kBoth + put(2) + none() + dead({100, 2})), "wrong-dead-letter");
  EXPECT_EQ(judge(kBoth + none() + dead({100, 3})), "unexpected-element");
  EXPECT_EQ(judge(kBoth + put(3, "fail") + none() + dead({100, 3})), "unexpected-element");
  // Three clients that crashed with it, or may have.
  std::string crashed = kBoth + put(2);
  for (int p = 20; p < 23; ++p) crashed += op(p, "receive", "nil", "info", "nil");
  EXPECT_EQ(judge(crashed + none() + dead({100, 2})), "valid");
  std::string held = kBoth + put(2);
  for (int p = 20; p < 23; ++p) held += get(p, 2) + say(p, "ack", 2, "info");
  EXPECT_EQ(judge(held + none() + dead({100, 2})), "valid");
}

TEST(DeadLetter, NothingIsLost) {
  const std::string one = kBoth + put(2) + get(2, 2);
  EXPECT_EQ(judge(kBoth + put(2, "info") + none() + dead({100})), "valid");
  EXPECT_EQ(judge(one + say(2, "ack", 2, "info") + none() + dead({100})), "valid");
  EXPECT_EQ(judge(one + say(2, "reject", 2, "info") + none() + dead({100})), "lost-element");
  EXPECT_EQ(judge(kBoth + put(100 + 1) + fails(101, 1) + none() + dead({100})), "lost-element");
  EXPECT_THAT(judge(one + none() + dead({100})), HasSubstr("still with a client"));
  EXPECT_THAT(judge(one + say(2, "reject", 2) + dead({100})), HasSubstr("not found empty"));
  EXPECT_THAT(judge(one + say(2, "reject", 2) + none() + dead({100}) + op(7, "drain-dead", "nil", "info", "nil")),
              HasSubstr("crashed drain"));
  EXPECT_THAT(judge(one + say(2, "reject", 2) + none() + dead({100}), "dead-letter.settle", "1s"),
              HasSubstr("not found empty"));
  const auto lost = judged("dead-letter", one + say(2, "reject", 2) + none() + dead({100}),
                           with("dead-letter", {{"dead-letter.settle", "0s"}}));
  ASSERT_EQ(verdict(lost), "lost-element");
  EXPECT_THAT(lost.anomalies[0].explanation, HasSubstr("delivered 1 times and never acknowledged"));
}

TEST(DeadLetter, WhatIsDoneDoesNotComeBack) {
  const std::string again = kBoth + get(2, 1) + say(2, "ack", 1) + none() + dead({100});
  EXPECT_EQ(judge(again), "delivered-after-ack");
  EXPECT_EQ(judge(again, "dead-letter.redelivery", "true"), "valid");
}

TEST(DeadLetter, PoisonDoesNotBlock) {
  const std::string blocked = put(100) + get(1, 100) + say(1, "reject", 100) + put(1) + none();
  const std::string rest = get(2, 1) + say(2, "ack", 1) + fails(100, 2) + none() + dead({100});
  const auto found = judged("dead-letter", blocked + rest, with("dead-letter", {{"dead-letter.settle", "0s"}}));
  EXPECT_EQ(verdict(found), "blocked-message");
  EXPECT_THAT(found.anomalies[0].operations, ElementsAre(6, 8));
  EXPECT_EQ(judge(blocked + rest, "dead-letter.empty-receives", "true"), "valid");
  // One may have had it that crashed; or has it.
  EXPECT_EQ(judge(put(100) + get(1, 100) + say(1, "reject", 100) + put(1) + op(30, "receive", "nil", "info", "nil") +
                  none() + rest),
            "valid");
  EXPECT_EQ(
      judge(put(100) + get(1, 100) + say(1, "reject", 100) + put(1) + event(2, "invoke", "receive", "nil") + none() +
            event(2, "ok", "receive", message(1, false)) + say(2, "ack", 1) + fails(100, 2) + none() + dead({100})),
      "valid");
}

TEST(DeadLetter, WhatCrashedReceivesHadIsOneChoice) {
  // Receives that are open all the while, and then crash.
  const auto meanwhile = [](int crashed, const std::string& edn) {
    std::string begin, end;
    for (int process = 20; process < 20 + crashed; ++process) {
      begin += event(process, "invoke", "receive", "nil");
      end += event(process, "info", "receive", "nil");
    }
    return begin + edn + end + none();
  };
  const auto one = [](int id) { return put(id) + none() + get(2, id) + say(2, "ack", id); };
  EXPECT_EQ(judge(kBoth + meanwhile(1, one(2)) + dead({100})), "valid");
  EXPECT_EQ(judge(kBoth + meanwhile(1, one(2)) + one(3) + dead({100})), "blocked-message");  // was over before 3 came
  EXPECT_EQ(judge(kBoth + meanwhile(2, one(2) + one(3)) + dead({100})), "valid");
  const auto two = judged("dead-letter", kBoth + meanwhile(1, one(2) + one(3)) + dead({100}),
                          with("dead-letter", {{"dead-letter.settle", "0s"}}));
  EXPECT_EQ(verdict(two), "blocked-message");
  ASSERT_FALSE(two.anomalies.empty());
  EXPECT_THAT(two.anomalies[0].operations, testing::SizeIs(7));  // two puts, what found nothing, deliveries; the crash
  EXPECT_THAT(two.anomalies[0].explanation, HasSubstr("each may have had one message"));
  // One that had all its attempts was not with a receive that crashed as well.
  const std::string first = put(101) + none() + fails(101, 2);
  EXPECT_EQ(judge(kBoth + meanwhile(1, first) + dead({100, 101})), "valid");
  EXPECT_EQ(judge(kBoth + meanwhile(1, first + fails(101, 1)) + dead({100, 101})), "blocked-message");
  // Two are dead of which nothing is known.
  EXPECT_EQ(judge(kBoth + meanwhile(5, put(2) + put(3)) + dead({100, 2, 3})), "wrong-dead-letter");
  EXPECT_EQ(judge(kBoth + meanwhile(6, put(2) + put(3)) + dead({100, 2, 3})), "valid");
}

// A message was called lost although its client crashed, or might have answered, only just before the end.
TEST(RegressDeadLetter, AMessageIsBackOnlyOnceItsClientIsGone) {
  const auto at = [](int ms, std::string_view text) {
    return "{:time " + std::to_string(ms) + "000000 " + std::string(text.substr(1));
  };
  const auto timed = [&](int ms, const std::string& both) {
    const auto second = both.find('\n') + 1;
    return at(ms, both.substr(0, second)) + at(ms, both.substr(second));
  };
  const auto history = [&](const std::string& crash) {
    std::string out;
    int ms = 0;
    for (const std::string& one : {put(1), get(1, 1), say(1, "ack", 1), put(100)}) out += timed(ms++, one);
    for (int i = 0; i < 3; ++i, ms += 2) out += timed(ms, get(1, 100)) + timed(ms + 1, say(1, "reject", 100));
    out += timed(20, put(2)) + timed(21, get(5, 2)) + crash;
    return out + timed(1100, none()) + timed(1101, dead({100}));
  };
  const auto check = [&](const std::string& crash) {
    return verdict(judged("dead-letter", history(crash), with("dead-letter", {{"dead-letter.settle", "1s"}})));
  };
  EXPECT_EQ(check(timed(90, put(3, "fail")) + timed(100, op(5, "receive", "nil", "info", "nil"))), "lost-element");
  EXPECT_THAT(check(timed(1000, say(5, "reject", 7, "info"))), HasSubstr("late enough"));
  EXPECT_EQ(check(timed(100, op(5, "enqueue", message(3, false), "info", "nil"))), "lost-element");
  EXPECT_THAT(check(at(50, event(5, "invoke", "reject", "2"))), HasSubstr("late enough"));
}

// A message was never called lost whose enqueue crashed, although it had been received.
TEST(RegressDeadLetter, WhatWasReceivedHadBeenPutIn) {
  EXPECT_EQ(judge(kBoth + put(2, "info") + get(2, 2) + say(2, "reject", 2) + none() + dead({100})), "lost-element");
  EXPECT_EQ(judge(kBoth + put(2, "info") + none() + dead({100})), "valid");
}

TEST(DeadLetter, UnknownWhenNotPutToTheTest) {
  EXPECT_THAT(judge(kDone + none() + dead({})), HasSubstr("dead-letter queue"));
  EXPECT_THAT(judge(put(100) + fails(100, 3) + none() + dead({100})), HasSubstr("acknowledged by a consumer"));
  EXPECT_THAT(judge(kBoth + dead({100})), HasSubstr("found the queue empty"));
  EXPECT_THAT(judge(ok(0, "enqueue", "1")), HasSubstr("was expected"));
  EXPECT_THAT(judge(kBoth + ok(1, "receive", "nil", "7")), HasSubstr("a message, or nil"));
  EXPECT_THAT(judge(ok(0, "dequeue", "nil")), HasSubstr("not dequeue"));
}

// ---- against trying all orders: two attempts, whose ends, and those of crashed clients, show at once

// One queue that never waits, of which clients that crash do so at the end that the history has for them; what it shows
// keeps the promise, which asks for less.
struct One {
  int begin = 0, end = 0, process = 0;
  std::string f, type;
  int id = -1;           // asked, or received; -1: nothing
  std::set<int> listed;  // of a drain
};

struct State {
  std::map<int, int> queue;                 // attempts by id
  std::map<int, std::pair<int, int>> with;  // by id: the process that has it, and attempts
  std::set<int> dead;

  void give_back(int id) {
    const int attempts = with.at(id).second;
    with.erase(id);
    if (attempts >= 2)
      dead.insert(id);
    else
      queue[id] = attempts;
  }
  void gone(int process) {
    for (const auto& [id, held] : std::map(with)) {
      if (held.first == process) give_back(id);
    }
  }
};

// All states in which the operation may leave the system.
std::vector<State> after(const One& one, const State& now) {
  std::vector<State> out;
  const bool crashed = one.type == "info";
  if (crashed) {
    State nothing = now;
    nothing.gone(one.process);
    out.push_back(nothing);
  }
  if (one.f == "enqueue") {
    State next = now;
    next.queue[one.id] = 0;
    if (crashed) next.gone(one.process);
    out.push_back(next);
  } else if (one.f == "receive") {
    if (!crashed && one.id == -1 && now.queue.empty()) out.push_back(now);
    for (const auto& [id, attempts] : now.queue) {
      if (!crashed && id != one.id) continue;
      State next = now;
      next.with[id] = {one.process, attempts + 1};
      next.queue.erase(id);
      if (crashed) next.gone(one.process);
      out.push_back(next);
    }
  } else if (one.f == "drain-dead") {
    State next = now;
    next.dead.clear();
    if (crashed || one.listed == now.dead) out.push_back(next);
  } else if (const auto held = now.with.find(one.id); held != now.with.end() && held->second.first == one.process) {
    State next = now;
    if (one.f == "ack")
      next.with.erase(one.id);
    else
      next.give_back(one.id);
    if (crashed) next.gone(one.process);
    out.push_back(next);
  }
  return out;
}

bool some_order(const std::vector<One>& all, std::vector<bool>& done, const State& state) {
  int first_end = 1000;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!done[i]) first_end = std::min(first_end, all[i].end);
  }
  if (first_end == 1000) return true;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (done[i] || all[i].begin > first_end) continue;
    done[i] = true;
    for (const State& next : after(all[i], state)) {
      if (!some_order(all, done, next)) continue;
      done[i] = false;
      return true;
    }
    done[i] = false;
  }
  return false;
}

TEST(DeadLetter, AgreesWithTryingAllOrders) {
  std::mt19937 random(seed_or(17));
  const auto draw = [&](int from, int to) { return std::uniform_int_distribution<int>(from, to)(random); };
  std::map<std::string, int> seen;
  for (int round = 0; round < 6000; ++round) {
    State state;
    std::vector<One> all;
    std::map<int, std::size_t> open;
    std::map<int, int> holds;  // by process
    std::string text;
    const int lies = draw(0, 1), crashes = draw(1, 3);
    int events = 0, ids = 0, first_process = 0;
    std::vector<int> players = {0, 1, 2};
    for (int step = 0; step < 24 || !open.empty(); ++step) {
      int& p = players[static_cast<std::size_t>(draw(0, 2))];
      const auto found = open.find(p);
      if (found == open.end()) {
        if (step >= 24) continue;
        One one;
        one.process = p;
        one.begin = events++;
        if (const auto held = holds.find(p); held != holds.end()) {
          one.id = held->second;
          one.f = one.id % 2 == 0 ? "ack" : "reject";
        } else {
          const int kind = draw(0, 9);
          one.f = kind < 3 && ids < 3 ? "enqueue" : kind < 9 ? "receive" : "drain-dead";
          if (one.f == "enqueue") one.id = ids++;
        }
        const std::string value = one.f == "enqueue" ? message(one.id, one.id % 2 != 0)
                                  : one.id >= 0      ? std::to_string(one.id)
                                                     : "nil";
        text += event(p, "invoke", one.f, value);
        open[p] = all.size();
        all.push_back(one);
        continue;
      }
      One& one = all[found->second];
      one.type = draw(0, 9) < crashes ? "info" : "ok";
      if (one.f == "receive") one.id = state.queue.empty() || draw(0, 9) < lies ? -1 : state.queue.begin()->first;
      if (one.f == "drain-dead") one.listed = state.dead;
      if (one.f == "drain-dead" && draw(0, 3) < lies) one.listed.insert(draw(0, 2));
      auto next = after(one, state);
      if (!next.empty()) state = next[static_cast<std::size_t>(draw(0, static_cast<int>(next.size()) - 1))];
      if (one.f != "enqueue" && draw(0, 9) < lies && !state.queue.empty()) state.queue.erase(state.queue.begin());
      std::string value = "nil";
      if (one.f == "receive" && one.id >= 0) value = message(one.id, one.id % 2 != 0);
      if (one.f == "drain-dead") {
        value = "[";
        for (const int id : one.listed) value += message(id, id % 2 != 0) + " ";
        value += "]";
      }
      if (one.f == "ack" || one.f == "reject") value = std::to_string(one.id);
      if (one.f == "enqueue") value = message(one.id, one.id % 2 != 0);
      text += event(p, one.type, one.f, one.type == "info" ? "nil" : value);
      one.end = events++;
      holds.erase(p);
      if (one.f == "receive" && one.type == "ok" && one.id >= 0) holds[p] = one.id;
      open.erase(found);
      if (one.type == "info") p = 3 + first_process++;
    }
    std::vector<bool> done(all.size());
    const bool explained = some_order(all, done, {});
    const History history = history_of(text);
    const bool kept = testing_support::keeps_dead_letter(testing_support::calls_of(history), {2, 0});
    ASSERT_TRUE(kept || !explained) << text;
    const auto result = judged("dead-letter", history,
                               with("dead-letter", {{"dead-letter.settle", "0s"}, {"dead-letter.max-attempts", "2"}}));
    ASSERT_FALSE(kept && result.verdict == Verdict::invalid) << text << verdict(result);
    ASSERT_FALSE(!kept && result.verdict == Verdict::valid) << text << verdict(result);
    ++seen[explained ? "explained" : kept ? "kept" : result.verdict == Verdict::invalid ? "found" : "undecided"];
    for (const auto& anomaly : result.anomalies) ++seen[anomaly.type];
    for (const auto& anomaly : result.anomalies)
      seen["together"] += anomaly.explanation.find("together") != std::string::npos ? 1 : 0;
  }
  EXPECT_GT(seen["explained"], 800);
  EXPECT_GT(seen["found"], 400);
  EXPECT_LT(seen["undecided"], seen["found"] / 10);
  EXPECT_GT(seen["together"], 10);
  for (const char* type : {"lost-element", "blocked-message", "wrong-dead-letter"}) EXPECT_GT(seen[type], 20) << type;
}

}  // namespace
}  // namespace ordeal::work
