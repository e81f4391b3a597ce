#include "checkers/linearizability/proof/window.h"

#include <algorithm>
#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>

#include "checkers/linearizability/models/operations.h"
#include "checkers/linearizability/proof/any_containers.h"
#include "checkers/linearizability/proof/any_elements.h"
#include "checkers/linearizability/search/relaxation.h"
#include "checkers/linearizability/search/strategies.h"
#include "checkers/linearizability/special/exclusion.h"

namespace ordeal::lin {
namespace {

using Calls = std::vector<CallIndex>;

// A candidate that takes more work than this is given up, and so is a window that takes more to find.
constexpr std::chrono::milliseconds kPerCandidate{200}, kInAll{2000};
constexpr std::size_t kMaxWindow = 4096;
// In so many operations every beginning is tried, in more only halves.
constexpr std::size_t kMaxBeginnings = 100;
// Of so many elements it is tried whether fewer will do.
constexpr std::size_t kMaxElements = 64;

// What a counter showed at the moment of an operation: what was there before it, and after it.
struct Shown {
  std::int64_t before, after;
};
std::optional<Shown> shown_by(const Call& call) {
  if (call.op.code == counter::kRead) return Shown{call.op.a, call.op.a};
  Shown out{call.op.b, 0};
  if (call.op.code != counter::kFetchAdd || call.op.crashed || call.crashed()) return std::nullopt;
  if (__builtin_add_overflow(call.op.a, call.op.b, &out.after)) return std::nullopt;
  return out;
}

// Whether the last call shows more, or less, than an earlier one and all that can, or must, have been added in between
// explain. No search: of many crashed additions it would have to try the sums.
class Sums {
 public:
  Sums(const KeyHistory& part, Unseen unseen) : part_(part), unseen_(unseen) {}

  bool refute() const {
    const auto last = std::max_element(part_.calls.begin(), part_.calls.end(), [](const Call& x, const Call& y) {
      return (x.crashed() ? 0 : x.ret) < (y.crashed() ? 0 : y.ret);
    });
    if (last == part_.calls.end() || last->crashed() || !shown_by(*last)) return false;
    return std::any_of(part_.calls.begin(), part_.calls.end(), [&](const Call& first) {
      return first.inv >= part_.from && first.ret < last->inv && shown_by(first) && refuted(first, *last);
    });
  }

 private:
  bool refuted(const Call& first, const Call& last) const {
    std::int64_t min = shown_by(first)->after, max = min;
    for (const Call& one : part_.calls) {
      if (one.op.code == counter::kRead || one.inv == first.inv || one.inv == last.inv) continue;
      const bool may = one.ret > first.inv && one.inv < last.ret;
      const bool must = one.inv > first.ret && one.ret < last.inv;
      const bool up = one.op.a > 0;
      if ((up ? must : may) && __builtin_add_overflow(min, one.op.a, &min)) return false;
      if ((up ? may : must) && __builtin_add_overflow(max, one.op.a, &max)) return false;
    }
    const std::int64_t seen = shown_by(last)->before;
    return (seen < min && unseen_ != Unseen::subtractions) || (seen > max && unseen_ != Unseen::additions);
  }

  const KeyHistory& part_;
  Unseen unseen_;
};

bool has_versions(const Model& model) { return model.name() == "versioned-register"; }
// Data types whose operations add or subtract, so that those left out may only have done the one or the other.
bool has_directions(const Model& model) {
  const DataType type = type_of(model);
  const Family family = family_of(model);
  return family == Family::counters || family == Family::containers || type == DataType::log ||
         type == DataType::mutex || has_versions(model);
}
bool is_container(const Model& model) {
  return family_of(model) == Family::containers && type_of(model) != DataType::unordered_queue;
}
// Above 0: it adds to the elements that are looked at; below: it subtracts.
std::int64_t direction(const Model& model, const Operation& op, const Elements& elements) {
  if (has_versions(model)) return op.code == reg::kRead ? 0 : 1;
  switch (type_of(model)) {
    case DataType::log:
      return op.code == log::kAppend ? 1 : 0;
    case DataType::unordered_queue:
    case DataType::fifo_queue:
    case DataType::stack:
    case DataType::priority_queue:
      if (op.code == queue::kPut) return 1;
      if (op.a == kNil) return 0;
      return op.a == kUnknown || elements.empty() || std::binary_search(elements.begin(), elements.end(), op.a) ? -1
                                                                                                                : 0;
    case DataType::mutex:
      return op.code == lock::kAcquire ? 1 : -1;
    default:
      return op.code == counter::kRead ? 0 : op.a;
  }
}

class Windows {
 public:
  Windows(const KeyHistory& history, EventIndex end, const Elements& elements, Budget& budget)
      : history_(history),
        end_(end),
        elements_(elements),
        budget_(budget),
        is_register_(is_one_register(*history.model)) {
    collect();
  }

