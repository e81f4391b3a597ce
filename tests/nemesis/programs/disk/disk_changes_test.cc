// What a power failure takes from one file: every loss leaves a file that some real disk could have left.

#include "nemesis/programs/disk/changes.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "nemesis/programs/disk/faults.h"

namespace ordeal::disk {
namespace {

class ChangesTest : public ::testing::Test {
 protected:
  ChangesTest() {
    char name[] = "/tmp/ordeal-changes-XXXXXX";
    file_ = ::mkstemp(name);
    ::unlink(name);
  }
  ~ChangesTest() override { ::close(file_); }

  void write(const std::string& text, std::uint64_t offset) {
    ASSERT_EQ(changes_.write(file_, text.data(), text.size(), offset), 0);
  }
  void sync() { changes_.forget(changes_.next()); }
  Loss lose(LossMode mode, std::uint64_t seed = 1) {
    std::mt19937_64 random(seed);
    return changes_.lose(file_, mode, random);
  }
  std::string contents() const {
    std::string out(static_cast<std::size_t>(::lseek(file_, 0, SEEK_END)), '\0');
    EXPECT_EQ(::pread(file_, out.data(), out.size(), 0), static_cast<ssize_t>(out.size()));
    return out;
  }
  void set_contents(const std::string& text) {
    ASSERT_EQ(::ftruncate(file_, 0), 0);
    ASSERT_EQ(::pwrite(file_, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  }

  int file_ = -1;
  Changes changes_;
};

TEST_F(ChangesTest, LosesEverythingSinceTheLastSyncAndNothingBefore) {
  write("kept and ", 0);
  write("synced", 9);
  sync();
  write("LOST", 0);
  write(" appended", 15);
  ASSERT_EQ(changes_.truncate(file_, 3), 0);
  write("again", 1);
  ASSERT_EQ(changes_.allocate(file_, 0, 0, 10'000), 0);
  const Loss loss = lose(LossMode::lost);
  EXPECT_EQ(contents(), "kept and synced");
  EXPECT_EQ(loss.changes, 5U);
  EXPECT_EQ(loss.bytes, 4U + 9U + 21U + 5U);
  EXPECT_TRUE(changes_.empty());
  EXPECT_EQ(lose(LossMode::lost).changes, 0U);
}

TEST_F(ChangesTest, WhatWasWrittenAfterASyncBeganIsNotMadeDurableByIt) {
  write("first", 0);
  const std::uint64_t mark = changes_.next();
  write("second", 5);
  changes_.forget(mark);
  EXPECT_EQ(lose(LossMode::lost).changes, 1U);
  EXPECT_EQ(contents(), "first");
}

TEST_F(ChangesTest, WhatWasThereAlreadyIsNoChange) {
  write("some text", 0);
  sync();
  write("some text", 0);
  EXPECT_TRUE(changes_.empty());
  write("some TEXT and more", 0);
  const Loss loss = lose(LossMode::lost);
  EXPECT_EQ(loss.bytes, 13U);
  EXPECT_EQ(contents(), "some text");
}

TEST_F(ChangesTest, HolesThatWereFilledAreEmptyAgain) {
  ASSERT_EQ(changes_.truncate(file_, 400'000), 0);
  write("end", 399'997);
  sync();
  const std::string before = contents();
  for (const LossMode mode : {LossMode::lost, LossMode::torn, LossMode::reordered}) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      set_contents(before);
      write(std::string(100'000, 'x'), 4000);
      write(std::string(100'000, 'y'), 300'000);
      const Loss loss = lose(mode, seed);
      const std::string after = contents();
      ASSERT_EQ(after.size(), before.size());
      for (std::size_t i = 0; i < after.size(); ++i) {
        const bool in_x = i >= 4000 && i < 104'000, in_y = i >= 300'000;
        ASSERT_TRUE(after[i] == before[i] ||
                    (mode != LossMode::lost && ((in_x && after[i] == 'x') || (in_y && after[i] == 'y'))))
            << i;
      }
      EXPECT_LE(loss.bytes, 200'000U + (mode == LossMode::reordered ? 4 * Changes::kPage : 0));
    }
  }
}

TEST_F(ChangesTest, WhatIsAlmostZerosIsKept) {
  for (const std::string& text : {std::string("\0x\0x\0x", 6), std::string("\0\0x", 3), std::string("x\0\0", 3)}) {
    set_contents(text);
    write("other!", 0);
    EXPECT_EQ(lose(LossMode::lost).changes, 1U);
    EXPECT_EQ(contents(), text);
  }
}

TEST_F(ChangesTest, RoomThatWasAllocatedChangesNoByte) {
  write("text", 0);
  sync();
  ASSERT_EQ(changes_.allocate(file_, 0, 0, 100), 0);
  EXPECT_EQ(contents().size(), 100U);
  (void)lose(LossMode::lost);
  EXPECT_EQ(contents(), "text");
}

// So much is not kept: it counts as having reached the disk.
TEST_F(ChangesTest, ALongFileThatWasCutStaysCut) {
  ASSERT_EQ(::ftruncate(file_, Changes::kMaxBytes), 0);
  write("text", 0);
  ASSERT_EQ(changes_.truncate(file_, 2), 0);
  EXPECT_TRUE(changes_.empty());
  EXPECT_EQ(lose(LossMode::lost).changes, 0U);
  EXPECT_EQ(contents(), "te");
}

TEST_F(ChangesTest, AHoleIsUndone) {
  write(std::string(9000, 'a'), 0);
  sync();
  ASSERT_EQ(changes_.allocate(file_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 4096), 0);
  EXPECT_EQ(contents()[5000], '\0');
  EXPECT_EQ(lose(LossMode::lost).bytes, 4096U);
  EXPECT_EQ(contents(), std::string(9000, 'a'));
  EXPECT_EQ(changes_.allocate(file_, FALLOC_FL_COLLAPSE_RANGE, 0, 4096), EOPNOTSUPP);
}

// Random writes and truncations; `states[k]` is the file after k of them.
std::vector<std::string> random_history(std::mt19937_64& random, bool truncations) {
  std::vector<std::string> states = {std::string(random() % 20'000, 's')};
  for (int i = 0; i < 8; ++i) {
    std::string next = states.back();
    if (truncations && random() % 4 == 0) {
      next.resize(random() % 20'000);
    } else {
      const std::size_t offset = random() % (next.size() + 1);
      const std::size_t size = 1 + random() % 6000;
      if (next.size() < offset + size) next.resize(offset + size);
      next.replace(offset, size, std::string(size, static_cast<char>('a' + i)));
    }
    states.push_back(next);
  }
  return states;
}

// Plays what leads from each state to the next as one change.
void play(Changes& changes, int file, const std::vector<std::string>& states) {
  for (std::size_t i = 1; i < states.size(); ++i) {
    const std::string& next = states[i];
    if (next.size() < states[i - 1].size() || next.find(static_cast<char>('a' + i - 1)) == std::string::npos) {
      ASSERT_EQ(changes.truncate(file, next.size()), 0);
      continue;
    }
    const std::size_t begin = next.find(static_cast<char>('a' + i - 1));
    const std::size_t end = next.rfind(static_cast<char>('a' + i - 1)) + 1;
    ASSERT_EQ(changes.write(file, next.data() + begin, end - begin, begin), 0);
  }
}

TEST_F(ChangesTest, TornMeansAPrefixOfTheChangesAndPerhapsSectorsOfTheNext) {
  int torn = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    std::mt19937_64 random(seed);
    const auto states = random_history(random, true);
    set_contents(states.front());
    play(changes_, file_, states);
    ASSERT_EQ(contents(), states.back());
    const Loss loss = lose(LossMode::torn, seed);
    const std::string left = contents();
    if (loss.torn == 0) {
      ASSERT_EQ(left, states[loss.kept]) << seed;
      continue;
    }
    ++torn;
    // Up to a boundary between sectors the later state, from there on the earlier one.
    const std::string& early = states[loss.kept - 1];
    const std::string& late = states[loss.kept];
    bool explained = false;
    for (std::size_t boundary = 0; boundary <= late.size() && !explained; boundary += Changes::kSector) {
      std::string mixed = late.substr(0, boundary);
      if (early.size() > boundary) mixed += early.substr(boundary);
      explained = left == mixed;
    }
    ASSERT_TRUE(explained) << seed;
  }
  EXPECT_GT(torn, 50);
}

TEST_F(ChangesTest, ReorderedMeansThatEachPageIsOldOrNewOrZero) {
  int mixed = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    std::mt19937_64 random(seed);
    const auto states = random_history(random, false);
    set_contents(states.front());
    play(changes_, file_, states);
    std::size_t made = 0;
    for (std::size_t i = 1; i < states.size(); ++i) made += states[i] == states[i - 1] ? 0 : 1;
    const Loss loss = lose(LossMode::reordered, seed);
    const std::string left = contents();
    ASSERT_EQ(loss.kept + loss.changes, made) << seed;
    ASSERT_TRUE(loss.changes > 0 || left == states.back()) << seed;
    ASSERT_GE(left.size(), states.front().size()) << seed;
    ASSERT_LE(left.size(), states.back().size()) << seed;
    bool old_page = false;
    bool new_page = false;
    for (std::size_t at = 0; at < left.size(); at += Changes::kPage) {
      const std::string page = left.substr(at, Changes::kPage);
      std::string before = at < states.front().size() ? states.front().substr(at, Changes::kPage) : "";
      before.resize(page.size(), '\0');
      const bool is_new = page == states.back().substr(at, page.size());
      ASSERT_TRUE(is_new || page == before) << "page at " << at << " of seed " << seed;
      (is_new ? new_page : old_page) = true;
    }
    if (old_page && new_page) ++mixed;
  }
  EXPECT_GT(mixed, 50);
}

TEST_F(ChangesTest, WhatWasCutOffDoesNotComeBackWhenPagesAreReordered) {
  write(std::string(20'000, 's'), 0);
  sync();
  ASSERT_EQ(changes_.truncate(file_, 100), 0);
  const Loss loss = lose(LossMode::reordered, 5);
  EXPECT_EQ(loss.changes, 0U);
  EXPECT_EQ(contents(), std::string(100, 's'));
}

TEST(FaultsTest, HitWithTheirProbabilityAndNoLongerThanAsked) {
  Faults faults;
  bool lost = false;
  EXPECT_EQ(faults.meet(Faults::Operation::write, 1, lost), 0);
  faults.add("a", FaultKind::write_error, 0.25, 0, 7);
  faults.add("a", FaultKind::write_error, 1, 0, 7);  // asked for twice
  int hits = 0;
  for (int i = 0; i < 4000; ++i) hits += faults.meet(Faults::Operation::write, 1, lost) == EIO ? 1 : 0;
  EXPECT_NEAR(hits, 1000, 120);
  EXPECT_EQ(faults.report(), "a hits " + std::to_string(hits) + "\n");
  EXPECT_EQ(faults.meet(Faults::Operation::sync, 1, lost), 0);
  faults.clear("a");
  EXPECT_EQ(faults.meet(Faults::Operation::write, 1, lost), 0);
  EXPECT_EQ(faults.report(), "");
}

TEST(FaultsTest, ALostSyncHitsEachFileOnce) {
  Faults faults;
  faults.add("a", FaultKind::sync_lost, 1, 0, 7);
  bool lost = false;
  EXPECT_EQ(faults.meet(Faults::Operation::sync, 1, lost), EIO);
  EXPECT_TRUE(lost);
  lost = false;
  EXPECT_EQ(faults.meet(Faults::Operation::sync, 1, lost), 0);
  EXPECT_FALSE(lost);
  EXPECT_EQ(faults.meet(Faults::Operation::sync, 2, lost), EIO);
}

TEST(FaultsTest, CorruptsOneBit) {
  Faults faults;
  std::string data(100, 'x');
  EXPECT_FALSE(faults.corrupt(data.data(), data.size()));
  faults.add("a", FaultKind::corrupt_read, 1, 0, 7);
  EXPECT_TRUE(faults.corrupt(data.data(), data.size()));
  int bits = 0;
  for (const char c : data) bits += __builtin_popcount(static_cast<unsigned>(static_cast<unsigned char>(c ^ 'x')));
  EXPECT_EQ(bits, 1);
}

}  // namespace
}  // namespace ordeal::disk
