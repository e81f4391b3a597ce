#include "support/txn_oracle.h"

#include <algorithm>
#include <map>

namespace ordeal::testing_support {
namespace {

using State = std::map<int, std::vector<int>>;

// Executes a transaction on `state`; false when it would have read something else.
bool execute(const OracleTxn& txn, State& state) {
  for (const OracleOp& op : txn.ops) {
    auto& value = state[op.key];
    if (op.f == 'a') value.push_back(op.value);
    if (op.f == 'w') value.assign(1, op.value);
    if (op.f == 'r' && txn.outcome == 'o' && value != op.seen) return false;
  }
  return true;
}

bool must_precede(const OracleHistory& h, std::size_t a, std::size_t b, OracleOrder order) {
  if (h[a].outcome != 'o' || order == OracleOrder::none) return false;
  return h[a].end < h[b].begin && (order == OracleOrder::realtime || h[a].process == h[b].process);
}

class Serial {
 public:
  Serial(const OracleHistory& h, OracleOrder order) : h_(h), order_(order), used_(h.size(), false) {}
  bool search(const State& state) {
    bool done = true;
    for (std::size_t t = 0; t < h_.size(); ++t) done = done && (used_[t] || h_[t].outcome != 'o');
    if (done) return true;
    for (std::size_t t = 0; t < h_.size(); ++t) {
      if (used_[t] || h_[t].outcome == 'f') continue;
      bool early = false;
      for (std::size_t o = 0; o < h_.size(); ++o) early = early || (!used_[o] && must_precede(h_, o, t, order_));
      State after = state;
      if (early || !execute(h_[t], after)) continue;
      used_[t] = true;
      if (search(after)) return true;
      used_[t] = false;
    }
    return false;
  }

 private:
  const OracleHistory& h_;
  OracleOrder order_;
  std::vector<bool> used_;
};

class Snapshot {
 public:
  Snapshot(const OracleHistory& h, OracleOrder order, bool first_wins)
      : h_(h), order_(order), first_wins_(first_wins), phase_(h.size(), 0), began_(h.size()), writes_(h.size()) {}
  bool search(const State& state) {
    bool done = true;
    for (std::size_t t = 0; t < h_.size(); ++t) done = done && (phase_[t] == 2 || h_[t].outcome != 'o');
    if (done) return true;
    for (std::size_t t = 0; t < h_.size(); ++t) {
      if (h_[t].outcome == 'f' || phase_[t] == 2) continue;
      if (phase_[t] == 0 ? begin(t, state) : commit(t, state)) return true;
    }
    return false;
  }

 private:
  bool begin(std::size_t t, const State& state) {
    for (std::size_t o = 0; o < h_.size(); ++o) {
      if (phase_[o] != 2 && must_precede(h_, o, t, order_)) return false;
    }
    State own = state;
    if (!execute(h_[t], own)) return false;
    phase_[t] = 1;
    began_[t] = versions_;
    writes_[t] = own;
    if (search(state)) return true;
    phase_[t] = 0;
    return false;
  }
  // A list that a transaction saw with appends of its own must be one of the list's versions.
  static bool saw_versions(const OracleTxn& txn, const State& after) {
    if (txn.outcome != 'o') return true;
    std::map<int, bool> appended;
    for (const OracleOp& op : txn.ops) {
      if (op.f == 'a') appended[op.key] = true;
      if (op.f != 'r' || !appended[op.key]) continue;
      const auto& list = after.at(op.key);
      if (op.seen.size() > list.size() || !std::equal(op.seen.begin(), op.seen.end(), list.begin())) return false;
    }
    return true;
  }
  bool commit(std::size_t t, const State& state) {
    State after = state;
    const auto versions = versions_;
    for (const OracleOp& op : h_[t].ops) {
      if (op.f == 'r') continue;
      if (!first_wins_) {
        auto& value = after[op.key];
        if (op.f == 'w') value.clear();
        value.push_back(op.value);
        continue;
      }
      if (versions_[op.key] != began_[t][op.key] && versions.contains(op.key) &&
          versions.at(op.key) != began_[t][op.key]) {
        versions_ = versions;
        return false;
      }
      after[op.key] = writes_[t][op.key];
    }
    if (!first_wins_ && !saw_versions(h_[t], after)) return false;
    for (const OracleOp& op : h_[t].ops) {
      if (op.f != 'r') ++versions_[op.key];
    }
    phase_[t] = 2;
    if (search(after)) return true;
    phase_[t] = 1;
    versions_ = versions;
    return false;
  }

