#pragma once
// MemoryStore: the data of the memory target: keys with a register, a set, a counter, a list, a queue, a lock, … each,
// linearizable, and wrong on request.
//
// An operation takes effect under the lock of its key's stripe, at one instant between its call and its return: that
// is the whole argument for linearizability. Transactions take the stripes of all their keys in order.
//
// Bugs. Each strikes with a probability that the caller's Rng decides:
//   stale-read   a read returns the state before the last change (a dequeue leaves the element there)
//   lost-write   a change is acknowledged and not made
//   duplicate    a change is made twice: a set's element appears twice, a counter counts double, a register's write
//                comes back after a later one, as a retry in a lower layer would do
//   write-skew   a transaction reads, lets go of its keys, and writes later, if nobody changed the keys that it writes:
//                snapshot isolation instead of serializability; other checks before an action are skipped altogether
//   reorder      a message jumps the queue; a lock's token goes back
//   lost-update  the store lives through simulated partitions (Partitions); when one heals, the last change that a key
//                saw during it is gone
//
// Thread-safety: all methods from any thread.

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "checkers/history/operation.h"
#include "targets/memory/bugs.h"
#include "targets/memory/causal_replicas.h"
#include "targets/memory/event_ledger.h"
#include "targets/memory/event_log.h"
#include "targets/memory/lagging_reads.h"
#include "targets/memory/ledgers.h"
#include "targets/memory/limits.h"
#include "targets/memory/log_broker.h"
#include "targets/memory/messages.h"
#include "targets/memory/replicas.h"
#include "targets/memory/services.h"
#include "targets/memory/transparent_log.h"
#include "targets/memory/versioned.h"

namespace ordeal::memory {

// Partitions that come and go by the clock: healthy for `every`, then divided for `lasting`, and so on.
struct Partitions {
  std::chrono::nanoseconds every{std::chrono::seconds(2)};
  std::chrono::nanoseconds lasting{std::chrono::milliseconds(200)};
};

class MemoryStore {
 public:
  struct Settings {
    Faultiness faults;
    Partitions partitions;
    std::int64_t bank_accounts = 8;
    std::int64_t bank_balance = 10;
    std::chrono::nanoseconds key_ttl{0};
    Replication replication = Replication::none;
    std::chrono::nanoseconds lag{std::chrono::milliseconds(20)};
  };
  // `now` is the clock of the partitions, from 0.
  MemoryStore(Settings settings, std::function<std::chrono::nanoseconds()> now);

  // Carries out one operation. `data_type` says what an operation means that several types share ("read", "add",
  // "append"); empty: a register when there is a key, else a set. `client` identifies the holder of locks.
  [[nodiscard]] Completion apply(std::string_view data_type, const Operation& operation, std::uint64_t client,
                                 Rng& rng);
  // Releases the locks of a client that is gone.
  void forget(std::uint64_t client);

 private:
  // What a key holds. One struct for all types: a run uses one of them.
  struct Cell {
    Value value;                  // register
    Value previous;               // its value before the last write
    std::optional<Value> replay;  // a write that will come back (duplicate)
    std::uint64_t version = 0;
    std::uint64_t replay_after = 0;

    std::vector<Value> items;  // set, log, list: in order of arrival
    std::set<Value> members;   // set: what was added
    std::deque<Value> queue;
    std::int64_t number = 0;  // counter
    std::int64_t previous_number = 0;
    std::optional<std::uint64_t> holder;  // lock
    std::int64_t token = 0;

    // The last change during a partition, to be lost when it heals.
    std::int64_t partition = -1;  // its number
    Value before;
    std::int64_t number_before = 0;
    std::size_t items_before = 0;
  };
  struct Stripe {
    std::mutex mutex;  // guards cells
    std::unordered_map<std::string, Cell> cells;
  };
  static constexpr std::size_t kStripes = 64;

  [[nodiscard]] std::size_t stripe_of(const std::string& key) const;
  // The cell, with what partitions and retries did to it since it was last looked at. Requires: the stripe's lock.
  Cell& cell(const std::string& key);
  [[nodiscard]] bool strikes(Bug bug, Rng& rng) const { return settings_.faults.strikes(bug, rng); }
  // Called before each change of a cell.
  void changing(Cell& cell) const;
  [[nodiscard]] std::int64_t partition_now() const;

  // What has a class of its own. Nothing: the operation is on none of these.
  std::optional<Completion> of_its_own(std::string_view data_type, const Operation& operation, std::uint64_t client,
                                       Rng& rng);
  // On what the key holds. Requires: the stripe's lock.
  Completion on_cell(std::string_view data_type, Cell& found, const Operation& operation, std::uint64_t client,
                     Rng& rng);
  // `done` with what a read sees of replicas that lag behind. Requires: the stripe's lock; can_be_replicated().
  Completion replicated(std::string_view data_type, const std::string& key, Cell& cell, const Operation& operation,
                        Completion done, std::uint64_t client, Rng& rng);
  Completion register_op(Cell& cell, const Operation& operation, Rng& rng);
  void write(Cell& cell, const Value& value, Rng& rng);
  Completion set_op(Cell& cell, const Operation& operation, Rng& rng);
  Completion counter_op(Cell& cell, const Operation& operation, Rng& rng);
  Completion queue_op(Cell& cell, const Operation& operation, Rng& rng);
  Completion lock_op(Cell& cell, const Operation& operation, std::uint64_t client, Rng& rng);
  Completion log_op(Cell& cell, const Operation& operation, Rng& rng);
  void append(Cell& cell, const Value& value, Rng& rng);
  Completion transaction(const Operation& operation, Rng& rng);
  // One micro-operation. Requires: the locks of the stripes.
  void step(Value& micro, Rng& rng);
  // The locks of all keys of a transaction, taken in order, so that two of them cannot wait for each other.
  [[nodiscard]] std::vector<std::unique_lock<std::mutex>> lock_all(const Value& micros);
  // The bug write-skew: reads first, writes later, and looks only at the keys it writes.
  Completion skewed_transaction(Value micros, Rng& rng);
  Completion generate_id(Rng& rng);
  Completion bank_op(const Operation& operation, Rng& rng);

  const Settings settings_;
  const std::function<std::chrono::nanoseconds()> now_;
  std::array<Stripe, kStripes> stripes_;
  Services services_;
  Limits limits_;
  Ledgers ledgers_;
  Messages queues_;
  LogBroker broker_;
  EventLedger event_ledger_;
  EventLog event_log_;
  Replicas replicas_;
  TimeOrderedIds ordered_ids_;
  VersionedRegisters versioned_;
  TransparentLog transparent_log_;
  std::unique_ptr<LaggingReads> lagging_;   // null: reads are fresh
  std::unique_ptr<CausalReplicas> causal_;  // null: one copy of each register

  std::mutex ids_mutex_;  // guards next_id_
  std::int64_t next_id_ = 0;
  std::mutex bank_mutex_;  // guards the two below
  std::vector<std::int64_t> balances_;
  std::vector<std::int64_t> balances_before_;  // the last transfer
};

}  // namespace ordeal::memory
