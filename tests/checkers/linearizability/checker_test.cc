// The checker as a whole: verdicts on the shared data, certificates, minimal counterexamples, budgets.

#include "checkers/linearizability/checker.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "checkers/history/reader.h"
#include "checkers/linearizability/proof/certificate.h"
#include "checkers/linearizability/proof/minimise.h"
#include "checkers/linearizability/proof/window.h"
#include "checkers/linearizability/search/strategies.h"
#include "support/history_generator.h"
#include "support/long_history.h"
#include "support/oracle.h"

namespace ordeal {
namespace {

using testing_support::long_history;
using testing_support::LongHistory;
using testing_support::oracle_linearizable;
using testing_support::random_history;
using testing_support::RandomHistory;

std::filesystem::path shared_data() {
  const char* given = std::getenv("ORDEAL_SHARED_DATA");
  return given != nullptr ? given : ORDEAL_SHARED_DATA_DIR;
}

std::vector<std::vector<std::string>> table(const std::filesystem::path& file) {
  std::vector<std::vector<std::string>> rows;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    std::vector<std::string> row;
    std::istringstream cells(line);
    for (std::string cell; std::getline(cells, cell, '\t');) row.push_back(cell);
    if (!row.empty()) rows.push_back(std::move(row));
  }
  return rows;
}

CheckResult check(const History& history, const CheckOptions& options) {
  return linearizable_checker()->check(history, options);
}

TEST(SharedData, AdversarialHistoriesHaveTheKnownVerdicts) {
  const auto folder = shared_data() / "adversarial";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "the shared data is not at " << folder;
  std::size_t rows = 0;
  for (const auto& row : table(folder / "expected.tsv")) {
    if (row.size() < 4 || row[2] != "linearizable") continue;
    const auto read = read_history_file((folder / row[0]).string());
    ASSERT_TRUE(read) << read.error().message;
    for (const char* algorithm : {"auto", "jit", "wgl", "race", "zones"}) {
      // 20 and 50 concurrent writers of values of their own are what zones are for.
      const bool general = std::string(algorithm) == "jit" || std::string(algorithm) == "race";
      if (row[0].starts_with("hard-") && std::string(algorithm) == "wgl") continue;
      if (row[0].starts_with("hard-long-n5000") && general) continue;
      CheckOptions options;
      options.model = row[1];
      options.algorithm = algorithm;
      options.certificate = true;
      options.timeout = std::chrono::seconds(20);
      const CheckResult result = check(read->history, options);
      if (result.verdict == Verdict::unknown && std::string(algorithm) == "zones") continue;
      EXPECT_EQ(name(result.verdict), row[3])
          << row[0] << " as " << row[1] << " by " << algorithm << ": " << result.reason;
      EXPECT_EQ(result.verdict == Verdict::invalid, !result.anomalies.empty());
    }
    ++rows;
  }
  EXPECT_GT(rows, 60u);
}

TEST(SharedData, EtcdLogsHaveTheKnownVerdicts) {
  const auto folder = shared_data() / "etcd-jepsen";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "the shared data is not at " << folder;
  std::size_t rows = 0;
  for (const auto& row : table(folder / "expected.tsv")) {
    if (row.size() < 2 || !row[0].ends_with(".log")) continue;
    const auto read = read_history_file((folder / row[0]).string());
    ASSERT_TRUE(read) << read.error().message;
    for (const char* algorithm : {"auto", "jit", "wgl"}) {
      CheckOptions options;
      options.model = "cas-register";
      options.algorithm = algorithm;
      options.certificate = true;
      const CheckResult result = check(read->history, options);
      EXPECT_EQ(name(result.verdict), row[1]) << row[0] << " by " << algorithm << ": " << result.reason;
    }
    ++rows;
  }
  EXPECT_GT(rows, 40u);
}

class EveryModel : public testing::TestWithParam<const char*> {};

TEST_P(EveryModel, CertifiesWhatIsValidAndMinimisesWhatIsNot) {
  CheckOptions options;
  options.model = GetParam();
  options.certificate = true;
  RandomHistory shape;
  shape.model = options.model;
  shape.crashed = 0.2;
  std::mt19937_64 chance(5);
  std::size_t certified = 0, minimised = 0;
  for (int round = 0; round < 250; ++round) {
    shape.operations = 3 + chance() % 9;
    shape.clients = 2 + static_cast<int>(chance() % 4);
    const History history = random_history(shape, chance);
    const CheckResult result = check(history, options);
    if (result.verdict == Verdict::unknown) {
      EXPECT_NE(result.reason.find("observed"), std::string::npos) << result.reason;
      continue;
    }
    EXPECT_EQ(result.verdict == Verdict::valid, oracle_linearizable(history, options));
    if (result.verdict == Verdict::valid) {
      EXPECT_EQ(verify_certificate(history, options, result), "");
      ++certified;
      continue;
    }
    ASSERT_EQ(result.anomalies.size(), 1u);
    const Anomaly& anomaly = result.anomalies[0];
    EXPECT_FALSE(anomaly.explanation.empty());
    EXPECT_GE(anomaly.sentences.size(), 2u);
    ++minimised;
    // The operations named alone are a history; none may be superfluous.
    const auto model = lin::make_model(history, options);
    const lin::Partition keys = lin::partition(history, **model);
    const lin::KeyHistory& key = keys.keys[0];
    std::vector<lin::CallIndex> minimal;
    for (lin::CallIndex i = 0; i < key.calls.size(); ++i) {
      if (std::count(anomaly.operations.begin(), anomaly.operations.end(), key.calls[i].inv) != 0) minimal.push_back(i);
    }
    const auto verdict = [&](const std::vector<lin::CallIndex>& calls) {
      lin::Budget budget(std::chrono::steady_clock::time_point::max(), std::size_t{1} << 30, {});
      return lin::find_strategy("wgl")->decide(lin::part_of(key, calls), budget, false).verdict;
    };
    EXPECT_EQ(verdict(minimal), Verdict::invalid);
    lin::Budget plenty(std::chrono::steady_clock::time_point::max(), std::size_t{1} << 30, {});
    const bool complete = lin::proves_violation(key, minimal, plenty);
    EXPECT_TRUE(complete || lin::are_window(key, minimal, plenty));
    if (options.model != "register" && options.model != "cas-register") continue;
    for (std::size_t out = 0; out < minimal.size(); ++out) {
      auto rest = minimal;
      rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(out));
      EXPECT_FALSE(complete ? lin::proves_violation(key, rest, plenty) : lin::are_window(key, rest, plenty));
    }
  }
  EXPECT_GT(certified, 20u);
  EXPECT_GT(minimised, 3u);
}

