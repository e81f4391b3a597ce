#include "support/txn_stores.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>

namespace ordeal::testing_support {
namespace {

constexpr std::size_t kSites = 3;
using SiteClock = std::vector<std::size_t>;  // by site: how many of its commits

// A transaction in the store. It may outlive its client.
struct Running {
  std::size_t txn = 0;  // in the history
  int client = 0;       // -1: gave up
  int process = 0;
  std::vector<OracleOp> ops;
  std::size_t next = 0;
  int waited = 0;
  std::map<int, std::vector<int>> writes;  // in order
  std::map<int, std::size_t> seen;         // by key: how many versions there were up to the one that was read last
  std::set<int> locked;
  std::size_t snapshot = 0;  // how many commits it sees
  SiteClock clock;
  std::map<int, std::size_t> floor;  // by key: how many versions must be seen at least
  std::set<std::size_t> hidden;      // commits it does not see
};

struct Version {
  std::size_t commit = 0;  // number of the commit
  std::size_t stamp = 0;   // Lamport's, for the last writer to win
  std::size_t site = 0, sequence = 0;
  std::vector<int> value;
};

struct Commit {
  std::size_t snapshot = 0;
  std::set<int> reads, writes;
  bool in = false, out = false;  // anti-dependencies of concurrent transactions
  SiteClock needs;
  std::size_t site = 0, sequence = 0, stamp = 0;
};

enum class Step { done, wait, refuse };

class Store {
 public:
  Store(const StoreRun& run, std::mt19937_64& chance)
      : run_(run), chance_(chance), applied_(kSites, SiteClock(kSites, 0)), log_(kSites) {}

  void begin(Running& t) {
    const std::size_t now = commits_.size();
    const auto recent = [&](std::size_t least) {
      return std::max(least, now - below(std::min<std::size_t>(now, 30) + 1));
    };
    switch (run_.protocol) {
      case Protocol::snapshot_old:
      case Protocol::serializable_old:
        t.snapshot = recent(0);
        break;
      case Protocol::snapshot_session:
      case Protocol::prefix:
        t.snapshot = recent(session_saw_[t.process]);
        break;
      case Protocol::parallel:
      case Protocol::causal:
        t.clock = applied_[site(t)];
        break;
      case Protocol::read_atomic:
        t.floor = session_wrote_[t.process];
        break;
      case Protocol::updates:
        t.snapshot = now;
        if (only_reads(t)) hide(t);
        break;
      default:
        t.snapshot = now;
    }
  }

  Step operation(Running& t, OracleOp& op) {
    if (op.f == 'r') return read(t, op);
    if (locks() && !lock(t, op.key, true)) return Step::wait;
    if (run_.protocol == Protocol::cursor && !t.writes.contains(op.key)) {
      const auto seen = t.seen.find(op.key);
      if (seen != t.seen.end() && seen->second != chain_[op.key].size()) return Step::refuse;
    }
    t.writes[op.key].push_back(op.value);
    return Step::done;
  }

  // False: refused.
  bool commit(Running& t) {
    if (first_wins() && lost(t)) return false;
    Commit record;
    record.snapshot = t.snapshot;
    for (const OracleOp& op : t.ops) (op.f == 'r' ? record.reads : record.writes).insert(op.key);
    if ((run_.protocol == Protocol::serializable || run_.protocol == Protocol::serializable_old) &&
        !record_conflicts(t, record))
      return false;
    if (run_.protocol == Protocol::parallel || run_.protocol == Protocol::causal) replicate(t, record);
    if (!t.writes.empty() || run_.protocol == Protocol::serializable || run_.protocol == Protocol::serializable_old)
      install(t, std::move(record));
    session_saw_[t.process] = std::max(session_saw_[t.process], t.writes.empty() ? t.snapshot : commits_.size());
    release(t);
    return true;
  }

  void release(Running& t) {
    for (const int key : t.locked) {
      writer_.erase(key);
      readers_[key].erase(t.txn);
    }
    t.locked.clear();
    dirty_.erase(t.txn);
  }

  // What the store does by itself: replication.
  void tick() {
    const std::size_t at = below(kSites), from = below(kSites);
    if (applied_[at][from] == log_[from].size()) return;
    const SiteClock& needs = commits_[log_[from][applied_[at][from]]].needs;
    for (std::size_t s = 0; s < kSites; ++s) {
      if (needs[s] > applied_[at][s]) return;
    }
    ++applied_[at][from];
  }