  std::optional<Window> find() {
    for (std::size_t size = 8; size < 2 * before_end_.size() && size <= kMaxWindow; size *= 2) {
      from_ = size < before_end_.size() ? history_.calls[before_end_[before_end_.size() - size]].inv : 0;
      kept_ = since(before_end_, from_);
      if (kept_.size() > 2 * kMaxWindow || budget_.out_of_time()) break;
      if (proves(kept_, from_)) return reduced();
    }
    return std::nullopt;
  }

  std::optional<Window> reduce(const Window& window) {
    from_ = window.from;
    kept_ = window.calls;
    if (!proves(kept_, from_)) return std::nullopt;
    return reduced();
  }

  bool proves(const Calls& calls, EventIndex from) {
    const bool both = is_register_ && std::any_of(calls.begin(), calls.end(), [&](CallIndex i) {
                        return (history_.calls[i].crashed() || history_.calls[i].ret > end_) &&
                               history_.calls[i].op.code == reg::kCas;
                      });
    for (const bool observe : {false, true}) {
      crashed_observe_ = observe;
      if (is_complete(calls, from) && is_refuted(calls, from)) return true;
      if (!both) break;
    }
    return false;
  }

  // What is left out; of what has directions the first that is found.
  View view(const Calls& calls, EventIndex from) const {
    View out{Unseen::nothing, elements_, from == 0};
    // All of a log's appends, in all their orders, are more than a search can bear; that only few of them are looked at
    // is nearly as good.
    const bool all_of_log = type_of(*history_.model) == DataType::log && elements_.empty();
    if (all_of_log) out.unseen = Unseen::additions;
    if (all_of_log || !has_directions(*history_.model)) return out;
    for (const CallIndex i : left_out(calls, from)) {
      const std::int64_t towards = direction(*history_.model, history_.calls[i].op, elements_);
      if (towards == 0) continue;
      out.unseen = towards > 0 ? Unseen::additions : Unseen::subtractions;
      break;
    }
    return out;
  }

 private:
  bool is_pure(CallIndex i) const { return (history_.model->traits(history_.calls[i].op) & kPure) != 0; }

  // What may have happened before the end.
  void collect() {
    before_end_.clear();
    for (CallIndex i = 0; i < history_.calls.size(); ++i) {
      if (history_.calls[i].inv >= end_) break;
      if (!concerns(history_, history_.calls[i], elements_)) continue;
      if (history_.calls[i].ret <= end_ || !is_pure(i)) before_end_.push_back(i);
    }
  }

  Calls since(const Calls& calls, EventIndex from) const {
    Calls out;
    for (const CallIndex i : calls) {
      if (history_.calls[i].ret >= from) out.push_back(i);
    }
    return out;
  }

  // As it is at `end`: what returns later may not have happened yet.
  Call at_end(CallIndex i) const {
    Call call = history_.calls[i];
    if (call.ret > end_) call.ret = kNever;
    if (is_register_ && !crashed_observe_) relax({Relaxation::Kind::count_all, 0}, call);
    return call;
  }

  bool is_refuted(const Calls& calls, EventIndex from) {
    if (from != 0 && needs_an_empty_one(*history_.model) && std::none_of(calls.begin(), calls.end(), [&](CallIndex i) {
          return history_.calls[i].op.code == queue::kTake && history_.calls[i].op.a == kNil;
        }))
      return false;
    KeyHistory part{history_.history, history_.model, history_.key, {}, from};
    part.calls.reserve(calls.size());
    for (const CallIndex i : calls) part.calls.push_back(at_end(i));
    const View besides = view(calls, from);
    const auto model = from_any_state(*history_.model, *history_.history, part.calls, besides);
    part.model = model.get();
    if (family_of(*history_.model) == Family::counters && Sums(part, besides.unseen).refute()) return true;
    Budget short_time(budget_, kPerCandidate);
    return find_strategy("bounds")->decide(part, short_time, false).verdict == Verdict::invalid;
  }

