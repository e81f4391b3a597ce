#pragma once
// Whole files at once, and changes of which others see either all or nothing; errors say what was being done and name
// the path. Thread-safety: functions without state.

#include <string>
#include <string_view>

#include "base/error.h"

namespace ordeal {

// "<doing>: <what errno says>", with code not_found, permission or io.
[[nodiscard]] Error system_error(std::string_view doing, int error_number);

// The whole file, which may be one of /proc or a pipe. Errors: not_found, permission; io, also for what is no file ("is
// a directory").
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
