#pragma once
// Small helpers around the file system, with errors that say what was being done. Thread-safety: functions.

#include <string>
#include <string_view>

#include "base/error.h"

namespace ordeal {

// "<doing>: <what errno says>", with code not_found, permission or io.
[[nodiscard]] Error system_error(std::string_view doing, int error_number);

// The whole file. Errors: not_found, permission, io.
[[nodiscard]] Result<std::string> file_contents(const std::string& path);
// Replaces the file: whoever reads it sees the old or the new contents, never half of it.
[[nodiscard]] Result<void> replace_file(const std::string& path, std::string_view contents);
// Makes `link` point to `destination`, atomically replacing a link that is there.
[[nodiscard]] Result<void> replace_link(const std::string& link, const std::string& destination);
// mkdir -p.
[[nodiscard]] Result<void> make_directories(const std::string& path);

}  // namespace ordeal
