#include "checkers/transactions/axioms.h"

#include <algorithm>
#include <deque>
#include <unordered_map>
#include <utility>

namespace ordeal::txn {
namespace {

struct ExternalRead {
  TxnIndex txn = 0;
  KeyIndex key = 0;
  TxnIndex source = kNone;
};
struct FinalWrite {
  TxnIndex txn = 0;
  KeyIndex key = 0;
};

// A session is what one process did up to and with its first transaction that did not end in ok; see DependencyGraph.
struct Place {
  std::uint32_t session = kNone;
  std::uint32_t number = 0;  // from 1
};

// Of each session, how much of it is known.
using Clock = std::vector<std::uint32_t>;
// A key's writers of one session begin here, in Axioms::by_key_; they end where the next run begins.
struct Run {
  std::uint32_t session = kNone, first = 0;
};
// `from` comes before `to`, because `reader` had to know of it and read from `to`.
struct Forced {
  TxnIndex from = 0, to = 0, reader = 0;
};
struct ForcedTo {
  TxnIndex to = 0, reader = 0;
};
// Clocks of all transactions are kept when they take no more than this, in entries of four bytes: then what they say
// already need not be forced.
constexpr std::size_t kMostKept = std::size_t{64} << 20;
constexpr std::size_t kForcedALook = 1 << 20;

class Axioms {
 public:
  Axioms(const Inference& in, const History& history, Axiom axiom, unsigned extra, const std::function<bool()>& late)
      : in_(in),
        history_(history),
        axiom_(axiom),
        extra_(extra),
        late_(late),
        n_(static_cast<std::uint32_t>(in.txns.size())) {}

  AxiomAnswer run() {
    index();
    past_ = components(in_.graph, mask());
    if (past_.size.size() != in_.graph.size()) {
      // This is G1c, G1c-process or G1c-realtime, which were reported as such.
      return {true, std::nullopt};
    }
    switch (axiom_) {
      case Axiom::read_committed:
        read_committed();
        break;
      case Axiom::read_atomic:
        read_atomic();
        [[fallthrough]];
      default:
        if (!visible_past()) return {};
    }
    if (limited_) return {};
    if (missed_initial_) return {true, std::move(missed_initial_)};
    return {true, circle(type())};
  }

 private:
  unsigned mask() const { return kDependencies | extra_; }
  std::string type() const {
    const std::string realtime = extra_ & kRealtime ? "-realtime" : "";
    switch (axiom_) {
      case Axiom::read_committed:
        return "non-monotonic-read" + (extra_ == kProcess ? "-process" : realtime);
      case Axiom::read_atomic:
        return "fractured-read" + realtime;
      case Axiom::pram:
        return "session-violation" + realtime;
      default:
        return "causality-violation" + realtime;
    }
  }

  void index() {
    reads_of_.assign(1, 0);
    writes_of_.assign(1, 0);
    for (TxnIndex t = 0; t < n_; ++t) {
      for (std::uint32_t m = in_.txns.first[t]; m < in_.txns.first[t + 1]; ++m) {
        const MicroOp& op = in_.txns.micro[m];
        if (in_.source[m] != kNoSource) all_reads_.push_back({t, op.key, in_.source[m]});
        if (op.kind != MicroKind::read && in_.committed[t]) all_writes_.push_back({t, op.key});
      }
      const auto mine = all_writes_.begin() + writes_of_.back();
      std::sort(mine, all_writes_.end(), [](const FinalWrite& a, const FinalWrite& b) { return a.key < b.key; });
      const auto same = [](const FinalWrite& a, const FinalWrite& b) { return a.key == b.key; };
      all_writes_.erase(std::unique(mine, all_writes_.end(), same), all_writes_.end());
      reads_of_.push_back(static_cast<std::uint32_t>(all_reads_.size()));
      writes_of_.push_back(static_cast<std::uint32_t>(all_writes_.size()));
    }
    std::unordered_map<ProcessId, Place> last;
    place_.resize(n_);
    for (TxnIndex t = 0; t < n_; ++t) {
      if (in_.txns.outcome[t] == Outcome::fail || !in_.committed[t]) continue;
      auto& session = last.try_emplace(in_.txns.process[t], Place{session_count_, 0}).first->second;
      if (session.session == session_count_) ++session_count_;
      place_[t] = {session.session, session.number + 1};
      // Nothing follows a crashed transaction: it is a session of its own, behind what its process had done.
      if (in_.txns.outcome[t] == Outcome::ok) {
        ++session.number;
      } else {
        if (session.number > 0) crashed_behind_.emplace(t, session);
        place_[t] = {session_count_++, 1};
      }
    }
  }

