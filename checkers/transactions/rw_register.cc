// Registers: reads show who wrote, not what was written before.
//
// Written values must be unique per key; then a read names its writer (wr). What is known of the order of versions: the
// initial one is first, and a transaction that read a version and wrote the key comes after that version (writes follow
// reads); under snapshot isolation and above right after it, or an update was lost. So the versions of a key form
// chains, the first of which begins with the initial version. The order among the other chains is open: each pair is a
// Choice for the search, with the edges ww and rw that follow from either answer. If every write of a key is part of
// a read-modify-write there is one chain and nothing to choose.

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <utility>

#include "base/names.h"
#include "checkers/transactions/inference.h"
#include "checkers/transactions/levels.h"

namespace ordeal::txn {
namespace {

// What the key at hand saw of one version. Version 0 is the initial one.
struct Version {
  TxnIndex writer = kNone;
  ValueId value = kAbsent;
  std::uint32_t micro = kNone;    // the write
  std::vector<TxnIndex> readers;  // external reads, each transaction once
  std::vector<TxnIndex> updates;  // of them those that wrote the key afterwards
};

// A write of a key. Those that did not fail come first among those of a value.
struct Write {
  KeyIndex key = 0;
  ValueId value = 0;
  bool failed = false;
  std::uint32_t micro = 0;
  auto operator<=>(const Write&) const = default;
};

class RwRegister {
 public:
  RwRegister(const History& history, Transactions txns, const RegisterOptions& options, const Limits& limits)
      : limits_(limits),
        history_(history),
        values_(history.values()),
        out_(std::move(txns)),
        options_(options),
        initial_(options.initial),
        max_choices_(options.max_choices) {}

  Inference run() {
    const Transactions& txns = out_.txns;
    for (std::uint32_t t = 0; t < txns.size(); ++t) out_.committed[t] = txns.outcome[t] == Outcome::ok;
    index_writes();
    for (TxnIndex t = 0; t < txns.size(); ++t) {
      work(txns.ops(t).size());
      if (txns.outcome[t] == Outcome::ok) one_transaction(t);
    }
    if (unclear_.empty()) {
      // Nobody read a value that was written twice, so it does not matter.
      out_.incomplete.clear();
      out_.sources_open = false;
    }
    versions_.resize(txns.keys.size());
    for (TxnIndex t = 0; t < txns.size(); ++t) {
      work(txns.ops(t).size());
      if (out_.committed[t]) final_writes(t);
    }
    for (TxnIndex t = 0; t < txns.size(); ++t) {
      work(txns.ops(t).size());
      for (std::uint32_t m = txns.first[t]; m < txns.first[t + 1]; ++m) {
        if (out_.source[m] != kNoSource) note_reader(t, m);
      }
    }
    out_.in_realtime.emplace();
    for (KeyIndex k = 0; k < txns.keys.size(); ++k) one_key(k);
    if (options_.orders.sequential || options_.orders.linearizable) asked_orders();
    std::vector<EdgeList> lists;
    lists.push_back(std::move(edges_));
    out_.graph.freeze(std::move(lists));
    return std::move(out_);
  }

 private:
  // Counts what was done, and looks at the limits now and then.
  void work(std::size_t steps) {
    work_ += steps;
    if (work_ < kStepsALook) return;
    work_ = 0;
    limits_.check();
  }
  std::string name(TxnIndex t) const { return txn_name(history_, out_.txns, t); }
  std::string text(ValueId v) const { return values_.to_json(v); }
  std::string key_text(KeyIndex k) const { return text(out_.txns.keys[k]); }

  void index_writes() {
    const Transactions& txns = out_.txns;
    owner_.resize(txns.micro.size());
    for (TxnIndex t = 0; t < txns.size(); ++t) {
      for (std::uint32_t m = txns.first[t]; m < txns.first[t + 1]; ++m) {
        owner_[m] = t;
        const MicroOp& op = txns.micro[m];
        if (op.kind == MicroKind::write) writes_.push_back({op.key, op.value, txns.outcome[t] == Outcome::fail, m});
      }
    }
    sort_writes();
    for (std::size_t i = 1; i < writes_.size(); ++i) {
      const Write &a = writes_[i - 1], &b = writes_[i];
      if (a.key == b.key && a.value == b.value && !b.failed && out_.incomplete.empty()) {
        out_.incomplete = name(owner_[a.micro]) + " and " + name(owner_[b.micro]) + " both write " + text(a.value) +
                          " to key " + key_text(a.key) +
                          ", so nobody can tell whose value a read shows; written values must be unique per key";
        out_.sources_open = true;
      }
    }
    for (const Write& write : writes_) {
      if (write.value == initial_ && !write.failed && out_.incomplete.empty()) {
        out_.incomplete = name(owner_[write.micro]) + " writes the initial value " + text(write.value) + " to key " +
                          key_text(write.key) + ", so nobody can tell who wrote what a read shows";
        out_.sources_open = true;
      }
    }
  }

