#include "checkers/linearizability/proof/reason.h"

#include <algorithm>
#include <span>

#include "checkers/linearizability/models/operations.h"
#include "checkers/linearizability/proof/reasons.h"
#include "checkers/linearizability/special/exclusion.h"

namespace ordeal::lin {
namespace {

// ---- registers

std::string told_of(const Reasons& in, const Call& x) {
  const std::string where = " (" + in.told.event(x.inv) + ")";
  if (x.op.code == reg::kRead) return in.told.who(x) + " had read " + in.told.value(x.op.a) + where;
  if (x.op.code == reg::kWrite)
    return in.told.who(x) + " had been told that " + in.told.value(x.op.a) + " was written" + where;
  return in.told.who(x) + " had been told that " + in.told.value(x.op.a) + " was replaced by " + in.told.value(x.op.b) +
         where;
}

std::string saw(const Reasons& in, const Call& call) {
  const std::string value = in.told.value(call.op.a);
  return call.op.code == reg::kRead ? "read " + value
                                    : "found " + value + " to replace it by " + in.told.value(call.op.b);
}

// `call` saw a value that somebody, before it began, knew to be gone.
Found stale(const Reasons& in, const Call& call, std::int64_t initial) {
  const std::int64_t v = call.op.a;
  if (call.crashed() || !reg::observes(call.op)) return std::nullopt;
  const auto writes_v = [&](const Call& one) {
    return reg::writes(one.op) && reg::written(one.op) == v && one.inv < call.ret && one.inv != call.inv;
  };
  const auto last_of = [&](const std::vector<Call>& calls) {
    const Call* out = nullptr;
    for (const Call& one : calls) {
      if (writes_v(one) && (out == nullptr || one.ret > out->ret)) out = &one;
    }
    return out;
  };
  const Call* last = last_of(in.all);  // that wrote v
  if (last == nullptr && v != initial) return std::nullopt;
  const Call* shows = nullptr;  // the latest that shows it gone
  for (const Call& x : in.part) {
    if (x.crashed() || x.ret >= call.inv) continue;
    const bool other = x.op.code == reg::kCas ? x.op.a != x.op.b : x.op.a != v;
    if (!other || (last != nullptr && last->ret >= x.inv)) continue;
    if (shows == nullptr || x.ret > shows->ret) shows = &x;
  }
  if (shows == nullptr) return std::nullopt;
  std::string text = call.op.code == reg::kRead ? "stale read: " : "compare-and-set on a stale value: ";
  text += in.told.who(call) + " " + saw(in, call) + " (" + in.told.event(call.inv) + ") " +
          in.told.after(shows->ret, call.inv) + " " + told_of(in, *shows);
  if (const Call* named = last_of(in.part); named != nullptr) last = named;
  if (last != nullptr)
    text += "; " + in.told.value(v) + " had been written before that, by " + in.told.who(*last) + " (" +
            in.told.event(last->inv) + ")";
  Reason out{std::move(text), {call.inv, shows->inv}};
  if (last != nullptr) out.by.push_back(last->inv);
  return out;
}

// More compare-and-sets took a value than it was there.
Found taken_twice(const Reasons& in, const Call& call, std::int64_t initial) {
  if (call.crashed() || call.op.code != reg::kCas || call.op.a == call.op.b) return std::nullopt;
  const std::size_t times = in.count([&](const Call& one) {
    return reg::writes(one.op) && reg::written(one.op) == call.op.a;
  }) + (call.op.a == initial ? 1 : 0);
  std::vector<const Call*> takers;
  for (const Call& one : in.part) {
    if (!one.crashed() && one.op.code == reg::kCas && one.op.a == call.op.a && one.op.b != one.op.a)
      takers.push_back(&one);
  }
  if (takers.size() <= times || takers.size() < 2) return std::nullopt;
  const Call &a = *takers[0], &b = *takers[1];
  return Reason{"lost update: " + in.told.who(a) + " (" + in.told.event(a.inv) + ") and " + in.told.who(b) + " (" +
                    in.told.event(b.inv) + ") both replaced " + in.told.value(call.op.a) + ", by " +
                    in.told.value(a.op.b) + " and by " + in.told.value(b.op.b) + ", though it was there only " +
                    (times == 1 ? std::string("once") : std::to_string(times) + " times"),
                {b.inv, a.inv}};
}

Found register_reason(const Reasons& in) {
  const State state = in.model.initial();
  const std::int64_t initial = state[0];
  if (state[0] != kAnyState) {
    const auto nowhere = in.first([&](const Call& call) -> Found {
      if (call.crashed() || !reg::observes(call.op) || call.op.a == initial) return std::nullopt;
      return in.from_nowhere(call, saw(in, call), "write", "written",
                             [&](const Operation& op) { return reg::writes(op) && reg::written(op) == call.op.a; });
    });
    if (nowhere) return nowhere;
  }
  if (Found found = in.first([&](const Call& call) { return taken_twice(in, call, initial); })) return found;
  return in.first([&](const Call& call) { return stale(in, call, initial); });
}

// ---- queues, stacks, priority queues

bool puts(const Operation& op, std::int64_t v) { return op.code == queue::kPut && op.a == v; }
bool takes(const Call& call, std::int64_t v) { return call.op.code == queue::kTake && call.op.a == v; }

// An element that was acknowledged before `moment` and that nobody can have taken by then.
const Call* inside(const Reasons& in, EventIndex moment) {
  if (in.any([&](const Call& one) { return one.crashed() && one.op.code == queue::kTake && one.inv < moment; }))
    return nullptr;
  for (const Call& put : in.part) {
    if (put.op.code != queue::kPut || put.crashed() || put.ret >= moment) continue;
    if (!in.any([&](const Call& one) { return takes(one, put.op.a) && one.inv < moment; })) return &put;
  }
  return nullptr;
}

Found taken_too_often(const Reasons& in, const Call& call) {
  if (call.crashed() || call.op.code != queue::kTake || call.op.a == kNil) return std::nullopt;
  const std::size_t given = in.count([&](const Call& one) { return puts(one.op, call.op.a); });
  std::vector<const Call*> takers;
  for (const Call& one : in.part) {
    if (takes(one, call.op.a)) takers.push_back(&one);
  }
  if (takers.size() <= given || takers.size() < 2) return std::nullopt;
  const Call &a = *takers[takers.size() - 2], &b = *takers.back();
  return Reason{"duplicated: " + in.told.who(a) + " (" + in.told.event(a.inv) + ") and " + in.told.who(b) + " (" +
                    in.told.event(b.inv) + ") both took " + in.told.value(call.op.a) + ", which was put in only " +
                    (given == 1 ? std::string("once") : std::to_string(given) + " times"),
                {b.inv, a.inv}};
}

// Of two elements put in once each, one after the other, the wrong one was taken before anybody asked for the other.
Found out_of_order(const Reasons& in, const Call& call) {
  const bool stack = type_of(in.model) == DataType::stack;
  if ((!stack && type_of(in.model) != DataType::fifo_queue) || call.op.code != queue::kTake || call.crashed() ||
      call.op.a == kNil)
    return std::nullopt;
  const auto only_put = [&](std::int64_t v) -> const Call* {
    const Call* out = nullptr;
    for (const Call& one : in.all) {
      if (!puts(one.op, v)) continue;
      if (out != nullptr) return nullptr;
      out = &one;
    }
    return out;
  };
  const Call* put = only_put(call.op.a);
  if (put == nullptr) return std::nullopt;
  for (const Call& other : in.part) {
    if (other.op.code != queue::kPut || other.crashed() || other.op.a == call.op.a) continue;
    // It came before in a queue, and is on top in a stack.
    const bool first = stack ? put->ret < other.inv && other.ret < call.inv : other.ret < put->inv;
    if (!first || only_put(other.op.a) == nullptr || in.any([&](const Call& one) {
          return one.op.code == queue::kTake && (one.op.a == other.op.a || one.crashed()) && one.inv < call.ret;
        }))
      continue;
    return Reason{"out of order: " + in.told.who(call) + " took " + in.told.value(call.op.a) + " (" +
                      in.told.event(call.inv) + ") although " + in.told.value(other.op.a) + " had been put " +
                      (stack ? "on top of it" : "in before it") + ", by " + in.told.who(other) + " (" +
                      in.told.event(other.inv) + "), and nobody had asked for that yet",
                  {call.inv, other.inv, put->inv}};
  }
  return std::nullopt;
}

Found container_reason(const Reasons& in, const Model& whole) {
  if (!whole.initial().empty()) return std::nullopt;  // what it began with has no operation
  const auto nowhere = in.first([&](const Call& call) -> Found {
    if (call.crashed() || call.op.code != queue::kTake || call.op.a == kNil) return std::nullopt;
    return in.from_nowhere(call, "took " + in.told.value(call.op.a), "element", "put in",
                           [&](const Operation& op) { return puts(op, call.op.a); });
  });
  if (nowhere) return nowhere;
  if (Found found = in.first([&](const Call& call) { return taken_too_often(in, call); })) return found;
  const auto false_empty = in.first([&](const Call& call) -> Found {
    if (call.crashed() || call.op.code != queue::kTake || call.op.a != kNil) return std::nullopt;
    const Call* put = inside(in, call.inv);
    // Whoever took it meanwhile makes the answer right.
    if (put == nullptr || in.any([&](const Call& one) {
          return one.op.code == queue::kTake && (one.op.a == put->op.a || one.crashed()) && one.inv < call.ret;
        }))
      return std::nullopt;
    return Reason{"lost element: " + in.told.who(call) + " was told that there is nothing (" + in.told.event(call.inv) +
                      ") " + in.told.after(put->ret, call.inv) + " " + in.told.who(*put) + " had been told that " +
                      in.told.value(put->op.a) + " was put in (" + in.told.event(put->inv) +
                      "), and nobody had taken that",
                  {call.inv, put->inv}};
  });
  if (false_empty) return false_empty;
  return in.first([&](const Call& call) { return out_of_order(in, call); });
}

// ---- sets and logs

std::span<const ValueId> shown_by(const Call& read, const History& history) {
  return read.op.a == kNil ? std::span<const ValueId>() : history.values().as_list(static_cast<ValueId>(read.op.a));
}

class Elements {
 public:
  Elements(const Reasons& in, const History& history)
      : in_(in), h_(history), log_(type_of(in.model) == DataType::log) {}

