#include "checkers/transactions/clause_search.h"

#include <algorithm>
#include <utility>

namespace ordeal::txn {
namespace {

constexpr double kDecay = 0.95;
constexpr double kLargest = 1e100;
constexpr std::size_t kMaxLiterals = 50'000'000;
constexpr std::uint64_t kRestart = 128;  // conflicts, times the Luby sequence, and more where answering anew takes long

// 1 1 2 1 1 2 4 1 1 2 … (Luby, Sinclair and Zuckerman, 1993).
std::uint64_t luby(std::uint64_t i) {
  std::uint64_t size = 1;
  while (size < i + 1) size = 2 * size + 1;
  std::uint64_t power = (size + 1) / 2;
  while (size - 1 != i) {
    size = (size - 1) / 2;
    power /= 2;
    i %= size;
  }
  return power;
}

}  // namespace

ClauseSearch::ClauseSearch(Theory& theory, std::uint32_t questions)
    : theory_(theory), questions_(questions), watching_(2 * std::size_t{questions}) {
  // The first ones come first as long as nothing is known of them.
  for (std::size_t q = 0; q < questions_.size(); ++q) {
    questions_[q].activity = 1e-3 * (1 - static_cast<double>(q) / static_cast<double>(questions_.size()));
  }
  refill();
}

void ClauseSearch::refill() {
  std::vector<std::pair<double, std::uint32_t>> all;
  for (std::uint32_t q = 0; q < questions_.size(); ++q) {
    if (open(q)) all.emplace_back(questions_[q].activity, q);
  }
  by_activity_ = std::priority_queue<std::pair<double, std::uint32_t>>(std::less<std::pair<double, std::uint32_t>>(),
                                                                       std::move(all));
}

Found ClauseSearch::run(std::uint64_t most_conflicts) {
  Found found = Found::undecided;
  const std::uint64_t unit = kRestart + questions_.size() / 64;
  std::uint64_t conflicts = 0, restarts = 0, next_restart = unit * luby(0);
  while (conflicts <= most_conflicts && size_ <= kMaxLiterals && !theory_.out_of_budget()) {
    if (!propagate()) {
      ++conflicts;
      if (level() == 0 || !learn()) {
        found = Found::no;
        break;
      }
      continue;
    }
    if (conflicts >= next_restart) {
      next_restart = conflicts + unit * luby(++restarts);
      back_to(0);
      continue;
    }
    if (!decide()) {
      found = Found::yes;
      break;
    }
  }
  back_to(0);
  for (; given_ > 0; --given_) theory_.take_back(trail_[given_ - 1]);
  return found;
}

void ClauseSearch::assume(Literal l, ClauseIndex reason) {
  Question& question = questions_[question_of(l)];
  question.answer = is_yes(l) ? 1 : 2;
  question.level = level();
  question.reason = reason;
  trail_.push_back(l);
}

bool ClauseSearch::decide() {
  while (!by_activity_.empty()) {
    const std::uint32_t q = by_activity_.top().second;
    by_activity_.pop();
    if (!open(q)) continue;
    levels_.push_back(trail_.size());
    assume(literal(q, theory_.prefers_yes(q)), kNoClause);
    return true;
  }
  return false;
}

// False: a contradiction, in conflict_.
bool ClauseSearch::propagate() {
  std::vector<std::uint32_t> why;
  while (given_ < trail_.size()) {
    const Literal l = trail_[given_];
    why.clear();
    if (!theory_.give(l, why)) {
      conflict_.clear();
      std::sort(why.begin(), why.end());
      why.erase(std::unique(why.begin(), why.end()), why.end());
      for (const std::uint32_t q : why) conflict_.push_back(literal(q, questions_[q].answer != 1));
      return false;
    }
    ++given_;
    if (!follow(l)) return false;
  }
  return true;
}

// What the clauses say now that `l` holds.
bool ClauseSearch::follow(Literal l) {
  const Literal gone = opposite(l);
  auto& watching = watching_[gone];
  std::size_t kept = 0;
  for (std::size_t i = 0; i < watching.size(); ++i) {
    const ClauseIndex index = watching[i];
    auto& clause = clauses_[index];
    if (clause[0] == gone) std::swap(clause[0], clause[1]);
    if (!holds(clause[0])) {
      const auto other =
          std::find_if(clause.begin() + 2, clause.end(), [&](Literal one) { return !holds(opposite(one)); });
      if (other != clause.end()) {
        std::swap(clause[1], *other);
        watching_[clause[1]].push_back(index);
        continue;
      }
      if (holds(opposite(clause[0]))) {
        conflict_ = clause;
        for (; i < watching.size(); ++i) watching[kept++] = watching[i];
        watching.resize(kept);
        return false;
      }
      assume(clause[0], index);
    }
    watching[kept++] = index;
  }
  watching.resize(kept);
  return true;
}

void ClauseSearch::bump(std::uint32_t q) {
  questions_[q].activity += increment_;
  if (questions_[q].activity > kLargest) {
    for (Question& one : questions_) one.activity /= kLargest;
    increment_ /= kLargest;
    stale_ = true;
  }
}

// Learns the first unique implication point's clause from conflict_, and goes back to where it says something new.
// False: there is nowhere to go back to.
bool ClauseSearch::learn() {
  std::vector<Literal> learnt{0};
  std::vector<std::uint32_t> cleared;
  std::size_t at_level = 0, place = trail_.size();
  const auto look = [&](Literal one) {
    Question& question = questions_[question_of(one)];
    if (question.seen || question.level == 0) return;
    question.seen = true;
    cleared.push_back(question_of(one));
    bump(question_of(one));
    if (question.level == level())
      ++at_level;
    else
      learnt.push_back(one);
  };
  for (const Literal one : conflict_) look(one);
  if (at_level == 0 && learnt.size() == 1) return false;
  Literal last = 0;
  while (at_level > 0) {
    do {
      last = trail_[--place];
    } while (!questions_[question_of(last)].seen);
    const ClauseIndex reason = questions_[question_of(last)].reason;
    if (--at_level == 0) break;
    for (const Literal one : clauses_[reason]) {
      if (one != last) look(one);
    }
  }
  learnt[0] = opposite(last);
  for (const std::uint32_t q : cleared) questions_[q].seen = false;
  increment_ /= kDecay;
  std::uint32_t back = 0;
  for (std::size_t i = 1; i < learnt.size(); ++i) {
    if (questions_[question_of(learnt[i])].level > back) {
      back = questions_[question_of(learnt[i])].level;
      std::swap(learnt[1], learnt[i]);
    }
  }
  back_to(back);
  if (learnt.size() == 1) {
    assume(learnt[0], kNoClause);
    return true;
  }
  const Literal first = learnt[0];
  assume(first, keep(std::move(learnt)));
  return true;
}

// Watches the first two.
ClauseSearch::ClauseIndex ClauseSearch::keep(std::vector<Literal> clause) {
  const auto index = static_cast<ClauseIndex>(clauses_.size());
  size_ += clause.size();
  watching_[clause[0]].push_back(index);
  watching_[clause[1]].push_back(index);
  clauses_.push_back(std::move(clause));
  return index;
}

void ClauseSearch::require(std::vector<Literal> clause) { keep(std::move(clause)); }

void ClauseSearch::back_to(std::uint32_t wanted) {
  if (level() <= wanted) return;
  const std::size_t begin = levels_[wanted];
  for (; given_ > begin; --given_) theory_.take_back(trail_[given_ - 1]);
  for (std::size_t i = begin; i < trail_.size(); ++i) {
    Question& question = questions_[question_of(trail_[i])];
    question.answer = 0;
    by_activity_.emplace(question.activity, question_of(trail_[i]));
  }
  trail_.resize(begin);
  levels_.resize(wanted);
  if (stale_ || by_activity_.size() > 4 * questions_.size() + 1'000) refill();
  stale_ = false;
}

}  // namespace ordeal::txn
