// The data types of the memory target that have classes of their own, and that each bug shows.

#include <gtest/gtest.h>

#include "targets/memory/causal_replicas.h"
#include "targets/memory/event_ledger.h"
#include "targets/memory/event_log.h"
#include "targets/memory/replicas.h"
#include "targets/memory/versioned.h"

namespace ordeal::memory {
namespace {

std::string text(const Completion& done) {
  std::string out(name(done.type));
  if (done.error) out += " " + done.error->kind;
  if (done.value) out += " " + done.value->to_json();
  return out;
}
Operation asked(std::string f, std::string_view value = "null") {
  return {std::move(f), Value("k"), *Value::from_json(value)};
}

class DataTypes : public testing::Test {
 protected:
  std::chrono::nanoseconds now_{0};
  Rng rng_{1};
  std::function<std::chrono::nanoseconds()> clock() {
    return [this] { return now_; };
  }
  void pass(int ms) { now_ += std::chrono::milliseconds(ms); }
};

TEST_F(DataTypes, VersionsAreCompared) {
  VersionedRegisters registers({});
  const auto apply = [&](auto... words) { return text(registers.apply(asked(words...), rng_)); };
  EXPECT_EQ(apply("read"), "ok [0,null]");
  EXPECT_EQ(apply("cas-version", "[0,7]"), "ok [1,7]");
  EXPECT_EQ(apply("cas-version", "[0,7]"), "fail conflict");
  EXPECT_EQ(apply("cas-version", "[1,8]"), "ok [2,8]");
  EXPECT_EQ(apply("cas-version", "[2,7]"), "ok [3,7]");
  EXPECT_EQ(apply("cas-version", "[1,9]"), "fail conflict");  // though the value is the same again
  EXPECT_EQ(apply("read"), "ok [3,7]");
  EXPECT_EQ(apply("cas-version", "7"), "fail bad-operation");
}

TEST_F(DataTypes, VersionsWithBugs) {
  const auto run = [&](Bug bug) {
    VersionedRegisters registers({bug, 1});
    std::string out;
    for (const char* change : {"[0,7]", "[1,8]", "[2,7]", "[1,9]"})
      out += text(registers.apply(asked("cas-version", change), rng_)) + " ";
    return out + text(registers.apply(asked("read"), rng_));
  };
  EXPECT_EQ(run(Bug::none), "ok [1,7] ok [2,8] ok [3,7] fail conflict ok [3,7]");
  EXPECT_EQ(run(Bug::write_skew), "ok [1,7] ok [2,8] ok [3,7] ok [4,9] ok [4,9]");
  EXPECT_EQ(run(Bug::lost_write), "ok [1,7] fail conflict fail conflict fail conflict ok [0,null]");
  EXPECT_EQ(run(Bug::stale_read), "ok [1,7] ok [2,8] ok [3,7] fail conflict ok [2,8]");
  EXPECT_EQ(run(Bug::duplicate), "ok [1,7] fail conflict ok [3,7] fail conflict ok [4,7]");
}

// Client 0 writes x, client 1 sees it and writes y, client 2 sees y: does it see x? In how many of the seeds it does
// not.
TEST_F(DataTypes, CausalReplicasWaitForDependencies) {
  const auto missed = [&](Bug bug) {
    int out = 0;
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
      rng_ = Rng(seed);
      now_ = std::chrono::nanoseconds(0);
      CausalReplicas registers({bug, 1}, std::chrono::milliseconds(10), clock());
      const auto apply = [&](const char* key, std::uint64_t client, const char* f, std::string_view value = "null") {
        return text(registers.apply(key, {f, Value(key), *Value::from_json(value)}, client, rng_));
      };
      const auto wait_for = [&](const char* key, std::uint64_t client) {
        for (int i = 0; i < 100 && apply(key, client, "read") == "ok null"; ++i) pass(1);
      };
      EXPECT_EQ(apply("x", 0, "write", "1"), "ok");
      EXPECT_EQ(apply("x", 0, "read"), "ok 1");  // its own, at once
      wait_for("x", 1);
      EXPECT_EQ(apply("y", 1, "write", "2"), "ok");
      wait_for("y", 2);
      EXPECT_EQ(apply("y", 2, "read"), "ok 2");
      out += apply("x", 2, "read") == "ok 1" ? 0 : 1;
      pass(10);
      EXPECT_EQ(apply("x", 2, "read"), "ok 1");
    }
    return out;
  };
  EXPECT_EQ(missed(Bug::none), 0);
  EXPECT_GT(missed(Bug::reorder), 5);
}

TEST_F(DataTypes, CausalReplicasAgreeInTheEndAndNotAtOnce) {
  CausalReplicas registers({}, std::chrono::milliseconds(10), clock());
  const auto apply = [&](const char* key, std::uint64_t client, const char* f, std::string_view value = "null") {
    return text(registers.apply(key, {f, Value(key), *Value::from_json(value)}, client, rng_));
  };
  // Each writes one key and misses the other's, which no order of the four explains: it is not sequential.
  EXPECT_EQ(apply("a", 0, "write", "1") + apply("b", 1, "write", "1"), "okok");
  EXPECT_EQ(apply("b", 0, "read") + apply("a", 1, "read"), "ok nullok null");
  // Two values of one key at the same time; the same one stays everywhere.
  EXPECT_EQ(apply("c", 0, "write", "1") + apply("c", 1, "write", "2"), "okok");
  EXPECT_EQ(apply("c", 0, "read") + apply("c", 1, "read"), "ok 1ok 2");
  pass(10);
  const std::string last = apply("c", 0, "read");
  EXPECT_NE(last, "ok null");
  EXPECT_EQ(apply("c", 1, "read"), last);
  EXPECT_EQ(apply("c", 2, "read"), last);
  EXPECT_EQ(apply("c", 2, "cas", "[7, 8]"), "fail conflict");
  EXPECT_EQ(apply("c", 2, "cas", last == "ok 1" ? "[1, 3]" : "[2, 3]"), "ok");
  EXPECT_EQ(apply("c", 2, "read"), "ok 3");
  EXPECT_EQ(apply("c", 2, "cas", "3"), "fail bad-operation");
  EXPECT_EQ(apply("c", 2, "append", "3"), "fail unsupported");
}

TEST_F(DataTypes, IdsGrowWithTimeUpToTheClocks) {
  TimeOrderedIds ids({}, clock());
  const auto id = [&](TimeOrderedIds& of, std::uint64_t client) { return of.apply(client, rng_).value->integer(); };
  const std::int64_t first = id(ids, 0);
  EXPECT_GT(id(ids, 0), first);
  EXPECT_GT(id(ids, 2), first);
  const std::int64_t ahead = id(ids, 2);
  EXPECT_LT(id(ids, 1), ahead);  // whose clock is behind that of the third
  pass(3);
  EXPECT_GT(id(ids, 0), ahead);
  TimeOrderedIds same({Bug::duplicate, 1}, clock());
  EXPECT_EQ(id(same, 0), id(same, 0));
  TimeOrderedIds back({Bug::stale_read, 1}, clock());
  EXPECT_LT(id(back, 0), first);
}

TEST_F(DataTypes, EventsAreReadLaterUnlessATokenSaysMore) {
  EventLog log({}, clock());
  const auto apply = [&](auto... words) { return text(log.apply(asked(words...), rng_)); };
  EXPECT_EQ(apply("append", "7"), "ok [1,7]");
  pass(1);
  EXPECT_EQ(apply("append", "8"), "ok [2,8]");
  EXPECT_EQ(apply("read"), "ok [0,[]]");
  EXPECT_EQ(apply("read", "1"), "ok [1,[7]]");
  EXPECT_EQ(apply("replay"), "ok [2,[7,8]]");
  EXPECT_EQ(apply("read-at", "1"), "ok [1,[7]]");
  EXPECT_EQ(apply("read-at", "3"), "fail no-such-position");
  pass(10);
  EXPECT_EQ(apply("read"), "ok [2,[7,8]]");
}

TEST_F(DataTypes, EventsWithBugs) {
  const auto run = [&](Bug bug) {
    EventLog log({bug, 1}, clock());
    for (const char* event : {"7", "8"}) (void)log.apply(asked("append", event), rng_);
    pass(10);
    return text(log.apply(asked("read", bug == Bug::lost_write ? "0" : "2"), rng_)) + " " +
           text(log.apply(asked("replay"), rng_));
  };
  EXPECT_EQ(run(Bug::stale_read), "ok [1,[7]] ok [2,[7,8]]");
  EXPECT_EQ(run(Bug::lost_write), "ok [0,[]] ok [0,[]]");
  EXPECT_EQ(run(Bug::duplicate), "ok [2,[7,8,8]] ok [2,[7,8]]");
  EXPECT_EQ(run(Bug::reorder), "ok [2,[8,7]] ok [2,[7,8]]");
}

TEST_F(DataTypes, ALedgerIsAStreamOfEventsAndAModelThatFollows) {
  EventLedger ledger({}, clock());
  const auto apply = [&](auto... words) { return text(ledger.apply(asked(words...), rng_)); };
  EXPECT_EQ(apply("balance"), "ok [0,0]");
  EXPECT_EQ(apply("deposit", R"({"id":7,"amount":5})"), "ok 1");
  EXPECT_EQ(apply("withdraw", R"({"id":8,"amount":6})"), "fail insufficient");
  EXPECT_EQ(apply("withdraw", R"({"id":9,"amount":5})"), "ok 2");
  EXPECT_EQ(apply("events"), "ok [[1,7,5],[2,9,-5]]");
  EXPECT_EQ(apply("balance"), "ok [2,0]");
  EXPECT_EQ(apply("replay"), "ok [2,0]");
  EXPECT_EQ(apply("model"), "ok [0,0]");
  pass(10);
  EXPECT_EQ(apply("model"), "ok [2,0]");
  EXPECT_EQ(apply("deposit", R"({"id":7,"amount":0})"), "fail bad-operation");
  EXPECT_EQ(apply("transfer"), "fail unsupported");
}

TEST_F(DataTypes, ALedgerWithBugs) {
  const auto run = [&](Bug bug, const char* look) {
    EventLedger ledger({bug, 1}, clock());
    for (const char* f : {"deposit", "deposit", "withdraw"})
      (void)ledger.apply(asked(f, *f == 'w' ? R"({"id":3,"amount":1})" : R"({"id":2,"amount":5})"), rng_);
    pass(10);
    return text(ledger.apply(asked(look), rng_));
  };
  EXPECT_EQ(run(Bug::none, "balance"), "ok [3,9]");
  EXPECT_EQ(run(Bug::stale_read, "balance"), "ok [2,10]");
  EXPECT_EQ(run(Bug::lost_write, "events"), "ok []");
  EXPECT_EQ(run(Bug::duplicate, "balance"), "ok [6,18]");
  EXPECT_EQ(run(Bug::reorder, "model"), "ok [2,4]");
}

TEST_F(DataTypes, RemovesTakeWhatTheyObserved) {
  Replicas replicas({}, clock());
  const auto apply = [&](std::uint64_t client, auto... words) {
    return text(replicas.set(asked(words...), client, rng_));
  };
  EXPECT_EQ(apply(0, "add", "7"), "ok");
  EXPECT_EQ(apply(0, "read"), "ok [7]");
  EXPECT_EQ(apply(1, "read"), "ok []");      // on its way
  EXPECT_EQ(apply(1, "remove", "7"), "ok");  // observes nothing
  pass(10);
  EXPECT_EQ(apply(1, "read"), "ok [7]");
  EXPECT_EQ(apply(1, "remove", "7"), "ok");
  EXPECT_EQ(apply(2, "add", "7"), "ok");
  EXPECT_EQ(apply(1, "read"), "ok []");
  pass(10);
  for (const std::uint64_t client : {0, 1, 2}) EXPECT_EQ(apply(client, "read"), "ok [7]");
  EXPECT_EQ(apply(0, "remove", "7"), "ok");
  pass(10);
  EXPECT_EQ(apply(2, "read"), "ok []");
}

TEST_F(DataTypes, SetsWithBugs) {
  const auto run = [&](Bug bug) {
    Replicas replicas({bug, 1}, clock());
    (void)replicas.set(asked("remove", "7"), 0, rng_);
    (void)replicas.set(asked("add", "7"), 1, rng_);
    pass(10);
    return text(replicas.set(asked("read"), 0, rng_));
  };
  EXPECT_EQ(run(Bug::none), "ok [7]");
  EXPECT_EQ(run(Bug::write_skew), "ok []");
  EXPECT_EQ(run(Bug::stale_read), "ok []");
  EXPECT_EQ(run(Bug::lost_write), "ok []");
  EXPECT_EQ(run(Bug::duplicate), "ok [7,7]");
}

TEST_F(DataTypes, TheGreatestTimestampWins) {
  const auto run = [&](Bug bug) {
    Replicas replicas({bug, 1}, clock());
    (void)replicas.map(asked("put", "[5,1]"), 0, rng_);
    (void)replicas.map(asked("put", "[3,2]"), 1, rng_);
    pass(10);
    std::string out = text(replicas.map(asked("read"), 2, rng_));
    (void)replicas.map(asked("remove", "7"), 0, rng_);
    pass(10);
    (void)replicas.map(asked("put", "[6,3]"), 1, rng_);
    pass(10);
    return out + " " + text(replicas.map(asked("read"), 2, rng_));
  };
  EXPECT_EQ(run(Bug::none), "ok 1 ok null");
  EXPECT_EQ(run(Bug::write_skew), "ok 1 ok 3");
  EXPECT_EQ(run(Bug::reorder), "ok 2 ok 3");
  EXPECT_EQ(run(Bug::stale_read), "ok null ok null");
  EXPECT_EQ(run(Bug::lost_write), "ok null ok null");
  Replicas replicas({}, clock());
  EXPECT_EQ(text(replicas.map(asked("put", "7"), 0, rng_)), "fail bad-operation");
  EXPECT_EQ(text(replicas.map(asked("cas", "7"), 0, rng_)), "fail unsupported");
}

}  // namespace
}  // namespace ordeal::memory
