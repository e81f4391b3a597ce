#include <map>
#include <random>
#include <set>

#include "tests/checkers/workload/histories.h"
#include "tests/checkers/workload/seed.h"

namespace ordeal::work {
namespace {

using testing::HasSubstr;

std::string add(int process, std::string_view element, std::string_view type = "ok") {
  return op(process, "add", element, type, element);
}
std::string remove(int process, std::string_view element, std::string_view type = "ok") {
  return op(process, "remove", element, type, element);
}
std::string read(int process, std::string_view elements) { return ok(process, "read", "nil", elements); }
// By two clients, and the end.
std::string finals(std::string_view elements) { return read(7, elements) + read(8, elements); }

// Element 9 was added and removed by one client.
const std::string kBegun = add(5, "9") + remove(5, "9");

TEST(OrSet, AnAddStaysUnlessItWasObserved) {
  EXPECT_EQ(verdict(judged("or-set", kBegun + add(0, "1") + finals("[1]"))), "valid");
  EXPECT_EQ(verdict(judged("or-set", kBegun + add(0, "1") + finals("[]"))), "lost-element");
  // Somebody else's remove may have observed it, or not.
  for (const char* end : {"[]", "[1]"})
    EXPECT_EQ(verdict(judged("or-set", kBegun + add(0, "1") + remove(1, "1") + finals(end))), "valid") << end;
  // Its own client's has, and so has one that had read it.
  EXPECT_EQ(verdict(judged("or-set", kBegun + add(0, "1") + remove(0, "1") + finals("[1]"))), "kept-element");
  EXPECT_EQ(verdict(judged("or-set", kBegun + add(0, "1") + read(1, "[1]") + remove(1, "1") + finals("[1]"))),
            "kept-element");
  // Of two adds the remove need not have observed the second; the one before it was over it cannot have.
  EXPECT_EQ(
      verdict(judged("or-set", kBegun + add(0, "1") + add(2, "1") + read(1, "[1]") + remove(1, "1") + finals("[1]"))),
      "valid");
  EXPECT_EQ(verdict(judged("or-set", kBegun + add(0, "1") + remove(0, "1") + add(2, "1") + finals("[]"))),
            "lost-element");
  // At the same time, the add wins or was observed.
  for (const char* end : {"[]", "[1]"})
    EXPECT_EQ(verdict(judged("or-set", kBegun + event(0, "invoke", "add", "1") + remove(1, "1") +
                                           event(0, "ok", "add", "1") + finals(end))),
              "valid");
}

TEST(OrSet, RemovedElementsDoNotComeBack) {
  const std::string removed = kBegun + add(0, "1") + read(1, "[1]") + remove(1, "1");
  const std::string later = add(5, "9") + remove(5, "9");
  EXPECT_EQ(verdict(judged("or-set", removed + read(1, "[1]") + later + finals("[]"))), "resurrected-element");
  EXPECT_EQ(verdict(judged("or-set", removed + read(2, "[1]") + later + finals("[]"))),
            "valid");  // another replica is late
  EXPECT_EQ(verdict(judged("or-set", removed + add(0, "1") + read(1, "[1]") + finals("[1]"))), "valid");
  // A client that meets any replica learns nothing from what it did.
  EXPECT_EQ(verdict(judged("or-set", removed + read(1, "[1]") + later + finals("[]"),
                           with("or-set", {{"or-set.sticky", "false"}}))),
            "valid");
  EXPECT_EQ(verdict(judged("or-set", removed + finals("[1]"), with("or-set", {{"or-set.sticky", "false"}}))), "valid");
}

TEST(OrSet, ReplicasAgree) {
  const std::string maybe = kBegun + add(0, "1") + remove(1, "1");
  EXPECT_EQ(verdict(judged("or-set", maybe + read(7, "[]") + read(8, "[1]"))), "divergence");
  EXPECT_EQ(verdict(judged("or-set", maybe + read(7, "[]") + read(8, "[1]") + read(8, "[]"))), "valid");
  EXPECT_EQ(verdict(judged("or-set", kBegun + add(0, "1", "info") + read(7, "[]") + read(8, "[1]"))), "valid");
  EXPECT_EQ(verdict(judged("or-set", kBegun + add(0, "1") + remove(1, "1", "info") + read(7, "[1]") + read(8, "[]"))),
            "valid");
  // What was seen of it before the last update has arrived everywhere.
  EXPECT_EQ(verdict(judged("or-set", add(0, "1", "info") + read(1, "[1]") + kBegun + read(7, "[]") + read(8, "[1]"))),
            "lost-element");
  // A client's own replica had it.
  EXPECT_EQ(verdict(judged("or-set", kBegun + add(0, "1", "info") + read(7, "[1]") + read(7, "[]") + read(8, "[]"))),
            "lost-element");
  EXPECT_EQ(verdict(judged("or-set", kBegun + finals("[1]"))), "unexpected-element");
  EXPECT_EQ(verdict(judged("or-set", kBegun + add(0, "1", "fail") + finals("[1]"))), "unexpected-element");
  EXPECT_EQ(verdict(judged("or-set", kBegun + add(0, "1") + finals("[1 1]"))), "duplicate-element duplicate-element");
}

TEST(OrSet, UnknownWhenNothingWasPutToTheTest) {
  EXPECT_THAT(verdict(judged("or-set", kBegun + add(0, "1") + read(7, "[1]"))), HasSubstr("fewer than two"));
  EXPECT_THAT(verdict(judged("or-set", remove(0, "1") + finals("[]"))), HasSubstr("no add"));
  EXPECT_THAT(verdict(judged("or-set", add(0, "1") + finals("[1]"))), HasSubstr("no remove"));
  EXPECT_THAT(verdict(judged("or-set", add(0, "1") + remove(1, "1") + finals("[1]"))), HasSubstr("lacks an element"));
  EXPECT_THAT(verdict(judged("or-set", kBegun + read(7, "1"))), HasSubstr("a list of elements"));
}

// ---- against all executions of replicas, one for each client, on one element

struct Step {
  char f = 'a';  // add, remove, show: a read that has the element, lack: a final read that has not
  int process = 0;
  EventIndex begin = 0, end = kNoEvent;
  bool ok = false;
  bool final = false;
};

class Executions {
 public:
  explicit Executions(std::vector<Step> steps) : steps_(std::move(steps)) {
    for (const Step& one : steps_) {
      if (one.f == 'a' || one.f == 'r') last_update_ = std::max(last_update_, one.ok ? one.end : one.begin);
    }
  }
  [[nodiscard]] bool exists() { return extend(std::vector<bool>(steps_.size()), {}); }

