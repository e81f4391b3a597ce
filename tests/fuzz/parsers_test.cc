// Seeded mutations of valid samples of everything else that is read from files, command lines and the network: no
// crash, no hang, and what is refused is refused as bad input, with a message. ORDEAL_SEED: others (mutator.h).

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/text.h"
#include "harness/control/known_hosts.h"
#include "harness/control/server_hello.h"
#include "harness/control/ssh_config.h"
#include "harness/nodes/cluster_state.h"
#include "harness/nodes/inventory.h"
#include "harness/nodes/node_root.h"
#include "harness/nodes/node_source.h"
#include "nemesis/engine/ledger.h"
#include "nemesis/engine/timeline.h"
#include "nemesis/engine/trigger.h"
#include "session/campaign/campaign.h"
#include "session/resolve_plan.h"
#include "targets/process/words.h"
#include "tests/fuzz/mutator.h"

namespace ordeal::testing {
namespace {

// Why a text was refused; nothing: it was not.
using Refusal = std::optional<Error>;

template <class T>
Refusal refusal(const Result<T>& result) {
  if (result) return std::nullopt;
  return result.error();
}

struct Parser {
  const char* name;
  std::string sample;
  std::function<Refusal(const std::string&)> parse;
  bool total = false;  // refuses nothing
};

Refusal campaign(const std::string& text) {
  const auto file = parse_campaign(text, "c.toml");
  return file ? refusal(plan_campaign(*file)) : file.error();
}

Refusal ssh_config(const std::string& text) {
  const auto config = SshConfig::parse(text, "config", "/nonexistent");
  if (!config) return config.error();
  for (const char* host : {"db-1", "web.example"}) {
    if (const auto found = config->lookup(host); !found) return found.error();
  }
  return std::nullopt;
}

Refusal known_hosts(const std::string& text) {
  KnownHosts hosts;
  hosts.add(text, "known_hosts");
  for (const int port : {22, 2222}) {
    (void)hosts.check("db-1", port, "ssh-ed25519", "blob");
    (void)hosts.types_of("10.0.0.1", port);
  }
  return std::nullopt;
}

Refusal server_hello(const std::string& text) {
  const ServerHello hello = parse_server_hello(text);
  (void)hello.offers_usable_host_key();
  (void)hello.offers_only_rsa();
  (void)key_type_of_blob(text);
  return std::nullopt;
}

Refusal ledger(const std::string& text) {
  static const int kFile =
      memfd_create("ledger.jsonl", MFD_CLOEXEC);  // thousands of files on a disk would take seconds
  EXPECT_EQ(ftruncate(kFile, 0), 0);
  EXPECT_EQ(pwrite(kFile, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  return refusal(read_ledger("/proc/self/fd/" + std::to_string(kFile)));
}

Refusal jumps(const std::string& text) {
  for (const auto& one : split(text, ',')) {
    if (const auto jump = parse_jump(one); !jump) return jump.error();
  }
  return refusal(expand_ssh_tokens(text, {{'h', "host"}, {'p', "22"}}, "/home/me"));
}

std::string ssh_string(const std::string& text) {
  return std::string{'\0', '\0', '\0', static_cast<char>(text.size())} + text;
}

// A banner and a KEXINIT packet (RFC 4253, 7.1): cookie, then lists of names, the second of host key types.
std::string hello_sample() {
  const std::string payload = '\x14' + std::string(16, 'c') + ssh_string("curve25519-sha256") +
                              ssh_string("ssh-ed25519,ssh-rsa") + ssh_string("aes128-ctr") + ssh_string("aes128-ctr");
  return "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n" +
         std::string{'\0', '\0', '\0', static_cast<char>(payload.size() + 5), '\4'} + payload + std::string(4, '\0');
}

const std::vector<Parser>& parsers() {
  static const std::vector<Parser> kParsers = {
      {"campaign",
       "target = \"etcd\"\nworkload = [\"register\", \"set\"]\nnodes = \"local:3\"\nseed = [1, 2]\ntime-limit = "
       "\"60s\"\n"
       "rate = 100\nconcurrency = 6\n[nemesis]\nschedule = [\"random\", \"periodic\"]\nfaults = \"kill,pause\"\n"
       "[set]\n\"etcd.serializable-reads\" = false\n\"kill.nodes\" = \"minority\"\n",
       campaign},
      {"campaign_with_timeline",
       "target = \"etcd\"\n[[nemesis.timeline]]\nat = 5.0\nfault = \"partition\"\nduration = 3\nshape = \"halves\"\n"
       "[[nemesis.timeline]]\nwhen = \"leader-change\"\nafter = 0.5\nfault = \"kill\"\ntimes = 3\nevery = 10\n",
       campaign},
      {"nemesis_flag", "partition, kill,pause",
       [](const std::string& text) {
         RunRequest request;
         request.flags = {{"target", {"etcd", "--target"}}, {"nemesis", {text, "--nemesis"}}};
         return refusal(resolve(request));
       }},
      {"settings", "kill.nodes=n1,n3",
       [](const std::string& text) {
         const auto pair = key_value(text);
         if (!pair) return refusal(pair);
         RunRequest request;
         request.flags = {{"target", {"etcd", "--target"}}, {"nemesis", {"kill", "--nemesis"}}};
         request.settings = {{pair->first, {pair->second, "--set"}}};
         return refusal(resolve(request));
       }},
      {"timeline",
       R"([{"at":1.5,"fault":"kill","nodes":"n1,n2","times":0,"every":2},{"when":"log@n2:panic","after":1,"fault":"pause"}])",
       [](const std::string& text) { return refusal(parse_timeline(text)); }},
      {"triggers", "kill=leader-change; pause=operation:cas; clock=log@n2:pan(ic|ick)+; dns=phase:final",
       [](const std::string& text) { return refusal(parse_lane_triggers(text)); }},
      {"nodes_flag", "h1,h2,db-3.example", [](const std::string& text) { return refusal(nodes::check_nodes(text)); }},
      {"duration", "1.5s", [](const std::string& text) { return refusal(parse_duration(text)); }},
      {"size", "512MiB", [](const std::string& text) { return refusal(parse_size(text)); }},
      {"words", "python3 \"my adapter.py\" --port '23 79'",
       [](const std::string& text) { return refusal(split_words(text)); }},
      {"inventory",
       "# hosts\nnetwork-namespace=/proc/4711/ns/net\nn1 host=10.0.0.1 user=root identity=~/.ssh/id_ed25519\n"
       "n2 host=10.0.0.2 port=2222 known_hosts=\"my hosts.txt\" jump=admin@gate:22,[::1]:23 agent=no\n",
       [](const std::string& text) { return refusal(nodes::parse_inventory(text, "hosts")); }},
      {"cluster_json",
       R"({"name":"a","directory":"/run/ordeal/a","keeper":17,"up_since":5,"storage":"","hub_address":"10.77.0.254",)"
       R"("nodes":[{"name":"n1","address":"10.77.0.1","address6":"fd0d::1","pid":18,"host_key":"ssh-ed25519 AAAA"}]})",
       [](const std::string& text) { return refusal(nodes::ClusterState::from_json(text)); }},
      {"mountinfo",
       "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n23 22 0:20 / /mnt/a\\040b rw - tmpfs tmpfs rw\n24 22 "
       "0:21 / /proc rw - proc proc rw\n",
       [](const std::string& text) {
         (void)nodes::mounts_to_overlay(text);
         return Refusal();
       },
       true},
      {"ssh_config",
       "# mine\nHost db-* !db-2 \"web.example\"\n  HostName %h.internal\n  Port=2222\n  User root\n  IdentityFile "
       "\"~/.ssh/my key\"\n"
       "  ProxyJump admin@gate:22,ssh://inner\n  StrictHostKeyChecking accept-new\n  ConnectTimeout 5\nMatch host "
       "db-1\n"
       "  UserKnownHostsFile ~/.ssh/a ~/.ssh/b\nMatch exec \"true\"\n  User nobody\nInclude nothing/*.conf\n",
       ssh_config},
      {"jumps", "admin@gate:22,user@[::1]:2200,ssh://inner", jumps},
      {"known_hosts",
       "db-1,10.0.0.? ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB\n[db-1]:2222 ssh-rsa AAAAB3\n@revoked * ssh-ed25519 AAAA\n"
       "|1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg= ssh-ed25519 AAAA\n",
       known_hosts, true},
      {"server_hello", hello_sample(), server_hello, true},
      {"ledger",
       "{\"entry\":\"run\",\"version\":1,\"run\":\"3f2a\",\"nodes\":\"local:5\",\"addresses\":{\"n1\":\"10.0.0.1\"}}\n"
       "{\"entry\":\"open\",\"id\":\"3f2a-4\",\"fault\":\"partition\",\"description\":{\"a\":[1]},\"undo\":[{\"node\":"
       "\"n1\",\"script\":\"true\"}]}\n"
       "{\"entry\":\"close\",\"id\":\"3f2a-4\",\"by\":\"driver\"}\n",
       ledger},
  };
  return kParsers;
}

class Parsers : public ::testing::TestWithParam<Parser> {
 protected:
  // Whether the text was accepted.
  static bool judged(const std::string& text) {
    const Refusal refused = GetParam().parse(text);
    if (!refused) return true;
    EXPECT_TRUE(refused->code == ErrorCode::usage || refused->code == ErrorCode::input ||
                refused->code == ErrorCode::not_found)
        << refused->message << "\nfor: " << text;
    EXPECT_FALSE(refused->message.empty()) << text;
    return false;
  }
};

TEST_P(Parsers, SurviveMutations) {
  const Parser& parser = GetParam();
  const Refusal refused = parser.parse(parser.sample);
  ASSERT_FALSE(refused) << "the sample itself must be readable: " << refused->message;
  Mutator mutator;
  int accepted = 0;
  static constexpr int kMutations = 3000;
  for (int i = 0; i < kMutations && !HasFailure(); ++i) accepted += judged(mutator.mutated(parser.sample)) ? 1 : 0;
  EXPECT_GT(accepted, 10);
  if (parser.total) {
    EXPECT_EQ(accepted, kMutations);
  } else {
    EXPECT_LT(accepted, kMutations);
  }
}

TEST_P(Parsers, SurviveDepthAndLength) {
  for (const char* unit : {"[", "{\"a\":", "(", "\"", "a.", "'", "\\", ",", "\n", "[[", "x=[", "Host a\n"}) {
    std::string deep;
    while (deep.size() < 200'000) deep += unit;
    (void)judged(deep);
    (void)judged(GetParam().sample + deep);
  }
}

INSTANTIATE_TEST_SUITE_P(All, Parsers, ::testing::ValuesIn(parsers()),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace ordeal::testing
