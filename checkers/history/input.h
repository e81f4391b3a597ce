#pragma once
// Input: the bytes of a history file, mapped when it is a regular file, else read whole; gzip and zstd are unpacked.
//
// Mapping leaves the pages to the kernel, so a file of gigabytes costs no memory of ours. Thread-safety: a value.

#include <string>
#include <string_view>

#include "base/error.h"
#include "base/limits.h"

namespace ordeal {

class Input {
 public:
  // "-" is standard input, of whatever kind. Errors: those of open_to_read (base/files.h); input for a damaged gzip
  // or zstd file. Throws OutOfLimits, also while nothing comes.
  [[nodiscard]] static Result<Input> open(const std::string& path, const Limits& limits = {});

  // The same, and what is packed is left so.
  [[nodiscard]] static Result<Input> open_packed(const std::string& path, const Limits& limits = {});
  // Room for that many bytes, to be filled through writable(). Errors: cancelled, when the machine has not as many.
  [[nodiscard]] static Result<Input> room(std::size_t size);
  // Requires: it comes from room().
  [[nodiscard]] char* writable() { return const_cast<char*>(mapped_); }

  Input() = default;
  Input(Input&& other) noexcept;
  Input& operator=(Input&& other) noexcept;
  ~Input();

  [[nodiscard]] std::string_view text() const {
    return mapped_ != nullptr ? std::string_view(mapped_, size_) : buffer_;
  }
  // Lets go of the memory of a part that was read; it may be read again all the same.
  void release(std::string_view part) const;

 private:
  const char* mapped_ = nullptr;
  std::size_t size_ = 0;
  bool on_disk_ = false;  // what is mapped can be read again after its memory was let go
  std::string buffer_;
};

}  // namespace ordeal
