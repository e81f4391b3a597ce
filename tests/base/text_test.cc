#include "base/text.h"

#include <gtest/gtest.h>

namespace ordeal {
namespace {

using Words = std::vector<std::string>;

TEST(Text, TrimmedKeepsTheBlanksInside) {
  EXPECT_EQ(trimmed(" \t a b \r\n"), "a b");
  EXPECT_EQ(trimmed(" \n"), "");
  EXPECT_EQ(trimmed(""), "");
}

TEST(Text, SplitLeavesOutBlanksAndEmptyPieces) {
  EXPECT_EQ(split(" a, b c ,,d,", ','), (Words{"a", "b c", "d"}));
  EXPECT_EQ(split("", ','), Words{});
  EXPECT_EQ(split(" , ", ','), Words{});
}

TEST(Text, VisibleShowsWhatATerminalWouldObey) {
  EXPECT_EQ(visible("a\tb\nå € 😀 \"\\"), "a\tb\nå € 😀 \"\\");
  EXPECT_EQ(visible("\x1b[2J\r\x7f\x08"), "\\u001b[2J\\u000d\\u007f\\u0008");
  EXPECT_EQ(visible("\xc2\x9b"
                    "31m\xc2\x85|\xc2\xa0"),
            "\\u009b31m\\u0085|\xc2\xa0");
  EXPECT_EQ(visible("\u202eX\u2066\u200f\u061c\u2028"), "\\u202eX\\u2066\\u200f\\u061c\\u2028");
  EXPECT_EQ(visible("\x9b"
                    "31m\xe2\x80"),
            "\\x9b31m\\xe2\\x80")
      << "an eight-bit terminal obeys the byte";
  EXPECT_EQ(visible(std::string_view("\0", 1)), "\\u0000");
}

TEST(Text, FieldsKeepsEveryPiece) {
  EXPECT_EQ(fields("a,, b", ','), (Words{"a", "", " b"}));
  EXPECT_EQ(fields("a,", ','), (Words{"a", ""}));
  EXPECT_EQ(fields("", ','), Words{""});
}

TEST(Text, LinesMayEndWithALineEnd) {
  EXPECT_EQ(lines("a\n\nb\n"), (Words{"a", "", "b"}));
  EXPECT_EQ(lines("a\nb"), (Words{"a", "b"}));
  EXPECT_EQ(lines("\n"), Words{""});
  EXPECT_EQ(lines(""), Words{});
}

TEST(Text, JoinIsFieldsBackwards) {
  EXPECT_EQ(join({"a", "", "b"}, ","), "a,,b");
  EXPECT_EQ(join({"a"}, ", "), "a");
  EXPECT_EQ(join({}, ", "), "");
}

TEST(Text, KeyValueIsCutAtTheFirstEquals) {
  EXPECT_EQ(*key_value("a.b=c=d"), (std::pair<std::string, std::string>{"a.b", "c=d"}));
  EXPECT_EQ(*key_value("a="), (std::pair<std::string, std::string>{"a", ""}));
  for (const char* bad : {"", "a", "=b"}) {
    ASSERT_FALSE(key_value(bad)) << bad;
    EXPECT_EQ(key_value(bad).error().code, ErrorCode::usage);
  }
}

TEST(Text, SizesAreInPowersOf1024) {
  EXPECT_EQ(*parse_size("1048576"), 1048576u);
  EXPECT_EQ(*parse_size("1.5K"), 1536u);
  EXPECT_EQ(*parse_size("512M"), std::size_t{512} << 20);
  EXPECT_EQ(*parse_size("4GiB"), std::size_t{4} << 30);
  EXPECT_EQ(*parse_size("4GB"), std::size_t{4} << 30);
  for (const char* bad : {"", "M", "0", "-1", "1T", "1 M", "1e30"}) EXPECT_FALSE(parse_size(bad)) << bad;
}

TEST(RegressVisible, InALineNothingBeginsAnother) {
  EXPECT_EQ(visible_in_line("a\nb\tc\r\x1b"
                            "d"),
            "a\\u000ab\\u0009c\\u000d\\u001bd");
  EXPECT_EQ(visible_in_line("é x"), "é x");
}

}  // namespace
}  // namespace ordeal
