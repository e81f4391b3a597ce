// The entry of libFuzzer: bytes in, read as a history of one format.

#include <cstddef>
#include <cstdint>

#include "tests/fuzz/fuzz_history.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const ordeal::HistoryFormat format = *ordeal::find_history_format(ORDEAL_FUZZ_FORMAT);
  ordeal::fuzz_history({reinterpret_cast<const char*>(data), size}, format);
  return 0;
}