  std::span<const ExternalRead> reads(TxnIndex t) const {
    return std::span(all_reads_).subspan(reads_of_[t], reads_of_[t + 1] - reads_of_[t]);
  }
  std::span<const FinalWrite> writes(TxnIndex t) const {
    return std::span(all_writes_).subspan(writes_of_[t], writes_of_[t + 1] - writes_of_[t]);
  }
  bool wrote(TxnIndex t, KeyIndex key) const {
    const auto mine = writes(t);
    const auto at = std::lower_bound(mine.begin(), mine.end(), key,
                                     [](const FinalWrite& one, KeyIndex wanted) { return one.key < wanted; });
    return at != mine.end() && at->key == key;
  }

  // `knows` wrote the key that `read` shows, and the reader has to know of it.
  void force(TxnIndex knows, const ExternalRead& read) {
    if (knows == read.source || knows == read.txn) return;
    if (read.source == kNone) {
      if (missed_initial_) return;
      Finding out;
      out.type = type();
      out.key = read.key;
      out.txns = {knows, read.txn};
      out.explanation = name(read.txn) + " read the initial state of key " + key_text(read.key) +
                        " although it had to know of " + name(knows) + ", which wrote it";
      tell_way(knows, read.txn, out);
      missed_initial_ = std::move(out);
      return;
    }
    if (in_past(knows, read.source)) return;  // a way along what is known says so already
    pending_.push_back({knows, read.source, read.txn});
    if (pending_.size() >= next_look_) {
      limited_ = limited_ || late_();
      next_look_ = pending_.size() + kForcedALook;
    }
  }

  // Whether the clock that was kept of `later` says that `earlier` is in its past.
  bool in_past(TxnIndex earlier, TxnIndex later) const {
    if (clocks_.empty()) return false;
    const Clock& clock = clocks_[later];
    const Place& place = place_[earlier];
    return place.session < clock.size() && clock[place.session] >= place.number;
  }

  // Sorts the forced edges by where they begin, each once, with the first reader that forces it.
  void sort_forced() {
    forced_begin_.assign(n_ + 1, 0);
    for (const Forced& one : pending_) ++forced_begin_[one.from];
    std::uint32_t sum = 0;
    for (std::uint32_t& begin : forced_begin_) sum += std::exchange(begin, sum);
    std::vector<ForcedTo> sorted(pending_.size());
    for (const Forced& one : pending_) sorted[forced_begin_[one.from]++] = {one.to, one.reader};
    pending_ = {};
    // Now each place is the end of its transaction's.
    std::uint32_t begin = 0, kept = 0;
    for (TxnIndex t = 0; t < n_; ++t) {
      const std::uint32_t end = forced_begin_[t];
      const auto first = sorted.begin() + begin, last = sorted.begin() + end;
      std::sort(first, last,
                [](const ForcedTo& a, const ForcedTo& b) { return a.to != b.to ? a.to < b.to : a.reader < b.reader; });
      forced_begin_[t] = kept;
      for (TxnIndex before = kNone; begin < end; ++begin) {
        if (sorted[begin].to == before) continue;
        before = sorted[begin].to;
        sorted[kept++] = sorted[begin];
      }
    }
    forced_begin_[n_] = kept;
    sorted.resize(kept);
    forced_ = std::move(sorted);
  }
  std::span<const ForcedTo> forced(std::uint32_t v) const {
    if (v >= n_) return {};
    return std::span(forced_).subspan(forced_begin_[v], forced_begin_[v + 1] - forced_begin_[v]);
  }
  // The key of a forced edge: the reader read it from where the edge leads, and it was written where it begins.
  KeyIndex key_of(TxnIndex from, const ForcedTo& edge) const {
    for (const ExternalRead& read : reads(edge.reader)) {
      if (read.source == edge.to && wrote(from, read.key)) return read.key;
    }
    return kNone;
  }

  void read_committed() {
    for (TxnIndex t = 0; t < n_; ++t) {
      const auto mine = reads(t);
      std::vector<TxnIndex> known;
      for (const ExternalRead& read : mine) {
        for (const TxnIndex writer : known) {
          if (wrote(writer, read.key)) force(writer, read);
        }
        if (read.source != kNone && std::find(known.begin(), known.end(), read.source) == known.end())
          known.push_back(read.source);
      }
    }
  }

  void read_atomic() {
    for (TxnIndex t = 0; t < n_; ++t) {
      const auto mine = reads(t);
      for (const ExternalRead& read : mine) {
        for (const ExternalRead& other : mine) {
          if (other.source != kNone && wrote(other.source, read.key)) force(other.source, read);
        }
      }
    }
  }

