#include "checkers/consistency/eventual.h"

#include <algorithm>
#include <limits>
#include <map>

#include "checkers/consistency/real_time.h"
#include "checkers/history/fault_record.h"
#include "checkers/interfaces/time_bound.h"
#include "checkers/linearizability/proof/told.h"

namespace ordeal::weak {
namespace {

// From when on reads must agree: `ns` after the last write of the key; of a run, after all writes and faults.
struct Bound {
  std::int64_t ns = 0;
  bool of_run = false;
  std::int64_t quiet_ns = 0;  // of a run: when all writes had ended and all faults were healed
};

class OneKey {
 public:
  OneKey(const Execution& execution, std::uint32_t key, std::optional<Bound> bound)
      : execution_(execution), h_(*execution.history), key_(key), bound_(bound) {
    for (const AccessId w : execution.writes[key]) {
      const Access& a = execution.accesses[w];
      const EventIndex end = a.crashed() ? a.inv : a.ret;
      if (end >= quiet_) quiet_ = end;
      if (!a.crashed() && (!acknowledged_ || a.ret > execution.accesses[*acknowledged_].ret)) acknowledged_ = w;
    }
  }

  void read(AccessId r) {
    const Access& a = execution_.accesses[r];
    if (!execution_.writes[key_].empty() && a.inv < quiet_) return;
    late_.push_back(r);
  }

  [[nodiscard]] Finding judge() const {
    if (execution_.writes[key_].empty()) return {};
    return bound_ ? judge_bound() : judge_last();
  }

 private:
  [[nodiscard]] std::string name() const { return execution_.describe_key(key_); }
  [[nodiscard]] ProcessId process(AccessId r) const { return h_.process(execution_.accesses[r].inv); }
  [[nodiscard]] std::int64_t value(AccessId r) const { return execution_.accesses[r].read; }

  // Without a bound: whether they have come together.
  [[nodiscard]] Finding judge_last() const {
    std::map<ProcessId, AccessId> last;
    for (const AccessId r : late_) last[process(r)] = r;
    if (last.empty()) return Finding::unknown("nobody read " + name() + " after its last write had ended");
    if (last.size() == 1)
      return Finding::unknown("only one process read " + name() + " after its last write had ended");
    const AccessId first = last.begin()->second;
    for (const auto& [process, r] : last) {
      if (value(r) == value(first)) continue;
      return Finding::unknown(execution_.describe(first) + " and " + execution_.describe(r) +
                              ", the last of their processes, differ; whether replicas were still converging only a "
                              "bound can tell: eventual-T, as in eventual-10s");
    }
    return {};
  }

  [[nodiscard]] Finding judge_bound() const {
    const std::int64_t quiet_ns = bound_->of_run ? bound_->quiet_ns : h_.time(quiet_);
    std::vector<AccessId> settled;
    std::map<ProcessId, AccessId> readers;
    for (const AccessId r : late_) {
      if (h_.time(execution_.accesses[r].inv) - quiet_ns < bound_->ns) continue;
      settled.push_back(r);
      readers[process(r)] = r;
    }
    if (bound_->of_run) {
      settled.clear();
      for (const auto& [process, r] : readers) settled.push_back(r);
    }
    if (settled.empty()) return Finding::unknown("nobody read " + name() + " " + after_text());
    std::optional<AccessId> first, crashed;
    for (const AccessId r : settled) {
      if (from_crashed(r)) {
        crashed = r;
        continue;
      }
      if (only_initial(r) && acknowledged_) return Finding::invalid(lost(r));
      if (!first) first = r;
      if (value(r) != value(*first)) return Finding::invalid(apart(*first, r));
    }
    const bool same =
        std::all_of(settled.begin(), settled.end(), [&](AccessId r) { return value(r) == value(settled[0]); });
    if (!same)
      return Finding::unknown("the settled reads of " + name() + " differ, but " + execution_.describe(*crashed) +
                              " shows a crashed write, which may have arrived late");
    if (readers.size() == 1) return Finding::unknown("only one process read " + name() + " " + after_text());
    return {};
  }

  // Whether a write that may have arrived at any time explains what was read.
  [[nodiscard]] bool from_crashed(AccessId r) const {
    const auto sources = execution_.candidates(r);
    return std::any_of(sources.begin(), sources.end(),
                       [&](Source s) { return s != kInitial && execution_.accesses[s].crashed(); });
  }
  [[nodiscard]] bool only_initial(AccessId r) const {
    const auto sources = execution_.candidates(r);
    return execution_.initial_known && sources.size() == 1 && sources[0] == kInitial;
  }

