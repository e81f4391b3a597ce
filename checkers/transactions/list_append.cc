// Version orders from reads of whole lists (Kingsbury and Alvaro, Elle, 2020).
//
// A list shows the order of its appends: T1 appends 1, T2 appends 2, T3 reads [1 2], so T1's version comes before T2's,
// T3 read from T2, and whoever read [1] came before T2. Per key the longest list is the version order and all other
// reads must be prefixes of it. Edges go to the next writer only; those further on follow. Appends that nobody saw come
// after everything that was seen, in an unknown order: those are left as open groups.
//
// Keys are independent: several threads take a range of them each, and what they found is joined in the order of keys,
// so the result does not depend on their number. A list is compared with the longest of its key, which costs nothing
// when they share memory (ValueTable::fresh_reading); its elements are looked at only when it is no prefix of that:
// O(micro-operations + lengths of longest lists). Tested by tests/checkers/transactions against brute force.

#include <algorithm>
#include <atomic>
#include <cstring>
#include <exception>
#include <functional>
#include <thread>

#include "checkers/transactions/inference.h"
#include "checkers/transactions/levels.h"

namespace ordeal::txn {
namespace {

using Ops = std::span<const std::uint32_t>;
using List = std::span<const ValueId>;

struct Read {
  TxnIndex txn = 0;
  std::uint32_t micro = 0;
  std::uint32_t own = 0;  // trailing elements that the transaction itself had appended before
  bool external = true;   // shows something of others (not merely repeats what the transaction saw before)
  bool prefix = false;    // of the longest list
  List seen;
};

// An element of the key at hand.
struct Element {
  ValueId value = kAbsent;
  std::uint32_t epoch = 0;
  std::uint32_t micro = kNone;  // who appended it; kNone: nobody
  std::uint32_t place = kNone;  // in the longest list, the last one if it is there twice
  std::uint32_t stamp = 0;      // of the list that is being walked
};

// The elements of one key at a time: a hash table with open addressing that stays in the cache and is emptied in O(1).
class Elements {
 public:
  void clear(std::size_t expected) {
    ++epoch_;
    count_ = 0;
    if (slots_.size() < 2 * expected) grow(2 * expected);
  }
  [[nodiscard]] const Element* find(ValueId value) const {
    for (std::size_t i = hash(value);; ++i) {
      const Element& one = slots_[i & mask_];
      if (one.epoch != epoch_) return nullptr;
      if (one.value == value) return &one;
    }
  }
  // The element, which is made when there is none.
  Element& get(ValueId value) {
    if (2 * ++count_ > slots_.size()) {
      std::vector<Element> old = std::move(slots_);
      const std::uint32_t epoch = epoch_;
      grow(2 * old.size());
      for (const Element& one : old) {
        if (one.epoch == epoch) slot(one.value) = one;
      }
    }
    Element& out = slot(value);
    if (out.epoch != epoch_) out = {value, epoch_, kNone, kNone, 0};
    return out;
  }

 private:
  std::size_t hash(ValueId value) const { return (value * 0x9E3779B1u) >> 7; }
  Element& slot(ValueId value) {
    std::size_t i = hash(value);
    while (slots_[i & mask_].epoch == epoch_ && slots_[i & mask_].value != value) ++i;
    return slots_[i & mask_];
  }
  void grow(std::size_t wanted) {
    std::size_t size = 64;
    while (size < wanted) size *= 2;
    slots_.assign(size, {});
    mask_ = size - 1;
  }

  std::vector<Element> slots_ = std::vector<Element>(64);
  std::size_t mask_ = 63, count_ = 0;
  std::uint32_t epoch_ = 0;
};

// What all threads look at.
struct Shared {
  const History& history;
  const Limits& limits;
  const Transactions& txns;
  std::vector<std::uint32_t> offsets, by_key;  // micro-operations by key
  std::vector<TxnIndex> owner;                 // by micro-operation
  std::vector<std::uint8_t>& committed;        // set by all in note_observed()
  std::vector<TxnIndex>& source;               // by micro-operation: each belongs to one key, and so to one thread

