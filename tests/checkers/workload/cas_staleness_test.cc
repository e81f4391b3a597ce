// The level bounded-staleness-T of registers with a version, against all orders in which reads may be so late.

#include <functional>
#include <map>
#include <optional>
#include <random>

#include "tests/checkers/workload/histories.h"
#include "tests/checkers/workload/seed.h"

namespace ordeal::work {
namespace {

using testing::HasSubstr;

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

// `times` by event: how late reads may be; empty: not at all.
struct Lateness {
  std::vector<std::int64_t> times;
  std::int64_t bound = 0;
};
// Whether an operation that has not been done must come before the read.
bool waits(const std::vector<Call>& calls, const std::vector<bool>& done, std::size_t read, const Lateness& lateness) {
  for (std::size_t i = 0; i < calls.size(); ++i) {
    const bool over = calls[i].ok && !done[i] && i != read;
    if (over && lateness.times[calls[i].end] < lateness.times[calls[read].begin] - lateness.bound) return true;
  }
  return false;
}

bool some_order(const std::vector<Call>& calls, std::vector<bool> done, const Cell& cell,
                const Lateness& lateness = {}) {
  EventIndex first_end = kNoEvent;
  bool left = false;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    if (done[i] || !calls[i].ok) continue;
    left = true;
    first_end = std::min(first_end, calls[i].end);
  }
  if (!left) return true;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    const bool may_be_late = calls[i].is_read && !lateness.times.empty();
    if (done[i] || (may_be_late ? waits(calls, done, i, lateness) : calls[i].begin > first_end)) continue;
    const auto next = cell.after(calls[i]);
    if (!next) continue;
    done[i] = true;
    if (some_order(calls, done, *next, lateness)) return true;
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

TEST(CasByVersion, ReadsMayBeAsLateAsTheBoundAllows) {
  Random random(seed_or(6));
  std::mt19937 chance(seed_or(7));
  std::size_t invalid = 0, valid = 0, weaker = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::vector<Call> calls;
    std::string text = random.history(calls);
    // Those before, as Random::kOutdated has them.
    std::vector<Call> possible = {
        {false, 0, 1, true, 0, 1, 1}, {false, 2, 3, true, 1, 2, 2}, {true, 4, 5, true, 0, 2, 2}};
    Lateness lateness;
    lateness.bound = static_cast<std::int64_t>(chance() % 12);
    std::int64_t now = 0;
    for (std::size_t i = text.find("{:process"); i != text.npos; i = text.find("{:process", i + 20)) {
      now += static_cast<std::int64_t>(chance() % 3);
      lateness.times.push_back(now);
      text.replace(i, 9, "{:time " + std::to_string(now) + "000000 :process");
    }
    const History h = history_of(text);
    for (const Call& call : calls) {
      const EventIndex end = h.partner(call.begin);
      if (call.ok || (!call.is_read && h.type(end) == EventType::info)) possible.push_back(call);
    }
    const bool explained = some_order(possible, std::vector<bool>(possible.size()), {}, lateness);
    CheckOptions how;
    how.consistency = "bounded-staleness-" + std::to_string(lateness.bound) + "ms";
    const auto result = judged("cas-by-version", h, how);
    if (result.verdict == Verdict::unknown) {
      ASSERT_THAT(result.reason, HasSubstr("nobody saw")) << text;
      continue;
    }
    ASSERT_EQ(result.verdict == Verdict::valid, explained) << lateness.bound << "\n" << text << verdict(result);
    explained ? ++valid : ++invalid;
    if (explained && judged("cas-by-version", h).verdict == Verdict::invalid) ++weaker;
  }
  EXPECT_GT(valid, 4000u);
  EXPECT_GT(invalid, 2000u);
  EXPECT_GT(weaker, 100u);
}

}  // namespace
}  // namespace ordeal::work
