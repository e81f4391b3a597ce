// Histories in parts: all of them are read, in order; what is missing or damaged is named.

#include "checkers/history/parts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "checkers/history/reader.h"
#include "tests/support/program.h"

namespace ordeal {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A line each: writes of one process.
std::string events(int from, int to) {
  std::string out;
  for (int i = from; i < to; ++i) {
    out += R"({"index":)" + std::to_string(i) + R"(,"process":0,"type":")" + (i % 2 == 0 ? "invoke" : "ok") +
           R"(","f":"write","value":)" + std::to_string(i / 2) + "}\n";
  }
  return out;
}

class Parts : public ::testing::Test {
 protected:
  [[nodiscard]] std::string path(const std::string& name) const { return directory_.path() + "/" + name; }
  [[nodiscard]] std::string history() const { return path("history.jsonl"); }
  void write(const std::string& name, const std::string& text) const { std::ofstream(path(name)) << text; }
  void pack(const std::string& name, const std::string& text) const {
    gzFile file = gzopen(path(name).c_str(), "wb1");
    ASSERT_NE(file, nullptr);
    ASSERT_EQ(gzwrite(file, text.data(), static_cast<unsigned>(text.size())), static_cast<int>(text.size()));
    ASSERT_EQ(gzclose(file), Z_OK);
  }
  void three() const {
    pack("history-000000.jsonl.gz", events(0, 11));
    write("history-000001.jsonl", events(11, 20));
    write("history.jsonl", events(20, 24));
  }
  [[nodiscard]] std::string problem() const {
    const auto read = read_history_file(history());
    return read ? "none" : read.error().message;
  }
  void expect_all(std::size_t count) const {
    const auto read = read_history_file(history());
    ASSERT_TRUE(read) << read.error().message;
    ASSERT_EQ(read->history.size(), count);
    for (EventIndex e = 0; e < count; ++e) EXPECT_EQ(read->history.index(e), e);
  }

  testing::TemporaryDirectory directory_;
};

TEST_F(Parts, AreReadInOrder) {
  three();
  expect_all(24);
  // A part of its own is a file like any other.
  const auto one = read_history_file(path("history-000000.jsonl.gz"));
  ASSERT_TRUE(one);
  EXPECT_EQ(one->history.size(), 11u);
}

TEST_F(Parts, AreNoBusinessOfOtherFiles) {
  three();
  write("other.jsonl", events(0, 2));
  EXPECT_THAT(*parts_of(path("other.jsonl")), ElementsAre(path("other.jsonl")));
  EXPECT_THAT(*parts_of("-"), ElementsAre("-"));
}

// Killed when a part was compressed and not yet removed; when there was no next file yet; with a half made one.
TEST_F(Parts, OfAKilledWriterAreWhole) {
  three();
  write("history-000000.jsonl", events(0, 11));
  write("history-000001.jsonl.gz.partial", "half");
  expect_all(24);
  fs::remove(history());
  expect_all(20);
}

TEST_F(Parts, ThatAreMissingAreNamed) {
  three();
  fs::remove(path("history-000000.jsonl.gz"));
  EXPECT_THAT(problem(), HasSubstr("history-000000.jsonl is missing, a part of the history"));
}

TEST_F(Parts, ThatAreDamagedAreNamed) {
  three();
  const std::string part = path("history-000000.jsonl.gz");
  std::string packed;
  {
    std::ifstream in(part, std::ios::binary);
    packed.assign(std::istreambuf_iterator<char>(in), {});
  }
  const auto with = [&](const std::function<void(std::string&)>& change) {
    std::string changed = packed;
    change(changed);
    std::ofstream(part, std::ios::binary) << changed;
    return problem();
  };
  EXPECT_EQ(with([](std::string&) {}), "none");
  // Whatever is changed in it: the text is the same (bits that fill up a byte), or the part is named.
  std::size_t noticed = 0;
  for (std::size_t i = 10; i < packed.size(); ++i) {
    const std::string found = with([&](std::string& text) { text[i] = static_cast<char>(text[i] ^ 0x10); });
    if (found == "none") {
      expect_all(24);
    } else {
      EXPECT_THAT(found, HasSubstr(part)) << i;
      ++noticed;
    }
  }
  EXPECT_GE(noticed + 2, packed.size() - 10);
  EXPECT_THAT(with([](std::string& text) { text.resize(text.size() / 2); }), HasSubstr(part));
  EXPECT_THAT(with([](std::string& text) { text.clear(); }), HasSubstr(part));
  EXPECT_THAT(with([&](std::string& text) { text += packed; }), HasSubstr("not one whole gzip member"));
  // One that says that it is huge.
  EXPECT_THAT(with([](std::string& text) { text.replace(text.size() - 4, 4, "\xFF\xFF\xFF\x7F"); }),
              HasSubstr("more than a part may have"));
}

// A store may come from somebody else.
TEST_F(Parts, AreNoLinks) {
  three();
  fs::rename(path("history-000000.jsonl.gz"), path("elsewhere"));
  fs::create_symlink(path("elsewhere"), path("history-000000.jsonl.gz"));
  EXPECT_THAT(problem(), HasSubstr("history-000000.jsonl is missing"));
}

TEST_F(Parts, KeepToTheLimits) {
  three();
  ReadOptions options;
  std::stop_source stop;
  stop.request_stop();
  options.limits = Limits(std::chrono::milliseconds(0), 0, stop.get_token());
  const auto read = read_history_file(history(), options);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::cancelled);
}

}  // namespace
}  // namespace ordeal