  [[nodiscard]] Found run() const {
    if (Found found = in_.first([&](const Call& call) { return unexpected(call); })) return found;
    if (Found found = in_.first([&](const Call& call) { return missing(call); })) return found;
    if (Found found = in_.first([&](const Call& call) { return gone_again(call); })) return found;
    return in_.first([&](const Call& call) { return contradictory(call); });
  }

 private:
  [[nodiscard]] bool is_read(const Call& call) const { return call.op.code == set::kRead; }
  [[nodiscard]] static bool adds(const Operation& op, std::int64_t v) { return op.code == set::kAdd && op.a == v; }
  [[nodiscard]] bool shows(const Call& read, std::int64_t v) const {
    const auto items = shown_by(read, h_);
    return std::any_of(items.begin(), items.end(), [&](ValueId item) { return item == v; });
  }

  [[nodiscard]] Found unexpected(const Call& call) const {
    if (call.crashed() || !is_read(call) || !in_.model.initial().empty()) return std::nullopt;
    for (const ValueId item : shown_by(call, h_)) {
      if (Found found = in_.from_nowhere(
              call, "read a " + std::string(log_ ? "log" : "set") + " with " + in_.told.value(item), "element",
              log_ ? "appended" : "added", [&](const Operation& op) { return adds(op, item); }))
        return found;
    }
    return std::nullopt;
  }

