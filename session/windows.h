#pragma once
// Windows: what is kept of a history that is still being written, so that it can be judged again and again in bounded
// time and memory: by key, where the promise allows it, a window of the last events (checkers/prefix.h says which, and
// why that is sound), else everything up to a limit.
//
// Thread-safety: one thread.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "checkers/prefix.h"

namespace ordeal {

struct WindowLimits {
  std::size_t events = 4000;                  // of a key, from which on the older half is left out
  std::size_t bytes = std::size_t{64} << 20;  // of all together
};

class Windows {
 public:
  Windows(PrefixUse use, WindowLimits limits) : use_(use), limits_(limits) {}

  // The next line of the history. What is no event of a client is passed over.
  void add(std::string_view line);

  // What has changed since the last call, as a history each: keys that are known from their beginning, and those that
  // begin with an unknown value. Empty: there is none.
  struct Changed {
    std::string from_beginning;
    std::string from_unknown;
  };
  [[nodiscard]] Changed take_changed();

  // From now on windows are half as long, 200 events at least.
  void shorten();
  // Nothing is kept any more: more came than fits, and the promise needs all of it.
  [[nodiscard]] bool full() const { return full_; }
  // Of all lines that are kept.
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  struct Line {
    std::int64_t index = 0;
    std::string text;
    std::int64_t process = 0;
    bool invocation = false;
    bool lost = false;  // a completion that says nothing, of an operation that may have an effect
  };
  struct Window {
    std::deque<Line> lines;
    std::vector<Line> crashed;        // operations of before the window that may still take effect, as two lines each
    std::deque<std::uint64_t> quiet;  // places, counted from the key's first line, at which no operation is open
    std::set<std::int64_t> open;      // processes
    std::uint64_t begin = 0;          // the place of the first line
    bool unknown = false;             // what came before it is not there any more
    bool changed = false;
  };
  [[nodiscard]] static std::string text_of(std::vector<const Line*> lines);
  void trim(Window& window, std::size_t events);
  void cut(Window& window, std::uint64_t place);
  void keep_within_limits();

  const PrefixUse use_;
  WindowLimits limits_;
  std::map<std::string, Window> windows_;       // by key; one for all where the promise is about all
  std::map<std::int64_t, std::string> key_of_;  // of the operation that a process has open
  std::size_t bytes_ = 0;
  bool full_ = false;
};

}  // namespace ordeal
