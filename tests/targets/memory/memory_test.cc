// The memory target: what each operation does, that the correct store is linearizable where that can be seen without
// a checker, and that each bug shows.

#include "targets/memory/memory.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "base/rng.h"
#include "targets/memory/store.h"

namespace ordeal {
namespace {

using memory::Bug;
using memory::MemoryStore;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

class MemoryStoreTest : public testing::Test {
 protected:
  nanoseconds now_{0};
  Rng rng_{1};

  std::unique_ptr<MemoryStore> store(Bug bug = Bug::none, double probability = 1) {
    MemoryStore::Settings settings;
    settings.faults = {bug, probability};
    settings.partitions = {milliseconds(100), milliseconds(10)};
    return std::make_unique<MemoryStore>(settings, [this] { return now_; });
  }
  // apply("register", "write", "5", "k0"), as "ok", "ok 5" or "fail conflict".
  std::string apply(MemoryStore& store, std::string_view type, std::string f, std::string_view value = "null",
                    std::optional<Value> key = std::nullopt, std::uint64_t client = 0) {
    const auto done = store.apply(type, {std::move(f), std::move(key), *Value::from_json(value)}, client, rng_);
    std::string out(name(done.type));
    if (done.error) out += " " + done.error->kind;
    if (done.value) out += " " + done.value->to_json();
    return out;
  }
};

TEST_F(MemoryStoreTest, Registers) {
  auto s = store();
  EXPECT_EQ(apply(*s, "register", "read", "null", "k0"), "ok null");
  EXPECT_EQ(apply(*s, "register", "write", "5", "k0"), "ok");
  EXPECT_EQ(apply(*s, "register", "read", "null", "k0"), "ok 5");
  EXPECT_EQ(apply(*s, "register", "read", "null", "k1"), "ok null");
  EXPECT_EQ(apply(*s, "register", "cas", "[4,6]", "k0"), "fail conflict");
  EXPECT_EQ(apply(*s, "register", "cas", "[5,6]", "k0"), "ok");
  EXPECT_EQ(apply(*s, "register", "read", "null", "k0"), "ok 6");
  EXPECT_EQ(apply(*s, "register", "cas", "7", "k0"), "fail bad-operation");
  EXPECT_EQ(apply(*s, "register", "fly", "7", "k0"), "fail unsupported");
}

TEST_F(MemoryStoreTest, SetsCountersLogsAndIds) {
  auto s = store();
  EXPECT_EQ(apply(*s, "set", "read"), "ok []");
  EXPECT_EQ(apply(*s, "set", "add", "3"), "ok");
  EXPECT_EQ(apply(*s, "set", "add", "3"), "ok");
  EXPECT_EQ(apply(*s, "set", "add", "1"), "ok");
  EXPECT_EQ(apply(*s, "set", "read"), "ok [3,1]");
  auto c = store();
  EXPECT_EQ(apply(*c, "counter", "add", "3"), "ok");
  EXPECT_EQ(apply(*c, "counter", "add", "-1"), "ok");
  EXPECT_EQ(apply(*c, "counter", "read"), "ok 2");
  auto l = store();
  EXPECT_EQ(apply(*l, "log", "append", "\"a\""), "ok");
  EXPECT_EQ(apply(*l, "log", "append", "\"b\""), "ok");
  EXPECT_EQ(apply(*l, "log", "read"), R"(ok ["a","b"])");
  EXPECT_EQ(apply(*l, "log", "read", "1"), R"(ok ["b"])");
  EXPECT_EQ(apply(*l, "log", "read", "9"), "ok []");
  EXPECT_EQ(apply(*l, "unique-ids", "generate"), "ok 0");
  EXPECT_EQ(apply(*l, "unique-ids", "generate"), "ok 1");
}

TEST_F(MemoryStoreTest, QueuesAndLocks) {
  auto q = store();
  EXPECT_EQ(apply(*q, "queue", "dequeue"), "ok null");
  for (const char* v : {"1", "2", "3"}) EXPECT_EQ(apply(*q, "queue", "enqueue", v), "ok");
  EXPECT_EQ(apply(*q, "queue", "dequeue"), "ok 1");
  EXPECT_EQ(apply(*q, "queue", "drain"), "ok [2,3]");
  EXPECT_EQ(apply(*q, "queue", "drain"), "ok []");
  auto l = store();
  EXPECT_EQ(apply(*l, "lock", "acquire", "null", std::nullopt, 1), "ok 1");
  EXPECT_EQ(apply(*l, "lock", "acquire", "null", std::nullopt, 2), "fail held");
  EXPECT_EQ(apply(*l, "lock", "release", "null", std::nullopt, 2), "fail not-held");
  EXPECT_EQ(apply(*l, "lock", "release", "null", std::nullopt, 1), "ok");
  EXPECT_EQ(apply(*l, "lock", "acquire", "null", std::nullopt, 2), "ok 2");
  l->forget(2);
  EXPECT_EQ(apply(*l, "lock", "acquire", "null", std::nullopt, 3), "ok 3");
}

TEST_F(MemoryStoreTest, TransactionsAndTheBank) {
  auto s = store();
  EXPECT_EQ(apply(*s, "txn", "txn", R"([["w","x",1],["r","x",null],["append",2,7],["append",2,8],["r",2,null]])"),
            R"(ok [["w","x",1],["r","x",1],["append",2,7],["append",2,8],["r",2,[7,8]]])");
  EXPECT_EQ(apply(*s, "txn", "txn", R"([["r","y",null]])"), R"(ok [["r","y",null]])");
  EXPECT_EQ(apply(*s, "txn", "txn", R"([["delete","y",null]])"), "fail bad-operation");
  EXPECT_EQ(apply(*s, "txn", "txn", "5"), "fail bad-operation");
  auto b = store();
  EXPECT_EQ(apply(*b, "bank", "transfer", R"({"from":0,"to":1,"amount":4})"), "ok");
  EXPECT_EQ(apply(*b, "bank", "transfer", R"({"from":0,"to":1,"amount":7})"), "fail insufficient");
  EXPECT_EQ(apply(*b, "bank", "transfer", R"({"from":0,"to":99,"amount":1})"), "fail bad-operation");
  EXPECT_EQ(apply(*b, "bank", "read"), R"(ok {"0":6,"1":14,"2":10,"3":10,"4":10,"5":10,"6":10,"7":10})");
}

TEST_F(MemoryStoreTest, StaleReadShowsTheStateBefore) {
  auto s = store(Bug::stale_read);
  apply(*s, "register", "write", "1", "k");
  apply(*s, "register", "write", "2", "k");
  EXPECT_EQ(apply(*s, "register", "read", "null", "k"), "ok 1");
  for (const char* v : {"1", "2"}) apply(*s, "set", "add", v);
  EXPECT_NE(apply(*s, "set", "read"), "ok [1,2]");
}

TEST_F(MemoryStoreTest, LostWriteIsAcknowledgedAndNotMade) {
  auto s = store(Bug::lost_write);
  EXPECT_EQ(apply(*s, "register", "write", "1", "k"), "ok");
  EXPECT_EQ(apply(*s, "register", "read", "null", "k"), "ok null");
  EXPECT_EQ(apply(*s, "set", "add", "1"), "ok");
  EXPECT_EQ(apply(*s, "set", "read"), "ok []");
}

TEST_F(MemoryStoreTest, DuplicateMakesAChangeTwice) {
  auto s = store(Bug::duplicate);
  apply(*s, "set", "add", "1");
  EXPECT_EQ(apply(*s, "set", "read"), "ok [1,1]");
  // A register's write comes back after a later one.
  apply(*s, "register", "write", "1", "k");
  EXPECT_EQ(apply(*s, "register", "read", "null", "k"), "ok 1");
  rng_ = Rng(1);
  auto quiet = store(Bug::duplicate, 0.5);
  bool came_back = false;
  for (int i = 0; i < 50 && !came_back; ++i) {
    apply(*quiet, "register", "write", std::to_string(i), "k");
    came_back = apply(*quiet, "register", "read", "null", "k") != "ok " + std::to_string(i);
  }
  EXPECT_TRUE(came_back);
}

TEST_F(MemoryStoreTest, LostUpdateStrikesWhenAPartitionHeals) {
  auto s = store(Bug::lost_update);
  now_ = milliseconds(50);
  apply(*s, "register", "write", "1", "k");
  apply(*s, "set", "add", "1");
  now_ = milliseconds(105);  // divided
  apply(*s, "register", "write", "2", "k");
  apply(*s, "set", "add", "2");
  EXPECT_EQ(apply(*s, "register", "read", "null", "k"), "ok 2");
  EXPECT_EQ(apply(*s, "set", "read"), "ok [1,2]");
  now_ = milliseconds(115);  // healed
  EXPECT_EQ(apply(*s, "register", "read", "null", "k"), "ok 1");
  EXPECT_EQ(apply(*s, "set", "read"), "ok [1]");
  now_ = milliseconds(150);  // and it strikes once only
  apply(*s, "register", "write", "3", "k");
  now_ = milliseconds(230);
  EXPECT_EQ(apply(*s, "register", "read", "null", "k"), "ok 3");
}

// Increments by cas from several threads: the value at the end is the number of those that succeeded.
TEST(MemoryTarget, CasIsAtomicAcrossClients) {
  const auto factory = memory_target();
  Options options(factory.options);
  Cluster cluster;
  auto target = factory.make(cluster, options);
  ASSERT_TRUE(target);
  (*target)->client_setup()->use("register");
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  const Operation read{"read", Value("k"), {}};
  {
    auto first = (*target)->client(0);
    (void)(*first)->invoke({"write", Value("k"), Value(0)}, deadline);
  }
  std::atomic<std::int64_t> successes{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        auto client = (*target)->client(0);
        for (int i = 0; i < 300; ++i) {
          const auto seen = (*client)->invoke(read, deadline).value->integer();
          const auto done = (*client)->invoke({"cas", Value("k"), Value(Value::List{seen, seen + 1})}, deadline);
          if (done.type == EventType::ok) ++successes;
        }
      });
    }
  }
  auto last = (*target)->client(0);
  EXPECT_EQ((*last)->invoke(read, deadline).value->integer(), successes.load());
  EXPECT_GT(successes, 0);
}

