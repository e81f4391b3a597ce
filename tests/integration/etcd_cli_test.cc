// The program as its user runs it, with a real etcd on local nodes; needs root.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
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

class EtcdRun : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "SKIPPED: local nodes need root";
    if (access("/usr/bin/etcd", X_OK) != 0) GTEST_SKIP() << "SKIPPED: /usr/bin/etcd is not installed (etcd-server)";
    runtime_ = store() + "/runtime";
  }
  [[nodiscard]] const std::string& store() const { return directory_.path(); }
  std::vector<std::string> command(std::initializer_list<std::string> more) const {
    auto out = ordeal({"run", "--target", "etcd", "--nodes", "local:3", "--store", store(), "--nemesis-interval", "1",
                       "--nemesis-duration", "2", "--concurrency", "6"});
    if (std::find(more.begin(), more.end(), "--seed") == more.end()) out.insert(out.end(), {"--seed", "1"});
    out.insert(out.end(), more);
    return out;
  }
  [[nodiscard]] bool nothing_left_within(seconds limit) const {
    const auto until = std::chrono::steady_clock::now() + limit;
    std::error_code error;
    while (fs::exists(runtime_, error) && !fs::is_empty(runtime_, error)) {
      if (std::chrono::steady_clock::now() > until) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return true;
  }

  TemporaryDirectory directory_;
  std::string runtime_;
};

TEST_F(EtcdRun, UnderFaultsIsValidAndEveryKindOfFaultIsConfirmed) {
  const auto result = run_program(
      command({"--workload", "register", "--nemesis", "partition,kill,pause", "--time-limit", "20", "--json"}),
      seconds(90), {{"ORDEAL_RUNTIME_DIR", runtime_}});
  EXPECT_EQ(result.exit_code, 0) << result.err << result.out.substr(0, 2000);
  const auto document = Value::from_json(result.out);
  ASSERT_TRUE(document) << result.out;
  EXPECT_EQ(document->find("verdict")->string(), "valid");
  EXPECT_GT(document->find("operations")->find("ok")->integer(), 300);
  for (const char* fault : {"partition", "kill", "pause"}) {
    const Value* counts = document->find("fault_kinds")->find(fault);
    ASSERT_NE(counts, nullptr) << fault;
    EXPECT_GE(counts->find("confirmed")->integer(), 1) << fault;
  }
  const fs::path run = document->find("directory")->string();
  for (const char* file : {"plan.json", "history.jsonl", "results.json", "report.html", "junit.xml", "ordeal.log",
                           "ledger.jsonl", "nodes/n1/etcd.log"}) {
    EXPECT_TRUE(fs::exists(run / file)) << file;
  }
  EXPECT_TRUE(nothing_left_within(seconds(1)));
  // The directory alone gives the same verdict again.
  EXPECT_EQ(run_program(ordeal({"report", run.string()})).exit_code, 0);
}

TEST_F(EtcdRun, ACampaignsTimelineIsPlayedProvenAndItsRecoveryJudged) {
  const std::string campaign = store() + "/timeline.toml";
  std::ofstream(campaign)
      << "target = \"etcd\"\nworkload = \"register\"\nnodes = \"local:3\"\ntime-limit = \"24s\"\nseed = 7\n"
         "concurrency = 6\nstore = \""
      << store()
      << "\"\n"
         "[nemesis]\nrecovery-bound = \"20s\"\n"
         "[[nemesis.timeline]]\nat = 1.0\nfault = \"membership\"\nmode = \"replace\"\nnodes = \"n3\"\n"
         "duration = \"1s\"\n"
         "[[nemesis.timeline]]\nat = 2\nfault = \"rolling-restart\"\nduration = \"100ms\"\n"
         "[[nemesis.timeline]]\nwhen = \"operation:write\"\nfault = \"pause\"\nnodes = \"one\"\n"
         "duration = \"500ms\"\n";
  const auto result =
      run_program(ordeal({"run", campaign, "--json"}), seconds(120), {{"ORDEAL_RUNTIME_DIR", runtime_}});
  EXPECT_EQ(result.exit_code, 0) << result.err << result.out.substr(0, 2000);
  const auto document = Value::from_json(result.out);
  ASSERT_TRUE(document) << result.out;
  for (const char* fault : {"membership", "rolling-restart", "pause"}) {
    const Value* counts = document->find("fault_kinds")->find(fault);
    ASSERT_NE(counts, nullptr) << fault;
    for (const char* step : {"planned", "injected", "confirmed", "healed"}) {
      EXPECT_EQ(counts->find(step)->integer(), 1) << fault << " " << step;
    }
    EXPECT_GT(counts->find("succeeded")->integer(), 0) << fault;
  }
  const Value* recovery = document->find("recovery");
  ASSERT_NE(recovery, nullptr);
  EXPECT_EQ(recovery->find("healings")->integer(), 3);
  EXPECT_GE(recovery->find("judged")->integer(), 1) << recovery->to_json();
  EXPECT_EQ(document->find("nemesis_plan")->find("schedule")->string(), "scripted");
  // The command that the report gives for repeating the run says it all without the file.
  const std::string repeat = document->find("command")->string();
  EXPECT_THAT(repeat, HasSubstr("--nemesis membership,rolling-restart,pause"));
  EXPECT_THAT(repeat, HasSubstr("nemesis.timeline="));
  EXPECT_TRUE(nothing_left_within(seconds(1)));

  // Had nobody seen the pause take effect, the run would not say that the target bears it.
  const std::string run = document->find("directory")->string();
  std::string history = contents(run + "/history.jsonl");
  const std::string seen = R"("f":"pause","value":{"id":3,"step":"confirmed")";
  const std::size_t at = history.find(seen);
  ASSERT_NE(at, std::string::npos);
  std::ofstream(run + "/history.jsonl") << history.replace(at + seen.size() - 10, 9, "unconfirmed");
  const auto again = run_program(ordeal({"report", run}));
  EXPECT_EQ(again.exit_code, 2) << again.err;
  EXPECT_THAT(again.out, HasSubstr("never seen to take effect: pause (1 planned, 1 injected)"));
}

