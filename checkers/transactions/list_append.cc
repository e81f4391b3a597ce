// Version orders from reads of whole lists (Kingsbury and Alvaro, Elle, 2020).
//
// A list shows the order of its appends: T1 appends 1, T2 appends 2, T3 reads [1 2], so T1's version comes before T2's,
// T3 read from T2, and whoever read [1] came before T2. Per key the longest list is the version order and all other reads
// must be prefixes of it. Edges go to the next writer only; those further on follow. Appends that nobody saw come after
// everything that was seen, in an unknown order: those are left as open groups.
//
// Keys are handled one after the other with scratch arrays indexed by value, so no hash table is needed: O(micro-ops +
// lengths of distinct lists). Tested by tests/checkers/transactions against brute force.

#include <algorithm>

#include "checkers/transactions/inference.h"

namespace ordeal::txn {
namespace {

struct Read {
  TxnIndex txn = 0;
  std::uint32_t micro = 0;
  std::uint32_t own = 0;    // trailing elements that the transaction itself had appended before
  bool external = true;     // shows something of others (not merely repeats what the transaction saw before)
};

class ListAppend {
 public:
  ListAppend(const History& history, Transactions txns) : history_(history), values_(history.values()), out_(std::move(txns)) {}

  Inference run() {
    const Transactions& txns = out_.txns;
    // Micro-operations by key: a counting sort of indices.
    std::vector<std::uint32_t> offsets(txns.keys.size() + 1, 0);
    for (const MicroOp& op : txns.micro) ++offsets[op.key + 1];
    for (std::size_t k = 1; k < offsets.size(); ++k) offsets[k] += offsets[k - 1];
    std::vector<std::uint32_t> by_key(txns.micro.size());
    owner_.resize(txns.micro.size());
    {
      auto place = offsets;
      for (TxnIndex t = 0; t < txns.size(); ++t) {
        for (std::uint32_t m = txns.first[t]; m < txns.first[t + 1]; ++m) {
          owner_[m] = t;
          by_key[place[txns.micro[m].key]++] = m;
        }
      }
    }
    writer_.assign(values_.size(), kNone);
    writer_key_.assign(values_.size(), kNone);
    seen_key_.assign(values_.size(), kNone);
    // Who is committed must be known before edges are made: an observation on any key shows it.
    any_failed_ = std::find(txns.outcome.begin(), txns.outcome.end(), Outcome::fail) != txns.outcome.end();
    for (TxnIndex t = 0; t < txns.size(); ++t) out_.committed[t] = txns.outcome[t] == Outcome::ok;
    for (int pass = 0; pass < 2; ++pass) {
      for (KeyIndex k = 0; k < txns.keys.size(); ++k) {
        const auto ops = std::span(by_key).subspan(offsets[k], offsets[k + 1] - offsets[k]);
        load(k, ops);
        if (pass == 0) note_observed(ops);
        if (pass == 1) one_key(k, ops);
      }
    }
    std::sort(out_.reads.begin(), out_.reads.end(), [](const ExternalRead& a, const ExternalRead& b) { return a.micro < b.micro; });
    std::sort(out_.writes.begin(), out_.writes.end(), [](const FinalWrite& a, const FinalWrite& b) { return a.txn != b.txn ? a.txn < b.txn : a.key < b.key; });
    out_.graph.freeze();
    return std::move(out_);
  }

 private:
  using Ops = std::span<const std::uint32_t>;

  std::string name(TxnIndex t) const { return txn_name(history_, out_.txns, t); }
  std::string text(ValueId v) const { return values_.to_json(v); }
  std::string key_text(KeyIndex k) const { return text(out_.txns.keys[k]); }
  std::span<const ValueId> list(ValueId id) const {
    return id == kNil || id == kAbsent ? std::span<const ValueId>() : values_.as_list(id);
  }
  bool knows_read(const MicroOp& op, TxnIndex t) const {
    return op.kind == MicroKind::read && op.value != kAbsent && out_.txns.outcome[t] == Outcome::ok;
  }
  // The micro-operation that appended `element` to the key that is loaded, or kNone.
  std::uint32_t append_of(KeyIndex k, ValueId element) const { return writer_key_[element] == k ? writer_[element] : kNone; }
  bool failed(std::uint32_t micro) const { return out_.txns.outcome[owner_[micro]] == Outcome::fail; }

