// What a run keeps and records on its nodes on request: the nodes after a failure, packets, core dumps.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "base/value.h"
#include "tests/support/program.h"

namespace ordeal::testing {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::HasSubstr;

// A server of one line that is never asked: it answers nobody, and the adapter says what it likes.
class NodeRecords : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "local nodes need root";
    std::ofstream(directory_.path() + "/adapter.sh") << R"sh(while read -r line; do
  id=${line#*\"id\":}; id=${id%%,*}; id=${id%%\}*}
  case "$line" in
    *describe*) echo "{\"id\":$id,\"type\":\"ok\",\"protocol\":1,\"operations\":[\"read\",\"write\"]}" ;;
    *'"f":"read"'*) echo "{\"id\":$id,\"type\":\"ok\",\"value\":$VALUE}" ;;
    *) echo "{\"id\":$id,\"type\":\"ok\"}" ;;
  esac
done
)sh";
  }
  void TearDown() override {
    (void)run_program({ORDEAL_PROGRAM, "nodes", "down", "--all"}, seconds(60), environment());
  }
  std::map<std::string, std::string> environment() const {
    return {{"ORDEAL_RUNTIME_DIR", directory_.path() + "/runtime"}};
  }
  // Every read is `value`, whatever was written.
  ProgramResult run(const std::string& value, std::vector<std::string> more, const std::string& nodes = "local:2",
                    const std::string& time_limit = "1") {
    std::vector<std::string> words = {
        ORDEAL_PROGRAM,  "run",
        "--target",      "process",
        "--nodes",       nodes,
        "--workload",    "register",
        "--time-limit",  time_limit,
        "--rate",        "50",
        "--concurrency", "2",
        "--seed",        "1",
        "--set",         "register.cas=0",
        "--set",         "process.database=commands",
        "--set",         "process.command=env VALUE=" + value + " /bin/sh " + directory_.path() + "/adapter.sh"};
    words.insert(words.end(), more.begin(), more.end());
    return run_program(words, seconds(150), environment(), directory_.path());
  }
  ProgramResult ordeal(std::vector<std::string> words) {
    words.insert(words.begin(), ORDEAL_PROGRAM);
    return run_program(words, seconds(60), environment(), directory_.path());
  }
  static std::vector<std::string> started(const std::string& start) {
    return {"--set", "process.start=" + start, "--set", "process.pids=pgrep -x sleep"};
  }
  std::string file(const std::string& name) const { return directory_.path() + "/store/latest/" + name; }
  TemporaryDirectory directory_;
};

constexpr const char* kServer = "pgrep -x sleep || setsid sleep 600 </dev/null >/dev/null 2>&1 &";

TEST_F(NodeRecords, NodesStayAfterAnInvalidRunAndAreInNobodysWay) {
  auto with = started(kServer);
  with.emplace_back("--keep-nodes");
  const ProgramResult invalid = run("77", with);
  EXPECT_EQ(invalid.exit_code, 1) << invalid.out << invalid.err;
  EXPECT_THAT(invalid.err, HasSubstr("the nodes are kept"));
  const auto at = invalid.err.find("ordeal nodes down --name ");
  ASSERT_NE(at, std::string::npos);
  std::string name;
  std::istringstream(invalid.err.substr(at + 25)) >> name;
  while (!name.empty() && name.back() == '`') name.pop_back();
  const ProgramResult inside = ordeal({"nodes", "exec", "--name", name, "n1", "--", "pgrep -x sleep"});
  EXPECT_EQ(inside.exit_code, 0) << inside.err;
  EXPECT_NE(inside.out, "") << "the server runs on";
  EXPECT_EQ(ordeal({"heal", "store/latest"}).exit_code, 0);
  // The same addresses and names once more, beside the kept ones; and what is valid is not kept.
  const ProgramResult failed = run("77", started("echo 'no disk' >&2; exit 5"));
  EXPECT_EQ(failed.exit_code, 3) << failed.err;
  const ProgramResult status = ordeal({"nodes", "status"});
  EXPECT_THAT(status.out, HasSubstr("cluster " + name));
  EXPECT_EQ(ordeal({"nodes", "down", "--name", name}).exit_code, 0);
  EXPECT_THAT(ordeal({"nodes", "status"}).out, HasSubstr("no local cluster is up"));
}

