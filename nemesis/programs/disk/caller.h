#pragma once
// Caller: what system call a thread is in, when it is one that writes to a file; from /proc/THREAD/syscall and fdinfo.
//
// With a write-back cache the kernel takes a write() without asking the disk, but asks for the file's attributes first,
// once they are out of date. A disk that is full, or whose writes fail, can refuse there what will not fit or arrive,
// so that the call itself fails, as on a file system that reserves space when it is written to (ext4, XFS). The same
// question is asked for lseek(SEEK_END) and for reading, which must not fail with ENOSPC: hence this look at the thread
// that waits for the answer.
//
// Not recognised: io_uring, sendfile, splice, copy_file_range, 32-bit programs. Thread-safety: pure functions.

#include <sys/types.h>

#include <cstdint>

namespace ordeal::disk {

struct WriteCall {
  bool at_end = false;  // of the file, wherever that is (O_APPEND)
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

// Whether this kernel tells.
[[nodiscard]] bool can_see_calls();
// True when the thread is in such a call.
[[nodiscard]] bool write_call_of(pid_t thread, WriteCall& out);

}  // namespace ordeal::disk
