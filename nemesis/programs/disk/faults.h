#pragma once
// Faults: what the disk does wrong at the moment, by rules that come and go. Thread-safety: that is what it is for.

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <list>
#include <mutex>
#include <random>
#include <set>
#include <string>

namespace ordeal::disk {

enum class FaultKind {
  read_error,    // EIO
  write_error,   // EIO, and nothing is written; of what is in the kernel's cache already, it is the fsync that fails
  sync_error,    // EIO; what is unsynced stays so, and the next attempt may succeed
  sync_lost,     // the first fsync of each file fails with EIO and what was unsynced is gone; the next ones succeed
  slow_sync,     // fsync takes longer by a while
  slow,          // so do reading, writing and fsync
  no_space,      // ENOSPC, from writing and from making files
  corrupt_read,  // one bit of what is read is wrong; what is on the disk is not
};

// "read-error", …; false when there is none of that name.
[[nodiscard]] bool fault_kind(const std::string& name, FaultKind& out);

class Faults {
 public:
  // write_back: the kernel brings what a program wrote before.
  enum class Operation { read, write, write_back, make, sync };

  // `probability` of each operation that it could hit; `delay_ns` of the slow ones.
  void add(const std::string& id, FaultKind kind, double probability, std::int64_t delay_ns, std::uint64_t seed);
  // Those who are being delayed go on.
  void clear(const std::string& id);
  void clear_all();
  // One line "ID hits N" for each rule.
  [[nodiscard]] std::string report();
  // Whether a rule makes writing fail.
  [[nodiscard]] bool refuse_writes() const { return refusing_ > 0; }

  // What an operation on the file `file` meets: 0, or an errno, after whatever delay. `lost` is set when a failed sync
  // takes the unsynced data with it.
  [[nodiscard]] int meet(Operation operation, std::uint64_t file, bool& lost);
  // Perhaps flips a bit. Returns whether it did.
  bool corrupt(char* data, std::size_t size);

 private:
  struct Rule {
    std::string id;
    FaultKind kind = FaultKind::read_error;
    double probability = 1;
    std::int64_t delay_ns = 0;
    std::mt19937_64 random;
    std::set<std::uint64_t> done;  // the files that sync_lost has hit
    std::uint64_t hits = 0;
  };
  void count_refusing();  // mutex_ is held
  static bool concerns(FaultKind kind, Operation operation);
  bool hits(Rule& rule);
  [[nodiscard]] bool has(const std::string& id) const;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::list<Rule> rules_;  // guarded by mutex_
  std::atomic<int> refusing_{0};
};

}  // namespace ordeal::disk
