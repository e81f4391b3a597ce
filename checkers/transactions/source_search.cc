// The idea (hyper-polygraphs: VeriStrong, 2025; the polygraphs of Papadimitriou, 1979, with a third alternative). Two
// kinds of questions are asked:
//
//   before(i, j)    of two transactions that wrote a key: did i come first?
//   source(r, i)    of a read r and one that wrote its value last to the key (or the initial state): is it what r saw?
//
// Each read has a source. What follows is known by pairs of answers: source(r, i) gives wr i -> r; before(i, j) gives
// ww i -> j; both together give rw r -> j. The history is serializable if and only if some answers leave no cycle, and
// snapshot isolated if and only if they leave none without two anti-dependencies in a row (Cerone and Gotsman, 2016):
// given the answers it is a history whose values are unique.
//
//   T1: w x 1    T2: w x 1    T3: w x 2    T4: r x 1        source(T4, T1) and before(T1, T3) give rw T4 -> T3
//
// Of the writers that come after a source, only those that come right after it need an edge rw: the others come after
// these. It matters where many transactions write one key: their orders are mostly known.
//
// That a read has one source only need not be said, since two would merely add edges. A crashed transaction that some
// read may have seen takes part as if it had committed: if it is nobody's source it can come last, since nothing is
// known to follow it, so that whatever order there is without it is one with it. Those that no read may have seen are
// left out for the same reason. What crashed transactions read says nothing.
//
//   1. A question is answered when one answer alone closes a cycle with what is known, and a read that has one source
//      left has that one, until nothing changes (unit propagation). Most questions go that way. With real time most
//      sources are refuted by looking at when their key was written, and answers follow from each other as time goes
//      on, so that questions are asked one after the other in that order.
//   2. What is left is a search that learns from contradictions (clause_search.h). It tries first what the order says
//      that the states are in (state_order.h): it begins as the order of time, in which a read's source is mostly the
//      last writer before it.
//
// Levels that forbid more are tried first, for a little while: there is an answer in time for what most stores do.
//
// Tested by tests/checkers/transactions/repeated_values_test.cc against brute force that executes schedules.

#include "checkers/transactions/source_search.h"

#include <algorithm>
#include <limits>
#include <unordered_map>

#include "checkers/transactions/clause_search.h"
#include "checkers/transactions/reach_bits.h"
#include "checkers/transactions/state_order.h"

namespace ordeal::txn {
namespace {

constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint64_t kFirstConflicts = 5'000;
constexpr std::uint64_t kFirstSteps = 20'000'000, kStepsEach = 100;
constexpr std::size_t kMaxPairs = 20'000'000;         // of writers of a key, over all keys
constexpr std::uint64_t kCheapRound = 2'000'000'000;  // words of a round of refutation in bits
constexpr std::uint64_t kWordsAPlace = 100;           // about twelve edges of eight words
constexpr std::size_t kMaxInvolved = 5'000;

enum class Answer : std::uint8_t { open, yes, no };

// A transaction that wrote a key, by its last write.
struct Writer {
  TxnIndex txn = 0;
  KeyIndex key = 0;
  ValueId value = kAbsent;
  std::vector<TxnIndex> readers;       // that certainly read from it
  std::vector<std::uint32_t> perhaps;  // sources that hold for the moment
  EventIndex first_end = kNoEvent;     // see refute_by_time()
};

// The writers of a key, in the order of their invocations, and where its questions begin.
struct Group {
  KeyIndex key = 0;
  std::uint32_t first = 0, size = 0;  // of writers_
  std::size_t pairs = 0;              // where its pairs begin
};

// A read and one that it may have seen.
struct Source {
  std::uint32_t read = 0;
  std::uint32_t writer = kNone;  // kNone: the initial state
  Answer answer = Answer::open;
};
struct Read {
  TxnIndex txn = 0;
  std::uint32_t group = 0;
  std::uint32_t first = 0, end = 0;  // of sources_
  std::uint32_t left = 0;            // sources that are not refuted
  bool known = false;
};

// A question of the search: a pair of writers of a group, or a source.
struct Question {
  std::uint32_t group = kNone;
  std::uint32_t a = 0, b = 0;  // writers; or a source, and group is kNone
};

class SourceSearch final : private Theory {
 public:
  SourceSearch(const Inference& inference, OrderKind kind, unsigned extra, const std::function<bool()>& out_of_budget)
      : in_(inference),
        realtime_((extra & kRealtime) != 0),
        out_of_budget_(out_of_budget),
        order_(inference.graph, inference.txns,
               kind == OrderKind::snapshot ? std::optional(Space::snapshot) : std::nullopt, kAllData | extra) {}