  const OracleHistory& h_;
  OracleOrder order_;
  bool first_wins_;
  std::vector<int> phase_;
  std::map<int, int> versions_;
  std::vector<std::map<int, int>> began_;
  std::vector<State> writes_;
};

}  // namespace

bool serializable(const OracleHistory& history, OracleOrder order) { return Serial(history, order).search({}); }
bool snapshot_isolated(const OracleHistory& history, OracleOrder order) {
  return Snapshot(history, order, true).search({});
}
bool prefix_consistent(const OracleHistory& history, OracleOrder order) {
  return Snapshot(history, order, false).search({});
}

bool axiom_holds(const OracleHistory& h, OracleAxiom axiom, bool realtime) {
  const std::size_t n = h.size();
  const bool sessions = axiom != OracleAxiom::monotonic_view;
  struct Read {
    std::size_t txn, place;
    int key, from;  // from: -1 is the initial state
  };
  std::vector<Read> reads;
  using Relation = std::vector<std::vector<bool>>;
  Relation before(n, std::vector<bool>(n, false)), direct, session = before, past = before, seen = before;
  const auto writes = [&](std::size_t t, int key) {
    return std::any_of(h[t].ops.begin(), h[t].ops.end(),
                       [&](const OracleOp& op) { return op.f == 'w' && op.key == key; });
  };
  for (std::size_t t = 0; t < n; ++t) {
    for (std::size_t i = 0; i < h[t].ops.size(); ++i) {
      const OracleOp& op = h[t].ops[i];
      const bool touched = std::any_of(h[t].ops.begin(), h[t].ops.begin() + static_cast<std::ptrdiff_t>(i),
                                       [&](const OracleOp& o) { return o.key == op.key; });
      if (op.f != 'r' || touched) continue;
      int from = -1;
      for (std::size_t w = 0; w < n && !op.seen.empty(); ++w) {
        for (const OracleOp& o : h[w].ops) {
          if (o.f == 'w' && o.key == op.key && o.value == op.seen[0]) from = static_cast<int>(w);
        }
      }
      reads.push_back({t, i, op.key, from});
      if (from >= 0) before[static_cast<std::size_t>(from)][t] = seen[static_cast<std::size_t>(from)][t] = true;
    }
    for (std::size_t o = 0; o < n && sessions; ++o) {
      if (h[o].end >= h[t].begin) continue;
      session[o][t] = h[o].process == h[t].process;
      past[o][t] = session[o][t] || realtime;
      if (past[o][t]) before[o][t] = true;
    }
  }
  direct = before;
  for (std::size_t k = 0; k < n; ++k) {
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < n; ++j) before[i][j] = before[i][j] || (before[i][k] && before[k][j]);
    }
  }
  const auto visible = [&](std::size_t t2, const Read& read) {
    if (axiom == OracleAxiom::causal) return static_cast<bool>(before[t2][read.txn]);
    if (axiom == OracleAxiom::read_atomic) return static_cast<bool>(direct[t2][read.txn]);
    if (axiom == OracleAxiom::pram) {
      // t2, or one after it in its session, was read from by the reader or by something in its past.
      bool found = past[t2][read.txn];
      for (std::size_t a = 0; a < n && !found; ++a) {
        for (std::size_t b = 0; b < n && !found; ++b) {
          found = (a == t2 || session[t2][a]) && seen[a][b] && (b == read.txn || past[b][read.txn]);
        }
      }
      return found;
    }
    return std::any_of(reads.begin(), reads.end(), [&](const Read& earlier) {
      return earlier.txn == read.txn && earlier.place < read.place && earlier.from == static_cast<int>(t2);
    });
  };
  std::vector<std::size_t> order(n), place(n);
  for (std::size_t i = 0; i < n; ++i) order[i] = i;
  do {
    for (std::size_t i = 0; i < n; ++i) place[order[i]] = i;
    bool good = true;
    for (std::size_t i = 0; i < n && good; ++i) {
      for (std::size_t j = 0; j < n && good; ++j) good = !before[i][j] || place[i] < place[j];
    }
    for (std::size_t r = 0; r < reads.size() && good; ++r) {
      for (std::size_t t2 = 0; t2 < n && good; ++t2) {
        if (static_cast<int>(t2) == reads[r].from || t2 == reads[r].txn || !writes(t2, reads[r].key) ||
            !visible(t2, reads[r]))
          continue;
        good = reads[r].from >= 0 && place[t2] < place[static_cast<std::size_t>(reads[r].from)];
      }
    }
    if (good) return true;
  } while (std::next_permutation(order.begin(), order.end()));
  return false;
}

