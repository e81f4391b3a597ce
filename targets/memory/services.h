#pragma once
// Services: what the memory target offers beside data under keys: things of which a run has one, each behind one lock,
// and so linearizable. By data type, with what the bugs do (bugs.h):
//
//   g2           `insert` {key, [a b]}: fails when the key has a row. write-skew does not look; lost-write does not
//   insert monotonic    `stamp`: a row with the next value and the time; `read`: all rows. stale-read: the time goes
//   back;
//                lost-write: the row is returned and not kept; duplicate: it is kept twice
//   sequential   `write-chain` k: five subkeys; `read-chain` k: the same backwards. lost-write: one is left out;
//                stale-read: a chain that is there is read as absent
//   election     `campaign` name, `resign`, `leader`: one leader, terms that grow. duplicate: two leaders; write-skew:
//                also in one term; stale-read: the leader before
//   idempotency  `apply` key: once; its result is how many were applied before; `read`. duplicate: twice; lost-write:
//                never; stale-read: the last one is missing
//   rate-limit   `request`: ten in a hundred milliseconds. lost-write: a grant is not counted; stale-read: grants whose
//                time is over still count
//   saga         `saga`: two events; given up when the account holds too little, with compensation. lost-write: the
//                second step is missing; duplicate: it is done twice; write-skew: no compensation; stale-read: old
//                balances
//
// Thread-safety: all methods from any thread.

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

#include "checkers/history/operation.h"
#include "targets/memory/bugs.h"

namespace ordeal::memory {

class Services {
 public:
  Services(Faultiness faults, std::function<std::chrono::nanoseconds()> now) : faults_(faults), now_(std::move(now)) {}

  // nullopt when the operation is none of these on that data type.
  [[nodiscard]] std::optional<Completion> apply(std::string_view data_type, const Operation& operation,
                                                std::uint64_t client, Rng& rng);
  // A client is gone: it leads no longer.
  void forget(std::uint64_t client);

 private:
  Completion insert(const Operation& operation, Rng& rng);
  Completion stamped(const Operation& operation, Rng& rng);
  Completion chain(const Operation& operation, Rng& rng);
  Completion election(const Operation& operation, std::uint64_t client, Rng& rng);
  Completion idempotent(const Operation& operation, Rng& rng);
  Completion request(Rng& rng);
  Completion ledger(const Operation& operation, Rng& rng);
  void post(const Value& id, std::int64_t account, std::int64_t amount);

  const Faultiness faults_;
  const std::function<std::chrono::nanoseconds()> now_;
  std::mutex mutex_;      // guards all below
  std::set<Value> rows_;  // g2: keys that have one
  Value::List stamped_;   // monotonic
  std::int64_t last_stamp_ = 0;
  std::map<Value, Value::List> chains_;  // sequential: subkeys or nil, in the order of writing
  std::optional<std::uint64_t> leader_;  // election: its client
  Value leader_name_, former_name_;
  std::int64_t term_ = 0, former_term_ = 0;
  Value::List applied_;  // idempotency
  std::map<Value, std::int64_t> results_;
  std::deque<std::chrono::nanoseconds> grants_;                      // rate-limit
  std::map<std::int64_t, std::int64_t> balances_, former_balances_;  // saga
  Value::List events_;
};

}  // namespace ordeal::memory
