#pragma once
// A simulated disk: writes become durable in order, some time after they were asked for. A crash keeps a prefix of what
// was on its way, cut between any two records, as a torn write-ahead log is after its tail was cut off.
// Thread-safety: a value.

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "base/rng.h"
#include "targets/log/server/raft/raft.h"

namespace ordeal::log::sim {

class Disk {
 public:
  explicit Disk(raft::Snapshot first) : snapshot_(std::make_shared<const raft::Snapshot>(std::move(first))) {}

  // Of an output with a write; returns nothing when it is durable: that is complete().
  void write(const raft::Output& output);
  // A snapshot that the node took itself.
  void write_snapshot(std::shared_ptr<const raft::Snapshot> snapshot);
  // The oldest write that was asked for is durable. Requires: there is one.
  void complete();
  // The machine stops: a prefix of the records on their way stays.
  void crash(Rng& rng);

  [[nodiscard]] raft::Recovered recover() const;
  // The term of a durable entry, also of the last one that the snapshot covers; 0: not there.
  [[nodiscard]] raft::Term term(raft::Index index) const;
  // Whether the entry is durable here, by itself or in the snapshot.
  [[nodiscard]] bool has(raft::Index index, raft::Term term) const;

 private:
  struct Record {
    std::shared_ptr<const raft::Snapshot> snapshot;
    bool replaces_log = false;  // a leader's snapshot
    std::optional<raft::Entry> entry;
    std::optional<raft::HardState> hard_state;
  };
  void apply(const Record& record);

  std::shared_ptr<const raft::Snapshot> snapshot_;
  std::deque<raft::Entry> entries_;
  raft::HardState hard_state_;
  std::deque<std::vector<Record>> pending_;
};

}  // namespace ordeal::log::sim
