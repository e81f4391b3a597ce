#include "session/campaign/sequential_test.h"

#include <cmath>

#include "base/error.h"

namespace ordeal {

SequentialTest::SequentialTest(double often, double seldom, double error)
    : for_shown_(std::log(often / seldom)),
      for_hidden_(std::log((1 - often) / (1 - seldom))),
      bound_(std::log((1 - error) / error)) {
  ORDEAL_CHECK(seldom > 0 && often > seldom && often < 1 && error > 0 && error < 0.5, "no such test");
}

void SequentialTest::add(bool shown) {
  ORDEAL_CHECK(decision() == Decision::open, "the test is over");
  ++of_;
  seen_ += shown ? 1 : 0;
}

SequentialTest::Decision SequentialTest::decision() const {
  const double ratio = static_cast<double>(seen_) * for_shown_ + static_cast<double>(of_ - seen_) * for_hidden_;
  if (ratio >= bound_) return Decision::often;
  return ratio <= -bound_ ? Decision::seldom : Decision::open;
}

}  // namespace ordeal
