// zones: one register whose values are each written at most once, in O(n log n) and O(n) memory, after Gibbons and
// Korach (Testing shared memories, 1997), extended to compare-and-set.
//
// The operations of one value are a cluster: its write and the reads that saw it. In a linearization a cluster is
// contiguous, as no other write may come between a write and its reads. Let f be the first return in a cluster and s
// the last invocation. If f < s the cluster must cover [f, s], a forward zone; else it fits at any one point of
// [s, f], a backward zone. There is a linearization exactly when every read can follow its write, no two forward zones
// overlap and no backward zone lies within a forward one:
//
//   write 1 |---|                          cluster 1: f = return of write 1, s = invocation of read 1: forward
//   write 2        |---|                   cluster 2: s = invocation, f = return of write 2: backward, within it
//   read 1                |---|            so: not linearizable
//
// Why pairs suffice: cluster Y must precede X iff f_Y < s_X; in a cycle of that relation the cluster with the largest s
// is on a cycle of two with its successor, and the cycles of two are the two conditions above.
//
// A successful cas from a to b comes right after the cluster of a and begins that of b, so clusters linked by cas form
// a chain, contiguous as a whole; its parts must be in order, and then the chain is one cluster. Two cas from the same
// value, or a ring of them, cannot be. A crashed write or cas happened iff somebody saw what it wrote.
// Tested by lin_search_property_test against the oracle and the general searches.

#include "checkers/linearizability/special/zones.h"

#include <algorithm>

#include "checkers/linearizability/models/operations.h"
#include "checkers/linearizability/special/by_value.h"

namespace ordeal::lin {
namespace {

constexpr CallIndex kNone = 0xFFFFFFFFu;

ValueId seen_value(const Operation& op) { return static_cast<ValueId>(op.a); }
ValueId made_value(const Operation& op) { return static_cast<ValueId>(op.code == reg::kCas ? op.b : op.a); }

struct Cluster {
  CallIndex writer = kNone;    // the write or cas that makes the value
  CallIndex consumer = kNone;  // the cas that replaces it
  CallIndex first = kNone;     // returns first
  CallIndex last = kNone;      // is invoked last
};

struct Zone {
  std::int64_t f, s;  // first return, last invocation over the chain
  ValueId head;       // the value it begins with
};

class Zones {
 public:
  Zones(const KeyHistory& history, Budget& budget)
      : calls_(history.calls),
        initial_(history.model->initial()[0]),
        clusters_(history),
        budget_(budget),
        bytes_(ByValue<Cluster>::bytes_for(history)) {
    within_memory_ = budget_.charge(static_cast<std::ptrdiff_t>(bytes_));
  }
  ~Zones() { budget_.give_back(bytes_); }
  Zones(const Zones&) = delete;
  Zones& operator=(const Zones&) = delete;

  Decision run(bool want_order) {
    Decision d;
    d.steps = calls_.size();
    if (!within_memory_) {
      d.reason = "the memory limit is too small for one entry a value";
      return d;
    }
    if (find_writers(d) && find_happened(d) && link(d) && chain(d) && compare(d)) {
      d.verdict = Verdict::valid;
      if (want_order) d.order = order();
    } else {
      d.verdict = Verdict::invalid;
    }
    return d;
  }

 private:
  bool happened(CallIndex i) const { return !calls_[i].crashed() || happened_crashed_[i]; }
  Cluster& cluster(ValueId v) { return clusters_[v]; }
  const Cluster& cluster(ValueId v) const { return clusters_[v]; }

  bool find_writers(Decision&) {
    for (CallIndex i = 0; i < calls_.size(); ++i) {
      if (calls_[i].op.code != reg::kRead) cluster(made_value(calls_[i].op)).writer = i;
      any_crashed_ |= calls_[i].crashed();
    }
    return true;
  }

  // Every value seen needs a writer; a crashed writer then happened, and so did what it had seen itself.
  bool find_happened(Decision& d) {
    if (any_crashed_) happened_crashed_.assign(calls_.size(), false);
    for (CallIndex i = 0; i < calls_.size(); ++i) {
      if (calls_[i].op.code == reg::kWrite || calls_[i].crashed()) continue;
      CallIndex observer = i;
      while (seen_value(calls_[observer].op) != initial_) {
        const CallIndex writer = cluster(seen_value(calls_[observer].op)).writer;
        if (writer == kNone) {
          d.culprits = {i};
          for (CallIndex j = i; j != observer;) d.culprits.push_back(j = cluster(seen_value(calls_[j].op)).writer);
          d.failed_at = calls_[i].ret;
          return false;
        }
        if (!calls_[writer].crashed() || happened_crashed_[writer]) break;
        happened_crashed_[writer] = true;
        if (calls_[writer].op.code != reg::kCas) break;
        observer = writer;
      }
    }
    return true;
  }

