// lock-cores and lock-deadlines: locks that need no search.
//
// lock-cores: mutex-owner, reentrant-mutex, fenced-mutex and semaphore-N, which know who holds them. A holder has its
// permit for certain from the return of its acquire to the invocation of its release: the core. Every acquire can wait
// until it returns and every release can happen when it is invoked, so the history is linearizable exactly when
// nowhere more cores overlap than there are permits (of a reentrant mutex: the cores of the outermost pairs), and no
// release was without a hold. Tokens of a fenced mutex must grow from core to core. A crashed acquire is taken not to
// have happened, a crashed release to have happened at once.
//
// lock-deadlines: the anonymous mutex, which anybody may release. Nothing happens until something must return; if then
// the lock is in the wrong state, the pending operation of the other kind with the earliest deadline goes first.
//
// Cost: O(n log n). Tested by tests/checkers/linearizability/special_cases_test.cc.

#include <algorithm>
#include <limits>
#include <queue>
#include <unordered_map>

#include "checkers/linearizability/models/operations.h"
#include "checkers/linearizability/special/special_case_base.h"
#include "checkers/linearizability/special/special_cases.h"

namespace ordeal::lin {
namespace {

class LockCores final : public Strategy {
 public:
  [[nodiscard]] std::string_view name() const override { return "lock-cores"; }

  [[nodiscard]] std::string objection(const KeyHistory& history) const override {
    if (permits_of(*history.model) == 0) return "it decides locks that know their holders only";
    std::unordered_map<std::int32_t, bool> crashed;
    for (const Call& call : history.calls) {
      bool& gone = crashed[call.op.process];
      if (gone) return "a process goes on after a crashed operation";
      gone = call.crashed();
    }
    return {};
  }

  [[nodiscard]] Decision decide(const KeyHistory& history, Budget&, bool want_order) const override {
    const std::vector<Call>& calls = history.calls;
    const std::size_t permits = permits_of(*history.model);
    const bool reentrant = type_of(*history.model) == DataType::reentrant_mutex;
    const bool fenced = type_of(*history.model) == DataType::fenced_mutex;

    // Acquires take effect when they return, releases when they are invoked.
    struct Moment {
      EventIndex at;
      CallIndex call;
    };
    std::vector<Moment> moments;
    for (CallIndex i = 0; i < calls.size(); ++i) {
      const bool acquire = calls[i].op.code == lock::kAcquire;
      if (acquire && calls[i].crashed()) continue;
      moments.push_back({acquire ? calls[i].ret : calls[i].inv, i});
    }
    std::sort(moments.begin(), moments.end(), [](const Moment& x, const Moment& y) { return x.at < y.at; });

    std::unordered_map<std::int32_t, std::vector<CallIndex>> held;  // by process: its acquires, oldest first
    std::size_t holds = 0;                                          // permits taken
    std::int64_t token = std::numeric_limits<std::int64_t>::min();
    CallIndex last_acquire = 0;
    std::vector<CallIndex> order;
    for (const Moment& moment : moments) {
      const Operation& op = calls[moment.call].op;
      std::vector<CallIndex>& mine = held[op.process];
      if (op.code == lock::kRelease) {
        if (mine.empty()) {
          if (calls[moment.call].crashed()) continue;
          return all_of_process(calls, op.process, moment.call);
        }
        mine.pop_back();
        if (!reentrant || mine.empty()) --holds;
        order.push_back(moment.call);
        continue;
      }
      if (!reentrant || mine.empty()) {
        if (holds == permits) return overlap(calls, held, moment.call);
        ++holds;
      }
      if (fenced) {
        if (op.a <= token) return tokens(calls, last_acquire, moment.call);
        token = op.a;
        last_acquire = moment.call;
      }
      mine.push_back(moment.call);
      order.push_back(moment.call);
    }
    return explained(std::move(order), want_order);
  }

 private:
  // A release without a hold is shown by what its process did before.
  static Decision all_of_process(const std::vector<Call>& calls, std::int32_t process, CallIndex last) {
    std::vector<CallIndex> culprits;
    for (CallIndex i = 0; i <= last; ++i) {
      if (calls[i].op.process == process) culprits.push_back(i);
    }
    return refuted(std::move(culprits));
  }
  static Decision overlap(const std::vector<Call>& calls,
                          const std::unordered_map<std::int32_t, std::vector<CallIndex>>& held, CallIndex acquire) {
    std::vector<CallIndex> culprits = {acquire};
    std::unordered_map<std::int32_t, std::size_t> open;  // holds whose release was not found yet
    for (const auto& [process, acquires] : held) {
      culprits.insert(culprits.end(), acquires.begin(), acquires.end());
      open[process] = acquires.size();
    }
    // The releases of these holds come later, and say that they still held it.
    for (CallIndex i = 0; i < calls.size(); ++i) {
      if (calls[i].op.code != lock::kRelease || calls[i].inv < calls[acquire].ret) continue;
      std::size_t& holds = open[calls[i].op.process];
      if (holds == 0) continue;
      --holds;
      culprits.push_back(i);
    }
    Decision out = refuted(std::move(culprits));
    out.failed_at = calls[acquire].ret;
    return out;
  }
  static Decision tokens(const std::vector<Call>& calls, CallIndex before, CallIndex after) {
    std::vector<CallIndex> culprits = {before, after};
    for (CallIndex i = before + 1; i < calls.size(); ++i) {
      if (calls[i].op.code == lock::kRelease && calls[i].op.process == calls[before].op.process) {
        culprits.push_back(i);
        break;
      }
    }
    Decision out = refuted(std::move(culprits));
    out.failed_at = calls[after].ret;
    return out;
  }
};

class LockDeadlines final : public Strategy {
 public:
  [[nodiscard]] std::string_view name() const override { return "lock-deadlines"; }
  [[nodiscard]] std::string objection(const KeyHistory& history) const override {
    return type_of(*history.model) == DataType::mutex ? "" : "it decides the anonymous mutex only";
  }

  [[nodiscard]] Decision decide(const KeyHistory& history, Budget&, bool want_order) const override {
    const std::vector<Call>& calls = history.calls;
    using Deadline = std::pair<EventIndex, CallIndex>;
    std::priority_queue<Deadline, std::vector<Deadline>, std::greater<>> pending[2];
    std::vector<bool> done(calls.size());
    std::vector<CallIndex> order;
    bool held = false;
    const auto perform = [&](CallIndex call) {
      done[call] = true;
      order.push_back(call);
      held = calls[call].op.code == lock::kAcquire;
    };
    for (const KeyEvent& event : events_of(calls)) {
      const Call& call = calls[event.call];
      const bool acquire = call.op.code == lock::kAcquire;
      if (!event.is_return) {
        pending[acquire ? 0 : 1].push({call.ret, event.call});
        continue;
      }
      if (done[event.call]) continue;
      if (held == acquire) {
        auto& others = pending[acquire ? 1 : 0];
        while (!others.empty() && done[others.top().second]) others.pop();
        if (others.empty()) {
          Decision out = refuted({});
          out.failed_at = call.ret;
          return out;
        }
        perform(others.top().second);
      }
      perform(event.call);
    }
    return explained(std::move(order), want_order);
  }
};

}  // namespace

std::unique_ptr<Strategy> lock_cores_strategy() { return std::make_unique<LockCores>(); }
std::unique_ptr<Strategy> lock_deadlines_strategy() { return std::make_unique<LockDeadlines>(); }

}  // namespace ordeal::lin