  Ops ops(KeyIndex k) const { return Ops(by_key).subspan(offsets[k], offsets[k + 1] - offsets[k]); }
};

// Some keys, one after the other.
class Keys {
 public:
  explicit Keys(Shared& shared)
      : shared_(shared),
        history_(shared.history),
        values_(shared.history.values()),
        txns_(shared.txns),
        owner_(shared.owner) {}

  // Who is committed must be known before edges are made: an observation on any key shows it.
  void note_observed(KeyIndex k) {
    load(k, shared_.ops(k));
    if (ambiguous_) return;
    work(shared_.ops(k).size());
    List longest;
    for (const std::uint32_t m : shared_.ops(k)) {
      if (knows_read(m) && list(m).size() > longest.size()) longest = list(m);
    }
    note(longest);
    for (const std::uint32_t m : shared_.ops(k)) {
      if (knows_read(m) && !is_prefix(list(m), longest)) note(list(m));
    }
  }

  void infer(KeyIndex k) {
    const Ops ops = shared_.ops(k);
    work(ops.size());
    load(k, ops);
    reads_.clear();
    collect_reads(k, ops);
    const Read* longest = nullptr;
    for (const Read& read : reads_) {
      if (longest == nullptr || read.seen.size() > longest->seen.size()) longest = &read;
    }
    if (ambiguous_) {
      // Whose elements a list shows, nobody knows; only what nobody appended at all is certain to be wrong.
      for (const Read& read : reads_) from_nowhere(k, read);
      return;
    }
    whole_ = longest == nullptr ? List() : longest->seen;
    make_order();
    if (longest != nullptr) {
      check_lists(k, *longest);
      own_order(k, ops, *longest);
    }
    edges(k, ops);
    lost_updates(k);
  }

  // What was found, for infer_list_append() to join.
  EdgeList found_edges;
  std::vector<Finding> findings;
  std::vector<OpenGroup> open;
  std::vector<Edge> updates_first;
  std::size_t unobserved = 0;
  std::string incomplete;

 private:
  std::string name(TxnIndex t) const { return txn_name(history_, txns_, t); }
  std::string text(ValueId v) const { return values_.to_json(v); }
  std::string key_text(KeyIndex k) const { return text(txns_.keys[k]); }
  std::string seen_text(const Read& read) const { return text(txns_.micro[read.micro].value); }

  // Counts what was done, and looks at the limits now and then.
  void work(std::size_t steps) {
    work_ += steps;
    if (work_ < kStepsALook) return;
    work_ = 0;
    shared_.limits.check();
  }

  List list(std::uint32_t micro) const {
    const ValueId id = txns_.micro[micro].value;
    return id == kNil || id == kAbsent ? List() : values_.as_list(id);
  }
  static bool is_prefix(List a, List of) {
    return a.size() <= of.size() &&
           (a.empty() || a.data() == of.data() || std::memcmp(a.data(), of.data(), a.size_bytes()) == 0);
  }
  bool knows_read(std::uint32_t micro) const {
    const MicroOp& op = txns_.micro[micro];
    return op.kind == MicroKind::read && op.value != kAbsent && txns_.outcome[owner_[micro]] == Outcome::ok;
  }
  // The micro-operation that appended `element` to the key that is loaded, or kNone.
  std::uint32_t append_of(ValueId element) const {
    const Element* one = elements_.find(element);
    return one == nullptr ? kNone : one->micro;
  }
  bool failed(std::uint32_t micro) const { return txns_.outcome[owner_[micro]] == Outcome::fail; }

  void load(KeyIndex k, Ops ops) {
    ambiguous_ = false;
    elements_.clear(ops.size() + 16);
    for (const std::uint32_t m : ops) {
      const MicroOp& op = txns_.micro[m];
      if (op.kind == MicroKind::read) continue;
      Element& element = elements_.get(op.value);
      if (element.micro != kNone) {
        if (failed(m)) continue;
        ambiguous_ = ambiguous_ || !failed(element.micro);
        if (!failed(element.micro) && incomplete.empty()) {
          incomplete = name(owner_[element.micro]) + " and " + name(owner_[m]) + " both append " + text(op.value) +
                       " to key " + key_text(k) +
                       ", so nobody can tell whose element a read shows; elements must be unique per key";
        }
      }
      element.micro = m;
    }
  }

