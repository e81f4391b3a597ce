// What people read on the console: lists, the manual, doctor, heal and the words of `check`.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/text.h"
#include "base/value.h"
#include "tests/support/program.h"

namespace ordeal::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

ProgramResult ordeal(std::vector<std::string> arguments, const std::map<std::string, std::string>& environment = {}) {
  arguments.insert(arguments.begin(), ORDEAL_PROGRAM);
  return run_program(arguments, std::chrono::seconds(60), environment);
}

class Console : public ::testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& text) const {
    const std::string path = directory_.path() + "/" + name;
    std::ofstream(path) << text;
    return path;
  }
  TemporaryDirectory directory_;
};

TEST_F(Console, OptionsAreListedWithDefaultRangeAndChoices) {
  const auto workload = ordeal({"list", "workloads", "register"});
  EXPECT_EQ(workload.exit_code, 0);
  EXPECT_THAT(workload.out, StartsWith("Workloads\n  register\n"));
  EXPECT_THAT(workload.out, HasSubstr("\n      promise     Each key is a linearizable register"));
  EXPECT_THAT(workload.out, HasSubstr("\n      operations  read, write and cas\n"));
  EXPECT_THAT(workload.out, HasSubstr("      --set register.operations-per-key=100\n"
                                      "          operations on a key before the next one [1 to 1000000000]\n"));
  EXPECT_THAT(workload.out, HasSubstr("[auto, small and unique]"));
  const auto target = ordeal({"list", "targets", "memory"});
  EXPECT_THAT(target.out,
              HasSubstr("      --set memory.partition-every=1s\n"
                        "          time between two simulated partitions; for lost-update [1ms or more]\n"));
  EXPECT_THAT(target.out, HasSubstr("--set memory.bank-accounts=8\n          accounts of the bank [1 or more]\n"));
}

TEST_F(Console, TypesOfOptionsAreNamed) {
  const auto listed = ordeal({"list", "faults", "partition", "--json"});
  ASSERT_TRUE(Value::from_json(listed.out)) << listed.out;
  EXPECT_THAT(listed.out,
              AllOf(HasSubstr(R"("key":"partition.shape","type":"string")"), Not(HasSubstr(R"("type":"")"))));
}

// Entries of one line: all that is said of them begins in one column.
TEST_F(Console, NamesAreAColumn) {
  const auto listed = ordeal({"list", "models"});
  std::size_t column = 0;
  for (const auto& line : lines(listed.out)) {
    if (!line.starts_with("  ") || line.starts_with("   ")) continue;
    const std::size_t name = line.find(' ', 2);
    const std::size_t help = line.find_first_not_of(' ', name);
    if (column == 0) column = help;
    EXPECT_EQ(help, column) << line;
    EXPECT_GE(help, name + 2) << line;
  }
  EXPECT_GT(column, 4u);
}

TEST_F(Console, TheManualHasItsSections) {
  const auto manual = ordeal({"manual"});
  EXPECT_EQ(manual.exit_code, 0);
  std::size_t at = 0;
  for (const char* section :
       {".TH ORDEAL 1 ", ".SH NAME\n", ".SH SYNOPSIS\n.B ordeal\n.I COMMAND\n.RI [ OPTION ]...\n", ".SH DESCRIPTION\n",
        ".SH COMMANDS\n", ".SS \"run\"\n", ".SH EXIT STATUS\n", ".SH ENVIRONMENT\n", ".SH FILES\n"}) {
    const std::size_t found = manual.out.find(section, at);
    ASSERT_NE(found, std::string::npos) << section;
    at = found;
  }
}

// A program is installed where PATH, or a folder of the system's administrator, has it.
TEST_F(Console, DoctorLooksForProgramsAndSaysWhatToInstall) {
  const auto with = [&](const std::string& path) { return ordeal({"doctor"}, {{"PATH", path}}).out; };
  EXPECT_THAT(with("/nonexistent"), HasSubstr("apt-get install etcd-server"));
  const std::string program = write("etcd", "#!/bin/sh\n");
  EXPECT_THAT(with(directory_.path()), HasSubstr("apt-get install etcd-server")) << "it may not be run";
  ASSERT_EQ(::chmod(program.c_str(), 0755), 0);
  EXPECT_THAT(with("/nonexistent:" + directory_.path()),
              AllOf(HasSubstr("etcd                 installed"), Not(HasSubstr("apt-get install etcd-server"))));
  EXPECT_THAT(with("/nonexistent"), HasSubstr(" free disk here "));
}

