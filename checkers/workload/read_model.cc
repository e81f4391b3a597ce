// The checker "read-model": a log of events and the state that is built from it elsewhere (event sourcing, CQRS):
// reads that must show what a token stands for, reads of the past, replays, and how far the state may lag.
//
// Operations, by key: `append` event, each once, ok with [position, event], the token; `read` nil or a token, `read-at`
// a position, `replay` nil, all three ok with [position, list of the events until then, in their order]. Positions are
// whole numbers above 0 that grow from event to event, not necessarily by one; at 0 there are no events. The state at a
// position is the list of all events up to it, for ever: a read may show an old position, never another state of it.
// Option read-model.lag (T).
//
//   stale-token         a read shows a position before the token that it was given
//   wrong-position      a read-at shows another position than it asked for
//   different-states    one position was shown with two states: reads of the past that changed, replays that differ
//   divergent-states    two states of which neither begins the other, or the one of the later position is shorter
//   lost-event          an event was acknowledged at a position, and a state of that or a later position lacks it
//   early-event         a state has an event that was acknowledged at a later position
//   reordered-events    a state has two events against the order of their positions
//   duplicate-position  two events with one position, or one for which none is left between two others
//   position-went-back  an event has a position not above that of one acknowledged before its append began
//   read-model-lag      a read or replay lacks an event that had been acknowledged more than T before it began
//   duplicate-element   a state has an event twice
//   unexpected-element  a state has an event that nobody had appended, or whose append failed
//
// The states are then the beginnings of one list. The events of unknown outcome among them get the least positions that
// fit (after the event before, after all states without them, after all events acknowledged before they began): if
// those do not fit, none do. So the promise holds exactly when nothing is told. Cost: O(n log n) beside the size of the
// states.
#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <vector>

#include "checkers/workload/judgement.h"
#include "checkers/workload/workload_checkers.h"

namespace ordeal::work {
namespace {

constexpr std::int64_t kNoPosition = -1;
constexpr std::int64_t kBeyond = std::numeric_limits<std::int64_t>::max();

struct Append {
  OperationEvents op;
  std::int64_t position = kNoPosition;
};
struct State {
  OperationEvents op;
  std::int64_t position = 0;
  std::span<const ValueId> events;
};

// The log of one key.
class Stream {
 public:
  Stream(Judgement& in, ValueId key) : in_(in), key_(key) {}

  // False: the event was appended before.
  bool append(OperationEvents op, ValueId event, std::int64_t position) {
    tried_.add(in_, event, op);
    return in_.failed(op) || appends_.emplace(event, Append{op, position}).second;
  }
  void state(State one) { states_.push_back(one); }

  void judge() {
    fresh();
    positions();
    contents();
    if (!whole_) return;
    chain();
    if (!whole_) return;
    against_positions();
    if (whole_) fit_unknown();
  }

 private:
  void tell(const char* type, std::vector<EventIndex> operations, std::string explanation) {
    in_.tell(type, std::move(operations), std::move(explanation), {}, key_);
    whole_ = false;
  }
  std::string at(std::int64_t position) const { return "position " + std::to_string(position); }

  // Reads against their tokens and the time.
  void fresh() {
    const History& h = in_.history();
    const std::int64_t lag = in_.option_ns("read-model.lag");
    std::vector<const Append*> known;
    for (const auto& [event, one] : appends_) {
      if (one.position != kNoPosition) known.push_back(&one);
    }
    std::sort(known.begin(), known.end(), [](auto* a, auto* b) { return a->op.completion < b->op.completion; });
    std::size_t next = 0;
    const Append* newest = nullptr;
    for (const State& one : states_) {  // by invocation
      const std::string_view f = in_.f(one.op);
      if (f == "read-at" && in_.integer(in_.asked(one.op)) != one.position)
        tell("wrong-position", {one.op.invocation},
             in_.named(one.op) + " of " + in_.shown(in_.asked(one.op)) + " shows " + at(one.position));
      if (const auto token = in_.integer(in_.asked(one.op)); f == "read" && token && *token > one.position)
        tell("stale-token", {one.op.invocation},
             in_.named(one.op) + " with the token " + std::to_string(*token) + " shows " + at(one.position));
      if (f == "read-at" || lag == 0) continue;
      for (; next < known.size() && h.time(known[next]->op.completion) + lag < h.time(one.op.invocation); ++next) {
        if (newest == nullptr || known[next]->position > newest->position) newest = known[next];
      }
      if (newest == nullptr) continue;
      ++in_.counter("compared-by-time");
      if (newest->position <= one.position) continue;
      in_.tell("read-model-lag", {newest->op.invocation, one.op.invocation},
               in_.named(one.op) + " shows " + at(one.position) + ", although " + at(newest->position) +
                   " had been acknowledged " +
                   std::to_string((h.time(one.op.invocation) - h.time(newest->op.completion)) / 1'000'000) +
                   " ms before it began",
               {}, key_);
    }
  }

