// Nodes that are containers, of a Docker daemon that the test starts in a network namespace of its own.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <thread>

#include "harness/nodes/node_source.h"
#include "tests/support/program.h"

namespace ordeal::nodes {
namespace {

namespace fs = std::filesystem;
using ordeal::testing::Background;
using ordeal::testing::run_program;
using ordeal::testing::TemporaryDirectory;
using std::chrono::seconds;
using std::chrono::steady_clock;
using ::testing::HasSubstr;

void set_loopback_up() {
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  EXPECT_EQ(::ioctl(fd, SIOCSIFFLAGS, &request), 0);
  ::close(fd);
}

class DockerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "SKIPPED: a Docker daemon of the test's own needs root";
    host_network_ = ::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    ASSERT_GE(host_network_, 0);
    ASSERT_EQ(::unshare(CLONE_NEWNET), 0);
    set_loopback_up();
    group_ = "ordeal-test-" + std::to_string(::getpid());
    const std::string& base = directory_.path();
    ::setenv("DOCKER_HOST", ("unix://" + base + "/socket").c_str(), 1);
    daemon_ = std::make_unique<Background>(
        // Its mounts are its own: another test looks at those of the host.
        std::vector<std::string>{"unshare", "--mount", "/usr/sbin/dockerd", "--data-root", base + "/data",
                                 "--exec-root", base + "/exec", "-H", "unix://" + base + "/socket", "--pidfile",
                                 base + "/pid", "--cgroup-parent", "/" + group_},
        base + "/log");
    const auto limit = steady_clock::now() + seconds(30);
    while (docker({"version"}).exit_code != 0) {
      ASSERT_LT(steady_clock::now(), limit) << log();
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }
  void TearDown() override {
    if (daemon_ != nullptr) {
      daemon_->signal(SIGTERM);
      EXPECT_NE(daemon_->wait(seconds(20)), -1) << log();
    }
    ::unsetenv("DOCKER_HOST");
    std::error_code ignored;
    ::rmdir(("/sys/fs/cgroup/" + group_).c_str());
    for (const auto& hierarchy : fs::directory_iterator("/sys/fs/cgroup", ignored)) {
      ::rmdir((hierarchy.path() / group_).c_str());
    }
    if (host_network_ < 0) return;
    EXPECT_EQ(::setns(host_network_, CLONE_NEWNET), 0);
    ::close(host_network_);
  }
  static ordeal::testing::ProgramResult docker(const std::vector<std::string>& arguments) {
    std::vector<std::string> words = {"/usr/bin/env", "docker"};
    words.insert(words.end(), arguments.begin(), arguments.end());
    return run_program(words, seconds(20));
  }
  std::string log() const {
    std::ifstream in(directory_.path() + "/log");
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }
  static std::string containers() { return docker({"ps", "--all", "--format", "{{.Names}}"}).out; }

  TemporaryDirectory directory_;
  std::unique_ptr<Background> daemon_;
  std::string group_;
  int host_network_ = -1;
};

TEST_F(DockerTest, ContainersAreNodesAndVanish) {
  {
    auto set = open_nodes("docker:2");
    ASSERT_TRUE(set) << set.error().message;
    ASSERT_EQ(set->cluster.size(), 2u);
    Node& first = set->cluster.at(0);
    EXPECT_EQ(first.name(), "n1");
    const auto hostname = first.run("hostname");
    ASSERT_TRUE(hostname) << hostname.error().message;
    EXPECT_EQ(hostname->out, "n1\n");
    // They see each other by name, may filter packets, and what one writes stays there.
    const auto other =
        first.run("getent hosts n2 && iptables -A INPUT -s 192.0.2.1 -j DROP && touch /var/lib/mark && echo ok");
    ASSERT_TRUE(other);
    EXPECT_THAT(other->out, HasSubstr(set->cluster.at(1).address()));
    EXPECT_THAT(other->out, HasSubstr("ok")) << other->err;
    EXPECT_EQ(set->cluster.at(1).run("ls /var/lib/mark")->exit_code, 2);
    // What the faults of disks need.
    const auto mounted = first.run(
        "[ -c /dev/fuse ] && (: <>/dev/fuse) && mkdir /mnt/here && mount -t tmpfs here /mnt/here && umount /mnt/here "
        "&& echo ok");
    ASSERT_TRUE(mounted);
    EXPECT_EQ(mounted->out, "ok\n") << mounted->err;
    EXPECT_THAT(containers(), HasSubstr(set->docker->container(0)));
  }
  EXPECT_EQ(containers(), "");

  // Whatever ends the controller ends its nodes.
  const pid_t controller = ::fork();
  if (controller == 0) {
    const auto set = open_nodes("docker:2");
    ::kill(::getpid(), set ? SIGKILL : SIGTERM);
    ::_exit(1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(controller, &status, 0), controller);
  ASSERT_EQ(WTERMSIG(status), SIGKILL) << "the cluster did not come up";
  const auto limit = steady_clock::now() + seconds(15);
  while (!containers().empty() && steady_clock::now() < limit)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(containers(), "");
}

TEST_F(DockerTest, WhatCannotWorkIsSaid) {
  NodeSourceOptions options;
  options.docker_image = "no-such-image:none";
  const auto unknown = open_nodes("docker:1", options);
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().message, HasSubstr("no-such-image"));
  options.docker_image.clear();
  options.docker_arguments = "--tmpfs /usr/sbin";  // hides sshd
  const auto without = open_nodes("docker:1", options);
  ASSERT_FALSE(without);
  EXPECT_THAT(without.error().message, HasSubstr("the image has no sshd"));
  EXPECT_EQ(containers(), "");
  ::setenv("DOCKER_HOST", "unix:///nonexistent/socket", 1);
  const auto silent = open_nodes("docker:1");
  ASSERT_FALSE(silent);
  EXPECT_EQ(silent.error().code, ErrorCode::unsupported);
  EXPECT_THAT(silent.error().message, HasSubstr("the Docker daemon does not answer"));
}

}  // namespace
}  // namespace ordeal::nodes
