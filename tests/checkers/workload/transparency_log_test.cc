#include <map>
#include <random>

#include "base/merkle/tree.h"
#include "support/promise_transparency.h"
#include "tests/checkers/workload/clients.h"
#include "tests/checkers/workload/histories.h"
#include "tests/checkers/workload/seed.h"

namespace ordeal::work {
namespace {

using testing::HasSubstr;
using testing::UnorderedElementsAre;

using Log = std::vector<int>;

std::string quoted(const merkle::Hash& hash) { return '"' + merkle::base64(hash) + '"'; }
std::string quoted(const merkle::Proof& proof) {
  std::string out = "[";
  for (const merkle::Hash& hash : proof) out += quoted(hash) + " ";
  return out + "]";
}
merkle::Tree tree_of(const Log& log) {
  merkle::Tree tree;
  for (const int entry : log) (void)tree.append(std::to_string(entry));
  return tree;
}
std::string text(const Log& entries) {
  std::string out = "[";
  for (const int entry : entries) out += std::to_string(entry) + " ";
  return out + "]";
}

// What a log shows.
std::string range(std::size_t from, const Log& entries, std::size_t size) {
  return "{:from " + std::to_string(from) + " :entries " + text(entries) + " :size " + std::to_string(size) + "}";
}
std::string head_of(const Log& log) {
  return "{:size " + std::to_string(log.size()) + " :root " + quoted(tree_of(log).root()) + "}";
}
std::string inclusion_in(const Log& log, std::size_t index, std::size_t size) {
  const merkle::Tree tree = tree_of(log);
  return "{:leaf " + quoted(tree.node(0, index)) + " :proof " + quoted(tree.inclusion(index, size)) + "}";
}
std::string consistency_in(const Log& log, std::size_t first, std::size_t second) {
  return "{:proof " + quoted(tree_of(log).consistency(first, second)) + "}";
}
std::string pair(std::size_t a, std::size_t b) { return "[" + std::to_string(a) + " " + std::to_string(b) + "]"; }

std::string append(int entry, std::size_t index, int process = 0) {
  return ok(process, "append", std::to_string(entry), "[" + std::to_string(index) + " " + std::to_string(entry) + "]");
}
std::string read(std::size_t from, const Log& entries, std::size_t size) {
  return ok(1, "read", pair(from, 100), range(from, entries, size));
}
std::string head(const Log& log) { return ok(2, "head", "nil", head_of(log)); }

const Log kThree = {7, 8, 9};
// Three entries, one of them sent twice, all of which was looked at and proved.
const std::string kBegun = append(7, 0) + append(8, 1) + append(9, 2) + append(8, 1) +
                           ok(1, "tail", "[1 100]", range(1, {8, 9}, 3)) + head(kThree) +
                           ok(2, "inclusion", "[1 3]", inclusion_in(kThree, 1, 3)) +
                           ok(2, "consistency", "[1 3]", consistency_in(kThree, 1, 3));
const std::string kLook = read(0, kThree, 3);

std::string of(const std::string& history) { return verdict(judged("transparency-log", history)); }

TEST(TransparencyLog, OneListThatGrows) {
  EXPECT_EQ(of(kBegun + kLook), "valid");
  EXPECT_EQ(of(kBegun + kLook + read(2, {9}, 3) + read(5, {}, 3)), "valid");
  EXPECT_EQ(of(kBegun + kLook + head({7})), "valid") << "a head may be old";
  EXPECT_EQ(of(kBegun + read(0, {7, 8}, 2)), "lost-element");
  EXPECT_EQ(of(kBegun + read(0, {7, 8}, 2) + kLook), "stale-read");
  EXPECT_EQ(of(kBegun + read(0, {8, 7, 9}, 3)), "forked-log forked-log");
  EXPECT_EQ(of(kBegun + kLook + append(8, 3)), "duplicate-element");
  EXPECT_EQ(of(kBegun + kLook + append(5, 2)), "forked-log");
  EXPECT_EQ(of(kBegun + read(0, {7, 8, 9, 4}, 4)), "unexpected-element");
  EXPECT_EQ(of(kBegun + op(3, "append", "4", "fail", "4") + read(0, {7, 8, 9, 4}, 4)), "unexpected-element");
}

TEST(TransparencyLog, RangesAreWhatWasAskedFor) {
  EXPECT_EQ(of(kBegun + kLook + read(1, {8}, 3)), "wrong-range");
  EXPECT_EQ(of(kBegun + kLook + ok(1, "tail", "[1 100]", range(2, {9}, 3))), "wrong-range");
  EXPECT_EQ(of(kBegun + kLook + ok(1, "read", "[0 2]", range(0, kThree, 3))), "wrong-range");
  EXPECT_EQ(of(kBegun + kLook + ok(1, "read", "[0 2]", range(0, {7, 8}, 3))), "valid");
}

TEST(TransparencyLog, IndicesFollowTime) {
  // 4 was acknowledged before 5 was appended.
  const std::string crashed = op(3, "append", "4", "info", "4");
  EXPECT_EQ(of(kBegun + crashed + append(5, 4) + read(0, {7, 8, 9, 4, 5}, 5)), "valid");
  EXPECT_EQ(of(kBegun + append(4, 4) + append(5, 3) + read(0, {7, 8, 9, 5, 4}, 5)), "index-went-back");
  EXPECT_EQ(of(kBegun + append(4, 4) + crashed + op(4, "append", "5", "info", "5") + read(0, {7, 8, 9, 5, 4}, 5)),
            "index-went-back");
}

TEST(TransparencyLog, OneOfUnknownOutcomeIsThereOnceOrNotAtAll) {
  const std::string crashed = kBegun + op(3, "append", "4", "info", "4");
  EXPECT_EQ(of(crashed + kLook), "valid");
  EXPECT_EQ(of(crashed + kLook + read(0, {7, 8, 9, 4}, 4)), "valid");
  EXPECT_EQ(of(crashed + read(0, {7, 8, 9, 4}, 4) + kLook), "lost-element");
  EXPECT_EQ(of(crashed + read(0, {7, 8, 9, 4, 4}, 5)), "duplicate-element");
  EXPECT_EQ(of(crashed + append(5, 4) + read(0, {7, 8, 9}, 5)), "wrong-range");
  // Index 3 was seen by nobody: it is 4's.
  EXPECT_EQ(of(crashed + kLook + append(5, 4) + ok(1, "read", "[4 9]", range(4, {5}, 5))), "valid");
  EXPECT_EQ(of(crashed + kLook + append(5, 5)), "unexpected-element");
}

TEST(TransparencyLog, Heads) {
  EXPECT_EQ(of(kBegun + kLook + head({7, 9, 8})), "forked-head");
  EXPECT_EQ(of(kBegun + kLook + head({8, 7})), "wrong-root");
  EXPECT_EQ(of(kBegun + kLook + head({7, 8, 9, 10})), "early-head");
  EXPECT_EQ(of(kBegun + head({7, 8, 9, 10}) + append(10, 3) + read(0, {7, 8, 9, 10}, 4)), "early-head");
  EXPECT_EQ(of(kBegun + kLook + ok(2, "head", "nil", "{:size 0 :root " + quoted(merkle::empty_root()) + "}")), "valid");
  const std::string unsigned_head = head_of(kThree).replace(head_of(kThree).size() - 1, 1, " :signed false}");
  EXPECT_EQ(of(kBegun + kLook + ok(2, "head", "nil", unsigned_head)), "unsigned-head");
  // Equivocation: two heads of a size whose entries were never read.
  EXPECT_EQ(of(append(7, 0) + head({7}) + head({8})), "forked-head");
}

TEST(TransparencyLog, Proofs) {
  const Log other = {7, 9, 8};
  EXPECT_EQ(of(kBegun + kLook + ok(2, "inclusion", "[1 3]", inclusion_in(other, 1, 3))), "bad-proof");
  EXPECT_EQ(of(kBegun + kLook + ok(2, "inclusion", "[0 3]", inclusion_in(kThree, 1, 3))), "bad-proof");
  EXPECT_EQ(of(kBegun + kLook + ok(2, "consistency", "[2 3]", consistency_in(other, 2, 3))), "bad-proof");
  EXPECT_EQ(of(kBegun + kLook + ok(2, "consistency", "[0 3]", "{:proof []}")), "valid");
  EXPECT_EQ(of(kBegun + kLook + ok(2, "consistency", "[0 3]", "{:proof [" + quoted(merkle::empty_root()) + "]}")),
            "bad-proof");
}

TEST(TransparencyLog, UnknownWhenNothingWasPutToTheTest) {
  EXPECT_THAT(of(kLook), HasSubstr("unexpected-element"));
  EXPECT_THAT(of(read(0, {}, 0)), HasSubstr("no append succeeded"));
  EXPECT_THAT(of(append(7, 0) + read(0, {7}, 1)), HasSubstr("sent before"));
  EXPECT_THAT(of(append(7, 0) + append(7, 0)), HasSubstr("no read showed"));
  EXPECT_THAT(of(append(7, 0) + append(7, 0) + read(0, {7}, 1)), HasSubstr("no tail"));
  EXPECT_THAT(of(append(7, 0) + append(7, 0) + read(0, {7}, 1) + ok(1, "tail", "[0 9]", range(0, {7}, 1))),
              HasSubstr("no head"));
  EXPECT_THAT(of(kBegun), HasSubstr("no read showed"));
  EXPECT_THAT(of(kBegun + op(3, "append", "4", "info", "4") + kLook + head({7, 8, 9, 4})),
              HasSubstr("were not all seen"));
  EXPECT_THAT(of(kBegun + kLook + ok(0, "append", "5", "3")), HasSubstr("[index, value] was expected"));
  EXPECT_THAT(of(kBegun + kLook + ok(1, "read", "nil", "[7]")), HasSubstr("two whole numbers"));
  EXPECT_THAT(of(kBegun + kLook + ok(1, "head", "nil", "{:size 3 :root \"abc\"}")), HasSubstr("base64"));
  EXPECT_THAT(of(kBegun + kLook + ok(1, "write", "1", "1")), HasSubstr("not write"));
}

TEST(TransparencyLog, AnomaliesNameTheOperations) {
  const auto forged = judged("transparency-log", kBegun + kLook + head({8, 7}));
  ASSERT_EQ(verdict(forged), "wrong-root");
  EXPECT_THAT(forged.anomalies[0].operations, UnorderedElementsAre(16, 18)) << "the read and the head";
}

// ---- against all orders

// A small log that lies now and then.
class Liar {
 public:
  Liar(std::mt19937& random, bool lies) : random_(random), lies_(lies) {}