  // Positions of appends against each other and real time.
  void positions() {
    std::map<std::int64_t, const Append*> by_position;
    std::vector<const Append*> begun, over;
    for (const auto& [event, one] : appends_) {
      if (one.position == kNoPosition) continue;
      const auto [other, alone] = by_position.try_emplace(one.position, &one);
      if (!alone)
        tell("duplicate-position", {other->second->op.invocation, one.op.invocation},
             in_.named(other->second->op) + " and " + in_.named(one.op) + " were both acknowledged at " +
                 at(one.position));
      begun.push_back(&one);
    }
    over = begun;
    std::sort(begun.begin(), begun.end(), [](auto* a, auto* b) { return a->op.invocation < b->op.invocation; });
    std::sort(over.begin(), over.end(), [](auto* a, auto* b) { return a->op.completion < b->op.completion; });
    const Append* greatest = nullptr;
    std::size_t next = 0;
    for (const Append* one : begun) {
      for (; next < over.size() && over[next]->op.completion < one->op.invocation; ++next) {
        if (greatest == nullptr || over[next]->position > greatest->position) greatest = over[next];
      }
      if (greatest == nullptr || greatest->position < one->position) continue;
      went_back(*one, *greatest, " was acknowledged at " + at(one->position));
    }
  }
  void went_back(const Append& one, const Append& before, const std::string& where) {
    tell("position-went-back", {before.op.invocation, one.op.invocation},
         in_.named(one.op) + where + ", although " + at(before.position) + " had been acknowledged before it began (" +
             in_.event(before.op.completion) + ")");
  }

  // What each state holds, alone.
  void contents() {
    for (const State& one : states_) {
      std::set<ValueId> seen;
      in_.work(one.events.size());
      for (const ValueId event : one.events) {
        if (!tried_.explained(in_, "unexpected-element", "event", event, one.op, key_)) whole_ = false;
        if (seen.insert(event).second) continue;
        tell("duplicate-element", {one.op.invocation},
             in_.named(one.op) + " has the event " + in_.shown(event) + " twice");
        break;
      }
    }
  }

  // Whether the states are the beginnings of one list, in the order of their positions.
  void chain() {
    by_length_ = states_;
    std::stable_sort(by_length_.begin(), by_length_.end(), [](const State& a, const State& b) {
      return a.events.size() != b.events.size() ? a.events.size() < b.events.size() : a.position < b.position;
    });
    std::map<std::int64_t, const State*> by_position;
    for (const State& one : by_length_) {
      in_.work(one.events.size());
      const auto [other, first] = by_position.try_emplace(one.position, &one);
      if (!first && !std::equal(one.events.begin(), one.events.end(), other->second->events.begin(),
                                other->second->events.end())) {
        tell("different-states", {other->second->op.invocation, one.op.invocation},
             in_.named(other->second->op) + " and " + in_.named(one.op) + " show " + at(one.position) + " with " +
                 std::to_string(other->second->events.size()) + " and " + std::to_string(one.events.size()) +
                 " events, not the same");
        continue;
      }
      if (!first) ++in_.counter("positions-again");
    }
    if (!whole_) return;
    const State* before = nullptr;
    const State* furthest = nullptr;  // of the greatest position among the shorter ones
    for (const State& one : by_length_) {
      if (before != nullptr && !std::equal(before->events.begin(), before->events.end(), one.events.begin())) {
        return tell(
            "divergent-states", {before->op.invocation, one.op.invocation},
            in_.named(before->op) + " and " + in_.named(one.op) + " show states of which neither begins the other");
      }
      if (furthest != nullptr && furthest->events.size() < one.events.size() && furthest->position > one.position) {
        return tell("divergent-states", {furthest->op.invocation, one.op.invocation},
                    in_.named(furthest->op) + " shows fewer events at " + at(furthest->position) + " than " +
                        in_.named(one.op) + " at " + at(one.position));
      }
      before = &one;
      if (furthest == nullptr || one.position > furthest->position) furthest = &one;
    }
  }

