#pragma once
// vDSO: the small library that the kernel maps into each process, from which time is read without a system call.
//
// Its code is the same in all 64-bit processes of a machine, so that this program's own copy tells what an untouched
// one looks like.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ordeal::agent {

struct Vdso {
  std::uint64_t start = 0;           // where the process has it; 0: it has none
  std::vector<unsigned char> image;  // its bytes, as they are now
};

[[nodiscard]] Vdso vdso_of(int process);
// This program's own: untouched.
[[nodiscard]] const Vdso& own_vdso();

// A function within the image; offset 0: it has none of that name, or is not a 64-bit ELF library.
struct VdsoFunction {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};
[[nodiscard]] VdsoFunction find_function(const Vdso& vdso, std::string_view name);

}  // namespace ordeal::agent
