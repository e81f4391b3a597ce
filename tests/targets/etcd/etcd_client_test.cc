// EtcdClient against real etcd members on loopback.

#include "targets/etcd/client.h"

#include <gtest/gtest.h>

#include <csignal>
#include <thread>

#include "harness/interfaces/slow_transactions.h"
#include "tests/targets/etcd/local_etcd.h"

namespace ordeal {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

Value list(Value::List items) { return Value::list(std::move(items)); }

class EtcdClientTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { etcd_ = std::make_unique<testing::LocalEtcd>(1); }
  static void TearDownTestSuite() { etcd_.reset(); }
  void SetUp() override {
    if (!etcd_->ok()) GTEST_SKIP() << etcd_->why();
  }
  [[nodiscard]] static EtcdClient client(EtcdClientOptions options = {}) {
    return EtcdClient(etcd_->endpoint(0), options);
  }
  static Completion run(EtcdClient& client, const std::string& f, std::optional<Value> key, Value value = {}) {
    return client.invoke({f, std::move(key), std::move(value)}, steady_clock::now() + seconds(5));
  }
  static std::unique_ptr<testing::LocalEtcd> etcd_;
};
std::unique_ptr<testing::LocalEtcd> EtcdClientTest::etcd_;

TEST_F(EtcdClientTest, Register) {
  EtcdClient c = client();
  EXPECT_EQ(run(c, "read", "reg").value, Value());
  EXPECT_EQ(run(c, "write", "reg", 3).type, EventType::ok);
  EXPECT_EQ(run(c, "read", "reg").value, Value(3));
  EXPECT_EQ(run(c, "cas", "reg", list({3, 4})).type, EventType::ok);
  const Completion mismatch = run(c, "cas", "reg", list({3, 5}));
  EXPECT_EQ(mismatch.type, EventType::fail);
  EXPECT_EQ(mismatch.error->kind, "precondition");
  EXPECT_EQ(run(c, "read", "reg").value, Value(4));
  // nil is the absence of the key.
  EXPECT_EQ(run(c, "write", "reg", Value()).type, EventType::ok);
  EXPECT_EQ(run(c, "read", "reg").value, Value());
  EXPECT_EQ(run(c, "cas", "reg", list({Value(), 9})).type, EventType::ok);
  EXPECT_EQ(run(c, "cas", "reg", list({Value(), 8})).type, EventType::fail);
  EXPECT_EQ(run(c, "read", "reg").value, Value(9));
}

TEST_F(EtcdClientTest, ValuesOfEveryKindComeBack) {
  EtcdClient c = client();
  for (const Value& value :
       {Value("\"ä\\\n"), Value(true), list({1, "x", Value()}), Value::map({{"a", 1}}), Value(std::int64_t{1} << 62)}) {
    ASSERT_EQ(run(c, "write", "any", value).type, EventType::ok);
    EXPECT_EQ(run(c, "read", "any").value, value);
  }
}

TEST_F(EtcdClientTest, SetByKeysAndByCas) {
  for (const bool by_cas : {false, true}) {
    EtcdClient c = client({.set_by_cas = by_cas});
    EXPECT_EQ(run(c, "read", std::nullopt).value, Value::list());
    for (int i = 0; i < 12; ++i) EXPECT_EQ(run(c, "add", std::nullopt, i).type, EventType::ok);
    auto seen = run(c, "read", std::nullopt).value;
    ASSERT_TRUE(seen && seen->is_list());
    std::sort(seen->items().begin(), seen->items().end());
    Value::List expected;
    for (int i = 0; i < 12; ++i) expected.emplace_back(i);
    EXPECT_EQ(*seen, Value::list(expected));
  }
}

TEST_F(EtcdClientTest, CounterUnderContention) {
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([] {
      EtcdClient c = client({.counter = true});
      for (int i = 0; i < 10; ++i) EXPECT_EQ(run(c, "add", std::nullopt, 2).type, EventType::ok);
    });
  }
  threads.clear();
  EtcdClient c = client({.counter = true});
  EXPECT_EQ(run(c, "read", std::nullopt).value, Value(80));
}

TEST_F(EtcdClientTest, Transactions) {
  EtcdClient c = client();
  const auto txn = [&](Value::List ops) { return run(c, "txn", std::nullopt, list(std::move(ops))); };
  // A read before and after the transaction's own write; two writes of one key.
  Completion done =
      txn({list({"r", "x", Value()}), list({"w", "x", 1}), list({"r", "x", Value()}), list({"w", "x", 2})});
  ASSERT_EQ(done.type, EventType::ok);
  EXPECT_EQ(done.value->to_json(), R"([["r","x",null],["w","x",1],["r","x",1],["w","x",2]])");
  done =
      txn({list({"r", "x", Value()}), list({"append", "l", 1}), list({"append", "l", 2}), list({"r", "l", Value()})});
  ASSERT_EQ(done.type, EventType::ok);
  EXPECT_EQ(done.value->to_json(), R"([["r","x",2],["append","l",1],["append","l",2],["r","l",[1,2]]])");
  done = txn({list({"append", "l", 3}), list({"r", "l", Value()})});
  EXPECT_EQ(done.value->to_json(), R"([["append","l",3],["r","l",[1,2,3]]])");
  done = txn({list({"r", "l", Value()})});
  EXPECT_EQ(done.value->to_json(), R"([["r","l",[1,2,3]]])");
  EXPECT_EQ(txn({list({"frob", "l", 1})}).type, EventType::fail);
}