  // `limited`: gives up early where it does not find an answer at once.
  OrderAnswer run(bool limited) {
    if (!make_groups()) return answered(Possible::undecided);
    make_reads();
    if (unexplained_) return answered(Possible::no);
    order_.add_known(in_.forced);
    if (!order_.sort()) return answered(Possible::no);
    if (realtime_) {
      take_time();
      refute_by_time();
    }
    if (!learn(known_)) return answered(Possible::no);
    if (limited) most_steps_ = kFirstSteps + kStepsEach * (pairs_.size() + order_.states());
    if (const auto early = refute()) return *early;
    return decide(limited ? kFirstConflicts : kNoLimit);
  }

 private:
  OrderAnswer answered(Possible possible) {
    OrderAnswer out;
    out.possible = possible;
    if (possible != Possible::no) return out;
    out.culprits = std::move(involved_);
    std::sort(out.culprits.begin(), out.culprits.end());
    out.culprits.erase(std::unique(out.culprits.begin(), out.culprits.end()), out.culprits.end());
    return out;
  }
  bool late() {
    if (order_.steps() >= most_steps_) return true;
    if (order_.steps() + looked_ < next_look_) return late_;
    next_look_ = order_.steps() + looked_ + 1'000'000;
    return late_ = late_ || out_of_budget_();
  }
  void involve() {
    if (involved_.size() > kMaxInvolved) return;
    const auto more = order_.transactions();
    involved_.insert(involved_.end(), more.begin(), more.end());
  }

  // Who takes part: whoever committed, and crashed ones that a read may have seen. False: too many pairs.
  bool make_groups() {
    const Transactions& txns = in_.txns;
    std::vector<std::uint8_t> takes_part = in_.committed;
    for (const OpenRead& read : in_.open_reads) {
      for (const TxnIndex t : read.candidates) {
        if (t != kNone) takes_part[t] = 1;
      }
    }
    std::vector<std::vector<Writer>> by_key(txns.keys.size());
    for (TxnIndex t = 0; t < txns.size(); ++t) {
      if (!takes_part[t] || txns.outcome[t] == Outcome::fail) continue;
      for (const MicroOp& op : txns.ops(t)) {
        if (op.kind != MicroKind::write) continue;
        auto& writers = by_key[op.key];
        if (writers.empty() || writers.back().txn != t) writers.push_back({t, op.key, kAbsent, {}, {}});
        writers.back().value = op.value;
      }
    }
    group_of_.assign(txns.keys.size(), kNone);
    std::size_t pairs = 0;
    for (KeyIndex k = 0; k < by_key.size(); ++k) {
      if (by_key[k].empty()) continue;
      const std::size_t size = by_key[k].size();
      group_of_[k] = static_cast<std::uint32_t>(groups_.size());
      groups_.push_back({k, static_cast<std::uint32_t>(writers_.size()), static_cast<std::uint32_t>(size), pairs});
      pairs += size * (size - 1) / 2;
      if (pairs > kMaxPairs) return false;
      std::move(by_key[k].begin(), by_key[k].end(), std::back_inserter(writers_));
    }
    pairs_.assign(pairs, Answer::open);
    return true;
  }

  // The place of a transaction among the writers of a group; kNone: it is none.
  std::uint32_t writer_of(const Group& group, TxnIndex t) const {
    const auto begin = writers_.begin() + group.first, end = begin + group.size;
    const auto at =
        std::lower_bound(begin, end, t, [](const Writer& one, TxnIndex wanted) { return one.txn < wanted; });
    return at != end && at->txn == t ? static_cast<std::uint32_t>(at - writers_.begin()) : kNone;
  }

