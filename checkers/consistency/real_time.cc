#include "checkers/consistency/real_time.h"

#include <algorithm>
#include <map>
#include <optional>
#include <span>

namespace ordeal::weak {
namespace {

constexpr AccessId kNone = 0xFFFFFFFFu;

// For each write, and the initial value, the write that first replaced it for certain: of those invoked after it
// returned, the one that returned first.
class Replaced {
 public:
  explicit Replaced(const Execution& execution) : execution_(execution), by_(execution.accesses.size(), kNone) {
    initial_.assign(execution.keys.size(), kNone);
    latest_.resize(execution.keys.size());
    for (std::uint32_t k = 0; k < execution.keys.size(); ++k) prepare(k);
  }

  // kNone when nothing certainly replaced it.
  [[nodiscard]] AccessId by(Source source, std::uint32_t key) const {
    return source == kInitial ? initial_[key] : by_[source];
  }
  // Is it possible, in real time, that `r` saw `source`?
  [[nodiscard]] bool fits(AccessId r, Source source) const {
    const Access& read = execution_.accesses[r];
    if (source != kInitial && execution_.accesses[source].inv > read.ret) return false;
    const AccessId newer = by(source, read.key);
    return newer == kNone || execution_.accesses[newer].ret > read.inv;
  }
  // Whether one of the writers among the candidates fits. Those that were invoked last are the likeliest.
  [[nodiscard]] bool any_writer_fits(AccessId r) const {
    const auto writers = writers_before_end(r);
    return std::any_of(writers.rbegin(), writers.rend(), [&](Source s) { return fits(r, s); });
  }
  // Of the candidates, the writers that were invoked before the read returned.
  [[nodiscard]] std::span<const Source> writers_before_end(AccessId r) const {
    const auto candidates = execution_.candidates(r);
    const auto end = std::partition_point(candidates.begin(), candidates.end(), [&](Source s) {
      return s != kInitial && execution_.accesses[s].inv < execution_.accesses[r].ret;
    });
    return candidates.first(static_cast<std::size_t>(end - candidates.begin()));
  }
  [[nodiscard]] bool overlaps_a_write(AccessId r) const {
    const Access& read = execution_.accesses[r];
    const auto& writes = execution_.writes[read.key];
    const auto end = std::partition_point(writes.begin(), writes.end(),
                                          [&](AccessId w) { return execution_.accesses[w].inv < read.ret; });
    return end != writes.begin() && latest_[read.key][static_cast<std::size_t>(end - writes.begin()) - 1] > read.inv;
  }

 private:
  void prepare(std::uint32_t key) {
    const auto& writes = execution_.writes[key];
    std::vector<AccessId> soonest(writes.size() + 1, kNone);  // of the writes from here on, the one that returned first
    for (std::size_t i = writes.size(); i-- > 0;) {
      soonest[i] = soonest[i + 1];
      const EventIndex ret = execution_.accesses[writes[i]].ret;
      if (ret != lin::kNever && (soonest[i] == kNone || ret < execution_.accesses[soonest[i]].ret))
        soonest[i] = writes[i];
    }
    initial_[key] = soonest[0];
    EventIndex latest = 0;
    for (const AccessId w : writes) {
      latest = std::max(latest, execution_.accesses[w].ret);
      latest_[key].push_back(latest);
      const auto after = std::partition_point(writes.begin(), writes.end(), [&](AccessId other) {
        return execution_.accesses[other].inv < execution_.accesses[w].ret;
      });
      by_[w] = soonest[static_cast<std::size_t>(after - writes.begin())];
    }
  }

