#include "harness/store/run_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "base/files.h"
#include "harness/store/run_log.h"
#include "tests/harness/store/scratch.h"

namespace ordeal {
namespace {

namespace fs = std::filesystem;
using std::chrono::system_clock;

const system_clock::time_point kMoment{std::chrono::milliseconds(1'795'244'448'123)};

TEST(RunDirectory, IsNamedByTimeAndLinked) {
  const Scratch scratch;
  const auto run = RunDirectory::create(scratch.path(), "etcd-register", kMoment);
  ASSERT_TRUE(run) << run.error().message;
  EXPECT_EQ(run->path(), scratch.file("etcd-register/" + utc_stamp(kMoment)));
  EXPECT_EQ(utc_stamp(kMoment), "20261121T070048.123Z");
  EXPECT_TRUE(fs::is_directory(run->file("nodes")));
  EXPECT_TRUE(fs::equivalent(scratch.file("latest"), run->path()));
  EXPECT_TRUE(fs::equivalent(scratch.file("etcd-register/latest"), run->path()));
  EXPECT_TRUE(fs::read_symlink(scratch.file("latest")).is_relative());
}

TEST(RunDirectory, RunsOfOneMomentAreDistinct) {
  const Scratch scratch;
  std::vector<std::string> paths(8);
  {
    std::vector<std::jthread> threads;
    for (auto& path : paths) {
      threads.emplace_back([&] { path = RunDirectory::create(scratch.path(), "a", kMoment)->path(); });
    }
  }
  std::sort(paths.begin(), paths.end());
  EXPECT_EQ(std::unique(paths.begin(), paths.end()), paths.end());
  EXPECT_TRUE(fs::is_directory(scratch.file("latest")));
  // Nothing but runs and the link is left.
  EXPECT_EQ(std::distance(fs::directory_iterator(scratch.file("a")), fs::directory_iterator()), 9);
}

TEST(RunDirectory, RunsAreListedNewestFirstWhateverTheirNames) {
  const Scratch scratch;
  for (const auto& [name, later] : {std::pair{"b", 1}, {"a", 2}, {"c", 0}, {"a", 3}}) {
    const auto run = RunDirectory::create(scratch.path(), name, kMoment + std::chrono::seconds(later));
    ASSERT_TRUE(run);
    std::ofstream(run->file("plan.json")) << "{}";
  }
  const auto listed = list_runs(scratch.path());
  ASSERT_TRUE(listed) << listed.error().message;
  std::vector<std::string> families;
  for (const std::string& path : *listed) families.push_back(fs::path(path).parent_path().filename());
  EXPECT_EQ(families, (std::vector<std::string>{"a", "a", "b", "c"}));
  EXPECT_GT(fs::path((*listed)[0]).filename(), fs::path((*listed)[1]).filename());
}

TEST(RunDirectory, RefusesNamesThatAreNoDirectoryNames) {
  const Scratch scratch;
  for (const char* bad : {"", ".", "..", "a/b", "latest", "a\nb"}) {
    const auto run = RunDirectory::create(scratch.path(), bad, kMoment);
    ASSERT_FALSE(run) << bad;
    EXPECT_EQ(run.error().code, ErrorCode::usage);
  }
}

TEST(RunDirectory, SaysWhatIsWrongWithTheStore) {
  const Scratch scratch;
  std::ofstream(scratch.file("plain")) << "x";
  const auto run = RunDirectory::create(scratch.file("plain"), "a", kMoment);
  ASSERT_FALSE(run);
  EXPECT_NE(run.error().message.find(scratch.file("plain")), std::string::npos);
}

TEST(StoredRun, IsReadBackThroughTheLink) {
  const Scratch scratch;
  const auto run = RunDirectory::create(scratch.path(), "a", kMoment);
  ASSERT_TRUE(run);
  Value plan = Value::map();
  plan.set("seed", "7");
  ASSERT_TRUE(run->write("plan.json", plan));
  std::ofstream(run->history_path()) << "{\"index\":0";
  const auto read = open_run(scratch.file("latest"));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->name, "a");
  EXPECT_EQ(read->time, utc_stamp(kMoment));
  EXPECT_EQ(read->plan, plan);
  EXPECT_TRUE(open_run(scratch.file("latest/history.jsonl")));
  ASSERT_TRUE(run->write("results.json", std::string_view("{\"verdict\":")));
  EXPECT_TRUE(open_run(scratch.file("latest"))) << "results are written anew by whoever judges the run";
  ASSERT_TRUE(run->write("plan.json", std::string_view("{\"seed\":")));
  const auto broken = open_run(scratch.file("latest"));
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().code, ErrorCode::input);
  EXPECT_NE(broken.error().message.find("plan.json"), std::string::npos);
  EXPECT_THAT(*list_runs(scratch.path()), testing::ElementsAre(run->path()));
}

TEST(StoredRun, SaysWhyItIsNoRun) {
  const Scratch scratch;
  EXPECT_EQ(open_run(scratch.file("none")).error().code, ErrorCode::not_found);
  ASSERT_TRUE(RunDirectory::create(scratch.path(), "a", kMoment));
  const auto store = open_run(scratch.path());
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::input);
  EXPECT_NE(store.error().message.find("/latest"), std::string::npos);
}

TEST(RunLog, WritesOneRecordAMessage) {
  const Scratch scratch;
  std::string echoed;
  auto log = RunLog::open(scratch.file("ordeal.log"), [&](RunLog::Level level, std::string_view message) {
    echoed += std::string(name(level)) + ":" + std::string(message) + ";";
  });
  ASSERT_TRUE(log);
  (*log)->info("up");
  (*log)->warn("two\nlines");
  EXPECT_EQ(echoed, "info:up;warn:two\nlines;");
  EXPECT_THAT(
      *read_text_file(scratch.file("ordeal.log")),
      testing::MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\\.[0-9]{3}Z info up\n.*Z warn two\n    lines\n"));
}

}  // namespace
}  // namespace ordeal