OracleHistory random_transactions(const TxnShape& shape, std::mt19937_64& chance) {
  const auto below = [&](int n) { return static_cast<int>(chance() % static_cast<std::uint64_t>(n)); };
  const auto happens = [&](double p) { return std::uniform_real_distribution<>(0, 1)(chance) < p; };
  OracleHistory out;
  State state;
  std::map<int, int> versions;
  struct Open {
    std::size_t txn;
    State snapshot;
    std::map<int, int> began;
  };
  std::map<int, Open> open;
  int clock = 0, value = 0, fresh = shape.processes;
  std::vector<int> processes;
  for (int p = 0; p < shape.processes; ++p) processes.push_back(p);
  while (out.size() < shape.transactions || !open.empty()) {
    auto& process = processes[static_cast<std::size_t>(below(shape.processes))];
    const auto found = open.find(process);
    if (found == open.end()) {
      if (out.size() >= shape.transactions) continue;
      OracleTxn txn;
      txn.process = process;
      txn.begin = clock++;
      for (int n = 1 + below(static_cast<int>(shape.operations)); n > 0; --n) {
        OracleOp op;
        op.key = below(shape.keys);
        op.f = happens(0.5) ? 'r' : shape.lists ? 'a' : 'w';
        if (op.f != 'r') op.value = shape.values > 0 ? 1 + below(shape.values) : ++value;
        txn.ops.push_back(op);
      }
      open[process] = {out.size(), state, versions};
      out.push_back(txn);
      continue;
    }
    Open run = found->second;
    open.erase(found);
    OracleTxn& txn = out[run.txn];
    State own = shape.store == Store::snapshot ? run.snapshot : state;
    if (shape.store == Store::committed && happens(0.5)) {
      for (auto& [key, list] : own) {
        // What it writes it locks, and so sees as it is.
        const bool writes = std::any_of(txn.ops.begin(), txn.ops.end(),
                                        [&, k = key](const OracleOp& op) { return op.key == k && op.f != 'r'; });
        if (!writes && happens(0.5)) list = run.snapshot[key];
      }
    }
    bool conflict = false;
    for (OracleOp& op : txn.ops) {
      auto& mine = own[op.key];
      if (op.f == 'a') mine.push_back(op.value);
      if (op.f == 'w') mine.assign(1, op.value);
      if (op.f == 'r') op.seen = mine;
      if (op.f != 'r' && shape.store == Store::snapshot) conflict = conflict || versions[op.key] != run.began[op.key];
    }
    txn.outcome = conflict || happens(shape.failed) ? 'f' : happens(shape.crashed) ? 'i' : 'o';
    if (txn.outcome == 'o' || (txn.outcome == 'i' && happens(0.5))) {
      for (const OracleOp& op : txn.ops) {
        if (op.f == 'a') state[op.key].push_back(op.value);
        if (op.f == 'w') state[op.key].assign(1, op.value);
        if (op.f != 'r') ++versions[op.key];
      }
    }
    txn.end = clock++;
    if (txn.outcome == 'i') process = fresh++;
  }
  if (!happens(shape.falsify)) return out;
  // Another read's result, or one without its last element.
  std::vector<OracleOp*> reads;
  for (OracleTxn& txn : out) {
    for (OracleOp& op : txn.ops) {
      if (op.f == 'r' && txn.outcome == 'o') reads.push_back(&op);
    }
  }
  if (reads.empty()) return out;
  OracleOp& one = *reads[static_cast<std::size_t>(below(static_cast<int>(reads.size())))];
  const OracleOp& other = *reads[static_cast<std::size_t>(below(static_cast<int>(reads.size())))];
  if (one.key == other.key && happens(0.5)) {
    one.seen = other.seen;
  } else if (!one.seen.empty()) {
    one.seen.pop_back();
  }
  return out;
}

namespace {

// Transactions without what they read, in random order among the processes.
OracleHistory unread_transactions(const TxnShape& shape, std::mt19937_64& chance) {
  const auto below = [&](int n) { return static_cast<int>(chance() % static_cast<std::uint64_t>(n)); };
  const auto happens = [&](double p) { return std::uniform_real_distribution<>(0, 1)(chance) < p; };
  OracleHistory out;
  std::vector<int> process(static_cast<std::size_t>(shape.processes)), open(process.size(), -1);
  for (std::size_t w = 0; w < process.size(); ++w) process[w] = static_cast<int>(w);
  int clock = 0, value = 0, fresh = shape.processes, running = 0;
  while (out.size() < shape.transactions || running > 0) {
    const auto worker = static_cast<std::size_t>(below(shape.processes));
    if (open[worker] >= 0) {
      OracleTxn& txn = out[static_cast<std::size_t>(open[worker])];
      txn.end = clock++;
      txn.outcome = happens(shape.failed) ? 'f' : happens(shape.crashed) ? 'i' : 'o';
      if (txn.outcome == 'i') process[worker] = fresh++;
      open[worker] = -1;
      --running;
    } else if (out.size() < shape.transactions) {
      open[worker] = static_cast<int>(out.size());
      OracleTxn txn;
      txn.process = process[worker];
      txn.begin = clock++;
      for (int n = 1 + below(static_cast<int>(shape.operations)); n > 0; --n) {
        OracleOp op{happens(0.5) ? 'r' : shape.lists ? 'a' : 'w', below(shape.keys), 0, {}};
        if (op.f != 'r') op.value = shape.values > 0 ? 1 + below(shape.values) : ++value;
        txn.ops.push_back(op);
      }
      out.push_back(txn);
      ++running;
    }
  }
  return out;
}

}  // namespace

