#include <map>
#include <random>
#include <set>

#include "tests/checkers/workload/histories.h"

namespace ordeal::work {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

CheckResult checked(const History& history, std::string_view checker, const CheckOptions& options = {}) {
  return judged(checker, history, options);
}
std::vector<std::string> types(const CheckResult& result) {
  std::vector<std::string> out;
  for (const auto& anomaly : result.anomalies) out.push_back(anomaly.type);
  return out;
}

const std::string kAdds =
    "{:process 0 :type :invoke :f :add :value 1} {:process 0 :type :ok :f :add :value 1}"
    "{:process 1 :type :invoke :f :add :value 2} {:process 1 :type :info :f :add :value 2}"
    "{:process 2 :type :invoke :f :add :value 3} {:process 2 :type :fail :f :add :value 3}";

std::string read_of(int process, std::string_view elements) {
  const std::string p = "{:process " + std::to_string(process);
  return p + " :type :invoke :f :read}" + p + " :type :ok :f :read :value " + std::string(elements) + "}";
}

// The level eventual, where events have no times and elements need none to spread.
CheckOptions in_the_end() {
  CheckOptions out = with("set-full", {{"set-full.settle", "0"}});
  out.consistency = "eventual";
  return out;
}

TEST(Set, AcknowledgedAndRecoveredElements) {
  const auto result = checked(history_of(kAdds + read_of(3, "#{1}") + read_of(3, "[2 1]")), "set-full");
  EXPECT_EQ(result.verdict, Verdict::valid) << result.reason;
  EXPECT_EQ(count(result, "acknowledged"), 1);
  EXPECT_EQ(count(result, "attempts"), 3);
  EXPECT_EQ(count(result, "recovered"), 1);
  EXPECT_EQ(count(result, "stable"), 2);
}

TEST(Set, LostElement) {
  const History h = history_of(kAdds + read_of(3, "[1]") + read_of(3, "[]"));
  const auto result = checked(h, "set-full");
  EXPECT_EQ(result.verdict, Verdict::invalid);
  ASSERT_THAT(types(result), ElementsAre("lost-element"));
  EXPECT_THAT(result.anomalies[0].operations, ElementsAre(0, 8));
  EXPECT_THAT(result.anomalies[0].explanation,
              HasSubstr("element 1 was acknowledged and is lost: the read by process 3 (event 8)"));
}

TEST(Set, StaleReadIsNoLoss) {
  const History h = history_of(kAdds + read_of(3, "[]") + read_of(3, "[1]"));
  const auto result = checked(h, "set-full");
  ASSERT_THAT(types(result), ElementsAre("stale-read"));
  const CheckOptions eventual = in_the_end();
  const auto relaxed = checked(h, "set-full", eventual);
  EXPECT_EQ(relaxed.verdict, Verdict::valid);
  EXPECT_EQ(count(relaxed, "stale"), 1);
}

TEST(Set, EventualConsistencyStillForbidsLoss) {
  const CheckOptions eventual = in_the_end();
  EXPECT_THAT(types(checked(history_of(kAdds + read_of(3, "[1]") + read_of(3, "[]")), "set-full", eventual)),
              ElementsAre("lost-element"));
  // With an add after the last read, that read was not final, and nothing is proved, nor shown.
  EXPECT_EQ(
      checked(history_of(kAdds + read_of(3, "[1]") + read_of(3, "[]") + "{:process 0 :type :invoke :f :add :value 9}"),
              "set-full", eventual)
          .verdict,
      Verdict::unknown);
}

// A read that came a moment after the last add was taken for what there is in the end, though nothing said that
// elements had had the time to spread: a slow store that is correct was accused of having lost them.
TEST(RegressEventual, ElementsHaveTimeToSpread) {
  const auto at = [](int ms, int process, const std::string& type, const std::string& f, const std::string& value) {
    return "{:time " + std::to_string(ms) + "000000 :process " + std::to_string(process) + " :type :" + type +
           " :f :" + f + " :value " + value + "}";
  };
  const std::string added = at(0, 0, "invoke", "add", "1") + at(1, 0, "ok", "add", "1");
  const auto read = [&](int ms, const std::string& seen) {
    return at(ms, 1, "invoke", "read", "nil") + at(ms + 1, 1, "ok", "read", seen);
  };
  CheckOptions eventual;
  eventual.consistency = "eventual";
  const auto says = [&](const std::string& text) { return checked(history_of(text), "set-full", eventual).verdict; };
  EXPECT_EQ(says(added + read(10, "[]")), Verdict::unknown);
  EXPECT_EQ(says(added + read(1000, "[1]") + read(2000, "[]")), Verdict::unknown);
  EXPECT_EQ(says(added + read(10, "[]") + read(2001, "[1]")), Verdict::valid);  // two seconds unless it is said
  EXPECT_EQ(says(added + read(2001, "[]")), Verdict::invalid);
  EXPECT_EQ(says(added + read(2000, "[]")), Verdict::unknown);
  // Without times nothing shows how long it took.
  const auto untimed = checked(history_of(kAdds + read_of(3, "[]")), "set-full", eventual);
  EXPECT_EQ(untimed.verdict, Verdict::unknown);
  EXPECT_THAT(untimed.reason, HasSubstr("have no times"));
}

TEST(Set, ConcurrentReadMayMissTheElement) {
  const auto result = checked(history_of("{:process 3 :type :invoke :f :read}" + kAdds +
                                         "{:process 3 :type :ok :f :read :value []}" + read_of(4, "[1]")),
                              "set-full");
  EXPECT_EQ(result.verdict, Verdict::valid);
}

TEST(Set, ASeenElementMustStay) {
  // Nobody acknowledged 2, but once a read has returned it, it is there.
  EXPECT_THAT(types(checked(history_of(kAdds + read_of(3, "[1 2]") + read_of(3, "[1]")), "set-full")),
              ElementsAre("lost-element"));
}

TEST(Set, UnexpectedAndDuplicatedElements) {
  const auto result = checked(history_of(kAdds + read_of(3, "[1 1 1 3 4 5]") + read_of(3, "[1 3 4 5]") +
                                         "{:process 0 :type :invoke :f :add :value 5}"),
                              "set-full");
  EXPECT_THAT(types(result),
              ElementsAre("duplicate-element", "unexpected-element", "unexpected-element", "unexpected-element"));
  EXPECT_THAT(result.anomalies[0].explanation, HasSubstr("returned element 1 3 times"));
  EXPECT_THAT(result.anomalies[1].explanation, HasSubstr("whose add certainly failed"));
  EXPECT_THAT(result.anomalies[2].explanation, HasSubstr("that nobody ever added"));
  EXPECT_THAT(result.anomalies[3].explanation, HasSubstr("only after the read had ended"));
}

TEST(Set, KeysAreSetsOfTheirOwn) {
  const auto result = checked(
      history_of("{:process 0 :type :invoke :f :add :key 1 :value 1}{:process 0 :type :ok :f :add :key 1 :value 1}"
                 "{:process 0 :type :invoke :f :read :key 2}{:process 0 :type :ok :f :read :key 2 :value []}"
                 "{:process 0 :type :invoke :f :read :key 1}{:process 0 :type :ok :f :read :key 1 :value [1]}"),
      "set-full");
  EXPECT_EQ(result.verdict, Verdict::valid);
  EXPECT_EQ(result.keys, 2u);
}

TEST(Set, UnknownWhenNothingWasSeenOrUnderstood) {
  EXPECT_THAT(checked(history_of(kAdds), "set-full").reason, HasSubstr("no read succeeded"));
  EXPECT_THAT(checked(history_of(read_of(0, "[]")), "set-full").reason, HasSubstr("nothing is known"));
  EXPECT_THAT(checked(history_of(kAdds + "{:process 0 :type :invoke :f :remove :value 1}"), "set-full").reason,
              HasSubstr("not remove"));
  EXPECT_THAT(checked(history_of(kAdds + read_of(3, "7")), "set-full").reason,
              HasSubstr("a list of elements was expected, found 7"));
  CheckOptions other;
  other.consistency = "causal";
  EXPECT_EQ(checked(history_of(kAdds), "set-full", other).verdict, Verdict::unknown);
}

// The definitions of set_full.cc, word by word, over all reads and elements.
std::set<std::string> oracle(const History& h) {
  std::set<std::string> found;
  struct Seen {
    EventIndex inv, ret;
    std::multiset<std::int64_t> elements;
  };
  std::vector<Seen> reads;
  std::map<std::int64_t, EventIndex> added, known;
  const auto learn = [&](std::int64_t e, EventIndex at) {
    if (!known.contains(e) || at < known[e]) known[e] = at;
  };
  for (const auto& op : h.operations()) {
    if (h.f_name(op.invocation) == "add") {
      const std::int64_t e = h.values().as_integer(h.value(op.invocation));
      if (h.outcome(op) != EventType::fail && !added.contains(e)) added[e] = op.invocation;
      if (h.outcome(op) == EventType::ok) learn(e, op.completion);
    } else if (h.outcome(op) == EventType::ok) {
      Seen seen{op.invocation, op.completion, {}};
      for (const ValueId id : h.values().as_list(h.value(op.completion)))
        seen.elements.insert(h.values().as_integer(id));
      for (const std::int64_t e : seen.elements) learn(e, op.completion);
      reads.push_back(seen);
    }
  }
  for (const Seen& read : reads) {
    for (const std::int64_t e : read.elements) {
      if (!added.contains(e) || added[e] > read.ret) found.insert("unexpected-element " + std::to_string(e));
      if (read.elements.count(e) > 1) found.insert("duplicate-element " + std::to_string(e));
    }
  }
  for (const auto& [e, since] : known) {
    for (const Seen& absent : reads) {
      if (absent.inv < since || absent.elements.contains(e)) continue;
      bool last = true;
      bool again = false;
      bool before = false;
      for (const Seen& other : reads) {
        if (other.elements.contains(e) && other.ret > absent.inv) again = true;
        if (other.elements.contains(e) && other.ret < absent.inv) before = true;
        if (other.inv > absent.inv && !other.elements.contains(e)) last = false;
      }
      if (last)
        found.insert((!again ? "lost-element " : before ? "revived-element " : "stale-read ") + std::to_string(e));
    }
  }
  return found;
}

// Whether some order of the operations within real time explains every read.
class Linearizations {
 public:
  explicit Linearizations(const History& h) {
    for (const auto& op : h.operations()) {
      const EventType outcome = h.outcome(op);
      const bool add = h.f_name(op.invocation) == "add";
      if (outcome == EventType::fail || (!add && outcome != EventType::ok)) continue;
      One one{op.invocation, outcome == EventType::ok ? op.completion : kNoEvent, add, {}};
      const ValueId value = h.value(add ? op.invocation : op.completion);
      if (add) {
        one.elements = {value};
      } else {
        for (const ValueId id : h.values().as_list(value)) duplicate_ = !one.elements.insert(id).second || duplicate_;
      }
      all_.push_back(std::move(one));
    }
    done_.resize(all_.size());
  }
  bool exists() { return !duplicate_ && search({}); }

