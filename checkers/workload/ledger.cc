// The checker "ledger": accounts as streams of events (event sourcing) under optimistic locking, and a read model that
// a projector fills elsewhere.
//
// Operations, the account being the key: `deposit` and `withdraw` {"id" i, "amount" n}, n > 0, i new to the account, ok
// with the version of its event: 1, 2, 3, … in each account. A withdrawal that fails with an error of the kind
// "insufficient" was refused for want of money, every other failure says nothing. `events`: the stream, [[version, id,
// amount] …], withdrawals with a minus. `balance`, `model` (from the read model) and `replay` (a read model built from
// nothing): [version, balance]. Options ledger.lag (T), ledger.settle.
//
// Of one stream alone:
//   overdraft          the first events of a stream add up to less than nothing
//   skipped-version    a stream lacks a version, or one is missing that no event of unknown outcome can have
//   duplicate-version  two events have one version
//   duplicate-event    an event is there twice
//   unexpected-event   an event that nobody had asked for, with that amount, or whose append failed; more events are
//                      shown than had been asked for
//   wrong-version      an event was acknowledged with another version
//   lost-event         an acknowledged event is missing from a stream that must have it
//   rewritten-stream   two streams of one account of which neither begins the other
// Of all answers by the stream:
//   version-went-back  an append began after one with a greater version had been acknowledged
//   wrong-balance, wrong-model, wrong-replay  a version was shown with a balance that its events do not add up to
//   stale-read         events or balance of a version before one that was known when the read began
//   needless-refusal   refused for want of money, although at every version that it can have seen there was enough
//   model-went-back    the read model, or a replay, shows a version before one that it showed earlier
//   read-model-lag     it lacks what had been known for more than T before it was read
//   model-behind       the same in the end: ledger.settle after everything
//
// Why that decides the promise: positions in the stream order all appends, reads, and the versions at which refusals
// are possible, and a history whose operations are ordered by one number is within real time exactly when no two of
// them are the wrong way round (refusals take the least version that they can, in the order in which they began).
// Events of unknown outcome are where the longest stream shows them. What nobody read to its end is not decided: the
// verdict is `unknown` unless what is known is wrong in itself. Levels: linearizable judges all of it;
// consistent-prefix allows reads to be late, but not for ever: no stale-read, needless-refusal and model-went-back, and
// ledger.settle after everything streams show what was acknowledged. Cost: O(n log n) beside the size of the streams.
#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "checkers/workload/judgement.h"
#include "checkers/workload/workload_checkers.h"

namespace ordeal::work {
namespace {

constexpr std::int64_t kMaxAmount = 1'000'000'000'000;
constexpr std::int64_t kMaxVersion = 1'000'000'000;

// An append. `version` 0: not known.
struct Append {
  OperationEvents op;
  ValueId id = kAbsent;
  std::int64_t amount = 0;
  std::int64_t version = 0;
};
// A read that was ok.
struct Shown {
  OperationEvents op;
  std::string_view f;
  std::int64_t version = 0;
  std::int64_t balance = 0;         // not of `events`
  std::span<const ValueId> events;  // of `events`
};
struct Refused {
  OperationEvents op;
  std::int64_t amount = 0;
};
// Something that is known to have a place in the order of the account.
struct Placed {
  OperationEvents op;
  std::int64_t version = 0;
  bool append = false;
  [[nodiscard]] std::int64_t place() const { return 2 * version + (append ? 0 : 1); }
};

class Account {
 public:
  Account(Judgement& in, ValueId key, bool strict) : in_(in), key_(key), strict_(strict) {}

  void append(const Append& one) { appends_.push_back(one); }
  void shown(const Shown& one) { (one.f == "events" ? streams_ : reads_).push_back(one); }
  void refused(const Refused& one) { refusals_.push_back(one); }

  // `last`: the last event of any append of the history.
  void judge(EventIndex last) {
    index();
    if (!streams() || !continued()) return;
    sums();
    order_of_appends();
    for (const Shown& one : reads_) balance(one);
    for (const Shown& one : streams_) not_ahead(one);
    place_all();
    if (strict_) {
      fresh();
      refusals();
    }
    late(last);
  }
  // Whether several processes withdrew, or tried to, and one of them succeeded: what one does alone needs no versions.
  [[nodiscard]] bool contended() const {
    const History& h = in_.history();
    bool good = false, several = false;
    for (const OperationEvents op : withdrawals_) {
      if (!in_.ok(op) && !in_.failed(op)) continue;
      good = good || in_.ok(op);
      several = several || h.process(op.invocation) != h.process(withdrawals_.front().invocation);
    }
    return good && several;
  }
  void withdrawal(OperationEvents op) { withdrawals_.push_back(op); }

