// The parts of the search for an order of writes, each against its definition.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <stdexcept>
#include <string>

#include "checkers/history/reader.h"
#include "checkers/transactions/clause_search.h"
#include "checkers/transactions/order_search.h"
#include "checkers/transactions/reach_bits.h"
#include "checkers/transactions/state_order.h"

namespace ordeal::txn {
namespace {

struct Dice {
  explicit Dice(unsigned seed) : engine(seed) {}
  std::uint32_t operator()() { return static_cast<std::uint32_t>(engine()); }
  std::mt19937 engine;
};

// Contradictions given as sets of answers of which not all may hold.
class Forbidden final : public Theory {
 public:
  explicit Forbidden(std::vector<std::vector<Literal>> sets, std::uint32_t questions)
      : sets_(std::move(sets)), holds_(2 * questions, false) {}
  bool give(Literal answer, std::vector<std::uint32_t>& why) override {
    holds_[answer] = true;
    for (const auto& set : sets_) {
      if (!std::all_of(set.begin(), set.end(), [&](Literal l) { return holds_[l]; })) continue;
      for (const Literal l : set) why.push_back(question_of(l));
      holds_[answer] = false;
      return false;
    }
    ++given_;
    return true;
  }
  void take_back(Literal answer) override {
    holds_[answer] = false;
    --given_;
  }
  bool prefers_yes(std::uint32_t question) override { return question % 2 == 0; }
  bool out_of_budget() override { return false; }
  int given() const { return given_; }

