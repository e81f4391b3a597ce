#pragma once
// PartPacker: compresses the parts of a long journal (checkers/history/parts.h) while the run goes on, in a thread that
// gives way to everybody else. A part is compressed under another name, brought to the disk, named, and only then is
// what it was made of removed: whatever moment the process is killed at, each part is there whole. Level 1 of zlib
// packs some hundred MB a second to an eighth. What is not compressed when the run ends is later (pack_parts), and
// counts as well.
//
// Thread-safety: all methods from any thread.

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "base/error.h"

namespace ordeal {

class PartPacker {
 public:
  PartPacker() = default;
  // Leaves the part that it is at as it was. Returns within some milliseconds.
  ~PartPacker();
  PartPacker(const PartPacker&) = delete;
  PartPacker& operator=(const PartPacker&) = delete;

  // `path` is whole and will not change any more. Returns at once. A part that cannot be compressed stays as it is.
  void add(std::string path);
  // Until all that was added is compressed, or could not be. For tests.
  void wait();

 private:
  void work(const std::stop_token& stop);

  std::mutex mutex_;  // guards what follows
  std::condition_variable_any changed_;
  std::deque<std::string> paths_;  // the first one is being compressed
  std::jthread thread_;
};

// Compresses the file to PATH.gz and removes it. Errors: io, permission; cancelled. The file is still there then.
[[nodiscard]] Result<void> pack_part(const std::string& path, const std::stop_token& stop);

// Compresses what is left of the parts of a history that nobody writes any more, by as many threads as there are
// processors. `begun` is called before the first one, if there is any. What cannot be compressed stays as it is.
void pack_parts(const std::string& history, const std::stop_token& stop, const std::function<void()>& begun);

}  // namespace ordeal
