// How a grow-only set is judged, in one pass over its operations and one over what was found; see the header.
#include "checkers/workload/grow_only_set.h"

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include "checkers/workload/causal_set.h"

namespace ordeal::work {
namespace {

constexpr std::uint32_t kNoRead = 0xFFFFFFFFu;

struct Read {
  OperationEvents op;
  std::span<const ValueId> elements;
};

// What became of one element.
struct Element {
  ValueId id = kNil;
  EventIndex first_add = kNoEvent;     // the earliest invocation of an add that may have happened
  EventIndex failed_add = kNoEvent;    // the earliest add that certainly failed
  EventIndex acknowledged = kNoEvent;  // the earliest ok of an add
  EventIndex known_by_add = kNoEvent;  // its invocation
  EventIndex known = kNoEvent;         // since when every later read must contain it
  EventIndex known_by = kNoEvent;      // the operation that made it known (its invocation)
  EventIndex seen = kNoEvent;          // the first end of a read that contains it
  bool unexpected = false;
  // Reads by their place in the order of invocations.
  std::uint32_t last_present = kNoRead;    // the last one that contains it
  std::uint32_t last_duplicate = kNoRead;  // the last one that contains it twice
  std::uint32_t last_gap = kNoRead;        // the last one without it before last_present
  std::uint32_t ended_last = kNoRead;      // of those that contain it, the one that ended last
};

// The set of one key: gathers its operations, then judges them.
class SetOfKey {
 public:
  SetOfKey(Judgement& in, ValueId key, Freshness freshness)
      : in_(in),
        h_(in.history()),
        key_(key),
        freshness_(freshness),
        late_(freshness == Freshness::eventual || freshness == Freshness::causal) {}

  void add(OperationEvents op, ValueId element) { adds_.emplace_back(op, element); }
  void read(OperationEvents op) { reads_.push_back({op, in_.items(in_.seen(op))}); }

  // Judges what was given, operations in the order of their invocations. `places` is scratch, as long as the table of
  // values, all kNoPlace, and is left so.
  void judge(std::vector<std::uint32_t>& places) {
    places_ = &places;
    for (const auto& [op, id] : adds_) take_add(op, id);
    for (std::uint32_t r = 0; r < reads_.size(); ++r) take_read(r);
    if (!late_) look_for_order();
    if (freshness_ == Freshness::eventual) look_for_end();
    for (const Element& e : elements_) {
      if (e.seen != kNoEvent && e.acknowledged == kNoEvent && e.first_add != kNoEvent) ++in_.counter("recovered");
      look_for_absence(e);
    }
    for (const Element& e : elements_) places[e.id] = kNoPlace;
  }
  [[nodiscard]] bool observed() const { return observed_; }

  static constexpr std::uint32_t kNoPlace = 0xFFFFFFFFu;

 private:
  Element& element(ValueId id) {
    std::uint32_t& place = (*places_)[id];
    if (place == kNoPlace) {
      place = static_cast<std::uint32_t>(elements_.size());
      elements_.emplace_back().id = id;
    }
    return elements_[place];
  }
  std::string shown(ValueId id) const { return in_.shown(id); }
  std::string event(EventIndex e) const { return in_.event(e); }

  void take_add(OperationEvents op, ValueId id) {
    Element& e = element(id);
    ++in_.counter("attempts");
    if (h_.outcome(op) == EventType::fail) {
      if (e.failed_add == kNoEvent) e.failed_add = op.invocation;
      return;
    }
    if (e.first_add == kNoEvent) e.first_add = op.invocation;
    last_add_ = std::max(last_add_, op.completion != kNoEvent ? op.completion : op.invocation);
    if (h_.outcome(op) != EventType::ok) return;
    ++in_.counter("acknowledged");
    if (op.completion < e.acknowledged) {
      e.acknowledged = op.completion;
      e.known_by_add = op.invocation;
    }
    learn(e, op);
  }

  // `op` acknowledged or saw the element.
  static void learn(Element& e, OperationEvents op) {
    if (op.completion >= e.known) return;
    e.known = op.completion;
    e.known_by = op.invocation;
  }

  // Finds duplicates and elements that nobody added, since when elements are known, and which reads lack them.
  void take_read(std::uint32_t r) {
    const Read& read = reads_[r];
    for (const ValueId id : read.elements) {
      Element& e = element(id);
      if (e.last_present == r) {
        if (e.last_duplicate != r) duplicate(e, read);
        e.last_duplicate = r;
        continue;
      }
      if (r > 0 && e.last_present != r - 1) e.last_gap = r - 1;
      e.last_present = r;
      if (e.ended_last == kNoRead || reads_[e.ended_last].op.completion < read.op.completion) e.ended_last = r;
      if (!e.unexpected && (e.first_add == kNoEvent || e.first_add > read.op.completion)) {
        e.unexpected = true;
        unexpected(e, read);
      }
      e.seen = std::min(e.seen, read.op.completion);
      learn(e, read.op);
    }
  }

