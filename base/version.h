#pragma once
// The program's version, as CMake knows it.

namespace ordeal {

extern const char* const kVersion;

}  // namespace ordeal
