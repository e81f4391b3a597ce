// The checker "set-full": a grow-only set; nothing acknowledged is lost, nothing appears that nobody added.
//
// Operations: `add` with an element, `read` whose ok value is the list (or EDN set) of all elements; keys, if any, are
// sets of their own. An element is *known* from the first acknowledgement of its add, or from the first read that
// saw it; from then on every read that is invoked later must contain it. After Jepsen's set-full:
//
//   lost-element        known, absent from a read, and in no read that ended after that one began
//   revived-element     seen, absent from a later read, and seen again
//   stale-read          known by its acknowledgement, absent from a read, but seen later
//   unexpected-element  read, but never added, or only by adds that certainly failed, or before its add was invoked
//   duplicate-element   twice in one read
//
// The details count further: recovered elements (added by a crashed operation, and there), never read ones, and how
// long it took from when elements were known until all later reads had them (stable-latencies), or until they were gone
// (lost-latencies). Levels: "linearizable" as above; "eventual": stale reads and revivals are only counted, and an
// element is lost when it is absent from the last read of those that were invoked after every add had ended.
//
// Cost: O(all elements of all reads).
#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include "checkers/workload/judgement.h"
#include "checkers/workload/workload_checkers.h"

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
  SetOfKey(Judgement& in, ValueId key, bool eventual) : in_(in), h_(in.history()), key_(key), eventual_(eventual) {}

  void add(OperationEvents op) { adds_.push_back(op); }
  void read(OperationEvents op) { reads_.push_back({op, in_.items(in_.seen(op))}); }

  // Judges what was given, operations in the order of their invocations. `places` is scratch, as long as the table of
  // values, all kNoPlace, and is left so.
  void judge(std::vector<std::uint32_t>& places) {
    places_ = &places;
    for (const OperationEvents op : adds_) take_add(op);
    for (std::uint32_t r = 0; r < reads_.size(); ++r) take_read(r);
    for (const Element& e : elements_) {
      if (e.seen != kNoEvent && e.acknowledged == kNoEvent && e.first_add != kNoEvent) ++in_.counter("recovered");
      look_for_absence(e);
      places[e.id] = kNoPlace;
    }
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

  void take_add(OperationEvents op) {
    Element& e = element(h_.value(op.invocation));
    ++in_.counter("attempts");
    if (h_.outcome(op) == EventType::fail) {
      if (e.failed_add == kNoEvent) e.failed_add = op.invocation;
      return;
    }
    if (e.first_add == kNoEvent) e.first_add = op.invocation;
    last_add_ = std::max(last_add_, op.completion != kNoEvent ? op.completion : op.invocation);
    if (h_.outcome(op) != EventType::ok) return;
    ++in_.counter("acknowledged");
    e.acknowledged = std::min(e.acknowledged, op.completion);
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
    if (gone && (!eventual_ || reads_[absent].op.invocation > last_add_)) return lost(e, reads_[absent], present);
    stale(e, reads_[absent], gone ? nullptr : present);
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
    return "The read of " + event(read.op.invocation) + " by process " +
           h_.process_name(h_.process(read.op.invocation)) + " was invoked later and returned " +
           std::to_string(read.elements.size()) + " elements without " + shown(e.id) + ".";
  }

  void lost(const Element& e, const Read& absent, const Read* present) {
    ++in_.counter("lost");
    measure(e, present == nullptr ? e.known : present->op.completion, lost_);
    const bool acknowledged = e.acknowledged != kNoEvent;
    std::vector<std::string> sentences = {how_known(e), lacked(e, absent)};
    sentences.push_back(present == nullptr ? "No read ever returned it."
                                           : "The last read that returned it (" + event(present->op.invocation) +
                                                 ") had ended before.");
    in_.tell("lost-element", {e.first_add, e.known_by, absent.op.invocation},
             "element " + shown(e.id) + " was " + (acknowledged ? "acknowledged" : "seen") +
                 " and is lost: the read of " + event(absent.op.invocation) + " and all reads after it are without it",
             std::move(sentences), key_);
  }

  void stale(const Element& e, const Read& absent, const Read* present) {
    const bool revived = e.seen < absent.op.invocation && present != nullptr;
    ++in_.counter(revived ? "revived" : "stale");
    if (present != nullptr) measure(e, absent.op.invocation, stable_);
    if (eventual_) return;
    std::vector<std::string> sentences = {how_known(e), lacked(e, absent)};
    if (present != nullptr)
      sentences.push_back("It was not lost: the read of " + event(present->op.invocation) + " returned it.");
    in_.tell(
        revived ? "revived-element" : "stale-read", {e.first_add, e.known_by, absent.op.invocation},
        "the read of " + event(absent.op.invocation) +
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
  bool eventual_;
  std::vector<std::uint32_t>* places_ = nullptr;  // by value: its place in elements_
  std::vector<Element> elements_;
  std::vector<OperationEvents> adds_;
  std::vector<Read> reads_;
  EventIndex last_add_ = 0;
  std::vector<std::int64_t> stable_, lost_;  // latencies in ns
  bool observed_ = false;
};

void judge_set_full(Judgement& in) {
  const bool eventual = in.level("linearizable") == "eventual";
  if (!in.understands({"add", "read"})) return;
  std::map<ValueId, SetOfKey> sets;
  for (const OperationEvents op : in.operations()) {
    if (in.f(op) == "add" && in.asked(op) == kAbsent) return in.refuse(op, "an element");
    if (in.f(op) == "read" && (!in.ok(op) || !in.takes_elements(op))) {
      if (in.refused()) return;
      continue;
    }
    SetOfKey& set = sets.try_emplace(in.key(op), in, in.key(op), eventual).first->second;
    if (in.f(op) == "add") {
      set.add(op);
    } else {
      ++in.counter("reads");
      set.read(op);
    }
  }
  bool observed = false;
  std::vector<std::int64_t> stable, lost;
  std::vector<std::uint32_t> places(in.values().size(), SetOfKey::kNoPlace);
  for (auto& [key, set] : sets) {
    set.judge(places);
    observed = observed || set.observed();
    stable.insert(stable.end(), set.stable_latencies().begin(), set.stable_latencies().end());
    lost.insert(lost.end(), set.lost_latencies().begin(), set.lost_latencies().end());
  }
  in.keys(sets.size());
  in.detail("stable-latencies-ms", quantiles_ms(std::move(stable)));
  in.detail("lost-latencies-ms", quantiles_ms(std::move(lost)));
  if (in.counter("reads") == 0) {
    in.inconclusive("no read succeeded, so nothing is known about the set");
  } else if (!observed) {
    in.inconclusive("no element was acknowledged before a read or seen by one, so nothing is known about the set");
  }
}

// Jepsen's older checker: what the last read holds, and nothing in between. Requires that all adds ended before it.
void judge_set(Judgement& in) {
  if (!in.understands({"add", "read"})) return;
  std::map<ValueId, OperationEvents> last;  // by key
  std::map<ValueId, AttemptTable> added;
  for (const OperationEvents op : in.operations()) {
    if (in.f(op) == "add") {
      if (in.asked(op) == kAbsent) return in.refuse(op, "an element");
      added[in.key(op)].add(in, in.asked(op), op);
    } else if (in.ok(op)) {
      if (!in.takes_elements(op)) return;
      last[in.key(op)] = op;
    }
  }
  in.keys(added.size());
  for (auto& [key, elements] : added) {
    const auto found = last.find(key);
    if (found == last.end()) {
      in.inconclusive(key == kAbsent ? "no read succeeded, so nothing is known about the set"
                                     : "no read of key " + in.shown(key) + " succeeded");
      continue;
    }
    const OperationEvents read = found->second;
    const std::set<ValueId> seen(in.items(in.seen(read)).begin(), in.items(in.seen(read)).end());
    for (const ValueId element : seen) elements.explained(in, "unexpected-element", "element", element, read, key);
    for (const auto& [element, tries] : elements.all()) {
      in.counter("recovered") += tries.certain == 0 && seen.contains(element) ? 1 : 0;
      if (tries.acknowledged > read.invocation || seen.contains(element)) continue;
      ++in.counter("lost");
      in.tell("lost-element", {tries.acknowledged_by, read.invocation},
              "element " + in.shown(element) + " was acknowledged (" + in.event(tries.acknowledged) +
                  ") and is not in the last " + "read (" + in.event(read.invocation) + ")",
              {}, key);
    }
  }
  if (added.empty()) in.inconclusive("nothing was added");
}

const std::pair<std::string, std::string> kLost = {"lost-element",
                                                   "an acknowledged element is missing from every later read"};
const std::pair<std::string, std::string> kUnexpected = {
    "unexpected-element", "something was read that nobody wrote, or whose write certainly failed"};

}  // namespace

WorkloadChecker set_full() {
  return {
      "set-full",
      "a grow-only set: lost, stale, revived, duplicate and unexpected elements, and how long they took to be visible",
      {"linearizable", "eventual"},
      judge_set_full,
      {kLost,
       kUnexpected,
       {"stale-read", "a read misses an element, or returns a value, that was replaced or added before it began"},
       {"revived-element", "an element was seen, was missing from a later read, and came back"},
       {"duplicate-element", "a read holds an element more often than it was added"}}};
}

WorkloadChecker set() {
  return {"set",
          "a grow-only set: the last read holds every acknowledged element and none that was not added",
          {"final"},
          judge_set,
          {kLost, kUnexpected}};
}

}  // namespace ordeal::work