  // Requires: chain() holds. For the event at that place of the list: the state with the greatest position of those
  // without it, and the one with the least of those with it.
  void bounds() {
    const std::size_t length = by_length_.empty() ? 0 : by_length_.back().events.size();
    without_.assign(length + 1, nullptr);
    with_.assign(length + 1, nullptr);
    for (const State& one : by_length_) {
      const std::size_t size = one.events.size();
      if (without_[size] == nullptr || one.position > without_[size]->position) without_[size] = &one;
      if (with_[size] == nullptr || one.position < with_[size]->position) with_[size] = &one;
    }
    for (std::size_t i = 1; i <= length; ++i) {
      if (without_[i - 1] != nullptr && (without_[i] == nullptr || without_[i - 1]->position > without_[i]->position))
        without_[i] = without_[i - 1];
    }
    for (std::size_t i = length; i-- > 0;) {
      if (with_[i + 1] != nullptr && (with_[i] == nullptr || with_[i + 1]->position < with_[i]->position))
        with_[i] = with_[i + 1];
    }
  }

  // The list against the positions that were acknowledged.
  void against_positions() {
    bounds();
    if (by_length_.empty()) return;
    const auto list = by_length_.back().events;
    std::set<ValueId> listed(list.begin(), list.end());
    const Append* before = nullptr;
    for (std::size_t i = 0; i < list.size(); ++i) {
      const Append& one = appends_.at(list[i]);
      if (one.position == kNoPosition) continue;
      if (without_[i] != nullptr && without_[i]->position >= one.position) lost(list[i], one, *without_[i]);
      if (with_[i + 1]->position < one.position)
        tell("early-event", {one.op.invocation, with_[i + 1]->op.invocation},
             in_.named(with_[i + 1]->op) + " of " + at(with_[i + 1]->position) + " has the event " +
                 in_.shown(list[i]) + ", which was acknowledged at " + at(one.position));
      if (before != nullptr && before->position >= one.position)
        tell("reordered-events", {before->op.invocation, one.op.invocation, by_length_.back().op.invocation},
             in_.named(by_length_.back().op) + " has the event of " + at(before->position) + " before that of " +
                 at(one.position));
      before = &one;
    }
    for (const auto& [event, one] : appends_) {
      if (one.position == kNoPosition || listed.contains(event) || without_.back() == nullptr) continue;
      if (without_.back()->position >= one.position) lost(event, one, *without_.back());
    }
  }
  void lost(ValueId event, const Append& one, const State& state) {
    tell("lost-event", {one.op.invocation, state.op.invocation},
         in_.named(state.op) + " of " + at(state.position) + " lacks the event " + in_.shown(event) +
             ", which was acknowledged at " + at(one.position));
  }

  // Whether there are positions for the events of unknown outcome that were seen.
  void fit_unknown() {
    if (by_length_.empty()) return;
    std::vector<const Append*> over;
    for (const auto& [event, one] : appends_) {
      if (one.position != kNoPosition) over.push_back(&one);
    }
    std::sort(over.begin(), over.end(), [](auto* a, auto* b) { return a->op.completion < b->op.completion; });
    std::vector<const Append*> greatest(over.size());  // of the first i that were acknowledged
    for (std::size_t i = 0; i < over.size(); ++i)
      greatest[i] = i > 0 && greatest[i - 1]->position > over[i]->position ? greatest[i - 1] : over[i];
    const auto list = by_length_.back().events;
    std::int64_t last = 0;  // the position of the event before
    for (std::size_t i = 0; i < list.size(); ++i) {
      in_.work();
      const Append& one = appends_.at(list[i]);
      if (one.position != kNoPosition) {
        if (one.position <= last) return no_room(list[i]);
        last = one.position;
        continue;
      }
      std::int64_t least = last + 1;
      if (without_[i] != nullptr) least = std::max(least, without_[i]->position + 1);
      const auto known =
          std::partition_point(over.begin(), over.end(), [&](auto* a) { return a->op.completion < one.op.invocation; });
      const Append* before =
          known == over.begin() ? nullptr : greatest[static_cast<std::size_t>(known - over.begin()) - 1];
      const State& with = *with_[i + 1];
      if (before != nullptr && before->position >= with.position)
        return went_back(one, *before,
                         " is in the state of " + at(with.position) + " (" + in_.event(with.op.invocation) + ")");
      if (before != nullptr) least = std::max(least, before->position + 1);
      if (least > with.position) return no_room(list[i]);
      last = least;
    }
  }
  void no_room(ValueId event) {
    const State& state = by_length_.back();
    std::vector<EventIndex> operations = {state.op.invocation};
    for (const ValueId one : state.events) operations.push_back(appends_.at(one).op.invocation);
    tell("duplicate-position", std::move(operations),
         "for the events of unknown outcome up to " + in_.shown(event) + " in " + in_.named(state.op) +
             " no positions are left between those of the events and states around them");
  }

