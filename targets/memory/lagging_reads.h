#pragma once
// LaggingReads: what readers of a store see whose replicas lag behind, for the memory target's weaker modes.
//
// All changes of all keys stand in one order, that in which they were made; each has a number. A read sees a key as it
// was after one of the changes that are younger than the lag.
//
//   sequential   a client never goes back, and not behind its own changes: putting each read right after the
//                change that it saw last, and each change at its number, is one order of all operations that keeps the
//                order of each client. Reads may be stale, so it is not linearizable
//   eventual     each read sees any of them, whoever asks: after the last change and the lag all see the same, and no
//                more is promised
//
// Thread-safety: all methods from any thread. The caller holds the lock of the key (store.h), so that a key's changes
// are told in their order.

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/error.h"
#include "base/rng.h"
#include "base/value.h"

namespace ordeal::memory {

enum class Replication { none, sequential, eventual, causal };  // causal: causal_replicas.h
// Requires: one of the choices of the option memory.replication.
[[nodiscard]] Replication replication_named(std::string_view name);

// Errors: usage, when the mode, by its name, is not for that data type of a workload.
[[nodiscard]] Result<void> check_replication(const std::string& mode, const std::string& data_type);

class LaggingReads {
 public:
  LaggingReads(Replication mode, std::chrono::nanoseconds lag, std::function<std::chrono::nanoseconds()> now)
      : mode_(mode), lag_(lag), now_(std::move(now)) {}

  // The client changed the key, which holds `state` from now on.
  void changed(const std::string& key, Value state, std::uint64_t client);
  // What a read of the client sees of the key: `initially` before its first change.
  [[nodiscard]] Value seen(const std::string& key, const Value& initially, std::uint64_t client, Rng& rng);

 private:
  struct Version {
    std::uint64_t number = 0;
    Value state;
  };
  // The number of the last change that is at least as old as the lag: everybody has it.
  std::uint64_t everywhere();

  const Replication mode_;
  const std::chrono::nanoseconds lag_;
  const std::function<std::chrono::nanoseconds()> now_;
  std::mutex mutex_;  // guards all below
  std::unordered_map<std::string, std::deque<Version>> keys_;
  std::deque<std::chrono::nanoseconds> times_;  // of the changes after `everywhere_`
  std::uint64_t everywhere_ = 0;
  std::uint64_t last_ = 0;
  std::map<std::uint64_t, std::uint64_t> stands_;  // sequential: how far each client has seen
};

}  // namespace ordeal::memory
