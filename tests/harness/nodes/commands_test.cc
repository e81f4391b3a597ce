// `ordeal nodes …` as functions, with a cluster that lives on its own.
#include "harness/nodes/commands.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/value.h"
#include "tests/harness/nodes/cluster_fixture.h"

namespace ordeal::nodes {
namespace {

using ::testing::HasSubstr;

class NodesCommands : public ClusterTest {
 protected:
  template <class Options>
  Options in_test(Options options = {}) const {
    options.runtime_directory = runtime();
    options.name = name_;
    return options;
  }
  int up(int nodes) {
    auto options = in_test<NodesUpOptions>();
    options.nodes = "local:" + std::to_string(nodes);
    return nodes_up(options, out_, err_);
  }
  int exec(std::vector<std::string> nodes, std::vector<std::string> command, bool json = false) {
    out_.str("");
    err_.str("");
    auto options = in_test<NodesExecOptions>();
    options.nodes = std::move(nodes);
    options.command = std::move(command);
    options.json = json;
    return nodes_exec(options, out_, err_);
  }
  void TearDown() override {
    std::ostringstream ignored;
    if (host_network_ >= 0) (void)nodes_down(in_test<NodesDownOptions>(), ignored, ignored);
    ClusterTest::TearDown();
  }

  std::string name_ = "cmd-" + std::to_string(::getpid());
  std::ostringstream out_;
  std::ostringstream err_;
};

TEST_F(NodesCommands, UpStatusExecDown) {
  ASSERT_EQ(up(2), 0) << err_.str();
  EXPECT_THAT(out_.str(), HasSubstr("2 nodes up in"));
  EXPECT_EQ(up(1), 64) << "the name is taken";
  EXPECT_THAT(err_.str(), HasSubstr("is up already"));

  std::ostringstream status;
  auto status_options = in_test<NodesStatusOptions>();
  status_options.json = true;
  ASSERT_EQ(nodes_status(status_options, status, err_), 0);
  const auto clusters = Value::from_json(status.str());
  ASSERT_TRUE(clusters) << status.str();
  ASSERT_EQ(clusters->items().size(), 1u);
  EXPECT_EQ(clusters->items()[0].find("nodes")->items()[1].find("address")->string(), "10.77.0.2");

  EXPECT_EQ(exec({"n2"}, {"hostname"}), 0) << err_.str();
  EXPECT_EQ(out_.str(), "n2\n");
  EXPECT_EQ(exec({"all"}, {"hostname; echo x"}), 0) << err_.str();
  EXPECT_EQ(out_.str(), "n1: n1\nn1: x\nn2: n2\nn2: x\n");
  EXPECT_EQ(exec({"n1"}, {"printf", "%s|", "a b", "$HOME"}), 0) << err_.str();
  EXPECT_EQ(out_.str(), "a b|$HOME|");
  EXPECT_EQ(exec({"n1"}, {"exit 7"}), 3);
  EXPECT_THAT(err_.str(), HasSubstr("n1: the command ended with exit code 7"));
  EXPECT_EQ(exec({"n1"}, {"exit 7"}, true), 3);
  EXPECT_THAT(out_.str(), HasSubstr("\"exit_code\":7"));
  EXPECT_EQ(exec({"n3"}, {"true"}), 64);
  EXPECT_THAT(err_.str(), HasSubstr("unknown node \"n3\""));

  std::ostringstream down;
  EXPECT_EQ(nodes_down(in_test<NodesDownOptions>(), down, err_), 0);
  EXPECT_EQ(down.str(), "cluster " + name_ + " is down\n");
  // A detached keeper is this program's child and stays a zombie until it ends: hence no look at its processes.
  EXPECT_FALSE(std::filesystem::exists(runtime()));
  EXPECT_EQ(nodes_status(in_test<NodesStatusOptions>(), down, err_), 3);
  EXPECT_EQ(exec({"n1"}, {"true"}), 3);
  EXPECT_THAT(err_.str(), HasSubstr("ordeal nodes up"));
}

TEST_F(NodesCommands, TheInventoryWorksForRuns) {
  ASSERT_EQ(up(2), 0) << err_.str();
  const auto set = open_nodes("ssh:" + runtime() + "/" + name_ + "/inventory");
  ASSERT_TRUE(set) << set.error().message;
  ASSERT_EQ(set->cluster.size(), 2u);
  const auto output = set->cluster.at(1).run("hostname");
  ASSERT_TRUE(output) << output.error().message;
  EXPECT_EQ(output->out, "n2\n");
}

TEST_F(NodesCommands, ANewClientIsHeldToTheHostKeys) {
  ASSERT_EQ(up(1), 0) << err_.str();
  const std::string known_hosts = runtime() + "/" + name_ + "/known_hosts";
  std::ofstream(known_hosts)
      << "10.77.0.1 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIC6FTZQyi/6WSA6kQxNjhTCIzv5zC7i8ToJ6TTBfIHN\n";
  EXPECT_EQ(exec({"n1"}, {"true"}), 3);
  EXPECT_THAT(err_.str(), HasSubstr("host key"));
}

TEST_F(NodesCommands, SshRunsTheClientInTheNetworkOfTheNodes) {
  ASSERT_EQ(up(2), 0) << err_.str();
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(ends[1], STDOUT_FILENO);
    auto options = in_test<NodesSshOptions>();
    options.node = "n2";
    options.arguments = {"hostname; exit 5"};
    ::_exit(nodes_ssh(options, out_, err_));
  }
  ::close(ends[1]);
  std::array<char, 64> text{};
  const ssize_t size = ::read(ends[0], text.data(), text.size());
  ::close(ends[0]);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(std::string(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0), "n2\n");
  EXPECT_EQ(WEXITSTATUS(status), 5);
}

TEST_F(NodesCommands, RefuseWhatMakesNoSense) {
  auto options = in_test<NodesUpOptions>();
  for (const char* nodes : {"local:0", "local:x", "h1,h2", "ssh:x", "docker:3"}) {
    options.nodes = nodes;
    EXPECT_EQ(nodes_up(options, out_, err_), 64) << nodes;
  }
  options.nodes = "local:1";
  options.name = "../x";
  EXPECT_EQ(nodes_up(options, out_, err_), 64);
  EXPECT_EQ(exec({"n1"}, {}), 64);
}

}  // namespace
}  // namespace ordeal::nodes