  // An element that had been acknowledged, that nobody tried to remove, and that a read does not show.
  [[nodiscard]] Found missing(const Call& call) const {
    if (call.crashed()) return std::nullopt;
    const bool absent = !log_ && call.op.code == set::kContains && call.op.b == 0;
    if (!absent && (!is_read(call) || (log_ && call.op.b != 0))) return std::nullopt;
    for (const Call& add : in_.part) {
      if (add.op.code != set::kAdd || add.crashed() || add.ret >= call.inv) continue;
      const std::int64_t v = add.op.a;
      if (absent ? call.op.a != v : shows(call, v)) continue;
      if (!log_ && in_.any([&](const Call& one) { return one.op.code == set::kRemove && one.op.a == v; })) continue;
      return Reason{missing_text(call, add), {call.inv, add.inv}};
    }
    return std::nullopt;
  }

  [[nodiscard]] bool is_whole_read(const Call& call) const {
    return !call.crashed() && is_read(call) && (!log_ || call.op.b == 0);
  }
  [[nodiscard]] bool removed(std::int64_t v) const {
    return !log_ && in_.any([&](const Call& one) { return one.op.code == set::kRemove && one.op.a == v; });
  }
  // What one read shows, the other does not, and nobody tried to remove; kNil: nothing.
  [[nodiscard]] std::int64_t only_in(const Call& read, const Call& other) const {
    for (const ValueId v : shown_by(read, h_)) {
      if (!shows(other, v) && !removed(v)) return v;
    }
    return kNil;
  }

