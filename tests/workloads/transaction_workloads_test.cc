// What the workloads of transactions generate.

#include <algorithm>
#include <set>

#include "tests/workloads/play.h"

namespace ordeal {
namespace {

const Value::List& parts(const Value& micro) { return micro.items(); }

TEST(TransactionWorkloads, KeysRotateAndValuesAreUnique) {
  for (const std::string name : {"list-append", "rw-register"}) {
    std::map<std::int64_t, std::int64_t> written;  // the last value of each key
    std::map<std::size_t, int> lengths;
    std::size_t reads = 0;
    std::size_t all = 0;
    for (const auto& op : play_workload(name, {{name + ".keys", "3"}, {name + ".writes-per-key", "8"}}, 5, 2000)) {
      EXPECT_EQ(op.operation.f, "txn");
      ++lengths[op.operation.value.items().size()];
      std::set<std::int64_t> active;
      for (const Value& micro : op.operation.value.items()) {
        ++all;
        const std::int64_t key = parts(micro)[1].integer();
        if (parts(micro)[0].string() == "r") {
          ++reads;
          EXPECT_TRUE(parts(micro)[2].is_nil());
          continue;
        }
        EXPECT_EQ(parts(micro)[0].string(), name == "list-append" ? "append" : "w");
        EXPECT_EQ(parts(micro)[2].integer(), ++written[key]);
        EXPECT_LE(written[key], 8);
      }
    }
    EXPECT_GT(written.size(), 100u) << name;
    // All but those in use have had their eight writes.
    EXPECT_LE(std::count_if(written.begin(), written.end(), [](const auto& one) { return one.second < 8; }), 3) << name;
    EXPECT_EQ(lengths.begin()->first, name == "list-append" ? 1u : 1u);
    EXPECT_LE(lengths.rbegin()->first, name == "list-append" ? 4u : 5u);
    EXPECT_NEAR(static_cast<double>(reads) / static_cast<double>(all), 0.5, name == "list-append" ? 0.05 : 0.25);
  }
}

TEST(TransactionWorkloads, RegistersAreReadBeforeTheyAreWritten) {
  for (const auto& op : play_workload("rw-register", {}, 5, 1000)) {
    std::set<std::int64_t> touched;
    for (const Value& micro : op.operation.value.items()) {
      const std::int64_t key = parts(micro)[1].integer();
      EXPECT_TRUE(parts(micro)[0].string() == "r" || touched.contains(key)) << op.operation.value.to_json();
      touched.insert(key);
    }
  }
  bool blind = false;
  for (const auto& op : play_workload("rw-register", {{"rw-register.read-first", "false"}}, 5, 1000)) {
    blind = blind || parts(op.operation.value.items()[0])[0].string() == "w";
  }
  EXPECT_TRUE(blind);
}

TEST(TransactionWorkloads, LengthsMustFit) {
  const auto made = make_workload("list-append", {{"list-append.min-length", "5"}}, 5);
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().message.find("list-append.min-length"), std::string::npos);
}

TEST(TransactionWorkloads, WriteSkewReadsBothAndWritesOne) {
  std::set<std::int64_t> sides;
  for (const auto& op : play_workload("write-skew", {}, 5, 500)) {
    const auto& micros = op.operation.value.items();
    ASSERT_EQ(micros.size(), 3u);
    const std::int64_t first = parts(micros[0])[1].integer();
    EXPECT_EQ(first % 2, 0);
    EXPECT_EQ(parts(micros[1])[1].integer(), first + 1);
    const std::int64_t written = parts(micros[2])[1].integer() - first;
    EXPECT_TRUE(written == 0 || written == 1);
    sides.insert(written);
  }
  EXPECT_EQ(sides.size(), 2u);
}

TEST(TransactionWorkloads, LongForkWritesFreshKeysAndReadsTheirGroups) {
  std::set<std::int64_t> written;
  std::map<int, std::int64_t> last;  // by worker: the key it has written and not read
  for (const auto& op : play_workload("long-fork", {{"long-fork.group", "3"}}, 4, 1000)) {
    const auto& micros = op.operation.value.items();
    if (parts(micros[0])[0].string() == "w") {
      EXPECT_EQ(micros.size(), 1u);
      EXPECT_FALSE(last.contains(op.worker));
      last[op.worker] = parts(micros[0])[1].integer();
      EXPECT_TRUE(written.insert(last[op.worker]).second);
      continue;
    }
    std::set<std::int64_t> keys;
    for (const Value& micro : micros) keys.insert(parts(micro)[1].integer());
    EXPECT_EQ(keys.size(), 3u);
    EXPECT_EQ(*keys.begin() % 3, 0);
    EXPECT_EQ(*keys.rbegin(), *keys.begin() + 2);
    EXPECT_TRUE(!last.contains(op.worker) || keys.contains(last[op.worker]));
    last.erase(op.worker);
  }
  EXPECT_GT(written.size(), 200u);
}

TEST(TransactionWorkloads, G2InsertsPairs) {
  std::map<std::int64_t, std::set<std::size_t>> sides;
  std::set<std::int64_t> ids;
  for (const auto& op : play_workload("g2", {}, 4, 1000)) {
    const auto& row = op.operation.value.items();
    ASSERT_EQ(row.size(), 2u);
    const std::size_t side = row[0].is_nil() ? 1 : 0;
    EXPECT_TRUE(row[1 - side].is_nil());
    EXPECT_TRUE(ids.insert(row[side].integer()).second);
    sides[op.operation.key->integer()].insert(side);
  }
  EXPECT_EQ(sides.size(), 500u);
  for (const auto& [key, both] : sides) EXPECT_EQ(both.size(), 2u) << key;
}

}  // namespace
}  // namespace ordeal
