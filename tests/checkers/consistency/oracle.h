#pragma once
// The oracle of the weak levels: their definitions, tried out on every possibility. Slow on purpose; shares no code
// with checkers/consistency. Histories of up to about seven operations.

#include <cstdint>
#include <string>
#include <vector>

namespace ordeal::oracle {

// Value 0 is the initial one of every key.
struct Op {
  int process = 0;
  int key = 0;
  char kind = 'r';  // 'r', 'w', or 'c' for a cas from `value` to `next`
  int value = 0;
  int next = 0;
  int inv = 0;  // times
  int ret = 0;
  bool crashed = false;  // may be left out; requires: the last of its process, and no read
  [[nodiscard]] bool reads() const { return kind != 'w'; }
  [[nodiscard]] bool writes() const { return kind != 'r'; }
  [[nodiscard]] int written() const { return kind == 'c' ? next : value; }
};

// Operations of a process stand in its order. Requires: the level is known.
[[nodiscard]] bool holds(const std::string& level, const std::vector<Op>& ops);

}  // namespace ordeal::oracle
