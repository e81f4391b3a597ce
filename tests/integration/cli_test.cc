// The program as its user runs it: arguments in, exit code, standard output and files out.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
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

struct BadInput {
  std::string name;
  std::vector<std::string> arguments;
  int exit_code;
  std::string complaint;
};

class BadInputTest : public ::testing::TestWithParam<BadInput> {};

TEST_P(BadInputTest, IsNamedAndLeavesNothing) {
  const TemporaryDirectory directory;
  std::vector<std::string> arguments = {ORDEAL_PROGRAM};
  arguments.insert(arguments.end(), GetParam().arguments.begin(), GetParam().arguments.end());
  const ProgramResult result = run_program(arguments, seconds(30), {}, directory.path());
  EXPECT_FALSE(result.timed_out);
  EXPECT_EQ(result.exit_code, GetParam().exit_code) << result.err;
  EXPECT_THAT(result.err, HasSubstr(GetParam().complaint));
  EXPECT_EQ(result.out, "");
}

// Reading counts, too: a budget that is too small ends in `unknown` with the reason, wherever it runs out.
TEST(Check, KeepsWithinTimeAndMemory) {
  const TemporaryDirectory directory;
  {
    std::ofstream file(directory.path() + "/h");
    for (int i = 0; i < 200'000; ++i) {
      const std::string client = std::to_string(i % 9),
                        value = "\"f\":\"txn\",\"value\":[[\"append\",1," + std::to_string(i) + "]]}\n";
      file << "{\"process\":" << client << ",\"type\":\"invoke\"," << value << "{\"process\":" << client
           << ",\"type\":\"ok\"," << value;
    }
  }
  for (const auto& [option, value, reason] : {std::array{"--timeout", "0.001", "the time limit was reached"},
                                              std::array{"--memory", "1M", "the memory limit was reached"},
                                              std::array{"--memory", "30M", "the memory limit was reached"}}) {
    const auto result = run_program(ordeal({"check", "--json", "h", option, value}), seconds(60), {}, directory.path());
    EXPECT_EQ(result.exit_code, 2) << option << " " << value << result.err;
    const auto document = Value::from_json(result.out);
    ASSERT_TRUE(document) << result.out;
    EXPECT_EQ(document->find("verdict")->string(), "unknown");
    EXPECT_THAT(document->find("reason")->string(), HasSubstr(reason));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Cli, BadInputTest,
    ::testing::Values(
        BadInput{"no_subcommand", {}, 64, "subcommand"},
        BadInput{"subcommand", {"chekc"}, 64, "did you mean \"check\"?"},
        BadInput{"flag", {"run", "--tarket", "memory"}, 64, "--tarket"},
        BadInput{"target",
                 {"run", "--target", "ectd"},
                 64,
                 "did you mean \"etcd\"? Known: cockroachdb, etcd, log, memory, postgres, process and redis."},
        BadInput{"no_target", {"run"}, 64, "known: cockroachdb, etcd, log, memory, postgres, process and redis"},
        BadInput{"workload", {"run", "--target", "memory", "--workload", "regster"}, 64, "did you mean \"register\"?"},
        BadInput{"fault", {"run", "--target", "etcd", "--nemesis", "partiton"}, 64, "did you mean \"partition\"?"},
        BadInput{"option", {"run", "--target", "etcd", "--set", "etcd.foo=1"}, 64, "unknown option \"etcd.foo\""},
        BadInput{"setting", {"run", "--target", "etcd", "--set", "etcd.foo"}, 64, "KEY=VALUE was expected"},
        BadInput{"rate", {"run", "--target", "memory", "--rate", "fast"}, 64, "--rate: operations a second"},
        BadInput{"concurrency", {"run", "--target", "memory", "--concurrency", "0"}, 64, "from 1 to"},
        BadInput{"nodes", {"run", "--target", "etcd", "--nodes", "local:0"}, 64, "from 1 to 200"},
        BadInput{"inventory", {"run", "--target", "etcd", "--nodes", "ssh:/nonexistent"}, 64, "/nonexistent"},
        BadInput{"refused", {"run", "--target", "etcd", "--nodes", "127.0.0.1", "--time-limit", "1"}, 3, "127.0.0.1"},
        BadInput{"campaign_is_a_directory", {"run", "/tmp"}, 64, "/tmp: is a directory"},
        BadInput{"campaign_is_a_device", {"run", "/dev/zero"}, 64, "/dev/zero: is a device"},
        BadInput{"history_is_a_device", {"check", "/dev/zero"}, 64, "/dev/zero: is a device"},
        BadInput{"history_is_a_directory", {"check", "/tmp"}, 64, "/tmp: is a directory"},
        BadInput{"inventory_is_a_device",
                 {"run", "--target", "etcd", "--nodes", "ssh:/dev/zero"},
                 64,
                 "/dev/zero: is a device"},
        BadInput{"ledger_is_a_device", {"heal", "/dev/zero"}, 64, "/dev/zero: is a device"},
        BadInput{"campaign", {"run", "/nonexistent.toml"}, 64, "/nonexistent.toml: No such file"},
        BadInput{"adapter", {"run", "--target", "process"}, 64, "process.command"},
        BadInput{"fault_does_not_fit", {"run", "--target", "memory", "--nemesis", "kill"}, 64, "no processes"},
        BadInput{
            "no_fault_fits", {"run", "--target", "memory", "--nemesis", "all"}, 64, "fault partition: target memory"},
        BadInput{"timeline",
                 {"run", "--target", "etcd", "--set", R"(nemesis.timeline=[{"fault":"kil"}])"},
                 64,
                 "did you mean \"kill\"?"},
        BadInput{"timeline_time",
                 {"run", "--target", "etcd", "--set", R"(nemesis.timeline=[{"fault":"kill","at":"soon"}])"},
                 64,
                 "entry 1 (kill): `at`"},
        BadInput{"timeline_and_faults",
                 {"run", "--target", "etcd", "--nemesis", "pause", "--set", R"(nemesis.timeline=[{"fault":"kill"}])"},
                 64,
                 "the timeline has no fault \"pause\""},
        BadInput{"history", {"check", "/nonexistent"}, 64, "/nonexistent"},
        BadInput{"format", {"check", "/etc/passwd"}, 64, "/etc/passwd:1: is no history"},
        BadInput{"model", {"check", "--model", "regster", "/dev/null"}, 64, "/dev/null"},
        BadInput{"list", {"list", "fault"}, 64, "did you mean \"faults\"?"},
        BadInput{"list_name",
                 {"list", "faults", "partitoin"},
                 64,
                 "unknown fault \"partitoin\"; did you mean \"partition\"?"},
        BadInput{"report", {"report", "/tmp"}, 64, "plan.json"},
        BadInput{"heal", {"heal", "/tmp"}, 64, "no run's directory"},
        BadInput{"heal_new_nodes", {"heal", "--nodes", "local:3"}, 64, "would bring up new nodes"},
        BadInput{"heal_new_containers", {"heal", "--nodes", "docker:3"}, 64, "would bring up new nodes"},
        BadInput{"heal_of_no_ledger", {"heal", "/etc/passwd"}, 64, "this is not a ledger"},
        BadInput{"serve", {"serve", "/nonexistent"}, 64, "no directory"}),
    [](const auto& bad) { return bad.param.name; });

TEST(Check, SeveralFilesGiveOneArrayAndTheWorstExitCode) {
  const TemporaryDirectory directory;
  const auto write = [&](const char* name, const std::string& text) {
    std::ofstream(fs::path(directory.path()) / name) << text;
  };
  const std::string set =
      "{\"process\":0,\"type\":\"invoke\",\"f\":\"write\",\"value\":1}\n"
      "{\"process\":0,\"type\":\"ok\",\"f\":\"write\",\"value\":1}\n"
      "{\"process\":1,\"type\":\"invoke\",\"f\":\"read\"}\n";
  write("good", set + "{\"process\":1,\"type\":\"ok\",\"f\":\"read\",\"value\":1}\n");
  write("bad", set + "{\"process\":1,\"type\":\"ok\",\"f\":\"read\",\"value\":2}\n");
  write("broken", "{\"process\":0,\"type\":\"ok\",\"f\":\"write\",\"value\":1}\n");
  const auto result = run_program(ordeal({"check", "--model", "register", "--json", "good", "bad", "broken"}),
                                  seconds(30), {}, directory.path());
  EXPECT_EQ(result.exit_code, 1) << result.err;
  const auto document = Value::from_json(result.out);
  ASSERT_TRUE(document) << result.out;
  ASSERT_EQ(document->items().size(), 3u);
  const auto verdict = [&](std::size_t i) { return document->items()[i].find("verdict")->string(); };
  EXPECT_EQ(verdict(0), "valid");
  EXPECT_EQ(verdict(1), "invalid");
  EXPECT_EQ(verdict(2), "unknown");
  EXPECT_EQ(document->items()[1].find("file")->string(), "bad");
  EXPECT_THAT(result.err, HasSubstr("broken"));

  const auto one = run_program(ordeal({"check", "--model", "register", "--json", "--report", "r.html", "good"}),
                               seconds(30), {}, directory.path());
  EXPECT_EQ(one.exit_code, 0) << one.err;
  const auto single = Value::from_json(one.out);
  ASSERT_TRUE(single) << one.out;
  EXPECT_EQ(single->find("verdict")->string(), "valid");
  EXPECT_EQ(single->find("operations")->integer(), 2);
  EXPECT_GT(fs::file_size(fs::path(directory.path()) / "r.html"), 1000u);
}

TEST(Run, TheSamePlanIsResolvedFromFlagsAndFromACampaign) {
  const TemporaryDirectory directory;
  std::ofstream(fs::path(directory.path()) / "c.toml") << "target = \"memory\"\nrate = 50\nseed = 9\n";
  const auto flags = run_program(ordeal({"run", "--target", "memory", "--rate", "50", "--seed", "9", "--dry-run"}),
                                 seconds(30), {}, directory.path());
  const auto file = run_program(ordeal({"run", "c.toml", "--dry-run"}), seconds(30), {}, directory.path());
  ASSERT_EQ(flags.exit_code, 0) << flags.err;
  ASSERT_EQ(file.exit_code, 0) << file.err;
  auto a = Value::from_json(flags.out);
  auto b = Value::from_json(file.out);
  ASSERT_TRUE(a);
  ASSERT_TRUE(b);
  EXPECT_EQ(a->find("origins")->find("rate")->string(), "--rate");
  EXPECT_EQ(b->find("origins")->find("rate")->string(), "c.toml:2");
  a->set("origins", Value());
  b->set("origins", Value());
  EXPECT_EQ(*a, *b);
}

TEST(Run, TheCommandThatRepeatsARunGivesItsPlan) {
  const TemporaryDirectory directory;
  const auto run = run_program(
      ordeal({"run", "--target", "memory", "--rate", "50", "--poisson", "false", "--recovery", "2500ms", "--time-limit",
              "0.2", "--seed", "1", "--set", "register.keys=3", "--set", "memory.latency=1ms", "--json"}),
      seconds(30), {}, directory.path());
  const auto document = Value::from_json(run.out);
  ASSERT_TRUE(document) << run.err;
  const std::string command = document->find("command")->string();
  const std::string folder = fs::path(ORDEAL_PROGRAM).parent_path().string();
  const auto again = run_program({"/bin/sh", "-c", "PATH=" + folder + ":$PATH; " + command + " --dry-run"}, seconds(30),
                                 {}, directory.path());
  ASSERT_EQ(again.exit_code, 0) << command << again.err;
  auto repeated = Value::from_json(again.out);
  auto first = Value::from_json(contents(directory.path() + "/store/latest/plan.json"));
  ASSERT_TRUE(repeated);
  ASSERT_TRUE(first);
  for (auto* plan : {&*repeated, &*first}) {
    plan->set("origins", Value());
    for (auto& [key, option] : plan->entries()) {
      if (key != Value("options")) continue;
      for (auto& [name, setting] : option.entries()) setting.set("origin", Value());
    }
  }
  EXPECT_EQ(*repeated, *first) << command;
}

// ---- one document, whatever happens

using Words = std::vector<std::string>;
class OneDocument : public ::testing::TestWithParam<std::pair<int, Words>> {};

TEST_P(OneDocument, IsPrintedAlsoWhenThereIsNoResult) {
  const TemporaryDirectory directory;
  Words words = {ORDEAL_PROGRAM};
  words.insert(words.end(), GetParam().second.begin(), GetParam().second.end());
  words.emplace_back("--json");
  const auto result = run_program(words, seconds(60), {}, directory.path());
  EXPECT_EQ(result.exit_code, GetParam().first) << result.err;
  const auto document = Value::from_json(result.out);
  ASSERT_TRUE(document) << result.out;
  EXPECT_EQ(document->find("verdict")->string(), "unknown");
  ASSERT_NE(document->find("error"), nullptr) << result.out;
  EXPECT_FALSE(document->find("error")->string().empty());
  EXPECT_NE(result.err, "");
}

INSTANTIATE_TEST_SUITE_P(
    Cli, OneDocument,
    ::testing::Values(std::pair{64, Words{"chekc"}}, std::pair{64, Words{"run", "--tarket", "memory"}},
                      std::pair{64, Words{"run"}}, std::pair{64, Words{"run", "/nonexistent.toml"}},
                      std::pair{64, Words{"run", "--target", "memory", "--rate", "fast"}},
                      std::pair{64, Words{"run", "--target", "memory", "--nemesis", "kill"}},
                      std::pair{3, Words{"run", "--target", "etcd", "--nodes", "127.0.0.1", "--time-limit", "1"}},
                      std::pair{64, Words{"check"}}, std::pair{64, Words{"check", "/nonexistent"}},
                      std::pair{64, Words{"check", "/dev/null", "--timeout", "soon"}},
                      std::pair{64, Words{"check", "/dev/null", "/dev/null", "--report", "r.html"}},
                      std::pair{64, Words{"report", "/nonexistent"}}, std::pair{64, Words{"report", "/tmp"}},
                      std::pair{64, Words{"list", "fault"}}, std::pair{64, Words{"list", "faults", "partitoin"}},
                      std::pair{3, Words{"nodes", "status", "--name", "nobody"}}, std::pair{64, Words{"heal", "/tmp"}},
                      std::pair{64, Words{"heal", "--nodes", "local:3"}}));

// ---- runs that came to a bad end are not green, whoever looks

std::string junit_of(const std::string& store) { return contents(store + "/latest/junit.xml"); }

TEST(Run, InterruptedIsUnknownNowAndLater) {
  const TemporaryDirectory directory;
  for (const int number : {SIGINT, SIGTERM}) {
    const std::string store = directory.path() + "/" + std::to_string(number);
    Background run(ordeal({"run", "--target", "memory", "--workload", "set", "--time-limit", "60", "--seed", "1",
                           "--store", store}),
                   directory.path() + "/output");
    ASSERT_TRUE(writes(store + "/latest/history.jsonl", "\"ok\""));
    run.signal(number);
    EXPECT_EQ(run.wait(seconds(30)), 2) << contents(directory.path() + "/output");
    EXPECT_THAT(contents(directory.path() + "/output"), HasSubstr("of 60 s, no final reads"));
    EXPECT_THAT(junit_of(store), HasSubstr("<error type=\"unknown\" message=\"Interrupted after"));
    const auto report = run_program(ordeal({"report", store + "/latest", "--json"}));
    EXPECT_EQ(report.exit_code, 2);
    EXPECT_THAT(report.out, HasSubstr("no final reads"));
  }
}

// Names, values and words of a history, an argument, a file's name: shown, and never obeyed.
TEST(Cli, RegressATerminalIsNotHandedWhatItWouldObey) {
  const TemporaryDirectory directory;
  const std::string file = directory.path() + "/\x1b[31m.jsonl";
  std::ofstream(file) << R"({"process":"p\u001b[2J","type":"invoke","f":"read","key":"k\u202e"})"
                         "\n"
                      << R"({"process":"p\u001b[2J","type":"ok","f":"read","value":"v\u009b","key":"k\u202e"})"
                         "\n"
                      << R"({"process":1,"type":"invoke","f":"f\u001b]0;x\u0007","value":1,"key":1})"
                         "\n";
  for (const auto& words :
       {std::vector<std::string>{"check", file, "--model", "register"},
        std::vector<std::string>{"check", file, file, "--model", "register"},
        std::vector<std::string>{"check", file, "--model", "register", "--json"},
        std::vector<std::string>{"check", file + "x"}, std::vector<std::string>{"run", "--target", "\x1b[2J"},
        std::vector<std::string>{"check", file, "--\x1b[2J"}}) {
    std::vector<std::string> command = ordeal({});
    command.insert(command.end(), words.begin(), words.end());
    const auto result = run_program(command);
    const std::string all = result.out + result.err;
    EXPECT_EQ(all.find('\x1b'), std::string::npos) << all;
    EXPECT_EQ(all.find('\x07'), std::string::npos) << all;
    EXPECT_EQ(all.find("\xc2\x9b"), std::string::npos) << all;
    EXPECT_EQ(all.find("\u202e"), std::string::npos) << all;
    EXPECT_NE(all.find("\\u"), std::string::npos) << all;
  }
}

TEST(Cli, RegressWhatCannotBePrintedIsNotGreen) {
  const TemporaryDirectory directory;
  const std::string file = directory.path() + "/h.jsonl";
  std::ofstream(file) << R"({"process":1,"type":"invoke","f":"write","value":1})"
                      << "\n"
                      << R"({"process":1,"type":"ok","f":"write","value":1})"
                      << "\n"
                      << R"({"process":1,"type":"invoke","f":"read"})"
                      << "\n"
                      << R"({"process":1,"type":"ok","f":"read","value":1})"
                      << "\n";
  ASSERT_EQ(run_program(ordeal({"check", file, "--model", "register"})).exit_code, 0);
  const std::string check = std::string(ORDEAL_PROGRAM) + " check --model register " + file;
  for (const std::string& more : std::vector<std::string>{"", " --json", " " + file, " --json " + file}) {
    const auto result = run_program({"/bin/sh", "-c", check + more + " >/dev/full"});
    EXPECT_EQ(result.exit_code, 3) << more << result.err;
    EXPECT_THAT(result.err, HasSubstr("writing standard output: No space left on device")) << more;
  }
}

// As timeout(1) does it, to the program and to its process group; and as a terminal that closes.
TEST(Run, RegressASignalThatComesTwiceIsOneWish) {
  const TemporaryDirectory directory;
  for (const int number : {SIGTERM, SIGHUP}) {
    const std::string store = directory.path() + "/" + std::to_string(number);
    Background run(ordeal({"run", "--target", "memory", "--workload", "set", "--time-limit", "60", "--seed", "1",
                           "--store", store}),
                   directory.path() + "/output");
    ASSERT_TRUE(writes(store + "/latest/history.jsonl", "\"ok\""));
    for (int i = 0; i < 3; ++i) run.signal(number);
    EXPECT_EQ(run.wait(seconds(30)), 2) << contents(directory.path() + "/output");
    EXPECT_THAT(junit_of(store), HasSubstr("<error type=\"unknown\" message=\"Interrupted after"));
    EXPECT_EQ(contents(directory.path() + "/output").find("not waiting for the checkers"), std::string::npos);
  }
}

TEST(Run, AKilledControllersRunIsUnknown) {
  const TemporaryDirectory directory;
  const std::string& store = directory.path();
  Background run(ordeal({"run", "--target", "memory", "--time-limit", "60", "--seed", "1", "--store", store}),
                 store + "/output");
  ASSERT_TRUE(writes(store + "/latest/history.jsonl", "\"ok\""));
  run.signal(SIGKILL);
  EXPECT_EQ(run.wait(seconds(5)), 128 + SIGKILL);
  for (int i = 0; i < 2; ++i) {  // results.json of the first time is no proof that the run ended
    const auto report = run_program(ordeal({"report", store + "/latest"}));
    EXPECT_EQ(report.exit_code, 2) << report.out;
    EXPECT_THAT(report.out, HasSubstr("the controller was killed"));
    EXPECT_THAT(junit_of(store), HasSubstr("<error type=\"unknown\" message=\"The controller was killed"));
  }
}

TEST(Run, ACampaignThatWasCutIsNotGreen) {
  const TemporaryDirectory directory;
  const std::string& store = directory.path();
  std::ofstream(store + "/c.toml") << "target = \"memory\"\nseed = [1, 2, 3]\ntime-limit = 5\nstore = \"" << store
                                   << "\"\n";
  Background run(ordeal({"run", store + "/c.toml", "--json"}), store + "/output");
  ASSERT_TRUE(writes(store + "/output", "seed 2"));
  run.signal(SIGINT);
  EXPECT_EQ(run.wait(seconds(30)), 2) << contents(store + "/output");
  const std::string output = contents(store + "/output");
  const auto at = output.find("{\"verdict\"");
  ASSERT_NE(at, std::string::npos) << output;
  const auto document = Value::from_json(output.substr(at));
  ASSERT_TRUE(document) << output;
  EXPECT_EQ(document->find("verdict")->string(), "unknown");
  const auto& runs = document->find("runs")->items();
  ASSERT_EQ(runs.size(), 3u);
  EXPECT_EQ(runs[0].find("standing")->string(), "valid");
  EXPECT_EQ(runs[1].find("standing")->string(), "unknown");
  EXPECT_EQ(runs[2].find("standing")->string(), "not started");
  EXPECT_EQ(runs[2].find("reason")->string(), "not started: interrupted before");
}

TEST(Run, AFailedRunLeavesWhatOthersReadOfIt) {
  const TemporaryDirectory directory;
  const std::string& store = directory.path();
  const auto run = run_program(
      ordeal({"run", "--target", "redis", "--nodes", "127.0.0.1", "--time-limit", "1", "--store", store}), seconds(60));
  EXPECT_EQ(run.exit_code, 3) << run.err;
  EXPECT_THAT(junit_of(store), HasSubstr("<error type=\"failed\""));
  EXPECT_THAT(contents(store + "/latest/results.json"),
              HasSubstr("\"verdict\":\"unknown\",\"reason\":\"the run failed"));
  EXPECT_THAT(contents(store + "/latest/report.html"), HasSubstr("the run failed"));
  EXPECT_EQ(run_program(ordeal({"report", store + "/latest"})).exit_code, 3);
}

// ---- what shells and man(1) take

TEST(Completion, BashCompletesCommandsOptionsAndNames) {
  const TemporaryDirectory directory;
  const std::string script = directory.path() + "/ordeal.bash";
  const auto made = run_program(ordeal({"completion", "bash"}));
  ASSERT_EQ(made.exit_code, 0) << made.err;
  std::ofstream(script) << made.out;
  const auto completed = [&](const std::string& words) {
    const std::string program =
        "source " + script + "; COMP_WORDS=(ordeal " + words +
        "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); compopt() { :; }; _ordeal; echo ${COMPREPLY[@]}";
    const auto result = run_program({"/bin/bash", "--norc", "-c", program}, seconds(10), {}, directory.path());
    EXPECT_EQ(result.err, "");
    return result.out;
  };
  EXPECT_EQ(completed("che"), "check\n");
  EXPECT_EQ(completed("run --nemesis-i"), "--nemesis-interval\n");
  EXPECT_EQ(completed("run --target mem"), "memory\n");
  EXPECT_EQ(completed("run --rate 5 --nemesis kill,pa"), "kill,partition kill,pause\n");
  EXPECT_EQ(completed("nodes st"), "status\n");
  EXPECT_EQ(completed("nodes up --no"), "--nodes\n");
  EXPECT_EQ(completed("list work"), "workloads\n");
  EXPECT_EQ(completed("check --consistency seq"), "sequential\n");
  EXPECT_EQ(completed("report or"), "ordeal.bash\n");
}

TEST(Completion, ZshNamesEveryCommandAndOption) {
  const auto made = run_program(ordeal({"completion", "zsh"}));
  ASSERT_EQ(made.exit_code, 0) << made.err;
  for (const char* part : {"#compdef ordeal", "_ordeal_nodes_up()", "--recovery[", "--json[", "'1:what:(targets",
                           "'2:name:", "'*:files:_files'"}) {
    EXPECT_THAT(made.out, HasSubstr(part));
  }
  EXPECT_EQ(run_program(ordeal({"completion", "fish"})).exit_code, 64);
}

TEST(Manual, SaysEveryOptionWithItsDefault) {
  const auto made = run_program(ordeal({"manual"}));
  ASSERT_EQ(made.exit_code, 0) << made.err;
  EXPECT_THAT(made.out, HasSubstr(".TH ORDEAL 1"));
  EXPECT_THAT(made.out, HasSubstr("\\fB\\-\\-recovery\\fR \\fITIME\\fR"));
  EXPECT_THAT(made.out, HasSubstr("default: 30"));
  EXPECT_THAT(run_program(ordeal({"run", "--help"})).out,
              AllOf(HasSubstr("--recovery TIME=30"), HasSubstr("docker:N")));
}

// nohup: what was ignored when the program began is not handled either.
// Regress: without a seed one run of a hundred had no compare-and-set that succeeded, and was unknown.
TEST(Run, AnIgnoredHangUpStaysIgnored) {
  const TemporaryDirectory directory;
  std::signal(SIGHUP, SIG_IGN);
  Background run(ordeal({"run", "--target", "memory", "--workload", "set", "--time-limit", "2", "--rate", "50",
                         "--seed", "1", "--store", directory.path()}),
                 directory.path() + "/output");
  std::signal(SIGHUP, SIG_DFL);
  ASSERT_TRUE(writes(directory.path() + "/latest/history.jsonl", "ok"));
  run.signal(SIGHUP);
  run.signal(SIGHUP);
  EXPECT_EQ(run.wait(seconds(30)), 0) << contents(directory.path() + "/output");
  EXPECT_EQ(contents(directory.path() + "/output").find("stopping"), std::string::npos);
}

}  // namespace
}  // namespace ordeal::testing
