#pragma once
// KeyOrder: in which order a workload's keys come into use. Thread-safety: pure.

#include <cstdint>
#include <string>

#include "base/options.h"

namespace ordeal {

// The numbers of keys in the order in which they come into use: 0, 1, 2, …, or scattered over 31 bits, none of them
// twice. New keys that all lie at one end of an index hide what happens within it. Pure.
class KeyOrder {
 public:
  // As the option "<workload>.key-order" says.
  KeyOrder(const Options& options, const std::string& workload, std::uint64_t seed);
  // Requires: 0 <= n < 2^31.
  [[nodiscard]] std::int64_t operator()(std::int64_t n) const;

 private:
  bool scattered_;
  std::uint32_t salt_;
};
[[nodiscard]] OptionSpec key_order_option(const std::string& workload);

}  // namespace ordeal
