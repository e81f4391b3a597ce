// A client that read a moment after the last update, and never again, did not make a final read: replicas had no time
// to converge. Its read was taken for one, and a correct store was accused of what it had not been given the time for.

#include "tests/checkers/workload/histories.h"

namespace ordeal::work {
namespace {

using testing::HasSubstr;

std::string at(std::int64_t ms, int process, std::string_view f, std::string_view asked, std::string_view type,
               std::string_view seen) {
  const auto timed = [](std::int64_t when, const std::string& one) {
    return "{:time " + std::to_string(when) + "000000 " + one.substr(1);
  };
  return timed(ms, event(process, "invoke", f, asked)) + timed(ms + 1, event(process, type, f, seen));
}
std::string done(std::int64_t ms, int process, std::string_view f, std::string_view value) {
  return at(ms, process, f, value, "ok", value);
}
std::string read(std::int64_t ms, int process, std::string_view seen) {
  return at(ms, process, "read", "nil", "ok", seen);
}
// Client 5 crashes after it has read.
std::string crashed(std::int64_t ms) { return at(ms, 5, "read", "nil", "info", "nil"); }

TEST(RegressSettling, OfAReplicatedSet) {
  const CheckOptions how = with("convergence", {{"convergence.settle", "20ms"}});
  const std::string begun = done(1, 0, "add", "1") + read(4, 5, "[]") + crashed(6);
  EXPECT_EQ(verdict(judged("convergence", begun + read(50, 0, "[1]") + read(50, 1, "[1]"), how)), "valid");
  EXPECT_EQ(verdict(judged("convergence", begun + read(50, 0, "[1]") + read(50, 1, "[]"), how)),
            "lost-element divergence");
  EXPECT_THAT(verdict(judged("convergence", begun + read(10, 0, "[1]") + read(10, 1, "[]"), how)),
              HasSubstr("fewer than two"));
}

TEST(RegressSettling, OfAnObservedRemoveSet) {
  const CheckOptions how = with("or-set", {{"or-set.settle", "20ms"}});
  const std::string begun =
      done(1, 0, "add", "2") + done(3, 0, "remove", "2") + done(5, 0, "add", "1") + read(8, 5, "[]") + crashed(10);
  EXPECT_EQ(verdict(judged("or-set", begun + read(50, 0, "[1]") + read(50, 1, "[1]"), how)), "valid");
  EXPECT_EQ(verdict(judged("or-set", begun + read(50, 0, "[1]") + read(50, 1, "[]"), how)), "lost-element");
  EXPECT_THAT(verdict(judged("or-set", begun + read(10, 0, "[1]") + read(10, 1, "[]"), how)),
              HasSubstr("fewer than two"));
}

TEST(RegressSettling, OfAMapOfTimestamps) {
  const CheckOptions how = with("lww-map", {{"lww-map.settle", "20ms"}});
  const std::string begun = done(1, 0, "put", "[50 1]") + done(3, 1, "put", "[40 2]") + read(6, 5, "2") + crashed(8);
  EXPECT_EQ(verdict(judged("lww-map", begun + read(50, 0, "1") + read(50, 1, "1"), how)), "valid");
  EXPECT_EQ(verdict(judged("lww-map", begun + read(50, 0, "1") + read(50, 1, "2"), how)), "wrong-winner");
  EXPECT_THAT(verdict(judged("lww-map", begun + read(10, 0, "1") + read(10, 1, "2"), how)),
              HasSubstr("by two processes"));
}

TEST(RegressSettling, OfDurability) {
  const CheckOptions how = with("durability", {{"durability.settle", "20ms"}});
  EXPECT_EQ(verdict(judged("durability", done(1, 0, "add", "1") + read(30, 1, "[1]"), how)), "valid");
  EXPECT_EQ(verdict(judged("durability", done(1, 0, "add", "1") + read(30, 1, "[]"), how)), "lost-element");
  EXPECT_THAT(verdict(judged("durability", done(1, 0, "add", "1") + read(4, 1, "[]"), how)),
              HasSubstr("after the last add"));
}

}  // namespace
}  // namespace ordeal::work
