#pragma once
// Reads a large text with several threads. See chunks.cc. Thread-safety: one call at a time for a sink.

#include <functional>
#include <string_view>

#include "checkers/history/event_sink.h"

namespace ordeal {

// Reads everything into `sink`. False: the text is small, of another format, or not as simple as hoped for, and must be
// read by one thread into a new sink. `done` is told each part that was read, in order. Throws OutOfLimits.
[[nodiscard]] bool read_in_chunks(std::string_view text, HistoryFormat format, EventSink& sink,
                                  const std::function<void(std::string_view)>& done);

}  // namespace ordeal
