#include "harness/generator/combinators.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "tests/harness/generator/simulation.h"

namespace ordeal::gen {
namespace {

using testing::ElementsAre;

constexpr std::int64_t kMs = 1'000'000;
constexpr std::int64_t kSecond = 1'000'000'000;

TEST(Generators, OperationsComeOnceInOrderAndThenItIsDone) {
  auto g = operations({op("a"), op("b"), op("c")});
  Simulation sim{.workers = 2};
  EXPECT_THAT(texts(sim.play(*g)), ElementsAre("a", "b", "c"));
  EXPECT_TRUE(sim.finished);
}

TEST(Generators, RepeatLimitAndOnce) {
  Simulation sim{.workers = 3};
  EXPECT_EQ(sim.play(*repeat(op("r"), 5)).size(), 5u);
  EXPECT_EQ(sim.play(*limit(4, repeat(op("r")))).size(), 4u);
  EXPECT_EQ(sim.play(*once(op("r"))).size(), 1u);
  EXPECT_EQ(sim.play(*once(counting("w"))).size(), 1u);
}

TEST(Generators, MapAndFilter) {
  Simulation sim;
  auto doubled = map(
      [](Operation o) {
        o.value = o.value.integer() * 2;
        return o;
      },
      limit(3, counting("w")));
  EXPECT_THAT(texts(sim.play(*doubled)), ElementsAre("w 0", "w 2", "w 4"));
  auto even = filter([](const Operation& o) { return o.value.integer() % 2 == 0; }, limit(6, counting("w")));
  EXPECT_THAT(texts(sim.play(*even)), ElementsAre("w 0", "w 2", "w 4"));
}

TEST(Generators, FilterThatKeepsNothingOfAnEndlessChildDoesNotHang) {
  auto g = filter([](const Operation&) { return false; }, counting("w"));
  EXPECT_TRUE(std::holds_alternative<Wait>(g->next({0, 0, 0, 1})));
}

TEST(Generators, MixFollowsItsWeights) {
  std::vector<Weighted> parts;
  parts.push_back({3, repeat(op("r"))});
  parts.push_back({1, repeat(op("w"))});
  auto g = weighted_mix(Rng(1), std::move(parts));
  Simulation sim{.workers = 4, .most = 4000};
  std::map<std::string, int> count;
  for (const auto& t : texts(sim.play(*g))) ++count[t];
  EXPECT_NEAR(count["r"], 3000, 150);
}

TEST(Generators, MixGoesOnWithTheChildrenThatAreLeft) {
  auto g = mix(Rng(1), list_of(repeat(op("a"), 3), repeat(op("b"), 50)));
  Simulation sim{.workers = 2};
  EXPECT_EQ(sim.play(*g).size(), 53u);
  EXPECT_TRUE(sim.finished);
}

TEST(Generators, AnyTakesTheChildThatIsReady) {
  auto g = any(list_of(delay(10 * kMs, repeat(op("slow"), 3)), delay(kMs, repeat(op("quick"), 20))));
  Simulation sim{.workers = 2};
  const auto log = sim.play(*g);
  EXPECT_EQ(log.size(), 23u);
  EXPECT_LT(log.back().time_ns, 25 * kMs);
}

TEST(Generators, SequenceMovesOnWithoutABarrier) {
  auto g = sequence(list_of(repeat(op("a"), 2), repeat(op("b"), 3)));
  Simulation sim{.workers = 2};
  // The first operation is slow: the other worker goes on to the next part meanwhile.
  sim.latency = [](const Issued& i) { return i.worker == 0 ? 100 * kMs : kMs; };
  const auto log = sim.play(*g);
  EXPECT_THAT(texts(log), ElementsAre("a", "a", "b", "b", "b"));
  EXPECT_LT(log.back().time_ns, 100 * kMs);
}

TEST(Generators, PhasesWaitForEveryOpenOperation) {
  for (int workers = 1; workers <= 5; ++workers) {
    Simulation sim{.workers = workers};
    sim.latency = [](const Issued& i) { return (1 + 13 * i.worker % 7) * kMs; };
    auto g = phases(list_of(repeat(op("a"), 23), repeat(op("b"), 17), once(op("c"))));
    const auto log = sim.play(*g);
    ASSERT_EQ(log.size(), 41u);
    EXPECT_TRUE(sim.finished);
    std::map<std::string, std::pair<std::int64_t, std::int64_t>> span;  // phase: first invocation, last completion
    for (const auto& one : log) {
      auto [it, fresh] = span.try_emplace(one.operation.f, one.time_ns, one.over_ns);
      if (!fresh) it->second.second = std::max(it->second.second, one.over_ns);
    }
    EXPECT_GE(span["b"].first, span["a"].second);
    EXPECT_GE(span["c"].first, span["b"].second);
  }
}

TEST(Generators, SynchronizeHoldsBackUntilEverybodyIsFree) {
  auto g = sequence(list_of(repeat(op("a"), 3), synchronize(repeat(op("b"), 2))));
  Simulation sim{.workers = 3};
  sim.latency = [](const Issued& i) { return i.worker == 1 ? 50 * kMs : kMs; };
  const auto log = sim.play(*g);
  ASSERT_EQ(log.size(), 5u);
  EXPECT_GE(log[3].time_ns, 50 * kMs);
}

TEST(Generators, PhasesWithinAReservedGroupWaitForThatGroupOnly) {
  std::vector<Reserved> groups;
  groups.push_back({2, phases(list_of(repeat(op("a"), 2), repeat(op("b"), 2)))});
  auto g = reserve(std::move(groups), repeat(op("rest"), 1));
  Simulation sim{.workers = 3};
  sim.latency = [](const Issued& i) { return i.worker == 2 ? kSecond : kMs; };
  const auto log = sim.play(*g);
  EXPECT_EQ(log.size(), 5u);
  EXPECT_EQ(sim.end_ns, kSecond);
  for (const auto& one : log) EXPECT_LT(one.time_ns, 100 * kMs);
}

TEST(Generators, UntilOkRepeatsUntilOneSucceeds) {
  auto g = until_ok(counting("w"));
  Simulation sim;
  sim.outcome = [](const Issued& i) { return i.operation.value.integer() < 4 ? EventType::info : EventType::ok; };
  EXPECT_EQ(sim.play(*g).size(), 5u);
  EXPECT_TRUE(sim.finished);
}

// What wraps a generator passes on what becomes of its operations: else until_ok() would never hear of an ok.
TEST(Generators, WhatWrapsAGeneratorPassesItsEventsOn) {
  const auto inner = [] { return until_ok(counting("w")); };
  const auto issued = [](GeneratorPtr g) {
    Simulation sim;
    sim.most = 50;
    sim.outcome = [](const Issued& i) { return i.operation.value.integer() < 4 ? EventType::info : EventType::ok; };
    return sim.play(*g).size();
  };
  EXPECT_EQ(issued(map([](Operation o) { return o; }, inner())), 5u);
  EXPECT_EQ(issued(filter([](const Operation&) { return true; }, inner())), 5u);
  EXPECT_EQ(issued(limit(20, inner())), 5u);
  EXPECT_EQ(issued(limit(3, inner())), 3u);
  EXPECT_EQ(issued(rate(Arrivals::fixed, 1000, Rng(1), inner())), 5u);
  EXPECT_EQ(issued(time_limit(std::int64_t{1'000'000'000}, inner())), 5u);
}

TEST(Generators, EventsGoToTheChildOfTheOperationOnly) {
  // Were the ok of "a" shown to the second child, "b" would never be issued.
  auto g = mix(Rng(3), list_of(repeat(op("a"), 20), until_ok(repeat(op("b")))));
  Simulation sim{.workers = 3};
  sim.outcome = [](const Issued& i) { return i.operation.f == "a" ? EventType::ok : EventType::info; };
  sim.most = 100;
  EXPECT_EQ(sim.play(*g).size(), 100u);
}

TEST(Generators, TimeLimitEndsEverybodyEvenThoseAsleep) {
  auto g = time_limit(kSecond, delay(3 * kSecond, repeat(op("a"))));
  Simulation sim{.workers = 3};
  EXPECT_EQ(sim.play(*g).size(), 1u);
  EXPECT_TRUE(sim.finished);
  EXPECT_EQ(sim.end_ns, kSecond);
}

TEST(Generators, SleepIsAPauseInASequence) {
  auto g = sequence(list_of(once(op("a")), sleep(kSecond), once(op("b"))));
  Simulation sim;
  const auto log = sim.play(*g);
  ASSERT_EQ(log.size(), 2u);
  EXPECT_EQ(log[1].time_ns - log[0].over_ns, kSecond);
}

TEST(Generators, CycleStartsAnewAndAnEmptyCycleEnds) {
  auto g = cycle([](std::uint64_t) { return operations({op("a"), op("b")}); }, 2);
  Simulation sim;
  EXPECT_THAT(texts(sim.play(*g)), ElementsAre("a", "b", "a", "b"));
  auto empty = cycle([](std::uint64_t) { return operations({}); });
  EXPECT_TRUE(std::holds_alternative<Done>(empty->next({0, 0, 0, 1})));
}

TEST(Generators, ReserveDividesTheWorkers) {
  std::vector<Reserved> groups;
  groups.push_back({2, repeat(op("a"), 20)});
  groups.push_back({1, repeat(op("b"), 20)});
  auto g = reserve(std::move(groups), repeat(op("c"), 20));
  Simulation sim{.workers = 5};
  const auto log = sim.play(*g);
  EXPECT_EQ(log.size(), 60u);
  for (const auto& one : log) EXPECT_EQ(one.operation.f, one.worker < 2 ? "a" : one.worker < 3 ? "b" : "c");
}

TEST(Generators, ReserveForMoreWorkersThanThereAre) {
  std::vector<Reserved> groups;
  groups.push_back({2, repeat(op("a"), 4)});
  groups.push_back({5, repeat(op("b"), 4)});
  auto g = reserve(std::move(groups), nullptr);
  Simulation sim{.workers = 3};
  EXPECT_EQ(sim.play(*g).size(), 8u);
  EXPECT_TRUE(sim.finished);
}

TEST(Generators, EachKeyWorksInGroupsThroughTheKeys) {
  auto g = each_key({.workers_per_key = 2, .operations_per_key = 10, .keys = 7},
                    [](std::uint64_t) { return counting("w"); });
  Simulation sim{.workers = 5};  // groups: {0,1}, {2,3}, {4}
  const auto log = sim.play(*g);
  ASSERT_EQ(log.size(), 70u);
  EXPECT_TRUE(sim.finished);
  std::map<std::string, int> count;
  std::map<std::string, std::set<int>> groups;
  for (const auto& one : log) {
    ++count[one.operation.key->string()];
    groups[one.operation.key->string()].insert(one.worker / 2);
  }
  EXPECT_EQ(count.size(), 7u);
  for (int k = 0; k < 7; ++k) {
    const std::string key = "k" + std::to_string(k);
    EXPECT_EQ(count[key], 10);
    EXPECT_THAT(groups[key], ElementsAre(k % 3));
  }
}

TEST(Generators, EachKeyIsNotHeldUpByAStuckWorker) {
  auto g = each_key({.workers_per_key = 2, .operations_per_key = 5, .keys = 20},
                    [](std::uint64_t) { return counting("w"); });
  Simulation sim{.workers = 2};
  sim.latency = [](const Issued& i) { return i.worker == 0 ? kSecond : kMs; };
  const auto log = sim.play(*g);
  EXPECT_EQ(log.size(), 100u);
  EXPECT_LT(log.back().time_ns, kSecond);
}

// ---- rates, by a clock that the test moves

double mean_gap_ms(const std::vector<Issued>& log) {
  return static_cast<double>(log.back().time_ns - log.front().time_ns) / 1e6 / static_cast<double>(log.size() - 1);
}

TEST(Rates, FixedIsEvenlySpaced) {
  auto g = rate(Arrivals::fixed, 200, Rng(1), repeat(op("a")));
  Simulation sim{.workers = 4, .most = 100};
  const auto log = sim.play(*g);
  for (std::size_t i = 1; i < log.size(); ++i) EXPECT_EQ(log[i].time_ns - log[i - 1].time_ns, 5 * kMs);
}

TEST(Rates, PoissonHasTheMeanAndTheSpreadOfOne) {
  auto g = rate(Arrivals::poisson, 200, Rng(1), repeat(op("a")));
  Simulation sim{.workers = 50, .most = 10'000};
  const auto log = sim.play(*g);
  EXPECT_NEAR(mean_gap_ms(log), 5, 0.2);
  // In an exponential distribution 63.2 % lie below the mean.
  int below = 0;
  for (std::size_t i = 1; i < log.size(); ++i) below += log[i].time_ns - log[i - 1].time_ns < 5 * kMs ? 1 : 0;
  EXPECT_NEAR(below / 9999.0, 0.632, 0.02);
}

TEST(Rates, ArrivalTimesAreFixedByTheSeed) {
  const auto times = [](std::uint64_t seed, int workers) {
    auto g = rate(Arrivals::poisson, 1000, Rng(seed), repeat(op("a")));
    Simulation sim{.workers = workers, .most = 500};
    sim.latency = [](const Issued&) { return std::int64_t{1000}; };
    std::vector<std::int64_t> out;
    for (const auto& one : sim.play(*g)) out.push_back(one.time_ns);
    return out;
  };
  EXPECT_EQ(times(7, 20), times(7, 20));
  EXPECT_EQ(times(7, 20), times(7, 40));
  EXPECT_NE(times(7, 20), times(8, 20));
}

TEST(Rates, AHighRateIsReachedAlthoughGapsAreFractionsOfANanosecond) {
  auto g = rate(Arrivals::fixed, 3e8, Rng(1), repeat(op("a")));
  Simulation sim{.workers = 1, .most = 3000};
  sim.latency = [](const Issued&) { return std::int64_t{1}; };
  const auto log = sim.play(*g);
  EXPECT_NEAR(static_cast<double>(log.back().time_ns), 10'000, 20);
}

TEST(Rates, AStallIsNotFollowedByAStorm) {
  auto g = rate(Arrivals::fixed, 1000, Rng(1), repeat(op("a")));
  Simulation sim{.workers = 1, .most = 400};
  sim.latency = [](const Issued& i) { return i.time_ns == 0 ? 10 * kSecond : std::int64_t{1000}; };
  const auto log = sim.play(*g);
  const auto storm = std::count_if(log.begin(), log.end(), [](const Issued& i) {
    return i.time_ns >= 10 * kSecond && i.time_ns < 10 * kSecond + kMs;
  });
  EXPECT_LE(storm, 105);
  EXPECT_GE(storm, 90);
}

TEST(Rates, ZeroMeansUnlimited) {
  auto g = rate(Arrivals::poisson, 0, Rng(1), repeat(op("a")));
  Simulation sim{.workers = 1, .most = 10};
  sim.latency = [](const Issued&) { return std::int64_t{0}; };
  EXPECT_EQ(sim.play(*g).back().time_ns, 0);
}

// ---- determinism

GeneratorPtr register_like(std::uint64_t seed) {
  const Rng root(seed);
  return each_key({.workers_per_key = 3, .operations_per_key = 40, .keys = 12}, [root](std::uint64_t key) {
    const Rng rng = root.split(key);
    const auto writes = [](const GeneratorContext&, Rng& r) { return op("write", r.between(0, 4)); };
    return mix(rng.split("mix"), list_of(repeat(op("read")), generate(rng.split("write"), writes)));
  });
}

TEST(Determinism, TheSameSeedAndTimingGiveTheSameSchedule) {
  const auto play = [](std::uint64_t seed) {
    Simulation sim{.workers = 7};
    auto g = register_like(seed);
    return texts(sim.play(*g));
  };
  EXPECT_EQ(play(1), play(1));
  EXPECT_NE(play(1), play(2));
}

TEST(Determinism, EachKeySeesTheSameOperationsWhateverTheTiming) {
  const auto by_key = [](std::uint64_t latency_seed) {
    Simulation sim{.workers = 7};
    auto rng = std::make_shared<Rng>(latency_seed);
    sim.latency = [rng](const Issued&) { return rng->between(1, 20) * kMs; };
    auto g = register_like(5);
    std::map<std::string, std::vector<std::string>> out;
    for (const auto& one : sim.play(*g)) out[one.operation.key->string()].push_back(text(one.operation));
    return out;
  };
  const auto reference = by_key(1);
  EXPECT_EQ(reference.size(), 12u);
  for (std::uint64_t seed = 2; seed < 10; ++seed) EXPECT_EQ(by_key(seed), reference);
}

}  // namespace
}  // namespace ordeal::gen
