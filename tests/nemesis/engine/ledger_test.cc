#include "nemesis/engine/ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "nemesis/node/node_state.h"
#include "tests/nemesis/recording_node.h"
#include "tests/support/synced.h"

namespace ordeal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using testing_support::RecordingNode;

class LedgerTest : public ::testing::Test {
 protected:
  LedgerTest() {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ = std::filesystem::temp_directory_path() /
              ("ordeal-ledger-" + std::string(test->name()) + "-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
    path_ = folder_ / "ledger.jsonl";
    for (const char* name : {"n1", "n2"}) {
      auto node =
          std::make_unique<RecordingNode>(name, "10.0.0.1", [this, name](const std::string&) -> Result<CommandOutput> {
            if (name == dead_) return fail(ErrorCode::unreachable, std::string(name) + ": no route to host");
            return CommandOutput{0, answer_, ""};
          });
      nodes_.push_back(node.get());
      cluster_.nodes.push_back(std::move(node));
    }
  }
  ~LedgerTest() override { std::filesystem::remove_all(folder_); }

  // A ledger in which fault 1 was healed, 2 and 3 were not.
  void write_three() {
    Ledger ledger;
    ASSERT_TRUE(ledger.open(path_, "ab", "local:2", cluster_));
    ASSERT_TRUE(ledger.opened("ab-1", "partition", Value::map(), {{"n1", "undo 1"}}));
    ASSERT_TRUE(ledger.opened("ab-2", "pause", Value::map(), {{"n1", "undo 2"}, {"n2", "undo 2"}}));
    ASSERT_TRUE(ledger.closed("ab-1", "driver"));
    ASSERT_TRUE(ledger.opened("ab-3", "partition", Value::map(), {{"n1", "undo 3"}}));
  }
  void append_raw(const std::string& text) const { std::ofstream(path_, std::ios::app) << text; }
  std::string raw() const {
    std::ifstream in(path_);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static Deadline soon() { return std::chrono::steady_clock::now() + std::chrono::milliseconds(300); }

  std::filesystem::path folder_;
  std::string path_;
  std::string dead_;
  std::string answer_ = "undone\n";
  Cluster cluster_;
  std::vector<RecordingNode*> nodes_;
};

TEST_F(LedgerTest, WhatIsOpenIsKnownToWhoeverReadsIt) {
  write_three();
  const auto contents = read_ledger(path_);
  ASSERT_TRUE(contents) << contents.error().message;
  EXPECT_EQ(contents->run, "ab");
  EXPECT_EQ(contents->nodes, "local:2");
  EXPECT_EQ(contents->entries, 3U);
  EXPECT_EQ(contents->torn, 0U);
  ASSERT_THAT(contents->open, SizeIs(2));
  EXPECT_EQ(contents->open[0].id, "ab-2");
  EXPECT_EQ(contents->open[0].undo[1].node, "n2");
  EXPECT_EQ(contents->open[1].undo[0].script, "undo 3");
}

// After a power loss the ledger must still be there, with every fault that was announced: the file's entry in its
// folder when it is opened, and each line before the fault is injected.
TEST_F(LedgerTest, EveryLineIsOnDiskWhenTheCallReturns) {
  using testing_support::Synced;
  Synced::clear();
  Ledger ledger;
  ASSERT_TRUE(ledger.open(path_, "ab", "local:2", cluster_));
  EXPECT_EQ(Synced::times(folder_), 1u) << "the folder";
  EXPECT_EQ(Synced::times(path_), 1u) << "the first line";
  ASSERT_TRUE(ledger.opened("ab-1", "partition", Value::map(), {{"n1", "undo 1"}}));
  EXPECT_EQ(Synced::times(path_), 2u);
  ASSERT_TRUE(ledger.closed("ab-1", "driver"));
  EXPECT_EQ(Synced::times(path_), 3u);
}

TEST_F(LedgerTest, EmptyLinesAreNoneAndTornOnesAreCounted) {
  write_three();
  append_raw("\n\n[1]\n{\"entry\":\"open\",\"id\":\"ab-\n");
  const auto contents = read_ledger(path_);
  ASSERT_TRUE(contents) << contents.error().message;
  EXPECT_EQ(contents->torn, 2U);
  EXPECT_EQ(contents->entries, 3U);
  EXPECT_THAT(contents->open, SizeIs(2));
}

TEST_F(LedgerTest, HealsTheNewestFirstAndTwiceDoesNothingMore) {
  write_three();
  auto report = heal_ledger(path_, cluster_, Trust::ledger, soon());
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_TRUE(report->healed());
  EXPECT_THAT(report->steps, SizeIs(3));
  EXPECT_THAT(nodes_[0]->scripts(), ElementsAre("undo 3", "undo 2"));
  EXPECT_THAT(nodes_[1]->scripts(), ElementsAre("undo 2"));
  const std::string after_first = raw();
  EXPECT_THAT(after_first, HasSubstr("\"by\":\"heal\""));

  report = heal_ledger(path_, cluster_, Trust::ledger, soon());
  ASSERT_TRUE(report);
  EXPECT_THAT(report->steps, SizeIs(0));
  EXPECT_THAT(nodes_[0]->scripts(), SizeIs(2));
  EXPECT_EQ(raw(), after_first);
}

// A ledger in somebody else's store was run by root, whatever it said. Now nodes get a question with it, and decide.
TEST_F(LedgerTest, RegressWhatTheNodesDoNotKnowIsNotRun) {
  write_three();
  answer_ = "differs\n";
  auto report = heal_ledger(path_, cluster_, Trust::node, soon());
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_FALSE(report->healed());
  EXPECT_THAT(report->steps[0].message, HasSubstr("neither was run"));
  EXPECT_THAT(nodes_[0]->scripts(),
              ElementsAre(undo_if_same_script("ab-3", "undo 3"), undo_if_same_script("ab-2", "undo 2")));
  EXPECT_THAT(read_ledger(path_)->open, SizeIs(2));
  append_raw(R"({"entry":"open","id":"../../tmp/x","fault":"pause","undo":[{"node":"n1","script":"x"}]})"
             "\n");
  answer_ = "absent\n";
  report = heal_ledger(path_, cluster_, Trust::node, soon());
  ASSERT_TRUE(report);
  EXPECT_FALSE(report->healed());
  EXPECT_THAT(report->steps[0].message, HasSubstr("no id of a fault"));
  EXPECT_TRUE(report->steps[1].done);
  EXPECT_THAT(report->steps[1].message, HasSubstr("the node has no undo script of it"));
  EXPECT_THAT(read_ledger(path_)->open, SizeIs(1));
}

TEST_F(LedgerTest, EveryPrefixOfTheFileCanBeHealedAndContinued) {
  write_three();
  const std::string whole = raw();
  for (std::size_t cut = 0; cut <= whole.size(); cut += 7) {
    std::ofstream(path_, std::ios::trunc) << whole.substr(0, cut);
    const auto before = read_ledger(path_);
    ASSERT_TRUE(before) << "cut at " << cut << ": " << before.error().message;
    EXPECT_LE(before->torn, 1U);
    {
      Ledger ledger;
      ASSERT_TRUE(ledger.open(path_, "cd", "local:2", cluster_));
      ASSERT_TRUE(ledger.opened("cd-9", "pause", Value::map(), {{"n2", "undo 9"}}));
    }
    const auto after = read_ledger(path_);
    ASSERT_TRUE(after);
    EXPECT_EQ(after->open.size(), before->open.size() + 1) << "cut at " << cut;
    EXPECT_EQ(after->open.back().id, "cd-9");
    EXPECT_EQ(after->run, before->run.empty() ? "cd" : "ab");
  }
}

// What froze the target of a run that ended early wrote a line of its own: two runs in one ledger.
TEST_F(LedgerTest, RegressALedgerHasOneRun) {
  write_three();
  {
    Ledger second;
    ASSERT_TRUE(second.open(path_, "cd", "local:2", cluster_));
    ASSERT_TRUE(second.opened("cd-1", "pause", Value::map(), {{"n1", "undo freezing"}}));
  }
  const auto contents = read_ledger(path_);
  ASSERT_TRUE(contents) << contents.error().message;
  EXPECT_EQ(contents->run, "ab");
  EXPECT_THAT(contents->open, SizeIs(3));
  const std::string text = raw();
  EXPECT_EQ(text.find("\"entry\":\"run\""), text.rfind("\"entry\":\"run\""));
  ASSERT_TRUE(heal_ledger(path_, cluster_, Trust::ledger, soon()));
  EXPECT_THAT(nodes_[0]->scripts(), ElementsAre("undo freezing", "undo 3", "undo 2"));
  EXPECT_THAT(read_ledger(path_)->open, SizeIs(0));
}

TEST_F(LedgerTest, ANodeThatCannotBeReachedKeepsItsFaultsOpen) {
  write_three();
  dead_ = "n2";
  auto report = heal_ledger(path_, cluster_, Trust::ledger, soon());
  ASSERT_TRUE(report);
  EXPECT_FALSE(report->healed());
  auto contents = read_ledger(path_);
  ASSERT_THAT(contents->open, SizeIs(1));
  EXPECT_EQ(contents->open[0].id, "ab-2");
  dead_.clear();
  report = heal_ledger(path_, cluster_, Trust::ledger, soon());
  EXPECT_TRUE(report->healed());
  EXPECT_THAT(read_ledger(path_)->open, SizeIs(0));
}

TEST_F(LedgerTest, ANodeThatTheClusterDoesNotHaveIsNamed) {
  write_three();
  append_raw(R"({"entry":"open","id":"ab-4","fault":"pause","undo":[{"node":"n7","script":"x"}]})"
             "\n");
  const auto report = heal_ledger(path_, cluster_, Trust::ledger, soon());
  ASSERT_TRUE(report);
  EXPECT_FALSE(report->healed());
  bool named = false;
  for (const auto& step : report->steps) named = named || step.message.find("n7") != std::string::npos;
  EXPECT_TRUE(named);
}

TEST_F(LedgerTest, AFileThatIsNoLedgerIsRefused) {
  EXPECT_EQ(read_ledger(path_).error().code, ErrorCode::not_found);
  append_raw(R"({"entry":"open","id":"x","undo":[]})"
             "\n");
  EXPECT_EQ(read_ledger(path_).error().code, ErrorCode::input);
  for (const char* other : {"some text", "some text\n", "{\"a\":1}\n", "{\"a\":1}x", "line\nline\n", "\x1f\x8b\x08"}) {
    std::ofstream(path_, std::ios::trunc) << other;
    const auto read = read_ledger(path_);
    ASSERT_FALSE(read) << "nothing would seem to be in force: " << other;
    EXPECT_EQ(read.error().code, ErrorCode::input);
    EXPECT_THAT(read.error().message, HasSubstr(path_));
  }
}

TEST_F(LedgerTest, AFolderThatIsNotThereIsAnErrorOfIo) {
  Ledger ledger;
  const auto opened = ledger.open((folder_ / "absent" / "ledger.jsonl").string(), "ab", "local:2", cluster_);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::io);
}

}  // namespace
}  // namespace ordeal