  // By key, then by value: keys have few writes each, so that this is cheaper than to sort all at once.
  void sort_writes() {
    writes_of_.assign(out_.txns.keys.size() + 1, 0);
    for (const Write& write : writes_) ++writes_of_[write.key];
    std::uint32_t sum = 0;
    for (std::uint32_t& begin : writes_of_) sum += std::exchange(begin, sum);
    std::vector<Write> sorted(writes_.size());
    for (const Write& write : writes_) sorted[writes_of_[write.key]++] = write;
    writes_ = std::move(sorted);
    // Each place is the end of its key's now, and so the beginning of the next one's.
    writes_of_.insert(writes_of_.begin(), 0);
    writes_of_.pop_back();
    for (std::size_t k = 0; k + 1 < writes_of_.size(); ++k)
      std::sort(writes_.begin() + writes_of_[k], writes_.begin() + writes_of_[k + 1]);
  }
  // The first write of a value to a key, if there is one.
  std::vector<Write>::const_iterator first_write(KeyIndex key, ValueId value) const {
    return std::lower_bound(writes_.begin() + writes_of_[key], writes_.begin() + writes_of_[key + 1],
                            Write{key, value, false, 0});
  }

  // How many writes there are of a value to a key, and the first of them (those that did not fail first).
  std::pair<std::size_t, std::uint32_t> writer_of(KeyIndex key, ValueId value) const {
    auto at = first_write(key, value);
    std::size_t count = 0;
    std::uint32_t first = kNone;
    for (; at != writes_.end() && at->key == key && at->value == value; ++at) {
      if (first == kNone) first = at->micro;
      if (!at->failed || count == 0) ++count;
    }
    return {count, first};
  }

  void one_transaction(TxnIndex t) {
    const Transactions& txns = out_.txns;
    const auto ops = txns.ops(t);
    for (std::size_t i = 0; i < ops.size(); ++i) {
      const MicroOp& op = ops[i];
      if (op.kind != MicroKind::read || op.value == kAbsent) continue;
      const std::uint32_t m = txns.first[t] + static_cast<std::uint32_t>(i);
      ValueId expected = kAbsent, written = kAbsent;  // what the last one on the key saw or wrote, and wrote
      std::uint32_t last = kNone;
      bool wrote = false;
      for (std::size_t j = 0; j < i; ++j) {
        if (ops[j].key != op.key || ops[j].value == kAbsent) continue;
        expected = ops[j].value;
        last = txns.first[t] + static_cast<std::uint32_t>(j);
        wrote = wrote || ops[j].kind == MicroKind::write;
        if (ops[j].kind == MicroKind::write) written = ops[j].value;
      }
      if (expected == op.value) {
        // A key that is read again shows its writer again: to an axiom it matters when a read was done.
        if (txns.micro[last].kind == MicroKind::read) out_.source[m] = out_.source[last];
        if (unclear_.contains(last)) unclear_.insert(m);
        continue;
      }
      if (expected != kAbsent) {
        add_finding(out_.findings,
                    {"internal",
                     op.key,
                     {t},
                     name(t) + " read " + text(op.value) + " from key " + key_text(op.key) + " although it had " +
                         (wrote ? "written" : "read") + " " + text(expected) + " there before",
                     {},
                     {}});
      }
      if (written != kAbsent && written != op.value) {
        add_finding(out_.findings, {kMissedOwnWrite,
                                    op.key,
                                    {t},
                                    name(t) + " read " + text(op.value) + " from key " + key_text(op.key) +
                                        " although it had written " + text(written) + " there itself",
                                    {},
                                    {}});
      }
      external(t, m);
    }
  }