 private:
  void tell(const char* type, std::vector<EventIndex> operations, std::string explanation,
            std::vector<std::string> why = {}) {
    std::sort(operations.begin(), operations.end());
    operations.erase(std::unique(operations.begin(), operations.end()), operations.end());
    in_.tell(type, std::move(operations), std::move(explanation), std::move(why), key_);
  }
  // "the read of the events by process 1 (event 7)".
  [[nodiscard]] std::string told(OperationEvents op) const {
    const std::string out = in_.named(op);
    for (const char* f : {"events", "model", "balance"}) {
      if (in_.f(op) == f && out.starts_with(std::string("the ") + f)) return "the read of " + out;
    }
    return out;
  }
  [[nodiscard]] std::string at(std::int64_t version) const { return "version " + std::to_string(version); }
  [[nodiscard]] std::int64_t known() const { return static_cast<std::int64_t>(order_.size()); }
  // What shows the first `count` events and where they are: the longest stream, and the appends of those that it lacks.
  [[nodiscard]] std::vector<EventIndex> first(std::int64_t count) const {
    std::vector<EventIndex> out;
    for (std::int64_t v = stream_length() + 1; v <= std::min(count, known()); ++v)
      out.push_back(event_of(v).op.invocation);
    if (longest_ != nullptr) out.push_back(longest_->op.invocation);
    return out;
  }
  // What shows the version of something, where its own answer does not.
  [[nodiscard]] std::vector<EventIndex> placing(const Placed& one) const {
    if (!one.append || in_.ok(one.op)) return {};
    return first(one.version);
  }
  [[nodiscard]] std::vector<EventIndex> with(std::vector<EventIndex> all,
                                             std::initializer_list<EventIndex> more) const {
    all.insert(all.end(), more);
    return all;
  }
  [[nodiscard]] const Append& event_of(std::int64_t version) const {
    return *order_[static_cast<std::size_t>(version) - 1];
  }
  [[nodiscard]] std::int64_t sum(std::int64_t version) const { return sums_[static_cast<std::size_t>(version)]; }

  void index() {
    for (const Append& one : appends_) {
      by_id_.emplace(one.id, &one);
      if (one.version == 0 || in_.failed(one.op)) continue;
      const auto [other, alone] = by_version_.emplace(one.version, &one);
      if (!alone) again_.emplace_back(other->second, &one);
    }
  }

  // ---- streams

  // False: something is wrong, and what else is seen would be wrong by that.
  bool streams() {
    std::stable_sort(streams_.begin(), streams_.end(),
                     [](const Shown& a, const Shown& b) { return a.events.size() > b.events.size(); });
    bool whole = true;
    if (!streams_.empty()) {
      longest_ = &streams_.front();
      whole = contents(*longest_);
    }
    for (const Shown& one : streams_) {
      in_.work(one.events.size());
      if (std::equal(one.events.begin(), one.events.end(), longest_->events.begin())) continue;
      if (contents(one) && whole) {
        tell("rewritten-stream", {longest_->op.invocation, one.op.invocation},
             told(longest_->op) + " and " + told(one.op) + " show streams of which neither begins the other");
      }
      whole = false;
    }
    for (const auto& [one, other] : again_) {
      if (!whole) break;
      if (one->version <= stream_length()) continue;  // told as lost
      tell("duplicate-version", {one->op.invocation, other->op.invocation},
           told(one->op) + " and " + told(other->op) + " were both acknowledged with " + at(one->version));
      whole = false;
    }
    return whole;
  }
  [[nodiscard]] std::int64_t stream_length() const {
    return longest_ == nullptr ? 0 : static_cast<std::int64_t>(longest_->events.size());
  }