 private:
  struct One {
    EventIndex begin, end;  // kNoEvent: it may not have happened
    bool add;
    std::set<ValueId> elements;
  };
  bool search(const std::set<ValueId>& state) {
    EventIndex first_end = kNoEvent;
    for (std::size_t i = 0; i < all_.size(); ++i) {
      if (!done_[i]) first_end = std::min(first_end, all_[i].end);
    }
    if (first_end == kNoEvent) return true;
    for (std::size_t i = 0; i < all_.size(); ++i) {
      if (done_[i] || all_[i].begin > first_end || (!all_[i].add && all_[i].elements != state)) continue;
      std::set<ValueId> next = state;
      if (all_[i].add) next.insert(all_[i].elements.begin(), all_[i].elements.end());
      done_[i] = true;
      const bool found = search(next);
      done_[i] = false;
      if (found) return true;
    }
    return false;
  }
  std::vector<One> all_;
  std::vector<bool> done_;
  bool duplicate_ = false;
};

TEST(Set, AgreesWithItsDefinitionOnRandomHistories) {
  std::mt19937 random(7);
  int invalid = 0;
  for (int round = 0; round < 4000; ++round) {
    std::string text;
    std::map<unsigned, std::string> open;
    for (unsigned step = 0; step < 12 || !open.empty(); ++step) {
      const auto p = static_cast<unsigned>(random() % 3);
      const std::string process = "{:process " + std::to_string(p);
      if (open.contains(p)) {
        const std::string type = std::vector<std::string>{":ok", ":ok", ":info", ":fail"}[random() % 4];
        std::string value = open[p];
        if (value.empty()) {
          value = ":f :read :value [";
          for (int e = 0; e < 4; ++e) {
            if (random() % 3 != 0) value += std::to_string(e) + " ";
            if (random() % 40 == 0) value += std::to_string(e) + " ";
          }
          value += "]";
        }
        text += process + " :type " + type + " " + value + "}\n";
        open.erase(p);
      } else if (step < 12) {
        if (random() % 2 != 0) {
          open[p] = ":f :add :value " + std::to_string(random() % 4);
          text += process + " :type :invoke " + open[p] + "}\n";
        } else {
          open[p] = "";
          text += process + " :type :invoke :f :read}\n";
        }
      }
    }
    const History h = history_of(text);
    const auto result = checked(h, "set-full");
    std::set<std::string> found;
    ASSERT_EQ(result.verdict == Verdict::invalid, !Linearizations(h).exists()) << text << verdict(result);
    for (const auto& anomaly : result.anomalies) {
      if (anomaly.type == "incomparable-reads" || anomaly.type == "causal-reverse") continue;  // of two reads, two adds
      const std::string& words = anomaly.explanation;
      const std::size_t at = words.find("element ") + 8;
      found.insert(anomaly.type + " " + words.substr(at, words.find_first_not_of("0123456789", at) - at));
    }
    ASSERT_EQ(found, oracle(h)) << text;
    invalid += found.empty() ? 0 : 1;
  }
  EXPECT_GT(invalid, 1000);
  EXPECT_LT(invalid, 3990);
}

// Histories of a correct set of which one element of one read, or one add, is changed: few anomalies at a time, and
// many valid ones.
TEST(Set, LinearizableExactlyWhenSomeOrderExplainsIt) {
  std::mt19937 random(11);
  std::map<std::string, int> seen;
  for (int round = 0; round < 6000; ++round) {
    std::set<int> state;
    std::map<int, int> open;  // the element of an add, -1: a read
    int next = 0;
    std::string text;
    const auto lies = static_cast<unsigned>(random() % 3);
    for (unsigned step = 0; step < 18 || !open.empty(); ++step) {
      const int p = static_cast<int>(random() % 4);
      if (const auto found = open.find(p); found != open.end() && found->second >= 0) {
        text += event(p, random() % 5 == 0 ? "info" : "ok", "add", std::to_string(found->second));
        open.erase(found);
      } else if (found != open.end()) {
        std::set<int> returned = state;
        if (random() % 4 < lies && next > 0) {
          const int e = static_cast<int>(random() % static_cast<unsigned>(next));
          if (!returned.erase(e)) returned.insert(e);
        }
        std::string elements = "[";
        for (const int e : returned) elements += std::to_string(e) + " ";
        text += event(p, "ok", "read", elements + "]");
        open.erase(found);
      } else if (step < 18 && random() % 2 == 0) {
        open[p] = next;
        text += event(p, "invoke", "add", std::to_string(next));
        state.insert(next++);
      } else if (step < 18) {
        open[p] = -1;
        text += event(p, "invoke", "read", "");
      }
    }
    const History h = history_of(text);
    const auto result = checked(h, "set-full");
    ASSERT_EQ(result.verdict == Verdict::invalid, !Linearizations(h).exists()) << text << verdict(result);
    for (const auto& anomaly : result.anomalies) ++seen[anomaly.type];
    ++seen[std::string(name(result.verdict))];
  }
  for (const char* what :
       {"valid", "invalid", "stale-read", "lost-element", "revived-element", "incomparable-reads", "causal-reverse"}) {
    EXPECT_GT(seen[what], 20) << what;
  }
}

// ---- causal-cc against its definition

// Each read returns what is visible to it, visibility is transitive and holds the order of each process: is there such
// a relation? The least that the reads ask for is closed step by step, and must show no read an element that it lacks.
struct CausalOp {
  int process = 0;
  int element = 0;  // of an add; 0: a read
  bool crashed = false;
  std::set<int> seen;
};
bool causal_by_definition(const std::vector<CausalOp>& ops) {
  const std::size_t n = ops.size();
  std::vector<std::vector<bool>> before(n, std::vector<bool>(n, false));
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      if (i < j && ops[i].process == ops[j].process) before[i][j] = true;
      if (ops[i].element != 0 && ops[j].element == 0 && ops[j].seen.contains(ops[i].element)) before[i][j] = true;
    }
  }
  for (std::size_t k = 0; k < n; ++k) {
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < n; ++j) before[i][j] = before[i][j] || (before[i][k] && before[k][j]);
    }
  }
  for (std::size_t r = 0; r < n; ++r) {
    if (ops[r].element != 0) continue;
    for (std::size_t a = 0; a < n; ++a) {
      if (before[a][r] && ops[a].element != 0 && !ops[r].seen.contains(ops[a].element)) return false;
    }
  }
  return true;
}

