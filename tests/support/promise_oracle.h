#pragma once
// Brute force over what the workloads promise: whether a small history keeps the promise, by trying every order of its
// operations, or by the promise's own words pair by pair. Written from the sentences of `ordeal list workloads NAME`
// and the heads of the checkers; it shares no code with them, is deliberately slow, and is right by inspection. For
// histories of about a dozen operations. Thread-safety: pure.

#include <cstdint>
#include <map>
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
  std::string error;       // its kind, of one that failed
  std::int64_t process = 0;
  EventType outcome = EventType::info;
  std::int64_t from = 0, until = kForever;           // places of its events in the history
  std::int64_t from_ns = 0, until_ns = kForever;     // by the clock
  std::int64_t told = kForever, told_ns = kForever;  // when its client was told of an end, be it unknown
  std::optional<std::size_t> after;  // the call of which this is a later step: that one must have happened

  [[nodiscard]] bool ok() const { return outcome == EventType::ok; }
};
[[nodiscard]] std::vector<Call> calls_of(const History& history);
// Objects are independent, so that each key may be judged alone.
[[nodiscard]] std::map<Value, std::vector<Call>> by_key(const std::vector<Call>& calls);

// Whether the history keeps the promise of that workload with its default options; nullopt: nobody has written it down
// here, or it would take very long.
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
[[nodiscard]] bool keeps_ordered_ids(const std::vector<Call>& calls, std::int64_t tolerance_ns);
// A crash takes place between two instants. `rpo_ns` 0: nothing is ever lost; `most` 0: any number for each crash.
struct Crash {
  std::int64_t begin_ns = 0, over_ns = 0;
};
[[nodiscard]] bool keeps_durability(const std::vector<Call>& calls, std::int64_t settle_ns,
                                    const std::vector<Crash>& crashes = {}, std::int64_t rpo_ns = 0, int most = 0);

// Those of registers with versions, of accounts, and of operations with keys (promise_ledgers.cc). The time to live
// is tried in steps of `unit_ns`; 0: a key is kept for ever.
[[nodiscard]] bool keeps_cas_by_version(const std::vector<Call>& calls);
[[nodiscard]] bool keeps_overdraft(const std::vector<Call>& calls);
struct LedgerTimes {
  std::int64_t lag_ns = 0;  // 0: no bound
  std::int64_t settle_ns = 0;
};
[[nodiscard]] bool keeps_ledger(const std::vector<Call>& calls, const LedgerTimes& times);
[[nodiscard]] bool keeps_idempotency_keys(const std::vector<Call>& calls, std::int64_t ttl_ns = 0,
                                          std::int64_t unit_ns = 1);

// Those of limits (promise_limits.cc).
[[nodiscard]] bool keeps_concurrency_limit(const std::vector<Call>& calls, std::size_t limit, std::int64_t settle_ns);
struct Bucket {
  std::int64_t burst = 0;
  std::int64_t shortest_ns = 0, longest_ns = 0;  // in which a token grows, at least and at most
  std::int64_t settle_ns = 0;
};
[[nodiscard]] bool grantable(const std::vector<Call>& calls, const Bucket& bucket);
[[nodiscard]] bool deniable(const std::vector<Call>& calls, const Call& denial, const Bucket& bucket);
// nullopt: it would take very long.
[[nodiscard]] std::optional<bool> keeps_token_bucket(const std::vector<Call>& calls, const Bucket& bucket);

// Those of replicas that converge (promise_replicas.cc), a replica for each client.
[[nodiscard]] bool keeps_or_set(const std::vector<Call>& calls, std::int64_t settle_ns);
[[nodiscard]] bool keeps_lww_map(const std::vector<Call>& calls, std::int64_t settle_ns);

// Those of logs (promise_logs.cc). `lag_ns` 0: a state may be as old as it likes.
[[nodiscard]] bool keeps_read_model(const std::vector<Call>& calls, std::int64_t lag_ns);
[[nodiscard]] bool keeps_kafka(const std::vector<Call>& calls, int end_polls);

// Those of messages (promise_messages.cc), each id in use once.
[[nodiscard]] bool keeps_outbox(const std::vector<Call>& calls, std::int64_t settle_ns);
struct DeadLetterRules {
  std::int64_t max_attempts = 3, settle_ns = 0;
  bool redelivery = false, empty_receives = false;
};
[[nodiscard]] bool keeps_dead_letter(const std::vector<Call>& calls, const DeadLetterRules& rules);

}  // namespace ordeal::testing_support