  // What one stream says by itself, and against what was asked for and acknowledged. Fills order_ from the longest.
  bool contents(const Shown& stream) {
    std::map<ValueId, std::int64_t> places;
    std::set<std::int64_t> versions;
    std::vector<EventIndex> named = {stream.op.invocation};
    std::int64_t money = 0, version = 0;
    bool whole = true;
    const auto wrong = [&](const char* type, std::vector<EventIndex> operations, const std::string& what) {
      if (whole) tell(type, with(std::move(operations), {stream.op.invocation}), told(stream.op) + what);
      whole = false;
    };
    for (const ValueId item : stream.events) {
      in_.work();
      const auto parts = in_.items(item);
      const std::int64_t shown = *in_.integer(parts[0]), amount = *in_.integer(parts[2]);
      ++version;
      const bool new_version = versions.insert(shown).second;
      const auto [place, new_event] = places.emplace(parts[1], shown);
      const auto found = by_id_.find(parts[1]);
      const Append* event = found == by_id_.end() ? nullptr : found->second;
      const std::string what = "the event " + in_.shown(parts[1]) + " at " + at(shown);
      if (event != nullptr) named.push_back(event->op.invocation);
      if (event == nullptr)
        wrong("unexpected-event", {}, " has " + what + ", which nobody asked for");
      else if (in_.failed(event->op))
        wrong("unexpected-event", {event->op.invocation}, " has " + what + ", whose append failed");
      else if (amount != event->amount)
        wrong("unexpected-event", {event->op.invocation},
              " has " + what + " with the amount " + std::to_string(amount) + ", not " + std::to_string(event->amount));
      else if (!new_event)
        wrong("duplicate-event", {event->op.invocation},
              " has the event " + in_.shown(parts[1]) + " at versions " + std::to_string(place->second) + " and " +
                  std::to_string(shown));
      else if (!new_version)
        wrong("duplicate-version", {event->op.invocation}, " has two events with " + at(shown));
      else if (shown != version)
        wrong("skipped-version", {event->op.invocation},
              " has " + at(shown) + " where " + at(version) + " would follow");
      money += amount;
      if (money < 0 && whole) overdrawn(stream, named, money, version);
      whole = whole && money >= 0;
      if (whole && &stream == longest_) order_.push_back(event);
    }
    if (!whole) return false;
    for (const auto& [id, place] : places) {
      const Append& event = *by_id_.at(id);
      if (event.version != 0 && event.version != place)
        wrong("wrong-version", {event.op.invocation},
              " has the event " + in_.shown(id) + " at " + at(place) + ", and it was acknowledged with " +
                  at(event.version));
    }
    for (const Append& event : appends_) {
      if (event.version == 0 || event.version > version || places.contains(event.id)) continue;
      wrong("lost-event", {event.op.invocation},
            " lacks the event " + in_.shown(event.id) + ", which was acknowledged with " + at(event.version));
    }
    return whole;
  }

  void overdrawn(const Shown& stream, const std::vector<EventIndex>& named, std::int64_t money, std::int64_t version) {
    tell("overdraft", named,
         told(stream.op) + " has events that up to " + at(version) + " add up to " + std::to_string(money),
         side_by_side(by_id_.at(in_.items(stream.events[static_cast<std::size_t>(version) - 1])[1])->op));
  }
  std::vector<std::string> side_by_side(OperationEvents last) const {
    std::vector<std::string> out;
    for (const OperationEvents op : withdrawals_) {
      if (op.invocation == last.invocation || in_.failed(op) || in_.before(op, last) || in_.before(last, op)) continue;
      out.push_back("The withdrawals of " + in_.event(op.invocation) + " and " + in_.event(last.invocation) +
                    " ran side by side.");
      if (out.size() == 3) break;
    }
    if (out.empty())
      out.push_back(
          "No other withdrawal ran beside the last one: it was granted by a balance that was not up to date.");
    return out;
  }

  // ---- what is known beyond the longest stream: acknowledged versions that follow on it