 private:
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(chance_() % n); }
  static std::size_t site(const Running& t) { return static_cast<std::size_t>(t.process) % kSites; }
  static bool only_reads(const Running& t) {
    return std::all_of(t.ops.begin(), t.ops.end(), [](const OracleOp& op) { return op.f == 'r'; });
  }
  bool locks() const {
    switch (run_.protocol) {
      case Protocol::two_phase:
      case Protocol::updates:
      case Protocol::cursor:
      case Protocol::committed:
      case Protocol::committed_old:
      case Protocol::uncommitted:
        return true;
      default:
        return false;
    }
  }
  bool first_wins() const {
    switch (run_.protocol) {
      case Protocol::serializable:
      case Protocol::serializable_old:
      case Protocol::snapshot:
      case Protocol::snapshot_session:
      case Protocol::snapshot_old:
      case Protocol::parallel:
        return true;
      default:
        return false;
    }
  }

  bool lock(Running& t, int key, bool exclusive) {
    const auto owner = writer_.find(key);
    if (owner != writer_.end() && owner->second != t.txn) return false;
    auto& readers = readers_[key];
    if (exclusive && std::any_of(readers.begin(), readers.end(), [&](std::size_t reader) { return reader != t.txn; }))
      return false;
    if (exclusive)
      writer_[key] = t.txn;
    else
      readers.insert(t.txn);
    t.locked.insert(key);
    if (exclusive) dirty_[t.txn] = &t;
    return true;
  }

  // The value of a key with the transaction's own writes.
  std::vector<int> with_own(const Running& t, int key, std::vector<int> base) const {
    const auto own = t.writes.find(key);
    if (own == t.writes.end()) return base;
    if (!run_.lists) return {own->second.back()};
    base.insert(base.end(), own->second.begin(), own->second.end());
    return base;
  }

  Step read(Running& t, OracleOp& op) {
    const bool two_phase =
        run_.protocol == Protocol::two_phase || (run_.protocol == Protocol::updates && !only_reads(t));
    if (two_phase && !lock(t, op.key, false)) return Step::wait;
    const auto& chain = chain_[op.key];
    const std::size_t version = version_for(t, op.key);
    t.seen[op.key] = version;
    std::vector<int> base;
    if (version > 0) base = chain[version - 1].value;
    if (run_.protocol == Protocol::uncommitted) {
      const auto owner = writer_.find(op.key);
      if (owner != writer_.end() && owner->second != t.txn) base = with_own(*dirty_.at(owner->second), op.key, base);
    }
    op.seen = with_own(t, op.key, base);
    return Step::done;
  }

  // How many versions of the key there are up to the one to read.
  std::size_t version_for(Running& t, int key) {
    const auto& chain = chain_[key];
    const auto newest = [&](auto&& visible) {
      std::size_t out = chain.size();
      while (out > 0 && !visible(chain[out - 1])) --out;
      return out;
    };
    switch (run_.protocol) {
      case Protocol::serializable:
      case Protocol::serializable_old:
      case Protocol::snapshot:
      case Protocol::snapshot_session:
      case Protocol::snapshot_old:
      case Protocol::prefix:
        return newest([&](const Version& v) { return v.commit < t.snapshot; });
      case Protocol::parallel:
      case Protocol::causal:
        return newest([&](const Version& v) { return v.sequence <= t.clock[v.site]; });
      case Protocol::updates:
        return only_reads(t)
                   ? newest([&](const Version& v) { return v.commit < t.snapshot && !t.hidden.contains(v.commit); })
                   : chain.size();
      case Protocol::read_atomic:
        return atomic_version(t, key);
      case Protocol::monotonic_view: {
        const std::size_t version = any_version(t, key);
        know(t, key, version);
        return version;
      }
      case Protocol::committed_old:
        return t.writes.contains(key) ? chain.size() : any_version(t, key);
      default:
        return chain.size();
    }
  }