  void external(TxnIndex t, std::uint32_t m) {
    const Transactions& txns = out_.txns;
    const MicroOp& op = txns.micro[m];
    const auto [count, by] = writer_of(op.key, op.value);
    const bool written = count > 0 && txns.outcome[owner_[by]] != Outcome::fail;
    if (count > 1 || (op.value == initial_ && written)) {  // `incomplete` says so
      unclear_.insert(m);
      open_read(t, m);
      return;
    }
    if (op.value == initial_) {
      out_.source[m] = kNone;
      return;
    }
    if (count == 0) {
      add_finding(out_.findings,
                  {"garbage-read",
                   op.key,
                   {t},
                   name(t) + " read " + text(op.value) + " from key " + key_text(op.key) + ", which nobody wrote to it",
                   {},
                   {}});
      return;
    }
    const TxnIndex source = owner_[by];
    if (source == t) {
      if (by > m)
        add_finding(out_.findings, {"future-read",
                                    op.key,
                                    {t},
                                    name(t) + " read " + text(op.value) + " from key " + key_text(op.key) +
                                        " before it wrote that itself",
                                    {},
                                    {}});
      return;
    }
    if (txns.outcome[source] == Outcome::fail) {
      add_finding(out_.findings, {"G1a",
                                  op.key,
                                  {source, t},
                                  name(t) + " read " + text(op.value) + " from key " + key_text(op.key) + ", which " +
                                      name(source) + " wrote, and that one failed",
                                  {},
                                  {}});
      return;
    }
    out_.committed[source] = true;
    for (std::uint32_t later = by + 1; later < txns.first[source + 1]; ++later) {
      const MicroOp& other = txns.micro[later];
      if (other.kind != MicroKind::write || other.key != op.key) continue;
      add_finding(out_.findings, {"G1b",
                                  op.key,
                                  {source, t},
                                  name(t) + " read " + text(op.value) + " from key " + key_text(op.key) +
                                      ", an intermediate state of " + name(source) + ", which wrote " +
                                      text(other.value) + " afterwards",
                                  {},
                                  {}});
      break;
    }
    out_.source[m] = source;
    edges_.add(source, t, by, EdgeKind::wr);
  }

  void open_read(TxnIndex t, std::uint32_t m) {
    const Transactions& txns = out_.txns;
    const MicroOp& op = txns.micro[m];
    OpenRead read{t, m, {}};
    if (op.value == initial_) read.candidates.push_back(kNone);
    for (auto at = first_write(op.key, op.value);
         at != writes_.end() && at->key == op.key && at->value == op.value && !at->failed; ++at) {
      if (owner_[at->micro] != t && is_last_write(at->micro)) read.candidates.push_back(owner_[at->micro]);
    }
    candidates_ += read.candidates.size();
    work(read.candidates.size());
    if (candidates_ <= max_choices_)
      out_.open_reads.push_back(std::move(read));
    else
      out_.sources_open = false;
  }
  // Of its transaction, to its key.
  bool is_last_write(std::uint32_t micro) const {
    const std::uint32_t end = out_.txns.first[owner_[micro] + 1];
    for (std::uint32_t m = micro + 1; m < end; ++m) {
      const MicroOp& op = out_.txns.micro[m];
      if (op.kind == MicroKind::write && op.key == out_.txns.micro[micro].key) return false;
    }
    return true;
  }

  void final_writes(TxnIndex t) {
    const auto ops = out_.txns.ops(t);
    for (std::size_t i = 0; i < ops.size(); ++i) {
      if (ops[i].kind != MicroKind::write) continue;
      const bool later =
          std::any_of(ops.begin() + static_cast<std::ptrdiff_t>(i) + 1, ops.end(),
                      [&](const MicroOp& other) { return other.kind == MicroKind::write && other.key == ops[i].key; });
      if (later) continue;
      auto& versions = versions_[ops[i].key];
      if (versions.empty()) versions.emplace_back();
      versions.push_back({t, ops[i].value, out_.txns.first[t] + static_cast<std::uint32_t>(i), {}, {}});
    }
  }

