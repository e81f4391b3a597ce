#pragma once
// LogBroker: logs with offsets in the memory target, after Kafka's, and consumers that stand somewhere in each of them.
//
//   `assign`, `subscribe` [keys]   the client's consumer stands at the beginning of keys that are new to it
//   `send`, `poll`, `txn`          ["send" key value] → ["send" key [offset value]]; ["poll"] → ["poll" {key [[offset
//   value] …]}], at
//                                  most eight messages a key; of a transaction all at one instant, polls before sends
//
// Bugs: lost-write takes an offset and keeps no message; duplicate keeps it at two offsets; stale-read polls without
// going on; reorder returns two messages in the wrong order. Thread-safety: all methods from any thread.

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

#include "checkers/history/operation.h"
#include "targets/memory/bugs.h"

namespace ordeal::memory {

class LogBroker {
 public:
  explicit LogBroker(Faultiness faults) : faults_(faults) {}
  [[nodiscard]] Completion apply(const Operation& operation, std::uint64_t client, Rng& rng);

 private:
  using Positions = std::map<Value, std::size_t>;  // by key
  Value poll(Positions& positions, Rng& rng);
  std::int64_t send(const Value& key, const Value& value, Rng& rng);

  const Faultiness faults_;
  std::mutex mutex_;                                         // guards all below
  std::map<Value, std::vector<std::optional<Value>>> logs_;  // by key; by offset, nothing where a message was lost
  std::map<std::uint64_t, Positions> consumers_;             // by client
};

}  // namespace ordeal::memory
