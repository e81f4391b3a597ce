#pragma once
// Ledgers: what the memory target keeps accounts of, each behind one lock. By data type, with what the bugs do
// (bugs.h):
//
//   accounts          by customer `deposit`, `withdraw` {account, amount}, refused when both accounts together would be
//                     below nothing, and `read`. stale-read: the balances before the last change; lost-write: a change
//                     is acknowledged and not made; duplicate: made twice; write-skew: a withdrawal looks, lets go, and
//                     writes when its own account is still the same
//   idempotency-keys  `apply` {id, body}: once, until the key expires (memory.key-ttl); its answer is how many were
//                     executed before; refused when the key is taken by another body; `read`. duplicate: a repetition
//                     is executed again; lost-write: acknowledged and not executed; stale-read: the last execution is
//                     missing from a read; write-skew: the body is not looked at
//
// Thread-safety: all methods from any thread.

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string_view>

#include "checkers/history/operation.h"
#include "targets/memory/bugs.h"

namespace ordeal::memory {

class Ledgers {
 public:
  // `key_ttl`: for how long an idempotency key is taken; 0: for ever.
  Ledgers(Faultiness faults, std::chrono::nanoseconds key_ttl, std::function<std::chrono::nanoseconds()> now)
      : faults_(faults), key_ttl_(key_ttl), now_(std::move(now)) {}

  // nullopt when the operation is none of these on that data type.
  [[nodiscard]] std::optional<Completion> apply(std::string_view data_type, const Operation& operation, Rng& rng);

 private:
  struct Customer {
    std::array<std::int64_t, 2> money{};
    std::array<std::int64_t, 2> before{};    // the last change
    std::array<std::uint64_t, 2> version{};  // of each account
  };
  struct Key {
    Value body, answer;
    std::chrono::nanoseconds since{0};
  };

  Completion account(const Operation& operation, Rng& rng);
  void move(Customer& customer, std::size_t account, std::int64_t amount, Rng& rng);
  Completion execute(const Operation& operation, Rng& rng);

  const Faultiness faults_;
  const std::chrono::nanoseconds key_ttl_;
  const std::function<std::chrono::nanoseconds()> now_;
  std::mutex mutex_;                     // guards all below
  std::map<Value, Customer> customers_;  // by key
  std::map<Value, Key> keys_;            // by id
  Value::List executed_;                 // [id, body] each
};

}  // namespace ordeal::memory