  void note_reader(TxnIndex t, std::uint32_t micro) {
    const KeyIndex key = out_.txns.micro[micro].key;
    const TxnIndex source = out_.source[micro];
    auto& versions = versions_[key];
    if (versions.empty()) return;  // nobody wrote the key
    std::size_t v = 0;
    if (source != kNone) {
      v = place_of(key, source);
      if (v == 0) return;
    }
    auto& version = versions[v];
    if (version.readers.empty() || version.readers.back() != t) version.readers.push_back(t);
    if (updates(t, micro)) version.updates.push_back(t);
  }
  // The transaction wrote the key after this read, and after no other that shows something of others.
  bool updates(TxnIndex t, std::uint32_t micro) const {
    bool read_again = false, out = false;
    for (std::uint32_t m = micro + 1; m < out_.txns.first[t + 1]; ++m) {
      if (out_.txns.micro[m].key != out_.txns.micro[micro].key) continue;
      if (out_.txns.micro[m].kind == MicroKind::write)
        out = !read_again;
      else
        read_again = read_again || out_.source[m] != kNoSource || unclear_.contains(m);
    }
    return out;
  }

  void one_key(KeyIndex k) {
    auto& versions = versions_[k];
    work(versions.size());
    if (versions.empty()) return;
    known_edges(k, versions);
    bool lost = false;
    for (const Version& version : versions) {
      out_.unobserved +=
          version.writer != kNone && version.readers.empty() && out_.txns.outcome[version.writer] == Outcome::ok;
      if (version.updates.size() < 2) continue;
      lost = true;
      const TxnIndex a = version.updates[0], b = version.updates[1];
      add_finding(out_.findings, {"lost-update",
                                  k,
                                  {a, b},
                                  name(a) + " and " + name(b) + " both read " +
                                      (version.writer == kNone ? "the initial state" : text(version.value)) +
                                      " of key " + key_text(k) + " and then wrote the key, so one update was lost",
                                  {},
                                  {}});
    }
    if (options_.lost_updates_allowed || !lost) choices(k, versions);
  }

  // Which of the key's versions `t` wrote; 0: none. Versions are in the order of their writers.
  std::uint32_t place_of(KeyIndex k, TxnIndex t) const {
    const auto& versions = versions_[k];
    if (versions.empty()) return 0;
    const auto at = std::lower_bound(versions.begin() + 1, versions.end(), t,
                                     [](const Version& version, TxnIndex wanted) { return version.writer < wanted; });
    return at != versions.end() && at->writer == t ? static_cast<std::uint32_t>(at - versions.begin()) : 0;
  }
  std::uint32_t written(const std::vector<Version>& versions, KeyIndex k, TxnIndex t) const {
    return versions[place_of(k, t)].micro;
  }

  // What holds at every level: reads come before the versions that replaced theirs.
  void known_edges(KeyIndex k, const std::vector<Version>& versions) {
    for (const Version& version : versions) {
      // Two updates of one version are a lost update, which the readers before further ones need not show again.
      const std::size_t enough = options_.lost_updates_allowed ? version.updates.size() : 2;
      for (std::size_t i = 0; i < version.updates.size(); ++i) {
        const TxnIndex update = version.updates[i];
        const std::uint32_t micro = written(versions, k, update);
        if (version.writer != kNone) edges_.add(version.writer, update, micro, EdgeKind::ww);
        if (i >= enough) continue;
        for (const TxnIndex reader : version.readers) edges_.add(reader, update, micro, EdgeKind::rw);
      }
    }
    const auto& initial = versions.front();
    if (initial.readers.size() * versions.size() <= 64) {
      for (const TxnIndex reader : initial.readers) {
        for (std::size_t v = 1; v < versions.size(); ++v)
          edges_.add(reader, versions[v].writer, versions[v].micro, EdgeKind::rw);
      }
      return;
    }
    // Readers that wrote the key themselves would meet themselves behind the helper; they get edges of their own.
    std::vector<TxnIndex> pure;
    std::size_t own = 0;
    for (const TxnIndex reader : initial.readers) {
      if (place_of(k, reader) == 0) {
        pure.push_back(reader);
      } else if (own++ < 2) {
        for (std::size_t v = 1; v < versions.size(); ++v)
          edges_.add(reader, versions[v].writer, versions[v].micro, EdgeKind::rw);
      }
    }
    const std::uint32_t helper = edges_.add_helper();
    for (const TxnIndex reader : pure) edges_.add(reader, helper, versions[1].micro, EdgeKind::rw);
    for (std::size_t v = 1; v < versions.size(); ++v)
      edges_.add(helper, versions[v].writer, versions[v].micro, EdgeKind::onward);
  }

