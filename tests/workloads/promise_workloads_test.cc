// What the workloads of counters, queues, logs, locks and other promises generate.

#include <set>

#include "tests/workloads/play.h"

namespace ordeal {
namespace {

using Functions = std::map<std::string, std::size_t>;

Functions functions(const std::vector<gen::Issued>& log) {
  Functions out;
  for (const auto& op : log) ++out[op.operation.f];
  return out;
}

TEST(OtherWorkloads, IssueOnlyWhatTheyDeclare) {
  for (const auto& factory : workloads()) {
    const std::set<std::string> declared(factory.operations.begin(), factory.operations.end());
    std::set<std::string> issued;
    for (const auto& [f, count] : functions(play_workload(factory.name, {}, 5, 1000))) issued.insert(f);
    auto workload = make_workload(factory.name, {}, 5);
    ASSERT_TRUE(workload);
    if (workload->final_generator) {
      gen::Simulation simulation;
      simulation.workers = 5;
      for (const auto& op : simulation.play(*workload->final_generator)) issued.insert(op.operation.f);
      EXPECT_TRUE(simulation.finished) << factory.name;
    }
    EXPECT_EQ(issued, declared) << factory.name;
    for (const auto& option : factory.options) EXPECT_TRUE(option.key.starts_with(factory.name + ".")) << option.key;
  }
}

TEST(OtherWorkloads, MessagesAreUnique) {
  for (const char* name : {"queue", "total-queue", "delivery"}) {
    std::set<Value> sent;
    const auto log = play_workload(name, {}, 5, 1000);
    for (const auto& op : log)
      EXPECT_TRUE(op.operation.f != "enqueue" || sent.insert(op.operation.value).second) << name;
    EXPECT_NEAR(static_cast<double>(sent.size()), 500, 80) << name;
  }
}

TEST(OtherWorkloads, MessagesOfAKeyCountUp) {
  std::map<std::int64_t, std::int64_t> next;
  for (const auto& op : play_workload("delivery", {{"delivery.keys", "3"}}, 5, 1000)) {
    if (op.operation.f != "enqueue") continue;
    const auto& parts = op.operation.value.items();
    EXPECT_EQ(parts[1].integer(), next[parts[0].integer()]++);
  }
  EXPECT_EQ(next.size(), 3u);
}

TEST(OtherWorkloads, ConsumersAssignThemselvesBeforeTheyPoll) {
  std::set<int> assigned;
  std::set<std::int64_t> sent;
  for (const auto& op : play_workload("kafka", {{"kafka.assigns", "0.2"}}, 5, 1000)) {
    if (op.operation.f == "assign") assigned.insert(op.worker);
    EXPECT_TRUE(assigned.contains(op.worker));
    if (op.operation.f != "send") continue;
    for (const Value& micro : op.operation.value.items()) EXPECT_TRUE(sent.insert(micro.items()[2].integer()).second);
  }
}

TEST(OtherWorkloads, LocksAreGivenBack) {
  for (const auto& [name, take, give] :
       {std::tuple("lock", "acquire", "release"), std::tuple("leader-election", "campaign", "resign")}) {
    auto workload = make_workload(name, {}, 3);
    ASSERT_TRUE(workload);
    gen::Simulation simulation;
    simulation.workers = 3;
    simulation.most = 600;
    // Worker 0 gets it at every third try, the others always.
    std::map<int, int> tries;
    std::map<int, bool> held;
    simulation.outcome = [&](const gen::Issued& op) {
      if (op.operation.f == give) {
        EXPECT_TRUE(held[op.worker]);
        held[op.worker] = false;
      } else if (op.operation.f == take) {
        EXPECT_FALSE(held[op.worker]);
        if (op.worker == 0 && ++tries[0] % 3 != 0) return EventType::fail;
        held[op.worker] = true;
      }
      return EventType::ok;
    };
    const auto counts = functions(simulation.play(*workload->generator));
    EXPECT_GT(counts.at(give), 100u) << name;
    EXPECT_GT(counts.at(take), counts.at(give)) << name;
  }
}

TEST(OtherWorkloads, KeysAreSentAgain) {
  std::map<std::int64_t, int> sent;
  for (const auto& op : play_workload("idempotency", {}, 5, 1000)) {
    if (op.operation.f == "apply") ++sent[op.operation.value.integer()];
  }
  int again = 0;
  for (const auto& [key, times] : sent) again += times > 1 ? 1 : 0;
  EXPECT_GT(again, 100);
  EXPECT_GT(sent.size(), 400u);
}

TEST(OtherWorkloads, LogsAreAskedForWhatTheyHave) {
  std::map<Value, int> appended;
  std::size_t again = 0, proofs = 0;
  std::int64_t size = 0;
  for (const auto& op : play_workload("log", {}, 5, 1000)) {
    const Operation& asked = op.operation;
    if (asked.f == "append") again += ++appended[asked.value] > 1 ? 1 : 0;
    size = static_cast<std::int64_t>(appended.size() + again);  // the simulation keeps each of them
    if (asked.f != "inclusion" && asked.f != "consistency") continue;
    ++proofs;
    const std::int64_t first = asked.value.items()[0].integer(), second = asked.value.items()[1].integer();
    EXPECT_LE(second, size);
    EXPECT_TRUE(asked.f == "inclusion" ? first < second : first <= second) << asked.value.to_json();
  }
  EXPECT_GT(again, 20U);
  EXPECT_GT(appended.size(), 250U);
  EXPECT_GT(proofs, 50U);
}

TEST(OtherWorkloads, ReplicasGetTimeToConverge) {
  auto workload = make_workload("g-set", {{"g-set.settle", "3s"}}, 3);
  ASSERT_TRUE(workload);
  gen::Simulation simulation;
  simulation.workers = 3;
  const auto log = simulation.play(*workload->final_generator);
  ASSERT_EQ(log.size(), 3u);
  for (const auto& op : log) EXPECT_GE(op.time_ns, 3'000'000'000);
}

}  // namespace
}  // namespace ordeal