TEST_F(EtcdRun, SerializableReadsUnderPartitionsAreCaughtAndExplainedBriefly) {
  // Whether a stale read is seen depends on timing; one of five seeds must show it.
  for (const char* seed : {"1", "2", "3", "4", "5"}) {
    const auto result = run_program(command({"--workload", "register", "--nemesis", "partition", "--time-limit", "15",
                                             "--seed", seed, "--set", "etcd.serializable-reads=true", "--json"}),
                                    seconds(90), {{"ORDEAL_RUNTIME_DIR", runtime_}});
    ASSERT_TRUE(result.exit_code == 0 || result.exit_code == 1) << result.err;
    if (result.exit_code == 0) continue;
    const auto document = Value::from_json(result.out);
    ASSERT_TRUE(document);
    const auto& checks = document->find("checks")->items();
    const auto& anomaly = checks.front().find("anomalies")->items().front();
    EXPECT_EQ(anomaly.find("type")->string(), "nonlinearizable");
    // Mostly two or three; each further write of the value that was read must be named, too, to be ruled out.
    EXPECT_LE(anomaly.find("operations")->items().size(), 12u);
    return;
  }
  FAIL() << "no seed showed a stale read";
}

TEST_F(EtcdRun, AKilledControllerLeavesNothingButAHistoryThatCanBeJudged) {
  setenv("ORDEAL_RUNTIME_DIR", runtime_.c_str(), 1);
  Background run(command({"--workload", "register", "--nemesis", "partition,pause", "--time-limit", "60"}),
                 store() + "/output");
  ASSERT_TRUE(writes(store() + "/latest/history.jsonl", "\"confirmed\"")) << contents(store() + "/output");
  std::this_thread::sleep_for(seconds(1));  // in the middle of the fault
  run.signal(SIGKILL);
  EXPECT_EQ(run.wait(seconds(5)), 128 + SIGKILL);
  EXPECT_TRUE(nothing_left_within(seconds(5)));
  unsetenv("ORDEAL_RUNTIME_DIR");
  const auto report = run_program(ordeal({"report", store() + "/latest"}));
  EXPECT_EQ(report.exit_code, 2) << report.out << report.err << contents(store() + "/output");
  EXPECT_THAT(report.out, HasSubstr("the controller was killed"));
}

// The process whose command line has both words; 0: there is none.
pid_t process_with(const std::string& one, const std::string& other) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    const std::string pid = entry.path().filename();
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    const std::string command = contents(entry.path() / "cmdline");
    if (command.find(one) != std::string::npos && command.find(other) != std::string::npos) return std::stoi(pid);
  }
  return 0;
}