  // Which versions of a key a transaction saw or made first and last.
  struct Touched {
    TxnIndex txn = 0;
    std::uint32_t first = 0, last = 0;
  };

  // Per-key sequentiality and linearizability: of two transactions that touch a key one after the other, in one process
  // or in real time, the later one's first version is not older than the earlier one's last.
  void asked_orders() {
    std::vector<std::vector<Touched>> touched(out_.txns.keys.size());
    for (TxnIndex t = 0; t < out_.txns.size(); ++t) {
      if (out_.txns.outcome[t] != Outcome::ok) continue;
      for (std::uint32_t m = out_.txns.first[t]; m < out_.txns.first[t + 1]; ++m) {
        const MicroOp& op = out_.txns.micro[m];
        auto version = static_cast<std::size_t>(kNone);
        if (op.kind == MicroKind::write) {
          const std::uint32_t found = place_of(op.key, t);
          if (found != 0 && versions_[op.key][found].micro == m) version = found;
        } else if (out_.source[m] == kNone) {
          version = 0;
        } else if (out_.source[m] != kNoSource) {
          if (const std::uint32_t found = place_of(op.key, out_.source[m]); found != 0) version = found;
        }
        if (version == kNone || versions_[op.key].empty()) continue;
        auto& list = touched[op.key];
        if (list.empty() || list.back().txn != t) list.push_back({t, static_cast<std::uint32_t>(version), 0});
        list.back().last = static_cast<std::uint32_t>(version);
      }
    }
    for (KeyIndex k = 0; k < touched.size(); ++k) {
      if (touched[k].size() > 1) asked_order(k, touched[k]);
    }
  }

  // `touched` is in the order of invocations. The versions that ended last are kept: those that no later one has
  // replaced.
  void asked_order(KeyIndex k, const std::vector<Touched>& touched) {
    std::vector<std::pair<std::uint32_t, std::uint32_t>> later;  // version, a later one
    if (options_.orders.sequential) {
      std::map<ProcessId, std::uint32_t> last;
      for (const Touched& one : touched) {
        const auto [known, fresh] = last.try_emplace(out_.txns.process[one.txn], one.last);
        if (!fresh) later.emplace_back(known->second, one.first);
        known->second = one.last;
      }
    }
    if (options_.orders.linearizable) {
      std::vector<Touched> ended = touched;
      const auto completion = [&](const Touched& one) { return out_.txns.completion[one.txn]; };
      std::sort(ended.begin(), ended.end(),
                [&](const Touched& a, const Touched& b) { return completion(a) < completion(b); });
      std::vector<Touched> front;
      std::size_t next = 0;
      for (const Touched& one : touched) {
        for (; next < ended.size() && completion(ended[next]) < out_.txns.invocation[one.txn]; ++next) {
          // Whatever ended before this one began is ordered before it already.
          std::erase_if(front,
                        [&](const Touched& old) { return completion(old) < out_.txns.invocation[ended[next].txn]; });
          front.push_back(ended[next]);
        }
        for (const Touched& old : front) later.emplace_back(old.last, one.first);
      }
    }
    std::sort(later.begin(), later.end());
    later.erase(std::unique(later.begin(), later.end()), later.end());
    std::erase_if(later, [](const auto& pair) { return pair.first == pair.second; });
    version_edges(k, later);
  }