  [[nodiscard]] std::string after_text() const {
    return lin::span_text(bound_->ns) + (bound_->of_run ? " after all writes had ended and all faults were healed"
                                                        : " after its last write had ended");
  }
  [[nodiscard]] std::string settled_text() const {
    return (bound_->of_run ? "All writes had ended and all faults were healed "
                           : "All writes of " + name() + " had ended ") +
           lin::span_text(bound_->ns) + " before, or earlier.";
  }
  Violation lost(AccessId r) const {
    Violation out;
    out.type = "stale-read";
    out.guilty = r;
    out.others = {*acknowledged_};
    out.explanation = execution_.describe(r) + " returned the initial value, after " +
                      execution_.describe(*acknowledged_) + " had had time to arrive";
    out.sentences = {settled_text(), out.explanation + "."};
    return out;
  }
  Violation apart(AccessId first, AccessId second) const {
    Violation out;
    out.type = "divergence";
    out.guilty = second;
    out.others = {first};
    for (const AccessId r : {first, second}) {
      const auto sources = execution_.candidates(r);
      if (!sources.empty() && sources[0] != kInitial) out.others.push_back(sources[0]);
    }
    out.explanation = execution_.describe(first) + " and " + execution_.describe(second) + " differ";
    out.sentences = {settled_text(), out.explanation + "."};
    return out;
  }

  const Execution& execution_;
  const History& h_;
  std::uint32_t key_;
  std::optional<Bound> bound_;
  EventIndex quiet_ = 0;                  // when all writes had ended, crashed ones begun
  std::optional<AccessId> acknowledged_;  // the write that ended last
  std::vector<AccessId> late_;            // reads that began after that
};

// That a read ended before all writes of its value began.
Violation from_the_future(const Execution& execution, AccessId r) {
  Violation out;
  out.type = "read-before-write";
  out.guilty = r;
  const Source first = execution.candidates(r)[0];
  out.others = {first};
  out.explanation = execution.describe(r) + " ended before " + execution.describe(first) + " began";
  out.sentences = {out.explanation + "."};
  return out;
}

// When all writes had ended, crashed ones begun, and all faults were healed. `unhealed`: one that never was.
std::int64_t quiet_of_run(const Execution& execution, std::string& unhealed) {
  const History& h = *execution.history;
  std::int64_t out = 0;
  for (const Access& a : execution.accesses) {
    if (a.writes) out = std::max(out, h.time(a.crashed() ? a.inv : a.ret));
  }
  for (const FaultRecord& fault : fault_records(h)) {
    if (fault.inject_ns < 0 && fault.injected_ns < 0) continue;
    if (fault.healed_ns < 0) unhealed = fault.fault;
    out = std::max({out, fault.inject_ns, fault.injected_ns, fault.healed_ns, fault.heal_confirmed_ns});
  }
  return out;
}

Finding judge(const Execution& execution, const std::optional<Bound>& bound) {
  std::vector<OneKey> keys;
  for (std::uint32_t key = 0; key < execution.keys.size(); ++key) keys.emplace_back(execution, key, bound);
  for (AccessId r = 0; r < execution.accesses.size(); ++r) {
    const Access& a = execution.accesses[r];
    if (!a.reads || a.crashed()) continue;
    const auto sources = execution.candidates(r);
    if (sources.empty()) return Finding::invalid(never_written(execution, r));
    // Writers stand in the order of their invocations, the initial value last.
    const bool possible = sources.back() == kInitial || execution.accesses[sources[0]].inv < a.ret;
    if (!possible) return Finding::invalid(from_the_future(execution, r));
    if (!a.writes) keys[a.key].read(r);
  }
  Finding out;
  const bool written = std::any_of(execution.writes.begin(), execution.writes.end(),
                                   [](const std::vector<AccessId>& writes) { return !writes.empty(); });
  if (bound && bound->of_run && !written) return Finding::unknown("nothing was written");
  if (bound && written) {
    if (std::string why = no_times(*execution.history); !why.empty()) return Finding::unknown(std::move(why));
  }
  for (const OneKey& key : keys) {
    Finding one = key.judge();
    if (one.verdict == Verdict::invalid) return one;
    if (one.verdict == Verdict::unknown && out.verdict == Verdict::valid) out = std::move(one);
  }
  return out;
}

}  // namespace

Finding judge_eventual(const Execution& execution, std::optional<std::int64_t> bound_ns) {
  return judge(execution, bound_ns ? std::optional<Bound>(Bound{*bound_ns, false, 0}) : std::nullopt);
}

Finding judge_settled(const Execution& execution, std::int64_t settle_ns) {
  std::string unhealed;
  Bound bound{settle_ns, true, quiet_of_run(execution, unhealed)};
  // No read is late enough then; one of what nobody had written is wrong at any time.
  if (!unhealed.empty()) bound.quiet_ns = std::numeric_limits<std::int64_t>::max() / 2;
  Finding out = judge(execution, bound);
  if (!unhealed.empty() && out.verdict == Verdict::unknown) out.reason = "the fault " + unhealed + " was never healed";
  return out;
}

std::vector<AnomalyEntry> eventual_anomalies() {
  return {
      {"divergence", "after all writes of a key had ended, processes went on to read different values"},
  };
}

}  // namespace ordeal::weak