  // At the level eventual only a read when all has had its time shows that nothing is lost.
  void look_for_end() {
    const bool ended = std::any_of(reads_.begin(), reads_.end(), [&](const Read& read) {
      return in_.settled(last_add_, read.op, "set-full.settle");
    });
    if (!ended && !adds_.empty())
      in_.inconclusive("no read began set-full.settle after the last add, so nothing shows what is lost in the end" +
                       in_.without_times());
  }

  void look_for_absence(const Element& e) {
    if (e.known == kNoEvent) return;
    const auto first_after = static_cast<std::uint32_t>(
        std::partition_point(reads_.begin(), reads_.end(),
                             [&](const Read& read) { return read.op.invocation < e.known; }) -
        reads_.begin());
    const bool seen = e.seen != kNoEvent;
    if (seen || first_after < reads_.size()) observed_ = true;
    if (first_after == reads_.size()) {
      ++in_.counter(seen ? "stable" : "never-read");
      if (seen) stable_.push_back(0);
      return;
    }
    // The last read that had to contain it and does not: the last of all, or the last gap between those that do.
    const auto last = static_cast<std::uint32_t>(reads_.size() - 1);
    const std::uint32_t absent = e.last_present != last ? last : e.last_gap;
    if (absent == kNoRead || absent < first_after) {
      ++in_.counter("stable");
      stable_.push_back(0);
      return;
    }
    const Read* present = e.ended_last == kNoRead ? nullptr : &reads_[e.ended_last];
    const bool gone = present == nullptr || present->op.completion < reads_[absent].op.invocation;
    if (gone && freshness_ != Freshness::causal &&
        (!late_ || in_.settled(last_add_, reads_[absent].op, "set-full.settle")))
      return lost(e, reads_[absent], present);
    stale(e, reads_[absent], gone ? nullptr : present);
  }

  // An operation in its group: reads of the i-th set of the chain have 2i + 1, adds first seen by it 2i.
  struct Placed {
    std::size_t group = 0;
    OperationEvents op;
    const Element* element = nullptr;  // of an add
  };

  // Rules 1 and 2 of the header. What concerns one element and one read was told by look_for_absence.
  void look_for_order() {
    std::vector<const Read*> chain;
    for (const Read& read : reads_) chain.push_back(&read);
    std::stable_sort(chain.begin(), chain.end(),
                     [](const Read* a, const Read* b) { return a->elements.size() < b->elements.size(); });
    std::vector<std::size_t> group(elements_.size(), 2 * chain.size() + 2);  // of the adds of each element
    for (std::size_t i = chain.size(); i-- > 0;) {
      in_.work(chain[i]->elements.size());
      bool within = true;  // the next set of the chain
      for (const ValueId id : chain[i]->elements) {
        std::size_t& one = group[(*places_)[id]];
        within = within && (i + 1 == chain.size() || one == 2 * (i + 1) || one == 2 * i);
        one = 2 * i;
      }
      if (!within) return incomparable(*chain[i], *chain[i + 1]);
    }
    std::vector<Placed> placed;
    for (std::size_t i = 0, set = 0; i < chain.size(); ++i) {
      if (i > 0 && chain[i]->elements.size() > chain[i - 1]->elements.size()) set = i;
      placed.push_back({2 * set + 1, chain[i]->op, nullptr});
    }
    for (std::size_t i = 0; i < elements_.size(); ++i) {
      const Element& e = elements_[i];
      if (e.first_add == kNoEvent) continue;
      // One that nobody saw and nobody acknowledged need not have happened.
      if (group[i] <= 2 * chain.size() || e.acknowledged != kNoEvent)
        placed.push_back({group[i], {e.first_add, e.acknowledged}, &e});
    }
    look_for_real_time(std::move(placed));
  }