TEST_F(EtcdRun, AServerThatEndsByItselfAndStaysAwayIsUnrecovered) {
  setenv("ORDEAL_RUNTIME_DIR", runtime_.c_str(), 1);
  const std::string place = "/var/lib/ordeal/etcd" + fs::path(store()).filename().string();
  Background run(ordeal({"run", "--target", "etcd", "--nodes", "local:3", "--time-limit", "5", "--seed", "1",
                         "--recovery", "2", "--set", "etcd.dir=" + place, "--store", store()}),
                 store() + "/output");
  ASSERT_TRUE(writes(store() + "/latest/history.jsonl", "\"ok\"")) << contents(store() + "/output");
  const pid_t server = process_with("--data-dir=" + place, "--name=n2");
  ASSERT_GT(server, 0);
  ASSERT_EQ(::kill(server, SIGKILL), 0);
  EXPECT_EQ(run.wait(seconds(60)), 1) << contents(store() + "/output");
  unsetenv("ORDEAL_RUNTIME_DIR");
  EXPECT_THAT(contents(store() + "/output"),
              AllOf(HasSubstr("Node n2 did not serve at the end of a run without faults, within 2 s: no process of the "
                              "system is left there"),
                    HasSubstr("(unrecovered)"), HasSubstr("nodes/n2/etcd.log: ")));
  EXPECT_THAT(contents(store() + "/latest/junit.xml"), HasSubstr("<failure type=\"unrecovered\""));
  EXPECT_EQ(run_program(ordeal({"report", store() + "/latest"})).exit_code, 1);
}

// Two controllers on one inventory wiped each other's data, and both accused a sound etcd.
TEST_F(EtcdRun, RegressNodesBelongToOneRunAtATime) {
  const std::map<std::string, std::string> environment = {{"ORDEAL_RUNTIME_DIR", runtime_}};
  ASSERT_EQ(run_program(ordeal({"nodes", "up", "--nodes", "local:2"}), seconds(60), environment).exit_code, 0);
  const auto run = [&](const std::string& limit, const std::string& name) {
    return ordeal({"run", "--target", "etcd", "--workload", "register", "--nodes",
                   "ssh:" + runtime_ + "/default/inventory", "--time-limit", limit, "--seed", "1", "--store", store(),
                   "--name", name});
  };
  setenv("ORDEAL_RUNTIME_DIR", runtime_.c_str(), 1);
  Background first(run("60", "first"), store() + "/output");
  unsetenv("ORDEAL_RUNTIME_DIR");
  ASSERT_TRUE(writes(store() + "/first/latest/history.jsonl", "\"ok\"")) << contents(store() + "/output");
  const auto second = run_program(run("3", "second"), seconds(60), environment);
  EXPECT_EQ(second.exit_code, 3) << second.out;
  EXPECT_THAT(second.err,
              AllOf(HasSubstr("n1: another run has this node: "), HasSubstr("/first/"), HasSubstr("wait for its end")));
  // A controller that was killed on this machine holds nothing any more; what a lease is worth that nobody renews is
  // seen on another machine, or another boot.
  first.signal(SIGKILL);
  EXPECT_EQ(first.wait(seconds(5)), 128 + SIGKILL);
  const auto third = run_program(run("2", "third"), seconds(90), environment);
  EXPECT_EQ(third.exit_code, 0) << third.err;
  const auto lease = [&](const std::string& line) {
    const std::string make =
        "mkdir /tmp/.ordeal-owner && up=$(cut -d. -f1 /proc/uptime) && boot=$(cat "
        "/proc/sys/kernel/random/boot_id) && echo \"" +
        line + "\" >/tmp/.ordeal-owner/lease";
    return run_program(ordeal({"nodes", "exec", "n2", "--", make}), seconds(60), environment).exit_code;
  };
  ASSERT_EQ(lease("aa $up $boot other-boot 1 1 elsewhere theirs"), 0) << "given back at the end";
  const auto fourth = run_program(run("2", "fourth"), seconds(60), environment);
  EXPECT_EQ(fourth.exit_code, 3);
  EXPECT_THAT(fourth.err, HasSubstr("n2: another run has this node: theirs, of process 1 on elsewhere, seen "));
  for (const std::string stale :
       {"aa $((up - 31)) $boot other-boot 1 1 elsewhere theirs", "aa $up other b 1 1 e t", ""}) {
    ASSERT_EQ(run_program(ordeal({"nodes", "exec", "n2", "--", "rm -rf /tmp/.ordeal-owner"}), seconds(60), environment)
                  .exit_code,
              0);
    ASSERT_EQ(lease(stale), 0);
    EXPECT_EQ(run_program(run("1", "fifth"), seconds(90), environment).exit_code, 0) << stale;
  }
  EXPECT_EQ(run_program(ordeal({"nodes", "down"}), seconds(60), environment).exit_code, 0);
  EXPECT_TRUE(nothing_left_within(seconds(1)));
}