  static void raise(Clock& into, const Clock& from) {
    if (into.size() < from.size()) into.resize(from.size(), 0);
    for (std::size_t s = 0; s < from.size(); ++s) into[s] = std::max(into[s], from[s]);
  }
  static void raise(Clock& into, Place to) {
    if (into.size() <= to.session) into.resize(to.session + 1, 0);
    into[to.session] = std::max(into[to.session], to.number);
  }

  // What a session had done when it did `v`, and `v`.
  void raise_session(Clock& into, TxnIndex v) const {
    raise(into, place_[v]);
    if (const auto behind = crashed_behind_.find(v); behind != crashed_behind_.end()) raise(into, behind->second);
  }

  // Clocks along the topological order: for each transaction and session, how much of the session it had to know. All
  // that comes along sessions (and time); along reads nothing for read atomic, what the writer's session had done for
  // PRAM, and all that the writer knew for causal consistency.
  bool visible_past() {
    index_sessions_of_keys();
    // Transactions and points in time.
    std::vector<std::uint32_t> order(past_.size.size());
    for (std::uint32_t v = 0; v < order.size(); ++v) order[order.size() - 1 - past_.of[v]] = v;
    clocks_.resize(in_.graph.size());
    const bool keep = std::size_t{n_} * session_count_ <= kMostKept;
    for (std::size_t i = 0; i < order.size(); ++i) {
      if (i % 1024 == 0 && late_()) limited_ = true;
      if (limited_) break;
      const std::uint32_t v = order[i];
      const bool transaction = in_.graph.is_transaction(v);
      if (transaction && place_[v].session == kNone) continue;
      Clock mine = std::move(clocks_[v]);
      clocks_[v] = {};
      if (transaction) {
        for (const ExternalRead& read : reads(v)) see(v, read, mine);
        raise(mine, place_[v]);
      }
      std::uint32_t to = 0;
      EdgeKind kind{};
      for (std::uint32_t cursor = 0; in_.graph.next(v, kWR | extra_, cursor, to, kind);) {
        if (in_.graph.is_transaction(to) && place_[to].session == kNone) continue;
        if (kind != EdgeKind::wr || axiom_ == Axiom::causal)
          raise(clocks_[to], mine);
        else if (axiom_ == Axiom::pram)
          raise_session(clocks_[to], v);
      }
      if (keep && transaction) clocks_[v] = std::move(mine);
    }
    clocks_ = {};
    return !limited_;
  }

  // What of each session had to be known: the last write of the key that was visible.
  void see(TxnIndex v, const ExternalRead& read, const Clock& mine) {
    for (std::uint32_t r = runs_of_[read.key]; r < runs_of_[read.key + 1]; ++r) {
      const Run& run = runs_[r];
      if (run.session >= mine.size() || mine[run.session] == 0) continue;
      const auto list = std::span(by_key_).subspan(run.first, runs_[r + 1].first - run.first);
      const std::uint32_t known = mine[run.session];
      const auto after =
          std::partition_point(list.begin(), list.end(), [&](TxnIndex w) { return place_[w].number <= known; });
      if (after != list.begin() && *std::prev(after) != v) force(*std::prev(after), read);
    }
  }

  // The writers of each key, by session, and where each session's begin.
  void index_sessions_of_keys() {
    const auto keys = in_.txns.keys.size();
    std::vector<std::uint32_t> end(keys + 1, 0);
    for (const FinalWrite& write : all_writes_) {
      if (place_[write.txn].session != kNone) ++end[write.key + 1];
    }
    for (std::size_t k = 0; k < keys; ++k) end[k + 1] += end[k];
    by_key_.resize(end[keys]);
    for (const FinalWrite& write : all_writes_) {
      if (place_[write.txn].session != kNone) by_key_[end[write.key]++] = write.txn;
    }
    std::uint32_t begin = 0;
    for (std::size_t k = 0; k < keys; ++k) {
      runs_of_.push_back(static_cast<std::uint32_t>(runs_.size()));
      const auto first = by_key_.begin() + begin, last = by_key_.begin() + end[k];
      std::sort(first, last, [&](TxnIndex a, TxnIndex b) {
        return place_[a].session != place_[b].session ? place_[a].session < place_[b].session : a < b;
      });
      for (; begin < end[k]; ++begin) {
        const std::uint32_t session = place_[by_key_[begin]].session;
        if (runs_.size() == runs_of_.back() || runs_.back().session != session) runs_.push_back({session, begin});
      }
    }
    runs_of_.push_back(static_cast<std::uint32_t>(runs_.size()));
    runs_.push_back({kNone, begin});
  }