  [[nodiscard]] Found gone_again(const Call& call) const {
    if (!is_whole_read(call)) return std::nullopt;
    for (const Call& before : in_.part) {
      if (!is_whole_read(before) || before.ret >= call.inv) continue;
      const std::int64_t v = only_in(before, call);
      if (v == kNil) continue;
      return Reason{"an element went away: " + in_.told.who(call) + " did not see " + in_.told.value(v) + " (" +
                        in_.told.event(call.inv) + ") " + in_.told.after(before.ret, call.inv) + " " +
                        in_.told.who(before) + " had seen it (" + in_.told.event(before.inv) + ")",
                    {call.inv, before.inv}};
    }
    return std::nullopt;
  }

  [[nodiscard]] Found contradictory(const Call& call) const {
    if (!is_whole_read(call)) return std::nullopt;
    for (const Call& other : in_.part) {
      if (!is_whole_read(other) || other.inv == call.inv) continue;
      const std::string both = in_.told.who(other) + " (" + in_.told.event(other.inv) + ") and " + in_.told.who(call) +
                               " (" + in_.told.event(call.inv) + ")";
      const std::int64_t mine = only_in(call, other), theirs = only_in(other, call);
      if (mine != kNil && theirs != kNil)
        return Reason{"contradictory reads: of " + both + " each saw an element that the other did not: " +
                          in_.told.value(theirs) + " and " + in_.told.value(mine),
                      {call.inv, other.inv}};
      const auto a = shown_by(other, h_), b = shown_by(call, h_);
      const std::size_t common = std::min(a.size(), b.size());
      if (log_ && !std::equal(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(common), b.begin()))
        return Reason{"contradictory reads: " + both + " saw the elements in different orders", {call.inv, other.inv}};
    }
    return std::nullopt;
  }

  [[nodiscard]] std::string missing_text(const Call& call, const Call& add) const {
    const Call *before = nullptr, *later = nullptr;  // who saw it
    for (const Call& one : in_.all) {
      if (one.crashed() || !is_read(one) || !shows(one, add.op.a)) continue;
      (one.inv > call.inv ? later : before) = &one;
    }
    std::string out = later != nullptr ? "stale read: " : "lost element: ";
    out += in_.told.who(call) + " did not see " + in_.told.value(add.op.a) + " (" + in_.told.event(call.inv) + ") " +
           in_.told.after(add.ret, call.inv) + " " + in_.told.who(add) + " had been told that it was " +
           (log_ ? "appended" : "added") + " (" + in_.told.event(add.inv) + "); ";
    if (later != nullptr) return out + in_.told.who(*later) + " saw it later (" + in_.told.event(later->inv) + ")";
    if (before == nullptr) return out + "no read ever showed it";
    return out + in_.told.who(*before) + " had seen it (" + in_.told.event(before->inv) + "), nobody did afterwards";
  }

