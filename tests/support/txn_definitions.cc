#include "support/txn_definitions.h"

#include <algorithm>
#include <array>
#include <numeric>

namespace ordeal::testing_support {
namespace {

constexpr std::size_t kMax = 16;
constexpr std::size_t kMaxOrders = 20'000;
constexpr int kInitial = -1, kNobody = -2;

// A relation over transactions, a row of bits each.
struct Relation {
  std::array<std::uint32_t, kMax> row{};
  void add(std::size_t a, std::size_t b) { row[a] |= 1u << b; }
  [[nodiscard]] bool has(std::size_t a, std::size_t b) const { return row[a] >> b & 1; }
  friend Relation operator|(Relation a, const Relation& b) {
    for (std::size_t i = 0; i < kMax; ++i) a.row[i] |= b.row[i];
    return a;
  }
  // a, then b.
  friend Relation operator*(const Relation& a, const Relation& b) {
    Relation out;
    for (std::size_t i = 0; i < kMax; ++i) {
      for (std::size_t j = 0; j < kMax; ++j) {
        if (a.has(i, j)) out.row[i] |= b.row[j];
      }
    }
    return out;
  }
  [[nodiscard]] Relation closure() const {
    Relation out = *this;
    for (std::size_t k = 0; k < kMax; ++k) {
      for (std::size_t i = 0; i < kMax; ++i) {
        if (out.has(i, k)) out.row[i] |= out.row[k];
      }
    }
    return out;
  }
  [[nodiscard]] bool irreflexive() const {
    for (std::size_t i = 0; i < kMax; ++i) {
      if (has(i, i)) return false;
    }
    return true;
  }
  [[nodiscard]] bool acyclic() const { return closure().irreflexive(); }
  // Of these transactions alone.
  [[nodiscard]] Relation within(std::uint32_t kept) const {
    Relation out;
    for (std::size_t i = 0; i < kMax; ++i) {
      if (kept >> i & 1) out.row[i] = row[i] & kept;
    }
    return out;
  }
};

bool must_precede(const OracleHistory& h, std::size_t a, std::size_t b, bool realtime) {
  return h[a].outcome == 'o' && h[b].outcome != 'f' && h[a].end < h[b].begin &&
         (realtime || h[a].process == h[b].process);
}

class Definitions {
 public:
  Definitions(const OracleHistory& h, bool lists) : h_(h), lists_(lists) {}

  std::optional<LevelsByDefinition> run() {
    index();
    for (std::size_t t = 0; t < h_.size(); ++t) {
      if (h_[t].outcome == 'o') read_all(t);
    }
    commit_observed();
    for (std::size_t a = 0; a < h_.size(); ++a) {
      for (std::size_t b = 0; b < h_.size(); ++b) {
        if (!committed_[a] || !committed_[b]) continue;
        if (must_precede(h_, a, b, false)) order_[1].add(a, b);
        if (must_precede(h_, a, b, true)) order_[2].add(a, b);
      }
    }
    if (!make_orders()) return std::nullopt;
    for (const char* base :
         {"read-uncommitted", "read-committed", "monotonic-atomic-view", "cursor-stability", "consistent-view",
          "update-serializable", "parallel-snapshot-isolation", "snapshot-isolation", "repeatable-read"}) {
      for (const char* form : {"", "strong-session-", "strong-"}) out_[form + std::string(base)] = false;
    }
    for (const char* name :
         {"read-atomic", "strong-read-atomic", "pram", "strong-pram", "causal", "strong-causal", "prefix",
          "strong-prefix", "serializable", "strong-session-serializable", "strict-serializable"}) {
      out_[name] = false;
    }
    out_.erase("strong-session-monotonic-atomic-view");
    out_["read-committed-axiomatic"] = false;
    each_order(0);
    if (uncomparable_) {
      for (const char* form : {"", "strong-session-", "strong-"}) out_.erase(form + std::string("read-uncommitted"));
    }
    return out_;
  }

 private:
  // A read that shows something of others.
  struct Read {
    std::size_t txn = 0, place = 0;
    int key = 0, from = kInitial;
    std::size_t length = 0;  // lists: how many elements the version has
    bool updates = false;    // the transaction writes the key afterwards, and reads no other version of it before
  };
  struct Write {
    std::size_t txn = 0, place = 0;
  };