OracleHistory guessed_transactions(const TxnShape& shape, std::mt19937_64& chance) {
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(chance() % n); };
  const auto happens = [&](double p) { return std::uniform_real_distribution<>(0, 1)(chance) < p; };
  OracleHistory out = unread_transactions(shape, chance);
  // What is written to each key: by transactions in random order, most of those that did not fail.
  std::map<int, std::vector<int>> written;
  std::vector<std::size_t> line(out.size());
  for (std::size_t t = 0; t < line.size(); ++t) line[t] = t;
  for (std::size_t swaps = below(2 * line.size() + 1); swaps > 0 && line.size() > 1; --swaps) {
    const std::size_t at = below(line.size() - 1);
    std::swap(line[at], line[at + 1]);
  }
  for (const std::size_t t : line) {
    if (out[t].outcome == 'f' && !happens(0.1)) continue;
    for (const OracleOp& op : out[t].ops) {
      if (op.f != 'r') written[op.key].push_back(op.value);
    }
  }
  for (OracleTxn& txn : out) {
    std::map<int, std::vector<int>> own, known;
    for (OracleOp& op : txn.ops) {
      if (op.f == 'r') {
        const auto& all = written[op.key];
        if (known.contains(op.key) && !happens(0.05)) {
          op.seen = known[op.key];
        } else if (!shape.lists) {
          const std::size_t choice = below(all.size() + 1);
          if (choice > 0) op.seen.assign(1, all[choice - 1]);
        } else {
          for (std::size_t n = below(all.size() + 1), i = 0; i < n; ++i) {
            const auto writer = [&](const OracleOp& other) {
              return other.f == 'a' && other.key == op.key && other.value == all[i];
            };
            if (!std::any_of(txn.ops.begin(), txn.ops.end(), writer) || happens(0.05)) op.seen.push_back(all[i]);
          }
          op.seen.insert(op.seen.end(), own[op.key].begin(), own[op.key].end());
        }
        known[op.key] = op.seen;
      } else if (shape.lists) {
        own[op.key].push_back(op.value);
        if (known.contains(op.key)) known[op.key].push_back(op.value);
      } else {
        known[op.key].assign(1, op.value);
      }
    }
  }
  return out;
}

std::string to_jsonl(const OracleHistory& history, std::optional<bool> lists) {
  const bool list = lists.value_or(std::any_of(history.begin(), history.end(), [](const OracleTxn& t) {
    return std::any_of(t.ops.begin(), t.ops.end(), [](const OracleOp& o) { return o.f == 'a'; });
  }));
  std::vector<std::pair<int, std::string>> events;
  for (const OracleTxn& txn : history) {
    for (const bool done : {false, true}) {
      std::string value;
      for (const OracleOp& op : txn.ops) {
        value += value.empty() ? "[[\"" : ",[\"";
        value += op.f == 'a' ? "append" : op.f == 'w' ? "w" : "r";
        value += "\"," + std::to_string(op.key) + ",";
        if (op.f != 'r') {
          value += std::to_string(op.value);
        } else if (!done || op.seen.empty() || txn.outcome != 'o') {
          value += "null";
        } else {
          if (list) value += '[';
          for (std::size_t i = 0; i < op.seen.size(); ++i) value += (i > 0 ? "," : "") + std::to_string(op.seen[i]);
          if (list) value += ']';
        }
        value += ']';
      }
      value += ']';
      const char* type = !done ? "invoke" : txn.outcome == 'o' ? "ok" : txn.outcome == 'f' ? "fail" : "info";
      events.emplace_back(done ? txn.end : txn.begin, "{\"process\":" + std::to_string(txn.process) + ",\"type\":\"" +
                                                          type + "\",\"f\":\"txn\",\"value\":" + value + "}\n");
    }
  }
  std::sort(events.begin(), events.end());
  std::string out;
  for (const auto& [place, line] : events) out += line;
  return out;
}

}  // namespace ordeal::testing_support
