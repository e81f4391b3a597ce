#pragma once
// Brute force over what the workloads promise: whether a small history keeps the promise, by trying every order of its
// operations, or by the promise's own words pair by pair. Written from the sentences of `ordeal list workloads NAME`
// and the heads of the checkers; it shares no code with them, is deliberately slow, and is right by inspection. For
// histories of about a dozen operations. Thread-safety: pure.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "checkers/history/history.h"

namespace ordeal::testing_support {

// An operation as oracles see it. `until` is kForever unless it is known to have ended in ok or fail.
struct Call {
  static constexpr std::int64_t kForever = INT64_MAX;
  std::string f;
  Value key, asked, seen;  // seen: the ok value
  std::int64_t process = 0;
  EventType outcome = EventType::info;
  std::int64_t from = 0, until = kForever;        // places of its events in the history
  std::int64_t from_ns = 0, until_ns = kForever;  // by the clock
  std::optional<std::size_t> after;               // the call of which this is a later step: that one must have happened

  [[nodiscard]] bool ok() const { return outcome == EventType::ok; }
};
[[nodiscard]] std::vector<Call> calls_of(const History& history);

// What an order of the calls must keep beside their steps: real time, the order of each process, or nothing.
enum class Within { real_time, process, nothing };
// The states in which a call may leave the object, given what the client saw; none: it is not possible in that state.
using Step = std::function<std::vector<Value>(const Value& state, const Call& call)>;
// Whether some order explains the calls: all that are ok, and as many as is liked of those of unknown outcome.
[[nodiscard]] bool explained(const std::vector<Call>& calls, const Value& initial, const Step& step,
                             Within within = Within::real_time);

// Whether the history keeps the promise of that workload with its default options; nullopt: nobody has written it down
// here.
[[nodiscard]] std::optional<bool> keeps_promise(const std::string& workload, const History& history);

// The promises that are not about an order of operations (promise_rules.cc).
[[nodiscard]] bool keeps_g2(const std::vector<Call>& calls);
[[nodiscard]] bool keeps_unique_ids(const std::vector<Call>& calls);
[[nodiscard]] bool keeps_lock(const std::vector<Call>& calls);
[[nodiscard]] bool keeps_election(const std::vector<Call>& calls);
[[nodiscard]] bool keeps_convergence(const std::vector<Call>& calls, bool counter, std::int64_t settle_ns);
[[nodiscard]] bool keeps_idempotency(const std::vector<Call>& calls);
[[nodiscard]] bool keeps_rate_limit(const std::vector<Call>& calls, std::size_t limit, std::int64_t window_ns);
[[nodiscard]] bool keeps_saga(const std::vector<Call>& calls);

}  // namespace ordeal::testing_support
