#pragma once
// ClauseSearch: answers to many yes-or-no questions that something else must be able to hold together: a search that
// learns from each contradiction (conflict-driven clause learning: Marques-Silva and Sakallah, GRASP, 1996; Moskewicz
// and others, Chaff, 2001), with a theory that says which answers contradict each other (as in satisfiability modulo
// theories). Thread-safety: none.

#include <cstdint>
#include <functional>
#include <queue>
#include <vector>

namespace ordeal::txn {

// A question (by number) with an answer: 2 * question + (0: yes, 1: no).
using Literal = std::uint32_t;
[[nodiscard]] inline Literal literal(std::uint32_t question, bool yes) { return 2 * question + (yes ? 0 : 1); }
[[nodiscard]] inline std::uint32_t question_of(Literal l) { return l / 2; }
[[nodiscard]] inline bool is_yes(Literal l) { return l % 2 == 0; }
[[nodiscard]] inline Literal opposite(Literal l) { return l ^ 1; }

// What the answers mean. They are given and taken back as a stack.
class Theory {
 public:
  virtual ~Theory() = default;
  // Takes an answer to hold. False: it contradicts some that hold; `why` gets the questions whose answers contradict
  // each other, this one among them.
  virtual bool give(Literal answer, std::vector<std::uint32_t>& why) = 0;
  virtual void take_back(Literal answer) = 0;
  // The answer to try first.
  virtual bool prefers_yes(std::uint32_t question) = 0;
  // Asked now and then.
  virtual bool out_of_budget() = 0;
};

enum class Found { yes, no, undecided };

class ClauseSearch {
 public:
  // The questions are numbered from 0. Borrows the theory.
  ClauseSearch(Theory& theory, std::uint32_t questions);
  // Not all of these answers may be false. Requires: before run(); at least two, of different questions.
  void require(std::vector<Literal> clause);
  // Leaves no answer with the theory. `most_conflicts`: undecided after that many.
  [[nodiscard]] Found run(std::uint64_t most_conflicts);

 private:
  using ClauseIndex = std::uint32_t;
  static constexpr ClauseIndex kNoClause = ~ClauseIndex{0};
  struct Question {
    std::uint32_t level = 0;
    ClauseIndex reason = kNoClause;
    double activity = 0;
    std::uint8_t answer = 0;  // 0: none, 1: yes, 2: no
    bool seen = false;
  };

  bool holds(Literal l) const { return questions_[question_of(l)].answer == (is_yes(l) ? 1 : 2); }
  bool open(std::uint32_t q) const { return questions_[q].answer == 0; }
  std::uint32_t level() const { return static_cast<std::uint32_t>(levels_.size()); }

  void assume(Literal l, ClauseIndex reason);
  bool propagate();
  bool follow(Literal l);
  bool learn();
  ClauseIndex keep(std::vector<Literal> clause);
  void back_to(std::uint32_t level);
  void bump(std::uint32_t question);
  bool decide();
  void refill();

  Theory& theory_;
  std::vector<Question> questions_;
  std::vector<std::vector<Literal>> clauses_;       // the first two literals are watched
  std::vector<std::vector<ClauseIndex>> watching_;  // by literal: clauses to look at when it does not hold
  std::vector<Literal> trail_;
  std::vector<std::size_t> levels_;                                    // where each begins in the trail
  std::size_t given_ = 0;                                              // of the trail, to the theory
  std::vector<Literal> conflict_;                                      // none of them holds
  std::priority_queue<std::pair<double, std::uint32_t>> by_activity_;  // the open ones, and some that are not any more
  double increment_ = 1;
  bool stale_ = false;    // the activities in by_activity_ are of another scale
  std::size_t size_ = 0;  // literals in all clauses
};

}  // namespace ordeal::txn
