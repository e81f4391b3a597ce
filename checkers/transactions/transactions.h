#pragma once
// The transactions of a history as columns: what every algorithm of this room works on.
//
// A transaction is an operation whose value is a list of micro-operations ["append" k v], ["w" k v] or ["r" k v], which
// may be spelled "write" and "read". The columns hold interned ids only (no payloads), so that a million transactions
// of four micro-operations take tens of megabytes; they do not refer to a History, and a reader that never builds one
// may fill them as well. Thread-safety: immutable once made.

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "base/limits.h"
#include "checkers/interfaces/checker.h"

namespace ordeal::txn {

using TxnIndex = std::uint32_t;
using KeyIndex = std::uint32_t;
inline constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();

// Whether a transaction took effect, as far as its client knows. `info` may have committed or not.
enum class Outcome : std::uint8_t { ok, info, fail };
enum class MicroKind : std::uint8_t { append, write, read };

struct MicroOp {
  MicroKind kind = MicroKind::read;
  KeyIndex key = 0;
  // append, write: the element or value. read: the list or value seen; kAbsent when nobody knows what was seen.
  ValueId value = kAbsent;
};

struct Transactions {
  // In the order of their invocations.
  std::vector<EventIndex> invocation;
  std::vector<EventIndex> completion;  // of ok ones; kNoEvent otherwise
  std::vector<ProcessId> process;
  std::vector<Outcome> outcome;
  std::vector<std::uint32_t> first;  // size() + 1 entries: where a transaction's micro-operations begin
  std::vector<MicroOp> micro;
  std::vector<ValueId> keys;  // by KeyIndex
  std::size_t reads = 0;      // of acknowledged transactions, with a result that was recorded
  // Names the first acknowledged transaction whose reads were not recorded; empty: all were.
  std::string unrecorded;

  [[nodiscard]] std::size_t size() const { return outcome.size(); }
  [[nodiscard]] std::span<const MicroOp> ops(TxnIndex t) const {
    return std::span(micro).subspan(first[t], first[t + 1] - first[t]);
  }
};

// Errors: input, naming the operation, when something is no transaction of reads and `write` micro-operations
// (MicroKind::append or MicroKind::write), or completed as another one. With NilReads::unknown a read of nil says
// nothing. Throws OutOfLimits.
[[nodiscard]] Result<Transactions> transactions_of(const History& history, MicroKind write, const Limits& limits,
                                                   NilReads nil_reads = NilReads::observe);

// list-append when the history has an append, rw-register otherwise.
[[nodiscard]] std::string guess_model(const History& history);

}  // namespace ordeal::txn
