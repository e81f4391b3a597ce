// The parsers of the room: the inventory of hosts, --nodes, mountinfo, names; and the keys made without ssh-keygen.
#include "harness/nodes/inventory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>

#include "harness/nodes/cluster_state.h"
#include "harness/nodes/node_root.h"
#include "harness/nodes/node_source.h"
#include "harness/nodes/ssh_keys.h"
#include "tests/support/program.h"

namespace ordeal::nodes {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Inventory, ReadsEveryKey) {
  ::setenv("ORDEAL_TEST_SECRET", "s3 cret", 1);
  const auto inventory = parse_inventory(
      "# machines\n"
      "network-namespace=/proc/12/ns/net   # of the hub\n"
      "\n"
      "n1 host=10.0.0.1 port=2222 user=bob identity=/keys/a identity=\"keys/b c\" known_hosts=hosts agent=no\r\n"
      "\tn2\tpassword_env=ORDEAL_TEST_SECRET jump=a@gate:22,b address=fd00::2 check_host_key=no config=none # last\n"
      "n3",
      "/etc/ordeal/hosts.txt");
  ASSERT_TRUE(inventory) << inventory.error().message;
  EXPECT_EQ(inventory->network_namespace, "/proc/12/ns/net");
  ASSERT_EQ(inventory->hosts.size(), 3u);
  const SshEndpoint& first = inventory->hosts[0];
  EXPECT_EQ(first.name, "n1");
  EXPECT_EQ(first.host, "10.0.0.1");
  EXPECT_EQ(first.port, 2222);
  EXPECT_EQ(first.user, "bob");
  EXPECT_THAT(first.identity_files, ElementsAre("/keys/a", "/etc/ordeal/keys/b c"));
  EXPECT_EQ(first.known_hosts_file, "/etc/ordeal/hosts");
  EXPECT_FALSE(first.use_agent);
  EXPECT_TRUE(first.check_host_key);
  const SshEndpoint& second = inventory->hosts[1];
  EXPECT_EQ(second.password, "s3 cret");
  EXPECT_THAT(second.jump, ElementsAre("a@gate:22", "b"));
  EXPECT_EQ(second.address, "fd00::2");
  EXPECT_FALSE(second.check_host_key);
  EXPECT_EQ(second.config_file, "none");
  EXPECT_TRUE(second.use_agent);
  EXPECT_EQ(inventory->hosts[2].name, "n3");
  EXPECT_EQ(inventory->hosts[2].host, "");
}

struct Broken {
  const char* text;
  const char* complaint;
};

class BrokenInventory : public ::testing::TestWithParam<Broken> {};

TEST_P(BrokenInventory, IsRefusedWithPlaceAndExpectation) {
  ::unsetenv("ORDEAL_TEST_UNSET");
  const auto inventory = parse_inventory(GetParam().text, "hosts");
  ASSERT_FALSE(inventory);
  EXPECT_EQ(inventory.error().code, ErrorCode::usage);
  EXPECT_THAT(inventory.error().message, HasSubstr(GetParam().complaint));
}

INSTANTIATE_TEST_SUITE_P(
    All, BrokenInventory,
    ::testing::Values(Broken{"", "hosts: no hosts; expected one a line"}, Broken{"# nothing\n\n", "hosts: no hosts"},
                      Broken{"n1\nn2 port=x", "hosts:2: port=x: expected a number from 1 to 65535"},
                      Broken{"n1 port=0", "hosts:1: port=0"}, Broken{"n1 port=65536", "hosts:1: port=65536"},
                      Broken{"n1 port=22x", "hosts:1: port=22x"},
                      Broken{"n1 prot=22", "unknown key \"prot\"; did you mean \"port\"?"},
                      Broken{"n1 22", "hosts:1: \"22\": expected key=value"},
                      Broken{"n1 host=", "hosts:1: host=: expected a value"},
                      Broken{"host=n1", "hosts:1: \"host=n1\": expected the name of a host first"},
                      Broken{"n1\n\nn1 port=23", "hosts:3: a second host named \"n1\""},
                      Broken{"n1 identity=\"a b", "hosts:1: a double quote is not closed"},
                      Broken{"n1 agent=maybe", "hosts:1: agent=maybe: expected yes or no"},
                      Broken{"n1 password_env=ORDEAL_TEST_UNSET",
                             "the environment variable ORDEAL_TEST_UNSET is not set"},
                      // What else is in the environment went to whatever host an inventory named.
                      Broken{"n1 password_env=HOME",
                             "hosts:1: password_env=HOME: only variables whose names begin "
                             "with ORDEAL_ are sent to hosts"},
                      Broken{"n1\nn2 sudo_password_env=PATH", "hosts:2: sudo_password_env=PATH: only variables"},
                      Broken{"network-namespace=x\nn1", "hosts:1: network-namespace=x: expected an absolute path"},
                      Broken{"network-namespace=/a b\nn1", "hosts:1: expected nothing after"},
                      Broken{"network-namespace=/a\nnetwork-namespace=/b\nn1", "hosts:2: a second network-namespace"}));