INSTANTIATE_TEST_SUITE_P(Models, EveryModel,
                         testing::Values("register", "cas-register", "versioned-register", "kv", "counter", "fetch-add",
                                         "set", "log", "queue", "stack", "priority-queue", "mutex", "mutex-owner",
                                         "reentrant-mutex", "fenced-mutex", "semaphore-2", "unique-ids"));

// A history of which each operation is needed: writes and reads one after the other, a failed and a crashed write.
History for_certificates() {
  auto read = read_history(R"({"process":0,"type":"invoke","f":"write","value":1}
{"process":0,"type":"ok","f":"write","value":1}
{"process":1,"type":"invoke","f":"read","value":null}
{"process":1,"type":"ok","f":"read","value":1}
{"process":0,"type":"invoke","f":"write","value":2}
{"process":0,"type":"fail","f":"write","value":2}
{"process":2,"type":"invoke","f":"write","value":3}
{"process":2,"type":"info","f":"write","value":3}
{"process":0,"type":"invoke","f":"write","value":1}
{"process":0,"type":"ok","f":"write","value":1}
{"process":1,"type":"invoke","f":"read","value":null}
{"process":1,"type":"ok","f":"read","value":1}
)",
                           "test");
  EXPECT_TRUE(read) << read.error().message;
  return std::move(read->history);
}

// Each rule alone: the changed order breaks that one and no other, and its message is told.
TEST(Certificates, AreRefusedWhenTheyAreWrong) {
  const History history = for_certificates();
  CheckOptions options;
  options.model = "cas-register";
  options.certificate = true;
  const auto said = [&](std::vector<EventIndex> order, Value key = {}) {
    CheckResult result;
    result.verdict = Verdict::valid;
    result.certificate = {{std::move(key), std::move(order)}};
    return verify_certificate(history, options, result);
  };
  EXPECT_EQ(said({0, 2, 8, 10}), "");
  EXPECT_EQ(said({0, 2, 6, 8, 10}), "") << "a crashed write may have happened";
  EXPECT_EQ(said({0, 2, 8}), "the operation of event 10 is missing");
  EXPECT_EQ(said({0, 2, 10}), "the operation of event 8 is missing");
  EXPECT_EQ(said({0, 2, 2, 8, 10}), "the operation of event 2 is placed twice");
  EXPECT_EQ(said({0, 2, 10, 8}),
            "the operation of event 10 is placed before one that had already returned when it began");
  EXPECT_EQ(said({8, 2, 0, 10}),
            "the operation of event 2 is placed before one that had already returned when it began");
  EXPECT_EQ(said({0, 2, 4, 8, 10}), "the operation of event 4 failed, and is placed all the same");
  EXPECT_EQ(said({0, 2, 8, 6, 10}), "the operation of event 10 (1 read -> ok 1) is not possible where it is placed");
  EXPECT_EQ(said({0, 3, 8, 10}), "the order names an event that is no invocation");
  EXPECT_EQ(said({0, 2, 8, 10}, Value("k")), "the operation of event 0 belongs to another key");
}