  Begun begin() {
    const int what = below(8);
    if (what < 3) return {0, "append", std::to_string(1 + below(4)), 0};
    if (what < 5) return {0, what == 3 ? "read" : "tail", pair(at(), at() + 1), 0};
    if (what == 5) return {0, "head", "nil", 0};
    return {0, what == 6 ? "inclusion" : "consistency", pair(at(), at()), 0};
  }

  Ended end(Begun& one) {
    if (one.f == "append") return appended(one);
    Log log = log_;
    if ((one.f != "read" && one.f != "tail") && below(3) == 0 && !log.empty()) log.pop_back();  // old
    if (lie() && !log.empty()) log.pop_back();
    if (lie() && log.size() > 1) std::swap(log[log.size() - 1], log[log.size() - 2]);
    if (lie()) log.push_back(1 + below(4));
    if (one.f == "head") return {"ok", head_of(log)};
    const auto first = static_cast<std::size_t>(one.asked[1] - '0');
    const auto second = static_cast<std::size_t>(one.asked[3] - '0');
    if (one.f == "read" || one.f == "tail") {
      Log shown;
      for (std::size_t i = first; i < std::min(log.size(), first + second); ++i) shown.push_back(log[i]);
      if (lie() && !shown.empty()) shown.pop_back();
      return {"ok", range(first, shown, log.size())};
    }
    if (second > log.size() || first > second || (one.f == "inclusion" && first == second)) return {"fail", one.asked};
    return {"ok", one.f == "inclusion" ? inclusion_in(log, first, second) : consistency_in(log, first, second)};
  }