  const Reasons& in_;
  const History& h_;
  bool log_;
};

// ---- counters and unique ids

// Two reads, one after the other, and what can have been added in between.
Found difference(const Reasons& in, const Call& call) {
  if (call.crashed() || call.op.code != counter::kRead) return std::nullopt;
  for (const Call& before : in.part) {
    if (before.crashed() || before.op.code != counter::kRead || before.ret >= call.inv) continue;
    std::int64_t min = 0, max = 0, seen = 0;
    bool sums = !__builtin_sub_overflow(call.op.a, before.op.a, &seen);
    for (const Call& one : in.all) {
      if (one.op.code == counter::kRead) continue;
      const bool may = one.ret > before.inv && one.inv < call.ret;
      const bool must = one.inv > before.ret && one.ret < call.inv;
      const bool up = one.op.a > 0;
      if (up ? must : may) sums &= !__builtin_add_overflow(min, one.op.a, &min);
      if (up ? may : must) sums &= !__builtin_add_overflow(max, one.op.a, &max);
    }
    if (!sums || (seen >= min && seen <= max)) continue;
    const bool less = seen < min;
    const std::int64_t bound = less ? min : max;
    std::string added = std::string("at ") + (less ? "least " : "most ") + std::to_string(bound) + " was added";
    if (bound == 0) added = less ? "nothing was subtracted" : "nothing was added";
    return Reason{(less ? "lost or stale: " : "too much: ") + in.told.who(call) + " read " + std::to_string(call.op.a) +
                      " (" + in.told.event(call.inv) + "), although " + added + " since " + in.told.who(before) +
                      " had read " + std::to_string(before.op.a) + " (" + in.told.event(before.inv) + ")",
                  {call.inv, before.inv}};
  }
  return std::nullopt;
}

Found counter_reason(const Reasons& in) {
  const auto grows = [](const Call& one) { return one.op.code != counter::kRead; };
  if (in.any([&](const Call& one) { return grows(one) && one.op.a < 0; })) return std::nullopt;
  const State state = in.model.initial();
  if (state.size() != 3 || state[0] == 0) return std::nullopt;
  const auto start = static_cast<std::int64_t>(state[1] | static_cast<std::uint64_t>(state[2]) << 32);
  return in.first([&](const Call& call) -> Found {
    if (call.crashed() || call.op.code != counter::kRead) return std::nullopt;
    std::int64_t min = start, max = start;
    for (const Call& one : in.all) {
      if (!grows(one)) continue;
      std::int64_t* const bounds[] = {&min, &max};
      const bool counts[] = {one.ret < call.inv, one.inv < call.ret};
      for (int i = 0; i < 2; ++i) {
        if (counts[i] && __builtin_add_overflow(*bounds[i], one.op.a, bounds[i])) return std::nullopt;
      }
    }
    const std::string head =
        in.told.who(call) + " read " + std::to_string(call.op.a) + " (" + in.told.event(call.inv) + "), ";
    if (call.op.a < min)
      return Reason{"lost or stale: " + head + "although what had been acknowledged before that sums up to " +
                        std::to_string(min),
                    {call.inv}};
    if (call.op.a > max)
      return Reason{
          "too much: " + head + "although all that had been asked for by then sums up to " + std::to_string(max),
          {call.inv}};
    return std::nullopt;
  });
}

Found same_answer(const Reasons& in, std::uint8_t code, bool fetched, const std::string& what) {
  for (std::size_t i = 0; i < in.part.size(); ++i) {
    const Call& a = in.part[i];
    if (a.crashed() || a.op.code != code || (fetched && a.op.a <= 0)) continue;
    for (std::size_t j = i + 1; j < in.part.size(); ++j) {
      const Call& b = in.part[j];
      if (b.crashed() || b.op.code != code || (fetched && b.op.a <= 0)) continue;
      if (fetched ? a.op.b != b.op.b : a.op.a != b.op.a) continue;
      const std::string value = fetched ? std::to_string(a.op.b) : in.told.value(a.op.a);
      return Reason{"duplicated: " + in.told.who(a) + " (" + in.told.event(a.inv) + ") and " + in.told.who(b) + " (" +
                        in.told.event(b.inv) + ") were both given " + what + " " + value,
                    {b.inv, a.inv}};
    }
  }
  return std::nullopt;
}

// ---- locks

// Whether what `acquire` was granted may have been given back before `moment`: by the same process, when holders are
// known (the processes of all operations are equal when they are not).
bool given_back(const Reasons& in, const Call& acquire, EventIndex moment) {
  return in.any([&](const Call& one) {
    return one.op.code == lock::kRelease && one.op.process == acquire.op.process && one.inv < moment &&
           one.ret > acquire.inv;
  });
}

Found two_holders(const Reasons& in, const Call& second) {
  if (second.crashed() || second.op.code != lock::kAcquire) return std::nullopt;
  const std::size_t permits = std::max<std::size_t>(1, permits_of(in.model));
  std::vector<const Call*> holders;
  for (const Call& first : in.part) {
    if (first.crashed() || first.op.code != lock::kAcquire || first.ret >= second.ret) continue;
    if (type_of(in.model) == DataType::reentrant_mutex && first.op.process == second.op.process) continue;
    if (!given_back(in, first, second.ret)) holders.push_back(&first);
  }
  if (holders.size() < permits) return std::nullopt;
  const Call& first = *holders.back();
  std::string text = (permits == 1 ? "two holders: " : "too many holders: ") + in.told.who(second) +
                     " was granted the lock (" + in.told.event(second.inv) + ") while " + in.told.who(first) +
                     ", which had been granted it before (" + in.told.event(first.inv) + ")";
  text += permits == 1 ? std::string(", had not given it back")
                       : " and " + std::to_string(holders.size() - 1) + " more had not given it back; there are " +
                             std::to_string(permits) + " permits";
  Reason out{std::move(text), {second.inv}};
  for (const Call* one : holders) out.by.push_back(one->inv);
  return out;
}

Found lock_reason(const Reasons& in) {
  if (Found found = in.first([&](const Call& call) { return two_holders(in, call); })) return found;
  if (type_of(in.model) != DataType::mutex) {
    const auto not_held = in.first([&](const Call& call) -> Found {
      if (call.crashed() || call.op.code != lock::kRelease) return std::nullopt;
      if (in.any([&](const Call& one) {
            return one.op.code == lock::kAcquire && one.op.process == call.op.process && one.inv < call.inv;
          }))
        return std::nullopt;
      return Reason{"released without holding: " + in.told.who(call) + " gave the lock back (" +
                        in.told.event(call.inv) + "), which it had never asked for",
                    {call.inv}};
    });
    if (not_held) return not_held;
  }
  if (type_of(in.model) != DataType::fenced_mutex) return std::nullopt;
  return in.first([&](const Call& second) -> Found {
    if (second.crashed() || second.op.code != lock::kAcquire) return std::nullopt;
    for (const Call& first : in.part) {
      if (first.crashed() || first.op.code != lock::kAcquire || first.ret >= second.inv || first.op.a < second.op.a)
        continue;
      return Reason{"the token went back: " + in.told.who(second) + " was given the token " +
                        std::to_string(second.op.a) + " (" + in.told.event(second.inv) + ") " +
                        in.told.after(first.ret, second.inv) + " " + in.told.who(first) + " had been given " +
                        std::to_string(first.op.a) + " (" + in.told.event(first.inv) + ")",
                    {second.inv, first.inv}};
    }
    return std::nullopt;
  });
}

}  // namespace

std::optional<Reason> reason_for(const KeyHistory& minimal, const KeyHistory& whole) {
  // What could not be made small is not looked through for long.
  constexpr std::size_t kMaxPairs = 50'000'000;
  if (minimal.calls.size() * whole.calls.size() > kMaxPairs) return std::nullopt;
  const Reasons in(minimal, whole);
  if (in.model.name() == "versioned-register") return versioned_reason(in, *whole.model);
  if (in.model.name() == "kv") return string_reason(in);
  switch (family_of(*whole.model)) {
    case Family::registers:
      return is_one_register(*whole.model) ? register_reason(in) : std::nullopt;
    case Family::containers:
      return container_reason(in, *whole.model);
    case Family::elements:
      return Elements(in, *whole.history).run();
    case Family::counters: {
      Found twice = same_answer(in, counter::kFetchAdd, true, "the number");
      if (twice && !in.any([](const Call& one) { return one.op.code != counter::kRead && one.op.a < 0; })) return twice;
      if (Found found = counter_reason(in)) return found;
      return in.first([&](const Call& call) { return difference(in, call); });
    }
    case Family::locks:
      return lock_reason(in);
    case Family::ids:
      return same_answer(in, ids::kGenerate, false, "the id");
    default:
      return std::nullopt;
  }
}

}  // namespace ordeal::lin
