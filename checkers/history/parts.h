#pragma once
// The parts of a long history. What a run writes grows into history.jsonl; when that has reached a size, it becomes
// history-000000.jsonl, the next time history-000001.jsonl, and so on, and is compressed meanwhile to
// history-000000.jsonl.gz. The history is all parts in the order of their numbers and history.jsonl behind them. A part
// takes its final name when it is whole, so that each is there whole, whenever the writer was killed; one that is there
// twice, for it was killed between the two steps, counts once.
//
// Thread-safety: functions without state.

#include <cstddef>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/limits.h"
#include "checkers/history/input.h"

namespace ordeal {

// "DIR/history-000003.jsonl" beside "DIR/history.jsonl".
[[nodiscard]] std::string part_path(const std::string& history, std::size_t number);

// The files of which the history consists, in order: `history` alone unless its name is history.jsonl and there are
// parts beside it. Errors: input, when one of the numbers is missing; not_found, permission, io.
[[nodiscard]] Result<std::vector<std::string>> parts_of(const std::string& history);

// The text of all of them, compressed ones unpacked by several threads. Errors and what it throws: as Input::open.
[[nodiscard]] Result<Input> open_parts(const std::vector<std::string>& paths, const Limits& limits);

}  // namespace ordeal
