#pragma once
// Whether a run's directory holds only what a run leaves: files and directories.
//
// A directory that somebody else made may hold a link to a file of the reader's, which would come to stand in a report
// or be replaced by one, or something that can be read for ever. Thread-safety: a pure function.

#include <string>

#include "base/error.h"

namespace ordeal {

// Everything beneath `directory` is a regular file, a directory, or a link to one of these within `directory`. Errors:
// input, which names the first that is not so; io.
[[nodiscard]] Result<void> check_run_contents(const std::string& directory);

}  // namespace ordeal
