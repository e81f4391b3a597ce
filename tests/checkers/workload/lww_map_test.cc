#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "tests/checkers/workload/histories.h"
#include "tests/checkers/workload/seed.h"

namespace ordeal::work {
namespace {

using testing::HasSubstr;

std::string put(int process, std::string_view write, std::string_view type = "ok") {
  return op(process, "put", write, type, write);
}
std::string remove(int process, std::string_view timestamp, std::string_view type = "ok") {
  return op(process, "remove", timestamp, type, timestamp);
}
std::string read(int process, std::string_view value) { return ok(process, "read", "nil", value); }
std::string finals(std::string_view value) { return read(7, value) + read(8, value); }

// 1 was put with a greater timestamp than 2 after it.
const std::string kBegun = put(0, "[50 1]") + put(1, "[40 2]");

TEST(LwwMap, TheGreatestTimestampWins) {
  EXPECT_EQ(verdict(judged("lww-map", kBegun + finals("1"))), "valid");
  EXPECT_EQ(verdict(judged("lww-map", kBegun + read(2, "2") + put(3, "[30 3]") + finals("1"))), "valid");
  EXPECT_EQ(verdict(judged("lww-map", kBegun + finals("2"))), "wrong-winner wrong-winner");
  EXPECT_EQ(verdict(judged("lww-map", kBegun + finals("nil"))), "wrong-winner wrong-winner");
  EXPECT_EQ(verdict(judged("lww-map", kBegun + remove(0, "45") + finals("1"))), "valid");
  EXPECT_EQ(verdict(judged("lww-map", kBegun + remove(0, "60") + finals("nil"))), "valid");
  EXPECT_EQ(verdict(judged("lww-map", kBegun + remove(0, "60") + finals("1"))),
            "resurrected-element resurrected-element");
  EXPECT_EQ(verdict(judged("lww-map", kBegun + finals("3"))), "unexpected-element");
  EXPECT_EQ(verdict(judged("lww-map", kBegun + put(0, "[60 3]", "fail") + finals("3"))), "unexpected-element");
}

TEST(LwwMap, EqualTimestampsEndAlike) {
  const std::string tie = kBegun + put(2, "[50 3]");
  EXPECT_EQ(verdict(judged("lww-map", tie + finals("1"))), "valid");
  EXPECT_EQ(verdict(judged("lww-map", tie + finals("3"))), "valid");
  EXPECT_EQ(verdict(judged("lww-map", tie + read(7, "1") + read(8, "3"))), "divergence");
}

TEST(LwwMap, OneOfUnknownOutcome) {
  const std::string crashed = kBegun + put(2, "[60 3]", "info");
  for (const char* end : {"1", "3"}) EXPECT_EQ(verdict(judged("lww-map", crashed + finals(end))), "valid") << end;
  EXPECT_EQ(verdict(judged("lww-map", crashed + read(7, "3") + read(8, "1"))), "valid");  // it arrives
  EXPECT_EQ(verdict(judged("lww-map", crashed + read(4, "3") + put(5, "[45 4]") + finals("3"))), "valid");
  EXPECT_EQ(verdict(judged("lww-map", crashed + read(4, "3") + put(5, "[45 4]") + finals("1"))),
            "wrong-winner wrong-winner");
  EXPECT_EQ(verdict(judged("lww-map", kBegun + put(2, "[45 3]", "info") + finals("3"))), "wrong-winner wrong-winner");
}

TEST(LwwMap, AReplicaDoesNotGoBack) {
  const std::string later = put(5, "[10 9]");
  EXPECT_EQ(verdict(judged("lww-map", kBegun + read(0, "2") + later + finals("1"))), "value-went-back");
  EXPECT_EQ(verdict(judged("lww-map", kBegun + read(1, "2") + read(1, "1") + read(1, "2") + later + finals("1"))),
            "value-went-back");
  EXPECT_EQ(verdict(judged("lww-map", kBegun + read(0, "nil") + later + finals("1"))), "value-went-back");
  EXPECT_EQ(verdict(judged("lww-map", kBegun + read(2, "nil") + later + finals("1"))), "valid");
  EXPECT_EQ(verdict(judged("lww-map", kBegun + read(0, "2") + later + finals("1"),
                           with("lww-map", {{"lww-map.sticky", "false"}}))),
            "valid");
}

TEST(LwwMap, UnknownWhenNothingWasPutToTheTest) {
  EXPECT_THAT(verdict(judged("lww-map", kBegun + read(7, "1"))), HasSubstr("by two processes"));
  EXPECT_THAT(verdict(judged("lww-map", finals("nil"))), HasSubstr("no write succeeded"));
  EXPECT_THAT(verdict(judged("lww-map", put(0, "[40 1]") + put(1, "[50 2]") + finals("2"))),
              HasSubstr("the last one wins anyhow"));
  EXPECT_THAT(verdict(judged("lww-map", put(0, "1"))), HasSubstr("[timestamp, value] was expected"));
  EXPECT_THAT(verdict(judged("lww-map", remove(0, "nil"))), HasSubstr("a timestamp was expected"));
  EXPECT_THAT(verdict(judged("lww-map", kBegun + event(7, "invoke", "read", "nil") + event(7, "ok", "read", ""))),
              HasSubstr("without a value"));
}

// ---- against all that replicas, one for each client, may hold

struct Step {
  bool is_read = false;
  int process = 0;
  EventIndex begin = 0, end = kNoEvent;
  bool ok = false;
  int timestamp = 0;
  int value = 0;  // 0: removed, or nothing
  bool final = false;
};

class Executions {
 public:
  explicit Executions(std::vector<Step> steps) : steps_(std::move(steps)) {
    for (const Step& one : steps_) {
      if (!one.is_read) last_write_ = std::max(last_write_, one.ok ? one.end : one.begin);
    }
  }
  // Whether some order of the values with equal timestamps, and some reading of each read, explain it all.
  [[nodiscard]] bool exists() {
    std::vector<int> order = {0, 1, 2, 3};
    do {
      order_ = order;
      if (reads(0, {}, {})) return true;
    } while (std::next_permutation(order.begin(), order.end()));
    return false;
  }

