#pragma once
// Which characters signed notes allow, and how numbers are written in them. Thread-safety: pure.

#include <cstdint>
#include <optional>
#include <string_view>

namespace ordeal::log::tree {

// Valid UTF-8 without characters below U+0020; newlines are allowed where `newlines` says so.
[[nodiscard]] bool note_characters(std::string_view text, bool newlines);
// Whether a space of Unicode (property White_Space) is in it. Requires: valid UTF-8.
[[nodiscard]] bool has_unicode_space(std::string_view text);
// A decimal number without a sign and without leading zeros: each number has one spelling.
[[nodiscard]] std::optional<std::uint64_t> parse_decimal(std::string_view text);

}  // namespace ordeal::log::tree