// The target is let go again once its data is saved; the ledger of such a run had two runs in it.
TEST_F(NodeRecords, RegressNodesStayAfterARunThatWasFrozen) {
  auto with = started(kServer);
  with.insert(with.end(), {"--keep-nodes", "--fail-fast"});
  const ProgramResult frozen = run("77", with, "local:2", "60");
  EXPECT_EQ(frozen.exit_code, 1) << frozen.out << frozen.err;
  EXPECT_THAT(frozen.err, AllOf(HasSubstr("the run ends early, by an anomaly that was seen"), HasSubstr("are kept")));
  std::ifstream log(file("ordeal.log"));
  EXPECT_THAT(std::string(std::istreambuf_iterator<char>(log), {}), HasSubstr("the target stands still"));
  std::ifstream in(file("ledger.jsonl"));
  const std::string ledger(std::istreambuf_iterator<char>(in), {});
  EXPECT_THAT(ledger, HasSubstr("\"fault\":\"pause\""));
  EXPECT_EQ(ledger.find("\"entry\":\"run\""), ledger.rfind("\"entry\":\"run\""));
  const ProgramResult healed = ordeal({"heal", "store/latest"});
  EXPECT_EQ(healed.exit_code, 0) << healed.err;
  EXPECT_THAT(healed.out, HasSubstr("nothing to heal"));
  EXPECT_EQ(ordeal({"report", "store/latest"}).exit_code, 1);
  std::ifstream kept(file("kept.json"));
  const auto name = Value::from_json(std::string(std::istreambuf_iterator<char>(kept), {}));
  ASSERT_TRUE(name);
  const ProgramResult state = ordeal({"nodes", "exec", "--name", name->find("cluster")->string(), "n1", "--",
                                      "cut -d' ' -f3 /proc/$(pgrep -x sleep)/stat"});
  EXPECT_THAT(state.out, HasSubstr("S")) << "the server is there, and not held (T): " << state.out << state.err;
}

// Each of them left a cluster, for the stored run had been told to.
TEST_F(NodeRecords, RegressRepetitionsKeepNoNodes) {
  auto with = started(kServer);
  with.emplace_back("--keep-nodes");
  ASSERT_EQ(run("77", with).exit_code, 1);
  ASSERT_EQ(ordeal({"nodes", "down", "--all"}).exit_code, 0);
  const ProgramResult again = ordeal({"repro", "store/latest", "-n", "2", "--json"});
  EXPECT_EQ(again.exit_code, 1) << again.out << again.err;
  const ProgramResult shrunk = ordeal({"shrink", "store/latest", "-n", "1", "--budget", "6s", "--json"});
  EXPECT_THAT(shrunk.err, HasSubstr("the run as it is: ")) << shrunk.out;
  EXPECT_THAT(ordeal({"nodes", "status"}).out, HasSubstr("no local cluster is up"));
}

// Machines that were there before the run stay anyway; what is kept is the target that runs there.
TEST_F(NodeRecords, OnMachinesOfOnesOwnTheTargetGoesOn) {
  ASSERT_EQ(ordeal({"nodes", "up", "--nodes", "local:2", "--name", "mine"}).exit_code, 0);
  const std::string mine = "ssh:" + directory_.path() + "/runtime/mine/inventory";
  auto with = started(kServer);
  const auto serves = [&] {
    return ordeal({"nodes", "exec", "--name", "mine", "n2", "--", "pgrep -x sleep"}).exit_code;
  };
  EXPECT_EQ(run("77", with, mine).exit_code, 1);
  EXPECT_NE(serves(), 0) << "a careful guest leaves nothing";
  with.emplace_back("--keep-nodes");
  const ProgramResult kept = run("77", with, mine);
  EXPECT_EQ(kept.exit_code, 1) << kept.err;
  EXPECT_THAT(kept.err, HasSubstr("the target is left running on its nodes"));
  EXPECT_EQ(serves(), 0);
}