TEST(Set, CausalExactlyWhenItsDefinitionHolds) {
  std::mt19937 random(17);
  std::map<std::string, int> seen;
  for (int round = 0; round < 20'000; ++round) {
    std::vector<CausalOp> ops;
    std::string text;
    std::vector<int> names = {0, 1, 2};  // of the three clients' processes
    std::vector<std::set<int>> replicas(3);
    std::set<int> all;
    for (int i = 1; i <= 9; ++i) {
      const auto client = static_cast<std::size_t>(random() % 3);
      CausalOp op;
      op.process = names[client];
      if (random() % 2 == 0) {
        op.element = i;
        op.crashed = random() % 6 == 0;
        if (op.crashed) names[client] += 10;
        text += ordeal::work::op(op.process, "add", std::to_string(i), op.crashed ? "info" : "ok", std::to_string(i));
        all.insert(i);
        replicas[client].insert(i);
      } else {
        // Mostly what a replica has got to; some of what others have arrives.
        for (const int element : all) {
          if (random() % 3 == 0) replicas[client].insert(element);
        }
        op.seen = replicas[client];
        if (random() % 8 == 0 && !op.seen.empty()) op.seen.erase(op.seen.begin());
        std::string list = "[";
        for (const int element : op.seen) list += std::to_string(element) + " ";
        text += ok(op.process, "read", "nil", list + "]");
      }
      ops.push_back(op);
    }
    CheckOptions how;
    how.consistency = "causal-cc";
    const auto result = judged("set-full", history_of(text), how);
    ++seen[std::string(name(result.verdict))];
    if (result.verdict == Verdict::unknown) continue;
    ASSERT_EQ(result.verdict == Verdict::valid, causal_by_definition(ops)) << text << verdict(result);
    if (result.verdict == Verdict::valid && judged("set-full", history_of(text)).verdict == Verdict::invalid)
      ++seen["weaker"];
  }
  for (const char* what : {"valid", "invalid", "weaker"}) EXPECT_GT(seen[what], 2000) << what;
}

