#include "reports/text.h"

#include <gtest/gtest.h>

#include "tests/reports/synthetic.h"

namespace ordeal {
namespace {

TEST(HtmlText, EscapesMarkup) {
  EXPECT_EQ(html_text("<a href=\"x\" id='y'>&"), "&lt;a href=&quot;x&quot; id=&#39;y&#39;&gt;&amp;");
  EXPECT_EQ(html_text("plain 3 → 4"), "plain 3 → 4");
}

TEST(HtmlText, ShowsControlCharacters) {
  EXPECT_EQ(html_text("a\x1b[31m"), "a␛[31m");
  EXPECT_EQ(html_text(std::string_view("\0", 1)), "␀");
  EXPECT_EQ(html_text("a\tb\nc"), "a\tb\nc");
  EXPECT_EQ(html_text("a\xe2\x80\xa8z"), "a\nz");  // U+2028
  EXPECT_EQ(html_text("a\xe2\x80\xaez"), "a⟨U+202E⟩z");
}

TEST(HtmlText, ReplacesBrokenUtf8) {
  EXPECT_EQ(html_text("\xff"), "\uFFFD");
  EXPECT_EQ(html_text("\xc3("), "\uFFFD(");
  EXPECT_EQ(html_text("\xc0\xaf"), "\uFFFD\uFFFD");                      // overlong
  EXPECT_EQ(html_text("\xed\xa0\x80"), "\uFFFD\uFFFD\uFFFD");            // a surrogate
  EXPECT_EQ(html_text("\xf4\x90\x80\x80"), "\uFFFD\uFFFD\uFFFD\uFFFD");  // beyond U+10FFFF
  EXPECT_EQ(html_text("\xe2\x82"), "\uFFFD\uFFFD");                      // cut off
  EXPECT_EQ(html_text("\xf0\x9f\x92\xa9"), "\xf0\x9f\x92\xa9");
}

TEST(HtmlText, NeverLeavesMarkupInAnyTwoBytes) {
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      const std::string text{static_cast<char>(a), static_cast<char>(b)};
      const std::string out = html_text(text);
      EXPECT_EQ(out.find_first_of("<>\"'"), std::string::npos);
    }
  }
}

TEST(XmlText, DropsWhatXmlCannotWrite) { EXPECT_EQ(xml_text("a\x01\x1b<\xff\xef\xbf\xbe"), "a&lt;\uFFFD"); }

TEST(Columns, CountsCharactersNotBytes) {
  EXPECT_EQ(columns("read → 3"), 8u);
  EXPECT_EQ(columns("日本"), 4u);
  // The first and last of each range, and their neighbours: of all scripts that are two columns wide.
  for (const char* wide : {"\u1100", "\u115F", "\u2E80", "\uA4CF", "\uAC00", "\uD7A3", "\uF900", "\uFAFF", "\uFE30",
                           "\uFE6F", "\uFF00", "\uFF60", "\U0001F300", "\U0001FAFF", "\U00020000", "\U0003FFFD"})
    EXPECT_EQ(columns(wide), 2u) << wide;
  for (const char* narrow : {"\u10FF", "\u1160", "\u2E7F", "\uA4D0", "\uABFF", "\uD7A4", "\uF8FF", "\uFB00", "\uFE2F",
                             "\uFE70", "\uFEFF", "\uFF61", "\U0001F2FF", "\U0001FB00", "\U0001FFFF", "\U0003FFFE"})
    EXPECT_EQ(columns(narrow), 1u) << narrow;
  EXPECT_EQ(shortened("abcdef", 4), "abc…");
  EXPECT_EQ(shortened("abcd", 4), "abcd");
  EXPECT_EQ(shortened("日本語", 4), "日…");
}

TEST(Text, LongValuesAreCutInTheirMiddleAndSentencesAreNot) {
  EXPECT_EQ(with_short_values("process 1 read [1,2,3,4,5,6,7,8,9,10,11,12], not 3", 12),
            "process 1 read [1,2,3,… ,12], not 3");
  EXPECT_EQ(with_short_values("read [1,2], not \"a\"", 12), "read [1,2], not \"a\"");
  EXPECT_EQ(with_short_values("read \"]]]]]]]]]]]]]]]]]]]]\" there", 9), "read \"]]]]… ]]\" there");
  // What never ends is no value.
  EXPECT_EQ(with_short_values("it said \"", 4), "it said \"");
  EXPECT_EQ(with_short_values("a [ b", 4), "a [ b");
  EXPECT_EQ(with_short_values("[\"日本語日本語日本語\"] end", 9), "[\"日… \"] end");
}

TEST(Sentence, HasACapitalAndAFullStop) {
  EXPECT_EQ(as_sentence("element 3 is lost"), "Element 3 is lost.");
  EXPECT_EQ(as_sentence("nodes/n2/etcd.log: it ended"), "nodes/n2/etcd.log: it ended.");
  EXPECT_EQ(as_sentence("Done?"), "Done?");
  EXPECT_EQ(as_sentence(""), "");
}

TEST(Numbers, ForPeople) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1234567), "1,234,567");
  EXPECT_EQ(counted(1, "read"), "1 read");
  EXPECT_EQ(counted(2, "read"), "2 reads");
  EXPECT_EQ(duration_text(999), "999 ns");
  EXPECT_EQ(duration_text(1'250'000), "1.25 ms");
  EXPECT_EQ(duration_text(61'000'000'000), "61 s");
  EXPECT_EQ(duration_text(150'000'000'000), "2 min 30 s");
  EXPECT_EQ(seconds_text(-1), "–");
  EXPECT_EQ(seconds_text(12'345'678'901), "12.346 s");
}

}  // namespace
}  // namespace ordeal
