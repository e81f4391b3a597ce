#pragma once
// CRC32C (Castagnoli; RFC 3720, appendix B.4), by the processor's instruction where there is one.
// Thread-safety: pure.

#include <cstdint>
#include <string_view>

namespace ordeal::log::wal {

// Of what `crc` was computed of, followed by these bytes; begins with 0.
[[nodiscard]] std::uint32_t crc32c(std::string_view bytes, std::uint32_t crc = 0);

}  // namespace ordeal::log::wal
