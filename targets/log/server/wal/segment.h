#pragma once
// A segment of the write-ahead log: its bytes, made and read. README.md has the format.
//
// Every record's checksum goes on from the one before it, across batches and segments, so that a record which is
// removed, put in, or moved is as visible as one that is changed. A batch is what one fdatasync made durable: the next
// one is written only after it, so that of all batches only the very last can be torn.
//
// Thread-safety: values and pure functions.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "targets/log/server/raft/types.h"

namespace ordeal::log::wal {

inline constexpr std::size_t kSegmentHeaderBytes = 128;
inline constexpr std::size_t kBatchHeaderBytes = 32;
inline constexpr std::size_t kRecordHeaderBytes = 8;

struct SegmentHeader {
  std::string cluster;
  raft::NodeId node = raft::kNobody;
  std::uint64_t number = 0;          // segments are numbered from 1
  std::uint64_t first_sequence = 0;  // of its first batch
  std::uint64_t salt = 0;            // StorageOptions::salt, when it was made
  std::uint32_t chain = 0;           // checksum of the last record of the segment before it
};

// The log after a snapshot: entries up to its index need not be there, and those after it are none of its history
// unless `keep`.
struct LogBase {
  raft::Index index = 0;
  raft::Term term = 0;
  bool keep = true;

  friend bool operator==(const LogBase&, const LogBase&) = default;
};

// One of the three is set.
struct Record {
  std::uint64_t offset = 0;  // in the segment
  std::optional<raft::Entry> entry;
  std::optional<raft::HardState> hard_state;
  std::optional<LogBase> base;
};

[[nodiscard]] std::string encode_segment_header(const SegmentHeader& header);
// Errors: input.
[[nodiscard]] Result<SegmentHeader> decode_segment_header(std::string_view segment);

// "00000000000000000001.wal", and the other way.
[[nodiscard]] std::string segment_name(std::uint64_t number);
[[nodiscard]] std::optional<std::uint64_t> segment_number(std::string_view name);

// Records of one batch, made one after the other.
class BatchWriter {
 public:
  explicit BatchWriter(std::uint32_t chain) : start_(chain), chain_(chain) {}
  void add(const raft::Entry& entry);
  void add(const raft::HardState& state);
  void add(const LogBase& base);
  [[nodiscard]] bool empty() const { return count_ == 0; }
  [[nodiscard]] std::size_t bytes() const { return empty() ? 0 : kBatchHeaderBytes + body_.size(); }
  // The checksum of its last record.
  [[nodiscard]] std::uint32_t chain() const { return chain_; }
  // The whole batch.
  [[nodiscard]] std::string finish(std::uint64_t sequence, std::uint64_t salt) const;

 private:
  void add_payload(const std::string& payload);
  std::uint32_t start_;
  std::uint32_t chain_;
  std::uint32_t count_ = 0;
  std::string body_;
};

// What is wrong at a place of a segment.
struct Damage {
  std::uint64_t offset = 0;
  std::string what;       // "the checksum of record 3 of batch 17 is wrong"
  bool followed = false;  // an intact batch of a higher number comes later: it is no torn tail
};

struct SegmentContents {
  SegmentHeader header;
  std::vector<Record> records;      // of intact batches, in order
  std::uint64_t batches = 0;        // intact ones
  std::uint64_t next_sequence = 0;  // of the batch after them
  std::uint32_t chain = 0;          // of their last record
  std::uint64_t end = 0;            // offset after the last intact batch
  std::uint64_t last_batch = 0;     // offset of the last intact batch; 0: none
  std::optional<Damage> damage;     // at `end`
};

// Reads as far as it is intact. Errors: input, when not even the header is.
[[nodiscard]] Result<SegmentContents> read_segment(std::string_view segment);

}  // namespace ordeal::log::wal