TEST(Set, IncomparableReads) {
  const std::string both = event(0, "invoke", "add", "1") + event(2, "invoke", "add", "2");
  const std::string reads = event(1, "invoke", "read", "") + event(3, "invoke", "read", "");
  EXPECT_EQ(verdict(judged("set-full", both + reads + event(1, "ok", "read", "[1]") + event(3, "ok", "read", "[2]"))),
            "incomparable-reads");
  EXPECT_EQ(verdict(judged("set-full", both + reads + event(1, "ok", "read", "[1]") + event(3, "ok", "read", "[1 2]"))),
            "valid");
}

TEST(Set, ARevivedElementWasSeenBefore) {
  const History h = history_of(kAdds + read_of(3, "[1]") + read_of(3, "[]") + read_of(3, "[1]"));
  const auto result = checked(h, "set-full");
  EXPECT_EQ(verdict(result), "revived-element");
  EXPECT_THAT(result.anomalies[0].explanation, HasSubstr("which reads before it and after it returned"));
  EXPECT_EQ(count(result, "revived"), 1);
  EXPECT_EQ(verdict(checked(h, "set-full", in_the_end())), "valid");
}

TEST(Set, LatenciesFromKnownToVisible) {
  const auto timed = [](int time, std::string_view type, std::string_view f, std::string_view value) {
    return "{:process 0 :time " + std::to_string(time) + "000000 :type :" + std::string(type) +
           " :f :" + std::string(f) + " :value " + std::string(value) + "}\n";
  };
  const std::string adds = timed(0, "invoke", "add", "1") + timed(1, "ok", "add", "1") +
                           timed(2, "invoke", "add", "2") + timed(3, "ok", "add", "2");
  const auto result = judged("set-full", adds + timed(10, "invoke", "read", "nil") + timed(11, "ok", "read", "[2]") +
                                             timed(12, "invoke", "read", "nil") + timed(13, "ok", "read", "[1 2]"));
  EXPECT_EQ(verdict(result), "stale-read");
  EXPECT_EQ(result.details.find("stable-latencies-ms")->find("0")->real(), 0);
  EXPECT_EQ(result.details.find("stable-latencies-ms")->find("1")->real(), 9);
  EXPECT_TRUE(result.details.find("lost-latencies-ms")->is_nil());
}

TEST(FinalSet, OnlyTheLastReadCounts) {
  EXPECT_EQ(verdict(judged("set", kAdds + read_of(3, "[]") + read_of(3, "[1]"))), "valid");
  EXPECT_EQ(verdict(judged("set", kAdds + read_of(3, "[1]") + read_of(3, "[2]"))), "lost-element");
  EXPECT_EQ(verdict(judged("set", kAdds + read_of(3, "[1 3]"))), "unexpected-element");
  EXPECT_EQ(verdict(judged("set", kAdds + read_of(3, "[1 7]"))), "unexpected-element");
  // Not acknowledged before the read began.
  EXPECT_EQ(verdict(judged("set", event(0, "invoke", "add", "1") + event(1, "invoke", "read", "nil") +
                                      event(0, "ok", "add", "1") + event(1, "ok", "read", "[]"))),
            "valid");
  EXPECT_THAT(verdict(judged("set", kAdds)), HasSubstr("no read succeeded"));
  EXPECT_THAT(verdict(judged("set", kAdds + read_of(3, "7"))), HasSubstr("a list of elements"));
}

}  // namespace
}  // namespace ordeal::work
