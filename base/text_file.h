#pragma once
// A whole text file as a string. Thread-safety: pure.

#include <string>

#include "base/error.h"

namespace ordeal {

// Errors: not_found, permission; io, also for what is no file ("is a directory"). All name the path.
[[nodiscard]] Result<std::string> read_text_file(const std::string& path);

}  // namespace ordeal