  Calls left_out(const Calls& calls, EventIndex from) const {
    const boost::unordered_flat_set<CallIndex> kept(calls.begin(), calls.end());
    Calls out;
    for (const CallIndex i : before_end_) {
      if (history_.calls[i].ret >= from && !kept.contains(i)) out.push_back(i);
    }
    return out;
  }

  bool is_complete(const Calls& calls, EventIndex from) const {
    const Calls out = left_out(calls, from);
    if (is_register_) return explains_nothing(out, calls);
    bool up = false, down = false;
    for (const CallIndex i : out) {
      const Operation& op = history_.calls[i].op;
      if (is_pure(i)) continue;
      if (!has_directions(*history_.model)) return false;
      up |= direction(*history_.model, op, elements_) > 0;
      down |= direction(*history_.model, op, elements_) < 0;
    }
    return !up || !down;
  }

  // Whether nobody among `calls` may have observed what one of those left out wrote.
  bool explains_nothing(const Calls& out, const Calls& calls) const {
    boost::unordered_flat_map<std::int64_t, Calls> writers;
    for (const CallIndex i : out) {
      const Operation& op = history_.calls[i].op;
      if (reg::writes(op)) writers[reg::written(op)].push_back(i);
    }
    if (writers.empty()) return true;
    std::vector<Call> kept;
    for (const CallIndex i : calls) kept.push_back(at_end(i));
    Latest latest;
    for (const KeyEvent event : events_of(kept)) {
      const Call& call = kept[event.call];
      if (event.is_return) {
        latest.returned(kept, event.call);
        continue;
      }
      const auto found = reg::observes(call.op) ? writers.find(call.op.a) : writers.end();
      if (found == writers.end()) continue;
      const CallIndex x = latest.other_than(kept, call.op.a);
      const bool all = std::all_of(found->second.begin(), found->second.end(), [&](CallIndex i) {
        const Call& writer = history_.calls[i];
        return writer.inv > call.ret || (x != kNobody && writer.ret < kept[x].inv);
      });
      if (!all) return false;
    }
    return true;
  }

  bool accept(Calls calls, EventIndex from) {
    if (budget_.out_of_time() || !proves(calls, from)) return false;
    kept_ = std::move(calls);
    from_ = from;
    return true;
  }

  Window reduced() {
    begin_later_by_halves();
    if (is_container(*history_.model)) look_at_fewer_elements();
    std::size_t size = 0;
    EventIndex from = 0, end = 0;
    while ((size != kept_.size() || from != from_ || end != end_) && !budget_.out_of_time()) {
      size = kept_.size();
      from = from_;
      end = end_;
      leave_out();
      if (is_container(*history_.model) && kept_.size() <= kMaxBeginnings) end_earlier();
      if (kept_.size() <= kMaxBeginnings) begin_later();
    }
    return {kept_, from_, end_, !budget_.out_of_time(), elements_};
  }

  // Elements one by one, with all that is about them alone.
  void look_at_fewer_elements() {
    Elements all;
    for (const CallIndex i : kept_) {
      const std::int64_t element = history_.calls[i].op.a;
      if (element > kNil && looks_at(element)) all.push_back(element);
    }
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    if (all.size() > kMaxElements) return;
    for (const std::int64_t gone : all) {
      Elements fewer = elements_.empty() ? all : elements_;
      std::erase(fewer, gone);
      if (fewer.empty() || budget_.out_of_time()) return;
      look_at(std::move(fewer));
    }
  }
  bool looks_at(std::int64_t element) const {
    return elements_.empty() || std::binary_search(elements_.begin(), elements_.end(), element);
  }
  // Goes on with these elements alone when that proves something too.
  void look_at(Elements elements) {
    std::swap(elements_, elements);
    collect();
    Calls calls = kept_;
    std::erase_if(calls, [&](CallIndex i) { return !concerns(history_, history_.calls[i], elements_); });
    if (accept(std::move(calls), from_)) return;
    std::swap(elements_, elements);
    collect();
  }

  void begin_later_by_halves() {
    for (std::size_t step = kept_.size() / 2; step > 0; step /= 2) {
      while (step < kept_.size()) {
        const EventIndex from = history_.calls[kept_[step]].inv;
        if (from <= from_ || !accept(since(kept_, from), from)) break;
      }
    }
  }

