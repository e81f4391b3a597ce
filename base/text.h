#pragma once
// Cutting text into pieces, putting pieces together, and the two notations that several commands share: KEY=VALUE and
// sizes such as 512M. Thread-safety: pure.

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace ordeal {

// Without the blanks (spaces, tabs, line ends) around it.
[[nodiscard]] std::string_view trimmed(std::string_view text);

// A list as people write it: " a, b,,c " at ',' gives a, b and c. Spaces around a piece and empty pieces are left out.
[[nodiscard]] std::vector<std::string> split(std::string_view text, char separator);
// Every piece as it stands, empty ones too: one more than there are separators, so that "" gives one empty piece.
[[nodiscard]] std::vector<std::string> fields(std::string_view text, char separator);
// The lines without their ends ('\n'); what follows the last line end is a line when it is not empty.
[[nodiscard]] std::vector<std::string> lines(std::string_view text);

// "a, b, c" with separator ", ". For a list inside a sentence ("a, b and c") see joined() in base/names.h.
[[nodiscard]] std::string join(const std::vector<std::string>& pieces, std::string_view separator);

// KEY=VALUE, cut at the first '='; the value may be empty. Errors: usage, when there is no '=' or no key before it.
[[nodiscard]] Result<std::pair<std::string, std::string>> key_value(const std::string& text);
// Bytes: a number, then nothing, K, M or G (powers of 1024), also as KB, KiB, … Errors: usage.
[[nodiscard]] Result<std::size_t> parse_size(const std::string& text);

// The length of the UTF-8 character at text[i], 0 when there is none (RFC 3629: no overlong forms, no surrogates).
[[nodiscard]] std::size_t utf8_sequence_length(std::string_view text, std::size_t i);
[[nodiscard]] inline std::size_t utf8_length(std::string_view text, std::size_t i) {
  return static_cast<unsigned char>(text[i]) < 0x80 ? 1 : utf8_sequence_length(text, i);
}

// The text with everything that a terminal would obey rather than show written as \u001b, \u009b, \u202e, …: control
// characters (C0 but for line ends and tabs, DEL, C1), what turns the direction of writing, separators of lines and
// paragraphs; and bytes that are not UTF-8 as \x9b. JSON stays the same JSON.
[[nodiscard]] std::string visible(std::string_view text);
// The same, with line ends and tabs as \u000a and \u0009: for what stands within a line, as a name does, which could
// otherwise begin a line of its own that looks like one of ours.
[[nodiscard]] std::string visible_in_line(std::string_view text);

}  // namespace ordeal
