#pragma once
// The mark: a file of 1 KiB that says how far the log is known to be durable. A log cut at the end of a batch looks
// like a shorter log; the mark is what tells them apart.
//
// It has two slots. `latest` is written after every batch, without a sync: it is right after a crash of the process and
// a lower bound after a power loss. `synced` is written and synced at start, stop, and when a segment or a snapshot
// begins. Neither is ever ahead of the log on a disk that keeps what it synced. Thread-safety: values.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "targets/log/server/raft/types.h"

namespace ordeal::log::wal {

inline constexpr std::size_t kMarkBytes = 1024;
inline constexpr std::size_t kMarkSlotBytes = 512;  // `synced` at 0, `latest` after it

struct Mark {
  std::string cluster;
  raft::NodeId node = raft::kNobody;
  std::uint64_t segment = 0;   // the one that has the batch
  std::uint64_t sequence = 0;  // of the last durable batch; 0: none
  std::uint32_t chain = 0;     // checksum of its last record
  raft::Index last_index = 0;  // of the log's last entry

  friend bool operator==(const Mark&, const Mark&) = default;
};

[[nodiscard]] std::string encode_mark_slot(const Mark& mark);

struct MarkFile {
  std::optional<Mark> synced;
  std::optional<Mark> latest;
};

// A slot that is damaged is not there. Errors: input, when the file's size is wrong.
[[nodiscard]] Result<MarkFile> decode_mark_file(std::string_view bytes);

}  // namespace ordeal::log::wal
