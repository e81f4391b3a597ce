#include "session/campaign/rate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace ordeal {
namespace {

constexpr double kZ = 1.959963984540054;  // of 95 %

}  // namespace

Rate rate_of(std::size_t seen, std::size_t of) {
  ORDEAL_CHECK(seen <= of, "more were seen than tried");
  Rate out{seen, of, 0, 1};
  if (of == 0) return out;
  const auto x = static_cast<double>(seen);
  const auto n = static_cast<double>(of);
  const double middle = (x + kZ * kZ / 2) / (n + kZ * kZ);
  const double half = kZ / (n + kZ * kZ) * std::sqrt(x * (n - x) / n + kZ * kZ / 4);
  out.low = seen == 0 ? 0 : std::max(0.0, middle - half);
  out.high = seen == of ? 1 : std::min(1.0, middle + half);
  return out;
}

std::string told(const Rate& rate) {
  if (rate.of == 0) return "0 of 0";
  return fmt::format("{} of {} ({:.0f} %; 95 % interval {:.0f} % to {:.0f} %)", rate.seen, rate.of,
                     100.0 * static_cast<double>(rate.seen) / static_cast<double>(rate.of), 100 * rate.low,
                     100 * rate.high);
}

}  // namespace ordeal