 private:
  struct World {
    unsigned tags = 0;                                   // how many adds took effect
    std::vector<unsigned> removed;                       // by removal: the tags it observed, bits
    std::map<int, std::pair<unsigned, unsigned>> known;  // by process: tags and removals, bits
    unsigned forced_tags = 0, forced_removals = 0;       // that have arrived everywhere at the end
    EventIndex earliest = 0;                             // no step after this one may be over by then
    std::vector<std::pair<bool, unsigned>> crashed;      // is it a removal, its bit: not known yet to be forced
  };

  bool extend(std::vector<bool> done, const World& world) {
    EventIndex first_end = kNoEvent;
    bool left = false;
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      if (done[i] || !steps_[i].ok) continue;
      left = true;
      first_end = std::min(first_end, steps_[i].end);
    }
    if (!left) return true;
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      if (done[i] || steps_[i].begin > first_end) continue;
      done[i] = true;
      World next = world;
      // One of unknown outcome that precedes the end of the last update had reached a replica by then.
      if (steps_[i].ok && steps_[i].end <= last_update_) {
        for (const auto& [removal, bit] : next.crashed) (removal ? next.forced_removals : next.forced_tags) |= bit;
        next.crashed.clear();
      }
      if (deliver(done, next, steps_[i])) return true;
      done[i] = false;
    }
    return false;
  }

  // Tries all that may have arrived at the step's replica.
  bool deliver(const std::vector<bool>& done, const World& world, const Step& step) {
    const auto found = world.known.find(step.process);
    auto [tags, removals] = found == world.known.end() ? std::pair(0u, 0u) : found->second;
    if (step.final) {
      tags |= world.forced_tags;
      removals |= world.forced_removals;
    }
    const unsigned all_tags = (1u << world.tags) - 1;
    const unsigned all_removals = (1u << world.removed.size()) - 1;
    for (unsigned t = 0; t <= all_tags; ++t) {
      for (unsigned r = 0; r <= all_removals; ++r) {
        if ((t & tags) != tags || (r & removals) != removals) continue;
        World next = world;
        if (take_effect(next, step, t, r) && extend(done, next)) return true;
      }
    }
    return false;
  }

