#pragma once
// Changes: what was done to one file's contents since it was last synced, so that it can be undone: what a power
// failure takes away.
//
// A change is what differs from what was there. Every change goes to the file at once, and what it replaced is kept
// here (an undo log); syncing forgets. So a disk that is taken away, or whose program is killed, leaves the files as
// they were, and reading costs nothing extra. Three ways to lose what is unsynced, all of which real disks show:
//
//   lost        all of it
//   torn        a random number of the last changes, and of the oldest of those the sectors (512 bytes) from a random
//   one on reordered   each page (4 KiB) by itself, whatever came first; pages beyond the synced end that are lost read
//   as zeros
//
// A change of the size may reach the disk at any time, and so may the oldest data: what would need more memory than
// kMaxBytes counts as having been written back. Thread-safety: none; the caller holds the file's lock.

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <random>
#include <string>

namespace ordeal::disk {

enum class LossMode { lost, torn, reordered };

struct Loss {
  std::uint64_t changes = 0;  // undone, wholly or in part
  std::uint64_t bytes = 0;    // of contents that were undone
  std::uint64_t kept = 0;     // unsynced changes that reached the disk all the same
  std::uint64_t torn = 0;     // of them, those that did so in part
  void add(const Loss& more) {
    changes += more.changes;
    bytes += more.bytes;
    kept += more.kept;
    torn += more.torn;
  }
};

class Changes {
 public:
  static constexpr std::uint64_t kSector = 512;
  static constexpr std::uint64_t kPage = 4096;
  static constexpr std::size_t kMaxBytes = std::size_t{256} << 20;  // kept for all files together

  Changes() = default;
  ~Changes() { forget(next()); }
  Changes(const Changes&) = delete;
  Changes& operator=(const Changes&) = delete;

  // As pwrite(2), ftruncate(2) and fallocate(2) on `file`, which must be open for reading and writing and not for
  // appending: 0, or an errno.
  [[nodiscard]] int write(int file, const char* data, std::size_t size, std::uint64_t offset);
  [[nodiscard]] int truncate(int file, std::uint64_t size);
  [[nodiscard]] int allocate(int file, int mode, std::uint64_t offset, std::uint64_t length);

  [[nodiscard]] bool empty() const { return changes_.empty(); }
  // The number of the next change; changes below a number are forgotten: they are on the disk.
  [[nodiscard]] std::uint64_t next() const { return first_ + changes_.size(); }
  void forget(std::uint64_t below);

  // Takes back what is not on the disk; afterwards nothing is unsynced.
  Loss lose(int file, LossMode mode, std::mt19937_64& random);

  // Of all files: bytes of contents that are not on the disk, and changes.
  [[nodiscard]] static std::uint64_t unsynced_bytes() { return unsynced_bytes_; }

 private:
  struct Change {
    std::uint64_t offset = 0;
    std::uint64_t length = 0;    // of data; 0: only the size changed
    std::uint64_t old_size = 0;  // of the file
    std::uint64_t new_size = 0;
    std::uint64_t old_length = 0;  // of what was at `offset` before the end
    std::string old;               // that; empty when it was all zeros
    [[nodiscard]] std::uint64_t old_end() const { return offset + old_length; }
    [[nodiscard]] bool shrinks() const { return new_size < old_size; }
  };

  // Leaves out at both ends what was written as it was before: a kernel that gathers writes brings whole pages.
  static void trim(Change& change, const char* data);
  void keep(Change change);
  void forget_first();
  static void remember(int file, Change& change);
  static void put_back(int file, const Change& change, std::uint64_t begin, std::uint64_t end);
  static void undo(int file, const Change& change);
  Loss lose_from(int file, std::size_t from);
  Loss lose_torn(int file, std::mt19937_64& random);
  Loss lose_pages(int file, std::mt19937_64& random);

  std::deque<Change> changes_;
  std::uint64_t first_ = 0;  // the number of the first of them

  static inline std::atomic<std::size_t> kept_bytes_{0};
  static inline std::atomic<std::uint64_t> unsynced_bytes_{0};
};

}  // namespace ordeal::disk
