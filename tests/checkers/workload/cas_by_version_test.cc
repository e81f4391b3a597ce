#include <functional>
#include <map>
#include <optional>
#include <random>

#include "tests/checkers/workload/histories.h"
#include "tests/checkers/workload/seed.h"

namespace ordeal::work {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string cas(std::string_view asked, std::string_view type, std::string_view made, int process = 0) {
  return op(process, "cas-version", asked, type, made);
}
std::string read(std::string_view seen, int process = 9) { return ok(process, "read", "nil", seen); }

// Changes to versions 1, 2 and 3 with the values 1, 2 and 1, and an outdated try that is refused.
const std::string kBegun = read("[0 nil]") + cas("[0 1]", "ok", "[1 1]") + cas("[1 2]", "ok", "[2 2]") +
                           cas("[2 1]", "ok", "[3 1]") + cas("[1 3]", "fail", "[1 3]");

TEST(CasByVersion, SucceedsAgainstTheCurrentVersionOnly) {
  EXPECT_EQ(verdict(judged("cas-by-version", kBegun + read("[3 1]"))), "valid");
  EXPECT_EQ(verdict(judged("cas-by-version", kBegun + cas("[3 1]", "ok", "[7 1]") + read("[7 1]"))), "valid");
  const auto aba = judged("cas-by-version", kBegun + cas("[1 3]", "ok", "[4 3]") + read("[4 3]"));
  EXPECT_EQ(verdict(aba), "aba");
  EXPECT_THAT(aba.anomalies[0].explanation, HasSubstr("although version 3 came in between"));
  EXPECT_EQ(verdict(judged("cas-by-version", kBegun + cas("[2 3]", "ok", "[4 3]"))), "lost-update");
  EXPECT_EQ(verdict(judged("cas-by-version", kBegun + cas("[0 3]", "ok", "[4 3]"))), "lost-update");
  EXPECT_EQ(verdict(judged("cas-by-version", read("[0 nil]") + cas("[0 1]", "info", "[0 1]", 4) + read("[1 1]") +
                                                 cas("[0 2]", "ok", "[2 2]"))),
            "stale-cas");
}

TEST(CasByVersion, VersionsGoForwardAndStandForOneValue) {
  EXPECT_EQ(verdict(judged("cas-by-version", kBegun + read("[2 2]"))), "stale-read");
  EXPECT_EQ(verdict(judged("cas-by-version", kBegun + read("[3 2]"))), "version-reused");
  EXPECT_EQ(verdict(judged("cas-by-version", kBegun + read("[4 1]"))), "unexpected-version");
  EXPECT_EQ(verdict(judged("cas-by-version", kBegun + cas("[3 5]", "ok", "[2 5]"))), "version-went-back");
  EXPECT_EQ(verdict(judged("cas-by-version", kBegun + cas("[3 5]", "ok", "[4 5]") + cas("[3 6]", "ok", "[4 6]"))),
            "version-reused version-reused");
  // Read before it was made.
  EXPECT_EQ(verdict(judged("cas-by-version", kBegun + read("[4 5]") + cas("[3 5]", "ok", "[4 5]"))),
            "unexpected-version");
}

TEST(CasByVersion, OneOfUnknownOutcomeMayHaveHappened) {
  const std::string crashed = kBegun + cas("[3 5]", "info", "[3 5]", 4);
  for (const char* seen : {"[3 1]", "[4 5]", "[9 5]"})
    EXPECT_EQ(verdict(judged("cas-by-version", crashed + read(seen))), "valid") << seen;
  EXPECT_EQ(verdict(judged("cas-by-version", crashed + read("[4 6]"))), "unexpected-version");
  EXPECT_EQ(verdict(judged("cas-by-version", crashed + read("[4 5]") + read("[3 1]"))), "stale-read");
  // A success that does not tell its version, in either way.
  for (const char* told : {"[nil 5]", "[3 5]"}) {
    const std::string untold = kBegun + cas("[3 5]", "ok", told);
    EXPECT_EQ(verdict(judged("cas-by-version", untold + read("[8 5]"))), "valid");
    EXPECT_EQ(verdict(judged("cas-by-version", untold + read("[3 1]"))), "stale-read");
    EXPECT_EQ(verdict(judged("cas-by-version", untold + cas("[3 5]", "ok", told) + read("[8 5]"))), "lost-update");
    EXPECT_EQ(verdict(judged("cas-by-version", untold + cas("[3 6]", "ok", "[8 6]"))), "lost-update");
  }
}

TEST(CasByVersion, UnknownWhenNothingWasPutToTheTest) {
  EXPECT_THAT(verdict(judged("cas-by-version", read("[0 nil]"))), HasSubstr("no compare-and-set succeeded"));
  EXPECT_THAT(verdict(judged("cas-by-version", cas("[0 1]", "ok", "[1 1]"))), HasSubstr("no read succeeded"));
  EXPECT_THAT(verdict(judged("cas-by-version", cas("[0 1]", "ok", "[1 1]") + read("[1 1]"))), HasSubstr("outdated"));
  EXPECT_THAT(verdict(judged("cas-by-version", kBegun + read("7"))), HasSubstr("[version, value] was expected"));
  EXPECT_THAT(verdict(judged("cas-by-version", kBegun + cas("[3 5]", "ok", "[4 6]"))), HasSubstr("was expected"));
  EXPECT_THAT(verdict(judged("cas-by-version", kBegun + ok(0, "write", "1"))), HasSubstr("not write"));
  // A version that only an operation of unknown outcome names.
  EXPECT_THAT(verdict(judged("cas-by-version", kBegun + cas("[3 5]", "info", "[3 5]", 4) +
                                                   cas("[5 6]", "info", "[5 6]", 5) + read("[7 6]"))),
              HasSubstr("nobody saw"));
}

// ---- against all orders

struct Call {
  bool is_read = false;
  EventIndex begin = 0, end = kNoEvent;
  bool ok = false;
  std::int64_t expected = 0;
  std::optional<std::int64_t> version;
  std::int64_t value = 0;  // 0: nil
};

// The register as such: its version, or only what it is above, and its value.
struct Cell {
  bool known = true;
  std::int64_t version = 0;
  std::int64_t value = 0;