  void load(KeyIndex k, Ops ops) {
    for (const std::uint32_t m : ops) {
      const MicroOp& op = out_.txns.micro[m];
      if (op.kind == MicroKind::read) continue;
      const std::uint32_t before = append_of(k, op.value);
      if (before != kNone && failed(m)) continue;
      if (before != kNone && !failed(before) && out_.incomplete.empty() && before != m) {
        out_.incomplete = name(owner_[before]) + " and " + name(owner_[m]) + " both append " + text(op.value) + " to key " +
                          key_text(k) + ", so nobody can tell whose element a read shows; elements must be unique per key";
      }
      writer_key_[op.value] = k;
      writer_[op.value] = m;
    }
  }

  void note_observed(Ops ops) {
    ValueId last = kAbsent;
    for (const std::uint32_t m : ops) {
      const MicroOp& op = out_.txns.micro[m];
      if (!knows_read(op, owner_[m]) || op.value == last) continue;
      last = op.value;
      for (const ValueId element : list(op.value)) {
        const std::uint32_t by = append_of(op.key, element);
        if (by != kNone && !failed(by)) out_.committed[owner_[by]] = true;
      }
    }
  }

  void one_key(KeyIndex k, Ops ops) {
    reads_.clear();
    collect_reads(k, ops);
    order_.clear();
    ValueId longest = kNil;
    for (const Read& read : reads_) {
      const ValueId id = out_.txns.micro[read.micro].value;
      if (list(id).size() > list(longest).size()) longest = id;
    }
    check_lists(k, longest);
    make_order(k, longest);
    edges(k, ops);
    lost_updates(k);
  }

  // The reads of a key, each compared with what its transaction did before.
  void collect_reads(KeyIndex k, Ops ops) {
    for (std::size_t i = 0; i < ops.size();) {
      const TxnIndex t = owner_[ops[i]];
      std::size_t end = i;
      while (end < ops.size() && owner_[ops[end]] == t) ++end;
      transaction_reads(k, t, ops.subspan(i, end - i));
      i = end;
    }
  }

  void transaction_reads(KeyIndex k, TxnIndex t, Ops ops) {
    auto& own = own_;            // appended since the transaction began
    auto& expected = expected_;  // what the next read must show, once something was read
    own.clear();
    expected.clear();
    bool read_before = false;
    for (const std::uint32_t m : ops) {
      const MicroOp& op = out_.txns.micro[m];
      if (op.kind == MicroKind::append) {
        own.push_back(op.value);
        if (read_before) expected.push_back(op.value);
        continue;
      }
      if (!knows_read(op, t)) continue;
      const auto seen = list(op.value);
      const bool ends_with_own = seen.size() >= own.size() && std::equal(own.begin(), own.end(), seen.end() - static_cast<std::ptrdiff_t>(own.size()));
      const bool as_expected = read_before ? std::equal(seen.begin(), seen.end(), expected.begin(), expected.end()) : ends_with_own;
      if (!as_expected) {
        add_finding(out_, {"internal", k, {t},
                           name(t) + " read key " + key_text(k) + " as " + text(op.value) + ", which contradicts what it did to that key before",
                           {}, {}});
      }
      future_read(k, t, m, ops);
      reads_.push_back({t, m, ends_with_own ? static_cast<std::uint32_t>(own.size()) : 0, !read_before || !as_expected});
      read_before = true;
      expected.assign(seen.begin(), seen.end());
    }
  }