 private:
  using Known = std::map<int, int>;  // by process: the greatest timestamp of its replica

  // The steps from that one on. `forced`: writes of unknown outcome that have arrived everywhere.
  bool reads(std::size_t next, Known known, std::set<std::size_t> forced) {
    if (next == steps_.size()) return true;
    const Step& step = steps_[next];
    if (!step.is_read) {
      if (step.ok) known[step.process] = std::max(known[step.process], step.timestamp);
      return reads(next + 1, known, forced);
    }
    if (step.final) return final_read(step, known, forced) && reads(next + 1, known, forced);
    if (step.value == 0 && known[step.process] == 0 && reads(next + 1, known, forced)) return true;
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      const Step& write = steps_[i];
      if (write.is_read || write.value != step.value || write.begin > step.end || write.timestamp < known[step.process])
        continue;
      Known more = known;
      more[step.process] = write.timestamp;
      std::set<std::size_t> arrived = forced;
      if (!write.ok && step.end < last_write_) arrived.insert(i);
      if (reads(next + 1, more, arrived)) return true;
    }
    return false;
  }

  // Whether a choice of the writes of unknown outcome makes it what it is.
  [[nodiscard]] bool final_read(const Step& step, Known& known, const std::set<std::size_t>& forced) const {
    for (unsigned chosen = 0; chosen < 1u << steps_.size(); ++chosen) {
      std::pair<int, int> best = {0, 0};
      int value = 0;
      bool possible = true;
      for (std::size_t i = 0; i < steps_.size(); ++i) {
        const Step& write = steps_[i];
        const bool in = (chosen >> i & 1) != 0;
        if (write.is_read || write.begin > step.end) possible = possible && !in;
        if (!write.is_read && (write.ok || forced.contains(i))) possible = possible && in;
        if (!in || write.is_read) continue;
        const std::pair mine(write.timestamp, order_[static_cast<std::size_t>(write.value)]);
        if (mine < best) continue;
        best = mine;
        value = write.value;
      }
      if (possible && value == step.value && best.first >= known[step.process]) return true;
    }
    return false;
  }