  void make_reads() {
    const Transactions& txns = in_.txns;
    for (TxnIndex t = 0; t < txns.size(); ++t) {
      for (std::uint32_t m = txns.first[t]; m < txns.first[t + 1]; ++m) {
        const std::uint32_t g = group_of_[txns.micro[m].key];
        if (in_.source[m] == kNoSource || g == kNone) continue;
        if (in_.source[m] == kNone) {
          read_initial(t, groups_[g]);
        } else if (const std::uint32_t w = writer_of(groups_[g], in_.source[m]); w != kNone) {
          auto& readers = writers_[w].readers;
          if (readers.empty() || readers.back() != t) readers.push_back(t);
        }
      }
    }
    for (const OpenRead& open : in_.open_reads) {
      const std::uint32_t g = group_of_[txns.micro[open.micro].key];
      if (g == kNone) {  // the initial state, if anything: nobody else's value can have been left
        if (open.candidates.empty()) unexplained_ = true;
        continue;
      }
      Read read{open.txn, g, static_cast<std::uint32_t>(sources_.size()), 0, 0, false};
      for (const TxnIndex t : open.candidates) {
        sources_.push_back(
            {static_cast<std::uint32_t>(reads_.size()), t == kNone ? kNone : writer_of(groups_[g], t), Answer::open});
      }
      read.end = static_cast<std::uint32_t>(sources_.size());
      read.left = read.end - read.first;
      reads_.push_back(read);
    }
  }
  // The graph knows this of those that committed.
  void read_initial(TxnIndex reader, const Group& group) {
    for (std::uint32_t w = group.first; w < group.first + group.size; ++w) {
      if (!in_.committed[writers_[w].txn]) known_.push_back(edge(reader, w, EdgeKind::rw));
    }
  }

  // What real time says of pairs: that is in the graph, but not what follows for those that read the earlier one.
  void take_time() {
    for (const Group& group : groups_) {
      for (std::uint32_t b = group.first; b < group.first + group.size; ++b) {
        for (std::uint32_t a = group.first; a < group.first + group.size; ++a) {
          if (a == b || !in_.graph.ended_before(writers_[a].txn, writers_[b].txn)) continue;
          set_before(group, a, b);
          for (const TxnIndex reader : writers_[a].readers) {
            if (reader != writers_[b].txn && !in_.graph.ended_before(reader, writers_[b].txn))
              known_.push_back(edge(reader, b, EdgeKind::rw));
          }
        }
      }
    }
  }

  // Sources that wrote after the read, or that somebody overwrote before it: most of all there are, and a search for
  // each would take long.
  void refute_by_time() {
    const Transactions& txns = in_.txns;
    for (const Group& group : groups_) {
      // By writer: when the first ended that was invoked with it or later.
      EventIndex first_end = kNoEvent;
      for (std::uint32_t w = group.first + group.size; w-- > group.first;)
        writers_[w].first_end = first_end = std::min(first_end, txns.completion[writers_[w].txn]);
    }
    for (Source& source : sources_) {
      Read& read = reads_[source.read];
      const Group& group = groups_[read.group];
      const auto begin = writers_.begin() + group.first, end = begin + group.size;
      auto later = begin;
      if (source.writer != kNone) {
        const TxnIndex writer = writers_[source.writer].txn;
        later = std::upper_bound(begin, end, txns.completion[writer],
                                 [&](EventIndex event, const Writer& one) { return event < txns.invocation[one.txn]; });
        if (!in_.graph.ended_before(read.txn, writer) &&
            (txns.completion[writer] == kNoEvent || later == end || later->first_end >= txns.invocation[read.txn]))
          continue;
      } else if (later->first_end >= txns.invocation[read.txn]) {
        continue;
      }
      source.answer = Answer::no;
      --read.left;
    }
  }

  // An edge to what a writer wrote.
  Edge edge(TxnIndex from, std::uint32_t writer, EdgeKind kind) const {
    const Writer& to = writers_[writer];
    return {from, to.txn, to.key, to.value, kind};
  }

  std::size_t pair(const Group& group, std::uint32_t a, std::uint32_t b) const {
    const std::size_t low = std::min(a, b) - group.first, high = std::max(a, b) - group.first;
    return group.pairs + high * (high - 1) / 2 + low;
  }
  // `yes` of a pair: the one that was invoked first comes first.
  bool before(const Group& group, std::uint32_t a, std::uint32_t b) const {
    return pairs_[pair(group, a, b)] == (a < b ? Answer::yes : Answer::no);
  }
  void set_before(const Group& group, std::uint32_t a, std::uint32_t b) {
    pairs_[pair(group, a, b)] = a < b ? Answer::yes : Answer::no;
  }

