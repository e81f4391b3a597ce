#pragma once
// Storage: what a node of ordeal-log keeps on disk: the write-ahead log in segments and the snapshots; the node's
// memory of its term, its vote, its entries. doc: README.md beside this, which also has the formats byte for byte.
//
//   Recovery found;
//   auto storage = Storage::open(files, options, found);      // reads, checks, cuts a torn tail, syncs what it found
//   storage->set_hard_state({3, 2, 0});
//   storage->append(entries);                                  // in memory so far
//   if (storage->sync()) …                                     // one write, one fdatasync: now answer, now vote
//
// Group commit: whoever owns the storage gathers what several requests ask for and calls sync() once.
//
// Errors and what they mean. sync() and save_snapshot() fail in two ways, told apart by health():
//   full    no room. Nothing was acknowledged and nothing is lost: what was appended stays in memory and sync() may be
//           called again later. Until then the node takes no writes.
//   failed  a write or a sync failed otherwise. Nobody knows what is on disk (File::sync), so that this object refuses
//           everything from now on; the process has to end and recover.
//
// Thread-safety: one thread at a time.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "targets/log/server/raft/types.h"
#include "targets/log/server/wal/file_system.h"

namespace ordeal::log::wal {

struct StorageOptions {
  std::string directory;  // the node's data directory; wal/ and snap/ are made in it
  std::string cluster;    // the cluster's id, 1 to 64 bytes; every file carries it, and others are refused
  raft::NodeId node = raft::kNobody;
  // A secret of this node, drawn at random when the process starts: it seeds checksums, so that a client cannot write
  // bytes that look like records of ours (recovery looks for such after a damaged record).
  std::uint64_t salt = 0;
  std::size_t segment_bytes = std::size_t{64} << 20;  // a new segment begins when one has grown past this
  std::size_t kept_snapshots = 2;                     // at least 1; the log reaches back to the oldest that is kept
};

struct Recovery {
  raft::HardState hard_state;
  std::optional<raft::Snapshot> snapshot;  // the newest that can be used
  std::vector<raft::Entry> entries;        // contiguous, from the one after the snapshot (without one: from 1)
  bool fresh = true;                       // there was nothing
  // What was found and mended, in sentences with file and offset: a torn tail that was cut, a damaged snapshot that an
  // older one replaces. For the node's log.
  std::vector<std::string> remarks;
};

enum class Health { ok, full, failed };
[[nodiscard]] const char* name(Health health);

class Storage {
 public:
  // Recovers what is there, or begins anew in an empty directory. What was found is durable when this returns, even
  // what an earlier process had written and not synced. Errors (nothing was changed): input, when a file is damaged or
  // missing, of another cluster or another node, with file, offset, what was expected, and what to do; io, permission.
  [[nodiscard]] static Result<std::unique_ptr<Storage>> open(FileSystem& files, StorageOptions options,
                                                             Recovery& found);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  // Both are in memory until sync(). Entries are contiguous; the first follows the last one there is or replaces those
  // from its index on (a conflicting suffix [O 3.5]). Requires: its index is above the newest snapshot's.
  void append(std::span<const raft::Entry> entries);
  void set_hard_state(const raft::HardState& state);
  // Makes all of it durable. Without anything to write: no error, no system call.
  [[nodiscard]] Result<void> sync();
  // Bytes that sync() would write.
  [[nodiscard]] std::size_t unsynced_bytes() const;

  // Makes a snapshot durable, of this node's own or sent by the leader, then cuts the log: entries up to its index are
  // gone, and those after it too when the entry at its index is not the snapshot's [O 5.3]. What was appended before is
  // synced first. Does nothing when a newer snapshot is there.
  [[nodiscard]] Result<void> save_snapshot(const raft::Snapshot& snapshot);

  // After a graceful stop all marks are synced, so that recovery and `verify` see also a log whose last records are
  // gone.
  [[nodiscard]] Result<void> close();

  [[nodiscard]] Health health() const;
  [[nodiscard]] const std::string& trouble() const;  // the last error's text; empty while ok
  [[nodiscard]] raft::Index last_index() const;      // of entries appended, synced or not
  [[nodiscard]] std::uint64_t log_bytes() const;     // of all segments: when to take a snapshot

 private:
  class Impl;
  explicit Storage(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// What Storage::open would find, without changing anything: for `verify`. Errors: the same.
[[nodiscard]] Result<Recovery> inspect(FileSystem& files, const StorageOptions& options);

// Moves wal/, snap/ and their like out of the way (to damaged-1/, damaged-2/, …), for a node that is to be rebuilt from
// the quorum; returns where to. The highest term that could still be read is kept in `hard_state`, with a vote for
// nobody: the node must not vote in that term nor in one that it may have forgotten, so that it has to come back as
// another member (a learner first).
[[nodiscard]] Result<std::string> set_aside(FileSystem& files, const StorageOptions& options,
                                            raft::HardState& hard_state);

}  // namespace ordeal::log::wal
