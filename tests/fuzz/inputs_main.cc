// The entry of libFuzzer for what is read beside histories: ORDEAL_FUZZ_INPUT names which (inputs.h); without it, or
// with a wrong one, the names are printed. ORDEAL_FUZZ_SAMPLE=FILE: writes the sample there, to begin with.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "tests/fuzz/inputs.h"

namespace {

const ordeal::testing::FuzzedInput& chosen() {
  const char* name = std::getenv("ORDEAL_FUZZ_INPUT");
  for (const auto& input : ordeal::testing::fuzzed_inputs()) {
    if (name != nullptr && name == std::string(input.name)) return input;
  }
  for (const auto& input : ordeal::testing::fuzzed_inputs()) std::printf("%s\n", input.name);
  std::exit(name == nullptr ? 0 : 64);
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  const auto& input = chosen();
  if (const char* file = std::getenv("ORDEAL_FUZZ_SAMPLE")) std::ofstream(file, std::ios::binary) << input.sample;
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto& input = chosen();
  const std::string wrong = ordeal::testing::complaint(input.parse({reinterpret_cast<const char*>(data), size}));
  ORDEAL_CHECK(wrong.empty(), wrong);
  return 0;
}