  // What follows when `a` comes before `b`, of certain reads: calls f(edge) until it returns false. False: it did.
  template <class F>
  bool pair_edges(std::uint32_t a, std::uint32_t b, F&& f) const {
    const Writer &first = writers_[a], &second = writers_[b];
    if (!f(edge(first.txn, b, EdgeKind::ww))) return false;
    return std::all_of(first.readers.begin(), first.readers.end(),
                       [&](TxnIndex reader) { return reader == second.txn || f(edge(reader, b, EdgeKind::rw)); });
  }
  // What follows from a source, of answers that hold: calls f(edge, the writer that `edge` leads to and that comes
  // after the source, or nothing). Such a one that comes after another is left out: the way over that one says the
  // same. `next`: at least all others.
  template <class F>
  bool source_edges(const Source& source, const std::vector<std::uint32_t>& next, F&& f) const {
    const Read& read = reads_[source.read];
    const Group& group = groups_[read.group];
    if (source.writer != kNone) {
      const Writer& from = writers_[source.writer];
      if (!f(Edge{from.txn, read.txn, group.key, from.value, EdgeKind::wr}, kNone)) return false;
      return std::all_of(next.begin(), next.end(), [&](std::uint32_t w) {
        return writers_[w].txn == read.txn || f(edge(read.txn, w, EdgeKind::rw), w);
      });
    }
    for (std::uint32_t w = group.first; w < group.first + group.size; ++w) {
      if (writers_[w].txn != read.txn && !f(edge(read.txn, w, EdgeKind::rw), kNone)) return false;
    }
    return true;
  }
  // Those that come after a writer, and after nobody else that does.
  void find_next(const Group& group, std::uint32_t writer, std::vector<std::uint32_t>& out) const {
    out.clear();
    for (std::uint32_t w = group.first; w < group.first + group.size; ++w) {
      if (w == writer || !before(group, writer, w)) continue;
      if (std::any_of(out.begin(), out.end(), [&](std::uint32_t one) { return before(group, one, w); })) continue;
      std::erase_if(out, [&](std::uint32_t one) { return before(group, w, one); });
      out.push_back(w);
    }
  }
  const std::vector<std::uint32_t>& next_of(const Source& source) {
    if (source.writer == kNone)
      next_.clear();
    else
      find_next(groups_[reads_[source.read].group], source.writer, next_);
    return next_;
  }

  // --- Unit propagation, before the search.

  // Takes what is certain to hold. False: a contradiction.
  bool learn(const std::vector<Edge>& edges) {
    if (order_.push(edges, kNone)) return true;
    involve();
    return false;
  }
  static auto collect(std::vector<Edge>& edges) {
    return [&edges](const Edge& one, std::uint32_t = kNone) {
      edges.push_back(one);
      return true;
    };
  }
  bool learn_before(const Group& group, std::uint32_t a, std::uint32_t b) {
    std::vector<Edge> edges;
    pair_edges(a, b, collect(edges));
    set_before(group, a, b);
    if (!all_next_.empty()) find_next(group, a, all_next_[a]);
    return learn(edges);
  }
  bool learn_source(std::uint32_t s) {
    Source& source = sources_[s];
    Read& read = reads_[source.read];
    source.answer = Answer::yes;
    read.known = true;
    std::vector<Edge> edges;
    source_edges(source, next_of(source), collect(edges));
    if (!learn(edges)) return false;
    if (source.writer != kNone) writers_[source.writer].readers.push_back(read.txn);
    return true;
  }

  // An answer that is asked about: a before b, or a source.
  struct Asked {
    std::uint32_t group = kNone;
    std::uint32_t a = 0, b = 0;
  };

