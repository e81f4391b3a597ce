#pragma once
// Checkpoint (c2sp.org/tlog-checkpoint): a tree head as the text of a signed note: origin, size, root.
// Thread-safety: pure.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "targets/log/server/tree/keys.h"
#include "targets/log/server/tree/merkle.h"

namespace ordeal::log::tree {

struct Checkpoint {
  std::string origin;  // which log: a URL without its scheme, e.g. "log.example.com/orders"
  std::uint64_t size = 0;
  Hash root{};
  std::vector<std::string> extensions;  // further lines, none of them empty

  friend bool operator==(const Checkpoint&, const Checkpoint&) = default;
};

// Errors: input, with the line.
[[nodiscard]] Result<Checkpoint> parse_checkpoint(std::string_view text);
// Requires: origin and extensions are lines that a note may carry, none empty.
[[nodiscard]] std::string format_checkpoint(const Checkpoint& checkpoint);
// The signed note of it, by one key or, while keys rotate, by several.
[[nodiscard]] std::string sign_checkpoint(const Checkpoint& checkpoint, const std::vector<const SigningKey*>& keys);

}  // namespace ordeal::log::tree