  const Execution& execution_;
  std::vector<AccessId> by_, initial_;
  std::vector<std::vector<EventIndex>> latest_;  // by key and write: the last return so far
};

// Requires: there are candidates, and none fits. Of those that are too old the youngest is named, of those that are too
// young the oldest.
Violation stale(const Execution& execution, const Replaced& replaced, AccessId r) {
  Violation out;
  out.guilty = r;
  const auto candidates = execution.candidates(r);
  const auto old = replaced.writers_before_end(r);
  const std::uint32_t key = execution.accesses[r].key;
  const auto replaced_at = [&](Source s) { return execution.accesses[replaced.by(s, key)].ret; };
  std::optional<Source> youngest;
  if (candidates.back() == kInitial) youngest = kInitial;
  for (const Source source : old) {
    if (!youngest || replaced_at(source) > replaced_at(*youngest)) youngest = source;
  }
  if (old.size() < candidates.size() && candidates[old.size()] != kInitial) {
    const Source source = candidates[old.size()];
    out.type = "read-before-write";
    out.others.push_back(source);
    out.sentences.push_back(execution.describe(r) + " ended before " + execution.describe(source) + " began.");
  }
  if (youngest) {
    const AccessId newer = replaced.by(*youngest, key);
    out.type = "stale-read";
    if (*youngest != kInitial) out.others.push_back(*youngest);
    out.others.push_back(newer);
    out.sentences.push_back(
        "Before " + execution.describe(r) + " began, " + execution.describe(newer) + " had ended, which had replaced " +
        (*youngest == kInitial ? "the initial value." : "the value of " + execution.describe(*youngest) + "."));
  }
  if (old.size() > 1)
    out.sentences.push_back("Whatever else wrote that value had been replaced even earlier, or began later.");
  out.explanation = execution.describe(r) + " returned a value that it could not see then";
  return out;
}

Finding judge_reads(const Execution& execution, const WeakLimits& limits, bool only_quiet) {
  const Replaced replaced(execution);
  std::map<std::uint32_t, AccessId>
      initial;  // by key: a read that must have seen the initial value, when it is not known
  for (AccessId r = 0; r < execution.accesses.size(); ++r) {
    if (r % 4096 == 0) {
      if (std::string why = limits.reached(); !why.empty()) return Finding::unknown(std::move(why));
    }
    const Access& read = execution.accesses[r];
    if (!read.reads || (only_quiet && replaced.overlaps_a_write(r))) continue;
    const auto candidates = execution.candidates(r);
    if (replaced.any_writer_fits(r)) continue;
    const bool initially = execution.initial_known && !candidates.empty() && candidates.back() == kInitial;
    if (initially && replaced.fits(r, kInitial)) continue;
    if (execution.initial_known || !replaced.fits(r, kInitial)) {
      return Finding::invalid(candidates.empty() ? never_written(execution, r) : stale(execution, replaced, r));
    }
    const auto [first, fresh] = initial.try_emplace(read.key, r);
    if (fresh || execution.accesses[first->second].read == read.read) continue;
    Violation out = never_written(execution, r);
    out.others = {first->second};
    out.explanation =
        execution.describe(r) + " and " + execution.describe(first->second) + " would both be the initial value";
    out.sentences = {out.explanation + "."};
    return Finding::invalid(std::move(out));
  }
  return {};
}

}  // namespace

Violation never_written(const Execution& execution, AccessId r) {
  Violation out;
  out.type = "ThinAirRead";
  out.guilty = r;
  const std::string failed = failed_writer(execution, r);
  out.explanation = execution.describe(r) + " returned a value" + (failed.empty() ? " that nobody wrote" : failed);
  out.sentences = {out.explanation + "."};
  return out;
}

Finding judge_regular(const Execution& execution, const WeakLimits& limits) {
  return judge_reads(execution, limits, false);
}
Finding judge_safe(const Execution& execution, const WeakLimits& limits) {
  return judge_reads(execution, limits, true);
}

std::optional<Staleness> largest_staleness(const Execution& execution) {
  const Replaced replaced(execution);
  const History& history = *execution.history;
  std::optional<Staleness> out;
  for (AccessId r = 0; r < execution.accesses.size(); ++r) {
    const Access& read = execution.accesses[r];
    if (!read.reads || read.crashed() || history.time(read.inv) < 0) continue;
    std::optional<Staleness> freshest;
    const auto candidates = execution.candidates(r);
    for (std::size_t i = candidates.size(); i-- > 0 && (!freshest || freshest->ns > 0);) {
      const Source source = candidates[i];
      if (source != kInitial && execution.accesses[source].inv > read.ret) continue;
      Staleness one{0, r, replaced.by(source, read.key)};
      if (one.replaced_by != kNone && execution.accesses[one.replaced_by].ret < read.inv) {
        one.ns = history.time(read.inv) - history.time(execution.accesses[one.replaced_by].ret);
      }
      if (!freshest || one.ns < freshest->ns) freshest = one;
    }
    if (freshest && freshest->ns > 0 && (!out || freshest->ns > out->ns)) out = freshest;
  }
  return out;
}

std::vector<AnomalyEntry> real_time_anomalies() {
  return {
      {"read-before-write", "a read returned a value whose write had not begun"},
  };
}

std::vector<AnomalyEntry> regular_anomalies() {
  return {
      {"stale-read", "a read misses an element, or returns a value, that was replaced or added before it began"},
  };
}

}  // namespace ordeal::weak
