#include "checkers/workload/bank_choices.h"

#include <algorithm>
#include <utility>

namespace ordeal::work {
namespace {

class Search {
 public:
  Search(std::vector<BankTransfer> candidates, std::vector<std::int64_t> left, std::size_t wanted, std::size_t& steps)
      : candidates_(std::move(candidates)),
        left_(std::move(left)),
        state_(candidates_.size(), kFree),
        of_account_(left_.size()),
        wanted_(wanted),
        steps_(steps) {
    for (std::size_t i = 0; i < candidates_.size(); ++i) {
      const BankTransfer& one = candidates_[i];
      ordered_ = ordered_ || one.ret != kNoEvent;
      if (one.from == one.to || one.amount == 0) continue;
      of_account_[one.from].push_back(i);
      of_account_[one.to].push_back(i);
      largest_ = std::max(largest_, one.amount < 0 ? -one.amount : one.amount);
    }
  }

  BankChoices run() {
    for (std::size_t size = 0; size <= candidates_.size() && !full(); ++size) {
      deeper_ = false;
      search(size);
      if (!deeper_) break;
    }
    return std::move(out_);
  }

 private:
  enum State : char { kFree, kChosen, kGivenUp };

  bool full() {
    if (steps_ > 0 && out_.found.size() < wanted_) return false;
    out_.all = false;
    return true;
  }

  // Looks for what makes up the rest with `depth` transfers more.
  void search(std::size_t depth) {
    if (full()) return;
    --steps_;
    std::size_t at = left_.size();
    std::int64_t rest = 0;
    for (std::size_t a = 0; a < left_.size(); ++a) {
      if (left_[a] == 0) continue;
      rest += left_[a] < 0 ? -left_[a] : left_[a];
      if (at == left_.size() || of_account_[a].size() < of_account_[at].size()) at = a;
    }
    if (at == left_.size()) {
      if (depth == 0) keep();
      return;
    }
    if (rest > static_cast<std::int64_t>(depth) * 2 * largest_) {
      deeper_ = true;
      return;
    }
    std::vector<std::size_t> given_up;
    for (const std::size_t i : of_account_[at]) {
      if (state_[i] != kFree) continue;
      const auto together = with_what_it_came_after(i);
      if (!together.empty() && together.size() <= depth) {
        for (const std::size_t one : together) take(one, kChosen, -1);
        search(depth - together.size());
        for (const std::size_t one : together) take(one, kFree, 1);
      } else if (!together.empty()) {
        deeper_ = true;
      }
      state_[i] = kGivenUp;
      given_up.push_back(i);
    }
    for (const std::size_t i : given_up) state_[i] = kFree;
  }

  // Empty: one of them was given up.
  [[nodiscard]] std::vector<std::size_t> with_what_it_came_after(std::size_t chosen) const {
    std::vector<std::size_t> out{chosen};
    for (std::size_t i = 0; ordered_ && i < candidates_.size(); ++i) {
      const EventIndex ret = candidates_[i].ret;
      if (i == chosen || state_[i] == kChosen || ret == kNoEvent || ret > candidates_[chosen].inv) continue;
      if (state_[i] == kGivenUp) return {};
      out.push_back(i);
    }
    return out;
  }

  void take(std::size_t i, State state, std::int64_t times) {
    const BankTransfer& one = candidates_[i];
    state_[i] = state;
    left_[one.from] -= times * one.amount;
    left_[one.to] += times * one.amount;
  }

  void keep() {
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < state_.size(); ++i) {
      if (state_[i] == kChosen) places.push_back(i);
    }
    out_.found.push_back(std::move(places));
  }

  std::vector<BankTransfer> candidates_;
  std::vector<std::int64_t> left_;
  std::vector<State> state_;
  std::vector<std::vector<std::size_t>> of_account_;
  const std::size_t wanted_;
  std::size_t& steps_;
  std::int64_t largest_ = 0;
  bool ordered_ = false;  // some came after others
  bool deeper_ = false;   // a branch was left because of its depth
  BankChoices out_;
};

}  // namespace

BankChoices choices_of(std::vector<BankTransfer> candidates, std::vector<std::int64_t> left, std::size_t wanted,
                       std::size_t& steps) {
  return Search(std::move(candidates), std::move(left), wanted, steps).run();
}

}  // namespace ordeal::work
