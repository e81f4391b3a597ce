// A system that is described by commands (process.database=commands), as a user runs it: etcd on local nodes whose
// members leave and come back and whose version is changed under load, and a server that does not come up.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/value.h"
#include "tests/support/program.h"

namespace ordeal::testing {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

// What a member's list of members is made of; `$1` is the address to be asked.
constexpr const char* kAsk = R"sh(ask() { curl -sf -m 4 "http://$1:2379/v3/cluster/member/list" -d '{}'; }
)sh";

std::string start(const std::string& flags) {
  return kAsk + std::string(R"sh(pgrep -x etcd >/dev/null && exit 0
state=new
cluster=
if [ -n "$JOINS" ]; then
  state=existing
  for address in $NODE_ADDRESSES; do
    [ $address = $NODE_ADDRESS ] && continue
    cluster=$(ask $address | python3 -c 'import json, os, sys
print(",".join("%s=%s" % (m.get("name") or os.environ["NODE"], m["peerURLs"][0]) for m in json.load(sys.stdin)["members"]))') && break
  done
else
  set -- $NODES
  for address in $NODE_ADDRESSES; do
    cluster="$cluster${cluster:+,}$1=http://$address:2380"
    shift
  done
fi
mkdir -p /var/lib/shell-etcd
setsid /usr/bin/etcd --name $NODE --data-dir /var/lib/shell-etcd/data --initial-cluster "$cluster" \
  --initial-cluster-state $state --listen-peer-urls http://$NODE_ADDRESS:2380 \
  --initial-advertise-peer-urls http://$NODE_ADDRESS:2380 --listen-client-urls http://$NODE_ADDRESS:2379 \
  --advertise-client-urls http://$NODE_ADDRESS:2379 )sh") +
         flags + " </dev/null >>/var/log/shell-etcd.log 2>&1 &";
}

constexpr const char* kMembers = R"sh(ask $PEER_ADDRESS | python3 -c 'import json, sys
for m in json.load(sys.stdin)["members"]:
    print(m["ID"], m["peerURLs"][0].split("//")[1], "joined" if m.get("name") else "announced")')sh";
constexpr const char* kLeave = R"sh(id=$(ask $PEER_ADDRESS | python3 -c 'import json, os, sys
for m in json.load(sys.stdin)["members"]:
    if os.environ["NODE_ADDRESS"] + ":" in m["peerURLs"][0]: print(m["ID"])')
curl -sf -m 5 "http://$PEER_ADDRESS:2379/v3/cluster/member/remove" -d "{\"ID\":\"$id\"}")sh";
constexpr const char* kJoin =
    R"sh(curl -sf -m 5 "http://$PEER_ADDRESS:2379/v3/cluster/member/add" -d "{\"peerURLs\":[\"http://$NODE_ADDRESS:2380\"]}")sh";
constexpr const char* kReady =
    R"sh(curl -sf -m 4 "http://$NODE_ADDRESS:2379/v3/kv/range" -d '{"key":"YQ=="}' >/dev/null)sh";

class CommandFaults : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "local nodes need root";
    for (const char* program : {"/usr/bin/etcd", "/usr/bin/curl"}) {
      if (access(program, X_OK) != 0) GTEST_SKIP() << "there is no " << program;
    }
  }
  ProgramResult run(std::vector<std::string> more, const std::vector<std::string>& settings) {
    std::vector<std::string> words = {ORDEAL_PROGRAM, "run",     "--json",  "--seed",        "1",
                                      "--target",     "process", "--nodes", "local:3",       "--workload",
                                      "register",     "--rate",  "50",      "--concurrency", "6"};
    words.insert(words.end(), more.begin(), more.end());
    for (const std::string& setting :
         {std::string("database=commands"), "command=python3 " + std::string(ORDEAL_EXAMPLE_ETCD),
          "ready=" + std::string(kReady), std::string("pids=pgrep -x etcd"),
          std::string("wipe=rm -rf /var/lib/shell-etcd"), std::string("logs=/var/log/shell-etcd.log")}) {
      words.insert(words.end(), {"--set", "process." + setting});
    }
    for (const auto& setting : settings) words.insert(words.end(), {"--set", setting});
    return run_program(words, seconds(200), {}, directory_.path());
  }
  // The steps in the history of faults of that name.
  std::string steps(const std::string& fault) {
    const auto said = run_program({"/bin/sh", "-c", "grep '\"f\":\"" + fault + "\"' store/latest/history.jsonl"},
                                  seconds(20), {}, directory_.path());
    return said.out;
  }
  TemporaryDirectory directory_;
};

TEST_F(CommandFaults, MembersLeaveAndComeBack) {
  const ProgramResult result =
      run({"--nemesis", "membership", "--time-limit", "8", "--nemesis-interval", "0.5", "--nemesis-duration", "1"},
          {"process.start=" + start(""), "process.members=" + std::string(kAsk) + kMembers,
           "process.leave=" + std::string(kAsk) + kLeave, "process.join=" + std::string(kJoin),
           "membership.mode=shrink", "membership.nodes=n2"});
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  EXPECT_THAT(steps("membership"), HasSubstr("n2 no longer among the members"));
  EXPECT_THAT(steps("membership"), HasSubstr("all 3 nodes are members that have joined, n2 with another id"));
}

TEST_F(CommandFaults, ASecondStartIsAnUpgrade) {
  const ProgramResult result = run(
      {"--nemesis", "rolling-upgrade", "--time-limit", "25", "--nemesis-interval", "0.5", "--nemesis-duration", "1"},
      {"process.start=" + start(""), "process.upgrade-start=" + start("--heartbeat-interval 50")});
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  EXPECT_THAT(steps("rolling-upgrade"), HasSubstr("runs the second version: /usr/bin/etcd with ORDEAL_START=second"));
  EXPECT_THAT(steps("rolling-upgrade"), HasSubstr("runs the first version: /usr/bin/etcd with ORDEAL_START=first"));
}

TEST_F(CommandFaults, AServerThatDoesNotComeUpFailsTheRunWithItsLog) {
  const ProgramResult result =
      run({"--time-limit", "2", "--start-timeout", "190"}, {"process.start=" + start("--no-such-flag 1")});
  EXPECT_EQ(result.exit_code, 3) << result.out << result.err;
  EXPECT_THAT(result.err, HasSubstr("the system has ended right after its start"));
  EXPECT_THAT(result.err, HasSubstr("no-such-flag"));
}

}  // namespace
}  // namespace ordeal::testing