  std::vector<Asked> questions() const {
    std::vector<Asked> out;
    for (std::uint32_t g = 0; g < groups_.size(); ++g) {
      const Group& group = groups_[g];
      for (std::uint32_t b = group.first; b < group.first + group.size; ++b) {
        for (std::uint32_t a = group.first; a < b; ++a) {
          if (pairs_[pair(group, a, b)] != Answer::open) continue;
          out.push_back({g, a, b});
          out.push_back({g, b, a});
        }
      }
    }
    for (std::uint32_t s = 0; s < sources_.size(); ++s) {
      if (sources_[s].answer == Answer::open && !reads_[sources_[s].read].known) out.push_back({kNone, s, 0});
    }
    return out;
  }
  // The edges of an answer, until f says no. Requires: find_all_next() since pairs were answered.
  template <class F>
  bool edges_of(const Asked& asked, F&& f) const {
    if (asked.group != kNone) return pair_edges(asked.a, asked.b, f);
    const Source& source = sources_[asked.a];
    return source_edges(source, source.writer == kNone ? next_ : all_next_[source.writer],
                        [&](const Edge& one, std::uint32_t) { return f(one); });
  }
  void find_all_next() {
    all_next_.resize(writers_.size());
    for (const Group& group : groups_) {
      for (std::uint32_t w = group.first; w < group.first + group.size; ++w) find_next(group, w, all_next_[w]);
    }
  }

  // Which answers close a cycle, each alone. False: out of budget.
  bool find_closed(const std::vector<Asked>& asked, std::vector<std::uint8_t>& closed) {
    closed.assign(asked.size(), 0);
    std::vector<BackEdge> back;
    for (std::uint32_t i = 0; i < asked.size(); ++i, ++looked_) {
      if (late()) return false;
      edges_of(asked[i], [&](const Edge& one) {
        add_back_edges(order_, NewEdges(), one, i, back);
        return true;
      });
    }
    const ClosingEdges closing(order_, std::move(back));
    if (closing.places() * kWordsAPlace > kCheapRound) return true;  // the search finds out
    return closing.find(
        looked_, [this] { return late(); }, [&](std::uint32_t i) { closed[i] = 1; });
  }

  // Until nothing changes. An answer: it is found.
  std::optional<OrderAnswer> refute() {
    for (std::uint32_t r = 0; r < reads_.size(); ++r) {
      if (!propagate(r)) return answered(Possible::no);
    }
    std::vector<std::uint8_t> closed;
    for (bool changed = true; changed;) {
      changed = false;
      std::vector<Asked> asked = questions();
      if (asked.empty()) break;
      find_all_next();
      if (realtime_) {
        std::optional<OrderAnswer> early = refute_in_time(std::move(asked), changed);
        if (early) return early;
        continue;
      }
      if (!find_closed(asked, closed)) return answered(Possible::undecided);
      for (std::size_t i = 0; i < asked.size(); ++i) {
        if (!closed[i]) continue;
        changed = true;
        if (!answered_otherwise(asked[i])) return answered(Possible::no);
      }
    }
    return std::nullopt;
  }
  // One question after the other, the earliest first: what follows from an answer mostly is of the time right after.
  std::optional<OrderAnswer> refute_in_time(std::vector<Asked> asked, bool& changed) {
    std::stable_sort(asked.begin(), asked.end(),
                     [&](const Asked& x, const Asked& y) { return time_of(x) < time_of(y); });
    for (const Asked& one : asked) {
      ++looked_;
      if (late()) return answered(Possible::undecided);
      const bool open = one.group != kNone
                            ? pairs_[pair(groups_[one.group], one.a, one.b)] == Answer::open
                            : sources_[one.a].answer == Answer::open && !reads_[sources_[one.a].read].known;
      if (!open || !closes(one)) continue;
      changed = true;
      if (!answered_otherwise(one)) return answered(Possible::no);
    }
    return std::nullopt;
  }
  // False: a contradiction.
  bool answered_otherwise(const Asked& asked) {
    if (asked.group != kNone) {
      const Group& group = groups_[asked.group];
      if (before(group, asked.b, asked.a)) return true;
      // The other answer may have been refuted in this round, too: then this one holds, and closes its cycle.
      if (before(group, asked.a, asked.b)) {
        involve_closed(asked);
        return false;
      }
      if (learn_before(group, asked.b, asked.a)) return true;
      involve_closed(asked);
      return false;
    }
    Source& source = sources_[asked.a];
    if (source.answer != Answer::open) {
      if (source.answer == Answer::yes) involve_closed(asked);
      return source.answer == Answer::no;
    }
    source.answer = Answer::no;
    --reads_[source.read].left;
    return propagate(source.read);
  }
  bool closes(const Asked& asked) {
    return !edges_of(asked, [&](const Edge& one) { return !order_.closes(one); });
  }
  void involve_closed(const Asked& asked) {
    if (closes(asked)) involve();
  }
  // A read that has one source left has that one. False: a contradiction.
  bool propagate(std::uint32_t r) {
    const Read& read = reads_[r];
    if (read.known || read.left > 1) return true;
    for (std::uint32_t s = read.first; s < read.end; ++s) {
      if (sources_[s].answer == Answer::open) {
        if (learn_source(s)) return true;
        break;
      }
    }
    find_all_next();
    for (std::uint32_t s = read.first; s < read.end; ++s) involve_closed({kNone, s, 0});
    involved_.push_back(read.txn);
    return false;
  }

