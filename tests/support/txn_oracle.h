#pragma once
// What isolation levels mean, by brute force: all schedules of a small history are tried by executing them. Shares no
// code and no theory (graphs, cycles) with the checker.

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "checkers/history/history.h"

namespace ordeal::testing_support {

struct OracleOp {
  char f = 'r';  // 'r', 'w', 'a'
  int key = 0;
  int value = 0;          // w, a
  std::vector<int> seen;  // r: the list, or the register's value alone (empty: nil)
};

struct OracleTxn {
  std::vector<OracleOp> ops;
  int process = 0;
  int begin = 0, end = 0;  // places in the history; end of a crashed one is after everything
  char outcome = 'o';      // 'o', 'i', 'f'
};

using OracleHistory = std::vector<OracleTxn>;

enum class OracleOrder { none, session, realtime };

// Is there a serial order of the transactions (crashed ones at will) that gives what was read?
[[nodiscard]] bool serializable(const OracleHistory& history, OracleOrder order);
// Is there a schedule of beginnings and commits with snapshots at the beginning, such that the first committer wins?
[[nodiscard]] bool snapshot_isolated(const OracleHistory& history, OracleOrder order);
// The same without first committer wins: whoever commits writes on top of what is there. Appends are traceable, as for
// Elle: a list that a transaction saw with appends of its own is a version, and so a prefix of all later ones.
[[nodiscard]] bool prefix_consistent(const OracleHistory& history, OracleOrder order);

// The axioms of Biswas and Enea over registers, by trying all commit orders. Requires: every transaction is
// acknowledged, and no read contradicts its own transaction or shows an intermediate value.
enum class OracleAxiom { monotonic_view, read_committed, read_atomic, pram, causal };
// `realtime`: what ended before also counts as being before.
[[nodiscard]] bool axiom_holds(const OracleHistory& history, OracleAxiom axiom, bool realtime = false);

// Runs of a store that is serializable, snapshot isolated or read committed, perhaps falsified afterwards.
enum class Store { serial, snapshot, committed };
struct TxnShape {
  std::size_t transactions = 4;
  std::size_t operations = 3;  // of a transaction, at most
  int keys = 2, processes = 3;
  bool lists = true;
  double crashed = 0.1, failed = 0.05, falsify = 0.3;
  Store store = Store::snapshot;
  int values = 0;  // of registers: how many different ones are written; 0: each only once
};
[[nodiscard]] OracleHistory random_transactions(const TxnShape& shape, std::mt19937_64& chance);
// Of no store at all: what is read is a guess among what was written, mostly of acknowledged transactions and mostly
// without contradicting the own one's. Such histories show combinations that no store has.
[[nodiscard]] OracleHistory guessed_transactions(const TxnShape& shape, std::mt19937_64& chance);
// `lists`: reads show lists; unless said, they do when something is appended.
[[nodiscard]] std::string to_jsonl(const OracleHistory& history, std::optional<bool> lists = std::nullopt);

}  // namespace ordeal::testing_support