  // Two neighbours of the chain of which the smaller one is not contained in the other: tells reads that overlap. Of
  // two that do not, the later one lacks what the earlier one had.
  void incomparable(const Read& small, const Read& large) {
    if (in_.before(small.op, large.op) || in_.before(large.op, small.op)) return;
    const std::set<ValueId> in_small(small.elements.begin(), small.elements.end());
    const std::set<ValueId> in_large(large.elements.begin(), large.elements.end());
    const auto not_in = [](const std::set<ValueId>& these, const std::set<ValueId>& others) {
      return *std::find_if(these.begin(), these.end(), [&](ValueId x) { return !others.contains(x); });
    };
    if (in_large.size() < in_small.size() || in_large == in_small) return;  // an element twice
    if (std::includes(in_small.begin(), in_small.end(), in_large.begin(), in_large.end())) return;
    if (std::includes(in_large.begin(), in_large.end(), in_small.begin(), in_small.end())) return;
    const std::string mine = shown(not_in(in_small, in_large)), theirs = shown(not_in(in_large, in_small));
    in_.tell(
        "incomparable-reads", {small.op.invocation, large.op.invocation},
        in_.named(small.op) + " returned " + mine + " and not " + theirs + ", " + in_.named(large.op) + " the reverse",
        {"By the first, " + mine + " was added before " + theirs + "; by the second, after it.",
         "No one order of the two adds explains both."},
        key_);
  }

  // Rule 2: from the last group to the first, the operation of a later group that was over first.
  void look_for_real_time(std::vector<Placed> placed) {
    std::stable_sort(placed.begin(), placed.end(), [](const Placed& a, const Placed& b) { return a.group > b.group; });
    const Placed* over = nullptr;
    for (std::size_t i = 0; i < placed.size();) {
      std::size_t end = i;
      for (; end < placed.size() && placed[end].group == placed[i].group; ++end) {
        if (over != nullptr && over->op.completion < placed[end].op.invocation) out_of_order(*over, placed[end]);
      }
      for (; i < end; ++i) {
        in_.work();
        if (placed[i].op.completion == kNoEvent) continue;
        if (over == nullptr || placed[i].op.completion < over->op.completion) over = &placed[i];
      }
    }
  }

  // `first` was over before `second` was invoked, and must come after it.
  void out_of_order(const Placed& first, const Placed& second) {
    if (first.element == nullptr || second.element == nullptr) return;  // told by look_for_absence or take_read
    const Read* witness = nullptr;                                      // a read of `second` without `first`
    for (const Read& read : reads_) {
      const auto has = [&](const Element* e) {
        return std::find(read.elements.begin(), read.elements.end(), e->id) != read.elements.end();
      };
      if (!has(second.element) || has(first.element)) continue;
      // A read that began after the first add was over is stale, or shows a loss, and is told as that.
      if (freshness_ != Freshness::in_order && first.op.completion < read.op.invocation) continue;
      witness = &read;
      break;
    }
    if (witness == nullptr) return;
    const std::string a = shown(first.element->id), b = shown(second.element->id);
    in_.tell("causal-reverse", {first.element->known_by_add, second.op.invocation, witness->op.invocation},
             in_.named(witness->op) + " saw " + b + " and not " + a + ", which was written before it",
             {"The write of " + a + " was acknowledged at " + event(first.op.completion) + ".",
              "The write of " + b + " was invoked later, at " + event(second.op.invocation) + ".",
              in_.named(witness->op) + " returned " + b + " without " + a + "."},
             key_);
  }

  // From when the element was known until `until` began; into `latencies` when the history has times.
  void measure(const Element& e, EventIndex until, std::vector<std::int64_t>& latencies) const {
    if (h_.time(e.known) < 0 || h_.time(until) < 0) return;
    latencies.push_back(std::max<std::int64_t>(0, h_.time(until) - h_.time(e.known)));
  }

  std::string how_known(const Element& e) const {
    const bool by_add = e.acknowledged == e.known;
    return by_add ? "The add of " + shown(e.id) + " (" + event(e.known_by) + ") was acknowledged at " + event(e.known) +
                        "."
                  : "A read (" + event(e.known_by) + ") saw " + shown(e.id) + " and ended at " + event(e.known) + ".";
  }
  std::string lacked(const Element& e, const Read& read) const {
    return in_.named(read.op) + " was invoked later and returned " + std::to_string(read.elements.size()) +
           " elements without " + shown(e.id) + ".";
  }

  void lost(const Element& e, const Read& absent, const Read* present) {
    ++in_.counter("lost");
    measure(e, present == nullptr ? e.known : present->op.completion, lost_);
    const bool acknowledged = e.acknowledged != kNoEvent;
    std::vector<std::string> sentences = {how_known(e), lacked(e, absent)};
    sentences.push_back(present == nullptr
                            ? "No read ever returned it."
                            : "The last that returned it, " + in_.named(present->op) + ", had ended before.");
    in_.tell("lost-element", {e.first_add, e.known_by, absent.op.invocation},
             "element " + shown(e.id) + " was " + (acknowledged ? "acknowledged" : "seen") +
                 " and is lost: " + in_.named(absent.op) + " and all reads after it are without it",
             std::move(sentences), key_);
  }