  void future_read(KeyIndex k, TxnIndex t, std::uint32_t m, Ops ops) {
    if (ops.back() == m) return;
    for (const ValueId element : list(out_.txns.micro[m].value)) {
      const std::uint32_t by = append_of(k, element);
      if (by != kNone && by > m && owner_[by] == t) {
        add_finding(out_, {"future-read", k, {t}, name(t) + " read " + text(element) + " from key " + key_text(k) + " before it appended it itself", {}, {}});
      }
    }
  }

  // Everything a list can show by itself, once for each distinct list: elements nobody appended, aborted ones, duplicates,
  // and lists that are no prefix of the longest.
  void check_lists(KeyIndex k, ValueId longest) {
    checked_.clear();
    const auto whole = list(longest);
    for (const Read& read : reads_) {
      const ValueId id = out_.txns.micro[read.micro].value;
      const auto seen = list(id);
      if (seen.empty()) continue;
      const bool prefix = std::equal(seen.begin(), seen.end(), whole.begin());
      if (prefix && id != longest) {
        aborted(k, read, seen.size(), whole);
        continue;
      }
      if (std::find(checked_.begin(), checked_.end(), id) == checked_.end()) {
        if (checked_.size() < 64) checked_.push_back(id);
        elements(k, read, seen);
      } else {
        aborted(k, read, seen.size(), seen);
      }
      if (!prefix) {
        const TxnIndex other = reader_of(longest);
        add_finding(out_, {"incompatible-order", k, {read.txn, other},
                           name(read.txn) + " read key " + key_text(k) + " as " + text(id) + ", " + name(other) + " as " + text(longest) +
                               "; neither is a prefix of the other, so no order of the appends gives both", {}, {}});
      }
    }
  }

  TxnIndex reader_of(ValueId id) const {
    for (const Read& read : reads_) {
      if (out_.txns.micro[read.micro].value == id) return read.txn;
    }
    return 0;
  }

  void elements(KeyIndex k, const Read& read, std::span<const ValueId> seen) {
    ++epoch_;
    if (stamp_.size() < values_.size()) stamp_.assign(values_.size(), 0);
    for (const ValueId element : seen) {
      if (stamp_[element] == epoch_) {
        add_finding(out_, {"duplicate-elements", k, {read.txn}, name(read.txn) + " read " + text(element) + " more than once in key " + key_text(k) + ": " + text(out_.txns.micro[read.micro].value), {}, {}});
      }
      stamp_[element] = epoch_;
      if (append_of(k, element) == kNone) {
        add_finding(out_, {"garbage-read", k, {read.txn}, name(read.txn) + " read " + text(element) + " from key " + key_text(k) + ", which nobody appended to it", {}, {}});
      }
    }
    aborted(k, read, seen.size(), seen);
  }

  void aborted(KeyIndex k, const Read& read, std::size_t length, std::span<const ValueId> in) {
    if (!any_failed_) return;
    for (std::size_t i = 0; i < length; ++i) {
      const std::uint32_t by = append_of(k, in[i]);
      if (by == kNone || !failed(by)) continue;
      add_finding(out_, {"G1a", k, {owner_[by], read.txn}, name(read.txn) + " read " + text(in[i]) + " from key " + key_text(k) + ", which " + name(owner_[by]) + " appended, and that one failed", {}, {}});
      for (std::size_t j = i + 1; j < length; ++j) {
        const std::uint32_t later = append_of(k, in[j]);
        if (later != kNone && !failed(later)) {
          add_finding(out_, {"dirty-update", k, {owner_[by], owner_[later], read.txn}, name(owner_[later]) + " appended " + text(in[j]) + " to key " + key_text(k) + " on top of " + text(in[i]) + ", which was appended by " + name(owner_[by]) + ", and that one failed", {}, {}});
          break;
        }
      }
      return;
    }
  }

