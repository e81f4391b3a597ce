#pragma once
// Splitting a command line into words, as a POSIX shell does it without expansions. Thread-safety: pure.

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace ordeal {

// `python3 "my adapter.py" --port 2379` → three words and a number. Errors: usage, for a quote without its end or
// nothing at all.
[[nodiscard]] Result<std::vector<std::string>> split_words(std::string_view line);

// The program that `word` names: itself when it contains a slash, else searched in $PATH. Errors: not_found.
[[nodiscard]] Result<std::string> find_executable(const std::string& word);

// For messages: at most `max_bytes` bytes, with everything that is not printable ASCII as \xNN.
[[nodiscard]] std::string shown(std::string_view bytes, std::size_t max_bytes = 200);

}  // namespace ordeal