  void note(List seen) {
    for (const ValueId element : seen) {
      const std::uint32_t by = append_of(element);
      if (by != kNone && !failed(by))
        std::atomic_ref(shared_.committed[owner_[by]]).store(1, std::memory_order_relaxed);
    }
  }

  // The reads of a key, each compared with what its transaction did before.
  void collect_reads(KeyIndex k, Ops ops) {
    for (std::size_t i = 0; i < ops.size();) {
      work(1);
      const TxnIndex t = owner_[ops[i]];
      std::size_t end = i + 1;
      while (end < ops.size() && owner_[ops[end]] == t) ++end;
      if (txns_.outcome[t] == Outcome::ok) transaction_reads(k, t, ops.subspan(i, end - i));
      i = end;
    }
  }

  void transaction_reads(KeyIndex k, TxnIndex t, Ops ops) {
    own_.clear();  // appended since the transaction began
    bool read_before = false;
    List before;                 // what the last read saw
    std::size_t own_before = 0;  // how much of own_ was appended before that
    for (const std::uint32_t m : ops) {
      const MicroOp& op = txns_.micro[m];
      if (op.kind == MicroKind::append) {
        own_.push_back(op.value);
        continue;
      }
      if (op.value == kAbsent) continue;
      const List seen = list(m);
      const bool ends_with_own =
          own_.empty() || (seen.size() >= own_.size() &&
                           std::equal(own_.begin(), own_.end(), seen.end() - static_cast<std::ptrdiff_t>(own_.size())));
      const bool as_expected = read_before ? continues(seen, before, List(own_).subspan(own_before)) : ends_with_own;
      if (!as_expected && !ambiguous_) {
        add_finding(findings, {"internal",
                               k,
                               {t},
                               name(t) + " read key " + key_text(k) + " as " + text(op.value) +
                                   ", which contradicts what it did to that key before",
                               {},
                               {}});
      }
      if (!ends_with_own && !ambiguous_) {
        add_finding(findings, {kMissedOwnWrite,
                               k,
                               {t},
                               name(t) + " read key " + key_text(k) + " as " + text(op.value) +
                                   ", which does not end with what it had appended itself",
                               {},
                               {}});
      }
      if (m != ops.back() && !ambiguous_) future_read(k, t, m, seen, ops);
      reads_.push_back({t, m, ends_with_own ? static_cast<std::uint32_t>(own_.size()) : 0, !read_before || !as_expected,
                        false, seen});
      read_before = true;
      before = seen;
      own_before = own_.size();
    }
  }

  static bool continues(List seen, List before, List added) {
    return seen.size() == before.size() + added.size() && is_prefix(before, seen) &&
           std::equal(added.begin(), added.end(), seen.begin() + static_cast<std::ptrdiff_t>(before.size()));
  }

  void future_read(KeyIndex k, TxnIndex t, std::uint32_t m, List seen, Ops ops) {
    for (const std::uint32_t later : ops) {
      if (later <= m || txns_.micro[later].kind != MicroKind::append) continue;
      const ValueId element = txns_.micro[later].value;
      if (std::find(seen.begin(), seen.end(), element) == seen.end() || append_of(element) != later) continue;
      add_finding(findings,
                  {"future-read",
                   k,
                   {t},
                   name(t) + " read " + text(element) + " from key " + key_text(k) + " before it appended it itself",
                   {},
                   {}});
    }
  }

  // The version order: micro-operations of the appends, failed and unknown ones left out but counted by position.
  void make_order() {
    order_.clear();
    first_failed_ = whole_.size();
    for (const ValueId value : whole_) {
      Element& element = elements_.get(value);
      const bool bad = element.micro != kNone && failed(element.micro);
      if (bad && first_failed_ == whole_.size()) first_failed_ = order_.size();
      const std::uint32_t by = bad || element.place != kNone ? kNone : element.micro;
      element.place = static_cast<std::uint32_t>(order_.size());
      order_.push_back(by);
    }
    // next_[i]: the first place at or after i that holds a known append.
    next_.assign(order_.size() + 1, static_cast<std::uint32_t>(order_.size()));
    for (std::size_t i = order_.size(); i-- > 0;)
      next_[i] = order_[i] != kNone ? static_cast<std::uint32_t>(i) : next_[i + 1];
  }