// The changes of a right order at random: what is still an order of all, by the oracle's rules, is accepted, else not.
TEST(Certificates, OfOrdersChangedAtRandomAreRefused) {
  CheckOptions options;
  options.certificate = true;
  std::mt19937_64 chance(21);
  std::size_t refused = 0;
  for (const char* model : {"cas-register", "queue", "counter", "set", "stack", "mutex-owner"}) {
    options.model = model;
    RandomHistory shape;
    shape.model = model;
    shape.falsify = 0;
    shape.crashed = 0;
    for (int round = 0; round < 60; ++round) {
      shape.operations = 4 + chance() % 5;
      const History history = random_history(shape, chance);
      CheckResult result = check(history, options);
      if (result.verdict != Verdict::valid) continue;
      ASSERT_EQ(verify_certificate(history, options, result), "");
      auto& order = result.certificate[0].second;
      if (order.size() < 2) continue;
      const std::size_t at = chance() % order.size();
      CheckResult without = result;
      auto& shorter = without.certificate[0].second;
      shorter.erase(shorter.begin() + static_cast<std::ptrdiff_t>(at));
      EXPECT_NE(verify_certificate(history, options, without), "") << "one is missing";
      CheckResult twice = result;
      twice.certificate[0].second.push_back(order[at]);
      EXPECT_NE(verify_certificate(history, options, twice), "") << "one is there twice";
      // Two neighbours of which the first had returned before the second began.
      for (std::size_t i = 0; i + 1 < order.size(); ++i) {
        if (history.partner(order[i]) > order[i + 1]) continue;
        CheckResult swapped = result;
        std::swap(swapped.certificate[0].second[i], swapped.certificate[0].second[i + 1]);
        EXPECT_NE(verify_certificate(history, options, swapped), "") << "against real time";
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 100u);
}

// Without memory for the searches a smaller part is undecided: it may not be taken for invalid, or the counterexample
// is none.
TEST(Counterexamples, AreNotMadeOfWhatWasNotDecided) {
  CheckOptions options;
  options.model = "counter";
  RandomHistory shape;
  shape.model = "counter";
  shape.operations = 10;
  shape.crashed = 0.3;
  std::mt19937_64 chance(8);
  std::size_t looked_at = 0;
  for (int round = 0; round < 400; ++round) {
    const History history = random_history(shape, chance);
    const auto model = lin::make_model(history, options);
    ASSERT_TRUE(model);
    const lin::Partition keys = lin::partition(history, **model);
    if (keys.keys.size() != 1) continue;
    lin::Budget plenty(std::chrono::steady_clock::time_point::max(), std::size_t{1} << 30, {});
    const lin::Decision decision = lin::find_strategy("wgl")->decide(keys.keys[0], plenty, false);
    if (decision.verdict != Verdict::invalid) continue;
    ++looked_at;
    lin::Budget none(std::chrono::steady_clock::time_point::max(), 1, {});
    const auto kept = lin::minimise(keys.keys[0], decision, none);
    const auto again = lin::find_strategy("wgl")->decide(lin::part_of(keys.keys[0], kept), plenty, false);
    ASSERT_EQ(again.verdict, Verdict::invalid)
        << "of " << keys.keys[0].calls.size() << " calls " << kept.size() << " were kept";
    ASSERT_TRUE(lin::proves_violation(keys.keys[0], kept, plenty));
  }
  EXPECT_GT(looked_at, 50u);
}

TEST(Counterexamples, OfLongHistoriesAreSmall) {
  for (const int values : {0, 5}) {
    LongHistory shape;
    shape.operations = 20'000;
    shape.values = values;
    shape.cas = values != 0;
    shape.violation = testing_support::Violation::stale_read;
    const History history = long_history(shape);
    CheckOptions options;
    options.model = "cas-register";
    const CheckResult result = check(history, options);
    ASSERT_EQ(result.verdict, Verdict::invalid) << values;
    ASSERT_EQ(result.anomalies.size(), 1u);
    EXPECT_LE(result.anomalies[0].operations.size(), 20u);
    EXPECT_GE(result.anomalies[0].operations.size(), 2u);
    EXPECT_LT(result.seconds, 10);
  }
}

TEST(Budgets, EndInUnknownWithTheReason) {
  LongHistory shape;
  shape.operations = 20'000;
  shape.crashed = 0.2;
  shape.clients = 30;
  const History history = long_history(shape);
  CheckOptions options;
  options.model = "cas-register";
  options.algorithm = "wgl";
  options.memory_bytes = 1 << 16;
  CheckResult result = check(history, options);
  EXPECT_EQ(result.verdict, Verdict::unknown);
  EXPECT_NE(result.reason.find("memory limit"), std::string::npos) << result.reason;
  options.memory_bytes = 0;
  std::stop_source stop;
  stop.request_stop();
  options.stop = stop.get_token();
  result = check(history, options);
  EXPECT_EQ(result.verdict, Verdict::unknown);
  EXPECT_NE(result.reason.find("stopped on request"), std::string::npos) << result.reason;
}

History tiny(std::initializer_list<std::pair<const char*, Value>> operations) {
  HistoryBuilder builder;
  for (const auto& [f, value] : operations) {
    for (const EventType type : {EventType::invoke, EventType::ok}) {
      Event event;
      event.type = type;
      event.f = *builder.function(f);
      event.value = builder.values().intern(value);
      EXPECT_TRUE(builder.add(event));
    }
  }
  return builder.finish();
}

TEST(Usage, IsExplained) {
  CheckOptions options;
  options.model = "cas-regster";
  const History history = tiny({{"write", Value(1)}, {"frobnicate", Value(1)}});
  EXPECT_NE(check(history, options).reason.find("did you mean"), std::string::npos);
  options.model = "cas-register";
  const CheckResult result = check(history, options);
  EXPECT_EQ(result.verdict, Verdict::unknown);
  EXPECT_NE(result.reason.find("event 2: the model cas-register does not know the operation \"frobnicate\""),
            std::string::npos)
      << result.reason;
  options.algorithm = "magic";
  EXPECT_NE(check(history, options).reason.find("jit"), std::string::npos);
}

TEST(InitialValues, CanBeGivenOrUnknown) {
  const History history = tiny({{"read", Value(7)}, {"cas", Value::List{Value(7), Value(8)}}, {"read", Value(8)}});
  CheckOptions options;
  options.model = "cas-register";
  EXPECT_EQ(check(history, options).verdict, Verdict::invalid);
  options.initial = Value(7);
  EXPECT_EQ(check(history, options).verdict, Verdict::valid);
  options.initial = Value(6);
  EXPECT_EQ(check(history, options).verdict, Verdict::invalid);
  options.initial.reset();
  options.initial_unknown = true;
  EXPECT_EQ(check(history, options).verdict, Verdict::valid);
}

TEST(Tables, AreModels) {
  const auto file = std::filesystem::temp_directory_path() / ("ordeal-table-" + std::to_string(::getpid()) + ".json");
  std::ofstream(file) << R"({"initial": "off", "transitions": [["off", "press", null, "on", "on"],
      {"state": "on", "f": "press", "result": "off", "next": "off"}]})";
  CheckOptions options;
  options.model = "table:" + file.string();
  HistoryBuilder builder;
  for (const char* result : {"on", "off", "on"}) {
    Event event;
    event.f = *builder.function("press");
    event.value = kNil;
    ASSERT_TRUE(builder.add(event));
    event.type = EventType::ok;
    event.value = builder.values().string(result);
    ASSERT_TRUE(builder.add(event));
  }
  EXPECT_EQ(check(builder.finish(), options).verdict, Verdict::valid);
  EXPECT_EQ(check(tiny({{"press", Value("on")}, {"press", Value("on")}}), options).verdict, Verdict::invalid);
  std::filesystem::remove(file);
}

TEST(MultiRegister, TxnsTouchSeveralKeysAtOnce) {
  const auto micro = [](const char* f, const char* k, Value v) {
    return Value(Value::List{Value(f), Value(k), std::move(v)});
  };
  CheckOptions options;
  options.model = "multi-register";
  const History good = tiny({{"txn", Value(Value::List{micro("w", "x", 1), micro("w", "y", 2)})},
                             {"txn", Value(Value::List{micro("r", "x", 1), micro("r", "y", 2)})}});
  EXPECT_EQ(check(good, options).verdict, Verdict::valid);
  const History torn = tiny({{"txn", Value(Value::List{micro("w", "x", 1), micro("w", "y", 2)})},
                             {"txn", Value(Value::List{micro("r", "x", 1), micro("r", "y", Value())})}});
  EXPECT_EQ(check(torn, options).verdict, Verdict::invalid);
}

}  // namespace
}  // namespace ordeal
