// Our JSON against nlohmann/json, which is here for that alone: two readers written by different people agree on what
// is JSON and on what it says. base/README.md says why the product itself uses Value.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/json_scanner.h"
#include "base/rng.h"
#include "base/value.h"

namespace ordeal {
namespace {

constexpr std::uint64_t kSeed = 20'261;

std::string random_text(Rng& rng) {
  static const std::vector<std::string> kParts{"a", "\"", "\\", "/", "\n", "\x01", "\x7F", "é", "€", "💩", "{", " "};
  std::string out;
  for (std::uint64_t n = rng.below(6); n > 0; --n) out += kParts[rng.below(kParts.size())];
  return out;
}

Value random_value(Rng& rng, int depth) {
  switch (rng.below(depth > 0 ? 7 : 5)) {
    case 0:
      return {};
    case 1:
      return rng.chance(0.5);
    case 2:
      return static_cast<std::int64_t>(rng.next() >> rng.below(64)) * (rng.chance(0.5) ? 1 : -1);
    case 3:
      return (rng.unit() - 0.5) * std::pow(10.0, static_cast<double>(rng.between(-300, 300)));
    case 4:
      return random_text(rng);
    case 5: {
      Value list = Value::list();
      for (std::uint64_t n = rng.below(4); n > 0; --n) list.items().push_back(random_value(rng, depth - 1));
      return list;
    }
    default: {
      Value map = Value::map();
      for (std::uint64_t n = rng.below(4); n > 0; --n) map.set(random_text(rng), random_value(rng, depth - 1));
      return map;
    }
  }
}

// Whether a number in it is beyond the range of a double, which nlohmann/json refuses.
bool has_infinity(const Value& value) {
  if (value.is_real()) return std::isinf(value.real());
  if (value.is_list()) return std::any_of(value.items().begin(), value.items().end(), has_infinity);
  return value.is_map() && std::any_of(value.entries().begin(), value.entries().end(),
                                       [](const auto& entry) { return has_infinity(entry.second); });
}

TEST(Json, WhatOneWritesTheOtherReads) {
  Rng rng(kSeed);
  for (int round = 0; round < 3'000; ++round) {
    const Value value = random_value(rng, 4);
    const std::string ours = value.to_json();
    const auto read = nlohmann::json::parse(ours, nullptr, false);
    ASSERT_FALSE(read.is_discarded()) << ours;
    const std::string theirs = read.dump();
    const auto back = Value::from_json(theirs);
    ASSERT_TRUE(back) << theirs << ": " << back.error().message;
    EXPECT_EQ(*back, value) << ours << "\n" << theirs;
  }
}

TEST(Json, BothRefuseTheSameTexts) {
  Rng rng(kSeed);
  static const std::string kPieces = "[]{},:\"\\0123456789.-+eEtrufalsn x";
  int refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string text = random_value(rng, 3).to_json();
    for (std::uint64_t n = 1 + rng.below(3); n > 0 && !text.empty(); --n) {
      const std::size_t at = rng.below(text.size());
      // Not within a character: ours keeps bytes that are no UTF-8, theirs refuses them.
      if (static_cast<unsigned char>(text[at]) >= 0x80) continue;
      const char piece = kPieces[rng.below(kPieces.size())];
      if (rng.chance(0.3)) {
        text.erase(at, 1);
      } else if (rng.chance(0.5)) {
        text.insert(at, 1, piece);
      } else {
        text[at] = piece;
      }
    }
    const auto ours = Value::from_json(text);
    // Readers may differ in what they make of a surrogate without its other half.
    if (text.find("\\u") != std::string::npos || (ours && has_infinity(*ours))) continue;
    const auto theirs = nlohmann::json::parse(text, nullptr, false);
    EXPECT_EQ(ours.has_value(), !theirs.is_discarded()) << text << (ours ? "" : "\n" + ours.error().message);
    refused += ours ? 0 : 1;
  }
  EXPECT_GT(refused, 2'000);
  EXPECT_LT(refused, 19'000);
}

TEST(Utf8, AsRfc3629SaysIt) {
  for (const char* good : {"", "a", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80"}) EXPECT_TRUE(is_utf8(good)) << good;
  for (const char* bad : {"\xff", "a\x80", "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf5\x80\x80\x80"})
    EXPECT_FALSE(is_utf8(bad));
}

// Every lead byte with the bytes at the edges of what may follow it, in each place.
TEST(Utf8, EdgesOfEveryLength) {
  const auto with = [](std::string text, std::size_t at, int byte) {
    text[at] = static_cast<char>(byte);
    return text;
  };
  for (const std::string good : {"\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xef\xbf\xbf",
                                 "\xf0\x90\x80\x80", "\xf1\x80\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(is_utf8(good));
    EXPECT_FALSE(is_utf8(good.substr(0, good.size() - 1)));
    for (std::size_t i = 1; i < good.size(); ++i) {
      EXPECT_FALSE(is_utf8(with(good, i, 0x7F)));
      EXPECT_FALSE(is_utf8(with(good, i, 0xC0)));
      if (i >= 2) {
        EXPECT_TRUE(is_utf8(with(good, i, 0x80)));
        EXPECT_TRUE(is_utf8(with(good, i, 0xBF)));
      }
    }
  }
  for (const char* bad : {"\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xc1\xbf", "\xf5\x80\x80\x80"})
    EXPECT_FALSE(is_utf8(bad));
}

TEST(Json, WhatWasFoundInPlaceOfACommaIsNamed) {
  EXPECT_NE(Value::from_json("[1").error().message.find("found the end"), std::string::npos);
  EXPECT_NE(Value::from_json("[1 2]").error().message.find("found '2'"), std::string::npos);
}

}  // namespace
}  // namespace ordeal
