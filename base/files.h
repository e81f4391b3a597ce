#pragma once
// Whole files at once, and changes of which others see either all or nothing; errors say what was being done and name
// the path. Thread-safety: functions without state.

#include <string>
#include <string_view>

#include "base/descriptor.h"
#include "base/error.h"

namespace ordeal {

// "<doing>: <what errno says>", with code not_found, permission or io.
[[nodiscard]] Error system_error(std::string_view doing, int error_number);

// Opens what a user named, for reading, and waits for nobody: a regular file (also one of /proc), a pipe without a name
// (a shell's <(command)) or /dev/null. Reads may find nothing yet (EAGAIN). Errors: not_found, permission, io; input
// for a directory, a FIFO, a socket or a device, from which one could read for ever.
[[nodiscard]] Result<Descriptor> open_to_read(const std::string& path);

// The whole file, at most 1 GiB. Errors: those of open_to_read; io, also when it is larger; timeout when a pipe is
// silent for a minute.
[[nodiscard]] Result<std::string> read_text_file(const std::string& path);

// Writes all of it, however many calls of write(2) that takes; `path` is for the message. Errors: io, permission.
[[nodiscard]] Result<void> write_all(int fd, std::string_view contents, const std::string& path);
// Replaces the file: whoever reads it sees the old or the new contents, never half of it.
[[nodiscard]] Result<void> replace_file(const std::string& path, std::string_view contents);
// Makes `link` point to `destination`, atomically replacing a link that is there.
[[nodiscard]] Result<void> replace_link(const std::string& link, const std::string& destination);
// mkdir -p.
[[nodiscard]] Result<void> make_directories(const std::string& path);

}  // namespace ordeal