  bool continued() {
    for (auto next = by_version_.find(known() + 1); next != by_version_.end(); next = by_version_.find(known() + 1))
      order_.push_back(next->second);
    const auto placed = std::set<const Append*>(order_.begin(), order_.end());
    for (const Append& one : appends_) {
      if (in_.failed(one.op) || placed.contains(&one)) continue;
      if (one.version == 0)
        open_.push_back(&one);
      else
        beyond_.push_back(&one);
    }
    // The events of unknown outcome that are left fill the versions that nobody was told.
    std::sort(beyond_.begin(), beyond_.end(), [](auto* a, auto* b) { return a->version < b->version; });
    std::int64_t filled = known();
    for (std::size_t i = 0; i < beyond_.size(); ++i) {
      const Append& one = *beyond_[i];
      const std::int64_t missing = one.version - known() - 1 - static_cast<std::int64_t>(i);
      if (missing <= static_cast<std::int64_t>(open_.size())) {
        filled = one.version;
        continue;
      }
      std::vector<EventIndex> named = first(known());
      for (const Append* other : open_) named.push_back(other->op.invocation);
      for (std::size_t j = 0; j <= i; ++j) named.push_back(beyond_[j]->op.invocation);
      tell("skipped-version", std::move(named),
           told(one.op) + " was acknowledged with " + at(one.version) + ", and of the versions before it " +
               std::to_string(missing) + " have no event, with " + std::to_string(open_.size()) +
               " of unknown outcome left");
      return false;
    }
    most_ = known() + static_cast<std::int64_t>(open_.size() + beyond_.size());
    if (filled > stream_length()) unread(filled);
    return true;
  }
  void unread(std::int64_t version) {
    in_.inconclusive("the stream of account " + in_.shown(key_) + " was not read up to " + at(version));
  }

  void sums() {
    sums_ = {0};
    latest_ = {kNoEvent};
    EventIndex latest = 0;
    for (const Append* one : order_) {
      in_.work();
      sums_.push_back(sums_.back() + one->amount);
      latest = std::max(latest, one->op.invocation);
      latest_.push_back(latest);
      if (sums_.back() >= 0 || sums_[sums_.size() - 2] < 0) continue;
      const auto version = static_cast<std::int64_t>(sums_.size()) - 1;
      tell("overdraft", first(version),
           "the events that were acknowledged up to " + at(version) + " add up to " + std::to_string(sums_.back()),
           side_by_side(one->op));
    }
  }

  void order_of_appends() {
    std::vector<const Append*> all = order_;
    all.insert(all.end(), beyond_.begin(), beyond_.end());
    const Append* soonest = nullptr;  // of those with greater versions, the one that was acknowledged first
    for (auto one = all.rbegin(); one != all.rend(); ++one) {
      in_.work();
      if (soonest != nullptr && in_.before(soonest->op, (*one)->op)) {
        auto named = first(known());
        tell("version-went-back", with(std::move(named), {soonest->op.invocation, (*one)->op.invocation}),
             told((*one)->op) + " began after " + told(soonest->op) + " had been acknowledged with the " + "greater " +
                 at(version_of(*soonest, all)) + ", and has " + at(version_of(**one, all)));
        return;
      }
      if (in_.ok((*one)->op) && (soonest == nullptr || (*one)->op.completion < soonest->op.completion)) soonest = *one;
    }
  }
  [[nodiscard]] std::int64_t version_of(const Append& one, const std::vector<const Append*>& all) const {
    if (one.version != 0) return one.version;
    return std::find(all.begin(), all.end(), &one) - all.begin() + 1;
  }

  // ---- reads by themselves

  void balance(const Shown& one) {
    if (one.version > most_) {
      auto named = first(known());
      for (const auto* more : {&open_, &beyond_}) {
        for (const Append* other : *more) named.push_back(other->op.invocation);
      }
      return tell("unexpected-event", with(std::move(named), {one.op.invocation}),
                  told(one.op) + " shows " + at(one.version) + ", and no more than " + std::to_string(most_) +
                      " events can be there");
    }
    if (one.version > known()) return unread(one.version);
    if (one.version > stream_length()) unread(one.version);
    if (sum(one.version) != one.balance) {
      const char* type = one.f == "balance" ? "wrong-balance" : one.f == "model" ? "wrong-model" : "wrong-replay";
      return tell(type, with(first(one.version), {one.op.invocation}),
                  told(one.op) + " shows " + std::to_string(one.balance) + " at " + at(one.version) +
                      ", whose events add up to " + std::to_string(sum(one.version)));
    }
    not_ahead(one);
  }
  // Nothing is shown before it was asked for.
  void not_ahead(const Shown& one) {
    if (one.version == 0 || one.version > known() || latest_[static_cast<std::size_t>(one.version)] < one.op.completion)
      return;
    const auto early = std::find_if(order_.begin(), order_.end(),
                                    [&](const Append* event) { return event->op.invocation > one.op.completion; });
    tell("unexpected-event", with(first(one.version), {(*early)->op.invocation, one.op.invocation}),
         told(one.op) + " shows " + at(one.version) + ", which has the event of " + told((*early)->op) +
             ", asked for only afterwards");
  }

