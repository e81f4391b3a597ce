// Every algorithm against the oracle on random small histories of every model. ORDEAL_HEAVY=N multiplies the number
// of histories (the default keeps the test to seconds); a disagreement prints the history.

#include <gtest/gtest.h>

#include <cstdlib>

#include "checkers/linearizability/interfaces/strategy.h"
#include "checkers/linearizability/models/operations.h"
#include "checkers/linearizability/search/searches.h"
#include "checkers/linearizability/search/space.h"
#include "checkers/linearizability/search/strategies.h"
#include "support/environment.h"
#include "support/histories.h"
#include "support/history_generator.h"
#include "support/oracle.h"

namespace ordeal::lin {
namespace {

using testing_support::oracle_linearizable;
using testing_support::random_history;
using testing_support::RandomHistory;

int times() {
  const char* heavy = std::getenv("ORDEAL_HEAVY");
  return heavy == nullptr ? 1 : std::max(1, std::atoi(heavy));
}

std::string text(const History& history) {
  std::string out;
  for (EventIndex e = 0; e < history.size(); ++e) {
    out += std::to_string(e) + ": " + history.process_name(history.process(e)) + " " +
           std::string(name(history.type(e))) + " " + std::string(history.f_name(e)) + " " +
           history.values().to_json(history.key(e)) + " " + history.values().to_json(history.value(e)) + "\n";
  }
  return out;
}

// The verdict of one algorithm over all keys; nothing when it objects to one of them.
std::optional<Verdict> verdict(const Strategy& strategy, const Partition& keys) {
  Verdict all = Verdict::valid;
  for (const KeyHistory& key : keys.keys) {
    if (!strategy.objection(key).empty()) return std::nullopt;
    Budget budget(std::chrono::steady_clock::now() + std::chrono::seconds(20), std::size_t{1} << 30, {});
    const Decision decision = strategy.decide(key, budget, false);
    EXPECT_NE(decision.verdict, Verdict::unknown) << strategy.name() << ": " << decision.reason;
    all = merged(all, decision.verdict);
  }
  return all;
}

struct Agreement {
  std::size_t valid = 0, invalid = 0;
  std::map<std::string, std::size_t> decided;
};

Agreement compare(const RandomHistory& shape, const CheckOptions& options, int rounds, std::uint64_t seed) {
  Agreement out;
  std::mt19937_64 chance(seed + 1'000'000 * (testing_support::environment_number("ORDEAL_SEED", 1) - 1));
  const int all = rounds * times();
  testing_support::count_histories(static_cast<std::size_t>(all));
  for (int round = 0; round < all; ++round) {
    RandomHistory varied = shape;
    varied.operations = 2 + chance() % shape.operations;
    varied.clients = 1 + static_cast<int>(chance() % static_cast<std::uint64_t>(shape.clients));
    const History history = random_history(varied, chance);
    const bool expected = oracle_linearizable(history, options);
    ++(expected ? out.valid : out.invalid);
    const auto model = make_model(history, options);
    if (!model) {
      ADD_FAILURE() << model.error().message;
      return out;
    }
    const Partition keys = partition(history, **model);
    for (const auto& [place, problem] : keys.not_understood) ADD_FAILURE() << problem.message << "\n" << text(history);
    for (const auto& strategy : strategies()) {
      const auto found = verdict(*strategy, keys);
      if (!found) continue;
      ++out.decided[std::string(strategy->name())];
      EXPECT_EQ(*found == Verdict::valid, expected) << strategy->name() << " on " << options.model << " says "
                                                    << name(*found) << "; seed " << seed << " round " << round << "\n"
                                                    << text(history);
      if ((*found == Verdict::valid) != expected) return out;
    }
  }
  return out;
}

class EveryModel : public testing::TestWithParam<const char*> {};

TEST_P(EveryModel, AgreesWithTheOracle) {
  CheckOptions options;
  options.model = GetParam();
  RandomHistory shape;
  shape.model = options.model;
  shape.operations = 9;
  shape.clients = 5;
  std::size_t invalid = 0;
  for (const double crashed : {0.0, 0.15, 0.45}) {
    shape.crashed = crashed;
    const Agreement seen = compare(shape, options, 300, 42);
    EXPECT_GT(seen.valid, 20u);
    invalid += seen.invalid;
  }
  EXPECT_GT(invalid, 8u);
}

INSTANTIATE_TEST_SUITE_P(Models, EveryModel,
                         testing::Values("register", "cas-register", "versioned-register", "multi-register", "kv",
                                         "counter", "fetch-add", "set", "log", "queue", "unordered-queue", "stack",
                                         "priority-queue", "mutex", "mutex-owner", "reentrant-mutex", "fenced-mutex",
                                         "semaphore-2", "unique-ids"));

TEST(UniqueValues, ZonesAgreeWithTheOracleAndTheSearches) {
  for (const char* model : {"register", "cas-register"}) {
    CheckOptions options;
    options.model = model;
    RandomHistory shape;
    shape.model = model;
    shape.operations = 10;
    shape.clients = 6;
    shape.unique_values = true;
    for (const double crashed : {0.0, 0.3}) {
      shape.crashed = crashed;
      Agreement seen = compare(shape, options, 1500, 7);
      EXPECT_GT(seen.decided["zones"], 700u);
      EXPECT_GT(seen.invalid, 200u);
    }
  }
}

// A bounded search that left something out may not say what only a whole one knows: from below nothing is invalid, and
// from above nothing valid. Where it left nothing out it must be right.
TEST_P(EveryModel, BoundedSearchesNeverSayWhatTheyDoNotKnow) {
  CheckOptions options;
  options.model = GetParam();
  RandomHistory shape;
  shape.model = options.model;
  shape.clients = 6;
  std::mt19937_64 chance(17);
  std::size_t narrow = 0, decided = 0;
  for (int round = 0; round < 400 * times(); ++round) {
    shape.operations = 4 + chance() % 8;
    shape.crashed = round % 2 == 0 ? 0.5 : 0.1;
    shape.falsify = round % 3 == 0 ? 0.6 : 0.1;
    const History history = random_history(shape, chance);
    const auto model = make_model(history, options);
    ASSERT_TRUE(model) << model.error().message;
    const Partition keys = partition(history, **model);
    const bool expected = oracle_linearizable(history, options);
    if (keys.keys.size() != 1) continue;
    for (const Side side : {Side::below, Side::above}) {
      for (const std::size_t width : {1u, 2u}) {
        Budget budget(std::chrono::steady_clock::now() + std::chrono::seconds(20), std::size_t{1} << 30, {});
        const Decision found = search_within({side, width, {}}, keys.keys[0], budget, false);
        if (found.verdict == Verdict::unknown) {
          EXPECT_TRUE(found.too_narrow) << found.reason;
          ++narrow;
          continue;
        }
        ++decided;
        ASSERT_EQ(found.verdict == Verdict::valid, expected)
            << (side == Side::below ? "below" : "above") << " with " << width << ", round " << round << "\n"
            << text(history);
      }
    }
  }
  EXPECT_GT(decided, 400u);
}

// What a search of width one leaves behind is what the history needs: 40 increments that crashed, of amounts whose sums
// are read later.
TEST(BoundedSearches, WhatWasLeftBehindIsNotTakenForImpossible) {
  HistoryBuilder builder;
  ProcessId process = 0;
  const auto event = [&](ProcessId by, EventType type, const char* f, Value value) {
    Event one;
    one.process = by;
    one.type = type;
    one.f = *builder.function(f);
    one.value = builder.values().intern(value);
    ASSERT_TRUE(builder.add(one));
  };
  std::int64_t sum = 0;
  std::mt19937_64 chance(3);
  for (int round = 0; round < 12; ++round) {
    std::int64_t some = 0;
    for (int i = 0; i < 5; ++i) {
      const auto amount = static_cast<std::int64_t>(1 + chance() % 60);
      event(++process, EventType::invoke, "add", amount);
      if (chance() % 2 == 0) some += amount;
    }
    sum += some;
    event(0, EventType::invoke, "read", {});
    event(0, EventType::ok, "read", sum);
  }
  const History history = builder.finish();
  CheckOptions options;
  options.model = "counter";
  const auto model = make_model(history, options);
  ASSERT_TRUE(model);
  const Partition keys = partition(history, **model);
  ASSERT_EQ(keys.keys.size(), 1u);
  for (const std::size_t width : {1u, 2u, 4u}) {
    Budget budget(std::chrono::steady_clock::now() + std::chrono::seconds(5), std::size_t{1} << 30, {});
    EXPECT_NE(search_within({Side::below, width, {}}, keys.keys[0], budget, false).verdict, Verdict::invalid) << width;
  }
}

TEST(UniqueValues, AnInitialValueThatIsWrittenAgainIsNotForZones) {
  std::size_t refused = 0, decided = 0;
  for (const char* model : {"register", "cas-register"}) {
    for (const std::int64_t initial : {0, 1, 2, 5}) {
      CheckOptions options;
      options.model = model;
      options.initial = Value(initial);
      RandomHistory shape;
      shape.model = model;
      shape.operations = 8;
      shape.clients = 4;
      shape.unique_values = true;
      shape.crashed = 0.15;
      std::mt19937_64 chance(initial + 1);
      for (int round = 0; round < 250; ++round) {
        const History history = random_history(shape, chance);
        const auto made = make_model(history, options);
        ASSERT_TRUE(made);
        const Partition keys = partition(history, **made);
        const auto found = verdict(*find_strategy("zones"), keys);
        ++(found ? decided : refused);
        if (found) {
          ASSERT_EQ(*found == Verdict::valid, oracle_linearizable(history, options)) << initial << "\n"
                                                                                     << text(history);
        }
      }
    }
  }
  EXPECT_GT(refused, 100u);
  EXPECT_GT(decided, 100u);
}

TEST(SeveralKeys, AreIndependent) {
  CheckOptions options;
  options.model = "cas-register";
  RandomHistory shape;
  shape.keys = 3;
  shape.operations = 11;
  shape.clients = 5;
  (void)compare(shape, options, 500, 3);
}

TEST(NilReads, CanBeUnknown) {
  CheckOptions options;
  options.model = "register";
  options.nil_reads = NilReads::unknown;
  RandomHistory shape;
  shape.model = "register";
  (void)compare(shape, options, 500, 11);
}

// More states than a block holds, short and long ones; each is known again, and pushing leads from one to the next.
TEST(Transitions, KeepManyStates) {
  HistoryBuilder builder;
  CheckOptions options;
  options.model = "stack";
  const auto model = make_model(builder.finish(), options);
  ASSERT_TRUE(model);
  Operation push;
  push.code = queue::kPut;
  push.a = 7;
  const std::vector<Operation> classes{push};
  Budget budget(std::chrono::steady_clock::time_point::max(), std::size_t{1} << 30, {});
  Transitions transitions(**model, classes, budget);
  std::vector<StateId> ids{transitions.intern((*model)->initial())};
  std::vector<State> states{(*model)->initial()};
  for (int i = 0; i < 1'500; ++i) {
    const auto next = transitions.next(ids.back(), 0);
    ASSERT_EQ(next.size(), 1u);
    ids.push_back(next[0]);
    states.emplace_back();
    std::vector<State> stepped;
    (*model)->step(states[states.size() - 2], push, stepped);
    ASSERT_EQ(stepped.size(), 1u);
    states.back() = stepped[0];
  }
  ASSERT_EQ(transitions.size(), states.size());
  for (std::size_t i = 0; i < states.size(); ++i) {
    ASSERT_EQ(transitions.state(ids[i]), states[i]) << i;
    ASSERT_EQ(transitions.intern(states[i]), ids[i]) << i;
  }
  EXPECT_EQ(transitions.size(), states.size());
}

}  // namespace
}  // namespace ordeal::lin
