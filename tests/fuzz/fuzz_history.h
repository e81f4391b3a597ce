#pragma once
// The fuzzed functions, called by libFuzzer and by fuzz_test alike: read bytes as a history in one format; whatever is
// accepted must survive being written and read again. A broken promise aborts.

#include <string_view>

#include "checkers/history/reader.h"

namespace ordeal {

// Returns whether the reader took the text for a history.
bool fuzz_history(std::string_view text, HistoryFormat format);

}  // namespace ordeal
