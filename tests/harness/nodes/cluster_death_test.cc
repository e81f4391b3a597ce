// Nothing stays behind, whatever ended the run: the controller is killed while it works and while it starts, the
// keeper is killed, nodes hold stopped processes.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <thread>

#include "tests/harness/nodes/cluster_fixture.h"

namespace ordeal::nodes {
namespace {

using std::chrono::milliseconds;

// A controller in a process of its own, to be killed.
class Controller {
 public:
  // `work` runs in it once the cluster is up; after that it waits for its death.
  template <class Work>
  Controller(const LocalClusterOptions& options, const Work& work) {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::setpgid(0, 0);
      const auto cluster = LocalCluster::start(options);
      std::string message = cluster ? (*cluster)->state().to_json() : cluster.error().message;
      if (cluster && !work(**cluster)) message = "the work in the cluster failed";
      (void)!::write(ends[1], message.data(), message.size());
      for (;;) ::pause();
    }
    ::close(ends[1]);
    read_ = ends[0];
  }
  ~Controller() {
    kill();
    ::close(read_);
  }
  Controller(const Controller&) = delete;
  Controller& operator=(const Controller&) = delete;

  [[nodiscard]] ClusterState await_up() const {
    std::array<char, 16'384> text{};
    pollfd waiting{read_, POLLIN, 0};
    const ssize_t size = ::poll(&waiting, 1, 30'000) == 1 ? ::read(read_, text.data(), text.size()) : 0;
    const std::string message(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
    auto state = ClusterState::from_json(message);
    EXPECT_TRUE(state) << message;
    return state ? *state : ClusterState();
  }
  [[nodiscard]] pid_t pid() const { return pid_; }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  pid_t pid_ = -1;
  int read_ = -1;
};

// The same work as a run would do: daemons, a stopped process, a packet filter, and a client of the controller's own.
bool keep_busy(LocalCluster& cluster) {
  if (!cluster.enter_network()) return false;
  for (SshEndpoint& endpoint : endpoints(cluster.state())) {
    const auto node = make_ssh_node(std::move(endpoint));
    const auto output = node->run(
        "setsid sleep 1000 </dev/null >/dev/null 2>&1 & setsid sh -c 'kill -STOP $$; sleep 1000' </dev/null >/dev/null "
        "2>&1 & iptables -A INPUT -s 10.77.0.3 -j DROP");
    if (!output || output->exit_code != 0) return false;
  }
  if (::fork() == 0) {  // in the hub's network, as an adapter would be
    ::setsid();
    ::execlp("sleep", "sleep", "1000", nullptr);
    ::_exit(127);
  }
  return true;
}

TEST_F(ClusterTest, NothingIsLeftWhenTheControllerIsKilled) {
  const std::string before = host_state();
  const LocalClusterOptions wanted = options(3);
  Controller controller(wanted, keep_busy);
  const ClusterState state = controller.await_up();
  ASSERT_EQ(state.nodes.size(), 3u);
  const Namespaces namespaces(state);
  ASSERT_THAT(remains(wanted.name, namespaces, runtime()), ::testing::HasSubstr("process"))
      << "the probe must see them";
  controller.kill();
  EXPECT_EQ(remains_within(milliseconds(5'000), wanted.name, namespaces, runtime()), "");
  EXPECT_EQ(host_state(), before);
}

TEST_F(ClusterTest, NothingIsLeftWhenTheControllerIsKilledWhileItStarts) {
  for (const int after_ms : {0, 5, 15, 30, 60, 100, 150, 250}) {
    const LocalClusterOptions wanted = options(3);
    Controller controller(wanted, [](LocalCluster&) { return true; });
    ::usleep(static_cast<useconds_t>(after_ms) * 1'000);
    controller.kill();
    EXPECT_EQ(remains_within(milliseconds(5'000), wanted.name, {}, runtime()), "")
        << "killed after " << after_ms << " ms";
  }
}

TEST_F(ClusterTest, CtrlCDoesNotReachTheKeeper) {
  const LocalClusterOptions wanted = options(1);
  Controller controller(wanted, [](LocalCluster&) { return ::signal(SIGINT, SIG_IGN) != SIG_ERR; });
  const ClusterState state = controller.await_up();
  ASSERT_EQ(state.nodes.size(), 1u);
  ASSERT_EQ(::kill(-controller.pid(), SIGINT), 0) << "to its process group, as a terminal does";
  ::usleep(200'000);
  EXPECT_EQ(::kill(state.keeper, 0), 0);
  EXPECT_EQ(::kill(state.nodes[0].pid, 0), 0);
  EXPECT_EQ(::getsid(state.keeper), state.keeper);
}

TEST_F(ClusterTest, NodesDieWithAKilledKeeperAndTheDirectoryIsFoundStale) {
  const LocalClusterOptions wanted = options(2);
  Controller controller(wanted, [](LocalCluster&) { return true; });
  const ClusterState state = controller.await_up();
  const Namespaces namespaces(state);
  ASSERT_TRUE(is_up(state.directory));
  ASSERT_EQ(::kill(state.keeper, SIGKILL), 0);
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (::kill(state.nodes[0].pid, 0) == 0 && std::chrono::steady_clock::now() < limit) ::usleep(10'000);
  controller.kill();
  while (is_up(state.directory) && std::chrono::steady_clock::now() < limit) ::usleep(10'000);
  EXPECT_FALSE(is_up(state.directory));
  std::vector<std::string> cleaned;
  EXPECT_TRUE(list_clusters(runtime(), &cleaned).empty());
  EXPECT_THAT(cleaned, ::testing::ElementsAre(wanted.name));
  EXPECT_EQ(remains_within(milliseconds(5'000), wanted.name, namespaces, runtime()), "");
}

// The runtime directory stayed for ever when both were killed, since only `ordeal nodes` looked for what is stale.
TEST_F(ClusterTest, RegressTheNextClusterCleansUpAfterAControllerAndAKeeperThatWereKilledTogether) {
  Controller controller(options(1), [](LocalCluster&) { return true; });
  const ClusterState state = controller.await_up();
  ASSERT_EQ(::kill(state.keeper, SIGSTOP), 0);
  controller.kill();
  ASSERT_EQ(::kill(state.keeper, SIGKILL), 0);
  const auto there = [&] { return std::filesystem::exists(state.directory); };
  for (int i = 0; i < 100 && is_up(state.directory); ++i) std::this_thread::sleep_for(milliseconds(50));
  ASSERT_TRUE(there());
  const auto next = LocalCluster::start(options(1));
  ASSERT_TRUE(next) << next.error().message;
  EXPECT_FALSE(there());
  EXPECT_TRUE(state.memory_group.empty() || !std::filesystem::exists(state.memory_group));
}

}  // namespace
}  // namespace ordeal::nodes
