#include "workloads/key_order.h"

#include "base/rng.h"

namespace ordeal {

KeyOrder::KeyOrder(const Options& options, const std::string& workload, std::uint64_t seed)
    : scattered_(options.string(workload + ".key-order") == "random"),
      salt_(static_cast<std::uint32_t>(Rng(seed).split("keys").below(std::size_t{1} << 31))) {}

std::int64_t KeyOrder::operator()(std::int64_t n) const {
  if (!scattered_) return n;
  // Each step can be undone, so no two numbers become one (the finalizer of MurmurHash3, on 31 bits).
  constexpr std::uint32_t kMask = 0x7FFFFFFF;
  std::uint32_t x = (static_cast<std::uint32_t>(n) ^ salt_) & kMask;
  x ^= x >> 16;
  x = (x * 0x85EBCA6Bu) & kMask;
  x ^= x >> 13;
  x = (x * 0xC2B2AE35u) & kMask;
  x ^= x >> 16;
  return static_cast<std::int64_t>(x);
}

OptionSpec key_order_option(const std::string& workload) {
  return {workload + ".key-order",
          OptionSpec::Type::string,
          "ascending",
          "the order in which keys come into use; random scatters them over an index",
          std::nullopt,
          std::nullopt,
          {"ascending", "random"}};
}

}  // namespace ordeal