  void index() {
    committed_.assign(h_.size(), false);
    for (std::size_t t = 0; t < h_.size(); ++t) {
      committed_[t] = h_[t].outcome == 'o';
      for (std::size_t i = 0; i < h_[t].ops.size(); ++i) {
        const OracleOp& op = h_[t].ops[i];
        if (op.f != 'r') writes_[{op.key, op.value}] = {t, i};
      }
    }
  }
  const Write* writer(int key, int value) const {
    const auto found = writes_.find({key, value});
    return found == writes_.end() ? nullptr : &found->second;
  }
  bool failed(std::size_t t) const { return h_[t].outcome == 'f'; }
  bool writes(std::size_t t, int key) const {
    return std::any_of(h_[t].ops.begin(), h_[t].ops.end(),
                       [&](const OracleOp& op) { return op.f != 'r' && op.key == key; });
  }
  bool only_reads(std::size_t t) const {
    return std::all_of(h_[t].ops.begin(), h_[t].ops.end(), [](const OracleOp& op) { return op.f == 'r'; });
  }

  void read_all(std::size_t t) {
    for (std::size_t i = 0; i < h_[t].ops.size(); ++i) {
      if (h_[t].ops[i].f == 'r') lists_ ? read_list(t, i) : read_register(t, i);
    }
  }

  // What the transaction itself did to the key before: what it read last, and what it wrote since then and since its
  // beginning.
  struct Before {
    bool read = false;
    std::vector<int> seen, since, own;
  };
  Before before(std::size_t t, std::size_t i) const {
    Before out;
    for (std::size_t j = 0; j < i; ++j) {
      const OracleOp& op = h_[t].ops[j];
      if (op.key != h_[t].ops[i].key) continue;
      if (op.f == 'r') {
        out.read = true;
        out.seen = op.seen;
        out.since.clear();
      } else {
        out.since.push_back(op.value);
        out.own.push_back(op.value);
      }
    }
    return out;
  }
  void external(std::size_t t, std::size_t i, int from, std::size_t length) {
    const int key = h_[t].ops[i].key;
    bool updates = false;
    for (std::size_t j = i + 1; j < h_[t].ops.size(); ++j)
      updates = updates || (h_[t].ops[j].f != 'r' && h_[t].ops[j].key == key);
    // The cursor is where the last such read put it.
    for (Read& earlier : reads_) {
      if (earlier.txn == t && earlier.key == key && updates) earlier.updates = false;
    }
    reads_.push_back({t, i, key, from, length, updates});
  }

  // The transaction reads a key again and sees the version that it saw before.
  void read_again(std::size_t t, std::size_t i) {
    const Read* before = nullptr;
    const int key = h_[t].ops[i].key;
    for (const Read& read : reads_) {
      if (read.txn == t && read.key == key) before = &read;
    }
    if (before == nullptr) return;
    // With what it appended itself since then; a register shows the same value.
    std::vector<int> wanted = h_[t].ops[before->place].seen;
    for (std::size_t j = before->place; j < i; ++j) {
      if (h_[t].ops[j].f == 'a' && h_[t].ops[j].key == key) wanted.push_back(h_[t].ops[j].value);
    }
    // What was read in between may have been garbage, or of the transaction itself: that shows no version of others.
    if (h_[t].ops[i].seen == wanted) repeats_.push_back({t, i, key, before->from, before->length, false});
  }

  void read_register(std::size_t t, std::size_t i) {
    const OracleOp& op = h_[t].ops[i];
    const Before mine = before(t, i);
    std::vector<int> expected = mine.seen;
    if (!mine.since.empty()) expected.assign(1, mine.since.back());
    const bool known = mine.read || !mine.since.empty();
    if (known && expected == op.seen) {
      if (mine.since.empty()) read_again(t, i);
      return;
    }
    internal_ = internal_ || known;
    missed_own_write_ = missed_own_write_ || (!mine.own.empty() && op.seen != std::vector<int>{mine.own.back()});
    if (op.seen.empty()) return external(t, i, kInitial, 0);
    const Write* by = writer(op.key, op.seen[0]);
    if (by == nullptr) {
      garbage_ = true;
    } else if (by->txn == t) {
      unread_committed_ = unread_committed_ || by->place > i;
    } else if (failed(by->txn)) {
      unread_committed_ = true;
    } else {
      intermediate(*by);
      external(t, i, static_cast<int>(by->txn), 0);
    }
  }