  // The version order: micro-operations of the appends, failed and unknown ones left out but counted by position.
  void make_order(KeyIndex k, ValueId longest) {
    const auto whole = list(longest);
    order_.reserve(whole.size());
    for (const ValueId element : whole) {
      std::uint32_t by = append_of(k, element);
      if (by != kNone && (failed(by) || seen_key_[element] == k)) by = kNone;
      seen_key_[element] = k;
      order_.push_back(by);
    }
    whole_ = whole;
    // next_[i]: the first place at or after i that holds a known append.
    next_.assign(order_.size() + 1, static_cast<std::uint32_t>(order_.size()));
    for (std::size_t i = order_.size(); i-- > 0;) next_[i] = order_[i] != kNone ? static_cast<std::uint32_t>(i) : next_[i + 1];
  }

  void edges(KeyIndex k, Ops ops) {
    std::uint32_t previous = kNone;
    for (const std::uint32_t m : order_) {
      if (m == kNone) continue;
      if (previous != kNone) out_.graph.add({owner_[previous], owner_[m], k, out_.txns.micro[m].value, EdgeKind::ww});
      previous = m;
    }
    unobserved_.clear();
    for (const std::uint32_t m : ops) {
      const MicroOp& op = out_.txns.micro[m];
      const TxnIndex t = owner_[m];
      if (op.kind == MicroKind::read || !out_.committed[t]) continue;
      if (out_.writes.empty() || out_.writes.back().txn != t || out_.writes.back().key != k) out_.writes.push_back({t, k});
      if (append_of(k, op.value) != m || seen_key_[op.value] == k) continue;
      if (!unobserved_.empty() && owner_[unobserved_.back()] == t) continue;
      unobserved_.push_back(m);
      if (previous != kNone) out_.graph.add({owner_[previous], t, k, op.value, EdgeKind::ww});
    }
    tail_readers_.clear();
    for (const Read& read : reads_) {
      if (read.external) read_edges(k, read);
    }
    tail_edges(k);
    if (unobserved_.size() > 1) out_.open.push_back({k, unobserved_});
  }

  void read_edges(KeyIndex k, const Read& read) {
    const ValueId id = out_.txns.micro[read.micro].value;
    const auto seen = list(id);
    if (seen.size() > whole_.size() || !std::equal(seen.begin(), seen.end(), whole_.begin())) return;
    std::size_t length = seen.size() - read.own;
    // Whose version it is: the last known element of others.
    std::size_t last = length;
    while (last > 0 && (order_[last - 1] == kNone || owner_[order_[last - 1]] == read.txn)) --last;
    const TxnIndex source = last > 0 ? owner_[order_[last - 1]] : kNone;
    out_.reads.push_back({read.txn, k, source, read.micro});
    if (source != kNone) {
      const std::uint32_t m = order_[last - 1];
      out_.graph.add({source, read.txn, k, out_.txns.micro[m].value, EdgeKind::wr});
      intermediate(k, read, m);
    }
    std::size_t next = next_[length];
    // Elements of the version's own writer that were not seen yet: an intermediate read, not an order.
    while (next < order_.size() && source != kNone && owner_[order_[next]] == source) next = next_[next + 1];
    if (next < order_.size()) {
      out_.graph.add({read.txn, owner_[order_[next]], k, out_.txns.micro[order_[next]].value, EdgeKind::rw});
    } else if (tail_readers_.empty() || tail_readers_.back() != read.txn) {
      tail_readers_.push_back(read.txn);
    }
  }

  void intermediate(KeyIndex k, const Read& read, std::uint32_t m) {
    const TxnIndex source = owner_[m];
    for (std::uint32_t later = m + 1; later < out_.txns.first[source + 1]; ++later) {
      const MicroOp& op = out_.txns.micro[later];
      if (op.key != k || op.kind != MicroKind::append) continue;
      add_finding(out_, {"G1b", k, {source, read.txn}, name(read.txn) + " read key " + key_text(k) + " as " + text(out_.txns.micro[read.micro].value) + ", an intermediate state of " + name(source) + ", which appended " + text(op.value) + " after " + text(out_.txns.micro[m].value), {}, {}});
      return;
    }
  }