TEST_F(EtcdClientTest, ConcurrentAppendsLoseNothing) {
  std::atomic<int> appended = 0;
  std::vector<std::jthread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([t, &appended] {
      EtcdClient c = client();
      for (int i = 0; i < 15; ++i) {
        const Completion done = run(c, "txn", std::nullopt, list({list({"append", "race", t * 100 + i})}));
        if (done.type == EventType::ok) ++appended;
        if (done.type == EventType::fail) {
          EXPECT_EQ(done.error->kind, "conflict") << done.error->message;
        }
        EXPECT_NE(done.type, EventType::info);
      }
    });
  }
  threads.clear();
  EtcdClient c = client();
  const auto seen = run(c, "read", "race").value;
  ASSERT_TRUE(seen && seen->is_list());
  EXPECT_EQ(seen->items().size(), static_cast<std::size_t>(appended));
}

SlowTransactions always_slow(const char* pause) {
  Options options(slow_transaction_options());
  EXPECT_TRUE(options.set("txn.slow-share", "1", "test"));
  EXPECT_TRUE(options.set("txn.slow", pause, "test"));
  return {options, 0};
}

// Read, wait, and commit unless what was read has changed; what commits is what was reported.
TEST_F(EtcdClientTest, SlowTransactionsStayOpenAndNoticeWhatChanged) {
  EtcdClient other = client();
  ASSERT_EQ(run(other, "write", "slow", 1).type, EventType::ok);
  const Value copy = list({list({"r", "slow", Value()}), list({"w", "slow-copy", 5})});
  EtcdClient slow(etcd_->endpoint(0), {}, always_slow("1500ms"));
  Completion changed;
  const auto begin = steady_clock::now();
  {
    // Not before the transaction has read; a machine that is so busy that it has not read after half a second lets it
    // read the new value, and then it commits.
    std::jthread meanwhile([&] {
      std::this_thread::sleep_for(milliseconds(500));
      changed = run(other, "write", "slow", 2);
    });
    const Completion done = run(slow, "txn", std::nullopt, copy);
    if (done.type == EventType::fail) {
      EXPECT_EQ(done.error->kind, "conflict") << done.error->message;
    } else {
      EXPECT_EQ(done.value, list({list({"r", "slow", 2}), list({"w", "slow-copy", 5})}));
    }
  }
  EXPECT_GE(steady_clock::now() - begin, milliseconds(1500));
  EXPECT_EQ(changed.type, EventType::ok);
  // With nobody else it commits; blind writes alone wait as well.
  EXPECT_EQ(run(slow, "txn", std::nullopt, copy).value, list({list({"r", "slow", 2}), list({"w", "slow-copy", 5})}));
  EtcdClient blind(etcd_->endpoint(0), {}, always_slow("200ms"));
  const auto again = steady_clock::now();
  EXPECT_EQ(run(blind, "txn", std::nullopt, list({list({"w", "slow", 7})})).type, EventType::ok);
  EXPECT_GE(steady_clock::now() - again, milliseconds(200));
  // Longer than there is time for: nothing is sent.
  EtcdClient late(etcd_->endpoint(0), {}, always_slow("60s"));
  const Completion over =
      late.invoke({"txn", std::nullopt, list({list({"w", "slow", 9})})}, steady_clock::now() + milliseconds(300));
  EXPECT_EQ(over.type, EventType::fail);
  EXPECT_EQ(run(other, "read", "slow").value, Value(7));
}

TEST_F(EtcdClientTest, LockWithFencingToken) {
  EtcdClient a = client();
  EtcdClient b = client();
  const Completion first = run(a, "acquire", std::nullopt);
  ASSERT_EQ(first.type, EventType::ok);
  EXPECT_EQ(run(b, "acquire", std::nullopt).error->kind, "held");
  EXPECT_EQ(run(b, "release", std::nullopt).error->kind, "not-held");
  EXPECT_EQ(run(a, "release", std::nullopt).type, EventType::ok);
  const Completion second = run(b, "acquire", std::nullopt);
  ASSERT_EQ(second.type, EventType::ok);
  EXPECT_GT(second.value->integer(), first.value->integer());
  EXPECT_EQ(run(b, "release", std::nullopt).type, EventType::ok);
}