  // Everything a list can show by itself: elements nobody appended, aborted ones, duplicates, and lists that are no
  // prefix of the longest.
  void check_lists(KeyIndex k, const Read& longest) {
    walk(k, longest);
    for (Read& read : reads_) {
      work(1);
      read.prefix = is_prefix(read.seen, whole_);
      if (read.prefix) {
        if (first_failed_ < read.seen.size() && &read != &longest) aborted(k, read, first_failed_);
        continue;
      }
      work(read.seen.size());
      walk(k, read);
      add_finding(findings, {"incompatible-order",
                             k,
                             {read.txn, longest.txn},
                             name(read.txn) + " read key " + key_text(k) + " as " + seen_text(read) + ", " +
                                 name(longest.txn) + " as " + seen_text(longest) +
                                 "; neither is a prefix of the other, so no order of the appends gives both",
                             {},
                             {}});
    }
  }

  // A transaction's appends to a key follow each other in its own order, and none is left out before another.
  void own_order(KeyIndex k, Ops ops, const Read& longest) {
    std::uint32_t before = kNone;  // the append before
    for (const std::uint32_t m : ops) {
      if (txns_.micro[m].kind == MicroKind::read || failed(m)) continue;
      if (before != kNone && owner_[before] == owner_[m]) {
        const Element* first = elements_.find(txns_.micro[before].value);
        const Element* second = elements_.find(txns_.micro[m].value);
        const bool known = first->micro == before && second->micro == m && second->place != kNone;
        if (known && (first->place == kNone || first->place > second->place)) {
          add_finding(findings,
                      {"incompatible-order",
                       k,
                       {owner_[m], longest.txn},
                       name(longest.txn) + " read key " + key_text(k) + " as " + seen_text(longest) + ", but " +
                           name(owner_[m]) + " appended " + text(first->value) + " before " + text(second->value),
                       {},
                       {}});
        }
      }
      before = m;
    }
  }

  // Of a key whose elements are not unique: what nobody appended, and what is there more often than it was appended.
  void from_nowhere(KeyIndex k, const Read& read) {
    for (const ValueId value : read.seen) {
      const Element* element = elements_.find(value);
      if (element == nullptr || element->micro == kNone) {
        garbage(k, read, value);
        return;
      }
    }
  }

  void garbage(KeyIndex k, const Read& read, ValueId value) {
    add_finding(findings,
                {"garbage-read",
                 k,
                 {read.txn},
                 name(read.txn) + " read " + text(value) + " from key " + key_text(k) + ", which nobody appended to it",
                 {},
                 {}});
  }

  void walk(KeyIndex k, const Read& read) {
    ++stamp_;
    for (const ValueId value : read.seen) {
      Element& element = elements_.get(value);
      if (element.stamp == stamp_) {
        add_finding(findings, {"duplicate-elements",
                               k,
                               {read.txn},
                               name(read.txn) + " read " + text(value) + " more than once in key " + key_text(k) +
                                   ": " + seen_text(read),
                               {},
                               {}});
      }
      element.stamp = stamp_;
      if (element.micro == kNone) garbage(k, read, value);
    }
    aborted(k, read, 0);
  }

  // Looks for elements of failed transactions from `begin` on.
  void aborted(KeyIndex k, const Read& read, std::size_t begin) {
    for (std::size_t i = begin; i < read.seen.size(); ++i) {
      const std::uint32_t by = append_of(read.seen[i]);
      if (by == kNone || !failed(by)) continue;
      add_finding(findings, {"G1a",
                             k,
                             {owner_[by], read.txn},
                             name(read.txn) + " read " + text(read.seen[i]) + " from key " + key_text(k) + ", which " +
                                 name(owner_[by]) + " appended, and that one failed",
                             {},
                             {}});
      for (std::size_t j = i + 1; j < read.seen.size(); ++j) {
        const std::uint32_t later = append_of(read.seen[j]);
        if (later == kNone || failed(later)) continue;
        add_finding(findings, {"dirty-update",
                               k,
                               {owner_[by], owner_[later], read.txn},
                               name(owner_[later]) + " appended " + text(read.seen[j]) + " to key " + key_text(k) +
                                   " on top of " + text(read.seen[i]) + ", which was appended by " + name(owner_[by]) +
                                   ", and that one failed",
                               {},
                               {}});
        break;
      }
      return;
    }
  }

