// counter-deadlines, fetch-add-places and unique-ids: counters that need no search.
//
// counter-deadlines: all increments add the same number d, reads are exact. Then only how many increments happened
// matters, and increments can wait until somebody needs them: one that must return, or a read that returned more than
// were counted. The increment that is then taken is the one with the earliest deadline (its return), crashed ones
// last. This keeps the count least at every moment, so a read that was invoked when the count had passed its value, or
// finds no increment left to reach it, refutes the history.
//
// fetch-add-places: all operations are fetch-adds of one d, so the old number of each is its place in the order. Two
// with one number, or one whose successor had returned before it was invoked, refute the history; a place that nobody
// reports needs a crashed operation of its own, invoked before every later place had returned, and the earliest such
// bounds get the earliest crashed operations.
//
// Cost: O(n log n). Tested by tests/checkers/linearizability/special_cases_test.cc.

#include <algorithm>
#include <map>
#include <queue>
#include <unordered_map>

#include "checkers/linearizability/models/model_base.h"
#include "checkers/linearizability/models/operations.h"
#include "checkers/linearizability/special/counter_numbers.h"
#include "checkers/linearizability/special/special_case_base.h"
#include "checkers/linearizability/special/special_cases.h"

namespace ordeal::lin {
namespace {

// How many steps of `delta` lead from `start` to `number`; negative when none do.
std::int64_t steps_to(std::int64_t start, std::int64_t number, std::int64_t delta) {
  std::int64_t distance = 0;
  if (__builtin_sub_overflow(number, start, &distance)) return -1;
  return distance % delta == 0 ? distance / delta : -1;
}

// Whether all additions, which `code` makes, are of one number. `reads`: there may be reads besides.
std::string objection_to_deltas(const KeyHistory& history, std::uint8_t code, bool reads) {
  if (std::string why = counter_objection(history); !why.empty()) return why;
  std::int64_t delta = 0;
  for (const Call& call : history.calls) {
    if (reads && call.op.code == counter::kRead) continue;
    if (call.op.code != code)
      return reads ? "there are other operations than add and read" : "there are other operations than fetch-add";
    if (call.op.a == 0 || call.op.a > kLargestNumber || call.op.a < -kLargestNumber)
      return "there are additions of 0 or of huge numbers";
    if (delta != 0 && call.op.a != delta) return "different numbers are added";
    delta = call.op.a;
  }
  return {};
}

class CounterDeadlines final : public Strategy {
 public:
  [[nodiscard]] std::string_view name() const override { return "counter-deadlines"; }

  [[nodiscard]] std::string objection(const KeyHistory& history) const override {
    return objection_to_deltas(history, counter::kAdd, true);
  }

  [[nodiscard]] Decision decide(const KeyHistory& history, Budget&, bool want_order) const override {
    const std::vector<Call>& calls = history.calls;
    const std::int64_t start = *counter_start(history);
    std::int64_t delta = 1;
    for (const Call& call : calls) {
      if (call.op.code == counter::kAdd) delta = call.op.a;
    }
    using Deadline = std::pair<EventIndex, CallIndex>;
    std::priority_queue<Deadline, std::vector<Deadline>, std::greater<>> pending;
    std::vector<bool> done(calls.size());
    std::vector<CallIndex> order;
    std::unordered_map<std::int64_t, std::vector<CallIndex>> waiting;  // open reads by the count they need
    std::int64_t count = 0;
    const auto increment = [&](CallIndex call) {
      done[call] = true;
      order.push_back(call);
      const auto reads = waiting.find(++count);
      if (reads == waiting.end()) return;
      order.insert(order.end(), reads->second.begin(), reads->second.end());
      waiting.erase(reads);
    };
    for (const KeyEvent& event : events_of(calls)) {
      const Call& call = calls[event.call];
      if (call.op.code == counter::kAdd) {
        if (!event.is_return)
          pending.push({call.ret, event.call});
        else if (!done[event.call])
          increment(event.call);
        continue;
      }
      const std::int64_t needed = steps_to(start, call.op.a, delta);
      if (!event.is_return) {
        if (needed < count) return wrong(calls, event.call, call.inv);
        if (needed == count)
          order.push_back(event.call);
        else
          waiting[needed].push_back(event.call);
        continue;
      }
      while (count < needed) {
        while (!pending.empty() && done[pending.top().second]) pending.pop();
        if (pending.empty()) return wrong(calls, event.call, call.ret);
        increment(pending.top().second);
      }
    }
    return explained(std::move(order), want_order);
  }

