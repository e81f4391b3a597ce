#pragma once
// Recovery: what a data directory holds, read without changing anything, and what is to be mended. Storage::open mends.
//
// A torn tail is told from damage by this: a batch is written only when the one before it is durable. So damage is a
// torn tail when it is in the last segment, no intact batch comes after it, and the mark does not say that the batch
// was durable. Everything else is damage, and refused. Thread-safety: pure but for reading files.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "targets/log/server/wal/file_system.h"
#include "targets/log/server/wal/mark.h"
#include "targets/log/server/wal/segment.h"
#include "targets/log/server/wal/storage.h"

namespace ordeal::log::wal {

// "; …what to do" at the end of what is refused.
inline constexpr const char* kAdvice =
    "; put the file back from a backup of this node, or have the node rebuilt from the other members (--recover), or "
    "remove it, delete its data and let it join again";

struct SegmentInfo {
  std::uint64_t number = 0;
  raft::Index max_index = 0;  // of its entries, also of those that others replaced; 0: none
  std::uint64_t bytes = 0;    // up to its last intact batch
};

struct RecoveredLog {
  Recovery found;
  std::vector<SegmentInfo> segments;   // by number; those that stay
  SegmentContents last;                // of the last one, without its records
  std::string last_batch;              // its last intact batch, with the segment's header when it is the first one
  bool torn = false;                   // bytes follow that are to be cut
  std::vector<std::string> remove;     // paths: a segment that was never finished, temporary files
  std::vector<std::string> damaged;    // paths: snapshots that an older one replaces
  std::vector<raft::Index> snapshots;  // usable ones, ascending
  LogBase base;                        // what the log goes on from
  bool base_written = true;            // by a record; a crash may come between a snapshot and its record
  Mark mark;
};

[[nodiscard]] Result<RecoveredLog> recover(FileSystem& files, const StorageOptions& options);

// For all of storage: io errors as Error, with what was being done.
[[nodiscard]] Error as_error(const IoError& error);
[[nodiscard]] inline std::string wal_directory(const StorageOptions& options) { return options.directory + "/wal"; }
[[nodiscard]] inline std::string snapshot_directory(const StorageOptions& options) {
  return options.directory + "/snap";
}
[[nodiscard]] inline std::string mark_path(const StorageOptions& options) { return wal_directory(options) + "/mark"; }
[[nodiscard]] inline std::string segment_path(const StorageOptions& options, std::uint64_t number) {
  return wal_directory(options) + '/' + segment_name(number);
}

}  // namespace ordeal::log::wal