// HOME was sent to a host that a ledger named.
TEST(RegressInventory, SendsNothingOfTheEnvironmentThatIsNotMeantForHosts) {
  for (const char* key : {"password_env", "sudo_password_env"}) {
    EXPECT_FALSE(parse_inventory(std::string("n1 ") + key + "=HOME", "hosts")) << key;
  }
}

TEST(Inventory, HomeIsWhatTheEnvironmentSays) {
  const char* before = std::getenv("HOME");
  const std::string kept = before == nullptr ? "" : before;
  ::setenv("HOME", "/home/somebody", 1);
  const auto inventory = parse_inventory("n1 identity=~/.ssh/key identity=~other/key identity=./key", "/etc/hosts.txt");
  ASSERT_TRUE(inventory) << inventory.error().message;
  EXPECT_THAT(inventory->hosts[0].identity_files,
              ElementsAre("/home/somebody/.ssh/key", "/etc/~other/key", "/etc/key"));
  const auto absolute = parse_inventory("n1 identity=/link/../key", "/etc/hosts.txt");
  ASSERT_TRUE(absolute) << absolute.error().message;
  EXPECT_THAT(absolute->hosts[0].identity_files, ElementsAre("/link/../key")) << "where it leads, the system says";
  before == nullptr ? ::unsetenv("HOME") : ::setenv("HOME", kept.c_str(), 1);
}

TEST(Inventory, SaysThatTheFileIsMissing) {
  const auto inventory = read_inventory("/nonexistent/hosts");
  ASSERT_FALSE(inventory);
  EXPECT_EQ(inventory.error().message, "the inventory: reading /nonexistent/hosts: No such file or directory");
}

TEST(Inventory, OfALocalClusterReadsBack) {
  ClusterState state;
  state.name = "a";
  state.directory = "/run/with space/a";
  state.keeper = 77;
  state.nodes = {{"n1", "10.77.0.1", "fd0d:ea1::1", 78, "ssh-ed25519 AAAA"}};
  const auto inventory = parse_inventory(inventory_text(state), "inventory");
  ASSERT_TRUE(inventory) << inventory.error().message;
  EXPECT_EQ(inventory->network_namespace, "/proc/77/ns/net");
  ASSERT_EQ(inventory->hosts.size(), 1u);
  EXPECT_THAT(inventory->hosts[0].identity_files, ElementsAre("/run/with space/a/id_ed25519"));
  EXPECT_EQ(inventory->hosts[0].config_file, "none");
}

TEST(NodeSource, RefusesWhatNoSourceUnderstands) {
  for (const char* spec : {"", "local:", "local:0", "local:201", "local:-1", "local:5x", "ssh:", "a,,b", "a,a", "a b",
                           "-oProxyCommand=x", "h1,local:2", "nodes.txt/x"}) {
    const auto valid = check_nodes(spec);
    ASSERT_FALSE(valid) << spec;
    EXPECT_EQ(valid.error().code, ErrorCode::usage) << spec;
    EXPECT_THAT(valid.error().message, HasSubstr(spec));
  }
  EXPECT_TRUE(check_nodes("docker:5"));
  for (const char* none : {"docker:", "docker:0", "docker:65", "docker:x"}) {
    const auto docker = check_nodes(none);
    ASSERT_FALSE(docker) << none;
    EXPECT_EQ(docker.error().code, ErrorCode::usage);
    EXPECT_THAT(docker.error().message, HasSubstr("1 to 64 after docker:"));
  }
}

