#include "checkers/linearizability/proof/told.h"

#include <cstdio>

namespace ordeal::lin {

std::string span_text(std::int64_t ns) {
  const double n = static_cast<double>(ns);
  char text[48];
  if (ns < 1'000)
    std::snprintf(text, sizeof text, "%lld ns", static_cast<long long>(ns));
  else if (ns < 1'000'000)
    std::snprintf(text, sizeof text, "%.3g µs", n * 1e-3);
  else if (ns < 1'000'000'000)
    std::snprintf(text, sizeof text, "%.3g ms", n * 1e-6);
  else
    std::snprintf(text, sizeof text, "%.2f s", n * 1e-9);
  return text;
}

std::string Told::moment(EventIndex e) const {
  std::string out = event(e);
  if (h_.time(e) < 0) return out;
  char text[48];
  std::snprintf(text, sizeof text, " (%.6f s)", static_cast<double>(h_.time(e)) * 1e-9);
  return out + text;
}

std::string Told::after(EventIndex from, EventIndex to) const {
  const std::int64_t a = h_.time(from), b = h_.time(to);
  return a < 0 || b <= a ? "after" : span_text(b - a) + " after";
}

}  // namespace ordeal::lin