  std::size_t any_version(Running& t, int key) {
    const std::size_t last = chain_[key].size(), first = std::max(t.floor[key], last - std::min<std::size_t>(last, 3));
    return first + below(last - first + 1);
  }
  // Whoever sees a version sees all that its transaction wrote.
  void know(Running& t, int key, std::size_t version) {
    if (version == 0) return;
    const std::size_t commit = chain_[key][version - 1].commit;
    for (const int other : commits_[commit].writes) t.floor[other] = std::max(t.floor[other], place_of(commit, other));
  }
  std::size_t place_of(std::size_t commit, int key) const {
    const auto& chain = chain_.at(key);
    std::size_t out = chain.size();
    while (chain[out - 1].commit != commit) --out;
    return out;
  }
  std::size_t atomic_version(Running& t, int key) {
    const auto before = t.seen.find(key);
    if (before != t.seen.end()) return before->second;
    std::size_t version = any_version(t, key);
    const auto torn = [&] {
      if (version == 0) return false;
      const std::size_t commit = chain_[key][version - 1].commit;
      return std::any_of(t.seen.begin(), t.seen.end(), [&](const auto& one) {
        return commits_[commit].writes.contains(one.first) && place_of(commit, one.first) > one.second;
      });
    };
    while (version > t.floor[key] && torn()) --version;
    know(t, key, version);
    return version;
  }

  // Some of the last updates, and all that conflict with them and came later.
  void hide(Running& t) {
    constexpr std::size_t kRecent = 12;
    std::set<int> reads, writes;
    for (std::size_t c = commits_.size() - std::min(commits_.size(), kRecent); c < commits_.size(); ++c) {
      const Commit& one = commits_[c];
      const auto meets = [](const std::set<int>& a, const std::set<int>& b) {
        return std::any_of(a.begin(), a.end(), [&](int key) { return b.contains(key); });
      };
      if (below(4) != 0 && !meets(one.writes, writes) && !meets(one.writes, reads) && !meets(one.reads, writes))
        continue;
      t.hidden.insert(c);
      reads.insert(one.reads.begin(), one.reads.end());
      writes.insert(one.writes.begin(), one.writes.end());
    }
  }

  bool lost(const Running& t) {
    return std::any_of(t.writes.begin(), t.writes.end(), [&](const auto& write) {
      const auto& chain = chain_[write.first];
      if (chain.empty()) return false;
      if (run_.protocol == Protocol::parallel) return chain.back().sequence > t.clock[chain.back().site];
      return chain.back().commit >= t.snapshot;
    });
  }

  // False where two anti-dependencies between concurrent transactions would follow each other.
  bool record_conflicts(const Running& t, Commit& record) {
    const auto meets = [](const std::set<int>& a, const std::set<int>& b) {
      return std::any_of(a.begin(), a.end(), [&](int key) { return b.contains(key); });
    };
    std::vector<std::size_t> overwrote, missed;  // what this one read; what this one writes
    for (std::size_t c = t.snapshot; c < commits_.size(); ++c) {
      if (meets(record.reads, commits_[c].writes)) overwrote.push_back(c);
      if (meets(record.writes, commits_[c].reads)) missed.push_back(c);
    }
    record.out = !overwrote.empty();
    record.in = !missed.empty();
    if (record.in && record.out) return false;
    if (std::any_of(overwrote.begin(), overwrote.end(), [&](std::size_t c) { return commits_[c].out; })) return false;
    if (std::any_of(missed.begin(), missed.end(), [&](std::size_t c) { return commits_[c].in; })) return false;
    for (const std::size_t c : overwrote) commits_[c].in = true;
    for (const std::size_t c : missed) commits_[c].out = true;
    return true;
  }

  void replicate(const Running& t, Commit& record) {
    if (t.writes.empty()) return;
    record.site = site(t);
    record.needs = t.clock;
    if (run_.protocol == Protocol::causal && run_.lists) {
      // The primary of each key puts the appends behind what is there, which whoever sees them must see, too.
      for (const auto& [key, values] : t.writes) {
        if (chain_[key].empty()) continue;
        const Version& last = chain_[key].back();
        record.needs[last.site] = std::max(record.needs[last.site], last.sequence);
      }
      fetch(record.site, record.needs);
    }
    record.stamp = 1 + stamps_[record.site];
    for (std::size_t s = 0; s < kSites; ++s) {
      for (std::size_t i = 0; i < applied_[record.site][s]; ++i)
        record.stamp = std::max(record.stamp, commits_[log_[s][i]].stamp + 1);
    }
    stamps_[record.site] = record.stamp;
    record.sequence = log_[record.site].size() + 1;
    log_[record.site].push_back(commits_.size());
    applied_[record.site][record.site] = record.sequence;
  }
  void fetch(std::size_t at, const SiteClock& wanted) {
    for (std::size_t s = 0; s < kSites; ++s) {
      while (applied_[at][s] < wanted[s]) {
        const std::size_t next = log_[s][applied_[at][s]];
        fetch(at, SiteClock(commits_[next].needs));
        // The needs may have brought it along.
        applied_[at][s] = std::max(applied_[at][s], commits_[next].sequence);
      }
    }
  }