  // --- The search. Questions are pairs and sources.

  OrderAnswer decide(std::uint64_t most_conflicts) {
    for (const Asked& one : questions()) {
      if (one.group == kNone || one.a < one.b) questions_.push_back({one.group, one.a, one.b});
    }
    if (questions_.empty()) return answered(Possible::yes);
    // In the order as it is, so that what contradicts each other was decided shortly after each other.
    std::stable_sort(questions_.begin(), questions_.end(),
                     [&](const Question& a, const Question& b) { return time_of(a) < time_of(b); });
    question_of_pair_.assign(pairs_.size(), kNone);
    std::vector<std::uint32_t> question_of_source(sources_.size(), kNone);
    for (std::uint32_t q = 0; q < questions_.size(); ++q) {
      const Question& one = questions_[q];
      (one.group == kNone ? question_of_source[one.a] : question_of_pair_[pair(groups_[one.group], one.a, one.b)]) = q;
    }
    ClauseSearch search(*this, static_cast<std::uint32_t>(questions_.size()));
    for (const Read& read : reads_) {
      if (read.known) continue;
      std::vector<Literal> clause;
      for (std::uint32_t s = read.first; s < read.end; ++s) {
        if (sources_[s].answer == Answer::open) clause.push_back(literal(question_of_source[s], true));
      }
      search.require(std::move(clause));
    }
    question_of_source_ = std::move(question_of_source);
    const Found found = search.run(most_conflicts);
    return answered(found == Found::yes ? Possible::yes : found == Found::no ? Possible::no : Possible::undecided);
  }
  template <class Q>
  std::uint32_t time_of(const Q& question) const {
    if (question.group == kNone) return order_.place_of(reads_[sources_[question.a].read].txn);
    return std::max(order_.place_of(writers_[question.a].txn), order_.place_of(writers_[question.b].txn));
  }

  // What is pushed for an answer, and how much of it there is. A label is the place of a reason.
  struct Reason {
    std::uint32_t one = kNone, other = kNone;  // questions
  };
  bool push(const Edge& edge, Reason reason) {
    const auto label = static_cast<std::uint32_t>(reasons_.size());
    reasons_.push_back(reason);
    single_.assign(1, edge);
    if (!order_.push(single_, label)) return false;
    pushed_.push_back(edge);
    return true;
  }
  void pop(std::size_t down_to) {
    for (; pushed_.size() > down_to; pushed_.pop_back()) order_.pop(std::span(&pushed_.back(), 1));
    reasons_.resize(down_to);
  }

  bool give(Literal answer, std::vector<std::uint32_t>& why) override {
    const std::uint32_t q = question_of(answer);
    const std::size_t begin = pushed_.size();
    const bool good = questions_[q].group == kNone ? give_source(q, is_yes(answer)) : give_pair(q, is_yes(answer));
    if (good) {
      given_.push_back(begin);
      return true;
    }
    for (const std::uint32_t label : order_.labels()) {
      for (const std::uint32_t one : {reasons_[label].one, reasons_[label].other}) {
        if (one != kNone) why.push_back(one);
      }
    }
    involve();
    pop(begin);
    return false;
  }
  bool give_pair(std::uint32_t q, bool yes) {
    const Question& question = questions_[q];
    const Group& group = groups_[question.group];
    const std::uint32_t a = yes ? question.a : question.b, b = yes ? question.b : question.a;
    if (!push(edge(writers_[a].txn, b, EdgeKind::ww), {q, kNone})) return false;
    for (const TxnIndex reader : writers_[a].readers) {
      if (reader != writers_[b].txn && !push(edge(reader, b, EdgeKind::rw), {q, kNone})) return false;
    }
    for (const std::uint32_t s : writers_[a].perhaps) {
      const TxnIndex reader = reads_[sources_[s].read].txn;
      if (reader != writers_[b].txn && !push(edge(reader, b, EdgeKind::rw), {q, question_of_source_[s]})) return false;
    }
    set_before(group, a, b);
    return true;
  }
  bool give_source(std::uint32_t q, bool yes) {
    if (!yes) return true;
    const Source& source = sources_[questions_[q].a];
    const Group& group = groups_[reads_[source.read].group];
    const bool good = source_edges(source, next_of(source), [&](const Edge& one, std::uint32_t after) {
      return push(one, {q, after == kNone ? kNone : question_of_pair_[pair(group, source.writer, after)]});
    });
    if (good && source.writer != kNone) writers_[source.writer].perhaps.push_back(questions_[q].a);
    return good;
  }
  void take_back(Literal answer) override {
    const Question& question = questions_[question_of(answer)];
    if (question.group != kNone) {
      const Group& group = groups_[question.group];
      pairs_[pair(group, question.a, question.b)] = Answer::open;
    } else if (is_yes(answer) && sources_[question.a].writer != kNone) {
      writers_[sources_[question.a].writer].perhaps.pop_back();
    }
    pop(given_.back());
    given_.pop_back();
  }

