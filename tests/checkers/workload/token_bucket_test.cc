#include <algorithm>
#include <random>

#include "checkers/workload/judgement.h"
#include "checkers/workload/unit_schedule.h"
#include "support/promise_oracle.h"
#include "tests/checkers/workload/histories.h"
#include "tests/checkers/workload/seed.h"

namespace ordeal::work {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct Request {
  int begin_ms = 0, end_ms = 0;
  const char* type = "ok";
};

// Requests, each of a process of its own, with their events in the order of time.
std::string requests(const std::vector<Request>& all, const char* kind = "limited") {
  std::vector<std::pair<int, std::string>> events;
  int process = 0;
  for (const Request& one : all) {
    const std::string begin = "{:process " + std::to_string(process++) + " :f :request :time ";
    events.emplace_back(2 * one.begin_ms, begin + std::to_string(one.begin_ms) + "000000 :type :invoke}\n");
    const std::string error = std::string(one.type) == "fail" && *kind != 0
                                  ? " :error {:kind \"" + std::string(kind) + "\" :message \"\"}"
                                  : "";
    events.emplace_back(2 * one.end_ms + 1,
                        begin + std::to_string(one.end_ms) + "000000 :type :" + one.type + error + "}\n");
  }
  std::stable_sort(events.begin(), events.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::string out;
  for (const auto& [at, text] : events) out += text;
  return out;
}

// A token every 4 ms.
CheckOptions bucket(const char* burst, const char* denials = "true") {
  return with("token-bucket", {{"token-bucket.burst", burst},
                               {"token-bucket.rate", "250"},
                               {"token-bucket.tolerance", "0"},
                               {"token-bucket.settle", "0s"},
                               {"token-bucket.denials", denials}});
}
std::string judge(const std::vector<Request>& all, const char* burst = "2") {
  return verdict(judged("token-bucket", requests(all), bucket(burst)));
}

TEST(TokenBucket, ABurstAndThenTheRate) {
  const std::vector<Request> begun = {{0, 1}, {0, 1}, {1, 2, "fail"}};
  const auto also = [&](std::vector<Request> more) {
    more.insert(more.begin(), begun.begin(), begun.end());
    return judge(more);
  };
  EXPECT_EQ(also({{4, 5}}), "valid");
  EXPECT_EQ(also({{2, 3}}), "too-many-grants");  // 3 ms after the first at most
  EXPECT_EQ(also({{4, 5}, {5, 6}}), "too-many-grants");
  EXPECT_EQ(also({{4, 5}, {8, 9}}), "valid");
  EXPECT_EQ(also({{20, 20}, {20, 20}}), "valid");  // the burst has come back
  EXPECT_EQ(also({{20, 20}, {20, 20}, {20, 20}}), "too-many-grants");
  EXPECT_EQ(also({{20, 20}, {20, 20}, {20, 20, "info"}}), "valid");
}

TEST(TokenBucket, NamesTheGrantsOfAWindow) {
  const auto found =
      judged("token-bucket", requests({{0, 1}, {0, 1}, {4, 5}, {30, 30}, {31, 31}, {32, 32}}), bucket("2"));
  EXPECT_EQ(verdict(found), "too-many-grants");
  EXPECT_THAT(found.anomalies[0].operations, ElementsAre(6, 8, 10));
  EXPECT_THAT(found.anomalies[0].explanation, HasSubstr("3 requests were granted within 2.00 ms"));
}

TEST(TokenBucket, ADenialWantsAnEmptyBucket) {
  EXPECT_EQ(judge({{0, 1}, {0, 1}, {1, 2, "fail"}, {9, 10}}), "valid");
  EXPECT_EQ(judge({{0, 1, "fail"}, {2, 3}, {12, 13}, {24, 25}}), "needless-denial");
  EXPECT_EQ(judge({{0, 1}, {0, 1}, {1, 1, "fail"}, {7, 8, "fail"}, {17, 18}}), "needless-denial");
  // A grant that is still open may come first; so may a crashed one, until it is settled.
  EXPECT_EQ(judge({{0, 3}, {0, 3}, {1, 2, "fail"}, {13, 14}}), "valid");
  EXPECT_EQ(judge({{0, 1}, {0, 1, "info"}, {1, 2, "fail"}, {13, 14}, {23, 24}}), "valid");
  EXPECT_EQ(judge({{0, 0}, {0, 0, "info"}, {9, 9, "fail"}, {13, 14}, {23, 24}}), "needless-denial");
  CheckOptions long_settle = bucket("2");
  ASSERT_TRUE(long_settle.settings.set("token-bucket.settle", "10ms", "test"));
  EXPECT_EQ(verdict(judged("token-bucket", requests({{0, 0, "info"}, {9, 9}, {9, 9, "fail"}, {13, 14}, {23, 24}}),
                           long_settle)),
            "valid");
  // Only a failure of the limiter is a denial.
  EXPECT_EQ(verdict(judged("token-bucket", requests({{0, 1, "fail"}, {2, 3}, {12, 13}, {24, 25}}, "refused"),
                           bucket("2", "false"))),
            "valid");
  EXPECT_EQ(verdict(judged("token-bucket", requests({{0, 1, "fail"}, {2, 3}, {12, 13}, {24, 25}}, ""), bucket("2"))),
            "needless-denial");
}

TEST(TokenBucket, DenialsAreExplainedTogether) {
  // One that is slow takes its token at one instant.
  EXPECT_EQ(judge({{0, 20}, {2, 2, "fail"}, {30, 31}}, "1"), "valid");
  EXPECT_EQ(judge({{0, 20}, {18, 18, "fail"}, {30, 31}}, "1"), "valid");
  EXPECT_EQ(judge({{0, 20}, {2, 2, "fail"}, {5, 5, "fail"}, {30, 31}}, "1"), "valid");
  const auto told = judged(
      "token-bucket", requests({{0, 20}, {2, 2, "fail"}, {3, 3, "fail"}, {18, 18, "fail"}, {30, 31}}), bucket("1"));
  EXPECT_EQ(verdict(told), "needless-denial");
  ASSERT_FALSE(told.anomalies.empty());
  EXPECT_THAT(told.anomalies[0].operations, ElementsAre(0, 1, 5));
  EXPECT_EQ(told.details.find("denials-judged")->string(), "together");
  // Early enough for the denial, the slow one is no earlier than the limit allows.
  EXPECT_EQ(judge({{0, 0}, {1, 20}, {6, 6, "fail"}, {7, 7}}, "1"), "needless-denial");
}

TEST(TokenBucket, TokensThatNeverComeBack) {
  EXPECT_EQ(judge({{0, 0}, {0, 0}, {9, 9, "fail"}, {19, 19, "fail"}, {29, 29, "fail"}}), "tokens-lost");
}

TEST(TokenBucket, KeysHaveLimitsOfTheirOwn) {
  const std::string two =
      "{:process 0 :f :request :time 0 :type :invoke :value [:a nil]}{:process 0 :f :request :time 1 :type :ok :value "
      "[:a nil]}{:process 0 :f :request :time 2 :type :invoke :value [:b nil]}{:process 0 :f :request :time 3 :type "
      ":ok :value [:b nil]}";
  EXPECT_THAT(verdict(judged("token-bucket", history_of(two, true), bucket("1"))), HasSubstr("put to the test"));
}

TEST(TokenBucket, UnknownWithoutPressureOrTimes) {
  EXPECT_THAT(judge({{0, 1}, {9, 10}, {19, 20}}), HasSubstr("put to the test"));  // nobody was denied
  EXPECT_THAT(judge({{0, 1}, {0, 1}, {1, 2, "fail"}}), HasSubstr("put to the test"));
  EXPECT_THAT(verdict(judged("token-bucket", ok(0, "request", "nil"))), HasSubstr("no times"));
  EXPECT_THAT(verdict(judged("token-bucket", ok(0, "enqueue", "1"))), HasSubstr("not enqueue"));
}

// ---- against trying everything

// Whether for some instants of the others the bucket has no token yet at some instant of the denial.
bool deniable(const std::vector<Request>& may_count, std::size_t next, std::vector<int>& instants,
              const Request& denial, int burst, int token_ms) {
  if (next == may_count.size()) {
    std::vector<int> sorted = instants;
    std::sort(sorted.begin(), sorted.end());
    for (int t = denial.begin_ms; t <= denial.end_ms; ++t) {
      double level = burst;
      int at = -1000;
      for (const int instant : sorted) {
        if (instant > t) break;
        level = std::min<double>(burst, level + double(instant - at) / token_ms) - 1;
        at = instant;
      }
      // A whole token that has grown just now is not held against the limiter.
      if (level + double(t - at) / token_ms <= 1 + 1e-9) return true;
    }
    return false;
  }
  const Request& one = may_count[next];
  if (std::string(one.type) == "info" && deniable(may_count, next + 1, instants, denial, burst, token_ms)) return true;
  for (int t = one.begin_ms; t <= one.end_ms; ++t) {
    instants.push_back(t);
    const bool found = deniable(may_count, next + 1, instants, denial, burst, token_ms);
    instants.pop_back();
    if (found) return true;
  }
  return false;
}

// Whether for some instants of the others no grant comes without a token and no denial with one.
bool explained(const std::vector<Request>& may_count, std::size_t next, std::vector<int>& instants,
               const std::vector<Request>& denials, int burst, int token_ms) {
  if (next == may_count.size()) {
    std::vector<int> sorted = instants;
    std::sort(sorted.begin(), sorted.end());
    std::vector<double> levels;  // after each
    double level = burst;
    for (std::size_t k = 0; k < sorted.size(); ++k) {
      if (k > 0) level = std::min<double>(burst, level + double(sorted[k] - sorted[k - 1]) / token_ms);
      if (--level < -1e-9) return false;
      levels.push_back(level);
    }
    return std::all_of(denials.begin(), denials.end(), [&](const Request& denial) {
      for (int t = denial.begin_ms; t <= denial.end_ms; ++t) {
        const auto before = std::upper_bound(sorted.begin(), sorted.end(), t) - sorted.begin();
        if (before == 0) continue;
        const auto last = static_cast<std::size_t>(before - 1);
        if (levels[last] + double(t - sorted[last]) / token_ms <= 1 + 1e-9) return true;
      }
      return false;
    });
  }
  const Request& one = may_count[next];
  if (std::string(one.type) == "info" && explained(may_count, next + 1, instants, denials, burst, token_ms))
    return true;
  for (int t = one.begin_ms; t <= one.end_ms; ++t) {
    instants.push_back(t);
    const bool found = explained(may_count, next + 1, instants, denials, burst, token_ms);
    instants.pop_back();
    if (found) return true;
  }
  return false;
}

TEST(TokenBucket, AgreesWithTryingEverything) {
  std::mt19937 random(seed_or(7));
  const auto draw = [&](int from, int to) { return std::uniform_int_distribution<int>(from, to)(random); };
  std::map<std::string, int> seen;
  for (int round = 0; round < 6000; ++round) {
    const int burst = draw(1, 3);
    std::vector<Request> all, may_count, denials;
    int at = 0;
    for (int n = draw(3, 6); n > 0; --n) {
      at += draw(0, 4);
      Request one{at, at + draw(0, draw(0, 3) == 0 ? 12 : 4), "ok"};
      const int kind = draw(0, 9);
      one.type = kind < 7 ? "ok" : kind < 8 ? "info" : "fail";
      all.push_back(one);
      (kind < 8 ? may_count : denials).push_back(one);
    }
    const History history = history_of(requests(all));
    const std::vector<testing_support::Call> calls = testing_support::calls_of(history);
    const testing_support::Bucket four{burst, 4'000'000, 4'000'000, 0};
    const bool grantable = testing_support::grantable(calls, four);
    std::size_t needless = 0;
    for (const Request& denial : denials) {
      std::vector<int> instants;
      needless += deniable(may_count, 0, instants, denial, burst, 4) ? 0 : 1;
    }
    // The oracle of larger histories takes the others as late as can be.
    std::size_t refused = 0;
    for (const auto& call : calls)
      refused += call.outcome == EventType::fail && !testing_support::deniable(calls, call, four) ? 1 : 0;
    ASSERT_EQ(refused, needless) << requests(all);
    const auto result = judged("token-bucket", history, bucket(std::to_string(burst).c_str()));
    std::size_t told = 0;
    bool many = false, lost = false;
    for (const auto& anomaly : result.anomalies) {
      many = many || anomaly.type == "too-many-grants";
      told += anomaly.type == "needless-denial" ? 1 : 0;
      lost = lost || anomaly.type == "tokens-lost";
      if (anomaly.type != "too-many-grants") continue;
      // The grants that it names are a proof by themselves.
      const History named = testing_support::part_of(history, anomaly.operations);
      EXPECT_FALSE(testing_support::grantable(testing_support::calls_of(named), four)) << requests(all);
    }
    ASSERT_EQ(many, !grantable) << "burst " << burst << "\n" << requests(all) << verdict(result);
    std::vector<int> instants;
    const bool kept = explained(may_count, 0, instants, denials, burst, 4);
    ASSERT_TRUE(!kept || (grantable && needless == 0)) << requests(all);
    ASSERT_EQ(result.verdict == Verdict::invalid, !kept) << "burst " << burst << "\n"
                                                         << requests(all) << verdict(result);
    const bool pair = !kept && grantable && needless == 0;
    ASSERT_TRUE(lost   ? needless >= 3
                : pair ? told > 0
                       : told == needless)
        << "burst " << burst << "\n"
        << requests(all) << verdict(result);
    ++seen[many ? "many" : needless > 0 ? "needless" : kept ? "fine" : "together"];
  }
  EXPECT_GT(seen["together"], 20);
  EXPECT_GT(seen["many"], 500);
  EXPECT_GT(seen["needless"], 500);
  EXPECT_GT(seen["fine"], 500);
}

// ---- the schedule by itself

bool any_order(const std::vector<Task>& tasks, const std::vector<std::size_t>& places, std::int64_t unit) {
  std::vector<std::size_t> order = places;
  std::sort(order.begin(), order.end());
  do {
    std::int64_t now = 0;
    bool fine = true;
    for (const std::size_t i : order) {
      now = std::max(now, tasks[i].release);
      fine = fine && now <= tasks[i].deadline;
      now += unit;
    }
    if (fine) return true;
  } while (std::next_permutation(order.begin(), order.end()));
  return false;
}

TEST(UnitSchedule, AgreesWithTryingAllOrders) {
  const History empty;
  CheckResult result;
  const Judgement in(*find_workload_checker("token-bucket"), empty, {}, result);
  std::mt19937 random(11);
  const auto draw = [&](int from, int to) { return std::uniform_int_distribution<int>(from, to)(random); };
  int possible = 0, impossible = 0, idle_needed = 0;
  for (int round = 0; round < 30000; ++round) {
    const int unit = draw(2, 7);
    std::vector<Task> tasks;
    std::vector<std::size_t> places;
    for (int n = draw(2, 6); n > 0; --n) {
      const int release = draw(0, 4 * unit);
      places.push_back(tasks.size());
      tasks.push_back({release, release + draw(0, 3) * draw(0, unit)});
    }
    const bool expected = any_order(tasks, places, unit);
    const Schedule found = schedule(tasks, unit, in);
    ASSERT_EQ(found.answer == Schedule::Answer::possible, expected) << round;
    ++(expected ? possible : impossible);
    if (!expected) {
      ASSERT_FALSE(any_order(tasks, found.proof, unit)) << round;
    }
    // Where taking the earliest deadline first fails although there is a schedule.
    std::int64_t now = 0;
    std::vector<bool> done(tasks.size());
    bool greedy = true;
    for (std::size_t k = 0; k < tasks.size(); ++k) {
      std::int64_t earliest = std::numeric_limits<std::int64_t>::max();
      for (std::size_t i = 0; i < tasks.size(); ++i) {
        if (!done[i]) earliest = std::min(earliest, tasks[i].release);
      }
      now = std::max(now, earliest);
      std::size_t best = tasks.size();
      for (std::size_t i = 0; i < tasks.size(); ++i) {
        if (!done[i] && tasks[i].release <= now && (best == tasks.size() || tasks[i].deadline < tasks[best].deadline))
          best = i;
      }
      greedy = greedy && tasks[best].deadline >= now;
      done[best] = true;
      now += unit;
    }
    idle_needed += expected && !greedy ? 1 : 0;
  }
  EXPECT_GT(possible, 3000);
  EXPECT_GT(impossible, 3000);
  EXPECT_GT(idle_needed, 30);  // the cases that are hard
}

}  // namespace
}  // namespace ordeal::work