  void stale(const Element& e, const Read& absent, const Read* present) {
    const bool revived = e.seen < absent.op.invocation && present != nullptr;
    ++in_.counter(revived ? "revived" : "stale");
    if (present != nullptr) measure(e, absent.op.invocation, stable_);
    if (late_) return;
    std::vector<std::string> sentences = {how_known(e), lacked(e, absent)};
    if (present != nullptr) sentences.push_back("It was not lost: " + in_.named(present->op) + " returned it.");
    in_.tell(
        revived ? "revived-element" : "stale-read", {e.first_add, e.known_by, absent.op.invocation},
        in_.named(absent.op) +
            (revived ? " lacks element " + shown(e.id) + ", which reads before it and after it returned"
                     : " is stale: it lacks element " + shown(e.id) + ", which was known before the read was invoked"),
        std::move(sentences), key_);
  }

  void duplicate(const Element& e, const Read& read) {
    const auto times = std::count(read.elements.begin(), read.elements.end(), e.id);
    in_.tell("duplicate-element", {read.op.invocation},
             in_.named(read.op) + " returned element " + shown(e.id) + " " + std::to_string(times) + " times",
             {"A set holds an element once."}, key_);
  }

  void unexpected(const Element& e, const Read& read) {
    const std::string why = e.first_add != kNoEvent    ? "whose add was invoked only after the read had ended"
                            : e.failed_add != kNoEvent ? "whose add certainly failed"
                                                       : "that nobody ever added";
    std::vector<std::string> sentences;
    if (e.first_add != kNoEvent) {
      sentences.push_back("The read ended at " + event(read.op.completion) + "; the first add of " + shown(e.id) +
                          " is " + event(e.first_add) + ".");
    } else if (e.failed_add != kNoEvent) {
      sentences.push_back("The add of " + event(e.failed_add) + " ended in fail: it did not happen.");
    }
    in_.tell("unexpected-element", {e.first_add, e.failed_add, read.op.invocation},
             in_.named(read.op) + " returned element " + shown(e.id) + ", " + why, std::move(sentences), key_);
  }

 public:
  [[nodiscard]] const std::vector<std::int64_t>& stable_latencies() const { return stable_; }
  [[nodiscard]] const std::vector<std::int64_t>& lost_latencies() const { return lost_; }

 private:
  Judgement& in_;
  const History& h_;
  ValueId key_;
  Freshness freshness_;
  bool late_;                                     // reads may be
  std::vector<std::uint32_t>* places_ = nullptr;  // by value: its place in elements_
  std::vector<Element> elements_;
  std::vector<std::pair<OperationEvents, ValueId>> adds_;
  std::vector<Read> reads_;
  EventIndex last_add_ = 0;
  std::vector<std::int64_t> stable_, lost_;  // latencies in ns
  bool observed_ = false;
};

}  // namespace

void GrowOnlySets::judge() {
  bool observed = false;
  std::vector<std::int64_t> stable, lost;
  std::vector<std::uint32_t> places(in_.values().size(), SetOfKey::kNoPlace);
  for (const auto& [key, set] : sets_) {
    SetOfKey one(in_, key, freshness_);
    for (const auto& [op, element] : set.adds) one.add(op, element);
    for (const OperationEvents op : set.reads) one.read(op);
    in_.counter("reads") += static_cast<std::int64_t>(set.reads.size());
    one.judge(places);
    if (freshness_ == Freshness::causal) judge_causal_set(in_, key, set.adds, set.reads);
    observed = observed || one.observed();
    stable.insert(stable.end(), one.stable_latencies().begin(), one.stable_latencies().end());
    lost.insert(lost.end(), one.lost_latencies().begin(), one.lost_latencies().end());
  }
  in_.keys(sets_.size());
  in_.detail("stable-latencies-ms", quantiles_ms(std::move(stable)));
  in_.detail("lost-latencies-ms", quantiles_ms(std::move(lost)));
  if (in_.counter("reads") == 0) {
    in_.inconclusive("no read succeeded, so nothing is known about the set");
  } else if (!observed) {
    in_.inconclusive("no element was acknowledged before a read or seen by one, so nothing is known about the set");
  }
}

std::vector<std::pair<std::string, std::string>> grow_only_anomalies() {
  return {{"lost-element", "an acknowledged element is missing from every later read"},
          {"unexpected-element", "something was read that nobody wrote, or whose write certainly failed"},
          {"stale-read", "a read misses an element, or returns a value, that was replaced or added before it began"},
          {"revived-element", "an element was seen, was missing from a later read, and came back"},
          {"duplicate-element", "a read holds an element more often than it was added"},
          {"incomparable-reads", "of two reads each has an element that the other one lacks"},
          {"missing-dependency", "a read has an element, or a process, that depends on one which the read lacks"},
          {"causal-reverse", "a read saw a write and missed one that was over before that one began"}};
}

}  // namespace ordeal::work
