#include "base/files.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <thread>

#include "base/descriptor.h"
#include "tests/support/synced.h"

namespace ordeal {
namespace {

using ::testing::HasSubstr;

class Files : public ::testing::Test {
 protected:
  Files() { std::filesystem::create_directories(directory_); }
  ~Files() override { std::filesystem::remove_all(directory_); }
  [[nodiscard]] std::string file(const char* name) const { return directory_ + "/" + name; }
  std::string directory_ = ::testing::TempDir() + "ordeal-files-" + std::to_string(::getpid());
};

TEST_F(Files, WhatIsWrittenIsRead) {
  std::string bytes = "a\0b\n";
  for (int i = 0; i < 16; ++i) bytes += bytes;  // more than one read
  ASSERT_TRUE(replace_file(file("f"), bytes));
  EXPECT_EQ(*read_text_file(file("f")), bytes);
  ASSERT_TRUE(replace_file(file("f"), ""));
  EXPECT_EQ(*read_text_file(file("f")), "");
}

TEST_F(Files, WhatReplacesAFileIsOnDiskBeforeItGetsItsName) {
  testing_support::Synced::clear();
  ASSERT_TRUE(replace_file(file("f"), "a"));
  EXPECT_EQ(testing_support::Synced::times(file(""), true), 1u);
}

TEST_F(Files, ReadsWhatHasNoSize) { EXPECT_THAT(*read_text_file("/proc/self/stat"), HasSubstr(")")); }

TEST_F(Files, ErrorsNameThePathAndTheReason) {
  const auto missing = read_text_file(file("none"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::not_found);
  EXPECT_THAT(missing.error().message, HasSubstr(file("none") + ": No such file"));
  const auto directory = read_text_file("/tmp");
  ASSERT_FALSE(directory);
  EXPECT_EQ(directory.error().code, ErrorCode::input);
  EXPECT_THAT(directory.error().message, HasSubstr("/tmp: is a directory; a regular file was expected"));
  EXPECT_FALSE(replace_file(file("none/f"), "x"));
}

// A campaign file that was a FIFO hung the command, and /dev/zero took all memory.
TEST_F(Files, RegressWhatMayNeverEndIsRefused) {
  ASSERT_EQ(::mkfifo(file("fifo").c_str(), 0600), 0);
  std::filesystem::create_symlink(file("fifo"), file("link"));
  const Descriptor socket(::socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address{AF_UNIX, {}};
  file("s").copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  for (const auto& [path, what] : {std::pair{file("fifo"), "a FIFO"}, std::pair{file("link"), "a FIFO"},
                                   std::pair{file("s"), "a socket"}, std::pair{std::string("/dev/zero"), "a device"}}) {
    const auto read = read_text_file(path);
    ASSERT_FALSE(read) << path;
    EXPECT_EQ(read.error().code, ErrorCode::input);
    EXPECT_THAT(read.error().message, HasSubstr(path + ": is " + what + "; a regular file was expected"));
  }
  EXPECT_EQ(read_text_file("/dev/null").value_or("?"), "");
}

// What a shell makes of <(command).
TEST_F(Files, ReadsAPipeWithoutAName) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const Descriptor from(ends[0]);
  Descriptor to(ends[1]);
  std::jthread writer([&] {
    for (const char* part : {"one ", "two"}) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      (void)!::write(to.get(), part, std::strlen(part));
    }
    to.reset();
  });
  EXPECT_EQ(read_text_file("/dev/fd/" + std::to_string(from.get())).value_or("?"), "one two");
}

TEST_F(Files, ReplacingLeavesNothingBesideAndKeepsTheOldOnFailure) {
  ASSERT_TRUE(replace_file(file("f"), "one"));
  ASSERT_TRUE(replace_file(file("f"), "two"));
  EXPECT_EQ(*read_text_file(file("f")), "two");
  std::filesystem::create_directory(file("d"));
  EXPECT_FALSE(replace_file(file("d"), "x"));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory_), {}), 2);
}

TEST_F(Files, ReplacingALinkLeavesWhatItPointedTo) {
  ASSERT_TRUE(replace_file(file("one"), "1"));
  ASSERT_TRUE(replace_file(file("two"), "2"));
  ASSERT_TRUE(replace_link(file("latest"), "one"));
  ASSERT_TRUE(replace_link(file("latest"), "two"));
  EXPECT_EQ(*read_text_file(file("latest")), "2");
  EXPECT_EQ(*read_text_file(file("one")), "1");
}

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

TEST(DescriptorTest, ClosesWhatItOwnsOnce) {
  const int fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  {
    Descriptor one(fd);
    Descriptor two(std::move(one));
    EXPECT_FALSE(one);  // NOLINT(bugprone-use-after-move): what is left is what is tested
    EXPECT_EQ(two.get(), fd);
    Descriptor three;
    three = std::move(two);
    EXPECT_TRUE(is_open(fd));
  }
  EXPECT_FALSE(is_open(fd));
}

TEST(DescriptorTest, WhatIsReleasedStaysOpen) {
  Descriptor owner(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const int fd = owner.release();
  owner.reset();
  EXPECT_TRUE(is_open(fd));
  EXPECT_EQ(::close(fd), 0);
}

TEST(DescriptorTest, ClosingKeepsErrno) {
  errno = ENOSPC;
  Descriptor(12'345).reset();  // not open: close(2) fails with EBADF
  EXPECT_EQ(errno, ENOSPC);
}

}  // namespace
}  // namespace ordeal