  void edges(KeyIndex k, Ops ops) {
    std::uint32_t previous = kNone, acknowledged = kNone;  // the last ones so far
    const auto follows = [&](std::uint32_t m) {
      const bool known = txns_.outcome[owner_[m]] == Outcome::ok;
      if (previous != kNone) found_edges.add(owner_[previous], owner_[m], m, EdgeKind::ww);
      // What lies between may have been rolled back.
      if (known && acknowledged != kNone && acknowledged != previous)
        found_edges.add(owner_[acknowledged], owner_[m], m, EdgeKind::ww);
      return known;
    };
    for (const std::uint32_t m : order_) {
      if (m == kNone) continue;
      if (follows(m)) acknowledged = m;
      previous = m;
    }
    unobserved_.clear();
    for (const std::uint32_t m : ops) {
      const MicroOp& op = txns_.micro[m];
      const TxnIndex t = owner_[m];
      if (op.kind == MicroKind::read || !shared_.committed[t]) continue;
      const Element* element = elements_.find(op.value);
      if (element->micro != m || element->place != kNone) continue;
      unobserved += txns_.outcome[t] == Outcome::ok;
      if (!unobserved_.empty() && owner_[unobserved_.back()] == t) continue;
      unobserved_.push_back(m);
      follows(m);
    }
    tail_readers_.clear();
    for (const Read& read : reads_) {
      if (read.external && read.prefix)
        read_edges(k, read);
      else if (read.prefix)
        shared_.source[read.micro] = source_of(read);
    }
    tail_edges();
    if (unobserved_.size() > 1) open.push_back({k, unobserved_});
  }

  // Whose version it is: how far the last known element of others reaches.
  std::size_t others(const Read& read) const {
    std::size_t last = read.seen.size() - read.own;
    while (last > 0 && (order_[last - 1] == kNone || owner_[order_[last - 1]] == read.txn)) --last;
    return last;
  }
  TxnIndex source_of(const Read& read) const {
    const std::size_t last = others(read);
    return last > 0 ? owner_[order_[last - 1]] : kNone;
  }

  void read_edges(KeyIndex k, const Read& read) {
    const std::size_t length = read.seen.size() - read.own;
    const TxnIndex source = source_of(read);
    shared_.source[read.micro] = source;
    if (source != kNone) {
      const std::uint32_t m = order_[others(read) - 1];
      found_edges.add(source, read.txn, m, EdgeKind::wr);
      intermediate(k, read, m);
    }
    std::size_t next = next_[length];
    // Elements of the version's own writer that were not seen yet: an intermediate read, not an order.
    while (next < order_.size() && source != kNone && owner_[order_[next]] == source) next = next_[next + 1];
    if (next < order_.size()) {
      found_edges.add(read.txn, owner_[order_[next]], order_[next], EdgeKind::rw);
    } else if (tail_readers_.empty() || owner_[tail_readers_.back()] != read.txn) {
      tail_readers_.push_back(read.micro);
    }
  }

  void intermediate(KeyIndex k, const Read& read, std::uint32_t m) {
    const TxnIndex source = owner_[m];
    for (std::uint32_t later = m + 1; later < txns_.first[source + 1]; ++later) {
      const MicroOp& op = txns_.micro[later];
      if (op.key != k || op.kind != MicroKind::append) continue;
      add_finding(findings, {"G1b",
                             k,
                             {source, read.txn},
                             name(read.txn) + " read key " + key_text(k) + " as " + seen_text(read) +
                                 ", an intermediate state of " + name(source) + ", which appended " + text(op.value) +
                                 " after " + text(txns_.micro[m].value),
                             {},
                             {}});
      return;
    }
  }

