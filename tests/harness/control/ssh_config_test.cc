// The parser of ~/.ssh/config and of jump hosts.

#include "harness/control/ssh_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/control/ssh_connect.h"
#include "tests/harness/control/sshd.h"

namespace ordeal {
namespace {

using ordeal::testing::TempDir;
using ordeal::testing::write_file;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

SshHostConfig look_up(std::string_view text, const std::string& host) {
  const auto config = SshConfig::parse(text, "config", "/home/me");
  if (!config) {
    ADD_FAILURE() << config.error().message;
    return {};
  }
  auto found = config->lookup(host);
  if (!found) {
    ADD_FAILURE() << found.error().message;
    return {};
  }
  return *found;
}

std::string parse_error(std::string_view text) {
  const auto config = SshConfig::parse(text, "config", "/home/me");
  if (!config) return config.error().message;
  const auto found = config->lookup("any");
  return found ? "" : found.error().message;
}

TEST(SshConfig, TheFirstValueWinsAndIdentityFilesAddUp) {
  const auto found = look_up(
      "Host n1\n"
      "  HostName 10.0.0.1\n"
      "  Port 2222\n"
      "  IdentityFile ~/.ssh/a\n"
      "Host *\n"
      "  Port 22\n"
      "  User admin\n"
      "  IdentityFile ~/.ssh/b\n"
      "  IdentitiesOnly yes\n",
      "n1");
  EXPECT_EQ(found.host_name, "10.0.0.1");
  EXPECT_EQ(found.port, 2222);
  EXPECT_EQ(found.user, "admin");
  EXPECT_THAT(found.identity_files, ElementsAre("~/.ssh/a", "~/.ssh/b"));
  EXPECT_TRUE(found.identities_only);
}

TEST(SshConfig, OptionsBeforeTheFirstHostHoldForAll) {
  EXPECT_EQ(look_up("User first\nHost a\nUser second\n", "a").user, "first");
  EXPECT_EQ(look_up("Host a\nUser second\nMatch all\nUser third\n", "b").user, "third");
}

TEST(SshConfig, PatternsWithWildcardsAndNegation) {
  const std::string text = "Host db-? !db-3 *.example.com\n  User dba\n";
  EXPECT_EQ(look_up(text, "db-1").user, "dba");
  EXPECT_EQ(look_up(text, "db-3").user, "");
  EXPECT_EQ(look_up(text, "db-10").user, "");
  EXPECT_EQ(look_up(text, "x.example.com").user, "dba");
  EXPECT_EQ(look_up("Host !a\n User u\n", "b").user, "") << "a negated pattern alone matches nothing";
}

TEST(SshConfig, SpellingsOfALine) {
  const auto found = look_up("HOST=\"n1\"\n\tuser = \"a b\" # comment\n# Port 1\n\n  pOrT=44\r\n", "n1");
  EXPECT_EQ(found.user, "a b");
  EXPECT_EQ(found.port, 44);
  EXPECT_EQ(look_up("User \"u\" \"v\"\n", "x").user, "u");
  EXPECT_THAT(look_up("UserKnownHostsFile \"\" /b\n", "x").user_known_hosts_files, ElementsAre("", "/b"));
}

TEST(SshConfig, KnownHostsJumpsAndTimes) {
  const auto found = look_up(
      "Host *\n UserKnownHostsFile /a \"/b c\"\n GlobalKnownHostsFile none\n HostKeyAlias alias\n"
      " StrictHostKeyChecking Accept-New\n ConnectTimeout 1m30\n ProxyJump a@b:1,c\n ProxyCommand nc %h %p\n",
      "x");
  EXPECT_THAT(found.user_known_hosts_files, ElementsAre("/a", "/b c"));
  EXPECT_THAT(found.global_known_hosts_files, ElementsAre("none"));
  EXPECT_EQ(found.host_key_alias, "alias");
  EXPECT_EQ(found.strict_host_key_checking, "accept-new");
  EXPECT_EQ(found.connect_timeout, std::chrono::seconds(90));
  EXPECT_EQ(found.proxy_jump, "a@b:1,c");
  EXPECT_EQ(found.proxy_command, "") << "ProxyJump came first";
}

TEST(SshConfig, MatchOtherThanHostIsSkippedWithANote) {
  const auto found = look_up("Match exec \"true\"\n User wrong\nMatch host n*,!n2\n User right\n", "n1");
  EXPECT_EQ(found.user, "right");
  EXPECT_THAT(found.notes, ElementsAre("config:1: `Match exec` is not supported and was skipped"));
  EXPECT_EQ(look_up("Match host n*,!n2\n User right\n", "n2").user, "");
}

TEST(SshConfig, UnknownOptionsAreSkippedAndBrokenOnesNamed) {
  EXPECT_EQ(look_up("SendEnv LANG LC_*\nUser u\n", "x").user, "u");
  EXPECT_EQ(parse_error("\nPort http\n"), "config:2: port \"http\": expected a port from 1 to 65535");
  EXPECT_THAT(parse_error("Port 70000\n"), HasSubstr("config:1"));
  EXPECT_THAT(parse_error("StrictHostKeyChecking maybe\n"), HasSubstr("accept-new"));
  EXPECT_THAT(parse_error("ConnectTimeout soon\n"), HasSubstr("a number of seconds"));
  EXPECT_EQ(parse_error("User \"u\n"), "config:1: a quote is not closed");
  EXPECT_EQ(parse_error("User\n"), "config:1: user has no value");
}

TEST(SshConfig, IncludeFollowsTheHostBlockThatItStandsIn) {
  const TempDir home;
  std::filesystem::create_directories(home.path() / ".ssh/conf.d");
  write_file(home / ".ssh/conf.d/1", "User included\nHost n1\n Port 1001\n");
  write_file(home / ".ssh/conf.d/2", "Port 1002\n");
  write_file(home / ".ssh/config",
             "Host n*\n Include conf.d/* missing/*\n HostName inside\nHost *\n Port 22\n User other\n");
  const auto config = SshConfig::load(home / ".ssh/config", home.path());
  ASSERT_TRUE(config) << config.error().message;
  const auto n1 = config->lookup("n1").value();
  EXPECT_EQ(n1.user, "included");
  EXPECT_EQ(n1.port, 1001);
  EXPECT_EQ(n1.host_name, "inside") << "the block goes on after the Include";
  EXPECT_EQ(config->lookup("n2").value().port, 1002);
  EXPECT_EQ(config->lookup("m").value().user, "other");
  EXPECT_EQ(config->lookup("m").value().port, 22);
}

TEST(SshConfig, FilesThatIncludeEachOtherAreAnError) {
  const TempDir home;
  write_file(home / "a", "Include " + (home / "a") + "\n");
  const auto config = SshConfig::load(home / "a", home.path());
  ASSERT_FALSE(config);
  EXPECT_THAT(config.error().message, HasSubstr("too deeply"));
}

// As many as OpenSSH follows, and not one more.
TEST(SshConfig, SixteenFilesIncludeOneAnother) {
  const TempDir home;
  for (int i = 0; i < 17; ++i) {
    write_file(home / std::to_string(i), "Include " + (home / std::to_string(i + 1)) + "\n");
  }
  write_file(home / "17", "User deep\n");
  EXPECT_EQ(SshConfig::load(home / "0", home.path()).error().code, ErrorCode::input);
  const auto config = SshConfig::load(home / "1", home.path());
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->lookup("x").value().user, "deep");
}

TEST(SshConfig, AMissingFileIsEmpty) {
  // A directory can be opened, but not read.
  EXPECT_EQ(SshConfig::load("/", "/").error().code, ErrorCode::input);
  const auto config = SshConfig::load("/nonexistent/config", "/");
  ASSERT_TRUE(config);
  EXPECT_THAT(config->lookup("x").value().identity_files, IsEmpty());
}

TEST(SshTokens, AreExpanded) {
  ::setenv("ORDEAL_TEST_VARIABLE", "value", 1);
  const std::map<char, std::string> values = {{'h', "host"}, {'r', "me"}};
  EXPECT_EQ(expand_ssh_tokens("~/k-%h-%r-%%-${ORDEAL_TEST_VARIABLE}", values, "/home").value(),
            "/home/k-host-me-%-value");
  EXPECT_EQ(expand_ssh_tokens("/a~b", values, "/home").value(), "/a~b");
  EXPECT_FALSE(expand_ssh_tokens("%z", values, "/home"));
  EXPECT_FALSE(expand_ssh_tokens("%", values, "/home"));
  EXPECT_FALSE(expand_ssh_tokens("${NO_SUCH_VARIABLE_HERE}", values, "/home"));
}

TEST(Jumps, AreParsed) {
  const auto check = [](std::string_view text, std::string_view user, std::string_view host, int port) {
    const auto spec = parse_jump(text);
    ASSERT_TRUE(spec) << spec.error().message;
    EXPECT_EQ(spec->user, user) << text;
    EXPECT_EQ(spec->host, host) << text;
    EXPECT_EQ(spec->port, port) << text;
  };
  check("h", "", "h", 0);
  check("u@h:22", "u", "h", 22);
  check("u@x@h", "u@x", "h", 0);
  check("u@[::1]:2222", "u", "::1", 2222);
  check("fe80::1", "", "fe80::1", 0);
  check("ssh://u@h:99", "u", "h", 99);
  for (const char* wrong : {"", "@h", "h:", "h:x", "h:0", "h:65536", "[::1", "[::1]x", "u@"})
    EXPECT_FALSE(parse_jump(wrong)) << wrong;
}

class Route : public ::testing::Test {
 protected:
  SshRoute resolve(const std::string& config, SshEndpoint endpoint) {
    write_file(dir_ / "config", config);
    endpoint.config_file = dir_ / "config";
    auto route = resolve_route(endpoint);
    if (!route) {
      error_ = route.error().message;
      return {};
    }
    return *route;
  }
  static SshEndpoint named(const std::string& name) {
    SshEndpoint endpoint;
    endpoint.name = name;
    return endpoint;
  }
  TempDir dir_;
  std::string error_;
};

TEST_F(Route, TheEndpointWinsOverTheConfiguration) {
  SshEndpoint endpoint = named("n1");
  endpoint.port = 5;
  endpoint.identity_files = {"/key"};
  endpoint.known_hosts_file = "/kh";
  const auto route = resolve(
      "Host n1\n HostName %h.example.com\n Port 6\n User u\n IdentityFile /other\n UserKnownHostsFile /x\n "
      "ConnectTimeout 3\n",
      endpoint);
  ASSERT_EQ(route.hops.size(), 1U) << error_;
  const SshHop& hop = route.hops[0];
  EXPECT_EQ(hop.host, "n1.example.com");
  EXPECT_EQ(hop.port, 5);
  EXPECT_EQ(hop.credentials.user, "u");
  EXPECT_THAT(hop.credentials.identity_files, ElementsAre("/key"));
  EXPECT_THAT(hop.known_hosts_files, ElementsAre("/kh"));
  EXPECT_EQ(route.connect_timeout, std::chrono::seconds(3));
}

TEST_F(Route, JumpHostsComeFirstAndHaveTheirOwnSettings) {
  const auto route = resolve(
      "Host n1\n ProxyJump gate,admin@second:2200\n"
      "Host gate\n HostName 192.0.2.1\n User g\n ProxyJump outer\n"
      "Host second\n User ignored\n ProxyJump nobody\n",
      named("n1"));
  ASSERT_EQ(route.hops.size(), 4U) << error_;
  EXPECT_EQ(route.hops[0].host, "outer");
  EXPECT_EQ(route.hops[1].host, "192.0.2.1");
  EXPECT_EQ(route.hops[1].credentials.user, "g");
  EXPECT_EQ(route.hops[2].host, "second");
  EXPECT_EQ(route.hops[2].port, 2200);
  EXPECT_EQ(route.hops[2].credentials.user, "admin");
  EXPECT_EQ(route.hops[3].host, "n1");
}

TEST_F(Route, JumpHostsInACircleAreAnError) {
  resolve("Host a\n ProxyJump b\nHost b\n ProxyJump a\n", named("a"));
  EXPECT_THAT(error_, HasSubstr("in a circle"));
}

TEST_F(Route, ProxyCommandIsRefusedWithAWayOut) {
  resolve("ProxyCommand nc %h %p\n", named("a"));
  EXPECT_THAT(error_, HasSubstr("use ProxyJump"));
  EXPECT_EQ(resolve("ProxyCommand none\n", named("a")).hops.size(), 1U);
}

TEST_F(Route, HostKeyAliasStandsWithoutPort) {
  const auto route = resolve("Port 2222\nHostKeyAlias cluster\nStrictHostKeyChecking no\n", named("a"));
  ASSERT_EQ(route.hops.size(), 1U) << error_;
  EXPECT_EQ(route.hops[0].host_key_name, "cluster");
  EXPECT_EQ(route.hops[0].host_key_port, 22);
  EXPECT_EQ(route.hops[0].host_keys, HostKeyPolicy::off);
}

}  // namespace
}  // namespace ordeal