  // A cycle of sessions, dependencies and forced edges, if there is one.
  std::optional<Finding> circle(const std::string& type) {
    if (pending_.empty()) return std::nullopt;  // what is known alone has none
    sort_forced();
    constexpr std::uint32_t kForcedBase = 1u << 31;
    const auto next = [&](std::uint32_t v, std::uint32_t& cursor, Edge& edge) {
      while (cursor < kForcedBase && in_.graph.next(v, mask(), cursor, edge)) return true;
      if (cursor < kForcedBase) cursor = kForcedBase;
      if (cursor - kForcedBase >= forced(v).size()) return false;
      const ForcedTo& one = forced(v)[cursor++ - kForcedBase];
      edge = {v, one.to, key_of(v, one), kAbsent, EdgeKind::ww};
      return true;
    };
    const Components parts =
        components(in_.graph.size(), [&](std::uint32_t v, std::uint32_t& cursor, std::uint32_t& w) {
          EdgeKind kind{};
          if (cursor < kForcedBase && in_.graph.next(v, mask(), cursor, w, kind)) return true;
          if (cursor < kForcedBase) cursor = kForcedBase;
          if (cursor - kForcedBase >= forced(v).size()) return false;
          w = forced(v)[cursor++ - kForcedBase].to;
          return true;
        });
    if (parts.size.size() == in_.graph.size()) return std::nullopt;
    // Breadth first within the component, from a transaction back to it; the shortest of some.
    constexpr std::size_t kMaxTries = 24, kMaxSteps = 2'000'000;
    std::uint32_t part = kNone;
    Cycle cycle;
    std::size_t steps = 0, tries = 0;
    for (std::uint32_t start = 0; start < n_ && tries < kMaxTries && (steps < kMaxSteps || cycle.edges.empty());
         ++start) {
      if (parts.size[parts.of[start]] < 2 || (part != kNone && parts.of[start] != part)) continue;
      part = parts.of[start];
      ++tries;
      std::unordered_map<std::uint32_t, Edge> parent;
      std::vector<std::uint32_t> queue{start};
      for (std::size_t i = 0; i < queue.size() && !parent.contains(start); ++i) {
        Edge edge;
        for (std::uint32_t cursor = 0; next(queue[i], cursor, edge); ++steps) {
          if (parts.same(edge.to, start) && parent.emplace(edge.to, edge).second) queue.push_back(edge.to);
        }
      }
      std::vector<Edge> edges;
      std::uint32_t at = start;
      do {
        edges.push_back(parent.at(at));
        at = parent.at(at).from;
      } while (at != start);
      if (cycle.edges.empty() || edges.size() < cycle.edges.size()) cycle.edges.assign(edges.rbegin(), edges.rend());
    }
    cycle.type = type;
    cycle.component = parts.size[part];
    cycle.edges = between_transactions(in_.graph, cycle.edges);
    std::vector<std::pair<TxnIndex, TxnIndex>> forced_by;  // who had to be known, by whom
    Finding out = explain(cycle, in_, history_, [&](const Edge& edge) -> std::string {
      if (edge.kind != EdgeKind::ww || edge.value != kAbsent) return {};
      const auto all = forced(edge.from);
      const auto because = std::find_if(all.begin(), all.end(), [&](const ForcedTo& one) { return one.to == edge.to; });
      if (because == all.end()) return {};
      forced_by.emplace_back(edge.from, because->reader);
      return name(because->reader) + " had to know of " + name(edge.from) + ", which wrote key " + key_text(edge.key) +
             ", but read what " + name(edge.to) + " wrote there, so " + name(edge.from) + " came before " +
             name(edge.to);
    });
    for (const auto& [knows, reader] : forced_by) {
      if (std::find(out.txns.begin(), out.txns.end(), reader) == out.txns.end()) out.txns.push_back(reader);
      tell_way(knows, reader, out);
    }
    return out;
  }

  // How `reader` came to know of `knows`, for the axioms in which that takes more than one step: adds who stands in
  // between, and the ways.
  void tell_way(TxnIndex knows, TxnIndex reader, Finding& out) const {
    if (axiom_ != Axiom::pram && axiom_ != Axiom::causal) return;
    const std::vector<Edge> way = way_to(knows, reader);
    if (way.size() < 2) return;
    std::string sentence = name(reader) + " had to know of " + name(knows) + ": ";
    for (const Edge& edge : way) {
      const std::string a = name(edge.from), b = name(edge.to);
      sentence += (edge.from == knows ? "" : "; ") +
                  (edge.kind == EdgeKind::wr        ? b + " observed what " + a + " wrote to key " + key_text(edge.key)
                   : edge.kind == EdgeKind::process ? a + " and " + b + " were done by one process, " + a + " first"
                                                    : a + " had ended before " + b + " began");
      if (std::find(out.txns.begin(), out.txns.end(), edge.to) == out.txns.end()) out.txns.push_back(edge.to);
    }
    out.ways.push_back(sentence + ".");
  }

