#pragma once
// SequentialTest: whether something shows often, decided after as few trials as that takes: Wald's sequential
// probability ratio test of "in `often` of the trials or more" against "in `seldom` of them or less", each of which is
// chosen wrongly with a probability of at most `error`. Source: A. Wald, Sequential tests of statistical hypotheses,
// Annals of Mathematical Statistics 16 (1945).
//
//   SequentialTest test(0.95, 0.6, 0.1);
//   while (test.decision() == SequentialTest::Decision::open) test.add(trial());   // five of five are enough
//
// Thread-safety: a value.

#include <cstddef>

namespace ordeal {

class SequentialTest {
 public:
  enum class Decision { open, often, seldom };

  // Requires: 0 < seldom < often < 1, 0 < error < 0.5.
  SequentialTest(double often, double seldom, double error);

  // Requires: nothing was decided yet.
  void add(bool shown);
  [[nodiscard]] Decision decision() const;
  [[nodiscard]] std::size_t seen() const { return seen_; }
  [[nodiscard]] std::size_t of() const { return of_; }

 private:
  double for_shown_;  // what each outcome adds to the logarithm of the likelihoods' ratio
  double for_hidden_;
  double bound_;
  std::size_t seen_ = 0;
  std::size_t of_ = 0;
};

}  // namespace ordeal