TEST(NodeSource, AcceptsEverySource) {
  for (const char* spec : {"local", "local:1", "local:200", "ssh:hosts.txt", "h1", "h1,h2.example.org,10.0.0.1"}) {
    EXPECT_TRUE(check_nodes(spec)) << spec;
  }
  const auto set = open_nodes("h1,h2");
  ASSERT_TRUE(set) << set.error().message;
  ASSERT_EQ(set->cluster.size(), 2u);
  EXPECT_EQ(set->cluster.at(1).name(), "h2");
  EXPECT_EQ(set->local, nullptr);
}

TEST(ClusterState, ReadsBackWhatItWrote) {
  ClusterState state;
  state.name = "x";
  state.directory = "/run/ordeal/x";
  state.keeper = 5;
  state.up_since = 1'700'000'000;
  state.storage = "/data/ordeal-x";
  state.hub_address = "10.77.0.254";
  state.nodes = {{"n1", "10.77.0.1", "", 6, "ssh-ed25519 A"}, {"n2", "10.77.0.2", "fd0d:ea1::2", 7, "ssh-ed25519 B"}};
  const auto again = ClusterState::from_json(state.to_json());
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->to_json(), state.to_json());
  ASSERT_NE(again->find("n2"), nullptr);
  EXPECT_EQ(again->find("n2")->address6, "fd0d:ea1::2");
  EXPECT_EQ(again->find("n3"), nullptr);
  EXPECT_FALSE(ClusterState::from_json("[1]"));
}

TEST(ClusterState, NamesAreFileNames) {
  for (const char* name : {"a", "default", "run-1-2", "A_b.c"}) EXPECT_TRUE(check_cluster_name(name)) << name;
  for (const char* name : {"", ".", "..", ".a", "a/b", "-a", "a b", "a\n"})
    EXPECT_FALSE(check_cluster_name(name)) << name;
  EXPECT_FALSE(check_cluster_name(std::string(65, 'a')));
}

TEST(NodeRoot, OverlaysRealFileSystemsOuterOnesFirst) {
  const char* mountinfo =
      "22 27 0:21 / /proc rw,relatime - proc proc rw\n"
      "27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n"
      "40 27 8:1 / /var/lib/my\\040data rw - xfs /dev/sda1 rw\n"
      "28 27 8:2 / /var rw,relatime shared:2 master:3 - ext4 /dev/sda2 rw\n"
      "29 27 0:30 / /tmp rw - tmpfs tmpfs rw\n"
      "30 27 0:31 / /run/user/0 rw - tmpfs tmpfs rw\n"
      "31 27 0:32 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
      "32 27 0:33 / /net rw - autofs systemd-1 rw\n"
      "33 28 8:3 / /var rw - ext4 /dev/sda3 rw\n"
      "34 27 8:4 / /tmpfoo rw - ext4 /dev/sda4 rw\n";
  EXPECT_THAT(mounts_to_overlay(mountinfo), ElementsAre("/", "/var", "/tmpfoo", "/var/lib/my data"));
}

TEST(SshKeys, AreReadBySshKeygen) {
  const ordeal::testing::TemporaryDirectory directory;
  for (const char* comment : {"", "ordeal@cluster", "a"}) {  // different lengths of padding
    const auto key = make_ssh_key(comment);
    ASSERT_TRUE(key) << key.error().message;
    const std::string path = directory.path() + "/key";
    std::ofstream(path) << key->private_key;
    ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
    const auto read = ordeal::testing::run_program({"/usr/bin/ssh-keygen", "-y", "-f", path});
    EXPECT_EQ(read.exit_code, 0) << read.err;
    EXPECT_EQ(read.out.substr(0, key->public_key.size()), key->public_key);
    EXPECT_THAT(read.out, HasSubstr(comment));
  }
}

}  // namespace
}  // namespace ordeal::nodes