TEST(MemoryTarget, UncertaintyIsHonest) {
  const auto factory = memory_target();
  Options options(factory.options);
  ASSERT_TRUE(options.set("memory.info-probability", "0.5", "test"));
  ASSERT_TRUE(options.set("memory.fail-probability", "0.2", "test"));
  Cluster cluster;
  auto target = factory.make(cluster, options);
  ASSERT_TRUE(target);
  (*target)->client_setup()->use("set");
  auto client = (*target)->client(0);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  std::set<std::int64_t> ok, info, failed;
  for (std::int64_t i = 0; i < 500; ++i) {
    const auto done = (*client)->invoke({"add", std::nullopt, Value(i)}, deadline);
    (done.type == EventType::ok ? ok : done.type == EventType::info ? info : failed).insert(i);
  }
  EXPECT_GT(ok.size(), 100u);
  EXPECT_GT(info.size(), 100u);
  EXPECT_GT(failed.size(), 50u);
  std::optional<Value> seen;
  while (!seen) seen = (*client)->invoke({"read", std::nullopt, {}}, deadline).value;
  std::size_t uncertain = 0;
  std::set<std::int64_t> present;
  for (const auto& item : seen->items()) present.insert(item.integer());
  for (const auto i : ok) EXPECT_TRUE(present.contains(i));
  for (const auto i : failed) EXPECT_FALSE(present.contains(i));
  for (const auto i : info) uncertain += present.contains(i) ? 1u : 0u;
  EXPECT_GT(uncertain, 10u);
  EXPECT_LT(uncertain, info.size() - 10);
}