  static bool take_effect(World& world, const Step& step, unsigned tags, unsigned removals) {
    if (step.f == 'a') {
      const unsigned bit = 1u << world.tags++;
      tags |= bit;
      step.ok ? void(world.forced_tags |= bit) : world.crashed.push_back({false, bit});
    } else if (step.f == 'r') {
      const unsigned bit = 1u << world.removed.size();
      world.removed.push_back(tags);
      removals |= bit;
      step.ok ? void(world.forced_removals |= bit) : world.crashed.push_back({true, bit});
    } else {
      unsigned visible = tags;
      for (std::size_t i = 0; i < world.removed.size(); ++i) {
        if ((removals >> i & 1) != 0) visible &= ~world.removed[i];
      }
      if ((visible != 0) != (step.f == 's')) return false;
    }
    world.known[step.process] = {tags, removals};
    return true;
  }

  std::vector<Step> steps_;
  EventIndex last_update_ = 0;
};

// Finds the final reads.
void mark_final(std::vector<Step>& steps) {
  EventIndex last_update = 0;
  std::map<int, Step*> last;
  for (const Step& one : steps) {
    if (one.f == 'a' || one.f == 'r') last_update = std::max(last_update, one.ok ? one.end : one.begin);
  }
  for (Step& one : steps) {
    if ((one.f == 's' || one.f == 'l') && one.begin > last_update) last[one.process] = &one;
  }
  for (const auto& [process, step] : last) step->final = true;
}

TEST(OrSet, InvalidExactlyWhenNoReplicasExplainIt) {
  std::mt19937 random(seed_or(13));
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  std::size_t valid = 0, invalid = 0;
  std::map<std::string, int> types;
  for (int round = 0; round < 6'000; ++round) {
    std::string text;
    std::vector<Step> steps;
    std::map<int, std::size_t> open;
    EventIndex index = 0;
    const int updates = 2 + below(4);
    std::vector<int> processes = {0, 1, 2};
    for (int begun = 0; begun < updates || !open.empty();) {
      int& worker = processes[static_cast<std::size_t>(below(3))];
      const int p = worker;
      if (const auto found = open.find(p); found != open.end()) {
        Step& step = steps[found->second];
        const int fate = below(8);
        step.end = index++;
        step.ok = fate > 1;
        const bool is_read = step.f == 's';
        if (is_read && fate <= 2) step.f = 'l';
        text += event(p,
                      is_read || fate > 1 ? "ok"
                      : fate == 0         ? "info"
                                          : "fail",
                      is_read         ? "read"
                      : step.f == 'a' ? "add"
                                      : "remove",
                      is_read ? (step.f == 's' ? "[1]" : "[]") : "1");
        if (is_read) step.ok = true;
        if (!is_read && fate == 1) step.f = 'f';
        if (!is_read && fate == 0) worker += 10;  // the process is retired
        open.erase(found);
      } else if (begun < updates) {
        ++begun;
        Step step;
        step.f = "aarrs"[below(5)];
        step.process = p;
        step.begin = index++;
        open[p] = steps.size();
        steps.push_back(step);
        text += event(p, "invoke",
                      step.f == 's'   ? "read"
                      : step.f == 'a' ? "add"
                                      : "remove",
                      step.f == 's' ? "nil" : "1");
      }
    }
    for (int p = 0; p < 2; ++p) {
      const Step last{below(2) == 0 ? 's' : 'l',
                      p == 0 ? processes[static_cast<std::size_t>(below(3))] : 5,
                      index,
                      index + 1,
                      true,
                      false};
      index += 2;
      text += event(last.process, "invoke", "read", "nil") +
              event(last.process, "ok", "read", last.f == 's' ? "[1]" : "[]");
      steps.push_back(last);
    }
    std::erase_if(steps, [](const Step& step) { return step.f == 'f'; });
    mark_final(steps);
    std::erase_if(steps, [](const Step& step) { return step.f == 'l' && !step.final; });  // it may be late
    const auto result = judged("or-set", text);
    ASSERT_EQ(result.verdict != Verdict::invalid, Executions(steps).exists()) << text << verdict(result);
    (result.verdict == Verdict::invalid ? invalid : valid) += 1;
    for (const auto& anomaly : result.anomalies) ++types[anomaly.type];
  }
  EXPECT_GT(valid, 1500u);
  EXPECT_GT(invalid, 1500u);
  for (const char* type : {"lost-element", "kept-element", "divergence", "resurrected-element", "unexpected-element"})
    EXPECT_GT(types[type], 20) << type;
}

}  // namespace
}  // namespace ordeal::work