TEST_F(EtcdClientTest, ALockIsKeptAliveAndLapsesWithItsOwner) {
  // etcd raises a time to live below the election time-out to about two seconds.
  EtcdClient a = client({.lock_ttl_s = 2});
  EtcdClient b = client({.lock_ttl_s = 2});
  ASSERT_EQ(run(a, "acquire", std::nullopt).type, EventType::ok);
  std::this_thread::sleep_for(milliseconds(3500));
  EXPECT_EQ(run(b, "acquire", std::nullopt).error->kind, "held");
  a.close();
  const auto deadline = steady_clock::now() + seconds(10);
  bool acquired = false;
  while (!acquired && steady_clock::now() < deadline) {
    acquired = run(b, "acquire", std::nullopt).type == EventType::ok;
    if (!acquired) std::this_thread::sleep_for(milliseconds(200));
  }
  EXPECT_TRUE(acquired);
  EXPECT_EQ(run(b, "release", std::nullopt).type, EventType::ok);
}

TEST_F(EtcdClientTest, LeasesAndErrorsOfTheApi) {
  EtcdApi api(etcd_->endpoint(0));
  const auto deadline = steady_clock::now() + seconds(60);
  const auto lease = api.grant_lease(30, deadline);
  ASSERT_TRUE(lease);
  EXPECT_EQ(api.keep_alive(*lease, deadline).value_or(-1), 30);
  ASSERT_TRUE(api.put({"leased", "v", *lease}, deadline));
  EXPECT_TRUE(api.revoke_lease(*lease, deadline));
  EXPECT_TRUE(api.range({"leased"}, deadline)->empty());
  EXPECT_EQ(api.keep_alive(*lease, deadline).value_or(-1), 0);
  const auto gone = api.revoke_lease(*lease, deadline);
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().kind, "lease-not-found");
  EXPECT_TRUE(gone.error().certain);
  const auto twice = api.txn({{}, {EtcdPut{"d", "1"}, EtcdPut{"d", "2"}}, {}}, deadline);
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().kind, "duplicate-key");
  EXPECT_TRUE(twice.error().certain);
  const auto large = api.put({"large", std::string(1'800'000, 'x')}, deadline);
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error().kind, "request-too-large") << large.error().message;
  EXPECT_TRUE(large.error().certain);
  // Larger still, gRPC answers with a text that could also mean the reply: nobody knows.
  const auto huge = api.put({"huge", std::string(3'000'000, 'x')}, deadline);
  ASSERT_FALSE(huge);
  EXPECT_FALSE(huge.error().certain) << huge.error().message;
}

TEST_F(EtcdClientTest, GeneratesUniqueIdsAndRefusesWhatItDoesNotKnow) {
  EtcdClient c = client();
  const auto a = run(c, "generate", std::nullopt).value;
  const auto b = run(c, "generate", std::nullopt).value;
  ASSERT_TRUE(a && b);
  EXPECT_NE(*a, *b);
  EXPECT_EQ(run(c, "dequeue", std::nullopt).error->kind, "unsupported");
  EXPECT_EQ(run(c, "cas", "x", 5).error->kind, "bad-operation");
}

// Paused and killed members: what the outcomes are.
TEST(EtcdClientFaults, PauseIsUnknownRefusalIsFailure) {
  testing::LocalEtcd etcd(1);
  if (!etcd.ok()) GTEST_SKIP() << etcd.why();
  EtcdClient c(etcd.endpoint(0), {});
  const auto run = [&](const char* f, Value value) {
    return c.invoke({f, Value("k"), std::move(value)}, steady_clock::now() + milliseconds(300));
  };
  ASSERT_EQ(run("write", 1).type, EventType::ok);
  etcd.signal(0, SIGSTOP);
  const Completion paused = run("write", 2);
  EXPECT_EQ(paused.type, EventType::info);
  EXPECT_EQ(paused.error->kind, "timeout");
  const Completion read = run("read", Value());
  EXPECT_EQ(read.type, EventType::fail);
  etcd.kill(0);
  const Completion refused = run("write", 3);
  EXPECT_EQ(refused.type, EventType::fail);
  EXPECT_EQ(refused.error->kind, "connection-refused");
}

// Three members of which two are gone: a linearizable read cannot be answered, a serializable one can; a write is
// unknown.
TEST(EtcdClientFaults, WithoutAMajority) {
  testing::LocalEtcd etcd(3);
  if (!etcd.ok()) GTEST_SKIP() << etcd.why();
  EtcdClient strict(etcd.endpoint(0), {});
  EtcdClient stale(etcd.endpoint(0), {.serializable_reads = true});
  const auto run = [&](EtcdClient& c, const char* f, Value value, int ms) {
    return c.invoke({f, Value("k"), std::move(value)}, steady_clock::now() + milliseconds(ms));
  };
  ASSERT_EQ(run(strict, "write", 1, 5000).type, EventType::ok);
  EtcdClient other(etcd.endpoint(2), {});
  EXPECT_EQ(run(other, "read", Value(), 5000).value, Value(1));
  etcd.kill(1);
  etcd.kill(2);
  EXPECT_EQ(run(strict, "write", 2, 800).type, EventType::info);
  EXPECT_EQ(run(strict, "read", Value(), 800).type, EventType::fail);
  const Completion read = run(stale, "read", Value(), 800);
  EXPECT_EQ(read.type, EventType::ok);
  EXPECT_EQ(read.value, Value(1));
}

}  // namespace
}  // namespace ordeal
