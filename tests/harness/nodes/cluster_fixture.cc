#include "tests/harness/nodes/cluster_fixture.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <regex>
#include <sstream>
#include <thread>

namespace ordeal::nodes {

namespace fs = std::filesystem;

namespace {

std::string text_of(const fs::path& file) {
  // Of a process in /proc that ends meanwhile, what could be read; an iterator would throw.
  std::ostringstream text;
  text << std::ifstream(file, std::ios::binary).rdbuf();
  return text.str();
}

std::string link_of(const fs::path& link) {
  std::error_code error;
  return fs::read_symlink(link, error).string();
}

}  // namespace

Namespaces::Namespaces(const ClusterState& state) {
  hold(state.network_namespace());
  for (const LocalNode& node : state.nodes) {
    for (const char* kind : {"net", "mnt", "pid", "uts", "ipc"}) {
      hold("/proc/" + std::to_string(node.pid) + "/ns/" + kind);
    }
  }
}

Namespaces::~Namespaces() {
  for (const int fd : held_) ::close(fd);
}

void Namespaces::hold(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  EXPECT_GE(fd, 0) << path;
  if (fd < 0) return;
  held_.push_back(fd);
  links_.insert(link_of("/proc/self/fd/" + std::to_string(fd)));
}

std::string remains(const std::string& name, const Namespaces& namespaces, const std::string& runtime_directory) {
  std::string found;
  std::error_code error;
  for (const auto& process : fs::directory_iterator("/proc", error)) {
    const std::string pid = process.path().filename().string();
    if (!std::all_of(pid.begin(), pid.end(), [](unsigned char c) { return std::isdigit(c) != 0; })) continue;
    if (std::stoi(pid) == ::getpid()) continue;
    if ((text_of(process.path() / "cmdline") + text_of(process.path() / "environ")).find(name) != std::string::npos) {
      found += "process " + pid + ": " + text_of(process.path() / "comm");
    }
    for (const char* kind : {"net", "mnt", "pid", "uts", "ipc"}) {
      const std::string link = link_of(process.path() / "ns" / kind);
      if (namespaces.contain(link)) found += "process " + pid + " in " + link + "\n";
    }
    for (const auto& fd : fs::directory_iterator(process.path() / "fd", error)) {
      const std::string link = link_of(fd.path());
      if (namespaces.contain(link)) found += "process " + pid + " holds " + link + "\n";
    }
  }
  if (text_of("/proc/self/mountinfo").find(name) != std::string::npos) found += "a mount\n";
  if (fs::exists(runtime_directory)) found += "the directory " + runtime_directory + "\n";
  return found;
}

std::string remains_within(std::chrono::milliseconds limit, const std::string& name, const Namespaces& namespaces,
                           const std::string& runtime_directory) {
  const auto begin = std::chrono::steady_clock::now();
  std::string found = remains(name, namespaces, runtime_directory);
  while (!found.empty() && std::chrono::steady_clock::now() - begin < limit) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    found = remains(name, namespaces, runtime_directory);
  }
  const auto took = std::chrono::steady_clock::now() - begin;
  std::cout << "[ INFO     ] " << (found.empty() ? "nothing left after " : "still there after ")
            << std::chrono::duration_cast<std::chrono::milliseconds>(took).count() << " ms\n";
  return found;
}

std::string host_state() {
  const auto result = ordeal::testing::run_program(
      {"/bin/sh", "-c",
       "ip -o link; ip -o address show scope global; ip route; ip -6 route; iptables-save; ip6tables-save; "
       "sed 's/^[0-9]* [0-9]* //' /proc/self/mountinfo; hostname"});
  // The filters' comments carry the time, their chains counters.
  return std::regex_replace(result.out, std::regex("#[^\n]*|\\[[0-9]+:[0-9]+\\]"), "");
}

void ClusterTest::SetUp() {
  if (auto able = check_local_nodes(); !able) {
    std::cerr << "[ SKIPPED  ] no local nodes on this machine: " << able.error().message << "\n";
    GTEST_SKIP() << able.error().message;
  }
  host_network_ = ::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  ASSERT_GE(host_network_, 0);
}

void ClusterTest::TearDown() {
  if (host_network_ < 0) return;
  EXPECT_EQ(::setns(host_network_, CLONE_NEWNET), 0);
  ::close(host_network_);
}

LocalClusterOptions ClusterTest::options(int nodes) const {
  static std::atomic<int> count{0};
  LocalClusterOptions options;
  options.nodes = nodes;
  options.name = "test-" + std::to_string(::getpid()) + "-" + std::to_string(++count) + "x";
  options.runtime_directory = runtime();
  return options;
}

std::unique_ptr<LocalCluster> ClusterTest::start(int nodes) {
  auto cluster = LocalCluster::start(options(nodes));
  EXPECT_TRUE(cluster) << cluster.error().message;
  if (!cluster) return nullptr;
  const auto entered = (*cluster)->enter_network();
  EXPECT_TRUE(entered) << entered.error().message;
  return std::move(*cluster);
}

std::string ClusterTest::run(const LocalCluster& cluster, const std::string& node, const std::string& script,
                             int code) {
  for (SshEndpoint& endpoint : endpoints(cluster.state())) {
    if (endpoint.name != node) continue;
    const auto connection = make_ssh_node(std::move(endpoint));
    const auto output = connection->run(script);
    EXPECT_TRUE(output) << output.error().message;
    if (!output) return "";
    EXPECT_EQ(output->exit_code, code) << node << ": " << script << "\n" << output->out << output->err;
    return output->out;
  }
  ADD_FAILURE() << "no node " << node;
  return "";
}

}  // namespace ordeal::nodes