  // Whoever read everything that was ever seen came before all those whose appends were never seen.
  void tail_edges() {
    const auto one_by_one = [&](std::uint32_t reader) {
      for (const std::uint32_t m : unobserved_) found_edges.add(owner_[reader], owner_[m], m, EdgeKind::rw);
    };
    if (tail_readers_.size() * unobserved_.size() <= 64) {
      for (const std::uint32_t reader : tail_readers_) one_by_one(reader);
      return;
    }
    // Two that read the tail and appended are a lost update already; the edges of the first two show it.
    const std::uint32_t helper = found_edges.add_helper();
    int both = 0;
    for (const std::uint32_t reader : tail_readers_) {
      const bool appended = std::any_of(unobserved_.begin(), unobserved_.end(),
                                        [&](std::uint32_t m) { return owner_[m] == owner_[reader]; });
      if (!appended)
        found_edges.add(owner_[reader], helper, reader, EdgeKind::rw);
      else if (both++ < 2)
        one_by_one(reader);
    }
    for (const std::uint32_t m : unobserved_) found_edges.add(helper, owner_[m], m, EdgeKind::onward);
  }

  // The first append after the last read before it that shows others' appends; kNone when it is not this read.
  std::uint32_t update_after(KeyIndex k, std::size_t place) const {
    const Read& read = reads_[place];
    std::uint32_t update = kNone, last = 0;
    for (std::uint32_t m = read.micro + 1; m < txns_.first[read.txn + 1]; ++m) {
      if (txns_.micro[m].key != k || txns_.micro[m].kind != MicroKind::append) continue;
      if (update == kNone) update = m;
      last = m;
    }
    for (std::size_t i = place + 1; i < reads_.size() && reads_[i].txn == read.txn; ++i) {
      if (reads_[i].external && reads_[i].micro < last) return kNone;
    }
    return update;
  }

  // A transaction read a version and appended to the key, but its append did not come right after what it read.
  void lost_updates(KeyIndex k) {
    TxnIndex open_reader = kNone;  // read the tail, appended, and was not seen
    for (std::size_t i = 0; i < reads_.size(); ++i) {
      const Read& read = reads_[i];
      if (!read.external || !read.prefix) continue;
      const std::uint32_t update = update_after(k, i);
      if (update == kNone) continue;
      const std::size_t next = next_[read.seen.size()];
      TxnIndex other = kNone;
      if (next < order_.size()) {
        if (owner_[order_[next]] != read.txn) other = owner_[order_[next]];
      } else if (elements_.find(txns_.micro[update].value)->place == kNone) {
        if (open_reader != kNone && open_reader != read.txn) other = open_reader;
        if (open_reader == kNone) {
          for (const std::uint32_t m : unobserved_)
            updates_first.push_back({read.txn, owner_[m], k, txns_.micro[m].value, EdgeKind::ww});
        }
        open_reader = read.txn;
      }
      if (other == kNone) continue;
      Finding lost{"lost-update",
                   k,
                   {other, read.txn},
                   name(read.txn) + " read key " + key_text(k) + " as " + seen_text(read) + " and appended " +
                       text(txns_.micro[update].value) + ", but " + name(other) + " appended to that state, too",
                   {},
                   {}};
      if (next < order_.size()) lost.edges.push_back({other, read.txn, k, txns_.micro[update].value, EdgeKind::ww});
      add_finding(findings, std::move(lost));
    }
  }

