// What people read on the console: lists, the manual, doctor, heal and the words of `check`.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

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
  // Of the server that writes this log, when it listens.
  static std::string port_of(const std::string& log) {
    for (int i = 0; i < 600; ++i) {
      std::ifstream in(log);
      const std::string text((std::istreambuf_iterator<char>(in)), {});
      const auto end = text.find("/  (Ctrl-C");
      if (end != std::string::npos) return text.substr(text.rfind(':', end) + 1, end - text.rfind(':', end) - 1);
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return "";
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
  // Operands by their names, options with what they take, flags with nothing.
  for (const char* option : {"\n.TP\n\\fIfiles\\fR\nhistory files;", "\n.TP\n\\fB\\-\\-timeout\\fR \\fITIME\\fR\n",
                             "\n.TP\n\\fB\\-\\-json\\fR\n"})
    EXPECT_THAT(manual.out, HasSubstr(option));
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
  EXPECT_THAT(ordeal({"doctor", "--json"}, {{"PATH", "/nonexistent"}}).out,
              HasSubstr("etcd.binary=FILE)\",\"advice\":\"apt-get install etcd-server\"}"));
}

TEST_F(Console, NodesRefusesWhatIsNoSetting) {
  const auto refused = ordeal({"nodes", "up", "--set", "nonsense"});
  EXPECT_EQ(refused.exit_code, 64);
  EXPECT_THAT(refused.err, HasSubstr("--set: KEY=VALUE was expected, found \"nonsense\""));
}

// `check --set K=V FILE` took FILE for a second setting, and said that there was no file. (regress)
TEST_F(Console, RegressASettingIsOneWord) {
  const std::string file = write("bank.jsonl", R"({"process":0,"type":"invoke","f":"read","value":null})"
                                               "\n"
                                               R"({"process":0,"type":"ok","f":"read","value":{"0":50,"1":50}})"
                                               "\n");
  const auto checked =
      ordeal({"check", "--workload", "bank", "--set", "bank.accounts=2", "--set", "bank.total=100", file});
  EXPECT_NE(checked.exit_code, 64) << checked.err;
  const std::string campaign = write("one.toml", "target = \"memory\"\nworkload = \"register\"\n");
  const auto planned = ordeal({"run", "--dry-run", "--set", "register.operations-per-key=7", campaign});
  EXPECT_EQ(planned.exit_code, 0) << planned.err;
  const auto left_over = ordeal({"nodes", "up", "--set", "local.storage=/nonexistent", "local.storage=/elsewhere"});
  EXPECT_EQ(left_over.exit_code, 64);
  EXPECT_THAT(left_over.err, HasSubstr("local.storage=/elsewhere"));
}

// What is drawn over and over: on a terminal, which `script` (of every Debian) provides.
TEST_F(Console, ProgressIsDrawnOnATerminal) {
  const std::string run = std::string(ORDEAL_PROGRAM) +
                          " run --target memory --workload set --time-limit 0.2 --rate 100 --store " +
                          directory_.path();
  const auto drawn = run_program({"script", "-qec", run, "/dev/null"});
  EXPECT_EQ(drawn.exit_code, 0) << drawn.out;
  EXPECT_THAT(drawn.out, HasSubstr("\033[K    0 s  opening    0 ok, 0 info, 0 fail\r"));
  EXPECT_THAT(drawn.out, Not(HasSubstr("faults:")));
}

// Seconds went by between the last operation and the verdict, and nothing was said.
TEST_F(Console, RegressWhatFollowsTheMainPhaseIsTold) {
  const std::vector<std::string> arguments = {
      "run",    "--target", "memory", "--workload", "set",     "--time-limit",   "0.2",
      "--rate", "100",      "--seed", "1",          "--store", directory_.path()};
  const auto told = ordeal(arguments);
  EXPECT_EQ(told.exit_code, 0) << told.out;
  std::size_t at = 0;
  for (const char* stage : {" s  healing ", " s  recovering ", " s  final ", " s  closing ",
                            "\nreading the history …\n", "\nchecking ", "\nwriting the report …\n"}) {
    const std::size_t found = told.err.find(stage, at);
    ASSERT_NE(found, std::string::npos) << stage << " in " << told.err;
    at = found;
  }
  EXPECT_THAT(told.err, Not(HasSubstr("\033")));
  std::string run = ORDEAL_PROGRAM;
  for (const auto& argument : arguments) run += " " + argument;
  const auto drawn = run_program({"script", "-qec", run, "/dev/null"});
  for (const char* stage : {"\033[K    0 s  healing ", "\033[Kreading the history …", "\033[Kchecking ",
                            "\033[Kwriting the report …\r\033[K"}) {
    EXPECT_THAT(drawn.out, HasSubstr(stage));
  }
}

TEST_F(Console, ServeHasAnIndexOfTheStore) {
  const std::string log = directory_.path() + "/log";
  Background server({ORDEAL_PROGRAM, "serve", directory_.path(), "--port", "0"}, log);
  const std::string port = port_of(log);
  const std::string get =
      "exec 3<>/dev/tcp/127.0.0.1/" + port + " && printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3 && cat <&3";
  EXPECT_THAT(run_program({"/bin/bash", "-c", get}).out,
              AllOf(HasSubstr("200 OK"), HasSubstr("<h1>Runs in " + directory_.path())));
  server.signal(SIGTERM);
  EXPECT_EQ(server.wait(std::chrono::seconds(60)), 0);
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

// The name of a function, of a file or of a target began lines that looked like a verdict of ours.
TEST_F(Console, RegressANameDoesNotBeginALine) {
  const std::string name = "odd\nVALID  it is all right\n";
  const std::string file =
      write(name,
            "{:process 0 :type :invoke :f :write :value 1}\n{:process 0 :type :ok :f :write :value 1}\n"
            "{:process \"x\\nVALID\" :type :invoke :f :read :value nil}\n"
            "{:process \"x\\nVALID\" :type :ok :f :read :value \"a\\nVALID  b\"}\n"
            "{:process 2 :type :invoke :f \"read\\nVALID  r\" :value nil}\n"
            "{:process 2 :type :ok :f \"read\\nVALID  r\" :value 1}\n");
  for (const auto& words : {std::vector<std::string>{"check", "--model", "register", file},
                            std::vector<std::string>{"check", "--model", "register", file, file},
                            std::vector<std::string>{"check", file + "-not-there"},
                            std::vector<std::string>{"heal", file}, std::vector<std::string>{"report", file},
                            std::vector<std::string>{"run", "--target", "memory\nVALID", "--dry-run"}}) {
    const auto told = ordeal(words);
    for (const std::string& stream : {told.out, told.err}) {
      for (const std::string& line : lines(stream))
        EXPECT_FALSE(line.starts_with("VALID")) << words[0] << ": " << stream;
    }
  }
}

TEST_F(Console, RegressServeAnswersOnlyForTheStore) {
  const std::string run = "a/20261121T100000.000Z";
  std::filesystem::create_directories(directory_.path() + "/store/" + run);
  write("store/" + run + "/plan.json", "{}");
  const std::string secret = write("secret", R"({"verdict":"secret"})");
  std::filesystem::create_symlink(secret, directory_.path() + "/store/" + run + "/results.json");
  write("store/" + run + "/x.svg", "<svg/>");
  const std::string log = directory_.path() + "/log";
  Background server({ORDEAL_PROGRAM, "serve", directory_.path() + "/store", "--port", "0"}, log);
  const std::string port = port_of(log);
  const auto get = [&](const std::string& path, const std::string& host) {
    return run_program({"/bin/bash", "-c",
                        "exec 3<>/dev/tcp/127.0.0.1/" + port + " && printf 'GET " + path +
                            " HTTP/1.0\\r\\nHost: " + host + "\\r\\n\\r\\n' >&3 && cat <&3"})
        .out;
  };
  EXPECT_THAT(get("/", "localhost:" + port),
              AllOf(HasSubstr("200 OK"), HasSubstr("unfinished"), Not(HasSubstr("secret"))));
  EXPECT_THAT(get("/runs/" + run + "/results.json", "127.0.0.1"), HasSubstr("404"));
  EXPECT_THAT(get("/runs/" + run + "/x.svg", "127.0.0.1"), HasSubstr("Content-Security-Policy: sandbox"));
  EXPECT_THAT(get("/", "evil.example:" + port), HasSubstr("403"));
  server.signal(SIGTERM);
  EXPECT_EQ(server.wait(std::chrono::seconds(60)), 0);
}

// Steps are told of the three simplest anomalies.
TEST_F(Console, CheckExplainsTheFirstAnomaliesStepByStep) {
  std::string text;
  for (const char* key : {"1", "2", "3", "4", "5"}) {
    for (const char* write : {"1", "2"}) {
      for (const char* type : {"invoke", "ok"})
        text += "{:process 0 :type :" + std::string(type) + " :f :write :value [" + key + " " + write + "]}\n";
    }
    text += "{:process 0 :type :invoke :f :read :value [" + std::string(key) +
            " nil]}\n{:process 0 :type :ok :f :read " + ":value [" + key + " 1]}\n";
  }
  const auto told = ordeal({"check", "--model", "register", "--independent", write("stale.edn", text)});
  std::vector<std::string> steps;
  for (const auto& line : lines(told.out)) {
    if (line.starts_with("  1. ") || line.starts_with("     - ") || line.starts_with("  4. "))
      steps.push_back(line.substr(0, 7));
  }
  EXPECT_THAT(told.out, HasSubstr("\n  5. "));
  ASSERT_GE(steps.size(), 8u) << told.out;
  EXPECT_EQ(steps.front(), "  1. St");
  EXPECT_EQ(steps.back(), "  4. St") << told.out;
}

}  // namespace
}  // namespace ordeal::testing
