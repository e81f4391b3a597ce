#include "harness/store/own_file.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/harness/store/scratch.h"

namespace ordeal {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class RegressOwnFile : public ::testing::Test {
 protected:
  RegressOwnFile() {
    fs::create_directories(scratch_.file("store/run"));
    ::chmod(scratch_.file("store").c_str(), 0755);
    ::chmod(scratch_.file("store/run").c_str(), 0755);
    std::ofstream(file_) << "x";
    ::chmod(file_.c_str(), 0644);
  }
  [[nodiscard]] std::string complaint() const {
    const auto own = check_own_file(file_);
    return own ? "" : own.error().message;
  }
  Scratch scratch_;
  std::string file_ = scratch_.file("store/run/ledger.jsonl");
};

TEST_F(RegressOwnFile, WhatOthersCanWriteIsNotOnesOwn) {
  EXPECT_EQ(complaint(), "") << "also beneath /tmp, where only owners rename";
  ::chmod(file_.c_str(), 0664);
  EXPECT_THAT(complaint(), HasSubstr("ledger.jsonl can be written by others"));
  ::chmod(file_.c_str(), 0600);
  EXPECT_EQ(complaint(), "");
  ::chmod(scratch_.file("store").c_str(), 0777);
  EXPECT_THAT(complaint(), HasSubstr("/store can be written by others"));
  ::chmod(scratch_.file("store").c_str(), 01777);
  EXPECT_EQ(complaint(), "");
}

TEST_F(RegressOwnFile, ALinkCountsAsWhatItLeadsTo) {
  fs::create_symlink("run", scratch_.file("store/latest"));
  EXPECT_TRUE(check_own_file(scratch_.file("store/latest/ledger.jsonl")));
  ::chmod(scratch_.file("store/run").c_str(), 0757);
  EXPECT_FALSE(check_own_file(scratch_.file("store/latest/ledger.jsonl")));
  EXPECT_EQ(check_own_file(scratch_.file("nothing")).error().code, ErrorCode::not_found);
}

TEST_F(RegressOwnFile, AnotherUsersIsRefusedButThatOfWhoCalledSudo) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root gives files away";
  ASSERT_EQ(::chown(file_.c_str(), 65534, 65534), 0);
  EXPECT_THAT(complaint(), HasSubstr("belongs to another user (id 65534)"));
  ::setenv("SUDO_UID", "65534", 1);
  EXPECT_EQ(complaint(), "");
  ::setenv("SUDO_UID", "65534x", 1);
  EXPECT_NE(complaint(), "");
  ::unsetenv("SUDO_UID");
  ASSERT_EQ(::chown(file_.c_str(), 0, 0), 0);
  ASSERT_EQ(::chown(scratch_.file("store").c_str(), 65534, 65534), 0);
  EXPECT_THAT(complaint(), HasSubstr("/store belongs to another user"));
}

}  // namespace
}  // namespace ordeal
