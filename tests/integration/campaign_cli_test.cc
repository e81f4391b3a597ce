// Campaigns as their users run them: a file in, lines, a table and an exit code out. On the memory target.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/value.h"
#include "tests/integration/command.h"
#include "tests/support/program.h"

namespace ordeal::testing {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// Short runs of the memory target, and a file that asks for them. They hold some 300 operations: a bug that every run
// is to show needs a probability of 0.5 (with the default of 0.1 one in some dozens happened to be sound).
class Campaign : public ::testing::Test {
 protected:
  std::string file(const std::string& text, const std::string& name = "c.toml") const {
    const std::string path = folder_.path() + "/" + name;
    std::ofstream(path) << "target = \"memory\"\ntime-limit = \"600ms\"\nrate = 500\nstore = \"" << store() << "\"\n"
                        << text;
    return path;
  }
  std::string store() const { return folder_.path() + "/store"; }
  ProgramResult ordeal(std::vector<std::string> words) const {
    words.insert(words.begin(), ORDEAL_PROGRAM);
    return run_program(words, seconds(120), {}, folder_.path());
  }
  // The document of a campaign. Aborts the test when there is none.
  Value document(const ProgramResult& result) const {
    auto value = Value::from_json(result.out);
    EXPECT_TRUE(value) << result.out << result.err;
    return value ? *value : Value::map();
  }

