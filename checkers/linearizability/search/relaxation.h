#pragma once
// Relaxation: a register's history with more freedom than it has, so that a search of it is cheap, and when even that
// has no linearization, the history has none.
//
// Crashed operations are what makes a search expensive: which of them have been used is a vector of counts, and the
// vectors that do not dominate each other are many. Relaxed, a crashed cas from a to b is a crashed write of b (which
// may stand wherever the cas may), and crashed writes of values that are not counted may happen as often as anybody
// wants once one was invoked. Counting a single value is often all that a contradiction needs ("1 was read nine times
// after others had overwritten it, and there are but eight writes of 1"), and makes the vector a number.
// Thread-safety: pure.

#include <cstdint>
#include <vector>

#include "checkers/linearizability/interfaces/key_history.h"

namespace ordeal::lin {

struct Relaxation {
  enum class Kind { none, count_nothing, count_one, count_all } kind = Kind::none;
  std::int64_t value = 0;  // the one that is counted
};

// The relaxations worth trying, the cheapest first, without `none`. None when nothing crashed that matters, or the
// model is no register.
[[nodiscard]] std::vector<Relaxation> relaxations_of(const KeyHistory& history);
// Makes the call what it is in the relaxed history.
void relax(const Relaxation& relaxation, Call& call);
// REQUIRES: the call has crashed, and relax() was applied to it. Whether it may happen only once.
[[nodiscard]] bool is_counted(const Relaxation& relaxation, const Call& call);

}  // namespace ordeal::lin