  void intermediate(const Write& by) {
    const auto& ops = h_[by.txn].ops;
    for (std::size_t j = by.place + 1; j < ops.size(); ++j) {
      if (ops[j].f != 'r' && ops[j].key == ops[by.place].key) unread_committed_ = true;
    }
  }

  void read_list(std::size_t t, std::size_t i) {
    const OracleOp& op = h_[t].ops[i];
    const Before mine = before(t, i);
    const bool ends_with_own =
        op.seen.size() >= mine.own.size() && std::equal(mine.own.rbegin(), mine.own.rend(), op.seen.rbegin());
    bool expected = ends_with_own;
    if (mine.read) {
      std::vector<int> wanted = mine.seen;
      wanted.insert(wanted.end(), mine.since.begin(), mine.since.end());
      expected = op.seen == wanted;
    }
    internal_ = internal_ || !expected;
    missed_own_write_ = missed_own_write_ || !ends_with_own;
    std::map<int, int> times;
    for (const int value : op.seen) {
      const Write* by = writer(op.key, value);
      garbage_ = garbage_ || by == nullptr || ++times[value] > 1;
      if (by != nullptr && (failed(by->txn) || (by->txn == t && by->place > i))) unread_committed_ = true;
    }
    auto& longest = longest_[op.key];
    if (op.seen.size() > longest.size()) longest = op.seen;
    lists_seen_.push_back(&op);
    if (mine.read && expected) return read_again(t, i);
    std::size_t length = op.seen.size() - (ends_with_own ? mine.own.size() : 0);
    // The version is that of the last element of others.
    int from = kInitial;
    for (std::size_t e = length; e > 0 && from == kInitial; --e) {
      const Write* by = writer(op.key, op.seen[e - 1]);
      if (by == nullptr || by->txn == t || failed(by->txn)) continue;
      from = static_cast<int>(by->txn);
      intermediate(*by);
    }
    external(t, i, from, length);
  }

  void commit_observed() {
    for (std::size_t t = 0; t < h_.size(); ++t) {
      if (h_[t].outcome != 'o') continue;
      for (const OracleOp& op : h_[t].ops) {
        for (const int value : op.f == 'r' ? op.seen : std::vector<int>()) {
          const Write* by = writer(op.key, value);
          if (by != nullptr && h_[by->txn].outcome == 'i') committed_[by->txn] = true;
        }
      }
    }
  }

  // The writes of a key in an order that is tried; of registers the last one of each transaction, of lists all.
  using Order = std::vector<Write>;

  bool make_orders() {
    std::map<int, std::vector<std::vector<Write>>>
        open;  // by key: what may stand in any order, a transaction's together
    for (std::size_t t = 0; t < h_.size(); ++t) {
      std::map<int, std::vector<Write>> mine;
      for (std::size_t i = 0; i < h_[t].ops.size() && committed_[t]; ++i) {
        const OracleOp& op = h_[t].ops[i];
        if (op.f == 'r') continue;
        const auto& seen = longest_[op.key];
        auto& list = mine[op.key];
        if (!lists_) list.clear();
        if (std::find(seen.begin(), seen.end(), op.value) == seen.end()) list.push_back({t, i});
      }
      for (auto& [key, list] : mine) {
        if (!list.empty())
          open[key].push_back(list);
        else if (lists_)
          open[key];
      }
    }
    for (auto& [key, seen] : longest_) open[key];
    std::size_t combinations = 1;
    for (auto& [key, groups] : open) {
      Order first;
      for (const int value : longest_[key]) {
        const Write* by = writer(key, value);
        if (by != nullptr && !failed(by->txn)) first.push_back(*by);
      }
      std::vector<std::size_t> places(groups.size());
      std::iota(places.begin(), places.end(), 0);
      auto& all = orders_[key];
      do {
        Order order = first;
        for (const std::size_t g : places) order.insert(order.end(), groups[g].begin(), groups[g].end());
        all.push_back(order);
      } while (all.size() <= kMaxOrders && std::next_permutation(places.begin(), places.end()));
      combinations *= all.size();
      if (combinations > kMaxOrders) return false;
      keys_.push_back(key);
    }
    for (const OracleOp* op : lists_seen_) {
      const auto& longest = longest_[op->key];
      if (!std::equal(op->seen.begin(), op->seen.end(), longest.begin())) uncomparable_ = true;
    }
    return true;
  }