  [[nodiscard]] std::optional<Cell> after(const Call& call) const {
    const bool fits = known ? version == (call.is_read ? *call.version : call.expected)
                            : version < (call.is_read ? *call.version : call.expected);
    if (!fits || (call.is_read && value != call.value)) return std::nullopt;
    if (call.is_read) return Cell{true, *call.version, value};
    if (call.version && *call.version <= call.expected) return std::nullopt;
    return Cell{call.version.has_value(), call.version.value_or(call.expected), call.value};
  }
};

bool some_order(const std::vector<Call>& calls, std::vector<bool> done, const Cell& cell) {
  EventIndex first_end = kNoEvent;
  bool left = false;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    if (done[i] || !calls[i].ok) continue;
    left = true;
    first_end = std::min(first_end, calls[i].end);
  }
  if (!left) return true;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    if (done[i] || calls[i].begin > first_end) continue;
    const auto next = cell.after(calls[i]);
    if (!next) continue;
    done[i] = true;
    if (some_order(calls, done, *next)) return true;
    done[i] = false;
  }
  return false;
}

// Histories of a correct register, of which some answers are changed.
class Random {
 public:
  explicit Random(unsigned seed) : random_(seed) {}

  std::string history(std::vector<Call>& calls) {
    std::string text = kOutdated;
    calls.clear();
    Cell cell{true, 2, 2};
    std::map<int, std::size_t> open;
    const unsigned lies = below(3);
    EventIndex at = 8;
    for (unsigned step = 0; step < 7 || !open.empty();) {
      const int p = static_cast<int>(below(3));
      if (!open.contains(p)) {
        if (step == 7) continue;
        ++step;
        Call call;
        call.is_read = below(3) == 0;
        call.begin = at++;
        call.expected = below(3) == 0 ? cell.version - 1 + below(3) : cell.version;
        call.value = 1 + below(2);
        text += event(p, "invoke", call.is_read ? "read" : "cas-version",
                      call.is_read ? "nil" : pair(call.expected, call.value));
        open[p] = calls.size();
        calls.push_back(call);
        continue;
      }
      Call& call = calls[open[p]];
      open.erase(p);
      ++at;
      const unsigned fate = below(8);
      const bool happens = !call.is_read && call.expected == cell.version && fate != 1;
      if (happens) cell = {true, cell.version + 1 + below(2), call.value};
      const bool lie = lies > 0 && below(6) == 0;
      if (fate == 0 || (!call.is_read && !happens && fate == 2)) {
        text += event(p, "info", call.is_read ? "read" : "cas-version", "nil");
        continue;
      }
      if (!call.is_read && happens == lie) {
        text += event(p, "fail", "cas-version", "nil");
        continue;
      }
      call.ok = true;
      call.end = at - 1;
      if (call.is_read) {
        call.version = cell.version - (lie ? below(3) : 0) + (lie ? below(2) : 0);
        call.value = lie && below(2) == 0 ? 1 + below(2) : cell.value;
        text += event(p, "ok", "read", pair(*call.version, call.value));
      } else {
        const bool told = below(4) != 0;
        if (told) call.version = happens ? cell.version : call.expected + below(3);
        text += event(p, "ok", "cas-version",
                      told ? pair(*call.version, call.value) : "[nil " + std::to_string(call.value) + "]");
        if (told && *call.version == call.expected) call.version.reset();  // that repeats what was asked
      }
    }
    // Those that failed, and reads of unknown outcome, say nothing.
    return text;
  }

 private:
  // Makes version 2 known, and then tries version 0.
  inline static const std::string kOutdated = ok(8, "cas-version", "[0 1]", "[1 1]") +
                                              ok(8, "cas-version", "[1 2]", "[2 2]") + ok(8, "read", "nil", "[2 2]") +
                                              op(8, "cas-version", "[0 1]", "fail", "[0 1]");
  unsigned below(unsigned n) { return static_cast<unsigned>(random_() % n); }
  static std::string pair(std::int64_t version, std::int64_t value) {
    return "[" + std::to_string(version) + " " + std::to_string(value) + "]";
  }
  std::mt19937 random_;
};

TEST(CasByVersion, InvalidExactlyWhenNoOrderExplainsIt) {
  Random random(seed_or(5));
  std::size_t invalid = 0, valid = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::vector<Call> calls;
    const std::string text = random.history(calls);
    const History h = history_of(text);
    // Failed ones are no part of it.
    std::vector<Call> possible;
    for (const Call& call : calls) {
      const EventIndex end = h.partner(call.begin);
      if (call.ok || (!call.is_read && h.type(end) == EventType::info)) possible.push_back(call);
    }
    const bool explained = some_order(possible, std::vector<bool>(possible.size()), {true, 2, 2});
    const auto result = judged("cas-by-version", h);
    if (result.verdict == Verdict::unknown) {
      ASSERT_THAT(result.reason, HasSubstr("nobody saw")) << text;
      continue;
    }
    ASSERT_EQ(result.verdict == Verdict::valid, explained) << text << verdict(result);
    explained ? ++valid : ++invalid;
  }
  EXPECT_GT(valid, 4000u);
  EXPECT_GT(invalid, 2000u);
}

}  // namespace
}  // namespace ordeal::work