  // ---- reads against time

  void place_all() {
    for (std::int64_t v = 1; v <= known(); ++v) placed_.push_back({event_of(v).op, v, true});
    for (const Append* one : beyond_) placed_.push_back({one->op, one->version, true});
    for (const Shown& one : streams_) placed_.push_back({one.op, one.version, false});
    for (const Shown& one : reads_) {
      if (one.f == "balance" && one.version <= most_) placed_.push_back({one.op, one.version, false});
    }
    for (const Placed& one : placed_) {
      if (in_.ok(one.op)) over_.push_back(one);
    }
    const auto by_begin = [](const Placed& a, const Placed& b) { return a.op.invocation < b.op.invocation; };
    const auto by_end = [](const Placed& a, const Placed& b) { return a.op.completion < b.op.completion; };
    std::sort(placed_.begin(), placed_.end(), by_begin);
    std::sort(over_.begin(), over_.end(), by_end);
  }

  // No read shows less than what was known when it began.
  void fresh() {
    std::size_t next = 0;
    const Placed* furthest = nullptr;
    for (const Placed& one : placed_) {
      for (; next < over_.size() && over_[next].op.completion < one.op.invocation; ++next) {
        in_.work();
        if (furthest == nullptr || over_[next].version > furthest->version) furthest = &over_[next];
      }
      if (one.append || furthest == nullptr || furthest->version <= one.version) continue;
      missed(one, *furthest);
    }
  }
  void missed(const Placed& read, const Placed& known_by) {
    const bool there = known_by.version <= stream_length();
    tell(there ? "stale-read" : "lost-event", with(placing(known_by), {known_by.op.invocation, read.op.invocation}),
         told(read.op) + " shows " + at(read.version) + ", although " + told(known_by.op) +
             (known_by.append ? " had been acknowledged with " : " had shown ") + at(known_by.version) +
             " before it began" + (there ? "" : "; no stream has it"));
  }

  // Each refusal gets the least version at which it is possible.
  void refusals() {
    std::vector<std::int64_t> reached = {0};  // by the first i that were over
    for (const Placed& one : over_) reached.push_back(std::max(reached.back(), one.version));
    std::vector<std::int64_t> least(placed_.size() + 1,
                                    kMaxVersion);  // what comes before the i-th and later has at most
    std::vector<std::size_t> by(placed_.size() + 1, placed_.size());
    for (std::size_t i = placed_.size(); i-- > 0;) {
      const std::int64_t most = placed_[i].version - (placed_[i].append ? 1 : 0);
      least[i] = std::min(least[i + 1], most);
      by[i] = most < least[i + 1] ? i : by[i + 1];
    }
    std::multimap<EventIndex, std::int64_t> given;  // versions of refusals, by their ends
    std::int64_t earlier = 0;                       // the greatest of those that were over
    for (const Refused& one : refusals_) {          // by invocation
      for (; !given.empty() && given.begin()->first < one.op.invocation; given.erase(given.begin()))
        earlier = std::max(earlier, given.begin()->second);
      const auto over = std::partition_point(
          over_.begin(), over_.end(), [&](const Placed& other) { return other.op.completion < one.op.invocation; });
      const std::int64_t from = reached[static_cast<std::size_t>(over - over_.begin())];
      const auto after = static_cast<std::size_t>(
          std::partition_point(placed_.begin(), placed_.end(),
                               [&](const Placed& other) { return other.op.invocation < one.op.completion; }) -
          placed_.begin());
      if (from > known() || from > least[after]) continue;  // told already, or not read to its end
      const std::int64_t until = std::min(least[after], known());
      std::int64_t version = std::max(from, earlier);
      for (; version <= until && sum(version) >= one.amount; ++version) in_.work();
      if (version > until && least[after] > known() && possible_later(one)) {
        in_.inconclusive("whether an event of unknown outcome was in the way of " + told(one.op) +
                         " is not known: the stream was not read afterwards");
        continue;
      }
      if (version <= until)
        given.emplace(one.op.completion, version);
      else
        needless(one, from, earlier, until, by[after]);
    }
  }
  // Whether events that have no place yet may have come before the refusal and be its reason.
  [[nodiscard]] bool possible_later(const Refused& one) const {
    if (!beyond_.empty()) return true;
    std::int64_t money = sum(known());
    for (const Append* event : open_) {
      if (event->op.invocation < one.op.completion) money += std::min<std::int64_t>(event->amount, 0);
    }
    return money < one.amount;
  }
  void needless(const Refused& one, std::int64_t from, std::int64_t earlier, std::int64_t until, std::size_t before) {
    auto named = with(first(known()), {one.op.invocation});
    for (const Placed& other : over_) {
      if (other.op.completion < one.op.invocation && other.version == from) named.push_back(other.op.invocation);
    }
    if (before < placed_.size()) named.push_back(placed_[before].op.invocation);
    if (earlier > from) {
      for (const Refused& other : refusals_) {
        if (in_.before(other.op, one.op)) named.push_back(other.op.invocation);
      }
      from = earlier;
    }
    std::int64_t least = sum(std::min(from, known()));
    for (std::int64_t v = from; v <= until; ++v) least = std::min(least, sum(v));
    tell("needless-refusal", std::move(named),
         told(one.op) + " was refused " + std::to_string(one.amount) + ", although from " + at(from) +
             (until > from ? " to " + at(until) : "") + " there were at least " + std::to_string(least));
  }

