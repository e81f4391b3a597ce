// What the workloads of versions, logs of events and replicated types generate.

#include <functional>
#include <map>
#include <set>

#include "tests/workloads/play.h"

namespace ordeal {
namespace {

// Plays it with a store that answers: `answer` gives the value of each completion.
std::vector<Operation> answered(const std::string& name, int workers, std::size_t count,
                                const std::function<std::optional<Value>(const Operation&)>& answer) {
  auto workload = make_workload(name, {}, workers);
  EXPECT_TRUE(workload);
  std::vector<Operation> out;
  for (std::size_t i = 0; i < count; ++i) {
    const int worker = static_cast<int>(i) % workers;
    const auto now = static_cast<std::int64_t>(i) * 1'000'000;
    auto step = workload->generator->next({now, worker, worker, workers});
    auto* operation = std::get_if<Operation>(&step);
    if (operation == nullptr) continue;
    workload->generator->update({now, worker, worker, EventType::invoke, operation, nullptr});
    const Completion done{EventType::ok, answer(*operation), std::nullopt};
    workload->generator->update({now, worker, worker, EventType::ok, operation, &done});
    out.push_back(*operation);
  }
  return out;
}

TEST(CasByVersionWorkload, ExpectsVersionsThatWereSeenAndOftenOutdatedOnes) {
  std::map<Value, std::int64_t> versions;
  int current = 0, outdated = 0;
  const auto log = answered("cas-by-version", 5, 500, [&](const Operation& operation) -> std::optional<Value> {
    std::int64_t& version = versions[*operation.key];
    if (operation.f == "read") return Value::list({version, 1});
    const std::int64_t expected = operation.value.items()[0].integer();
    EXPECT_LE(expected, version);
    (expected == version ? current : outdated) += 1;
    if (expected == version) ++version;
    return Value::list({version, operation.value.items()[1]});
  });
  EXPECT_EQ(log.size(), 500u);
  EXPECT_GT(current, 150);
  EXPECT_GT(outdated, 50);
}

TEST(ReadModelWorkload, AsksForPositionsThatAreThere) {
  std::map<Value, std::int64_t> ends;
  std::set<std::pair<Value, Value>> events;
  int tokens = 0, past = 0;
  (void)answered("read-model", 5, 1000, [&](const Operation& operation) -> std::optional<Value> {
    std::int64_t& end = ends[*operation.key];
    if (operation.f == "append") {
      EXPECT_TRUE(events.emplace(*operation.key, operation.value).second);
      return Value::list({++end, operation.value});
    }
    if (operation.value.is_integer()) {
      EXPECT_LE(operation.value.integer(), end);
    }
    tokens += operation.f == "read" && operation.value.is_integer() && operation.value.integer() > 0;
    past += operation.f == "read-at" && operation.value.integer() > 0;
    return Value::list({end, Value::list()});
  });
  EXPECT_GT(tokens, 100);
  EXPECT_GT(past, 50);
}

TEST(ReadModelWorkload, LooksAtTheLastLogsAgain) {
  auto workload = make_workload("read-model", {{"read-model.operations-per-key", "50"}, {"read-model.lag", "3s"}}, 10);
  ASSERT_TRUE(workload);
  gen::Simulation simulation;
  simulation.workers = 10;
  simulation.most = 1000;
  std::set<std::string> last;
  const auto log = simulation.play(*workload->generator);
  for (std::size_t i = log.size() - 20; i < log.size(); ++i) last.insert(log[i].operation.key->string());
  gen::Simulation end;
  end.workers = 10;
  std::map<std::string, std::set<std::string>> read;
  for (const auto& op : end.play(*workload->final_generator)) {
    EXPECT_GE(op.time_ns, 3'000'000'000);
    read[op.operation.f].insert(op.operation.key->string());
  }
  EXPECT_TRUE(end.finished);
  EXPECT_EQ(read["read"].size(), 2u);
  EXPECT_EQ(read["replay"], read["read"]);
  for (const std::string& key : read["read"]) EXPECT_TRUE(last.contains(key)) << key;
}

TEST(LedgerWorkload, EventsAreNewAndAllAccountsAreLookedAtInTheEnd) {
  auto workload = make_workload("ledger", {{"ledger.operations-per-account", "50"}, {"ledger.settle", "3s"}}, 5);
  ASSERT_TRUE(workload);
  gen::Simulation simulation;
  simulation.workers = 5;
  simulation.most = 1000;
  std::set<Value> ids, accounts;
  for (const auto& op : simulation.play(*workload->generator)) {
    accounts.insert(*op.operation.key);
    if (op.operation.value.is_map()) {
      EXPECT_TRUE(ids.insert(*op.operation.value.find("id")).second);
      EXPECT_GT(op.operation.value.find("amount")->integer(), 0);
    }
  }
  EXPECT_GT(ids.size(), 600u);
  EXPECT_EQ(accounts.size(), 20u);
  gen::Simulation end;
  end.workers = 5;
  std::map<std::string, std::multiset<Value>> read;
  for (const auto& op : end.play(*workload->final_generator)) {
    EXPECT_GE(op.time_ns, 3'000'000'000);
    read[op.operation.f].insert(*op.operation.key);
  }
  EXPECT_TRUE(end.finished);
  for (const char* f : {"events", "balance", "model", "replay"})
    EXPECT_EQ(read[f], std::multiset<Value>(accounts.begin(), accounts.end())) << f;
}

TEST(LedgerWorkload, WhatWasNotAnsweredInTheEndIsAskedForAgain) {
  auto workload = make_workload("ledger", {{"ledger.accounts", "1"}, {"ledger.settle", "0"}}, 1);
  ASSERT_TRUE(workload);
  gen::Simulation simulation;
  simulation.most = 10;
  (void)simulation.play(*workload->generator);
  Generator& end = *workload->final_generator;
  std::vector<std::string> asked;
  std::int64_t now_ns = 0;
  for (int step = 0; step < 1000; ++step, now_ns += 20'000'000) {
    const auto next = end.next({now_ns, 0, 0, 1});
    if (std::holds_alternative<Done>(next)) break;
    const auto* operation = std::get_if<Operation>(&next);
    if (operation == nullptr) continue;
    asked.push_back(operation->f);
    const bool fails = asked.size() == 2 || operation->f == "replay";
    const Completion done = fails ? Completion::failed("refused", "") : Completion::ok();
    end.update({now_ns, 0, 0, done.type, operation, &done});
  }
  ASSERT_GT(asked.size(), 10u);  // for ten seconds
  EXPECT_EQ(std::vector<std::string>(asked.begin(), asked.begin() + 6),
            (std::vector<std::string>{"events", "balance", "model", "replay", "balance", "replay"}));
  EXPECT_LT(now_ns, 12'000'000'000);
}

TEST(OrSetWorkload, RemovesWhatWasReadAndAddsItAgain) {
  std::set<Value> elements;
  int removed = 0, again = 0;
  (void)answered("or-set", 3, 1000, [&](const Operation& operation) -> std::optional<Value> {
    if (operation.f == "read") return Value(Value::List(elements.begin(), elements.end()));
    if (operation.f == "add") {
      again += elements.insert(operation.value).second ? 0 : 1;
      return operation.value;
    }
    removed += static_cast<int>(elements.erase(operation.value));
    return operation.value;
  });
  EXPECT_GT(removed, 150);
  EXPECT_GT(again, 50);
}

TEST(LwwMapWorkload, TimestampsAreOutOfOrderAndSometimesEqual) {
  std::map<Value, std::int64_t> last;
  std::set<Value> values;
  int out_of_order = 0, equal = 0;
  for (const auto& op : play_workload("lww-map", {}, 5, 2000)) {
    if (op.operation.f == "read") continue;
    if (op.operation.f == "put") {
      EXPECT_TRUE(values.insert(op.operation.value.items()[1]).second);
    }
    const std::int64_t timestamp =
        op.operation.f == "put" ? op.operation.value.items()[0].integer() : op.operation.value.integer();
    const auto [before, first] = last.try_emplace(*op.operation.key, timestamp);
    out_of_order += !first && timestamp < before->second;
    equal += !first && timestamp == before->second;
    before->second = timestamp;
  }
  EXPECT_GT(out_of_order, 200);
  EXPECT_GT(equal, 50);
  auto workload = make_workload("lww-map", {{"lww-map.settle", "3s"}}, 2);
  ASSERT_TRUE(workload);
  gen::Simulation end;
  end.workers = 2;
  const auto finals = end.play(*workload->final_generator);
  EXPECT_EQ(finals.size(), 20u);
  for (const auto& op : finals) EXPECT_GE(op.time_ns, 3'000'000'000);
}

}  // namespace
}  // namespace ordeal