  void each_order(std::size_t k) {
    if (k == keys_.size()) return judge();
    for (const Order& order : orders_[keys_[k]]) {
      chosen_[keys_[k]] = &order;
      each_order(k + 1);
    }
  }

  // The place of a transaction's last write, or of the version that a read shows; 0 is the initial version.
  static std::size_t place_of(const Order& order, std::size_t txn) {
    std::size_t out = 0;
    for (std::size_t i = 0; i < order.size(); ++i) {
      if (order[i].txn == txn) out = i + 1;
    }
    return out;
  }
  std::size_t version_of(const Read& read) const {
    if (!lists_)
      return read.from == kInitial ? 0 : place_of(*chosen_.at(read.key), static_cast<std::size_t>(read.from));
    // Failed elements are not in the order.
    std::size_t out = 0;
    const auto& seen = h_[read.txn].ops[read.place].seen;
    for (std::size_t e = 0; e < read.length; ++e) {
      const Write* by = writer(read.key, seen[e]);
      out += by != nullptr && !failed(by->txn);
    }
    return out;
  }

  void judge() {
    Relation ww, ww_acknowledged, wr, rw;
    bool own_order = true;  // each transaction's writes follow each other as it made them
    for (const auto& [key, order] : chosen_) {
      for (std::size_t i = 0; i < order->size(); ++i) {
        for (std::size_t j = i + 1; j < order->size(); ++j) {
          const Write &a = (*order)[i], &b = (*order)[j];
          if (a.txn == b.txn)
            own_order = own_order && a.place < b.place;
          else
            ww.add(a.txn, b.txn);
          if (a.txn != b.txn && h_[a.txn].outcome == 'o' && h_[b.txn].outcome == 'o') ww_acknowledged.add(a.txn, b.txn);
        }
      }
    }
    bool cursors = true, later_versions = true;
    for (const Read& read : reads_) {
      const Order* order = chosen_.contains(read.key) ? chosen_.at(read.key) : nullptr;
      if (read.from >= 0) wr.add(static_cast<std::size_t>(read.from), read.txn);
      if (order == nullptr) continue;
      const std::size_t version = version_of(read);
      for (std::size_t i = version; i < order->size(); ++i) {
        const std::size_t next = (*order)[i].txn;
        if (next != read.txn && static_cast<int>(next) != read.from) rw.add(read.txn, next);
      }
      if (!read.updates) continue;
      // The next version must be the transaction's own.
      std::size_t next = version;
      while (next < order->size() && static_cast<int>((*order)[next].txn) == read.from) ++next;
      cursors = cursors && next < order->size() && (*order)[next].txn == read.txn;
      const bool acknowledged = read.from < 0 || h_[static_cast<std::size_t>(read.from)].outcome == 'o';
      later_versions = later_versions && (lists_ || !acknowledged || version < place_of(*order, read.txn));
    }
    const bool observed_right = !garbage_ && !unread_committed_ && !uncomparable_ && own_order;
    for (std::size_t form = 0; form < 3; ++form) {
      const Relation& order = order_[form];
      if (!garbage_ && later_versions && (ww_acknowledged | order).acyclic()) holds(form, "read-uncommitted");
      const Relation information = (ww | wr | order).closure();
      if (!observed_right || !information.irreflexive()) continue;
      holds(form, "read-committed");
      if (cursors) holds(form, "cursor-stability");
      axioms(form, wr);
      if (form > 0 && missed_own_write_) continue;  // everything else contains the axiom of read committed
      const Relation single = information * rw;
      if (!internal_ && form > 0 && ((wr | order) | (wr | order) * rw | ww).acyclic()) holds(form, "prefix");
      if (!single.irreflexive()) continue;
      holds(form, "consistent-view");
      if (!internal_) holds(form, "parallel-snapshot-isolation");
      if (!internal_ && (information | single).acyclic()) holds(form, "snapshot-isolation");
      const Relation all = ww | wr | rw | order;
      if (updates_serializable(all)) holds(form, "update-serializable");
      if (!all.acyclic() || missed_own_write_) continue;
      holds(form, "repeatable-read");
      if (!internal_) holds(form, "serializable");
    }
  }

