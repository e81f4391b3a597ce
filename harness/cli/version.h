#pragma once
// The program's version, as CMake knows it.

namespace ordeal::cli {

inline constexpr const char* kVersion = ORDEAL_VERSION;

}  // namespace ordeal::cli