  std::vector<Step> steps_;
  std::vector<int> order_;
  EventIndex last_write_ = 0;
};

void mark_final(std::vector<Step>& steps) {
  EventIndex last_write = 0;
  std::map<int, Step*> last;
  for (const Step& one : steps) {
    if (!one.is_read) last_write = std::max(last_write, one.ok ? one.end : one.begin);
  }
  for (Step& one : steps) {
    if (one.is_read && one.begin > last_write) last[one.process] = &one;
  }
  for (const auto& [process, step] : last) step->final = true;
}

std::string shown(int value) { return value == 0 ? "nil" : std::to_string(value); }

TEST(LwwMap, InvalidExactlyWhenNoReplicasExplainIt) {
  std::mt19937 random(seed_or(17));
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  std::size_t valid = 0, invalid = 0;
  std::map<std::string, int> types;
  for (int round = 0; round < 6000; ++round) {
    std::string text;
    std::vector<Step> steps;
    std::vector<int> processes = {0, 1, 2};
    std::map<int, std::size_t> open;
    EventIndex index = 0;
    int greatest = 0;  // what the steps so far would make of it
    int current = 0;
    for (int begun = 0; begun < 5 || !open.empty();) {
      int& worker = processes[static_cast<std::size_t>(below(3))];
      const int p = worker;
      if (const auto found = open.find(p); found != open.end()) {
        Step& step = steps[found->second];
        open.erase(found);
        step.end = index++;
        const int fate = below(8);
        if (step.is_read) {
          step.ok = true;
          step.value = below(4) == 0 ? below(4) : current;
          text += event(p, "ok", "read", shown(step.value));
          continue;
        }
        step.ok = fate > 1;
        text += event(p, fate == 0 ? "info" : fate == 1 ? "fail" : "ok", step.value == 0 ? "remove" : "put", "");
        if (fate == 0) worker += 10;
        if (fate == 1) step.begin = kNoEvent;
        if (fate != 1 && step.timestamp >= greatest) {
          greatest = step.timestamp;
          current = step.value;
        }
      } else if (begun < 5) {
        ++begun;
        Step step{below(3) == 0, p, index++, kNoEvent, false, 1 + below(4), below(4), false};
        const std::string timestamp = std::to_string(step.timestamp);
        text += step.is_read      ? event(p, "invoke", "read", "nil")
                : step.value == 0 ? event(p, "invoke", "remove", timestamp)
                                  : event(p, "invoke", "put", "[" + timestamp + " " + shown(step.value) + "]");
        open[p] = steps.size();
        steps.push_back(step);
      }
    }
    for (int p = 0; p < 2; ++p) {
      const Step last{true,
                      p == 0 ? processes[static_cast<std::size_t>(below(3))] : 5,
                      index,
                      index + 1,
                      true,
                      0,
                      below(3) == 0 ? below(4) : current,
                      false};
      index += 2;
      text += event(last.process, "invoke", "read", "nil") + event(last.process, "ok", "read", shown(last.value));
      steps.push_back(last);
    }
    std::erase_if(steps, [](const Step& step) { return step.begin == kNoEvent; });
    mark_final(steps);
    const auto result = judged("lww-map", text);
    ASSERT_EQ(result.verdict != Verdict::invalid, Executions(steps).exists()) << text << verdict(result);
    (result.verdict == Verdict::invalid ? invalid : valid) += 1;
    for (const auto& anomaly : result.anomalies) ++types[anomaly.type];
  }
  EXPECT_GT(valid, 1000u);
  EXPECT_GT(invalid, 1000u);
  for (const char* type :
       {"wrong-winner", "resurrected-element", "divergence", "value-went-back", "unexpected-element"})
    EXPECT_GT(types[type], 20) << type;
}

}  // namespace
}  // namespace ordeal::work
