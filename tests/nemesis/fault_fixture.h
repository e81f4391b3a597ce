#pragma once
// Five real local nodes, each with a small program as the system under test, and looks at them from outside.

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "harness/nodes/node_source.h"
#include "nemesis/catalogue.h"
#include "nemesis/engine/driver.h"
#include "nemesis/node_needs.h"

namespace ordeal::testing_support {

// What `ask(Deadline)` sees when it has as little time as this machine allows: `seconds` first, and more while it was
// cut short before it saw anything, as on a busy machine. For observations of what is not expected to change: they take
// all the time that they are given.
template <class Ask>
Result<Observation> shortly(double seconds, Ask&& ask) {
  for (double limit = seconds;; limit *= 2) {
    Result<Observation> seen = ask(Deadline::after_s(limit));
    const auto says = [&](const char* words) { return seen->evidence.find(words) != std::string::npos; };
    // Of a command on a node, and of a server that was asked.
    const bool cut =
        seen ? says("did not finish") || says("within the time allowed") : seen.error().code == ErrorCode::timeout;
    if (!cut || limit > 20) return seen;
  }
}

// A script that prints the ids of the processes that have this argument and lead their session, as what setsid started
// does: a process that it has forked and that has not run its own program yet looks the same but for that.
[[nodiscard]] std::string found_by(const std::string& argument);

// The system under test: a program on each node, started by a script and found by a script that prints process ids.
// The default is `sleep`, with an argument by which it is found.
class ProgramTarget final : public Target, public Target::Files, public Target::Processes, public Target::Roles {
 public:
  struct Program {
    std::string start = "setsid sleep 86397 </dev/null >/dev/null 2>&1 &";
    std::string find = found_by("86397");
  };
  explicit ProgramTarget(Cluster& cluster) : cluster_(cluster) {}
  ProgramTarget(Cluster& cluster, Program program) : cluster_(cluster), program_(std::move(program)) {}
  std::string_view name() const override { return "program"; }
  Result<std::unique_ptr<Client>> client(std::size_t) override;
  // No-op when it runs. Returns when it is found, or after two seconds.
  Result<void> start(Node& node) override;
  const Target::Files* files() const override { return this; }
  std::vector<std::string> log_files(const Node&) const override { return {}; }
  std::vector<std::string> data_directories(const Node&) const override { return data; }
  Target::Processes* processes() override { return this; }
  Target::Roles* roles() override { return this; }
  Result<void> kill(Node& node) override;
  Result<void> pause(Node& node) override;
  Result<void> resume(Node& node) override;
  Result<std::vector<int>> pids(Node& node) override;
  std::string start_script(const Node&) override;
  Result<std::vector<std::size_t>> primaries(Deadline) override { return leaders; }
  Result<void> start_all();

  std::vector<std::size_t> leaders = {2};
  std::vector<std::string> data;
  bool offer_start_script = false;

 private:
  std::string start_and_wait() const;
  Result<void> signal(Node& node, const std::string& name);
  Cluster& cluster_;
  Program program_;
};

// What the driver says happened.
class Events final : public NemesisLog {
 public:
  void record(const std::string& f, const Value& value) override;
  std::int64_t now_ns() const override;
  std::vector<std::string> steps(int id) const;  // of one injection, in order
  int count(const std::string& step, const std::string& fault) const;

 private:
  mutable std::mutex mutex_;
  std::vector<std::pair<std::string, Value>> values_;  // with the fault's name
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

class FaultTest : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  // Standard output of a script on a node; a failure of the script is one of the test.
  std::string on(std::size_t node, const std::string& script);
  void set(const std::string& key, const std::string& value);
  Result<std::unique_ptr<Injection>> plan(const std::string& fault, std::uint64_t seed, const std::string& id);
  // Puts the undo scripts on their nodes, as the driver does before it injects, with a watchdog that never fires.
  void arm(const Injection& injection, const std::string& fault, const std::string& id);
  // From now on the watchdogs of a fault that was armed fire after `seconds` of silence (arm_script). What a test does
  // before, in its own time, is not silence.
  void fall_silent(const std::string& id, int seconds);
  // Runs the injection's undo scripts on their nodes, as the driver and `ordeal heal` do.
  void undo(const Injection& injection, const std::string& fault, const std::string& id);
  // Whether a TCP connection from one node to an address of another meets an answer within half a second.
  bool answers(std::size_t from, const std::string& address);
  // The same between all nodes, all at once: [from][to].
  std::vector<std::vector<bool>> links();
  // Rules, folders, watchdogs, control groups, stopped processes and lowered limits of Ordeal's on the nodes; empty
  // when there are none.
  std::string left_behind();
  // The same some seconds later, if there is anything: a process ends some time after it was killed.
  std::string remains();
  std::string rules(std::size_t node);  // of iptables and ip6tables, without counters and comments
  // A control group of this machine as a service has one, seen in the first node (which has none by itself); its folder
  // there, or nothing when there are none of the kind ("cgroup2", "cgroup -o cpu"). Removed when the test ends.
  std::string make_group(const std::string& kind);
  // The folders of such groups, and below.
  std::string groups();
  static std::vector<const FaultFactory*> faults_named(const std::vector<std::string>& names);
  FaultContext context(const std::string& id = "") { return {cluster(), *target_, options_, id}; }
  Cluster& cluster() { return set_.cluster; }
  const std::string& address(std::size_t node) { return cluster().at(node).address(); }
  std::string ledger_path() const { return (folder_ / "ledger.jsonl").string(); }

  nodes::NodeSet set_;
  std::unique_ptr<ProgramTarget> target_;
  Options options_;
  std::filesystem::path folder_;
  std::string group_home_;
};

}  // namespace ordeal::testing_support