  // The read model: never back, not later than T, and there in the end. At consistent-prefix streams, too, are there in
  // the end.
  void late(EventIndex last) {
    bool settled = false;
    for (const char* f : {"model", "replay"}) {
      std::vector<const Shown*> looks;
      for (const Shown& one : reads_) {
        if (one.f == f) looks.push_back(&one);
      }
      if (strict_) never_back(looks);
      behind(looks, last, f, settled);
    }
    const bool wanted = !by_version_.empty();
    if (wanted && !settled)
      in_.inconclusive("the read model of account " + in_.shown(key_) + " was not read ledger.settle after everything" +
                       in_.without_times());
    if (strict_) return;
    std::vector<const Shown*> looks;
    for (const Shown& one : streams_) looks.push_back(&one);
    std::sort(looks.begin(), looks.end(), [](auto* a, auto* b) { return a->op.invocation < b->op.invocation; });
    behind(looks, last, "events", settled);
  }
  void never_back(std::vector<const Shown*> looks) {  // by invocation
    auto over = looks;
    std::sort(over.begin(), over.end(), [](auto* a, auto* b) { return a->op.completion < b->op.completion; });
    std::size_t next = 0;
    const Shown* furthest = nullptr;
    for (const Shown* one : looks) {
      for (; next < over.size() && over[next]->op.completion < one->op.invocation; ++next) {
        if (furthest == nullptr || over[next]->version > furthest->version) furthest = over[next];
      }
      if (furthest == nullptr || furthest->version <= one->version) continue;
      tell("model-went-back", {furthest->op.invocation, one->op.invocation},
           told(one->op) + " shows " + at(one->version) + ", although " + told(furthest->op) + " had shown " +
               at(furthest->version) + " before it began");
    }
  }
  // Requires: `looks` in the order of their invocations.
  void behind(const std::vector<const Shown*>& looks, EventIndex last, const std::string& f, bool& settled) {
    const std::int64_t lag = f == "events" ? 0 : in_.option_ns("ledger.lag");
    std::size_t in_time = 0, at_rest = 0;
    const Placed* known_lag = nullptr;
    const Placed* known_rest = nullptr;
    const auto further = [](const Placed*& furthest, const Placed& one) {
      if (furthest == nullptr || one.version > furthest->version) furthest = &one;
    };
    for (const Shown* one : looks) {
      in_.work();
      for (; lag > 0 && in_time < over_.size() && older(over_[in_time].op.completion, *one, lag); ++in_time)
        further(known_lag, over_[in_time]);
      if (known_lag != nullptr && known_lag->version > one->version) too_late("read-model-lag", *one, *known_lag);
      if (known_lag != nullptr) ++in_.counter("compared-by-time");
      if (!in_.settled(last, one->op, "ledger.settle")) continue;
      settled = settled || f == "model";
      for (; at_rest < over_.size() && in_.settled(over_[at_rest].op.completion, one->op, "ledger.settle"); ++at_rest)
        further(known_rest, over_[at_rest]);
      const bool said = known_lag != nullptr && known_lag->version > one->version;
      if (known_rest == nullptr || known_rest->version <= one->version || said) continue;
      too_late(f == "events" ? "lost-event" : "model-behind", *one, *known_rest);
    }
  }
  [[nodiscard]] bool older(EventIndex event, const Shown& read, std::int64_t lag) const {
    return in_.history().time(event) + lag < in_.history().time(read.op.invocation);
  }
  void too_late(const char* type, const Shown& read, const Placed& known_by) {
    const History& h = in_.history();
    const std::int64_t ns = h.time(read.op.invocation) - h.time(known_by.op.completion);
    tell(type, with(placing(known_by), {known_by.op.invocation, read.op.invocation}),
         told(read.op) + " shows " + at(read.version) + ", although " + at(known_by.version) + " had been known " +
             (h.time(known_by.op.completion) < 0 ? std::string() : "for " + std::to_string(ns / 1'000'000) + " ms ") +
             "when it began (" + in_.event(known_by.op.completion) + ")");
  }