  TemporaryDirectory folder_;
};

TEST_F(Campaign, EveryRunHasItsHeadingItsVerdictAndItsLineInTheTable) {
  const auto result = ordeal({"run", file("workload = [\"register\", \"set\"]\nseed = \"1..2\"\n")});
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  EXPECT_THAT(result.out, AllOf(HasSubstr("── run 1 of 4: memory register seed=1\nvalid"),
                                HasSubstr("── run 4 of 4: memory set seed=2\nvalid"), HasSubstr("4 runs: 4 valid"),
                                HasSubstr("\nrun                     verdict")));
}

TEST_F(Campaign, AKnownFindingThatStaysIsGreenAndOneThatIsGoneIsNot) {
  const std::string seeds = "seed = [1, 2]\n";
  const std::string matrix = "[set]\n\"memory.bug\" = [\"stale-read\", \"none\"]\n\"memory.bug-probability\" = 0.5\n";
  const auto known = ordeal(
      {"run", file(seeds + "[[expect]]\n\"memory.bug\" = \"stale-read\"\nverdict = \"invalid\"\n" + matrix), "--json"});
  EXPECT_EQ(known.exit_code, 0) << known.out << known.err;
  EXPECT_EQ(document(known).find("standing")->string(), "expected");

  const auto gone = ordeal({"run", file(seeds + "expect = \"invalid\"\n" + matrix)});
  EXPECT_EQ(gone.exit_code, 2) << gone.out << gone.err;
  EXPECT_THAT(gone.out, AllOf(HasSubstr("2 vanished, 2 expected"), HasSubstr("\"invalid\" was expected")));

  const auto other = ordeal({"run", file(seeds + "expect = \"invalid: lost-update\"\n" + matrix), "--json"});
  EXPECT_EQ(other.exit_code, 1) << other.out << other.err;
}

TEST_F(Campaign, SeedsOfTheCommandLineAndOfAMatrixContradict) {
  const auto result = ordeal({"run", file("seed = \"1..3\"\n"), "--seed", "7"});
  EXPECT_EQ(result.exit_code, 64);
  EXPECT_THAT(result.err, HasSubstr("names 3 seeds"));
}

TEST_F(Campaign, ADryRunSaysEverythingAndPlaysNothing) {
  const auto result = ordeal({"run", file("seed = [1, 2]\n"), "--dry-run", "--target", "etcd", "--nemesis", "partition",
                              "--time-limit", "60"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, AllOf(HasSubstr("2 runs, 2 min"), HasSubstr("etcd register partition seed=2"),
                                HasSubstr("iptables"), HasSubstr("unshare"), HasSubstr("With privilege")));
  EXPECT_FALSE(fs::exists(store()));
  const auto plans = ordeal({"run", file("seed = [1, 2]\n"), "--dry-run", "--json"});
  EXPECT_EQ(document(plans).items().size(), 2u);
  EXPECT_THAT(ordeal({"run", file("seed = [1, 2]\n"), "--dry-run"}).out, HasSubstr("Nothing is done with privilege"));
  // Side by side: those that may share take the time of one, and one that is alone its own.
  const auto beside = ordeal({"run", file("seed = [1, 2]\nnemesis = [\"kill\", \"slow\"]\njobs = 4\n"), "--dry-run",
                              "--target", "etcd", "--time-limit", "60"});
  EXPECT_THAT(beside.out, AllOf(HasSubstr("4 runs, 4 side by side, 3 min in their main"),
                                HasSubstr("\nalone: runs 2 and 4 (slow is")));
  // Four runs on machines of one's own take their turns, and it is told beforehand.
  const auto borrowed = ordeal({"run", file("seed = \"1..4\"\njobs = 4\nnodes = \"h1,h2,h3\"\n"), "--dry-run",
                                "--target", "etcd", "--time-limit", "60"});
  EXPECT_THAT(borrowed.out, AllOf(HasSubstr("4 runs, 4 side by side, 4 min in their main"),
                                  HasSubstr("\none at a time: runs 1, 2, 3 and 4 (host h1)\n")));
}

TEST_F(Campaign, FlagsSayHowItIsPlayed) {
  const std::string path = file("seed = [1, 2, 3]\n[set]\nmemory.bug = \"stale-read\"\nmemory.bug-probability = 0.5\n");
  const auto fast = ordeal({"run", path, "--fail-fast", "--json"});
  EXPECT_EQ(fast.exit_code, 1) << fast.err;
  EXPECT_EQ(document(fast).find("counts")->find("not started")->integer(), 2);
  const auto hunt = ordeal({"run", path, "--until-found", "--json"});
  EXPECT_EQ(document(hunt).find("counts")->find("not needed")->integer(), 2);
  EXPECT_EQ(ordeal({"run", path, "--budget", "soon"}).exit_code, 64);
}

// Without what differs from time to time.
void drop_times(Value& document) {
  document.set("directory", Value());
  Value runs = *document.find("runs");
  for (Value& run : runs.items()) run.set("when", Value());
  document.set("runs", std::move(runs));
}

std::size_t lines_of(const fs::path& file) {
  std::ifstream in(file);
  std::size_t out = 0;
  for (std::string line; std::getline(in, line) && !in.eof();) ++out;
  return out;
}

constexpr const char* kTwelveRuns =
    "workload = [\"register\", \"set\", \"counter\"]\nseed = \"1..2\"\nexpect = [{ \"memory.bug\" = \"lost-write\", "
    "verdict = "
    "\"invalid\" }]\n[set]\nmemory.bug = [\"none\", \"lost-write\"]\nmemory.bug-probability = 0.5\n";

TEST_F(Campaign, KilledAtTenMomentsAndResumedItEndsAsInOnePiece) {
  const std::string path = file(kTwelveRuns);
  Value whole = document(ordeal({"run", path, "--json"}));
  drop_times(whole);
  ASSERT_EQ(whole.find("runs")->items().size(), 12u);
  EXPECT_EQ(whole.find("standing")->string(), "expected");

  const std::string output = folder_.path() + "/output";
  const fs::path journal = store() + "/campaigns/latest/runs.jsonl";
  std::size_t done = 0;
  for (int kill = 0; kill < 10; ++kill) {
    const std::vector<std::string> words = kill == 0
                                               ? std::vector<std::string>{ORDEAL_PROGRAM, "run", path}
                                               : std::vector<std::string>{ORDEAL_PROGRAM, "run", "--resume", "latest"};
    std::ofstream(output).close();
    const fs::path before = fs::read_symlink(store() + "/campaigns/latest");
    Background run(words, output, folder_.path());
    // The first at least until it is in the store: what has no directory cannot be resumed.
    for (int i = 0; kill == 0 && i < 300 && fs::read_symlink(store() + "/campaigns/latest") == before; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(37 * (kill * 7 % 11)));
    run.signal(SIGKILL);
    (void)run.wait(seconds(10));
    // What a line of the output says was begun before the last one has ended, and is not lost.
    std::ifstream in(output);
    std::size_t begun = 0;
    for (std::string line; std::getline(in, line);) begun += line.starts_with("── run ") ? 1 : 0;
    const std::size_t now = lines_of(journal);
    EXPECT_GE(now + 1, done + begun) << kill;
    EXPECT_GE(now, done) << kill;
    done = now;
  }
  EXPECT_LT(done, 12u) << "killed too late to show anything";
  Value resumed = document(ordeal({"run", "--resume", "latest", "--json"}));
  drop_times(resumed);
  EXPECT_EQ(resumed, whole) << resumed.to_json() << whole.to_json();
  // All is done: nothing is played, the same is said.
  Value again = document(ordeal({"run", "--resume", "latest", "--json"}));
  drop_times(again);
  EXPECT_EQ(again, whole);
  EXPECT_EQ(lines_of(journal), 12u);
}

TEST_F(Campaign, AnInterruptedOneIsPlayedOn) {
  const std::string path = file("seed = \"1..4\"\n");
  const std::string output = folder_.path() + "/output";
  Background run({ORDEAL_PROGRAM, "run", path, "--time-limit", "2"}, output, folder_.path());
  for (int i = 0; i < 500 && lines_of(store() + "/campaigns/latest/runs.jsonl") < 1; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  run.signal(SIGINT);
  EXPECT_EQ(run.wait(seconds(60)), 2);
  std::ifstream in(output);
  const std::string said(std::istreambuf_iterator<char>(in), {});
  EXPECT_THAT(said, AllOf(HasSubstr("to play on: ordeal run --resume "), HasSubstr("not started")));
  const auto rest = ordeal({"run", "--resume", "latest", "--json"});
  EXPECT_EQ(rest.exit_code, 0) << rest.err;
  EXPECT_EQ(document(rest).find("summary")->string(), "4 runs: 4 valid");
  EXPECT_THAT(rest.err, HasSubstr("resuming"));
}

TEST_F(Campaign, SideBySideItIsWhatItIsOneByOne) {
  const std::string path = file(kTwelveRuns);
  Value whole = document(ordeal({"run", path, "--json"}));
  drop_times(whole);
  const auto result = ordeal({"run", path, "--jobs", "4", "--json"});
  Value beside = document(result);
  drop_times(beside);
  EXPECT_EQ(beside, whole) << result.err;
  EXPECT_THAT(result.err, AllOf(HasSubstr("[1] begins: "), HasSubstr("[12] begins: ")));
  // Two shards of it, each side by side, merged.
  for (const std::string shard : {"1", "2"}) {
    (void)ordeal({"run", path, "--jobs", "3", "--shard", shard + "/2", "--store", folder_.path() + "/s" + shard});
  }
  const auto merged = ordeal({"merge", "s1", "s2", "--json"});
  Value together = document(merged);
  drop_times(together);
  EXPECT_EQ(together, whole) << merged.err;
}

TEST_F(Campaign, SideBySideAHeadingStandsBesideItsVerdict) {
  const auto result = ordeal({"run", file("workload = [\"register\", \"set\"]\nseed = \"1..2\"\njobs = 4\n")});
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  for (const char* one : {"1 of 4: memory register seed=1", "2 of 4: memory register seed=2",
                          "3 of 4: memory set seed=1", "4 of 4: memory set seed=2"}) {
    EXPECT_THAT(result.out, HasSubstr(std::string("── run ") + one + "\nvalid"));
  }
  EXPECT_THAT(result.out, HasSubstr("4 runs: 4 valid"));
  EXPECT_EQ(ordeal({"run", file("seed = 1\njobs = 0\n")}).exit_code, 64);
}

// The processes of runs that somebody started: those whose parent is that one.
std::vector<pid_t> children_of(pid_t parent) {
  std::vector<pid_t> out;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const std::string stat = contents(entry.path() / "stat");
    const std::size_t at = stat.rfind(") ");
    if (at == std::string::npos || stat.size() < at + 4) continue;
    if (std::atoi(stat.c_str() + at + 4) == parent) out.push_back(std::stoi(name));
  }
  return out;
}

template <class Predicate>
bool within_s(int most, Predicate holds) {
  for (int i = 0; i < most * 50; ++i) {
    if (holds()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return holds();
}

// How many of the memory target's runs have that text in a file.
std::size_t runs_with(const std::string& store, const char* file, const char* text) {
  std::error_code none_yet;
  std::size_t out = 0;
  for (const auto& entry : fs::directory_iterator(store + "/memory-register", none_yet)) {
    if (!entry.is_symlink()) out += contents(entry.path() / file).find(text) != std::string::npos ? 1 : 0;
  }
  return out;
}

// Background leads a process group of its own, and signals that: the controller, and none of its runs.
TEST_F(Campaign, OneWishEndsAllThatAreSideBySide) {
  const std::string path = file("seed = \"1..5\"\njobs = 3\n");
  const std::string output = folder_.path() + "/output";
  Background run({ORDEAL_PROGRAM, "run", path, "--time-limit", "100"}, output, folder_.path());
  ASSERT_TRUE(within_s(60, [&] { return children_of(run.pid()).size() == 3; })) << contents(output);
  ASSERT_TRUE(within_s(60, [&] { return runs_with(store(), "history.jsonl", "\"ok\"") == 3; }));
  run.signal(SIGINT);
  EXPECT_EQ(run.wait(seconds(60)), 2);
  EXPECT_THAT(contents(output), HasSubstr("5 runs: 3 unknown, 2 not started"));
  EXPECT_EQ(runs_with(store(), "results.json", "interrupted after"), 3u);
}

TEST_F(Campaign, RunsWhoseControllerIsKilledEndByThemselves) {
  const std::string path = file("seed = \"1..4\"\njobs = 2\n");
  const std::string output = folder_.path() + "/output";
  Background run({ORDEAL_PROGRAM, "run", path, "--time-limit", "5"}, output, folder_.path());
  const fs::path journal = store() + "/campaigns/latest/runs.jsonl";
  // The third begins when one of the first two has ended.
  ASSERT_TRUE(within_s(60, [&] { return contents(output).find("[3] memory register") != std::string::npos; }));
  const std::size_t done = lines_of(journal);
  const std::vector<pid_t> runs = children_of(run.pid());
  EXPECT_GE(done, 1u);
  ASSERT_FALSE(runs.empty());
  run.signal(SIGKILL);
  (void)run.wait(seconds(10));
  // Resuming waits for them; only what was in progress is played again.
  const auto rest = ordeal({"run", "--resume", "latest", "--json"});
  EXPECT_EQ(rest.exit_code, 0) << rest.err;
  EXPECT_EQ(document(rest).find("summary")->string(), "4 runs: 4 valid");
  EXPECT_EQ(lines_of(journal), 4u);
  for (const pid_t one : runs) EXPECT_FALSE(fs::exists("/proc/" + std::to_string(one) + "/root")) << one;
  EXPECT_GE(runs_with(store(), "results.json", "\"reason\":\"interrupted"), 1u) << "killed too late to show anything";
}

TEST_F(Campaign, ARunThatCrashesTakesNoOtherAlong) {
  const std::string path = file("seed = \"1..2\"\njobs = 2\n");
  const std::string output = folder_.path() + "/output";
  Background run({ORDEAL_PROGRAM, "run", path, "--time-limit", "4"}, output, folder_.path());
  ASSERT_TRUE(within_s(60, [&] { return contents(output).find("[2] memory register") != std::string::npos; }));
  const std::vector<pid_t> runs = children_of(run.pid());
  ASSERT_EQ(runs.size(), 2u);
  kill(runs.front(), SIGKILL);
  EXPECT_EQ(run.wait(seconds(60)), 3) << contents(output);
  EXPECT_THAT(contents(output), AllOf(HasSubstr("2 runs: 1 failed, 1 valid"), HasSubstr("was ended by signal 9")));
}

// The last event of the newest run: how it ended.
Value last_record(const std::string& store) {
  std::ifstream in(store + "/latest/history.jsonl");
  std::string last;
  for (std::string line; std::getline(in, line);) last = line;
  const auto event = Value::from_json(last);
  const Value* value = event ? event->find("value") : nullptr;
  return value != nullptr && value->is_map() ? *value : Value::map();
}

std::string how_it_ended(const std::string& store) {
  const Value end = last_record(store);
  const Value* how = end.find("how");
  return how != nullptr && how->is_string() ? how->string() : "";
}

TEST_F(Campaign, FailFastEndsARunAtTheAnomalyThatIsSeen) {
  const std::string bug = "[set]\nmemory.bug = \"stale-read\"\nmemory.bug-probability = 0.01\n";
  const auto fast = ordeal({"run", file("seed = [1, 2]\n" + bug), "--fail-fast", "--time-limit", "90"});
  EXPECT_EQ(fast.exit_code, 1) << fast.err;
  EXPECT_THAT(fast.out, AllOf(HasSubstr("2 runs: 1 invalid, 1 not started"), HasSubstr("Stale read")));
  EXPECT_THAT(fast.err, HasSubstr("the run ends early, by an anomaly that was seen: stale read"));
  EXPECT_EQ(how_it_ended(store()), "anomaly");
  EXPECT_LT(last_record(store()).find("main_s")->real(), 60);
  EXPECT_THAT(fast.out, Not(HasSubstr("faults      nemesis"))) << "what ended it is no fault";
  EXPECT_THAT(contents(store() + "/latest/history.jsonl"), HasSubstr("\"step\":\"anomaly\""));
  const auto report = ordeal({"report", store() + "/latest"});
  EXPECT_EQ(report.exit_code, 1) << report.out;
  // Side by side it is the same.
  const auto beside = ordeal({"run", file("seed = [1, 2]\njobs = 2\n" + bug), "--fail-fast", "--time-limit", "90"});
  EXPECT_EQ(beside.exit_code, 1) << beside.err;
  EXPECT_EQ(how_it_ended(store()), "anomaly");
}

TEST_F(Campaign, WhatIsSoundExpectedOrShownOnlyInTheEndIsNotEndedEarly) {
  const std::string bug = "[set]\nmemory.bug = \"stale-read\"\nmemory.bug-probability = 0.5\n";
  EXPECT_EQ(ordeal({"run", file("seed = 1\n"), "--fail-fast", "--time-limit", "2"}).exit_code, 0);
  EXPECT_EQ(how_it_ended(store()), "complete");
  EXPECT_EQ(ordeal({"run", file("seed = 1\nexpect = \"invalid\"\n" + bug), "--fail-fast"}).exit_code, 0);
  EXPECT_EQ(how_it_ended(store()), "complete");
  const auto set = ordeal({"run", file("workload = \"set-full\"\nseed = 1\n"), "--fail-fast"});
  EXPECT_EQ(set.exit_code, 0) << set.err;
  EXPECT_THAT(set.err, HasSubstr("promises shows in the end"));
}

TEST_F(Campaign, OnEtcdFailFastFreezesTheTargetAndSavesItsData) {
  if (geteuid() != 0) GTEST_SKIP() << "SKIPPED: local nodes need root";
  if (access("/usr/bin/etcd", X_OK) != 0) GTEST_SKIP() << "SKIPPED: /usr/bin/etcd is not installed (etcd-server)";
  const std::string path = file(
      "seed = 1\nnemesis = \"partition\"\nnemesis-interval = \"1s\"\nnodes = \"local:3\"\n[set]\n"
      "\"etcd.serializable-reads\" = true\n");
  const auto run = ordeal({"run", path, "--fail-fast", "--target", "etcd", "--time-limit", "90", "--rate", "200"});
  EXPECT_EQ(run.exit_code, 1) << run.out << run.err;
  EXPECT_EQ(how_it_ended(store()), "anomaly") << run.err;
  const std::string log = contents(store() + "/latest/ordeal.log");
  EXPECT_THAT(log, HasSubstr("the target stands still"));
  for (const char* node : {"n1", "n2", "n3"}) {
    const std::string folder = store() + "/latest/nodes/" + node;
    EXPECT_GT(fs::file_size(folder + "/data.tar.gz"), 1000u);
    const auto listed = run_program({"/bin/tar", "-tzf", folder + "/data.tar.gz"});
    EXPECT_THAT(listed.out, HasSubstr("member/wal/")) << listed.err;
    EXPECT_FALSE(contents(folder + "/etcd.log").empty());
  }
  // What was done to it is undone: every fault and the freezing.
  const std::string ledger = contents(store() + "/latest/ledger.jsonl");
  std::size_t opened = 0, closed = 0;
  for (std::size_t at = 0; (at = ledger.find("\"entry\":\"open\"", at)) != std::string::npos; ++at) ++opened;
  for (std::size_t at = 0; (at = ledger.find("\"entry\":\"close\"", at)) != std::string::npos; ++at) ++closed;
  EXPECT_THAT(ledger, HasSubstr("\"fault\":\"pause\""));
  EXPECT_EQ(opened, closed);
}

TEST_F(Campaign, ResumingSaysNothingNewAndNamesWhatIsWrong) {
  EXPECT_EQ(ordeal({"run", "--resume", "latest"}).exit_code, 64);
  EXPECT_EQ(ordeal({"run", "--resume", "/tmp"}).exit_code, 64);
  const auto both = ordeal({"run", file("seed = 1\n"), "--resume", "latest"});
  EXPECT_EQ(both.exit_code, 64);
  EXPECT_THAT(both.err, HasSubstr("beside it only --store and --json"));
}

TEST_F(Campaign, AStoredRunIsPlayedAgainAndItsRateTold) {
  const auto first =
      ordeal({"run", "--target", "memory", "--time-limit", "1", "--rate", "500", "--seed", "1", "--store", store(),
              "--set", "memory.bug=lost-write", "--set", "memory.bug-probability=0.5"});
  ASSERT_EQ(first.exit_code, 1) << first.err;
  const std::string plan = store() + "/latest/plan.json";
  const auto before = Value::from_json(contents(plan));
  const auto again = ordeal({"repro", store() + "/latest", "-n", "4", "--json"});
  EXPECT_EQ(again.exit_code, 1) << again.err;
  const Value told = document(again);
  EXPECT_EQ(told.find("same")->find("seen")->integer(), 4) << again.out;
  EXPECT_EQ(told.find("same")->find("of")->integer(), 4);
  EXPECT_GT(told.find("same")->find("low")->real(), 0.5);
  // The same plan, seed included.
  const auto repeated = Value::from_json(contents(plan));
  ASSERT_TRUE(before && repeated);
  EXPECT_EQ(*before->find("seed"), *repeated->find("seed"));
  EXPECT_EQ(*before->find("rate"), *repeated->find("rate"));
  EXPECT_THAT(ordeal({"repro", store() + "/latest", "-n", "2"}).out, HasSubstr("an anomaly showed in 2 of 2 (100 %"));
  EXPECT_EQ(ordeal({"repro", "/nonexistent"}).exit_code, 64);
  EXPECT_EQ(ordeal({"repro", store() + "/latest", "-n", "0"}).exit_code, 64);
}

TEST_F(Campaign, HowOftenEachVerdictCameIsToldOverTheStore) {
  const std::string path = file("seed = \"1..3\"\n[set]\nmemory.bug = [\"none\", \"lost-write\"]\n");
  ASSERT_EQ(ordeal({"run", path, "--set", "memory.bug-probability=0.5", "--time-limit", "1"}).exit_code, 1);
  const auto told = ordeal({"stats", store(), "--json"});
  ASSERT_EQ(told.exit_code, 0) << told.err;
  const Value statistics = document(told);
  const Value& kinds = *statistics.find("kinds");
  ASSERT_EQ(kinds.items().size(), 2u) << told.out;
  for (const Value& kind : kinds.items()) {
    const bool bug = kind.find("name")->string().find("memory.bug=lost-write") != std::string::npos;
    EXPECT_EQ(kind.find("runs")->integer(), 3);
    const Value* rate = kind.find("verdicts")->find(bug ? "invalid" : "valid");
    ASSERT_NE(rate, nullptr) << told.out;
    EXPECT_EQ(rate->find("seen")->integer(), 3);
    EXPECT_NEAR(rate->find("low")->real(), 0.44, 0.01);
    EXPECT_EQ(kind.find("anomalies")->entries().empty(), !bug);
    EXPECT_FALSE(kind.find("flaky")->boolean());
  }
  // What was not judged, and what has links out of it, is left out and named.
  const fs::path run = fs::canonical(store() + "/latest");
  fs::remove(run / "results.json");
  fs::create_symlink("/etc/hostname", run / "results.json");
  const auto without = ordeal({"stats", store()});
  EXPECT_THAT(without.out, HasSubstr(": 2 runs\n"));
  EXPECT_THAT(without.err, HasSubstr("left out: " + run.string()));
  EXPECT_EQ(ordeal({"stats", "/nonexistent"}).exit_code, 64);
}

// Three bugs: what is left holds a quarter of the operations at most, takes a third of the time, and shows the same.
TEST_F(Campaign, AStoredRunIsMadeSmallerWhileItShowsTheSame) {
  for (const char* bug : {"stale-read", "lost-write", "duplicate"}) {
    const std::string out = folder_.path() + "/" + bug + ".toml";
    const std::string workload = bug == std::string("duplicate") ? "total-queue" : "register";
    const auto first = ordeal({"run", "--target", "memory", "--workload", workload, "--time-limit", "2", "--rate",
                               "300", "--seed", "7", "--store", store(), "--set", std::string("memory.bug=") + bug,
                               "--set", "memory.bug-probability=0.3"});
    ASSERT_EQ(first.exit_code, 1) << first.out << first.err;
    const auto shrunk = ordeal({"shrink", store() + "/latest", "--output", out, "--json"});
    ASSERT_EQ(shrunk.exit_code, 0) << shrunk.out << shrunk.err;
    const Value told = document(shrunk);
    EXPECT_TRUE(told.find("confirmed")->boolean());
    EXPECT_GE(told.find("rate")->find("seen")->integer(), 9) << shrunk.out;
    const Value& before = *told.find("before");
    const Value& after = *told.find("after");
    EXPECT_LE(4 * after.find("operations")->integer(), before.find("operations")->integer()) << shrunk.out;
    EXPECT_LE(3 * after.find("seconds")->real(), before.find("seconds")->real()) << shrunk.out;
    EXPECT_EQ(after.find("nodes")->string(), "local:1");
    EXPECT_THAT(shrunk.err, HasSubstr("── the rule: a reduction is taken when"));
    // The file is a campaign, and shows the same anomaly. Nothing but what confirmed it is kept.
    const std::string type = told.find("anomaly")->string();
    const auto again = ordeal({"run", out, "--store", store() + "/again", "--json"});
    EXPECT_TRUE(again.exit_code == 1 || again.exit_code == 0) << again.err;  // nine of ten show it
    EXPECT_THAT(contents(out), AllOf(HasSubstr("while it shows " + type), HasSubstr("\"memory.bug\" = ")));
    const std::string directory = told.find("directory")->string();
    EXPECT_TRUE(fs::exists(directory + "/shrink.json"));
    EXPECT_FALSE(fs::exists(directory + "/runs/trial"));
    EXPECT_TRUE(fs::exists(directory + "/runs/latest/results.json"));
  }
}

TEST_F(Campaign, WhatCannotBeMadeSmallerIsRefusedOrSaid) {
  ASSERT_EQ(
      ordeal({"run", "--target", "memory", "--time-limit", "1", "--rate", "500", "--seed", "1", "--store", store()})
          .exit_code,
      0);
  const auto sound = ordeal({"shrink", store() + "/latest", "--json"});
  EXPECT_EQ(sound.exit_code, 64);
  EXPECT_THAT(sound.err, HasSubstr("showed no anomaly (valid)"));
  EXPECT_EQ(document(sound).find("verdict")->string(), "unknown");
  EXPECT_EQ(ordeal({"shrink", "/nonexistent"}).exit_code, 64);
  EXPECT_EQ(ordeal({"shrink", store() + "/latest", "--budget", "soon"}).exit_code, 64);
  ASSERT_EQ(ordeal({"run", "--target", "memory", "--time-limit", "1", "--rate", "500", "--seed", "1", "--store",
                    store(), "--set", "memory.bug=lost-write", "--set", "memory.bug-probability=0.5"})
                .exit_code,
            1);
  const auto other = ordeal({"shrink", store() + "/latest", "--anomaly", "G1c"});
  EXPECT_EQ(other.exit_code, 64);
  EXPECT_THAT(other.err, HasSubstr("did not show \"G1c\"; it showed nonlinearizable"));
  // A store of somebody else's with a link out of the run's directory.
  const fs::path run = fs::canonical(store() + "/latest");
  fs::remove(run / "results.json");
  fs::create_symlink("/etc/hostname", run / "results.json");
  EXPECT_EQ(ordeal({"shrink", run.string()}).exit_code, 64);
  EXPECT_FALSE(fs::exists(store() + "/shrunk"));
}

TEST_F(Campaign, AnInterruptedShrinkingLeavesTheBestSoFar) {
  ASSERT_EQ(ordeal({"run", "--target", "memory", "--time-limit", "1", "--seed", "1", "--rate", "500", "--store",
                    store(), "--set", "memory.bug=lost-write", "--set", "memory.bug-probability=0.5"})
                .exit_code,
            1);
  const std::string output = folder_.path() + "/output", file = folder_.path() + "/small.toml";
  Background run({ORDEAL_PROGRAM, "shrink", store() + "/latest", "--output", file}, output, folder_.path());
  for (int i = 0; i < 3000 && !fs::exists(file); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  run.signal(SIGINT);
  EXPECT_EQ(run.wait(seconds(60)), 2);
  EXPECT_THAT(contents(output), AllOf(HasSubstr("stopped     interrupted"), HasSubstr("was not confirmed")));
  EXPECT_THAT(contents(file), HasSubstr("# Not confirmed yet"));
  EXPECT_EQ(ordeal({"run", file, "--dry-run"}).exit_code, 0);
}

TEST_F(Campaign, WhatIsNewAndGoneBetweenTwoIsTold) {
  const std::string sound = file("seed = [1, 2]\n");
  const std::string bug = "memory.bug=lost-write";
  const std::string often = "memory.bug-probability=0.5";
  ASSERT_EQ(ordeal({"run", sound, "--store", store() + "/a"}).exit_code, 0);
  ASSERT_EQ(ordeal({"run", sound, "--store", store() + "/b", "--set", bug, "--set", often}).exit_code, 1);
  const auto worse = ordeal({"compare", store() + "/a", store() + "/b/campaigns/latest"});
  EXPECT_EQ(worse.exit_code, 1) << worse.err;
  EXPECT_THAT(worse.out, HasSubstr("new          memory register seed=1: nonlinearizable"));
  const auto better = ordeal({"compare", store() + "/b", store() + "/a", "--json"});
  EXPECT_EQ(better.exit_code, 0);
  EXPECT_EQ(document(better).find("differences")->items().front().find("kind")->string(), "gone");
  EXPECT_EQ(ordeal({"compare", store() + "/a", store() + "/a"}).out, "no difference\n");
  // Two runs.
  EXPECT_THAT(ordeal({"compare", store() + "/a/latest", store() + "/b/latest"}).out,
              HasSubstr("new          run: nonlinearizable"));
  EXPECT_EQ(ordeal({"compare", "/nonexistent", store() + "/a"}).exit_code, 64);
}

// A real system on local nodes: the controller is killed in the second of two runs, and the campaign played on.
TEST_F(Campaign, OnEtcdAKilledOneIsPlayedOnAndItsFaultsAreConfirmed) {
  if (geteuid() != 0) GTEST_SKIP() << "SKIPPED: local nodes need root";
  if (access("/usr/bin/etcd", X_OK) != 0) GTEST_SKIP() << "SKIPPED: /usr/bin/etcd is not installed (etcd-server)";
  const std::string path =
      file("nodes = \"local:3\"\nnemesis = [\"\", \"pause\"]\nseed = 1\nnemesis-interval = 1\nnemesis-duration = 2\n");
  const std::vector<std::string> flags = {"--target", "etcd", "--time-limit", "8", "--rate", "50"};
  const std::string output = folder_.path() + "/output";
  std::vector<std::string> words = {ORDEAL_PROGRAM, "run", path};
  words.insert(words.end(), flags.begin(), flags.end());
  {
    Background run(words, output, folder_.path());
    for (int i = 0; i < 3000 && contents(output).find("run 2 of 2") == std::string::npos; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    ASSERT_THAT(contents(output), HasSubstr("── run 2 of 2: etcd register pause seed=1"));
    run.signal(SIGKILL);
    (void)run.wait(seconds(10));
  }
  const auto rest = ordeal({"run", "--resume", "latest", "--json"});
  const Value told = document(rest);
  EXPECT_EQ(rest.exit_code, 0) << rest.out << rest.err;
  EXPECT_THAT(rest.err, HasSubstr("of 2 runs 1 have ended"));
  const Value* when = told.find("runs")->items().at(1).find("when");
  ASSERT_NE(when, nullptr) << rest.out;
  EXPECT_GT(when->find("confirmed")->integer(), 0) << rest.out;
}

}  // namespace
}  // namespace ordeal::testing
