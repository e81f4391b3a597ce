// What a counterexample rests on: that a complete part of a history (links.h) has a linearization whenever the whole
// has one, on random histories and random parts of them; and that the long histories' violations are found and
// minimised.

#include <gtest/gtest.h>

#include "checkers/linearizability/checker.h"
#include "checkers/linearizability/proof/links.h"
#include "checkers/linearizability/proof/minimise.h"
#include "checkers/linearizability/search/relaxation.h"
#include "checkers/linearizability/search/strategies.h"
#include "support/environment.h"
#include "support/history_generator.h"
#include "support/long_history.h"
#include "support/oracle.h"

namespace ordeal::lin {
namespace {

using namespace testing_support;

Verdict searched(const KeyHistory& part) {
  Budget budget(std::chrono::steady_clock::time_point::max(), std::size_t{1} << 30, {});
  return find_strategy("wgl")->decide(part, budget, false).verdict;
}

class Parts : public testing::TestWithParam<const char*> {};

TEST_P(Parts, OfValidHistoriesAreValidWhenTheyAreComplete) {
  CheckOptions options;
  options.model = GetParam();
  RandomHistory shape;
  shape.model = options.model;
  shape.crashed = 0.2;
  shape.falsify = 0;
  std::mt19937_64 chance(11);
  std::size_t complete = 0, smaller = 0;
  for (std::size_t round = 0; round < 400 * heavy(); ++round) {
    shape.operations = 3 + chance() % 9;
    const History history = random_history(shape, chance);
    const auto model = make_model(history, options);
    const Partition keys = partition(history, **model);
    if (keys.keys.empty()) continue;
    const KeyHistory& key = keys.keys[0];
    ASSERT_EQ(searched(key), Verdict::valid);
    Links links(key);
    for (int tries = 0; tries < 10; ++tries) {
      // Together what goes together, and all that stays.
      Calls part;
      const std::uint64_t salt = chance();
      for (CallIndex i = 0; i < key.calls.size(); ++i) {
        const auto group = links.together(i) >= 0 ? static_cast<std::uint64_t>(links.together(i)) : 1000 + i;
        if (links.stays(i) || std::mt19937_64(salt ^ group)() % 3 != 0) part.push_back(i);
      }
      for (const bool crashed_observe : {true, false}) {
        if (!crashed_observe && !is_one_register(**model)) continue;
        if (!links.complete(part, crashed_observe)) continue;
        ++complete;
        smaller += part.size() < key.calls.size();
        KeyHistory alone = part_of(key, part);
        for (Call& call : alone.calls) {
          if (!crashed_observe) relax({Relaxation::Kind::count_all, 0}, call);
        }
        ASSERT_EQ(searched(alone), Verdict::valid)
            << "round " << round << ", " << part.size() << " of " << key.calls.size();
      }
    }
  }
  EXPECT_GT(complete, 400u);
  EXPECT_GE(smaller, options.model == "fetch-add" ? 0u : 30u);  // of those nothing but reads can go
}

INSTANTIATE_TEST_SUITE_P(Models, Parts,
                         testing::Values("register", "cas-register", "versioned-register", "kv", "counter", "fetch-add",
                                         "set", "log", "queue", "unordered-queue", "stack", "priority-queue", "mutex",
                                         "mutex-owner", "reentrant-mutex", "fenced-mutex", "semaphore-2",
                                         "unique-ids"));

class Violations : public testing::TestWithParam<Violation> {};

TEST_P(Violations, AreFoundAndProved) {
  for (const int values : {0, 2, 5}) {
    for (const double crashed : {0.0, 0.05}) {
      for (std::uint64_t seed = 1; seed <= 3; ++seed) {
        LongHistory shape;
        shape.operations = 400;
        shape.values = values;
        shape.cas = values != 0;
        shape.crashed = crashed;
        shape.clients = 5;
        shape.where = 0.6;
        shape.violation = GetParam();
        shape.seed = seed;
        const History history = long_history(shape);
        CheckOptions options;
        options.model = "cas-register";
        const CheckResult result = linearizable_checker()->check(history, options);
        if (GetParam() == Violation::none) {
          EXPECT_EQ(result.verdict, Verdict::valid) << result.reason;
          continue;
        }
        ASSERT_EQ(result.verdict, Verdict::invalid) << values << " " << crashed << " " << seed << ": " << result.reason;
        const auto model = make_model(history, options);
        const Partition keys = partition(history, **model);
        Calls named;
        for (CallIndex i = 0; i < keys.keys[0].calls.size(); ++i) {
          if (std::count(result.anomalies[0].operations.begin(), result.anomalies[0].operations.end(),
                         keys.keys[0].calls[i].inv) != 0) {
            named.push_back(i);
          }
        }
        Budget budget(std::chrono::steady_clock::time_point::max(), std::size_t{1} << 30, {});
        EXPECT_TRUE(proves_violation(keys.keys[0], named, budget));
        EXPECT_LT(named.size(), 80u);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, Violations,
                         testing::Values(Violation::none, Violation::stale_read, Violation::lost_write,
                                         Violation::future_read, Violation::stale_replica),
                         [](const auto& one) {
                           std::string out(name(one.param));
                           std::replace(out.begin(), out.end(), '-', '_');
                           return out;
                         });

}  // namespace
}  // namespace ordeal::lin
