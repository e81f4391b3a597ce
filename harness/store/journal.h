#pragma once
// Journal: the history of a run as a file, written while the run goes on (history.jsonl, doc/formats.md).
//
// A call returns after write(2) has returned, so an event that had any other effect is in the file: an invocation
// before its request leaves, a completion before the next operation is drawn. `kill -9` of the controller loses no
// event that was written and leaves at most one torn line, the last. (Against a power failure of the controller's
// machine only sync() helps.)
//
// Group commit. A thread that finds nobody writing writes what is pending, its own event included, in one write(2);
// threads that come meanwhile leave their events in the buffer, and one of them writes them all when the first is
// back. Alone, an event costs one write(2); together, ten threads share one. Those whose events were written are woken,
// and one of those that came meanwhile: nobody wakes to find that it must go on sleeping.
//
// Order and time. Events stand in the file in the order of their times. An invocation is stamped when it enters the
// buffer, before it is written and sent. A completion brings the stamp that its worker took when the client returned;
// the events of one write are sorted by their stamps (an invocation first at equal times), so it mostly keeps it. Only
// when a later event has been written already in between is it moved up to that event's time. So an interval in the
// file is never narrower than the truth: its beginning is before the request left, its end at or after the answer.
//
// Length. When the file has reached JournalSettings::part_bytes it becomes a part of the history, and a new one is
// begun; parts are compressed meanwhile (PartPacker), so that a long run takes an eighth of the space. The promise is
// the same: what a call has written is in the file or in a part when it returns.
//
// Thread-safety: all methods from any thread.

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/descriptor.h"
#include "checkers/history/operation.h"
#include "harness/store/part_packer.h"

namespace ordeal {

struct JournalSettings {
  // From this size on a file of the name history.jsonl becomes a part (0: never). Some 300,000 operations.
  std::uint64_t part_bytes = std::uint64_t{64} << 20;
};

class Journal {
 public:
  // Creates the file, which must not exist yet; the run's clock starts now. Errors: io, permission.
  [[nodiscard]] static Result<std::unique_ptr<Journal>> create(const std::string& path, JournalSettings settings = {});
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  // ns since the run began.
  [[nodiscard]] std::int64_t now_ns() const {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - start_).count();
  }

  // Each returns when the event is in the file. Errors: io (disk full, …); the first one sticks, and every later call
  // returns it: the file ends with the last whole event before it.
  [[nodiscard]] Result<void> invoke(ProcessId process, const Operation& operation);
  // `time_ns`: now_ns() as the worker saw it when the client returned.
  [[nodiscard]] Result<void> complete(ProcessId process, const Operation& operation, const Completion& completion,
                                      std::int64_t time_ns);
  // An event of somebody who is no client, of type info: `process` is "nemesis".
  [[nodiscard]] Result<void> record(std::string_view process, std::string_view f, const Value& value);

  // Until what was written is on the disk.
  [[nodiscard]] Result<void> sync();

  // The error that ended the journal, if any.
  [[nodiscard]] std::optional<Error> failure() const;
  [[nodiscard]] std::uint64_t events() const { return written_.load(std::memory_order_acquire); }
  [[nodiscard]] const std::string& path() const { return path_; }
  // Of the history's parts.
  [[nodiscard]] PartPacker& packer() { return packer_; }

 private:
  struct Entry {
    std::int64_t time = 0;
    bool invocation = false;
    std::size_t begin = 0;  // of the event's text within Batch::text
    std::size_t end = 0;
  };
  struct Batch {
    std::vector<Entry> entries;
    std::string text;  // what follows index and time, line by line
  };

  Journal(std::string path, Descriptor file, JournalSettings settings);
  Result<void> append(std::string_view text, bool invocation, std::int64_t time_ns);
  void lead(std::unique_lock<std::mutex>& lock);
  void render(Batch& batch, std::string& out);
  std::optional<Error> write_out(std::string_view bytes);
  std::optional<Error> begin_part();

  const std::string path_;
  const std::uint64_t part_bytes_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();

  mutable std::mutex mutex_;  // guards what follows, up to failure_; file_ changes only under it, by the leader
  Descriptor file_;
  Batch pending_;
  std::uint64_t batches_ = 0;  // that were taken to be written
  // Threads whose events are in the batch of that number, modulo 2: at most two are on their way.
  std::array<std::condition_variable, 2> changed_;
  std::array<int, 2> sleeping_{};
  std::uint64_t staged_ = 0;  // events ever put into pending_
  bool writing_ = false;      // a thread is the leader
  std::optional<Error> failure_;
  std::atomic<std::uint64_t> written_{0};
  std::atomic<bool> failed_{false};

  // The leader's, without the lock.
  Batch batch_;
  std::string bytes_;
  std::int64_t last_time_ = 0;
  std::uint64_t next_index_ = 0;
  std::uint64_t file_size_ = 0;
  std::size_t parts_ = 0;
  PartPacker packer_;
};

// One event as a line of a history without index and time, from `"process":` to the line's end. Exposed for tests.
void append_event_json(std::string& out, ProcessId process, EventType type, const Operation& operation,
                       const Completion* completion);

}  // namespace ordeal