  Judgement& in_;
  const ValueId key_;
  AttemptTable tried_;
  std::map<ValueId, Append> appends_;  // by event; those that may have happened
  std::vector<State> states_;          // by invocation
  std::vector<State> by_length_;
  std::vector<const State*> without_, with_;  // by length
  bool whole_ = true;
};

// [position, list of events].
std::optional<State> state_of(const Judgement& in, OperationEvents op) {
  const auto parts = in.items(in.seen(op));
  if (parts.size() != 2 || !in.integer(parts[0]) || *in.integer(parts[0]) < 0 || !in.is_list(parts[1]))
    return std::nullopt;
  return State{op, *in.integer(parts[0]), in.items(parts[1])};
}

void judge_read_model(Judgement& in) {
  if (!in.understands({"append", "read", "read-at", "replay"})) return;
  const bool timed = in.option_ns("read-model.lag") > 0;
  std::map<ValueId, Stream> streams;
  for (const OperationEvents op : in.operations()) {
    Stream& stream = streams.try_emplace(in.key(op), in, in.key(op)).first->second;
    if (timed && in.ok(op) && in.history().time(op.invocation) < 0)
      return in.refuse("the history has no times (" + in.event(op.invocation) + "), which read-model.lag needs");
    if (in.f(op) == "append") {
      std::int64_t position = kNoPosition;
      if (in.ok(op)) {
        const auto parts = in.items(in.seen(op));
        if (parts.size() != 2 || !in.integer(parts[0]) || *in.integer(parts[0]) < 1 || parts[1] != in.asked(op))
          return in.refuse(op, "[position, event]");
        position = *in.integer(parts[0]);
        ++in.counter("appends");
      }
      if (!stream.append(op, in.asked(op), position)) return in.refuse(op, "an event that was not appended before");
      continue;
    }
    if (!in.ok(op)) continue;
    const auto state = state_of(in, op);
    if (!state) return in.refuse(op, "[position, list of events]");
    in.counter("states-with-events") += state->events.empty() ? 0 : 1;
    if (in.f(op) == "read") in.counter("tokens") += in.integer(in.asked(op)).value_or(0) > 0 ? 1 : 0;
    stream.state(*state);
  }
  for (auto& [key, stream] : streams) stream.judge();
  in.keys(streams.size());
  if (in.counter("appends") == 0) in.inconclusive("no append succeeded");
  if (in.counter("states-with-events") == 0) in.inconclusive("no state with an event was read");
  if (in.counter("tokens") == 0) in.inconclusive("no read with a token succeeded");
  if (in.counter("positions-again") == 0) in.inconclusive("no position was read twice, so no two states were compared");
  if (timed && in.counter("compared-by-time") == 0)
    in.inconclusive("no read began more than read-model.lag after an append was acknowledged");
}

}  // namespace

WorkloadChecker read_model() {
  return {
      "read-model",
      "a log of events and the state built from it: tokens, reads of the past, replays, and how far it may lag",
      {"bounded-staleness"},
      judge_read_model,
      {{"stale-token", "a read shows a position before the token that it was given"},
       {"wrong-position", "a read of the past shows another position than it asked for"},
       {"different-states", "one position of a log was shown with two states"},
       {"divergent-states", "two states of one log of which neither begins the other"},
       {"lost-event", "an acknowledged event is missing from a state that must have it"},
       {"early-event", "a state has an event of a later position"},
       {"reordered-events", "a state has events against the order of their positions"},
       {"duplicate-position", "two events of a log have one position"},
       {"position-went-back", "an event has a position before that of one acknowledged before it began"},
       {"read-model-lag", "a read lacks an event that had been acknowledged longer ago than the bound"},
       {"duplicate-element", "a read holds an element more often than it was added"},
       {"unexpected-element", "something was read that nobody wrote, or whose write certainly failed"}},
      {{"read-model.lag", OptionSpec::Type::duration, 1.0,
        "how long after its acknowledgement an event may be missing from reads and replays; 0: for ever", 0, 86400}}};
}

}  // namespace ordeal::work