TEST(MemoryTarget, ABugThatCannotStrikeIsAUsageError) {
  const auto factory = memory_target();
  Options options(factory.options);
  EXPECT_TRUE(factory.check_options(options, "lock"));
  ASSERT_TRUE(options.set("memory.bug", "reorder", "test"));
  EXPECT_TRUE(factory.check_options(options, "lock"));
  const auto refused = factory.check_options(options, "counter");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::usage);
  EXPECT_EQ(refused.error().message,
            "memory.bug: reorder does not apply to workloads on the data type counter, which can have stale-read, "
            "lost-write, lost-update and duplicate");
}

// The effect of a slow transaction lies in the middle of it.
TEST(MemoryTarget, SlowTransactionsStayOpen) {
  const auto factory = memory_target();
  Options options(factory.options);
  ASSERT_TRUE(options.set("txn.slow-share", "1", "test"));
  ASSERT_TRUE(options.set("txn.slow", "50ms", "test"));
  EXPECT_TRUE(factory.check_options(options, "list-append"));
  EXPECT_FALSE(factory.check_options(options, "register"));
  Cluster cluster;
  auto target = factory.make(cluster, options);
  ASSERT_TRUE(target);
  (*target)->client_setup()->use("rw-register");
  auto client = (*target)->client(0);
  const Operation write{"txn", std::nullopt, Value(Value::List{Value(Value::List{"w", 1, 2})})};
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ((*client)->invoke(write, begin + std::chrono::seconds(30)).type, EventType::ok);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, milliseconds(100));
  EXPECT_EQ((*client)->invoke(write, std::chrono::steady_clock::now() + milliseconds(10)).type, EventType::info);
}

TEST(MemoryTarget, LatencyEndsAtTheDeadline) {
  const auto factory = memory_target();
  Options options(factory.options);
  ASSERT_TRUE(options.set("memory.latency", "10s", "test"));
  Cluster cluster;
  auto target = factory.make(cluster, options);
  ASSERT_TRUE(target);
  auto client = (*target)->client(0);
  const auto began = std::chrono::steady_clock::now();
  const auto done = (*client)->invoke({"read", Value("k"), {}}, began + milliseconds(30));
  EXPECT_EQ(done.type, EventType::info);
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(2));
}

}  // namespace
}  // namespace ordeal