  void install(Running& t, Commit record) {
    for (const auto& [key, values] : t.writes) {
      auto& chain = chain_[key];
      Version version;
      version.commit = commits_.size();
      version.stamp = record.stamp;
      version.site = record.site;
      version.sequence = record.sequence;
      if (run_.lists && !chain.empty()) version.value = chain.back().value;
      if (!run_.lists)
        version.value.assign(1, values.back());
      else
        version.value.insert(version.value.end(), values.begin(), values.end());
      const bool last_wins = run_.protocol == Protocol::causal && !run_.lists;
      auto at = chain.end();
      while (last_wins && at != chain.begin() &&
             std::pair(std::prev(at)->stamp, std::prev(at)->site) > std::pair(version.stamp, version.site))
        --at;
      chain.insert(at, std::move(version));
      session_wrote_[t.process][key] = chain.size();
    }
    commits_.push_back(std::move(record));
  }

  const StoreRun& run_;
  std::mt19937_64& chance_;
  std::map<int, std::vector<Version>> chain_;
  std::vector<Commit> commits_;
  std::map<int, std::size_t> writer_;  // by key: who has its write lock
  std::map<int, std::set<std::size_t>> readers_;
  std::map<std::size_t, const Running*> dirty_;  // those with write locks
  std::map<int, std::size_t> session_saw_;
  std::map<int, std::map<int, std::size_t>> session_wrote_;
  std::vector<SiteClock> applied_;
  std::vector<std::vector<std::size_t>> log_;  // by site: its commits
  std::map<std::size_t, std::size_t> stamps_;
};

// Clients, each with one transaction at a time, and transactions whose clients gave up; what happens next is drawn.
class Clients {
 public:
  Clients(const StoreRun& run, std::mt19937_64& chance) : run_(run), chance_(chance), store_(run, chance) {
    for (int c = 0; c < run.clients; ++c) process_.push_back(c);
    fresh_ = run.clients;
    for (int k = 0; k < run.keys; ++k) keys_.push_back({next_key_++, 0});
  }

  OracleHistory history() {
    while (history_.size() < run_.transactions || busy() > 0) {
      store_.tick();
      const auto one = below(static_cast<std::size_t>(run_.clients) + orphans_.size());
      if (one >= process_.size()) {
        const std::size_t at = one - process_.size();
        if (advance(*orphans_[at])) orphans_.erase(orphans_.begin() + static_cast<std::ptrdiff_t>(at));
        continue;
      }
      auto& mine = running_[static_cast<int>(one)];
      if (mine == nullptr) {
        if (history_.size() < run_.transactions) mine = invoke(static_cast<int>(one));
      } else if (happens(run_.gives_up)) {
        give_up(std::move(mine));
      } else if (ended_.contains(mine->txn)) {
        complete(*mine);
        mine.reset();
      } else {
        advance(*mine);
      }
    }
    return std::move(history_);
  }

 private:
  struct Key {
    int number, writes;
  };
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(chance_() % n); }
  bool happens(double p) { return std::uniform_real_distribution<>(0, 1)(chance_) < p; }
  std::size_t busy() const {
    return static_cast<std::size_t>(
        std::count_if(running_.begin(), running_.end(), [](const auto& one) { return one.second != nullptr; }));
  }
  // Appends that are put on top of whatever is there at the commit are not read before; see
  // checkers/transactions/README.md.
  bool rebases() const {
    return run_.lists && (run_.protocol == Protocol::causal || run_.protocol == Protocol::prefix ||
                          run_.protocol == Protocol::read_atomic || run_.protocol == Protocol::monotonic_view);
  }