  void version_edges(KeyIndex k, const std::vector<std::pair<std::uint32_t, std::uint32_t>>& later) {
    const auto& versions = versions_[k];
    // With the order that updates show, as a graph of versions: it must not go round.
    std::vector<std::vector<std::uint32_t>> next(versions.size());
    for (const auto& [a, b] : later) next[a].push_back(b);
    for (std::uint32_t v = 0; v < versions.size(); ++v) {
      for (const TxnIndex update : versions[v].updates) next[v].push_back(place_of(k, update));
      if (v > 0) next[0].push_back(v);
    }
    const Components parts = components(static_cast<std::uint32_t>(versions.size()),
                                        [&](std::uint32_t v, std::uint32_t& cursor, std::uint32_t& w) {
                                          if (cursor == next[v].size()) return false;
                                          w = next[v][cursor++];
                                          return true;
                                        });
    if (parts.size.size() != versions.size()) {
      Finding finding{
          "cyclic-versions",
          k,
          {},
          "the versions of key " + key_text(k) + " follow each other in a circle, with the order asked for: ",
          {},
          {}};
      const auto first = static_cast<std::uint32_t>(
          std::find_if(parts.of.begin(), parts.of.end(), [&](std::uint32_t part) { return parts.size[part] > 1; }) -
          parts.of.begin());
      for (std::uint32_t v = 0; v < versions.size(); ++v) {
        if (!parts.same(v, first)) continue;
        if (versions[v].writer != kNone) finding.txns.push_back(versions[v].writer);
        finding.explanation +=
            (v == first ? "" : ", ") + (v == 0 ? std::string("the initial one") : text(versions[v].value));
      }
      add_finding(out_.findings, std::move(finding));
      return;
    }
    for (const auto& [a, b] : later) {
      if (b == 0) continue;
      if (versions[a].writer != kNone)
        edges_.add(versions[a].writer, versions[b].writer, versions[b].micro, EdgeKind::ww);
      for (const TxnIndex reader : versions[a].readers)
        edges_.add(reader, versions[b].writer, versions[b].micro, EdgeKind::rw);
    }
  }

  struct Chain {
    std::size_t head = 0, tail = 0;
  };

  void choices(KeyIndex k, const std::vector<Version>& versions) {
    std::vector<std::size_t> successor(versions.size(), 0);
    std::vector<bool> has_predecessor(versions.size(), false), on_chain(versions.size(), false);
    for (std::size_t v = 0; v < versions.size(); ++v) {
      if (versions[v].updates.empty() || options_.lost_updates_allowed) continue;
      successor[v] = place_of(k, versions[v].updates.front());
      has_predecessor[successor[v]] = true;
    }
    std::vector<Chain> chains;
    std::size_t covered = 0;
    for (std::size_t v = 0; v < versions.size(); ++v) {
      if (has_predecessor[v]) continue;
      Chain chain{v, v};
      for (++covered; successor[chain.tail] != 0; ++covered) chain.tail = successor[chain.tail];
      chains.push_back(chain);
    }
    if (covered != versions.size()) {
      Finding finding{
          "cyclic-versions", k, {}, "the versions of key " + key_text(k) + " follow each other in a circle", {}, {}};
      // Those that no chain reaches go round.
      for (const Chain& chain : chains) {
        for (std::size_t v = chain.head;; v = successor[v]) {
          on_chain[v] = true;
          if (v == chain.tail) break;
        }
      }
      for (std::size_t v = 1; v < versions.size(); ++v) {
        if (!on_chain[v]) finding.txns.push_back(versions[v].writer);
      }
      add_finding(out_.findings, std::move(finding));
      return;
    }
    if (!options_.order) {
      out_.order_unasked = out_.order_unasked || chains.size() > 1;
      return;
    }
    // Whatever starts with the initial version is known to be first; if that is the initial version alone,
    // `known_edges` has it.
    const auto base = static_cast<std::uint32_t>(out_.stretches.size());
    for (const Chain& chain : chains) {
      const Version &head = versions[chain.head], &tail = versions[chain.tail];
      const auto readers = static_cast<std::uint32_t>(out_.readers.size());
      out_.readers.insert(out_.readers.end(), tail.readers.begin(), tail.readers.end());
      out_.stretches.push_back(
          {k, head.writer, tail.writer, head.value, readers, static_cast<std::uint32_t>(out_.readers.size())});
    }
    const auto end = static_cast<std::uint32_t>(out_.stretches.size());
    choices_in_realtime(base, chains[0].tail != 0);
    if (out_.open_pairs_dropped) return;
    for (std::uint32_t c = base + 1; c < end; ++c) {
      if (chains[0].tail != 0) edges_before(out_, out_.stretches[base], out_.stretches[c], out_.forced);
      if (out_.choices.size() + (end - c) > max_choices_) {
        out_.open_pairs_dropped = true;
        out_.choices.clear();
        return;
      }
      work(end - c);
      for (std::uint32_t d = c + 1; d < end; ++d) out_.choices.push_back({c, d});
    }
  }