  // A way with fewest reads by which what `knows` did came to `reader`: along sessions, reads and perhaps time; for
  // PRAM, along what a session had done up to a write that was read, and from there on along sessions. Who is passed on
  // a session or in time only is not on it.
  std::vector<Edge> way_to(TxnIndex knows, TxnIndex reader) const {
    const bool pram = axiom_ == Axiom::pram;
    // A state is a node and whether a read was followed already, which PRAM allows once, and not after a step in time.
    const auto number = [&](std::uint32_t v, bool followed) { return std::uint64_t{v} * 2 + (followed ? 1 : 0); };
    std::unordered_map<std::uint64_t, std::pair<std::uint64_t, Edge>> parent;
    std::unordered_map<std::uint64_t, std::uint32_t> reads{{number(knows, false), 0}};
    std::deque<std::uint64_t> queue{number(knows, false)};
    while (!queue.empty()) {
      const std::uint64_t at = queue.front();
      queue.pop_front();
      const auto v = static_cast<std::uint32_t>(at / 2);
      const bool followed = at % 2 == 1;
      if (v == reader) return walked(parent, at, number(knows, false));
      const std::uint32_t so_far = reads.at(at);
      Edge edge;
      for (std::uint32_t cursor = 0; in_.graph.next(v, kWR | extra_, cursor, edge);) {
        const bool read = edge.kind == EdgeKind::wr;
        if (pram && read && followed) continue;
        const std::uint64_t next = number(edge.to, followed || (pram && edge.kind != EdgeKind::process));
        const auto [known, first] = reads.try_emplace(next, so_far + (read ? 1 : 0));
        if (!first && known->second <= so_far + (read ? 1 : 0)) continue;
        known->second = so_far + (read ? 1 : 0);
        parent.insert_or_assign(next, std::pair(at, edge));
        read ? queue.push_back(next) : queue.push_front(next);
      }
    }
    return {};
  }

  // The way, with one step where it leads on without a read: of a session, or of time.
  template <class Parents>
  std::vector<Edge> walked(const Parents& parent, std::uint64_t at, std::uint64_t start) const {
    std::vector<Edge> steps, out;
    for (; at != start; at = parent.at(at).first) steps.push_back(parent.at(at).second);
    for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
      if (out.empty() || out.back().kind == EdgeKind::wr || step->kind == EdgeKind::wr) {
        out.push_back(*step);
        continue;
      }
      out.back().to = step->to;
      if (step->kind != EdgeKind::process) out.back().kind = step->kind;
    }
    return out;
  }

  std::string name(TxnIndex t) const { return txn_name(history_, in_.txns, t); }
  std::string key_text(KeyIndex k) const { return history_.values().to_json(in_.txns.keys[k]); }

  const Inference& in_;
  const History& history_;
  Axiom axiom_;
  unsigned extra_;
  const std::function<bool()>& late_;
  std::uint32_t n_;
  std::vector<ExternalRead> all_reads_;
  std::vector<FinalWrite> all_writes_;
  std::vector<std::uint32_t> reads_of_, writes_of_;  // by transaction: where its own begin
  std::vector<Place> place_;
  std::unordered_map<TxnIndex, Place> crashed_behind_;
  std::uint32_t session_count_ = 0;
  std::vector<TxnIndex> by_key_;        // writers of each key, by session
  std::vector<Run> runs_;               // and one that ends the last
  std::vector<std::uint32_t> runs_of_;  // by key: where its runs begin
  std::vector<Clock> clocks_;           // by node, while they are needed
  std::vector<Forced> pending_;         // forced edges as they are found
  std::vector<ForcedTo> forced_;        // sorted by where they begin, each once
  std::vector<std::uint32_t> forced_begin_;
  std::size_t next_look_ = kForcedALook;
  bool limited_ = false;  // the limits were reached
  Components past_;
  std::optional<Finding> missed_initial_;
};

}  // namespace

AxiomAnswer check_axiom(const Inference& inference, const History& history, Axiom axiom, unsigned extra,
                        const std::function<bool()>& out_of_budget) {
  return Axioms(inference, history, axiom, extra, out_of_budget).run();
}

}  // namespace ordeal::txn
