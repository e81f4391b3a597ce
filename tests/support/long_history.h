#pragma once
// Long histories of registers, made from a seed in linear time: clients that run against a perfect register, some of
// whose operations crash, and into which a violation can be put that nothing explains.
// Thread-safety: pure.

#include <cstdint>
#include <optional>
#include <string_view>

#include "checkers/history/history.h"

namespace ordeal::testing_support {

// What goes wrong, as known from real systems. Each is made such that the history is certainly not linearizable; see
// long_history.cc for the argument.
enum class Violation {
  none,
  stale_read,     // one read returns a value that was overwritten before the read began
  lost_write,     // a fail-over: the register is again what it was before acknowledged writes, and goes on from there
  future_read,    // one read returns a value that nobody has asked to write yet
  stale_replica,  // while nobody writes, every other read is answered by a replica that stands still
};
[[nodiscard]] std::string_view name(Violation violation);
[[nodiscard]] std::optional<Violation> find_violation(std::string_view name);

struct LongHistory {
  std::size_t operations = 10'000;
  std::size_t keys = 1;
  int clients = 10;  // of each key
  int values = 5;    // 0: every written value is unique
  bool cas = true;
  double crashed = 0;                     // share of operations that end in info; half of them take effect
  Violation violation = Violation::none;  // in the first key. Requires: values is 0 or at least 2
  double where = 0.95;                    // when it begins, as a share of the history
  std::uint64_t seed = 1;
};
[[nodiscard]] History long_history(const LongHistory& shape);

}  // namespace ordeal::testing_support
