#pragma once
// A small language for histories that people read, a line for each operation:
//
//   0 write x: 1              process 0 writes 1 to key x; ok, with the value that it asked for
//   1 read x: -> 1            what was observed follows the arrow
//   1 cas x: [1,2] !          failed: it certainly did not happen; `!limited` names the kind of the error
//   1 write x: 3 ?            nobody knows whether it happened
//   2 add 4 begins            the invocation alone; its completion follows later: 2 ends, 2 ends -> 5, 2 ends !
//   5s 0 read -> []           begins five seconds after the beginning; what follows comes right after it
//   {"process":"nemesis",…}   an event as a line of a history has it, without its time
//
// Values are JSON without spaces; what is not said is nil. Each event comes a millisecond after the one before it.
// Thread-safety: pure functions.

#include <string>
#include <string_view>

#include "base/error.h"

namespace ordeal {

// The same as a history of JSON lines (doc/formats.md). Errors: input, naming the line.
[[nodiscard]] Result<std::string> example_history(std::string_view text);

}  // namespace ordeal
