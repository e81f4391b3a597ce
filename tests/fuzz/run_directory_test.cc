// Run directories that something spoiled: `ordeal report` judges them or says what is wrong, whatever they hold.
// ORDEAL_SEED: others (mutator.h).

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

#include "base/files.h"
#include "session/judge.h"
#include "session/resolve_plan.h"
#include "tests/fuzz/mutator.h"
#include "tests/support/program.h"
#include "tests/support/silence.h"

namespace ordeal::testing {
namespace {

namespace fs = std::filesystem;

constexpr const char* kHistory =
    R"({"index":0,"time":10,"process":"nemesis","type":"info","f":"nemesis","value":{"step":"plan","schedule":"random"}})"
    "\n"
    R"({"index":1,"time":1000,"process":0,"type":"invoke","f":"write","key":1,"value":3})"
    "\n"
    R"({"index":2,"time":2000,"process":0,"type":"ok","f":"write","key":1,"value":3})"
    "\n"
    R"({"index":3,"time":2500,"process":"nemesis","type":"info","f":"kill","value":{"id":1,"step":"inject","fault":{"how":"one"},"nodes":["n1"]}})"
    "\n"
    R"({"index":4,"time":2600,"process":"nemesis","type":"info","f":"kill","value":{"id":1,"step":"injected"}})"
    "\n"
    R"({"index":5,"time":2700,"process":"nemesis","type":"info","f":"kill","value":{"id":1,"step":"confirmed","evidence":"gone"}})"
    "\n"
    R"({"index":6,"time":2800,"process":"nemesis","type":"info","f":"kill","value":{"id":1,"step":"measured","values":{"offset_s":{"n1":0.5}}}})"
    "\n"
    R"({"index":7,"time":3000,"process":1,"type":"invoke","f":"read","key":1})"
    "\n"
    R"({"index":8,"time":3500,"process":1,"type":"info","f":"read","key":1,"error":{"kind":"timeout","message":"none"}})"
    "\n"
    R"({"index":9,"time":4000,"process":"nemesis","type":"info","f":"kill","value":{"id":1,"step":"heal"}})"
    "\n"
    R"({"index":10,"time":4100,"process":"nemesis","type":"info","f":"kill","value":{"id":1,"step":"healed"}})"
    "\n"
    R"({"index":11,"time":4200,"process":"nemesis","type":"info","f":"kill","value":{"id":1,"step":"recovered","evidence":"there"}})"
    "\n"
    R"({"index":12,"time":5000,"process":2,"type":"invoke","f":"read","key":1})"
    "\n"
    R"({"index":13,"time":6000,"process":2,"type":"ok","f":"read","key":1,"value":3})"
    "\n";

constexpr const char* kEnvironment =
    R"({"started":"2026-11-21T10:00:00Z","command":"ordeal run","log_pattern":"panic","nodes":["n1","n2","n3"],)"
    R"("environment":{"ordeal":"0.1.0","host":{"kernel":"Linux","processors":2},"target":{"n1":{"version":"3.4"}}},"outcome":{}})";

void write(const fs::path& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

class RunDirectories : public ::testing::Test {
 protected:
  void SetUp() override {
    RunRequest request;
    request.flags = {{"target", {"etcd", "--target"}},
                     {"workload", {"register", "--workload"}},
                     {"nodes", {"local:3", "--nodes"}},
                     {"nemesis", {"kill", "--nemesis"}},
                     {"seed", {"7", "--seed"}}};
    const auto plan = resolve(request);
    ASSERT_TRUE(plan) << plan.error().message;
    plan_ = plan->to_value().to_json();
    fs::create_directories(run_ / "nodes" / "n1");
    write(run_ / "nodes" / "n1" / "etcd.log", "all is well\n");
    restore();
  }
  void restore() {
    for (const auto& [name, text] : files()) write(run_ / name, text);
  }
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> files() const {
    return {{"plan.json", plan_}, {"history.jsonl", kHistory}, {"environment.json", kEnvironment}};
  }
  // Whether the run could be judged.
  [[nodiscard]] bool judged() const {
    Silence observer;
    const auto result = judge_run(run_.string(), observer);
    if (result) return true;
    EXPECT_EQ(result.error().code, ErrorCode::input) << result.error().message;
    EXPECT_NE(result.error().message.find(run_.string()), std::string::npos)
        << "no file is named: " << result.error().message;
    return false;
  }

  TemporaryDirectory directory_;
  fs::path run_ = fs::path(directory_.path()) / "etcd-register" / "20261121T100000Z";
  std::string plan_;
};

TEST_F(RunDirectories, WholeOnesAreJudged) {
  ASSERT_TRUE(judged());
  EXPECT_TRUE(fs::exists(run_ / "report.html"));
}

TEST_F(RunDirectories, MutatedOnesAreJudgedOrRefused) {
  Mutator mutator;
  int accepted = 0;
  for (int i = 0; i < 250 && !HasFailure(); ++i) {
    const auto all = files();
    const auto& [name, text] = all[mutator.below(all.size())];
    const std::string spoiled = mutator.mutated(text);
    write(run_ / name, spoiled);
    accepted += judged() ? 1 : 0;
    if (HasFailure()) ADD_FAILURE() << name << ": " << spoiled;
    write(run_ / name, text);
  }
  EXPECT_GT(accepted, 50);
  EXPECT_LT(accepted, 250);
}

TEST_F(RunDirectories, PlansThatAskForTheImpossibleAreRefused) {
  const auto spoil = [&](const std::string& from, const std::string& to) {
    std::string text = plan_;
    const std::size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
    write(run_ / "plan.json", text);
  };
  spoil("\"concurrency\":10", "\"concurrency\":2000000000");
  EXPECT_FALSE(judged());
  spoil("\"concurrency\":10", "\"concurrency\":-1");
  EXPECT_FALSE(judged());
  spoil("\"nemesis\":[\"kill\"]", "\"nemesis\":[\"kill\",\"kill\"]");
  EXPECT_TRUE(judged()) << "said twice is not said wrongly";
}

TEST_F(RunDirectories, FilesOfTheWrongKindAreNamed) {
  for (const char* name : {"plan.json", "history.jsonl"}) {
    fs::remove(run_ / name);
    fs::create_directory(run_ / name);
    EXPECT_FALSE(judged()) << name;
    fs::remove(run_ / name);
    restore();
  }
  fs::remove(run_ / "environment.json");
  fs::create_directory(run_ / "environment.json");
  EXPECT_TRUE(judged());
  write(run_ / "results.json", "{\"verdict\":");
  EXPECT_TRUE(judged()) << "it is written anew";
}

// A link came to stand in the report, or was written through; a FIFO was waited for.
TEST_F(RunDirectories, RegressWhatNoRunLeavesIsNeitherReadNorWrittenThrough) {
  ASSERT_TRUE(judged());
  const std::string victim = directory_.path() + "/victim";
  const fs::path folder = fs::path(directory_.path()) / "folder";
  fs::create_directory(folder);
  write(folder / "file", "panic: keep this secret\n");
  write(victim, plan_);
  const auto attempt = [&](const std::string& name, const std::string& to) {
    const fs::path at = run_ / name;
    fs::remove_all(at);
    fs::create_directories(at.parent_path());
    fs::create_symlink(to, at);
    Silence observer;
    const auto result = judge_run(run_.string(), observer);
    EXPECT_FALSE(result) << name << " -> " << to;
    if (!result) {
      EXPECT_EQ(result.error().code, ErrorCode::input);
      EXPECT_NE(result.error().message.find(at.string()), std::string::npos) << result.error().message;
    }
    EXPECT_EQ(read_text_file(victim).value_or(""), plan_) << name;
    EXPECT_EQ(std::distance(fs::directory_iterator(folder), fs::directory_iterator()), 1) << name;
    fs::remove(at);
    fs::create_directories(run_ / "nodes" / "n1");
    restore();
  };
  for (const char* name : {"plan.json", "history.jsonl", "environment.json", "results.json", "junit.xml", "report.html",
                           "report.html.part", "ledger.jsonl", "nodes/n1/more.log", "anomalies/1-x.svg"}) {
    for (const std::string& to :
         {victim, std::string("/dev/zero"), fs::path(name).filename().string(), std::string("/nowhere")}) {
      attempt(name, to);
    }
  }
  for (const char* name : {"nodes", "nodes/n1", "anomalies"}) attempt(name, folder.string());
  ASSERT_EQ(::mkfifo((run_ / "nodes/n1/fifo.log").c_str(), 0600), 0);
  EXPECT_FALSE(judged());
  fs::remove(run_ / "nodes/n1/fifo.log");
  fs::create_symlink("n1", run_ / "nodes/n2");
  EXPECT_TRUE(judged()) << "a link within the run";
  EXPECT_EQ(read_text_file((run_ / "report.html").string()).value_or("").find("secret"), std::string::npos);
}

}  // namespace
}  // namespace ordeal::testing