  // Fills the clusters: first return, last invocation, and the cas that replaces the value.
  bool link(Decision& d) {
    for (CallIndex i = 0; i < calls_.size(); ++i) {
      const Call& call = calls_[i];
      if (!happened(i)) continue;
      if (call.op.code != reg::kRead) note(cluster(made_value(call.op)), i);
      if (call.op.code == reg::kWrite) continue;
      Cluster& seen = cluster(seen_value(call.op));
      if (call.op.code == reg::kRead) {
        note(seen, i);
        if (seen.writer != kNone && call.ret < calls_[seen.writer].inv) {
          d.culprits = {seen.writer, i};
          return false;
        }
      } else if (seen.consumer != kNone) {
        d.culprits = {seen.consumer, i};
        if (seen.writer != kNone) d.culprits.push_back(seen.writer);
        return false;
      } else {
        seen.consumer = i;
      }
    }
    return true;
  }

  void note(Cluster& c, CallIndex i) const {
    if (c.first == kNone || calls_[i].ret < calls_[c.first].ret) c.first = i;
    if (c.last == kNone || calls_[i].inv > calls_[c.last].inv) c.last = i;
  }

  // Walks each chain from its head, checks the order within, and makes its zone.
  bool chain(Decision& d) {
    std::size_t walked = 0, linked = 0;
    if (!walk(initial_, -1, d, walked)) return false;
    for (CallIndex i = 0; i < calls_.size(); ++i) {
      if (calls_[i].op.code == reg::kRead || !happened(i)) continue;
      if (calls_[i].op.code == reg::kCas) {
        ++linked;
      } else if (!walk(made_value(calls_[i].op), kNever, d, walked)) {
        return false;
      }
    }
    if (walked == linked) return true;
    // A cas that no walk came by is on a ring: each waits for the one before.
    std::vector<bool> on_chain(calls_.size(), false);
    for (const Zone& zone : zones_) {
      for (CallIndex c = cluster(zone.head).consumer; c != kNone; c = cluster(made_value(calls_[c].op)).consumer)
        on_chain[c] = true;
    }
    for (CallIndex i = 0; i < calls_.size(); ++i) {
      if (calls_[i].op.code == reg::kCas && happened(i) && !on_chain[i]) {
        CallIndex c = i;
        do {
          d.culprits.push_back(c);
          c = cluster(made_value(calls_[c].op)).consumer;
        } while (c != kNone && c != i);
        break;
      }
    }
    return false;
  }

  bool walk(ValueId head, std::int64_t f, Decision& d, std::size_t& walked) {
    std::int64_t s = -1;
    CallIndex latest = kNone;
    for (ValueId v = head;;) {
      const Cluster& c = cluster(v);
      if (c.first != kNone) {
        if (calls_[c.first].ret < s) {
          // Something later in the chain returned before something earlier was invoked.
          d.culprits = chain_calls(head, v);
          return false;
        }
        f = std::min(f, static_cast<std::int64_t>(calls_[c.first].ret));
        if (static_cast<std::int64_t>(calls_[c.last].inv) > s) {
          s = calls_[c.last].inv;
          latest = c.last;
        }
      }
      if (c.consumer == kNone) break;
      ++walked;
      v = made_value(calls_[c.consumer].op);
      if (v == head) break;  // a ring back to the initial value cannot be: nobody writes that here
    }
    if (latest != kNone) zones_.push_back({f, s, head});
    return true;
  }

  // What is known of the clusters from `head` to `last`: writers, first returns, last invocations.
  std::vector<CallIndex> chain_calls(ValueId head, ValueId last) const {
    std::vector<CallIndex> out;
    for (ValueId v = head;;) {
      const Cluster& c = cluster(v);
      for (const CallIndex i : {v == head ? c.writer : kNone, c.first, c.last}) {
        if (i != kNone) out.push_back(i);
      }
      if (v == last || c.consumer == kNone) return out;
      out.push_back(c.consumer);
      v = made_value(calls_[c.consumer].op);
    }
  }

  ValueId chain_end(ValueId head) const {
    ValueId v = head;
    while (cluster(v).consumer != kNone) v = made_value(calls_[cluster(v).consumer].op);
    return v;
  }

