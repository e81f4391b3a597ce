#pragma once
// ValueWatch: what a search for one order of all operations must not do to a register's values, so that it finds out at
// once, and not millions of steps later, that it cannot come to an end.
//
//   1. A value that nobody will write again is not replaced while an operation that must happen still needs it: a read
//      of it, or a cas from it. After  w1, w2  a read of 1 has no place.
//   2. When some process reads or writes 1 and later 2 (another value of the same key), and each is written once and is
//      not there from the beginning, 1 is written before 2: in an order of all operations a value written once is there
//      for one stretch, and those of 1 and 2 do not overlap.
//
// Both only leave out what no order has, whatever the history. For registers whose state is one word, the value.
// Thread-safety: belongs to one search.

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "checkers/linearizability/models/model.h"

namespace ordeal {

class ValueWatch {
 public:
  // What an operation needs of its key, and makes of it: places in the watch; none: nothing.
  static constexpr std::uint32_t kNone = 0xFFFFFFFFu;
  struct Watched {
    std::uint32_t needs = kNone;
    std::uint32_t makes = kNone;
  };

  // Operations are told once, in each session's order; those that crashed need not happen. Requires: a read, write or
  // cas of a register (operations.h).
  [[nodiscard]] Watched add(std::uint32_t key, std::uint32_t session, const lin::Operation& op, bool crashed);
  // Before the search begins: what all keys hold, which must be known.
  void begin(std::uint32_t keys, std::uint32_t initially);

  // Whether the operation may come next, where its key holds `now`.
  [[nodiscard]] bool may_come(std::uint32_t key, std::uint32_t now, const Watched& what) const;
  void performed(const Watched& what, bool must);
  void undone(const Watched& what, bool must);

 private:
  struct Place {
    std::uint32_t makers = 0;          // operations that make this value, not performed yet
    std::uint32_t needs = 0;           // that must happen and need it, not performed yet
    bool once = false;                 // made by one operation in all, and not there from the beginning
    std::vector<std::uint32_t> after;  // values that are made before it
  };
  std::uint32_t place(std::uint32_t key, std::uint32_t value);
  void follows(std::uint32_t key, std::uint32_t session, std::uint32_t at);

  std::vector<Place> places_;
  std::unordered_map<std::uint64_t, std::uint32_t> place_of_;  // by key and value
  std::unordered_map<std::uint64_t, std::uint32_t> last_of_;   // by key and session: what it saw last
};

}  // namespace ordeal