 private:
  std::vector<std::vector<Literal>> sets_;
  std::vector<bool> holds_;
  int given_ = 0;
};

bool satisfiable(const std::vector<std::vector<Literal>>& sets, std::uint32_t questions) {
  for (std::uint32_t answers = 0; answers < (1u << questions); ++answers) {
    const auto holds = [&](Literal l) { return ((answers >> question_of(l) & 1) != 0) == is_yes(l); };
    if (std::none_of(sets.begin(), sets.end(),
                     [&](const auto& set) { return std::all_of(set.begin(), set.end(), holds); }))
      return true;
  }
  return false;
}

TEST(ClauseSearch, AgreesWithTryingEverything) {
  Dice random(7);
  int yes = 0, no = 0;
  for (int round = 0; round < 3'000; ++round) {
    const std::uint32_t questions = 4 + random() % 7;
    std::vector<std::vector<Literal>> sets(questions * 3 + random() % (questions * 3));
    for (auto& set : sets) {
      for (std::uint32_t size = 2 + random() % 2; size > 0; --size) set.push_back(random() % (2 * questions));
    }
    const bool possible = satisfiable(sets, questions);
    Forbidden theory(sets, questions);
    ClauseSearch search(theory, questions);
    ASSERT_EQ(search.run(1'000'000), possible ? Found::yes : Found::no) << "round " << round;
    ASSERT_EQ(theory.given(), 0);
    ++(possible ? yes : no);
  }
  EXPECT_GT(yes, 300);
  EXPECT_GT(no, 300);
}

// Clauses that were required from the start are kept like those that were learned.
TEST(ClauseSearch, KeepsWhatIsRequired) {
  Dice random(11);
  int yes = 0, no = 0;
  for (int round = 0; round < 2'000; ++round) {
    const std::uint32_t questions = 5 + random() % 6;
    std::vector<std::vector<Literal>> sets(questions * 2 + random() % (questions * 2)), clauses(questions);
    for (auto& set : sets) {
      for (std::uint32_t size = 2 + random() % 2; size > 0; --size) set.push_back(random() % (2 * questions));
    }
    auto all = sets;
    for (auto& clause : clauses) {
      const std::uint32_t first = random() % questions;
      for (std::uint32_t i = 0, size = 2 + random() % 2; i < size; ++i)
        clause.push_back(literal((first + i) % questions, random() % 2 == 0));
      all.emplace_back();
      for (const Literal one : clause) all.back().push_back(opposite(one));
    }
    const bool possible = satisfiable(all, questions);
    Forbidden theory(sets, questions);
    ClauseSearch search(theory, questions);
    for (const auto& clause : clauses) search.require(clause);
    ASSERT_EQ(search.run(1'000'000), possible ? Found::yes : Found::no) << "round " << round;
    ASSERT_EQ(theory.given(), 0);
    ++(possible ? yes : no);
  }
  EXPECT_GT(yes, 200);
  EXPECT_GT(no, 200);
}

// Seven pigeons, six holes: nothing is learned that makes it easy.
TEST(ClauseSearch, GivesUpWhenItIsTold) {
  const std::uint32_t pigeons = 7, holes = 6;
  std::vector<std::vector<Literal>> sets;
  for (std::uint32_t p = 0; p < pigeons; ++p) {
    auto& nowhere = sets.emplace_back();
    for (std::uint32_t h = 0; h < holes; ++h) nowhere.push_back(literal(p * holes + h, false));
    for (std::uint32_t q = 0; q < p; ++q) {
      for (std::uint32_t h = 0; h < holes; ++h)
        sets.push_back({literal(p * holes + h, true), literal(q * holes + h, true)});
    }
  }
  Forbidden theory(sets, pigeons * holes);
  EXPECT_EQ(ClauseSearch(theory, pigeons * holes).run(5), Found::undecided);
  EXPECT_EQ(theory.given(), 0);
  EXPECT_EQ(ClauseSearch(theory, pigeons * holes).run(1'000'000), Found::no);
}

// Transactions that are all concurrent, or one after the other.
Transactions transactions(std::uint32_t count, bool one_after_the_other) {
  Transactions out;
  out.first.assign(count + 1, 0);
  for (std::uint32_t t = 0; t < count; ++t) {
    out.invocation.push_back(one_after_the_other ? 2 * t : t);
    out.completion.push_back(one_after_the_other ? 2 * t + 1 : count + t);
    out.process.push_back(t);
    out.outcome.push_back(Outcome::ok);
  }
  return out;
}

bool reachable(const std::vector<std::vector<bool>>& edge, std::uint32_t from, std::uint32_t to) {
  std::vector<bool> seen(edge.size(), false);
  std::vector<std::uint32_t> stack{from};
  while (!stack.empty()) {
    const std::uint32_t v = stack.back();
    stack.pop_back();
    if (v == to) return true;
    if (seen[v]) continue;
    seen[v] = true;
    for (std::uint32_t w = 0; w < edge.size(); ++w) {
      if (edge[v][w]) stack.push_back(w);
    }
  }
  return false;
}

TEST(StateOrder, KnowsEachCycle) {
  Dice random(3);
  int cycles = 0;
  for (int round = 0; round < 400; ++round) {
    const std::uint32_t count = 3 + random() % 8;
    const Transactions txns = transactions(count, false);
    DependencyGraph graph(txns);
    graph.freeze({});
    StateOrder order(graph, txns, std::nullopt, kAllData);
    ASSERT_TRUE(order.sort());
    std::vector<std::vector<bool>> edge(count, std::vector<bool>(count, false));
    std::vector<Edge> stack;
    for (std::uint32_t step = 0; step < 60; ++step) {
      if (!stack.empty() && random() % 4 == 0) {
        order.pop(std::span(&stack.back(), 1));
        edge[stack.back().from][stack.back().to] = false;
        stack.pop_back();
        continue;
      }
      const Edge one{random() % count, random() % count, 0, kAbsent, EdgeKind::ww};
      if (one.from == one.to || edge[one.from][one.to]) continue;
      const bool closes = reachable(edge, one.to, one.from);
      ASSERT_EQ(order.closes({one}), closes);
      ASSERT_EQ(order.push({one}, step), !closes);
      if (closes) {
        ++cycles;
        const auto cycle = order.cycle();
        ASSERT_EQ(cycle.front().from, one.from);
        ASSERT_EQ(cycle.back().to, one.from);
        for (std::size_t i = 1; i < cycle.size(); ++i) {
          ASSERT_EQ(cycle[i].from, cycle[i - 1].to);
          ASSERT_TRUE(edge[cycle[i].from][cycle[i].to]);
        }
        ASSERT_EQ(order.labels().size(), cycle.size());
      } else {
        edge[one.from][one.to] = true;
        stack.push_back(one);
      }
      for (const Edge& known : stack) ASSERT_TRUE(order.forward({known}));
    }
  }
  EXPECT_GT(cycles, 1'000);
}

// Which of the questions that were open close a cycle, by one question after the other and by all at once.
void expect_all_closed(StateOrder& order, const NewEdges& new_edges, const std::vector<Edge>& questions,
                       std::vector<std::uint8_t>& closed, int& found) {
  std::vector<BackEdge> back;
  for (std::uint32_t q = 0; q < questions.size(); ++q) {
    if (!closed[q]) add_back_edges(order, new_edges, questions[q], q, back);
  }
  std::uint64_t walked = 0;
  ASSERT_TRUE(ClosingEdges(order, std::move(back))
                  .find(
                      walked, [] { return false; },
                      [&](std::uint32_t q) {
                        found += closed[q] ? 0 : 1;
                        closed[q] = 1;
                      }));
  for (std::uint32_t q = 0; q < questions.size(); ++q) ASSERT_EQ(closed[q] != 0, order.closes({questions[q]})) << q;
}

// Rounds in each of which a few edges are new: what is not asked again would have had the same answer. Half of the
// transactions have no edge at first, so that they stand far from where they belong.
TEST(ClosingEdges, AgreesWithOneQuestionAfterTheOther) {
  Dice random(13);
  int found = 0;
  for (int round = 0; round < 61; ++round) {
    const bool large = round == 60;  // beyond what is near
    const std::uint32_t count = large ? 20'000 : 4 + random() % 40;
    const std::optional<Space> space = round % 2 == 0 ? std::nullopt : std::optional(Space::snapshot);
    const auto kind = [&] { return random() % 3 == 0 ? EdgeKind::rw : EdgeKind::ww; };
    const Transactions txns = transactions(count, false);
    DependencyGraph graph(txns);
    graph.freeze({});
    StateOrder order(graph, txns, space, kAllData);
    std::vector<Edge> known;
    for (std::uint32_t t = 2; t < count; t += 2) {
      if (large || random() % 4 > 0) known.push_back({t - 2, t, 0, kAbsent, kind()});
    }
    order.add_known(known);
    ASSERT_TRUE(order.sort());
    std::vector<Edge> questions;
    for (std::uint32_t q = 0; q < 4 * std::min(count, 60u); ++q)
      questions.push_back({random() % count, random() % count, 0, kAbsent, kind()});
    std::vector<std::uint8_t> closed(questions.size(), 0);
    NewEdges new_edges;
    for (int i = 0; i < 8; ++i) {
      expect_all_closed(order, new_edges, questions, closed, found);
      if (HasFatalFailure() || HasNonfatalFailure()) return;
      for (std::uint32_t more = random() % 4; more > 0; --more) {
        const std::vector<Edge> one{{random() % count, random() % count, 0, kAbsent, kind()}};
        if (order.push(one, 0)) new_edges.add(one);
      }
      new_edges.next_round(order);
    }
  }
  EXPECT_GT(found, 400);
}

// A step over real time counts as one, and what it says already is not kept.
TEST(StateOrder, KnowsRealTime) {
  const Transactions txns = transactions(1'000, true);
  DependencyGraph graph(txns);
  graph.freeze({});
  StateOrder order(graph, txns, std::nullopt, kAllData | kRealtime);
  ASSERT_TRUE(order.sort());
  EXPECT_TRUE(order.push({{3, 900, 0, kAbsent, EdgeKind::ww}}, 0));
  EXPECT_FALSE(order.push({{900, 3, 0, kAbsent, EdgeKind::rw}}, 1));
  const auto cycle = order.cycle();
  ASSERT_EQ(cycle.size(), 2u);
  EXPECT_EQ(cycle[1].kind, EdgeKind::realtime);
  EXPECT_EQ(order.labels(), std::vector<std::uint32_t>{1});
  EXPECT_LT(order.steps(), 10u);
}

// Where time contradicts what was read the order is by depth, and still agrees with every edge.
TEST(StateOrder, IsByDepthWhereTimeIsWrong) {
  const std::uint32_t count = 200;
  const Transactions txns = transactions(count, true);
  DependencyGraph graph(txns);
  EdgeList edges;
  Dice random(5);
  std::vector<Edge> all;
  for (std::uint32_t t = 1; t < count; ++t) {  // back in time, all of them
    for (int i = 0; i < 2; ++i) all.push_back({t, random() % t, 0, kAbsent, EdgeKind::wr});
    for (int i = 2; i > 0; --i) edges.add(t, all[all.size() - static_cast<std::size_t>(i)].to, kNone, EdgeKind::wr);
  }
  std::vector<EdgeList> lists;
  lists.push_back(std::move(edges));
  graph.freeze(std::move(lists));
  StateOrder order(graph, txns, std::nullopt, kAllData);
  ASSERT_TRUE(order.sort());
  EXPECT_TRUE(order.forward(all));
}

// One key, 200 transactions that write it without reading it: 19,900 pairs, too many for this budget. What real time
// leaves open is enough where it agrees with the reads.
TEST(FindOrder, AsksOnlyWhatRealTimeLeavesOpen) {
  const auto answer = [](bool reads_agree, unsigned extra) {
    std::string text;
    int process = 0;
    const auto event = [&](const std::string& value) {
      for (const char* type : {"invoke", "ok"}) {
        text += "{\"process\":" + std::to_string(process) + ",\"type\":\"" + type + "\",\"f\":\"txn\",\"value\":[" +
                value + "]}\n";
      }
      ++process;
    };
    for (int i = 1; i <= 200; ++i) {
      event("[\"w\",\"x\"," + std::to_string(i) + "]");
      event("[\"r\",\"x\"," + std::to_string(reads_agree || i == 1 ? i : i - 1) + "]");
    }
    auto read = read_history(text, "test");
    if (!read) throw std::runtime_error(read.error().message);
    const History& history = read->history;
    auto txns = transactions_of(history, MicroKind::write, Limits());
    if (!txns) throw std::runtime_error(txns.error().message);
    RegisterOptions options;
    options.max_choices = 1'000;
    const Inference inference = infer_rw_register(history, std::move(*txns), options, Limits());
    EXPECT_TRUE(inference.open_pairs_dropped);
    return find_order(inference, OrderKind::serial, extra, [] { return false; }).possible;
  };
  EXPECT_EQ(answer(true, 0), Possible::yes);
  EXPECT_EQ(answer(true, kProcess | kRealtime), Possible::yes);
  EXPECT_EQ(answer(false, 0), Possible::undecided);
  EXPECT_EQ(answer(false, kProcess | kRealtime), Possible::no);
}

}  // namespace
}  // namespace ordeal::txn