  // Of a pair: the order as it is. Of sources: the last writer before the reader.
  bool prefers_yes(std::uint32_t q) override {
    const Question& question = questions_[q];
    if (question.group != kNone) {
      single_.assign(1, edge(writers_[question.a].txn, question.b, EdgeKind::ww));
      return order_.forward(single_);
    }
    const Source& source = sources_[question.a];
    const Read& read = reads_[source.read];
    const Group& group = groups_[read.group];
    const std::uint32_t reader = order_.place_of(read.txn);
    const std::uint32_t mine = source.writer == kNone ? 0 : order_.place_of(writers_[source.writer].txn);
    if (mine > reader) return false;
    for (std::uint32_t w = group.first; w < group.first + group.size; ++w) {
      if (w == source.writer || writers_[w].txn == read.txn) continue;
      const std::uint32_t other = order_.place_of(writers_[w].txn);
      if (other < reader && (source.writer == kNone || other > mine)) return false;
    }
    return true;
  }
  bool out_of_budget() override {
    ++looked_;
    return late();
  }

  const Inference& in_;
  bool realtime_;
  const std::function<bool()>& out_of_budget_;
  StateOrder order_;
  std::vector<Group> groups_;
  std::vector<std::uint32_t> group_of_;  // by key
  std::vector<Writer> writers_;
  std::vector<Answer> pairs_;
  std::vector<Read> reads_;
  std::vector<Source> sources_;
  bool unexplained_ = false;  // a read that nobody's last write explains
  std::vector<Edge> known_;
  std::vector<Question> questions_;
  std::vector<std::uint32_t> question_of_pair_, question_of_source_;
  std::vector<Reason> reasons_;     // of pushed_, and one more while an edge is pushed
  std::vector<Edge> pushed_;        // by answers that hold
  std::vector<std::size_t> given_;  // by answer that holds: where its edges begin in pushed_
  std::vector<Edge> single_;
  std::vector<std::uint32_t> next_;                   // see find_next()
  std::vector<std::vector<std::uint32_t>> all_next_;  // by writer
  std::vector<TxnIndex> involved_;
  std::uint64_t most_steps_ = kNoLimit, looked_ = 0, next_look_ = 0;
  bool late_ = false;
};

}  // namespace

OrderAnswer find_sources(const Inference& inference, OrderKind kind, unsigned extra,
                         const std::function<bool()>& out_of_budget) {
  constexpr unsigned kSessions = kProcess, kTime = kProcess | kRealtime;
  const auto found = [&](OrderKind stronger, unsigned more) {
    if ((stronger == kind && more == extra) || (more & extra) != extra) return false;
    return SourceSearch(inference, stronger, more, out_of_budget).run(true).possible == Possible::yes;
  };
  if (found(OrderKind::serial, kTime) || (kind != OrderKind::serial && found(kind, kTime)) ||
      found(OrderKind::serial, kSessions) || (kind != OrderKind::serial && found(kind, kSessions)) ||
      (kind != OrderKind::serial && found(OrderKind::serial, extra))) {
    OrderAnswer out;
    out.possible = Possible::yes;
    return out;
  }
  return SourceSearch(inference, kind, extra, out_of_budget).run(false);
}

}  // namespace ordeal::txn