  Judgement& in_;
  const ValueId key_;
  const bool strict_;
  std::vector<Append> appends_;  // by invocation, as all of these
  std::vector<Shown> streams_;   // by length, the longest first, from streams() on
  std::vector<Shown> reads_;     // all others
  std::vector<Refused> refusals_;
  std::vector<OperationEvents> withdrawals_;
  std::map<ValueId, const Append*> by_id_;
  std::map<std::int64_t, const Append*> by_version_;  // acknowledged
  std::vector<std::pair<const Append*, const Append*>> again_;
  const Shown* longest_ = nullptr;
  std::vector<const Append*> order_;          // the events of versions 1, 2, … as far as they are known
  std::vector<const Append*> open_, beyond_;  // of unknown outcome without a place; acknowledged after a gap
  std::int64_t most_ = 0;                     // how many events there can be
  std::vector<std::int64_t> sums_;            // of the first n
  std::vector<EventIndex> latest_;            // the last invocation among the first n
  std::vector<Placed> placed_, over_;         // by invocation; those that ended in ok, by completion
};

// [version, balance], or a list of [version, id, amount].
std::optional<Shown> shown_by(const Judgement& in, OperationEvents op) {
  Shown out{op, in.f(op), 0, 0, {}};
  if (!in.is_list(in.seen(op))) return std::nullopt;
  const auto parts = in.items(in.seen(op));
  if (out.f != "events") {
    const auto version = parts.size() == 2 ? in.integer(parts[0]) : std::nullopt;
    const auto balance = parts.size() == 2 ? in.integer(parts[1]) : std::nullopt;
    if (!version || !balance || *version < 0 || *version > kMaxVersion) return std::nullopt;
    out.version = *version;
    out.balance = *balance;
    return out;
  }
  for (const ValueId item : parts) {
    const auto three = in.items(item);
    const auto amount = three.size() == 3 && in.integer(three[0]) ? in.integer(three[2]) : std::nullopt;
    if (!amount || *amount > kMaxAmount || *amount < -kMaxAmount) return std::nullopt;
  }
  out.version = static_cast<std::int64_t>(parts.size());
  out.events = parts;
  return out;
}

class Ledger {
 public:
  explicit Ledger(Judgement& in) : in_(in), strict_(in.level("linearizable") == "linearizable") {}

  void judge() {
    for (const OperationEvents op : in_.operations()) {
      if (!take(op)) return;
    }
    bool contended = false;
    for (auto& [key, account] : accounts_) {
      contended = contended || account.contended();
      account.judge(last_);
    }
    in_.keys(accounts_.size());
    if (in_.counter("withdrawals") == 0) in_.inconclusive("no withdrawal succeeded");
    if (in_.counter("refused") == 0)
      in_.inconclusive("no withdrawal was refused for want of money, so nothing tried to overdraw");
    if (!contended) in_.inconclusive("no account had withdrawals of more than one process");
    if (in_.counter("balances") == 0) in_.inconclusive("no balance of an account with events was read");
    if (in_.counter("replays") == 0) in_.inconclusive("no replay of an account with events succeeded");
    if (in_.option_ns("ledger.lag") > 0 && in_.counter("compared-by-time") == 0)
      in_.inconclusive("the read model was never read more than ledger.lag after an append was acknowledged");
  }