TEST_F(NodeRecords, NodesStayWhenTheTargetDidNotComeUp) {
  auto with = started("echo 'no disk' >&2; exit 5");
  with.emplace_back("--keep-nodes");
  const ProgramResult failed = run("77", with);
  EXPECT_EQ(failed.exit_code, 3) << failed.err;
  EXPECT_THAT(failed.err, HasSubstr("the nodes are kept"));
}

TEST_F(NodeRecords, WhatIsNotToBeHadIsToldBefore) {
  const ProgramResult containers = run("77", {"--keep-nodes", "--set", "process.start=true"}, "docker:2");
  EXPECT_EQ(containers.exit_code, 64);
  EXPECT_THAT(containers.err, HasSubstr("containers of a run end with it; use local:N"));
  const ProgramResult small = run("77", {"--set", "process.start=true", "--set", "nodes.capture-size=1M"});
  EXPECT_EQ(small.exit_code, 64);
  EXPECT_THAT(small.err, HasSubstr("nodes.capture-size=1M: 2000000 bytes or more"));
  const ProgramResult slip = run("77", {"--set", "process.start=true", "--set", "nodes.capure=true"});
  EXPECT_EQ(slip.exit_code, 64);
  EXPECT_THAT(slip.err, HasSubstr("did you mean \"nodes.capture\"?"));
}

TEST_F(NodeRecords, PacketsOfEveryNodeAreInTheRunsFolder) {
  auto with = started(
      "ping -c 2 -i 0.2 127.0.0.1 >/dev/null; setsid sleep 600 </dev/null >/dev/null 2>&1 & "
      "bash -c ': >/dev/udp/$0/9' 127.0.0.1");
  with.insert(with.end(), {"--set", "nodes.capture=true"});
  const ProgramResult result = run("77", with);
  if (result.err.find("there is no tcpdump") != std::string::npos) {
    EXPECT_EQ(result.exit_code, 3);
    EXPECT_THAT(result.err, HasSubstr("apt-get install tcpdump"));
    return;
  }
  EXPECT_EQ(result.exit_code, 1) << result.err;
  for (const char* node : {"n1", "n2"}) {
    const std::string packets = file(std::string("nodes/") + node + "/packets.pcap");
    ASSERT_TRUE(fs::exists(packets)) << packets << result.err;
    EXPECT_GE(fs::file_size(packets), 24u);
    const ProgramResult read = run_program({"tcpdump", "-r", packets});
    EXPECT_EQ(read.exit_code, 0) << read.err;
  }
  const ProgramResult wrong = run("77", {"--set", "process.start=true", "--set", "nodes.capture=true", "--set",
                                         "nodes.capture-filter=no such filter"});
  EXPECT_EQ(wrong.exit_code, 3) << wrong.err;
  EXPECT_THAT(wrong.err, HasSubstr("capturing packets (nodes.capture)"));
}

TEST_F(NodeRecords, CoreDumpsAreFetchedOrItIsToldWhyNot) {
  auto with =
      started("cd /var/tmp; setsid sleep 600 </dev/null >/dev/null 2>&1 & cd /root; sh -c 'kill -SEGV $$'; exit 0");
  with.insert(with.end(), {"--set", "nodes.cores=true"});
  const ProgramResult result = run("77", with);
  EXPECT_EQ(result.exit_code, 1) << result.err;
  std::string pattern;
  std::getline(std::ifstream("/proc/sys/kernel/core_pattern"), pattern);
  if (pattern.starts_with('|')) {
    EXPECT_THAT(result.err, HasSubstr("pipes them to a program"));
    return;
  }
  if (pattern != "core") GTEST_SKIP() << "cores are put elsewhere here: " << pattern;
  const std::string core = file("nodes/n1/cores/core.1.gz");
  ASSERT_TRUE(fs::exists(core)) << result.err;
  const ProgramResult head = run_program({"/bin/sh", "-c", "gzip -dc '" + core + "' | head -c 4"});
  EXPECT_EQ(head.out,
            "\x7f"
            "ELF");
}

}  // namespace
}  // namespace ordeal::testing
