#pragma once
// What can be said of a history's transactions with certainty: findings that need no cycle, the dependency graph, what
// each transaction read from whom, and the questions that remain open. Made by list_append.cc and rw_register.cc,
// judged by judge.cc. Thread-safety: a value.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "checkers/transactions/graph.h"
#include "checkers/transactions/transactions.h"

namespace ordeal::txn {

// An anomaly in words; operations are named by transactions.
struct Finding {
  std::string type;
  KeyIndex key = kNone;
  std::vector<TxnIndex> txns;
  std::string explanation;
  std::vector<std::string> sentences;
  AnomalyGraph graph;
  std::vector<Edge> edges = {};        // of the circles that it tells, if any
  std::vector<std::string> ways = {};  // sentences that come last: how transactions came to know of others
  std::size_t more = 0;                // of its type that were found and not kept, with the last that was
};

// Whom a micro-operation read from: a transaction, kNone for the initial state, or this: it is no read of an
// acknowledged transaction, shows nothing of others, or cannot be explained.
inline constexpr TxnIndex kNoSource = kNone - 1;

// Versions of a key that follow each other for certain, as seen by what comes before or after all of them.
struct Stretch {
  KeyIndex key = 0;
  TxnIndex head = kNone;  // wrote the first of them; kNone: it is the initial one
  TxnIndex tail = kNone;  // wrote the last of them, likewise
  ValueId head_value = kAbsent;
  std::uint32_t readers = 0;  // of the last one: where they begin in Inference::readers
  std::uint32_t readers_end = 0;
};

// One of two stretches of a key comes before the other; nobody knows which.
struct Choice {
  std::uint32_t first = 0, second = 0;  // Inference::stretches
};

// Writes of a key that come after everything that was seen of it, in an unknown order.
struct OpenGroup {
  KeyIndex key = 0;
  std::vector<std::uint32_t> micro;  // one a transaction
};

// A read of a register that shows a value which several transactions wrote, or the initial one, too.
struct OpenRead {
  TxnIndex txn = 0;
  std::uint32_t micro = 0;
  // Whose last write of the key has the value, without the reader and those that failed; kNone: the initial state.
  std::vector<TxnIndex> candidates;
};

// What real time leaves open of the same questions, which is linear where the rest is quadratic.
struct RealtimeChoices {
  std::vector<Choice> choices;
  std::vector<Edge> forced;
};

struct Inference {
  explicit Inference(Transactions t)
      : owned(std::make_unique<Transactions>(std::move(t))),
        txns(*owned),
        graph(txns),
        committed(txns.size(), false),
        source(txns.micro.size(), kNoSource) {}
  std::unique_ptr<Transactions> owned;  // where the graph finds them
  const Transactions& txns;
  DependencyGraph graph;
  std::vector<std::uint8_t> committed;  // acknowledged, or observed by one that was
  std::vector<Finding> findings;
  std::vector<TxnIndex> source;  // by micro-operation
  std::vector<OpenGroup> open;
  std::vector<Stretch> stretches;
  std::vector<TxnIndex> readers;
  std::vector<Choice> choices;
  // Edges that hold at snapshot isolation and above only; the search for an order uses them.
  std::vector<Edge> forced;
  // Of lists: an append right after what its transaction read comes before the others that nobody saw, where no update
  // may be lost.
  std::vector<Edge> updates_first;
  // Acknowledged appends that are in no list, or last writes that no other transaction read.
  std::size_t unobserved = 0;
  // There were too many open pairs of a key to list them among the choices.
  bool open_pairs_dropped = false;
  // There would be choices, but nobody asked for them (RegisterOptions::order).
  bool order_unasked = false;
  // Where real time counts, these may be asked instead of `choices` and `forced`.
  std::optional<RealtimeChoices> in_realtime;
  // Reads whose source is open. `sources_open`: they are all that makes this incomplete, so source_search.h can decide
  // serializability and snapshot isolation.
  std::vector<OpenRead> open_reads;
  bool sources_open = false;
  // Why nothing may be called valid, e.g. because writes could not be told apart. Empty: everything was understood.
  std::string incomplete;
};

// What follows when one stretch comes before another: the writer and the readers of its last version come before the
// writer of the other's first. Adds to `out`.
void edges_before(const Inference& inference, const Stretch& earlier, const Stretch& later, std::vector<Edge>& out);

// What a finding of each type is kept to, so that a broken store does not make a report of a million lines.
inline constexpr std::size_t kMaxFindings = 10;
// Adds the finding unless there are enough of that type.
void add_finding(std::vector<Finding>& findings, Finding finding);

// "T(12)": a transaction as messages name it, by the file's index of its invocation.
[[nodiscard]] std::string txn_name(const History& history, const Transactions& txns, TxnIndex t);

// Makes choices of the open groups: of the pairs within one strongly connected component. All others can be ordered as
// the components are without closing a cycle.
void choose_open(Inference& inference);

// `threads`: at least 1; the result does not depend on it. Both throw OutOfLimits.
[[nodiscard]] Inference infer_list_append(const History& history, Transactions txns, unsigned threads,
                                          const Limits& limits);

// What is taken for granted about the versions of each register, beyond that the initial one is first and that a
// transaction which read a version and wrote the key made a later one (writes follow reads).
struct VersionOrders {
  bool sequential = false;    // later ones are seen later by each process
  bool linearizable = false;  // later ones are seen later in real time
};
// From names parted by commas: wfr, initial (both always hold), sequential, linearizable. Errors: usage.
[[nodiscard]] Result<VersionOrders> version_orders(std::string_view names);

struct RegisterOptions {
  ValueId initial = kNil;       // what reads return before the first write
  std::size_t max_choices = 0;  // more choices make the inference incomplete
  VersionOrders orders;
  // For levels that allow lost updates: a transaction that read a version and wrote the key made a later one, but not
  // necessarily the next.
  bool lost_updates_allowed = false;
  // False: nobody will ask for an order of the writes, so there are no choices.
  bool order = true;
};
[[nodiscard]] Inference infer_rw_register(const History& history, Transactions txns, const RegisterOptions& options,
                                          const Limits& limits);

}  // namespace ordeal::txn
