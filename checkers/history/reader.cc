#include "checkers/history/reader.h"

#include <array>
#include <functional>
#include <new>
#include <utility>

#include "base/json_scanner.h"
#include "base/names.h"
#include "base/text.h"
#include "checkers/history/chunks.h"
#include "checkers/history/event_sink.h"
#include "checkers/history/input.h"
#include "checkers/history/parts.h"

namespace ordeal {
namespace {

constexpr std::array<std::pair<std::string_view, HistoryFormat>, 6> kFormats = {{
    {"auto", HistoryFormat::automatic},
    {"jsonl", HistoryFormat::jsonl},
    {"edn", HistoryFormat::edn},
    {"log", HistoryFormat::jepsen_log},
    {"porcupine", HistoryFormat::porcupine},
    {"json", HistoryFormat::elle_json},
}};

// How much of a file the format is guessed from.
constexpr std::size_t kGuessBytes = 1 << 16;

std::string_view first_line(std::string_view text) { return text.substr(0, text.find('\n')); }

// Whether the first line is one whole JSON object, as each line of our own files is.
bool object_a_line(std::string_view text) {
  const std::string_view line = first_line(text);
  JsonScanner scanner(line);
  return scanner.skip() && scanner.end();
}

// Finds the format from the first characters that say something. nullopt when nothing fits.
std::optional<HistoryFormat> guess(std::string_view text) {
  const std::string_view head = trimmed(text.substr(0, kGuessBytes));
  if (head.empty()) return HistoryFormat::jsonl;
  const char c = head.front();
  if (c == '{' || c == '[') {
    const bool list = c == '[';
    std::string_view rest = trimmed(head.substr(1));
    if (list && rest.starts_with('{'))
      rest = trimmed(rest.substr(1));
    else if (list && !rest.starts_with(']'))
      return HistoryFormat::edn;
    if (rest.starts_with('"') || rest.starts_with('}') || rest.starts_with(']')) {
      if (list) return HistoryFormat::elle_json;
      return object_a_line(head) || head.find('\n') == std::string_view::npos ? HistoryFormat::jsonl
                                                                              : HistoryFormat::elle_json;
    }
    // An EDN map with a key besides the process and no index is how Porcupine writes its kv histories.
    const std::string_view line = first_line(head);
    const bool kv =
        !list && line.find(":key ") != std::string_view::npos && line.find(":index") == std::string_view::npos;
    return kv ? HistoryFormat::porcupine : HistoryFormat::edn;
  }
  if (c == '(' || c == '#' || c == ';' || c == '^') return HistoryFormat::edn;
  if (head.find("jepsen.util") != std::string_view::npos) return HistoryFormat::jepsen_log;
  // A console log may have much to say before the first operation.
  if (text.find("jepsen.util") != std::string_view::npos) return HistoryFormat::jepsen_log;
  return std::nullopt;
}

std::string quoted_start(std::string_view text) {
  std::string out;
  append_json_string(out, first_line(trimmed(text)).substr(0, 60));
  return out;
}

Result<void> read_events(std::string_view text, HistoryFormat format, EventSink& sink) {
  switch (format) {
    case HistoryFormat::automatic:
    case HistoryFormat::jsonl:
      return read_json_lines(text, sink);
    case HistoryFormat::elle_json:
      return read_json_stream(text, sink);
    case HistoryFormat::edn:
    case HistoryFormat::porcupine:
      return read_edn(text, sink);
    case HistoryFormat::jepsen_log:
      return read_jepsen_log(text, sink);
  }
  return {};
}

// `done`: see read_in_chunks. Throws OutOfLimits.
Result<ReadHistory> read_text(std::string_view text, std::string_view file, const ReadOptions& options,
                              const std::function<void(std::string_view)>& done) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF")) {
    return fail(ErrorCode::input, std::string(file) + ": is UTF-16; convert it to UTF-8");
  }
  if (trimmed(text).empty()) return fail(ErrorCode::input, std::string(file) + ": is empty, it holds no events");
  HistoryFormat format = options.format;
  if (format == HistoryFormat::automatic) {
    const auto guessed = guess(text);
    if (!guessed) {
      return fail(ErrorCode::input, std::string(file) + ":1: is no history of a known format: it begins with " +
                                        quoted_start(text) +
                                        "; JSON lines, EDN or a Jepsen console log was expected (name the format "
                                        "with --format jsonl, edn, log, porcupine or json)");
    }
    format = *guessed;
  }
  {
    HistorySink sink(file, options);
    if (read_in_chunks(text, format, sink, done)) return sink.finish(format);
  }
  HistorySink sink(file, options);
  auto read = read_events(text, format, sink);
  if (!read) return fail(read.error());
  if (sink.transactions() != nullptr && sink.transactions()->mixed()) {
    ReadOptions plain = options;
    plain.transactions = false;
    return read_text(text, file, plain, done);
  }
  return sink.finish(format);
}

// What `read` does, with what it throws as an error.
template <class Read>
Result<ReadHistory> bounded(std::string_view file, Read&& read) {
  std::string why;
  try {
    return read();
  } catch (const OutOfLimits& problem) {
    why = problem.what();
  } catch (const std::bad_alloc&) {
    why = "the machine's memory was exhausted";
  }
  return fail(ErrorCode::cancelled, why + " while " + std::string(file) + " was being read");
}

}  // namespace

std::string_view name(HistoryFormat format) {
  for (const auto& [text, value] : kFormats) {
    if (value == format) return text;
  }
  return "auto";
}

Result<HistoryFormat> find_history_format(std::string_view wanted) {
  std::vector<std::string> known;
  for (const auto& [text, value] : kFormats) {
    if (text == wanted) return value;
    known.emplace_back(text);
  }
  return fail(unknown_name("format", wanted, known));
}

Result<ReadHistory> read_history(std::string_view text, std::string_view file, const ReadOptions& options) {
  return bounded(file, [&] { return read_text(text, file, options, [](std::string_view) {}); });
}

Result<ReadHistory> read_history_file(const std::string& path, const ReadOptions& options) {
  const std::string_view file = path == "-" ? "standard input" : std::string_view(path);
  return bounded(file, [&]() -> Result<ReadHistory> {
    auto parts = parts_of(path);
    if (!parts) return fail(parts.error());
    auto input = open_parts(*parts, options.limits);
    if (!input) return fail(input.error());
    return read_text(input->text(), file, options, [&](std::string_view part) { input->release(part); });
  });
}

}  // namespace ordeal