 private:
  // False when the operation was refused.
  bool take(OperationEvents op) {
    Account& account = accounts_.try_emplace(in_.key(op), in_, in_.key(op), strict_).first->second;
    const std::string_view f = in_.f(op);
    if (in_.option_ns("ledger.lag") > 0 && in_.ok(op) && in_.history().time(op.invocation) < 0) {
      in_.refuse("the history has no times (" + in_.event(op.invocation) + "), which ledger.lag needs");
      return false;
    }
    if (f == "deposit" || f == "withdraw") return append(account, op, f == "withdraw");
    if (!in_.ok(op)) return true;
    const auto shown = shown_by(in_, op);
    if (!shown) {
      in_.refuse(op, f == "events" ? "a list of [version, id, amount]" : "[version, balance]");
      return false;
    }
    if (shown->version > 0 && f != "events") ++in_.counter(std::string(f) + "s");
    account.shown(*shown);
    return true;
  }
  bool append(Account& account, OperationEvents op, bool withdrawal) {
    const auto amount = in_.integer(in_.asked(op), "amount");
    const ValueId id = amount ? in_.values().member(in_.asked(op), "id") : kAbsent;
    if (!amount || *amount <= 0 || *amount > kMaxAmount || id == kAbsent || !ids_.emplace(in_.key(op), id).second) {
      in_.refuse(op, R"({"id" new to the account, "amount" n})");
      return false;
    }
    last_ = std::max(last_, op.completion == kNoEvent ? op.invocation : op.completion);
    if (withdrawal) account.withdrawal(op);
    Append one{op, id, withdrawal ? -*amount : *amount, 0};
    if (in_.ok(op)) {
      const auto version = in_.integer(in_.seen(op));
      if (!version || *version < 1 || *version > kMaxVersion) {
        in_.refuse(op, "the event's version, a whole number above 0");
        return false;
      }
      one.version = *version;
      ++in_.counter(withdrawal ? "withdrawals" : "deposits");
    }
    const EventError* error = in_.failed(op) ? in_.history().error(op.completion) : nullptr;
    if (withdrawal && error != nullptr && error->kind == "insufficient") {
      ++in_.counter("refused");
      account.refused({op, *amount});
    }
    account.append(one);
    return true;
  }

  Judgement& in_;
  const bool strict_;
  EventIndex last_ = 0;
  std::map<ValueId, Account> accounts_;
  std::set<std::pair<ValueId, ValueId>> ids_;
};

void judge_ledger(Judgement& in) {
  if (in.understands({"deposit", "withdraw", "balance", "events", "model", "replay"})) Ledger(in).judge();
}

}  // namespace

WorkloadChecker ledger() {
  return {"ledger",
          "accounts as streams of events with versions, never below zero, and a read model that follows them",
          {"linearizable", "consistent-prefix"},
          judge_ledger,
          {{"overdraft", "more was withdrawn than there was"},
           {"skipped-version", "a stream of events lacks a version"},
           {"duplicate-version", "two events of a stream have one version"},
           {"duplicate-event", "a stream has an event twice"},
           {"unexpected-event", "an event that nobody had begun, or whose append certainly failed"},
           {"wrong-version", "an event has another version than it was acknowledged with"},
           {"lost-event", "an acknowledged event is missing from a state that must have it"},
           {"rewritten-stream", "two reads of a stream of which neither begins the other"},
           {"version-went-back", "an event has a version before that of one acknowledged before it began"},
           {"wrong-balance", "a balance that the events up to its version do not add up to"},
           {"wrong-model", "a read model shows a balance that the events up to its version do not add up to"},
           {"wrong-replay", "a replay shows a balance that the events up to its version do not add up to"},
           {"stale-read", "a read shows a state that was known to be over before the read began"},
           {"needless-refusal", "what was asked for was refused although nothing stood against it"},
           {"model-went-back", "a read model shows an earlier version than it had shown before"},
           {"read-model-lag", "a read lacks an event that had been acknowledged longer ago than the bound"},
           {"model-behind", "a read model lacks events after everything had come to rest"}},
          {{"ledger.lag", OptionSpec::Type::duration, 0.0,
            "how long the read model and replays may lack what is known; 0: until the end, as ledger.settle says", 0,
            86400},
           {"ledger.settle", OptionSpec::Type::duration, 2.0,
            "how long after the last append reads of the read model show everything", 0, 3600}}};
}

}  // namespace ordeal::work