  // Whoever found the failure may have noticed it later than it was there.
  void end_earlier() {
    std::vector<EventIndex> ends;
    for (const CallIndex i : kept_) {
      if (history_.calls[i].ret < end_) ends.push_back(history_.calls[i].ret);
    }
    std::sort(ends.begin(), ends.end());
    const EventIndex before = end_;
    for (const EventIndex end : ends) {
      end_ = end;
      collect();
      Calls calls = kept_;
      std::erase_if(calls, [&](CallIndex i) { return !std::binary_search(before_end_.begin(), before_end_.end(), i); });
      if (accept(std::move(calls), from_)) return;
    }
    end_ = before;
    collect();
  }

  void begin_later() {
    const Calls before = kept_;
    for (auto i = before.rbegin(); i != before.rend(); ++i) {
      const EventIndex from = history_.calls[*i].inv;
      if (from <= from_ || accept(since(before, from), from)) return;
    }
  }

  // Large chunks first, down to single ones, until none can go.
  void leave_out() {
    for (std::size_t chunk = std::max<std::size_t>(1, kept_.size() / 2);; chunk = std::max<std::size_t>(1, chunk / 2)) {
      bool any = false;
      for (std::size_t first = 0; first < kept_.size() && !budget_.out_of_time();) {
        const auto begin = kept_.begin() + static_cast<std::ptrdiff_t>(first);
        const auto end = kept_.begin() + static_cast<std::ptrdiff_t>(std::min(kept_.size(), first + chunk));
        Calls fewer(kept_.begin(), begin);
        fewer.insert(fewer.end(), end, kept_.end());
        if (accept(std::move(fewer), from_))
          any = true;
        else
          first += chunk;
      }
      if ((chunk == 1 && !any) || budget_.out_of_time()) return;
    }
  }

  const KeyHistory& history_;
  EventIndex end_;
  Elements elements_;
  Budget& budget_;
  bool is_register_;
  bool crashed_observe_ = true;  // false: a crashed cas is taken for a crashed write, which may do more
  Calls before_end_;             // what was invoked before, without what need not have been seen yet
  Calls kept_;
  EventIndex from_ = 0;
};

// Whether all its operations are about its elements. (Of others what they do to the state is not known.)
bool are_about(const KeyHistory& history, const Window& window) {
  return std::all_of(window.calls.begin(), window.calls.end(),
                     [&](CallIndex i) { return concerns(history, history.calls[i], window.elements); });
}

}  // namespace

bool has_windows(const KeyHistory& history, const Elements& elements) {
  return from_any_state(*history.model, *history.history, {}, {Unseen::nothing, elements, false}) != nullptr;
}

std::optional<Window> find_window(const KeyHistory& history, EventIndex failed_at, Budget& budget,
                                  const Elements& elements) {
  if (failed_at == kNever || !has_windows(history, elements)) return std::nullopt;
  Budget short_time(budget, kInAll);
  return Windows(history, failed_at, elements, short_time).find();
}

std::optional<Window> reduce_window(const KeyHistory& history, Window window, Budget& budget) {
  if (!has_windows(history, window.elements)) return std::nullopt;
  Budget short_time(budget, kInAll);
  return Windows(history, window.end, window.elements, short_time).reduce(window);
}

bool proves(const KeyHistory& history, const Window& window, Budget& budget) {
  return has_windows(history, window.elements) && are_about(history, window) &&
         Windows(history, window.end, window.elements, budget).proves(window.calls, window.from);
}

bool are_window(const KeyHistory& history, const Calls& calls, Budget& budget, const Elements& elements) {
  const auto is_one = [&](EventIndex from, EventIndex end) {
    return proves(history, {calls, from, end, false, elements}, budget);
  };
  return std::any_of(calls.begin(), calls.end(), [&](CallIndex last) {
    const EventIndex end = history.calls[last].ret;
    return is_one(0, end) || std::any_of(calls.begin(), calls.end(),
                                         [&](CallIndex first) { return is_one(history.calls[first].inv, end); });
  });
}

View view_of(const KeyHistory& history, const Window& window) {
  Budget none(std::chrono::steady_clock::time_point::max(), 0, {});
  return Windows(history, window.end, window.elements, none).view(window.calls, window.from);
}

}  // namespace ordeal::lin