  bool updates_serializable(const Relation& all) const {
    std::uint32_t updates = 0;
    for (std::size_t t = 0; t < h_.size(); ++t) {
      if (!only_reads(t)) updates |= 1u << t;
    }
    for (std::size_t t = 0; t < h_.size(); ++t) {
      if (!all.within(updates | 1u << t).acyclic()) return false;
    }
    return true;
  }

  // Is everyone of whom the reader has to know, and who wrote what it read, before the version that it read?
  template <class Knows>
  bool axiom(const std::vector<Read>& reads, Knows&& knows) const {
    return std::all_of(reads.begin(), reads.end(), [&](const Read& read) {
      if (!chosen_.contains(read.key)) return true;
      for (std::size_t t = 0; t < h_.size(); ++t) {
        if (!committed_[t] || t == read.txn || static_cast<int>(t) == read.from || !writes(t, read.key) ||
            !knows(t, read))
          continue;
        if (place_of(*chosen_.at(read.key), t) > version_of(read)) return false;
      }
      return true;
    });
  }

  void axioms(std::size_t form, const Relation& wr) {
    const Relation& past = order_[form];
    // A read that is done again must know of what was read in between; what it shows is not of its own choosing.
    const auto known_before = [&](std::size_t t, const Read& read) {
      return std::any_of(reads_.begin(), reads_.end(), [&](const Read& earlier) {
        return earlier.txn == read.txn && earlier.place < read.place && earlier.from == static_cast<int>(t);
      });
    };
    if (!axiom(reads_, known_before) || !axiom(repeats_, known_before)) return;
    if (form > 0 && missed_own_write_) return;
    holds(form, form == 1 ? "read-committed-axiomatic" : "monotonic-atomic-view");
    if (form == 0 || internal_) return;
    if (!axiom(reads_, [&](std::size_t t, const Read& read) { return (past | wr).has(t, read.txn); })) return;
    holds(form, "read-atomic");
    // Known are the past, and what sessions had done when they wrote what was read, by the transaction or in its past.
    const Relation session_then_read = wr | order_[1] * wr;
    const Relation known = past | session_then_read | session_then_read * past;
    if (!axiom(reads_, [&](std::size_t t, const Read& read) { return known.has(t, read.txn); })) return;
    holds(form, "pram");
    const Relation causes = (past | wr).closure();
    if (axiom(reads_, [&](std::size_t t, const Read& read) { return causes.has(t, read.txn); })) holds(form, "causal");
  }

  void holds(std::size_t form, const std::string& base) {
    static constexpr std::array<const char*, 3> kForms = {"", "strong-session-", "strong-"};
    if (base == "serializable" && form == 2)
      out_["strict-serializable"] = true;
    else if (form == 1 && !out_.contains(kForms[1] + base))
      out_[base] = true;  // contains the order of sessions anyway
    else
      out_[kForms[form] + base] = true;
  }

