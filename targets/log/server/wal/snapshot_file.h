#pragma once
// A snapshot as a file: header, configuration, then the state in blocks of 64 KiB, each with its checksum, so that
// damage has an offset. README.md has the format. Thread-safety: pure.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "targets/log/server/raft/types.h"

namespace ordeal::log::wal {

struct SnapshotFile {
  std::string cluster;
  raft::Snapshot snapshot;
};

[[nodiscard]] std::string encode_snapshot(const std::string& cluster, const raft::Snapshot& snapshot);

struct SnapshotDamage {
  std::uint64_t offset = 0;
  std::string what;
};
// What is wrong with the file, or what it holds.
[[nodiscard]] tl::expected<SnapshotFile, SnapshotDamage> decode_snapshot(std::string_view file);

// "00000000000000000042.snap" of a snapshot at index 42, and the other way.
[[nodiscard]] std::string snapshot_name(raft::Index index);
[[nodiscard]] std::optional<raft::Index> snapshot_index(std::string_view name);

}  // namespace ordeal::log::wal
