#pragma once
// Readers of histories, whoever recorded them: our JSON lines, Jepsen's EDN and console log, Porcupine's kv logs, and
// JSON as elle-cli writes it.
//
// The format is found from the contents. Files are mapped, not copied; what stays in memory are the history's
// columns. Every error names file, line and column, and says what was expected; a history that contradicts itself is
// refused with the events named (HistoryBuilder). The formats are described in checkers/history/README.md.
//
// Thread-safety: free functions without shared state.

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/limits.h"
#include "checkers/history/history.h"

namespace ordeal {

enum class HistoryFormat { automatic, jsonl, edn, jepsen_log, porcupine, elle_json };

// The name that --format takes: auto, jsonl, edn, log, porcupine, json.
[[nodiscard]] std::string_view name(HistoryFormat format);
// Errors: usage, listing the known names.
[[nodiscard]] Result<HistoryFormat> find_history_format(std::string_view name);

struct ReadOptions {
  HistoryFormat format = HistoryFormat::automatic;
  // Take the values of clients as [key value] tuples, as jepsen.independent writes them. Tuples that are tagged as
  // such are always taken apart.
  bool independent = false;
  // Leave out a last line that breaks off in the middle, as a killed writer leaves it, and say so in the notes.
  bool tolerate_torn_end = false;
  // For the transactional checker: store lists of micro-operations [f key value] one by one (TransactionValues). Equal
  // ones may then have different ids, which other checkers could take for different values.
  bool transactions = false;
  // How many threads read a large file; 0: as many as the machine has.
  unsigned threads = 0;
  // When to stop reading.
  Limits limits;
  // Files below this many bytes are read by one thread.
  std::size_t parallel_from = std::size_t{8} << 20;
};

struct ReadHistory {
  History history;
  HistoryFormat format = HistoryFormat::jsonl;
  // What the reader left out or assumed, a sentence each.
  std::vector<std::string> notes;
  // Some values were stored one by one, as ReadOptions::transactions asks.
  bool transactions_apart = false;
};

// Reads a file; "-" is standard input. Files compressed with gzip or zstd are unpacked; the parts of a run's long
// history.jsonl are read with it (checkers/history/parts.h). Errors: not_found, permission, io; input for what cannot
// be understood and for a file without events; cancelled when the limits are exceeded, or memory is.
[[nodiscard]] Result<ReadHistory> read_history_file(const std::string& path, const ReadOptions& options = {});

// Reads a history from memory; `name` stands for the file in messages.
[[nodiscard]] Result<ReadHistory> read_history(std::string_view text, std::string_view name,
                                               const ReadOptions& options = {});

}  // namespace ordeal
