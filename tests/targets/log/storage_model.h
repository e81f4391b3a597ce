#pragma once
// A node's storage on a simulated disk beside a model of what it must remember, driven by chance: batches, conflicting
// suffixes, snapshots, crashes of the process, power losses, full and failing disks. After each recovery the disk must
// hold the state after some batch at or after the last one that was acknowledged, whole. Thread-safety: one thread.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/rng.h"
#include "targets/log/server/wal/simulated_disk.h"
#include "targets/log/server/wal/storage.h"

namespace ordeal::log::wal::testing {

inline StorageOptions storage_options(std::size_t segment_bytes = 2000) {
  return {"data", "cluster-a", 1, 4711, segment_bytes, 2};
}

// What a node remembers.
struct Memory {
  raft::HardState hard_state;
  std::optional<raft::Snapshot> snapshot;
  std::vector<raft::Entry> entries;  // after the snapshot

  [[nodiscard]] raft::Index base() const { return snapshot ? snapshot->index : 0; }
  [[nodiscard]] raft::Index last() const { return base() + entries.size(); }
  void append(const std::vector<raft::Entry>& more);
  void install(const raft::Snapshot& taken);
};
// Empty when they are the same; the commit index may lag behind.
[[nodiscard]] std::string difference(const Memory& wanted, const Recovery& found);

class StorageRun {
 public:
  explicit StorageRun(std::uint64_t seed);
  // Does so many things at random. Empty: storage kept its promises; else what it broke.
  [[nodiscard]] std::string run(int steps);

  [[nodiscard]] int recoveries() const { return recoveries_; }
  [[nodiscard]] int refusals() const { return refusals_; }

 private:
  std::string open();
  std::string act();
  std::string batch();
  std::string snapshot(bool from_leader);
  std::string crash();
  void failing_disk();
  void make_room();
  std::vector<raft::Entry> some_entries();

  Rng rng_;
  SimulatedDisk disk_;
  std::unique_ptr<Storage> storage_;
  Memory now_;                    // with all that was asked for
  std::vector<Memory> possible_;  // what recovery may find; the first is what was acknowledged
  raft::Term term_ = 1;
  int sync_error_ = 0;
  int recoveries_ = 0;
  int refusals_ = 0;
};

}  // namespace ordeal::log::wal::testing
