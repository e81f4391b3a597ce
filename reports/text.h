#pragma once
// Text on its way into HTML, XML and SVG.
//
// Whatever a database, a client library or a node's log wrote is hostile until it went through one of these functions:
// it may hold markup, control characters, and bytes that are not UTF-8. Thread-safety: pure functions.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/value.h"

namespace ordeal {

// The code point at text[at], and moves `at` behind it; U+FFFD for every byte that is not part of well-formed UTF-8.
// Requires: at < text.size().
[[nodiscard]] char32_t next_code_point(std::string_view text, std::size_t& at);
void append_utf8(std::string& out, char32_t code_point);

// For the content of elements and for quoted attributes: & < > " ' become references, control characters (but for
// line feeds and tabs) their pictures (U+2400 …), those that turn the writing direction their number, U+2028 and
// U+2029 a line feed, broken UTF-8 U+FFFD.
[[nodiscard]] std::string html_text(std::string_view text);

// The same for XML 1.0, which has no way at all to write most control characters: they are removed.
[[nodiscard]] std::string xml_text(std::string_view text);

// How many columns the text takes in a fixed-pitch font; wide East Asian characters take two.
[[nodiscard]] std::size_t columns(std::string_view text);
// At most `limit` columns, with an ellipsis when something was cut off.
[[nodiscard]] std::string shortened(std::string_view text, std::size_t limit);

// The text with each quoted or bracketed value of more than `limit` columns cut in its middle: "[1,2,3 … 97,98,99]".
// What stands around the values stays whole.
[[nodiscard]] std::string with_short_values(std::string_view text, std::size_t limit);

// With a capital letter and a full stop; messages of checkers have neither. A path in front stays as it is.
[[nodiscard]] std::string as_sentence(std::string_view text);

[[nodiscard]] std::string grouped(std::uint64_t number);                             // 1,234,567
[[nodiscard]] std::string counted(std::uint64_t number, std::string_view singular);  // 1 read, 2 reads
[[nodiscard]] std::string duration_text(std::int64_t ns);                            // 1.25 ms
[[nodiscard]] std::string seconds_text(std::int64_t ns);  // 12.345 s, for points in time; "–" when negative
// Strings as they are, everything else as JSON.
[[nodiscard]] std::string plain_text(const Value& value);

}  // namespace ordeal
