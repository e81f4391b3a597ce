#include "checkers/linearizability/proof/links.h"

#include <algorithm>
#include <boost/unordered/unordered_flat_set.hpp>

namespace ordeal::lin {

Links::Links(const KeyHistory& history)
    : history_(history),
      family_(family_of(*history.model)),
      is_register_(is_one_register(*history.model)),
      links_(history.calls.size()),
      in_part_(history.calls.size()) {
  Held held;
  Calls all(links_.size());
  for (CallIndex i = 0; i < links_.size(); ++i) {
    all[i] = i;
    link(i, held);
    const Call& call = history.calls[i];
    if (!is_register_) continue;
    if (call.op.code == reg::kWrite && !call.crashed()) writes_by_return_.push_back(i);
    if (!reg::writes(call.op)) continue;
    Writers& writers = writers_[reg::written(call.op)];
    if (call.crashed()) {
      writers.crashed.push_back(i);
    } else {
      const EventIndex latest = writers.latest_return.empty() ? 0 : writers.latest_return.back();
      writers.returned.push_back(i);
      writers.latest_return.push_back(std::max(latest, call.ret));
    }
  }
  std::sort(writes_by_return_.begin(), writes_by_return_.end(),
            [&](CallIndex x, CallIndex y) { return history.calls[x].ret < history.calls[y].ret; });
  provided_ = provided_by(all);
  // Leaving out an element moves those behind it, which a read from an offset would notice.
  // Only a log has reads with an offset; in a set's, `b` is 0.
  const bool offsets = family_ == Family::elements &&
                       std::any_of(history.calls.begin(), history.calls.end(),
                                   [](const Call& call) { return call.op.code == log::kRead && call.op.b != 0; });
  for (CallIndex i = 0; offsets && i < links_.size(); ++i) links_[i].stays = history.calls[i].op.code == log::kAppend;
  keep_initial();
  // Where somebody gives back what another took, nobody knows which belong together.
  if (lent_out_) {
    for (Link& one : links_) one.stays = true;
  }
}

// What was there from the beginning was put in by no operation that could be left out with the others on it.
void Links::keep_initial() {
  if (family_ != Family::containers && family_ != Family::elements) return;
  const State initial = history_.model->initial();
  if (initial.empty()) return;
  for (CallIndex i = 0; i < links_.size(); ++i) {
    const std::int64_t a = history_.calls[i].op.a;
    if (std::any_of(initial.begin(), initial.end(), [&](std::uint32_t id) { return id == a; })) links_[i].stays = true;
  }
}

void Links::link_elements(const Call& call, Link& out) const {
  const bool read = call.op.code == set::kRead && (history_.model->traits(call.op) & kPure) != 0;
  if (!read) {
    // All that is said about one element goes together.
    if (call.op.code == set::kAdd) out.provides.push_back(call.op.a);
    out.together = call.op.a;
  } else if (call.op.a != kNil) {
    for (const ValueId item : history_.history->values().as_list(static_cast<ValueId>(call.op.a)))
      out.needs.push_back(item);
  }
}

void Links::link(CallIndex i, Held& held) {
  const Operation& op = history_.calls[i].op;
  const bool pure = (history_.model->traits(op) & kPure) != 0;
  Link& out = links_[i];
  switch (family_) {
    case Family::registers:
      if (!is_register_) {  // transactions over several
        out.stays = !pure;
        break;
      }
      if (reg::observes(op)) out.needs.push_back(op.a);
      if (reg::writes(op)) out.provides.push_back(reg::written(op));
      break;
    case Family::containers:
      if (op.a > kNil) out.together = op.a;
      out.stays = op.code == queue::kTake && op.a == kUnknown;
      if (op.code == queue::kPut) out.provides.push_back(op.a);
      if (op.code == queue::kTake && op.a > kNil) out.needs.push_back(op.a);
      break;
    case Family::elements:
      link_elements(history_.calls[i], out);
      break;
    case Family::counters:
      out.stays = !pure;
      break;
    case Family::locks: {
      auto& mine = held[history_.history->process(history_.calls[i].inv)];
      if (op.code == lock::kAcquire) mine.push_back(i);
      if (!mine.empty()) out.together = mine.back();
      // Where only a holder may release, one that holds nothing takes no part in any order.
      const bool by_anyone = type_of(*history_.model) == DataType::mutex;
      if (op.code == lock::kRelease && mine.empty() && by_anyone) lent_out_ = true;
      if (op.code == lock::kAcquire) out.provides.push_back(0);
      if (op.code == lock::kRelease) out.needs.push_back(0);
      if (op.code == lock::kRelease && !mine.empty()) mine.pop_back();
      break;
    }
    case Family::ids:
      break;
    case Family::other:
      out.stays = !pure;
      break;
  }
}

Links::Provided Links::provided_by(const Calls& part) const {
  Provided out;
  for (const CallIndex i : part) {
    for (const std::int64_t token : links_[i].provides) {
      const EventIndex inv = history_.calls[i].inv;
      const auto [place, added] = out.try_emplace(token, inv);
      if (!added) place->second = std::min(place->second, inv);
    }
  }
  return out;
}

bool Links::has_needs(const Calls& part) const {
  const Provided provided = provided_by(part);
  const auto has = [](const Provided& by, std::int64_t token, EventIndex before) {
    const auto found = by.find(token);
    return found != by.end() && found->second < before;
  };
  return std::all_of(part.begin(), part.end(), [&](CallIndex i) {
    const EventIndex end = history_.calls[i].ret;
    return std::all_of(links_[i].needs.begin(), links_[i].needs.end(),
                       [&](std::int64_t token) { return has(provided, token, end) || !has(provided_, token, end); });
  });
}

void Links::drop_unfinished(Calls& prefix, EventIndex failed_at) const {
  for (bool changed = true; changed;) {
    const Provided provided = provided_by(prefix);
    changed = std::erase_if(prefix, [&](CallIndex i) {
                return history_.calls[i].ret > failed_at &&
                       std::any_of(links_[i].needs.begin(), links_[i].needs.end(), [&](std::int64_t token) {
                         const auto found = provided.find(token);
                         return found == provided.end() || found->second >= history_.calls[i].ret;
                       });
              }) > 0;
  }
}

// Names every writer outside of the part that a kept observer may have read from, with the observer's operation X of
// the part that excludes earlier ones (kNobody: none does).
template <class Missing>
void Links::for_each_missing(const Calls& part, bool crashed_observe, Missing&& missing) {
  const auto& calls = history_.calls;
  for (const CallIndex i : part) in_part_[i] = true;
  std::vector<Call> kept;
  kept.reserve(part.size());
  for (const CallIndex i : part) kept.push_back(calls[i]);
  std::vector<Latest> at_invocation(part.size());
  Latest latest;
  for (const KeyEvent event : events_of(kept)) {
    if (event.is_return)
      latest.returned(kept, event.call);
    else
      at_invocation[event.call] = latest;
  }
  for (std::size_t place = 0; place < part.size(); ++place) {
    const Call& observer = kept[place];
    if (!reg::observes(observer.op) || (observer.crashed() && !crashed_observe)) continue;
    const auto found = writers_.find(observer.op.a);
    if (found == writers_.end()) continue;
    const Writers& writers = found->second;
    const CallIndex x = at_invocation[place].other_than(kept, observer.op.a);
    const EventIndex excluded_before = x == kNobody ? 0 : kept[x].inv;
    const auto invoked_later = [&](CallIndex call, EventIndex moment) { return calls[call].inv < moment; };
    const auto check = [&](CallIndex writer) {
      if (writer != part[place] && !in_part_[writer]) missing(part[place], writer, x);
    };
    const auto end = std::lower_bound(writers.returned.begin(), writers.returned.end(), observer.ret, invoked_later);
    for (auto i = static_cast<std::size_t>(end - writers.returned.begin());
         i > 0 && writers.latest_return[i - 1] >= excluded_before; --i) {
      if (calls[writers.returned[i - 1]].ret >= excluded_before) check(writers.returned[i - 1]);
    }
    for (const CallIndex writer : writers.crashed) {
      if (calls[writer].inv < observer.ret) check(writer);
    }
  }
  for (const CallIndex i : part) in_part_[i] = false;
}

bool Links::complete(const Calls& part, bool crashed_observe) {
  if (!has_needs(part)) return false;
  bool all = true;
  if (is_register_) for_each_missing(part, crashed_observe, [&](CallIndex, CallIndex, CallIndex) { all = false; });
  return all;
}

bool Links::complete_in_any_order(const Calls& part) const {
  const Provided provided = provided_by(part);
  const boost::unordered_flat_set<CallIndex> kept(part.begin(), part.end());
  const auto has_all_writers = [&](CallIndex observer) {
    const auto found = writers_.find(history_.calls[observer].op.a);
    if (found == writers_.end()) return true;
    const auto is_kept = [&](CallIndex writer) { return writer == observer || kept.contains(writer); };
    return std::all_of(found->second.returned.begin(), found->second.returned.end(), is_kept) &&
           std::all_of(found->second.crashed.begin(), found->second.crashed.end(), is_kept);
  };
  return std::all_of(part.begin(), part.end(), [&](CallIndex i) {
    if (is_register_) return !reg::observes(history_.calls[i].op) || has_all_writers(i);
    return std::all_of(links_[i].needs.begin(), links_[i].needs.end(),
                       [&](std::int64_t token) { return provided.contains(token) || !provided_.contains(token); });
  });
}

CallIndex Links::write_before(EventIndex moment, std::int64_t other_than) const {
  const auto& calls = history_.calls;
  auto place = std::lower_bound(writes_by_return_.begin(), writes_by_return_.end(), moment,
                                [&](CallIndex call, EventIndex m) { return calls[call].ret < m; });
  while (place != writes_by_return_.begin()) {
    if (calls[*--place].op.a != other_than) return *place;
  }
  return kNobody;
}

Calls Links::completed(Calls part, bool crashed_observe, std::size_t most) {
  for (;;) {
    Calls added;
    for_each_missing(part, crashed_observe, [&](CallIndex observer, CallIndex writer, CallIndex x) {
      // Whoever excludes what is long over is cheaper than all that is long over.
      const Call& call = history_.calls[observer];
      const CallIndex before =
          x == kNobody && !history_.calls[writer].crashed() ? write_before(call.inv, call.op.a) : kNobody;
      added.push_back(before != kNobody ? before : writer);
    });
    if (added.empty()) return has_needs(part) ? part : Calls{};
    part.insert(part.end(), added.begin(), added.end());
    std::sort(part.begin(), part.end());
    part.erase(std::unique(part.begin(), part.end()), part.end());
    if (part.size() > most) return {};
  }
}

}  // namespace ordeal::lin
