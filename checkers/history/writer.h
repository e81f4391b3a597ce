#pragma once
// The writer of our JSON-lines histories (doc/formats.md): what it writes, read_history reads back as the same
// history, but for keys of maps that are no strings, which JSON can only hold as text.
// Thread-safety: free functions without shared state.

#include <string>

#include "base/error.h"
#include "checkers/history/history.h"

namespace ordeal {

// Appends one event as a line of JSON, with its line end.
void append_event_jsonl(std::string& out, const History& history, EventIndex event);

// Writes the whole history; "-" is standard output. Errors: io, permission, not_found, with the path.
[[nodiscard]] Result<void> write_history_jsonl(const History& history, const std::string& path);

}  // namespace ordeal
