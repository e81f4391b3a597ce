#pragma once
// Unpack: the contents of compressed files, gzip (zlib) and zstd (libzstd), told by how they begin. Thread-safety:
// pure.

#include <cstddef>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/limits.h"

namespace ordeal {

enum class Packing { none, gzip, zstd };
[[nodiscard]] Packing packing_of(std::string_view text);

// Unpacks a file held in memory, all of its members or frames. Requires: it is packed. Errors: input when it is
// damaged, breaks off, or unpacks to more than `limit` bytes. Throws OutOfLimits before it takes more memory than there
// may be.
[[nodiscard]] Result<std::string> unpack(std::string_view packed, std::size_t limit, const Limits& limits = {});

// Makes room for some more bytes behind the first `used`. Throws OutOfLimits.
void make_room(std::string& out, std::size_t used, const Limits& limits);

}  // namespace ordeal
