#include "tests/fuzz/fuzz_history.h"

#include <string>

#include "checkers/history/writer.h"

namespace ordeal {
namespace {

std::string written(const History& history) {
  std::string out;
  for (EventIndex e = 0; e < history.size(); ++e) append_event_jsonl(out, history, e);
  return out;
}

}  // namespace

bool fuzz_history(std::string_view text, HistoryFormat format) {
  ReadOptions options;
  options.format = format;
  // The options are drawn from the input, so that a fuzzer reaches them.
  if (!text.empty()) {
    options.independent = text.back() == '\t';
    options.tolerate_torn_end = text.back() != '\n';
  }
  const auto read = read_history(text, "fuzz", options);
  // Several threads, a chunk a line, and transactions apart must give the same (that values are equal, too, is
  // tests/checkers/history/reader_test.cc's).
  ReadOptions chunked = options;
  chunked.threads = 2;
  chunked.parallel_from = 1;
  chunked.transactions = true;
  const auto other = read_history(text, "fuzz", chunked);
  ORDEAL_CHECK(other.has_value() == read.has_value(), "chunks are read when the whole is not, or the other way round");
  if (read)
    ORDEAL_CHECK(other->history.size() == read->history.size() && other->notes == read->notes,
                 "chunks give another history");
  else
    ORDEAL_CHECK(other.error().message == read.error().message,
                 "chunks give another message: " + other.error().message);
  if (!read) {
    ORDEAL_CHECK(read.error().code == ErrorCode::input, "an unreadable history must be an input error");
    ORDEAL_CHECK(read.error().message.starts_with("fuzz:"),
                 "the message must begin with the file: " + read.error().message);
    return false;
  }
  const History& history = read->history;
  for (const OperationEvents& op : history.operations()) {
    ORDEAL_CHECK(history.type(op.invocation) == EventType::invoke, "an operation begins with an invocation");
    ORDEAL_CHECK(op.completion == kNoEvent || history.partner(op.completion) == op.invocation, "partners are mutual");
    (void)history.describe(op);
  }
  const std::string first = written(history);
  // Names that are not UTF-8 lose their difference when written.
  if (first.find("\xEF\xBF\xBD") != std::string::npos) return true;
  ReadOptions plain;
  plain.format = HistoryFormat::jsonl;
  const auto again = read_history(first, "again", plain);
  ORDEAL_CHECK(again.has_value(),
               "what was written cannot be read: " + (again ? "" : again.error().message) + "\n" + first);
  ORDEAL_CHECK(written(again->history) == first, "writing and reading changed the history:\n" + first);
  return true;
}

}  // namespace ordeal