  bool conflict(const Zone& x, const Zone& y, Decision& d) const {
    d.culprits = chain_calls(x.head, chain_end(x.head));
    const auto more = chain_calls(y.head, chain_end(y.head));
    d.culprits.insert(d.culprits.end(), more.begin(), more.end());
    return false;
  }

  bool compare(Decision& d) {
    const auto middle = std::partition(zones_.begin(), zones_.end(), [](const Zone& z) { return z.f < z.s; });
    std::sort(zones_.begin(), middle, [](const Zone& x, const Zone& y) { return x.f < y.f; });
    forward_ = static_cast<std::size_t>(middle - zones_.begin());
    for (std::size_t i = 0; i + 1 < forward_; ++i) {
      if (zones_[i + 1].f < zones_[i].s) return conflict(zones_[i], zones_[i + 1], d);
    }
    for (std::size_t i = forward_; i < zones_.size(); ++i) {
      const std::size_t covering = forward_before(zones_[i].s);
      if (covering < forward_ && zones_[i].f < zones_[covering].s) return conflict(zones_[covering], zones_[i], d);
    }
    return true;
  }

  // The last forward zone with f before `time`; forward_ when there is none.
  std::size_t forward_before(std::int64_t time) const {
    const auto end = zones_.begin() + static_cast<std::ptrdiff_t>(forward_);
    const auto place =
        std::lower_bound(zones_.begin(), end, time, [](const Zone& z, std::int64_t t) { return z.f < t; });
    return place == zones_.begin() ? forward_ : static_cast<std::size_t>(place - zones_.begin()) - 1;
  }

  // Forward zones in their order; a backward one at its s, or right after the forward zone that covers that.
  std::vector<CallIndex> order() const {
    std::vector<std::pair<std::int64_t, ValueId>> places;
    for (std::size_t i = 0; i < zones_.size(); ++i) {
      std::int64_t at = zones_[i].f;
      if (i >= forward_) {
        at = zones_[i].s;
        const std::size_t covering = forward_before(at);
        if (covering < forward_) at = std::max(at, zones_[covering].s);
      }
      places.emplace_back(at, zones_[i].head);
    }
    std::sort(places.begin(), places.end());
    // Reads by value, in the order of invocation.
    std::vector<std::pair<ValueId, CallIndex>> reads;
    for (CallIndex i = 0; i < calls_.size(); ++i) {
      if (calls_[i].op.code == reg::kRead) reads.emplace_back(seen_value(calls_[i].op), i);
    }
    std::sort(reads.begin(), reads.end());
    const auto first_read = [&](ValueId v) {
      return std::lower_bound(reads.begin(), reads.end(), std::pair(v, CallIndex{0}));
    };
    std::vector<CallIndex> out;
    for (const auto& [at, head] : places) {
      for (ValueId v = head;;) {
        const Cluster& c = cluster(v);
        if (v != initial_ && v == head) out.push_back(c.writer);
        for (auto read = first_read(v); read != reads.end() && read->first == v; ++read) out.push_back(read->second);
        if (c.consumer == kNone) break;
        out.push_back(c.consumer);
        v = made_value(calls_[c.consumer].op);
      }
    }
    return out;
  }

  const std::vector<Call>& calls_;
  std::uint32_t initial_;
  ByValue<Cluster> clusters_;
  Budget& budget_;
  std::size_t bytes_;
  bool within_memory_ = true;
  bool any_crashed_ = false;
  std::vector<bool> happened_crashed_;
  std::vector<Zone> zones_;
  std::size_t forward_ = 0;
};

class ZonesStrategy final : public Strategy {
 public:
  std::string_view name() const override { return "zones"; }

  std::string objection(const KeyHistory& history) const override {
    if (!is_one_register(*history.model)) return "zones decides registers and cas-registers only";
    const std::uint32_t initial = history.model->initial()[0];
    if (initial == kAnyState) return "zones needs a known initial value";
    ByValue<std::uint8_t> written(history);
    for (const Call& call : history.calls) {
      if (call.op.code == reg::kRead) continue;
      const ValueId v = made_value(call.op);
      if (v == initial || written[v] != 0)
        return "zones needs written values that are unique and differ from the initial one";
      if (call.op.code == reg::kCas && call.op.a == call.op.b)
        return "zones cannot decide a cas from a value to itself";
      written[v] = 1;
    }
    return "";
  }

  Decision decide(const KeyHistory& history, Budget& budget, bool want_order) const override {
    return Zones(history, budget).run(want_order);
  }
};

}  // namespace

std::unique_ptr<Strategy> zones_strategy() { return std::make_unique<ZonesStrategy>(); }

}  // namespace ordeal::lin