  Shared& shared_;
  const History& history_;
  const ValueTable& values_;
  const Transactions& txns_;
  const std::vector<TxnIndex>& owner_;
  // Of the key at hand.
  Elements elements_;
  std::vector<Read> reads_;
  std::vector<ValueId> own_;                 // scratch of transaction_reads
  List whole_;                               // the longest list
  std::vector<std::uint32_t> order_, next_;  // by place in it
  bool ambiguous_ = false;                   // an element was appended more than once, perhaps
  std::size_t first_failed_ = 0;             // place of the first element of a failed transaction
  std::vector<std::uint32_t> unobserved_;    // committed appends nobody saw, one a transaction
  std::vector<std::uint32_t> tail_readers_;  // reads of everything that was seen, one a transaction
  std::uint32_t stamp_ = 0;
  static constexpr std::size_t kStepsALook = 20'000;
  std::size_t work_ = 0;
};

// A counting sort of the micro-operations by key.
void sort_by_key(Shared& shared) {
  const Transactions& txns = shared.txns;
  shared.offsets.assign(txns.keys.size() + 1, 0);
  for (const MicroOp& op : txns.micro) ++shared.offsets[op.key + 1];
  for (std::size_t k = 1; k < shared.offsets.size(); ++k) shared.offsets[k] += shared.offsets[k - 1];
  shared.by_key.resize(txns.micro.size());
  shared.owner.resize(txns.micro.size());
  auto place = shared.offsets;
  for (TxnIndex t = 0; t < txns.size(); ++t) {
    if (t % (1u << 18) == 0) shared.limits.check();
    for (std::uint32_t m = txns.first[t]; m < txns.first[t + 1]; ++m) {
      shared.owner[m] = t;
      shared.by_key[place[txns.micro[m].key]++] = m;
    }
  }
}

// Calls work(0), …, work(parts - 1), each in a thread, and throws what the first of them threw.
void in_threads(std::size_t parts, const std::function<void(std::size_t)>& work) {
  std::vector<std::exception_ptr> thrown(parts);
  const auto caught = [&](std::size_t p) {
    try {
      work(p);
    } catch (...) {
      thrown[p] = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> others;
    for (std::size_t p = 1; p < parts; ++p) others.emplace_back(caught, p);
    caught(0);
  }
  for (const std::exception_ptr& one : thrown) {
    if (one) std::rethrow_exception(one);
  }
}

// About what the columns by micro-operation and the edges take, in bytes.
constexpr std::size_t kBytesPerMicroOp = 50;

}  // namespace

Inference infer_list_append(const History& history, Transactions txns, unsigned threads, const Limits& limits) {
  limits.need(txns.micro.size() * kBytesPerMicroOp);
  Inference out(std::move(txns));
  Shared shared{history, limits, out.txns, {}, {}, {}, out.committed, out.source};
  sort_by_key(shared);
  bool any_info = false;
  for (TxnIndex t = 0; t < out.txns.size(); ++t) {
    out.committed[t] = out.txns.outcome[t] == Outcome::ok;
    any_info = any_info || out.txns.outcome[t] == Outcome::info;
  }
  // Ranges of keys with about as many micro-operations each.
  constexpr std::size_t kWorthAThread = 100'000;
  const std::size_t micro = out.txns.micro.size();
  const std::size_t parts = std::min<std::size_t>(threads, 1 + micro / kWorthAThread);
  std::vector<KeyIndex> begin(parts + 1, static_cast<KeyIndex>(out.txns.keys.size()));
  for (std::size_t p = 0; p < parts; ++p) {
    begin[p] = static_cast<KeyIndex>(
        std::lower_bound(shared.offsets.begin(), shared.offsets.end() - 1, micro / parts * p) - shared.offsets.begin());
  }
  std::vector<Keys> keys(parts, Keys(shared));
  const auto all = [&](auto&& one_key) {
    in_threads(parts, [&](std::size_t p) {
      for (KeyIndex k = begin[p]; k < begin[p + 1]; ++k) one_key(keys[p], k);
    });
  };
  if (any_info) all([](Keys& part, KeyIndex k) { part.note_observed(k); });
  all([](Keys& part, KeyIndex k) { part.infer(k); });
  std::vector<EdgeList> edges;
  for (Keys& part : keys) {
    edges.push_back(std::move(part.found_edges));
    for (Finding& finding : part.findings) add_finding(out.findings, std::move(finding));
    out.open.insert(out.open.end(), part.open.begin(), part.open.end());
    out.updates_first.insert(out.updates_first.end(), part.updates_first.begin(), part.updates_first.end());
    out.unobserved += part.unobserved;
    if (out.incomplete.empty()) out.incomplete = part.incomplete;
  }
  limits.check();
  shared.by_key = shared.offsets = {};
  shared.owner = {};
  out.graph.freeze(std::move(edges));
  return out;
}

}  // namespace ordeal::txn
