// Adapters that serve many clients: side by side, and what becomes of the others when one of them, or the program,
// fails.

#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <set>
#include <thread>

#include "targets/process/process_client.h"
#include "targets/process/shared_adapter.h"

namespace ordeal {
namespace {

using std::chrono::milliseconds;

Deadline in(int ms) { return Deadline::after(milliseconds(ms)); }

AdapterSetup many(const std::string& clients = "100") {
  AdapterSetup setup;
  setup.words = {"python3", MANY_ADAPTER, clients};
  setup.label = "adapter";
  setup.max_line_bytes = 1 << 20;
  return setup;
}

class SharedAdapterTest : public ::testing::Test {
 protected:
  std::unique_ptr<ProcessClient> join() {
    auto out = std::make_unique<ProcessClient>(many(), Value::map({{"data_type", "register"}}), shared_);
    const auto opened = out->open(in(20'000));
    EXPECT_TRUE(opened) << opened.error().message;
    return out;
  }
  static Completion run(Client& client, const std::string& f, Value value = {}, int ms = 20'000) {
    return client.invoke({f, std::nullopt, std::move(value)}, in(ms));
  }
  static void expect_info(const Completion& completion, const std::string& kind, const std::string& text = "") {
    EXPECT_EQ(completion.type, EventType::info);
    ASSERT_TRUE(completion.error);
    EXPECT_EQ(completion.error->kind, kind) << completion.error->message;
    EXPECT_NE(completion.error->message.find(text), std::string::npos) << completion.error->message;
  }
  std::shared_ptr<SharedAdapters> shared_ = std::make_shared<SharedAdapters>(many(), 3);
};

TEST(SharedAdapterDescription, SaysHowManyClientsItServes) {
  const auto described = describe_adapter(many("7"), in(20'000));
  ASSERT_TRUE(described) << described.error().message;
  EXPECT_EQ(described->clients, 7U);
  const auto none = describe_adapter(many("0"), in(20'000));
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().message.find("1 or more; found 0"), std::string::npos) << none.error().message;
}

TEST_F(SharedAdapterTest, RequestsOfClientsAreOpenAtTheSameTime) {
  auto first = join();
  auto second = join();
  Completion met;
  std::jthread meeting([&] { met = run(*first, "meet"); });
  const Completion greeted = run(*second, "greet");
  meeting.join();
  EXPECT_EQ(met.value, Value(1)) << "each is told by its own number";
  EXPECT_EQ(greeted.value, Value(2));
  EXPECT_EQ(run(*first, "pid").value, run(*second, "pid").value);
}

TEST_F(SharedAdapterTest, AProgramServesSoManyAndAnotherTheRest) {
  std::vector<std::unique_ptr<ProcessClient>> clients;
  std::set<Value> programs;
  for (int i = 0; i < 7; ++i) {
    clients.push_back(join());
    programs.insert(*run(*clients.back(), "pid").value);
  }
  EXPECT_EQ(programs.size(), 3U) << "three clients each, of seven";
  clients[0]->close();
  auto late = join();
  EXPECT_TRUE(programs.contains(*run(*late, "pid").value)) << "a place was given back";
}

TEST_F(SharedAdapterTest, WhoIsNotAnsweredIsAloneInThat) {
  auto slow = join();
  auto other = join();
  const Value program = *run(*other, "pid").value;
  std::atomic<bool> over{false};
  std::jthread busy([&] {
    while (!over) EXPECT_EQ(run(*other, "echo", 5).value, Value(5));
  });
  expect_info(run(*slow, "sleep", 4, 1500), "adapter-timeout");
  over = true;
  busy.join();
  slow->close();
  EXPECT_TRUE(slow->open(in(20'000)));
  // Its late reply is nobody's.
  EXPECT_EQ(run(*slow, "sleep", 4).value, Value(3)) << "a new client";
  EXPECT_EQ(run(*other, "pid").value, program) << "the program is still the same";
}

TEST_F(SharedAdapterTest, AProgramThatFallsSilentIsReplaced) {
  auto first = join();
  auto second = join();
  const Value program = *run(*first, "pid").value;
  std::jthread stopping([&] { expect_info(run(*first, "stop", {}, 500), "adapter-timeout"); });
  stopping.join();
  const Completion after = run(*second, "echo", 1, 500);
  EXPECT_EQ(after.type, EventType::info);
  second->close();
  ASSERT_TRUE(second->open(in(20'000)));
  EXPECT_NE(*run(*second, "pid").value, program);
}

TEST_F(SharedAdapterTest, AProgramThatEndsTakesAllOpenRequestsWithIt) {
  auto first = join();
  auto second = join();
  Completion waited;
  std::jthread waiting([&] { waited = run(*first, "sleep", 60); });
  // The other's request may come before or after: it is answered by the end of the program in any case.
  std::this_thread::sleep_for(milliseconds(100));
  expect_info(run(*second, "exit"), "adapter-crash",
              "exited with status 3; it last said on standard error: | the disk is gone");
  waiting.join();
  expect_info(waited, "adapter-crash", "exited with status 3");
  EXPECT_EQ(run(*first, "echo", 1).type, EventType::info) << "it must be opened anew";
  first->close();
  ASSERT_TRUE(first->open(in(20'000)));
  EXPECT_EQ(run(*first, "echo", 1).value, Value(1));
}

TEST_F(SharedAdapterTest, GarbageStrayRepliesAndFloodsAreNamed) {
  for (const auto& [f, kind] : {std::pair{"garbage", "adapter-protocol"}, std::pair{"stray", "adapter-protocol"},
                                std::pair{"flood", "adapter-flood"}}) {
    auto client = join();
    expect_info(run(*client, f), kind);
  }
}

TEST_F(SharedAdapterTest, ProgramsEndWithTheirPool) {
  auto client = join();
  const auto program = static_cast<pid_t>(run(*client, "pid").value->integer());
  EXPECT_EQ(kill(program, 0), 0);
  shared_.reset();
  client.reset();
  EXPECT_NE(kill(program, 0), 0);
}

TEST_F(SharedAdapterTest, AMissingProgramIsAnError) {
  AdapterSetup missing;
  missing.words = {"/nonexistent/adapter"};
  SharedAdapters none(missing, 5);
  EXPECT_FALSE(none.join());
}

TEST_F(SharedAdapterTest, ManyThreadsAtOnce) {
  shared_ = std::make_shared<SharedAdapters>(many(), 100);
  std::vector<std::jthread> threads;
  std::atomic<int> right{0};
  for (int t = 0; t < 60; ++t) {
    threads.emplace_back([&, t] {
      auto client = join();
      for (int i = 0; i < 20; ++i) right += run(*client, "echo", t * 1000 + i).value == Value(t * 1000 + i) ? 1 : 0;
    });
  }
  threads.clear();
  EXPECT_EQ(right, 1200);
}

}  // namespace
}  // namespace ordeal