  std::unique_ptr<Running> invoke(int client) {
    auto out = std::make_unique<Running>();
    out->client = client;
    out->process = process_[static_cast<std::size_t>(client)];
    out->txn = history_.size();
    const bool only_reads = happens(0.3);
    std::set<int> appended;
    for (std::size_t n = 1 + below(run_.operations); n > 0; --n) {
      Key& key = keys_[below(keys_.size())];
      OracleOp op{only_reads || happens(0.5) ? 'r' : run_.lists ? 'a' : 'w', key.number, 0, {}};
      if (op.f == 'r' && rebases() && appended.contains(op.key)) op.f = 'a';
      if (op.f != 'r') {
        op.value = ++value_;
        appended.insert(op.key);
        if (++key.writes >= run_.writes) key = {next_key_++, 0};
      }
      out->ops.push_back(op);
    }
    OracleTxn txn;
    txn.ops = out->ops;
    txn.process = out->process;
    txn.begin = clock_++;
    history_.push_back(std::move(txn));
    store_.begin(*out);
    return out;
  }

  // One step of a transaction. True: it has ended.
  bool advance(Running& t) {
    if (happens(run_.refused / 4)) return end(t, false);
    if (t.next == t.ops.size()) return end(t, store_.commit(t));
    constexpr int kPatience = 30;
    switch (store_.operation(t, t.ops[t.next])) {
      case Step::done:
        ++t.next;
        t.waited = 0;
        return false;
      case Step::wait:
        return ++t.waited > kPatience && end(t, false);
      case Step::refuse:
        return end(t, false);
    }
    return false;
  }
  bool end(Running& t, bool committed) {
    if (!committed) store_.release(t);
    ended_[t.txn] = committed;
    return true;
  }

  void complete(const Running& t) {
    OracleTxn& txn = history_[t.txn];
    txn.outcome = ended_.at(t.txn) ? 'o' : 'f';
    if (txn.outcome == 'o') txn.ops = t.ops;
    txn.end = clock_++;
  }
  void give_up(std::unique_ptr<Running> t) {
    OracleTxn& txn = history_[t->txn];
    txn.outcome = 'i';
    txn.end = clock_++;
    process_[static_cast<std::size_t>(t->client)] = fresh_++;
    if (ended_.contains(t->txn)) return;
    // The store goes on with it, or notices.
    if (happens(0.6))
      orphans_.push_back(std::move(t));
    else
      store_.release(*t);
  }

  const StoreRun& run_;
  std::mt19937_64& chance_;
  Store store_;
  OracleHistory history_;
  std::map<int, std::unique_ptr<Running>> running_;  // by client
  std::vector<std::unique_ptr<Running>> orphans_;
  std::map<std::size_t, bool> ended_;  // by transaction: committed?
  std::vector<int> process_;
  std::vector<Key> keys_;
  int next_key_ = 0, value_ = 0, clock_ = 0, fresh_ = 0;
};

}  // namespace

const std::vector<ProtocolInfo>& protocols() {
  static const std::vector<ProtocolInfo> all = {
      {Protocol::two_phase, "two-phase", "strict-serializable", ""},
      {Protocol::serializable, "serializable", "strict-serializable", ""},
      {Protocol::serializable_old, "serializable-old", "serializable", "strong-session-serializable"},
      {Protocol::snapshot, "snapshot", "strong-snapshot-isolation", "serializable"},
      {Protocol::snapshot_session, "snapshot-session", "strong-session-snapshot-isolation",
       "strong-snapshot-isolation"},
      {Protocol::snapshot_old, "snapshot-old", "snapshot-isolation", "strong-session-snapshot-isolation"},
      {Protocol::parallel, "parallel", "strong-session-parallel-snapshot-isolation", "snapshot-isolation"},
      {Protocol::causal, "causal", "causal", "prefix"},
      {Protocol::prefix, "prefix", "prefix", "cursor-stability"},
      {Protocol::read_atomic, "read-atomic", "read-atomic", "pram"},
      {Protocol::monotonic_view, "monotonic-view", "monotonic-atomic-view", "read-atomic"},
      {Protocol::cursor, "cursor", "strong-cursor-stability", "read-atomic"},
      {Protocol::committed, "committed", "strong-monotonic-atomic-view", "cursor-stability"},
      {Protocol::committed_old, "committed-old", "read-committed", "monotonic-atomic-view"},
      {Protocol::uncommitted, "uncommitted", "strong-read-uncommitted", "read-committed"},
      {Protocol::updates, "updates", "update-serializable", "repeatable-read"},
  };
  return all;
}

OracleHistory run_store(const StoreRun& run, std::mt19937_64& chance) { return Clients(run, chance).history(); }

}  // namespace ordeal::testing_support
