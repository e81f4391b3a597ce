// Files over SFTP.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <future>
#include <random>

#include "harness/control/sftp.h"
#include "harness/control/ssh_node.h"
#include "tests/harness/control/sshd.h"

namespace ordeal {
namespace {

using ordeal::testing::eventually;
using ordeal::testing::read_file;
using ordeal::testing::Sshd;
using ordeal::testing::write_file;
using ::testing::AllOf;
using ::testing::HasSubstr;

// Bytes that do not compress and do not repeat, the same in every run.
std::string noise(std::size_t size) {
  std::mt19937_64 random(7);
  std::string text(size, '\0');
  for (std::size_t i = 0; i + 8 <= size; i += 8) {
    const auto word = random();
    std::memcpy(text.data() + i, &word, 8);
  }
  return text;
}

class SshTransferTest : public ::testing::Test {
 protected:
  std::vector<std::string> leftovers() const {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator(sshd_.dir().path())) {
      if (entry.path().string().find(".ordeal-") != std::string::npos) found.push_back(entry.path());
    }
    return found;
  }
  Sshd sshd_;
  std::string local_ = sshd_.dir() / "local";
  std::string remote_ = sshd_.dir() / "remote file 'x'";
  std::string back_ = sshd_.dir() / "back";
  std::unique_ptr<Node> node_ = make_ssh_node(sshd_.endpoint());
};

TEST_F(SshTransferTest, TwentyMegabytesThereAndBack) {
  const std::string contents = noise(20'000'000) + "tail";
  write_file(local_, contents);
  ::chmod(local_.c_str(), 0750);
  std::vector<std::uint64_t> steps;
  const auto progress = [&](std::uint64_t done, std::uint64_t total) {
    EXPECT_EQ(total, contents.size());
    steps.push_back(done);
  };
  const auto up = node_->upload(local_, remote_, progress);
  ASSERT_TRUE(up) << up.error().message;
  EXPECT_GT(steps.size(), 10U);
  EXPECT_TRUE(std::is_sorted(steps.begin(), steps.end()));
  EXPECT_EQ(steps.back(), contents.size());
  struct stat info {};
  ASSERT_EQ(::stat(remote_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0750U);
  const auto remote_sum = run_ok(*node_, "sha256sum <" + shell_quote(remote_));
  ASSERT_TRUE(remote_sum);
  EXPECT_EQ(*remote_sum, testing::run_program({"sh", "-c", "sha256sum <" + local_}));

  steps.clear();
  const auto down = node_->download(remote_, back_, progress);
  ASSERT_TRUE(down) << down.error().message;
  EXPECT_EQ(steps.back(), contents.size());
  EXPECT_TRUE(read_file(back_) == contents);
  EXPECT_THAT(leftovers(), ::testing::IsEmpty());
}

TEST_F(SshTransferTest, EmptyFilesAndReplacing) {
  write_file(local_, "");
  write_file(remote_, "old");
  ASSERT_TRUE(node_->upload(local_, remote_));
  EXPECT_EQ(read_file(remote_), "");
  write_file(local_, "new");
  ASSERT_TRUE(node_->upload(local_, remote_));
  EXPECT_EQ(read_file(remote_), "new");
  write_file(back_, "old");
  ASSERT_TRUE(node_->download(remote_, back_));
  EXPECT_EQ(read_file(back_), "new");
  EXPECT_THAT(leftovers(), ::testing::IsEmpty());
}

TEST_F(SshTransferTest, ARunningProgramCanBeReplaced) {
  std::filesystem::copy_file("/bin/sleep", remote_);
  ASSERT_TRUE(node_->run(shell_quote(remote_) + " 20 >/dev/null 2>&1 </dev/null & echo $! >" + back_));
  const auto replaced = node_->upload("/bin/true", remote_);
  EXPECT_TRUE(replaced) << replaced.error().message;
  EXPECT_TRUE(run_ok(*node_, shell_quote(remote_)));
  ::kill(static_cast<pid_t>(std::stol(read_file(back_))), SIGKILL);
}

TEST_F(SshTransferTest, WhatIsMissingIsNamed) {
  const auto up = node_->upload(sshd_.dir() / "absent", remote_);
  ASSERT_FALSE(up);
  EXPECT_EQ(up.error().code, ErrorCode::not_found);
  EXPECT_THAT(up.error().message, HasSubstr(sshd_.dir() / "absent"));

  write_file(local_, "x");
  const auto nowhere = node_->upload(local_, sshd_.dir() / "no/such/dir/file");
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().code, ErrorCode::not_found);
  EXPECT_THAT(nowhere.error().message,
              AllOf(HasSubstr("n1"), HasSubstr("no/such/dir/file"), HasSubstr("no such file")));

  const auto down = node_->download(sshd_.dir() / "gone", back_);
  ASSERT_FALSE(down);
  EXPECT_EQ(down.error().code, ErrorCode::not_found);
  EXPECT_THAT(down.error().message, AllOf(HasSubstr(sshd_.dir() / "gone"), HasSubstr("no such file")));
  EXPECT_FALSE(std::filesystem::exists(back_));

  const auto no_place = node_->download(local_, "/nonexistent/dir/file");
  ASSERT_FALSE(no_place);
  EXPECT_EQ(no_place.error().code, ErrorCode::not_found);
  // None of that costs the connection.
  EXPECT_EQ(sshd_.log().find("Accepted publickey"), sshd_.log().rfind("Accepted publickey"));
}

// A log that its system linked to /dev/zero filled the controller's disk.
TEST_F(SshTransferTest, RegressOnlyRegularFilesComeAndNotWithoutEnd) {
  std::filesystem::create_symlink("/dev/zero", remote_);
  EXPECT_THAT(node_->download(remote_, back_).error().message, HasSubstr("is not a regular file"));
  EXPECT_FALSE(std::filesystem::exists(back_));
  std::filesystem::remove(remote_);
  write_file(remote_, "the beginning");
  std::filesystem::resize_file(remote_, kMostDownloaded + 5);
  const auto down = node_->download(remote_, back_);
  ASSERT_TRUE(down) << down.error().message;
  const std::string found = read_file(back_);
  const std::string said = "[ordeal: the first 5 bytes are left out]\n";
  EXPECT_TRUE(found.starts_with(said + "eginning")) << found.substr(0, 80);
  EXPECT_EQ(found.size(), said.size() + kMostDownloaded);
  EXPECT_THAT(leftovers(), ::testing::IsEmpty());
}

TEST_F(SshTransferTest, DirectoriesAreRefused) {
  write_file(local_, "x");
  const std::string directory = sshd_.dir() / "directory";
  std::filesystem::create_directory(directory);
  EXPECT_THAT(node_->upload(local_, directory).error().message, HasSubstr("is a directory"));
  EXPECT_THAT(node_->download(directory, back_).error().message, HasSubstr("is a directory"));
  EXPECT_THAT(node_->upload(directory, remote_).error().message, HasSubstr("not a regular file"));
  EXPECT_THAT(leftovers(), ::testing::IsEmpty());
}

TEST_F(SshTransferTest, ABrokenTransferIsRepeatedAndLeavesTheOldFileUntilThen) {
  write_file(local_, noise(8'000'000));
  write_file(remote_, "old");
  std::promise<void> first_bytes;
  std::promise<void> killed;
  bool told = false;
  auto upload = std::async(std::launch::async, [&] {
    return node_->upload(local_, remote_, [&](std::uint64_t, std::uint64_t) {
      if (told) return;
      told = true;
      first_bytes.set_value();
      killed.get_future().wait();
    });
  });
  first_bytes.get_future().wait();
  EXPECT_EQ(read_file(remote_), "old");
  sshd_.kill_all();
  sshd_.start();
  killed.set_value();
  const auto done = upload.get();
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_TRUE(read_file(remote_) == read_file(local_));
}

}  // namespace
}  // namespace ordeal