// heal ran, as root, whatever a ledger in somebody else's store said.
TEST_F(EtcdRun, RegressHealRunsOnlyWhatTheNodesVouchFor) {
  const std::map<std::string, std::string> environment = {{"ORDEAL_RUNTIME_DIR", runtime_}};
  const auto program = [&](std::initializer_list<std::string> words) {
    return run_program(ordeal(words), seconds(60), environment);
  };
  ASSERT_EQ(program({"nodes", "up", "--nodes", "local:1"}).exit_code, 0);
  const std::string inventory = runtime_ + "/default/inventory";
  const auto forge = [&](const std::string& where) {
    std::filesystem::create_directories(store() + "/store/foreign/run");
    std::ofstream(store() + "/store/foreign/run/ledger.jsonl")
        << R"({"entry":"run","run":"ab","nodes":"ssh:)" << where << "\"}\n"
        << R"({"entry":"open","id":"ab-1","fault":"kill","undo":[{"node":"n1","script":"touch /tmp/victim"}]})"
        << "\n";
  };
  const auto touched = [&] { return program({"nodes", "exec", "n1", "--", "ls /tmp/victim"}).exit_code == 0; };
  const std::string run = store() + "/store/foreign/run";
  forge(inventory);
  const auto unknown = program({"heal", run});
  EXPECT_EQ(unknown.exit_code, 0) << unknown.err;
  EXPECT_THAT(unknown.out, HasSubstr("the node has no undo script of it"));
  EXPECT_FALSE(touched());
  forge(inventory);
  const std::string keep = "mkdir -p /var/lib/ordeal/faults/ab-1 && echo true >/var/lib/ordeal/faults/ab-1/undo.sh";
  ASSERT_EQ(program({"nodes", "exec", "n1", "--", keep}).exit_code, 0);
  const auto other = program({"heal", run});
  EXPECT_EQ(other.exit_code, 3) << other.out;
  EXPECT_THAT(other.out, AllOf(HasSubstr("FAILED  ab-1 on n1: the node's own undo script"), HasSubstr("neither")));
  EXPECT_FALSE(touched());
  ASSERT_EQ(::chown((run + "/ledger.jsonl").c_str(), 65534, 65534), 0);
  const auto foreign = program({"heal", run});
  EXPECT_EQ(foreign.exit_code, 64) << foreign.out;
  EXPECT_THAT(foreign.err, AllOf(HasSubstr("belongs to another user"), HasSubstr("--trust-ledger")));
  EXPECT_FALSE(touched());
  ASSERT_EQ(::chown((run + "/ledger.jsonl").c_str(), 0, 0), 0);
  std::filesystem::copy_file(inventory, store() + "/store/hosts");
  forge(store() + "/store/hosts");
  const auto brought = program({"heal", run});
  EXPECT_EQ(brought.exit_code, 64) << brought.out;
  EXPECT_THAT(brought.err, HasSubstr("lies in the store itself"));
  const auto trusted = program({"heal", run, "--trust-ledger"});
  EXPECT_EQ(trusted.exit_code, 0) << trusted.out << trusted.err;
  EXPECT_TRUE(touched());
  EXPECT_EQ(program({"nodes", "down"}).exit_code, 0);
}

TEST_F(EtcdRun, APortInUseIsNamedWithWhatToDo) {
  const std::map<std::string, std::string> environment = {{"ORDEAL_RUNTIME_DIR", runtime_}};
  ASSERT_EQ(run_program(ordeal({"nodes", "up", "--nodes", "local:2"}), seconds(60), environment).exit_code, 0);
  // "exec --" without a name means all nodes.
  const auto hostnames = run_program(ordeal({"nodes", "exec", "--", "hostname"}), seconds(60), environment);
  EXPECT_THAT(hostnames.out, AllOf(HasSubstr("n1"), HasSubstr("n2")));
  const std::string take_port =
      "setsid /usr/sbin/sshd -p 2379 </dev/null >/dev/null 2>&1 & "
      "for i in $(seq 300); do ss -Hltn 'sport = :2379' | grep -q . && exit 0; sleep 0.1; done; exit 1";
  const auto taken = run_program(ordeal({"nodes", "exec", "n1", "--", take_port}), seconds(60), environment);
  EXPECT_EQ(taken.exit_code, 0) << "sshd does not listen: " << taken.err;
  const auto result = run_program(
      ordeal({"run", "--target", "etcd", "--workload", "register", "--nodes", "ssh:" + runtime_ + "/default/inventory",
              "--time-limit", "3", "--seed", "1", "--store", store()}),
      seconds(60), environment);
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.err,
              AllOf(HasSubstr("n1: etcd "), HasSubstr(": listen tcp 10.77.0.1:2379: bind: address already in use"),
                    HasSubstr("etcd.client-port")));
  EXPECT_EQ(run_program(ordeal({"nodes", "down"}), seconds(60), environment).exit_code, 0);
  EXPECT_TRUE(nothing_left_within(seconds(1)));
}

