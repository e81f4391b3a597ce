#pragma once
// Probe: tries from outside, as any program would, whether a directory's disk misbehaves, with a small file of its own
// in it, which it removes.

#include <cstdint>
#include <string>

namespace ordeal::disk {

struct ProbeResult {
  std::int64_t attempts = 0;
  std::int64_t hits = 0;
  std::int64_t slowest_ns = 0;  // of a sync
  int error = 0;                // the first errno
};

// Tries until a hit, `attempts` times at most, and for `for_ns` at most. A hit is, by `kind` (faults.h): an error of
// the call of that name; for corrupt-read, wrong contents; for sync-lost, an error followed by other contents than were
// written; for the slow ones, a sync that takes longer than `slow_ns`.
[[nodiscard]] ProbeResult probe(const std::string& directory, const std::string& kind, std::int64_t attempts,
                                std::int64_t for_ns, std::int64_t slow_ns);

}  // namespace ordeal::disk
