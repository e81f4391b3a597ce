#pragma once
// Reads a large text with several threads. See chunks.cc. Thread-safety: one call at a time for a sink.

#include <string_view>

#include "checkers/history/event_sink.h"

namespace ordeal {

// Reads everything into `sink`. False: the text is small, of another format, or not as simple as hoped for, and must be read by
// one thread into a new sink.
[[nodiscard]] bool read_in_chunks(std::string_view text, HistoryFormat format, EventSink& sink);

}  // namespace ordeal