// "Gone", it said, while the rules still held.
TEST_F(EtcdRun, RegressHealingALiveRunsOwnNodesIsRefused) {
  setenv("ORDEAL_RUNTIME_DIR", runtime_.c_str(), 1);
  Background run(command({"--workload", "set", "--nemesis", "pause", "--time-limit", "60"}), store() + "/output");
  ASSERT_TRUE(writes(store() + "/latest/ledger.jsonl", "undo")) << contents(store() + "/output");
  const auto healed = run_program(ordeal({"heal", store() + "/latest"}), seconds(60));
  EXPECT_EQ(healed.exit_code, 3) << healed.out;
  EXPECT_THAT(healed.err, HasSubstr("is still at work on nodes of its own"));
  const auto report = run_program(ordeal({"report", store() + "/latest"}), seconds(60));
  EXPECT_EQ(report.exit_code, 2) << report.out;
  EXPECT_THAT(report.out, HasSubstr("the run is still at work"));
  run.signal(SIGKILL);
  EXPECT_EQ(run.wait(seconds(30)), 128 + SIGKILL);
  unsetenv("ORDEAL_RUNTIME_DIR");
  EXPECT_TRUE(nothing_left_within(seconds(5)));
  const auto after = run_program(ordeal({"heal", store() + "/latest"}), seconds(60));
  EXPECT_EQ(after.exit_code, 0) << after.err;
  EXPECT_THAT(run_program(ordeal({"report", store() + "/latest"}), seconds(60)).out,
              HasSubstr("the controller was killed"));
}

// A controller that was stopped for a while went on as if its faults had stayed in force.
TEST_F(EtcdRun, RegressAFaultThatWasLiftedBeforeItsTimeIsTold) {
  setenv("ORDEAL_RUNTIME_DIR", runtime_.c_str(), 1);
  Background run(command({"--workload", "set", "--nemesis", "pause", "--time-limit", "12"}), store() + "/output");
  unsetenv("ORDEAL_RUNTIME_DIR");
  ASSERT_TRUE(writes(store() + "/latest/history.jsonl", "\"confirmed\"")) << contents(store() + "/output");
  run.signal(SIGSTOP);
  std::this_thread::sleep_for(seconds(6));
  run.signal(SIGCONT);
  EXPECT_NE(run.wait(seconds(90)), -1);
  EXPECT_THAT(contents(store() + "/latest/history.jsonl"), HasSubstr("\"step\":\"lifted\",\"nodes\":["));
  EXPECT_THAT(
      contents(store() + "/latest/results.json"),
      AllOf(HasSubstr("\"lifted\":1"), HasSubstr("the fault was undone before its time"), HasSubstr("lifted_ns")));
  EXPECT_THAT(contents(store() + "/latest/report.html"), HasSubstr("lifted before its time, found at"));
  EXPECT_THAT(contents(store() + "/output"), HasSubstr("1 lifted by somebody else before their time"));
}

TEST_F(EtcdRun, CtrlCHealsCollectsAndReports) {
  setenv("ORDEAL_RUNTIME_DIR", runtime_.c_str(), 1);
  Background run(command({"--workload", "set", "--nemesis", "pause", "--time-limit", "60"}), store() + "/output");
  ASSERT_TRUE(writes(store() + "/latest/history.jsonl", "\"confirmed\"")) << contents(store() + "/output");
  run.signal(SIGINT);
  const int code = run.wait(seconds(30));
  unsetenv("ORDEAL_RUNTIME_DIR");
  EXPECT_EQ(code, 2) << contents(store() + "/output");
  EXPECT_THAT(contents(store() + "/output"), HasSubstr("interrupted after"));
  EXPECT_TRUE(fs::exists(store() + "/latest/report.html")) << contents(store() + "/output");
  EXPECT_TRUE(nothing_left_within(seconds(1)));
}

}  // namespace
}  // namespace ordeal::testing