  // Whoever read everything that was ever seen came before all those whose appends were never seen.
  void tail_edges(KeyIndex k) {
    if (tail_readers_.size() * unobserved_.size() <= 64) {
      for (const TxnIndex reader : tail_readers_) {
        for (const std::uint32_t m : unobserved_) out_.graph.add({reader, owner_[m], k, out_.txns.micro[m].value, EdgeKind::rw});
      }
      return;
    }
    std::vector<TxnIndex> writers;
    for (const std::uint32_t m : unobserved_) writers.push_back(owner_[m]);
    std::vector<TxnIndex> both, pure;
    for (const TxnIndex reader : tail_readers_) {
      (std::binary_search(writers.begin(), writers.end(), reader) ? both : pure).push_back(reader);
    }
    const std::uint32_t helper = out_.graph.add_helper();
    for (const TxnIndex reader : pure) out_.graph.add({reader, helper, k, kAbsent, EdgeKind::rw});
    for (const std::uint32_t m : unobserved_) out_.graph.add({helper, owner_[m], k, out_.txns.micro[m].value, EdgeKind::onward});
    // Two that read the tail and appended are a lost update already; the edges of the first two show it.
    for (std::size_t i = 0; i < std::min<std::size_t>(both.size(), 2); ++i) {
      for (const std::uint32_t m : unobserved_) out_.graph.add({both[i], owner_[m], k, out_.txns.micro[m].value, EdgeKind::rw});
    }
  }

  // A transaction read a version and appended to the key, but its append did not come right after what it read.
  void lost_updates(KeyIndex k) {
    TxnIndex open = kNone;  // read the tail, appended, and was not seen
    for (const Read& read : reads_) {
      if (!read.external) continue;
      const auto seen = list(out_.txns.micro[read.micro].value);
      if (seen.size() > whole_.size() || !std::equal(seen.begin(), seen.end(), whole_.begin())) continue;
      std::uint32_t update = kNone;
      for (std::uint32_t m = read.micro + 1; m < out_.txns.first[read.txn + 1] && update == kNone; ++m) {
        if (out_.txns.micro[m].key == k && out_.txns.micro[m].kind == MicroKind::append) update = m;
      }
      if (update == kNone) continue;
      const std::size_t next = next_[seen.size()];
      TxnIndex other = kNone;
      if (next < order_.size()) {
        if (owner_[order_[next]] != read.txn) other = owner_[order_[next]];
      } else if (seen_key_[out_.txns.micro[update].value] != k) {
        if (open != kNone && open != read.txn) other = open;
        open = read.txn;
      }
      if (other == kNone) continue;
      add_finding(out_, {"lost-update", k, {other, read.txn}, name(read.txn) + " read key " + key_text(k) + " as " + text(out_.txns.micro[read.micro].value) + " and appended " + text(out_.txns.micro[update].value) + ", but " + name(other) + " appended to that state, too", {}, {}});
    }
  }

  const History& history_;
  const ValueTable& values_;
  Inference out_;
  std::vector<TxnIndex> owner_;             // by micro-operation
  std::vector<std::uint32_t> writer_;       // by value: who appended it to the key writer_key_ says
  std::vector<KeyIndex> writer_key_;
  std::vector<KeyIndex> seen_key_;          // by value: the key in whose longest list it is
  std::vector<std::uint32_t> stamp_;
  std::uint32_t epoch_ = 0;
  bool any_failed_ = true;
  // Of the key at hand.
  std::vector<Read> reads_;
  std::vector<ValueId> own_, expected_;  // scratch of transaction_reads
  std::vector<ValueId> checked_;
  std::span<const ValueId> whole_;
  std::vector<std::uint32_t> order_;        // by place in the longest list
  std::vector<std::uint32_t> next_;
  std::vector<std::uint32_t> unobserved_;   // committed appends nobody saw, one a transaction
  std::vector<TxnIndex> tail_readers_;
};

}  // namespace

Inference infer_list_append(const History& history, Transactions txns) {
  return ListAppend(history, std::move(txns)).run();
}

}  // namespace ordeal::txn