 private:
  // The read and all that was invoked before the event at which it went wrong.
  static Decision wrong(const std::vector<Call>& calls, CallIndex read, EventIndex at) {
    std::vector<CallIndex> culprits = {read};
    for (CallIndex i = 0; i < calls.size() && calls[i].inv <= at; ++i) culprits.push_back(i);
    Decision out = refuted(std::move(culprits));
    out.failed_at = calls[read].ret;
    return out;
  }
};

class FetchAddPlaces final : public Strategy {
 public:
  [[nodiscard]] std::string_view name() const override { return "fetch-add-places"; }

  [[nodiscard]] std::string objection(const KeyHistory& history) const override {
    return objection_to_deltas(history, counter::kFetchAdd, false);
  }

  [[nodiscard]] Decision decide(const KeyHistory& history, Budget&, bool want_order) const override {
    const std::vector<Call>& calls = history.calls;
    const std::int64_t start = *counter_start(history);
    struct Placed {
      std::int64_t place;
      CallIndex call;
    };
    std::vector<Placed> placed;
    std::vector<CallIndex> crashed;  // by invocation
    for (CallIndex i = 0; i < calls.size(); ++i) {
      if (calls[i].crashed()) {
        crashed.push_back(i);
        continue;
      }
      placed.push_back({steps_to(start, calls[i].op.b, calls[i].op.a), i});
      if (placed.back().place < 0) return refuted({i});
    }
    std::sort(placed.begin(), placed.end(), [](const Placed& x, const Placed& y) {
      return x.place != y.place ? x.place < y.place : x.call < y.call;
    });
    for (std::size_t i = 1; i < placed.size(); ++i) {
      if (placed[i - 1].place == placed[i].place) return refuted({placed[i - 1].call, placed[i].call});
    }
    if (placed.empty()) return explained({}, want_order);
    // soonest[i]: of the operations at placed[i] and later, the one that returned first.
    std::vector<CallIndex> soonest(placed.size());
    for (std::size_t i = placed.size(); i-- > 0;) {
      soonest[i] = placed[i].call;
      if (i + 1 < placed.size() && calls[soonest[i + 1]].ret < calls[soonest[i]].ret) soonest[i] = soonest[i + 1];
      if (calls[soonest[i]].ret < calls[placed[i].call].inv) return refuted({soonest[i], placed[i].call});
    }
    std::vector<CallIndex> order;
    std::size_t used = 0;
    std::int64_t next = 0;
    for (std::size_t i = 0; i < placed.size(); ++i) {
      for (; next < placed[i].place; ++next, ++used) {
        if (used == crashed.size() || calls[crashed[used]].inv > calls[soonest[i]].ret)
          return hole(calls, soonest[i], placed[i].call);
        order.push_back(crashed[used]);
      }
      order.push_back(placed[i].call);
      next = placed[i].place + 1;
    }
    return explained(std::move(order), want_order);
  }

 private:
  // Too few operations were invoked before `returned`, which is behind a hole, returned.
  static Decision hole(const std::vector<Call>& calls, CallIndex returned, CallIndex behind) {
    std::vector<CallIndex> culprits = {returned, behind};
    for (CallIndex i = 0; i < calls.size() && calls[i].inv < calls[returned].ret; ++i) culprits.push_back(i);
    return refuted(std::move(culprits));
  }
};

class UniqueIds final : public Strategy {
 public:
  [[nodiscard]] std::string_view name() const override { return "unique-ids"; }
  [[nodiscard]] std::string objection(const KeyHistory& history) const override {
    return type_of(*history.model) == DataType::unique_ids ? "" : "it decides unique ids only";
  }
  [[nodiscard]] Decision decide(const KeyHistory& history, Budget&, bool want_order) const override {
    std::unordered_map<std::int64_t, CallIndex> first;
    std::vector<CallIndex> order;
    for (CallIndex i = 0; i < history.calls.size(); ++i) {
      const auto [found, fresh] = first.try_emplace(history.calls[i].op.a, i);
      if (!fresh) {
        Decision out = refuted({found->second, i});
        out.failed_at = std::max(history.calls[i].ret, history.calls[found->second].ret);
        return out;
      }
      order.push_back(i);
    }
    return explained(std::move(order), want_order);
  }
};

}  // namespace

std::unique_ptr<Strategy> counter_deadlines_strategy() { return std::make_unique<CounterDeadlines>(); }
std::unique_ptr<Strategy> fetch_add_places_strategy() { return std::make_unique<FetchAddPlaces>(); }
std::unique_ptr<Strategy> unique_ids_strategy() { return std::make_unique<UniqueIds>(); }

}  // namespace ordeal::lin
