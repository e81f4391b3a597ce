// Clusters of several kinds of machines. A local node says of itself what `uname -m` says there, so that one can be
// told to be of another kind; what it is sent then is run by an emulator (qemu-user) where there is one.

#include "nemesis/node/node_program.h"

#include <gmock/gmock.h>
#include <sys/utsname.h>

#include <sstream>

#include "nemesis/node/agent_program.h"
#include "nemesis/node/node_state.h"
#include "nemesis/node/parallel.h"
#include "nemesis/storage/disk_program.h"
#include "tests/nemesis/fault_fixture.h"
#include "tests/support/program.h"

namespace ordeal {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::run_program;
using ::testing::StartsWith;
using testing_support::FaultTest;

constexpr const char* kId = "test-1";

std::string own_machine() {
  utsname names{};
  ::uname(&names);
  return names.machine;
}
std::string other_machine() { return own_machine() == "x86_64" ? "aarch64" : "x86_64"; }
// The field e_machine of an ELF file: 62 for x86_64, 183 for aarch64.
std::string elf_machine(const std::string& machine) { return machine == "x86_64" ? "62" : "183"; }
std::string emulator() { return "qemu-" + other_machine(); }

bool has_other(NodeProgram program) { return !program_bytes(program, other_machine()).empty(); }

class NodeProgramTest : public FaultTest {
 protected:
  // n1 is what this machine is, n2 of the other kind, n3 of one that nobody has built for.
  void SetUp() override {
    FaultTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    say_machine(1, other_machine());
    say_machine(2, "riscv64");
  }
  void say_machine(std::size_t node, const std::string& machine) {
    on(node, "printf '#!/bin/sh\\n[ \"$1\" = -m ] && echo " + machine +
                 " || exec /bin/uname \"$@\"\\n' >/usr/local/bin/uname; " + "chmod 755 /usr/local/bin/uname");
  }
  void arm_node(std::size_t node, const std::string& body = "exit 0") {
    on(node, arm_script(kId, undo_script(kId, "test", body), 3600));
  }
  void undo_node(std::size_t node, const std::string& body = "exit 0") { on(node, undo_script(kId, "test", body)); }
  // Why what runs on the other kind of machine cannot be tried here; empty when it can.
  std::string no_emulation() {
    if (!has_other(NodeProgram::agent)) return "this build has no agent for " + other_machine();
    return on(1, "command -v " + emulator() + " || exit 0").empty() ? "no " + emulator() + " here" : "";
  }
  // Puts the agent on n2 and has the emulator run it.
  Result<std::string> emulated(const std::string& words) {
    return install_and_run(cluster().at(1), kId, NodeProgram::agent, emulator() + " " + agent_path(kId) + " " + words,
                           Deadline::after_s(20));
  }
};

TEST_F(NodeProgramTest, EachNodeGetsThatOfItsKind) {
  if (!has_other(NodeProgram::agent)) GTEST_SKIP() << "this build has no agent for " << other_machine();
  const std::string look = "od -An -tu2 -j18 -N2 " + agent_path(kId) + " | tr -d ' \\n'";
  for (std::size_t node : {0U, 1U}) arm_node(node);
  const auto own = install_and_run(cluster().at(0), kId, NodeProgram::agent, look, Deadline::after_s(60));
  ASSERT_TRUE(own) << own.error().message;
  EXPECT_EQ(*own, elf_machine(own_machine()));
  const auto other = install_and_run(cluster().at(1), kId, NodeProgram::agent, look, Deadline::after_s(60));
  ASSERT_TRUE(other) << other.error().message;
  EXPECT_EQ(*other, elf_machine(other_machine()));
  // It is looked at once more on the node, whatever it was thought to be.
  say_machine(1, own_machine());
  const auto changed = install_and_run(cluster().at(1), kId, NodeProgram::agent, look, Deadline::after_s(60));
  ASSERT_FALSE(changed);
  EXPECT_THAT(changed.error().message,
              HasSubstr("is for " + other_machine() + ", and this node is " + own_machine() + " now"));
  for (std::size_t node : {0U, 1U}) undo_node(node);
  EXPECT_EQ(remains(), "");
}

// A run that could do nothing to a node fails before it begins: exit code 3 (every code but usage and input).
TEST_F(NodeProgramTest, AKindWithoutAProgramIsRefusedBeforeTheRun) {
  options_.declare(nemesis_options());
  target_->data = {"/var/lib/data"};
  DriverOptions options;
  options.ledger_path = ledger_path();
  for (const auto& [fault, program] :
       {std::pair("clock", "agent"), std::pair("latency", "agent"), std::pair("disk", "disk")}) {
    const auto nemesis = make_driver(options, context(), faults_named({fault}), missing_needs(cluster()));
    ASSERT_FALSE(nemesis) << fault;
    EXPECT_EQ(nemesis.error().code, ErrorCode::unsupported);
    EXPECT_THAT(nemesis.error().message,
                AllOf(HasSubstr("n3: it is a machine of kind riscv64"), HasSubstr(own_machine()),
                      HasSubstr(std::string("or the faults that need the ") + program)));
  }
  // What needs no program of ours does not ask for one.
  auto nemesis =
      make_driver(options, context(), faults_named({"kill", "pause", "partition"}), missing_needs(cluster()));
  ASSERT_TRUE(nemesis) << nemesis.error().message;
  EXPECT_TRUE((*nemesis)->set_up(Deadline::after_s(20)));
  EXPECT_EQ(remains(), "");
}

TEST_F(NodeProgramTest, TheOtherAgentKillsLimitsAndAnswersOfWhatCannotBe) {
  if (const std::string why = no_emulation(); !why.empty()) GTEST_SKIP() << why;
  const std::string folder = fault_folder(kId);
  const std::string body =
      "[ -x " + agent_path(kId) + " ] || exit 0\n" + emulator() + " " + agent_path(kId) + " limit undo " + folder;
  arm_node(1, body);
  // A process of our own to work on, whose limits are high.
  const std::string pid = on(1, "ulimit -n 1000; setsid sleep 300 >/dev/null 2>&1 </dev/null & echo $!").substr(0, 10);
  const std::string number = pid.substr(0, pid.find('\n'));
  const auto limits = [&] {
    return on(1, "sed -n 's/^Max open files *\\([0-9]*\\) .*/\\1/p' /proc/" + number + "/limits");
  };
  EXPECT_EQ(limits(), "1000\n");
  const auto lowered = emulated("limit start " + folder + " files 2 " + number);
  ASSERT_TRUE(lowered) << lowered.error().message;
  EXPECT_EQ(*lowered, number + " 5\n");
  EXPECT_EQ(limits(), "5\n");

  // What an emulator cannot do ends with words, and leaves nothing behind.
  const auto refused = [&](const std::string& words, const std::string& message) {
    const auto done = emulated(words);
    ASSERT_FALSE(done) << words;
    EXPECT_THAT(done.error().message, HasSubstr(message));
  };
  refused("clock start " + folder + " " + kId + " 0 0 1000 " + number, "process " + number);
  refused("slow start " + folder + " 50 100 " + number, "process " + number);
  refused("packets start " + folder + " 1 'loss 1000'", "no netfilter socket");
  refused("host-clock start " + folder + " 0 0 0 1000000", "Operation not permitted");
  on(1, "rm " + folder + "/host-clock");

  const std::string killed = "started=$(sed 's/.*) //' /proc/" + number + "/stat | cut -d' ' -f20)\n" + emulator() +
                             " " + agent_path(kId) + " strike at $(" + emulator() + " " + agent_path(kId) +
                             " strike clock | cut -d' ' -f1) " + number + ":";
  const auto not_this = on(1, killed + "1");
  EXPECT_EQ(not_this, "") << "another process of that number is not touched";
  EXPECT_NE(limits(), "");
  undo_node(1, body);
  EXPECT_EQ(remains(), "");
  EXPECT_EQ(limits(), "1000\n");
  arm_node(1);
  ASSERT_TRUE(emulated("strike clock"));
  EXPECT_NE(on(1, killed + "$started"), "");
  EXPECT_EQ(on(1, "sed 's/.*) //' /proc/" + number + "/stat 2>/dev/null | grep -v ^Z; exit 0"), "");
  undo_node(1);
  EXPECT_EQ(remains(), "");
}

// Both kinds of agents understand each other: what one sends the other counts, and answers.
TEST_F(NodeProgramTest, AgentsOfBothKindsProbeTheLinksBetweenThem) {
  if (const std::string why = no_emulation(); !why.empty()) GTEST_SKIP() << why;
  for (std::size_t node : {0U, 1U}) arm_node(node);
  const auto probe = [&](const std::string& kind) {
    const std::string common = "probe " + kind + " 47999 4711 20 200 500 8000 ";
    const auto said = on_each({0, 1}, [&](std::size_t node) {
      if (node == 1) return emulated(common + "2=" + address(0) + " 1");
      return install_and_run(cluster().at(0), kId, NodeProgram::agent,
                             agent_path(kId) + " " + common + "1=" + address(1) + " 2", Deadline::after_s(20));
    });
    std::string out;
    for (const auto& one : said) out += one ? *one : one.error().message;
    return out;
  };
  EXPECT_THAT(probe("datagrams"),
              AllOf(HasSubstr("sent 1 20 20 "), HasSubstr("got 1 20 0 0 4000 "), HasSubstr("sent 2 20 20 "),
                    HasSubstr("got 2 20 0 0 4000 "), HasSubstr("node 0 0")));
  EXPECT_THAT(probe("connections"),
              AllOf(HasSubstr("conversation 1 20 closed"), HasSubstr("conversation 2 20 closed")));
  const auto names = emulated("probe names");
  ASSERT_TRUE(names) << names.error().message;
  EXPECT_THAT(*names, StartsWith("name 127.77.0.53 answered 0\n"));
  for (std::size_t node : {0U, 1U}) undo_node(node);
  EXPECT_EQ(remains(), "");
}

TEST(NodeProgram, WhatIsMissingIsNamedAndWhatHelps) {
  EXPECT_THAT(program_missing(NodeProgram::disk, "n7", "aarch64"),
              AllOf(StartsWith("n7 is a machine of kind aarch64, and this Ordeal has its disk program for "),
                    HasSubstr("g++-aarch64-linux-gnu installed"), HasSubstr("make build")));
  EXPECT_THAT(program_missing(NodeProgram::agent, "n7", "x86_64"), HasSubstr("g++-x86-64-linux-gnu installed"));
  EXPECT_THAT(program_missing(NodeProgram::agent, "n7", "s390x"), Not(HasSubstr("g++")));
}

// The code for a wrong clock, and the jumps to it (clock_code/clock_code.cc).
TEST(ClockCode, IsRightOnThisMachine) {
  const auto done =
      run_program({ORDEAL_CLOCK_CODE "/clock_code", ORDEAL_CLOCK_CODE "/clock_image.so"}, std::chrono::seconds(20));
  EXPECT_EQ(done.exit_code, 0) << done.err;
}

TEST(ClockCode, IsRightOnTheOtherKindOfMachine) {
  if (!has_other(NodeProgram::agent)) GTEST_SKIP() << "this build has no agent for " << other_machine();
  const std::string folder = ORDEAL_BINARY_FOLDER "/nemesis/" + other_machine() + "/bin/";
  const auto done = run_program({"/usr/bin/env", emulator(), folder + "clock_code", folder + "clock_image.so"},
                                std::chrono::seconds(20));
  if (done.exit_code == 127) GTEST_SKIP() << "no " << emulator() << " here";
  EXPECT_EQ(done.exit_code, 0) << done.err;
}

}  // namespace
}  // namespace ordeal