 private:
  int below(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }
  bool lie() { return lies_ && below(12) == 0; }
  std::size_t at() { return static_cast<std::size_t>(below(static_cast<int>(log_.size()) + 1)); }

  Ended appended(const Begun& one) {
    const int fate = below(8);
    const int entry = std::stoi(one.asked);
    if (fate == 0) return {"fail", one.asked};
    if (fate == 1 && below(2) == 0) return {"info", one.asked};
    auto found = std::find(log_.begin(), log_.end(), entry);
    auto index = found - log_.begin();
    if (found == log_.end() && !(lie() && below(2) == 0)) log_.push_back(entry);
    if (fate == 1) return {"info", one.asked};
    if (lie()) index += below(2) == 0 ? 1 : index > 0 ? -1 : 0;
    return {"ok", pair(static_cast<std::size_t>(index), static_cast<std::size_t>(entry))};
  }

  std::mt19937& random_;
  const bool lies_;
  Log log_;
};

TEST(TransparencyLog, InvalidExactlyWhenNoOrderExplainsIt) {
  std::mt19937 random(seed_or(11));
  std::size_t valid = 0, invalid = 0, unseen = 0;
  for (int round = 0; round < 20'000; ++round) {
    Liar log(random, round % 2 == 0);
    Clients clients(random, 3);
    const std::string told = clients.play(
        9, [&](int) { return log.begin(); }, [&](Begun& one) { return log.end(one); });
    const History history = history_of(told);
    const auto result = judged("transparency-log", history);
    const bool kept = testing_support::keeps_transparency_log(testing_support::calls_of(history));
    // What nobody read has no root that one could compute: then nothing is claimed.
    if (result.verdict == Verdict::unknown && result.reason.find("were not all seen") != std::string::npos) {
      ++unseen;
      continue;
    }
    ASSERT_EQ(result.verdict != Verdict::invalid, kept) << told << verdict(result);
    if (result.verdict == Verdict::invalid) {
      expect_proved(history, result, [](const History& part) {
        return testing_support::keeps_transparency_log(testing_support::calls_of(part));
      });
    }
    (kept ? valid : invalid) += 1;
  }
  EXPECT_GT(valid, 4000U);
  EXPECT_GT(invalid, 3000U);
  EXPECT_LT(unseen, 4000U);
}

}  // namespace
}  // namespace ordeal::work