  // The stretches of one key, the initial one first.
  void choices_in_realtime(std::uint32_t base, bool initial_written) {
    if (!out_.in_realtime) return;
    RealtimeChoices& out = *out_.in_realtime;
    const Transactions& txns = out_.txns;
    constexpr EventIndex kNever = std::numeric_limits<EventIndex>::max();
    const auto begin = [&](std::uint32_t s) { return txns.invocation[out_.stretches[s].head]; };
    const auto end_of = [&](TxnIndex t) { return txns.outcome[t] == Outcome::ok ? txns.completion[t] : kNever; };
    std::vector<std::uint32_t> by_begin;
    for (std::uint32_t s = base + 1; s < out_.stretches.size(); ++s) by_begin.push_back(s);
    std::sort(by_begin.begin(), by_begin.end(), [&](std::uint32_t a, std::uint32_t b) { return begin(a) < begin(b); });
    // Concurrent ones.
    std::vector<std::uint32_t> active;
    for (const std::uint32_t s : by_begin) {
      std::erase_if(active, [&](std::uint32_t old) { return end_of(out_.stretches[old].tail) < begin(s); });
      work(1 + active.size());
      for (const std::uint32_t old : active) out.choices.push_back({old, s});
      active.push_back(s);
      if (out.choices.size() > max_choices_) {
        out_.in_realtime.reset();
        return;
      }
    }
    // The others: who read the last version of one comes before those that follow it, which real time may not say. If
    // the writer of one of these ended before the reader began, that alone is a contradiction.
    for (std::uint32_t s = base; s < out_.stretches.size(); ++s) {
      const Stretch& earlier = out_.stretches[s];
      const bool first = s == base;
      if (first && !initial_written) continue;
      const EventIndex after = first ? 0 : end_of(earlier.tail);
      const auto from =
          first ? by_begin.begin()
                : std::upper_bound(by_begin.begin(), by_begin.end(), after,
                                   [&](EventIndex event, std::uint32_t other) { return event < begin(other); });
      if (first) {
        for (const std::uint32_t other : by_begin)
          out.forced.push_back(
              {earlier.tail, out_.stretches[other].head, earlier.key, out_.stretches[other].head_value, EdgeKind::ww});
      }
      for (std::uint32_t i = earlier.readers; i < earlier.readers_end; ++i) {
        const TxnIndex reader = out_.readers[i];
        for (auto other = from; other != by_begin.end() && begin(*other) < end_of(reader); ++other) {
          const Stretch& later = out_.stretches[*other];
          if (later.head == reader) continue;
          out.forced.push_back({reader, later.head, later.key, later.head_value, EdgeKind::rw});
          if (end_of(later.head) < txns.invocation[reader]) break;
        }
      }
    }
  }

  static constexpr std::size_t kStepsALook = 20'000;
  const Limits& limits_;
  std::size_t work_ = 0;
  const History& history_;
  const ValueTable& values_;
  Inference out_;
  EdgeList edges_;
  RegisterOptions options_;
  ValueId initial_;
  std::size_t max_choices_;
  std::vector<TxnIndex> owner_;
  std::vector<Write> writes_;
  std::vector<std::uint32_t> writes_of_;        // by key: where its writes begin; and their end
  std::set<std::uint32_t> unclear_;             // reads of a value that several transactions wrote
  std::size_t candidates_ = 0;                  // of all open reads
  std::vector<std::vector<Version>> versions_;  // by key; empty when nobody wrote it
};

// About what the columns by micro-operation, the versions and the edges take, in bytes.
constexpr std::size_t kBytesPerMicroOp = 100;

}  // namespace

Inference infer_rw_register(const History& history, Transactions txns, const RegisterOptions& options,
                            const Limits& limits) {
  limits.need(txns.micro.size() * kBytesPerMicroOp);
  return RwRegister(history, std::move(txns), options, limits).run();
}

Result<VersionOrders> version_orders(std::string_view names) {
  VersionOrders out;
  while (!names.empty()) {
    const std::string_view one = names.substr(0, names.find(','));
    if (one == "sequential")
      out.sequential = true;
    else if (one == "linearizable")
      out.linearizable = true;
    else if (one != "wfr" && one != "initial")
      return fail(unknown_name("version order", one, {"initial", "wfr", "sequential", "linearizable"}));
    names.remove_prefix(std::min(names.size(), one.size() + 1));
  }
  return out;
}

}  // namespace ordeal::txn
