#pragma once
// All small histories of transactions, for exhaustive tests.

#include <algorithm>
#include <vector>

#include "support/txn_oracle.h"

namespace ordeal::testing_support {

// All histories of two transactions of at most two micro-operations on two keys, and one that reads both keys, with
// every list that could be read, each concurrent, one after the other in one process, and one after the other in two. A
// run visits every 50th; ORDEAL_HEAVY=50 all of them.
class SmallHistories {
 public:
  explicit SmallHistories(bool lists) : lists_(lists) {
    for (int length = 1; length <= 2; ++length) {
      for (int code = 0; code < (length == 1 ? 4 : 16); ++code) {
        std::vector<OracleOp> ops;
        for (int i = 0; i < length; ++i) {
          const int one = i == 0 ? code % 4 : code / 4;
          ops.push_back({one < 2 ? 'r' : lists ? 'a' : 'w', one % 2, 0, {}});
        }
        shapes_.push_back(ops);
      }
    }
  }

  template <class F>
  void for_each(F&& f) {
    for (std::size_t a = 0; a < shapes_.size(); ++a) {
      for (std::size_t b = 0; b < shapes_.size(); ++b) {
        for (int timing = 0; timing < 3; ++timing) {
          OracleHistory history(3);
          history[0].ops = shapes_[a];
          history[1].ops = shapes_[b];
          history[2].ops = {{'r', 0, 0, {}}, {'r', 1, 0, {}}};
          int value = 0;
          std::vector<std::vector<int>> written(2);
          for (OracleTxn& txn : history) {
            for (OracleOp& op : txn.ops) {
              if (op.f == 'r') continue;
              op.value = ++value;
              written[static_cast<std::size_t>(op.key)].push_back(value);
            }
          }
          for (int t = 0; t < 3; ++t) {
            OracleTxn& txn = history[static_cast<std::size_t>(t)];
            txn.process = timing == 1 && t < 2 ? 0 : t;
            txn.begin = timing == 0 || t == 2 ? t : 10 + 2 * t;
            txn.end = timing == 0 || t == 2 ? 30 + t : 11 + 2 * t;
          }
          reads(history, written, 0, 0, f);
        }
      }
    }
  }

 private:
  // Every value of the reads from the given place on.
  template <class F>
  void reads(OracleHistory& history, const std::vector<std::vector<int>>& written, std::size_t txn, std::size_t op,
             F&& f) {
    if (txn == history.size()) return f(history);
    if (op == history[txn].ops.size()) return reads(history, written, txn + 1, 0, f);
    OracleOp& one = history[txn].ops[op];
    if (one.f != 'r') return reads(history, written, txn, op + 1, f);
    seen(history, written, txn, op, f);
  }
  template <class F>
  void seen(OracleHistory& history, const std::vector<std::vector<int>>& written, std::size_t txn, std::size_t op,
            F&& f) {
    reads(history, written, txn, op + 1, f);
    OracleOp& one = history[txn].ops[op];
    if (!lists_ && !one.seen.empty()) return;
    for (const int value : written[static_cast<std::size_t>(one.key)]) {
      if (std::find(one.seen.begin(), one.seen.end(), value) != one.seen.end()) continue;
      history[txn].ops[op].seen.push_back(value);
      seen(history, written, txn, op, f);
      history[txn].ops[op].seen.pop_back();
    }
  }

  bool lists_;
  std::vector<std::vector<OracleOp>> shapes_;
};

}  // namespace ordeal::testing_support