  const OracleHistory& h_;
  bool lists_;
  std::map<std::pair<int, int>, Write> writes_;
  std::vector<bool> committed_;
  std::vector<Read> reads_;
  std::vector<Read> repeats_;  // of versions that the transaction had read before
  std::vector<const OracleOp*> lists_seen_;
  std::map<int, std::vector<int>> longest_;
  bool internal_ = false;          // a read contradicts its own transaction
  bool missed_own_write_ = false;  // a read does not show the transaction's own last write
  bool garbage_ = false;           // something nobody wrote, or twice
  bool unread_committed_ = false;  // aborted, intermediate or future values
  bool uncomparable_ = false;      // lists of which neither is a prefix of the other
  std::array<Relation, 3> order_{};
  std::map<int, std::vector<Order>> orders_;
  std::vector<int> keys_;
  std::map<int, const Order*> chosen_;
  LevelsByDefinition out_;
};

// All partial orders that extend 0 < 1 < … < n-1, as the sets of what is below each.
const std::vector<std::vector<std::uint32_t>>& partial_orders(std::size_t n) {
  static std::map<std::size_t, std::vector<std::vector<std::uint32_t>>> known;
  auto& out = known[n];
  if (!out.empty()) return out;
  if (n == 0) {
    out.emplace_back();
    return out;
  }
  // The last element is above a set that holds what is below each of its members.
  for (const auto& smaller : partial_orders(n - 1)) {
    for (std::uint32_t below = 0; below < 1u << (n - 1); ++below) {
      bool closed = true;
      for (std::size_t i = 0; i + 1 < n; ++i) closed = closed && (!(below >> i & 1) || (smaller[i] & ~below) == 0);
      if (!closed) continue;
      auto larger = smaller;
      larger.push_back(below);
      out.push_back(larger);
    }
  }
  return out;
}

bool writes_key(const OracleTxn& txn, int key) {
  return std::any_of(txn.ops.begin(), txn.ops.end(), [&](const OracleOp& op) { return op.f != 'r' && op.key == key; });
}

// Does each transaction read what it sees? `line[i]` is the i-th in an order that the partial order is contained in.
bool sees_what_it_read(const std::vector<const OracleTxn*>& line, const std::vector<std::uint32_t>& below,
                       OracleOrder order) {
  for (std::size_t i = 0; i < line.size(); ++i) {
    std::map<int, std::vector<int>> state;
    for (std::size_t j = 0; j < line.size(); ++j) {
      const bool visible = below[i] >> j & 1;
      const OracleTxn &a = *line[j], &b = *line[i];
      const bool before = a.outcome == 'o' && a.end < b.begin &&
                          (order == OracleOrder::realtime || (order == OracleOrder::session && a.process == b.process));
      if (before && !visible) return false;
      const bool conflict = j < i && std::any_of(a.ops.begin(), a.ops.end(), [&](const OracleOp& op) {
                              return op.f != 'r' && writes_key(b, op.key);
                            });
      if (conflict && !visible) return false;
      for (const OracleOp& op : visible ? a.ops : std::vector<OracleOp>()) {
        if (op.f == 'a') state[op.key].push_back(op.value);
        if (op.f == 'w') state[op.key].assign(1, op.value);
      }
    }
    for (const OracleOp& op : line[i]->ops) {
      auto& value = state[op.key];
      if (op.f == 'a') value.push_back(op.value);
      if (op.f == 'w') value.assign(1, op.value);
      if (op.f == 'r' && line[i]->outcome == 'o' && op.seen != value) return false;
    }
  }
  return true;
}

}  // namespace

std::optional<LevelsByDefinition> levels_by_definition(const OracleHistory& history, bool lists) {
  return Definitions(history, lists).run();
}

bool parallel_snapshot_isolated(const OracleHistory& history, OracleOrder order) {
  std::vector<const OracleTxn*> certain, perhaps;
  for (const OracleTxn& txn : history) {
    if (txn.outcome == 'o') certain.push_back(&txn);
    if (txn.outcome == 'i') perhaps.push_back(&txn);
  }
  for (std::uint32_t chosen = 0; chosen < 1u << perhaps.size(); ++chosen) {
    auto line = certain;
    for (std::size_t i = 0; i < perhaps.size(); ++i) {
      if (chosen >> i & 1) line.push_back(perhaps[i]);
    }
    std::sort(line.begin(), line.end());
    do {
      for (const auto& below : partial_orders(line.size())) {
        if (sees_what_it_read(line, below, order)) return true;
      }
    } while (std::next_permutation(line.begin(), line.end()));
  }
  return false;
}

}  // namespace ordeal::testing_support