TEST_F(Console, HealSaysWhatItDid) {
  const std::string begun = R"({"entry":"run","run":"ab","nodes":"local:2"})"
                            "\n";
  write("ledger.jsonl", begun);
  EXPECT_EQ(ordeal({"heal", directory_.path()}).out, "nothing to heal: no fault is in force\n");
  EXPECT_EQ(ordeal({"heal", directory_.path(), "--json"}).out, "{\"healed\":true,\"steps\":[]}\n");
  write("ledger.jsonl", begun + R"({"entry":"open","id":"ab-1","fault":"pause","undo":[{"node":"n1","script":"true"}]})"
                                "\n");
  const std::string why = "the node was made for the run and is gone, and the fault with it";
  EXPECT_EQ(ordeal({"heal", directory_.path()}).out, "healed  ab-1 on n1: " + why + "\n");
  EXPECT_EQ(ordeal({"heal", directory_.path(), "--json"}).out,
            R"({"healed":true,"steps":[{"id":"ab-1","node":"n1","done":true,"message":")" + why + "\"}]}\n");
}

TEST_F(Console, CheckHonoursItsOptions) {
  const std::string file =
      write("history.edn",
            "{:process 0 :type :invoke :f :write :value 1}\n{:process 0 :type :ok :f :write :value 1}\n"
            "{:process 0 :type :invoke :f :read :value nil}\n{:process 0 :type :ok :f :read :value 1}\n");
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"check", "--json", "--model", "register", file});
    return ordeal(std::move(more));
  };
  EXPECT_THAT(with({}).out, HasSubstr(R"("verdict":"valid")"));
  EXPECT_THAT(with({"--algorithm", "jit"}).out, HasSubstr(R"("algorithm":"jit")"));
  EXPECT_THAT(with({"--algorithm", "zones"}).out, HasSubstr(R"("algorithm":"zones")"));
  EXPECT_THAT(with({"--timeout", "0"}).out, HasSubstr(R"("verdict":"valid")")) << "no limit";
  EXPECT_EQ(with({"--timeout", "-1"}).exit_code, 64);
  EXPECT_EQ(with({"--timeout", "1000000001"}).exit_code, 64);
}

TEST_F(Console, CheckTellsAnomaliesAndLevels) {
  const std::string file = write("history.edn",
                                 "{:process 0 :type :invoke :f :txn :value [[:append 1 1] [:r 2 nil]]}\n"
                                 "{:process 1 :type :invoke :f :txn :value [[:append 2 1] [:r 1 nil]]}\n"
                                 "{:process 0 :type :ok :f :txn :value [[:append 1 1] [:r 2 [1]]]}\n"
                                 "{:process 1 :type :ok :f :txn :value [[:append 2 1] [:r 1 [1]]]}\n");
  const auto all = ordeal({"check", "--model", "list-append", "--consistency", "strongest", file});
  EXPECT_EQ(all.exit_code, 1);
  EXPECT_THAT(all.out, HasSubstr("\n  strongest level that holds: strong-read-uncommitted\n"));
  EXPECT_THAT(all.out, HasSubstr("\n  ruled out: read-committed (G1c)\n"));
  const auto queue = ordeal({"check", "--workload", "set-full",
                             write("set.edn",
                                   "{:process 0 :type :invoke :f :add :value 7}\n"
                                   "{:process 0 :type :ok :f :add :value 7}\n"
                                   "{:process 0 :type :invoke :f :read :value nil}\n"
                                   "{:process 0 :type :ok :f :read :value [9]}\n")});
  EXPECT_EQ(queue.exit_code, 1) << queue.out << queue.err;
}

}  // namespace
}  // namespace ordeal::testing
