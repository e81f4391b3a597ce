#include "harness/nodes/local_cluster.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <sstream>

#include "base/descriptor.h"
#include "base/text.h"
#include "harness/nodes/keeper.h"
#include "harness/nodes/memory_group.h"

namespace ordeal::nodes {

namespace fs = std::filesystem;

namespace {

// How much longer than the nodes the keeper may take to say how it went, cleaning up after an error included.
constexpr std::chrono::milliseconds kCleanUp{10'000};
// Beyond the usual number each more may take so long.
constexpr int kUsualNodes = 50;
constexpr std::chrono::milliseconds kEachMore{100};
constexpr std::size_t kMaxMessage = 128 * 1024;

std::string unique_name() {
  static std::atomic<int> count{0};
  return "run-" + std::to_string(::getpid()) + "-" + std::to_string(++count);
}

// True when there is something to read or the other end is gone, false when that has not happened within the limit.
bool await_input(int fd, std::chrono::milliseconds limit) {
  using std::chrono::steady_clock;
  const auto until = steady_clock::now() + limit;
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - steady_clock::now()).count();
    pollfd waiting{fd, POLLIN, 0};
    const int count = ::poll(&waiting, 1, static_cast<int>(std::max<std::int64_t>(left, 0)));
    if (count >= 0 || errno != EINTR) return count > 0;  // a signal that asks the run to stop does not end the wait
  }
}

// Waits for the end of a child; false when it has not ended within the time given.
bool await_end(pid_t pid, std::chrono::milliseconds limit) {
  const Descriptor process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (process && !await_input(process.get(), limit)) return false;
  ::waitpid(pid, nullptr, 0);
  return true;
}

Result<void> make_keys(KeeperPlan& plan) {
  auto client = make_ssh_key("ordeal@" + plan.name);
  if (!client) return fail(client.error());
  plan.client_key = std::move(*client);
  for (int i = 0; i < plan.nodes; ++i) {
    auto host = make_ssh_key("");
    if (!host) return fail(host.error());
    plan.host_keys.push_back(std::move(*host));
  }
  return {};
}

Result<KeeperPlan> make_plan(const LocalClusterOptions& options) {
  if (options.nodes < 1 || options.nodes > kMaxLocalNodes) {
    return fail(ErrorCode::usage, "local:" + std::to_string(options.nodes) + ": expected 1 to " +
                                      std::to_string(kMaxLocalNodes) + " nodes");
  }
  if (auto able = check_local_nodes(); !able) return fail(able.error());
  auto sshd = find_program("sshd", "openssh-server");
  if (!sshd) return fail(sshd.error());
  KeeperPlan plan;
  plan.nodes = options.nodes;
  plan.name = options.name.empty() ? unique_name() : options.name;
  if (auto valid = check_cluster_name(plan.name); !valid) return fail(valid.error());
  const std::string base = options.runtime_directory.empty() ? default_runtime_directory() : options.runtime_directory;
  plan.directory = (fs::absolute(base).lexically_normal() / plan.name).string();
  if (options.memory.empty()) {
    plan.memory = default_node_memory();
  } else if (options.memory != "none") {
    const auto size = parse_size(options.memory);
    if (!size) return fail(size.error().during("local.memory"));
    plan.memory = *size;
  }
  if (!options.storage.empty()) {
    std::error_code error;
    fs::create_directories(options.storage, error);
    const fs::path disk = fs::canonical(options.storage, error);
    if (error) return fail(ErrorCode::usage, "local.storage=" + options.storage + ": " + error.message());
    plan.disk = disk.string();
  }
  plan.sshd = std::move(*sshd);
  plan.ready_timeout = options.ready_timeout + std::max(0, options.nodes - kUsualNodes) * kEachMore;
  if (auto made = make_keys(plan); !made) return fail(made.error());
  return plan;
}

// The keeper's first message. Errors: its own, or timeout.
Result<ClusterState> read_answer(int socket, std::chrono::milliseconds limit) {
  if (!await_input(socket, limit)) {
    return fail(ErrorCode::timeout, "the keeper of the local nodes does not answer");
  }
  std::string message(kMaxMessage, '\0');
  const ssize_t size = ::recv(socket, message.data(), message.size(), 0);
  message.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  if (message.size() > 1 && message[0] == kReady) return ClusterState::from_json(message.substr(1));
  if (message.size() > 2 && message[0] == kFailed) {
    return fail(static_cast<ErrorCode>(message[1]), message.substr(2));
  }
  return fail(ErrorCode::internal, "the keeper of the local nodes was killed");
}

}  // namespace

Result<std::string> find_program(const std::string& name, const std::string& package) {
  const char* path = std::getenv("PATH");
  std::istringstream directories(std::string(path != nullptr ? path : "") +
                                 ":/usr/local/sbin:/usr/sbin:/sbin:/usr/bin");
  for (std::string directory; std::getline(directories, directory, ':');) {
    const std::string candidate = directory + "/" + name;
    if (!directory.empty() && directory[0] == '/' && ::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return fail(ErrorCode::not_found, "the program " + name + " is not installed; on Debian: apt-get install " + package);
}

Result<void> check_local_nodes() {
  if (::geteuid() != 0) {
    return fail(ErrorCode::permission,
                "local nodes are made of Linux namespaces, which needs root: run as root (sudo), or use machines that "
                "are reached by SSH (--nodes ssh:FILE or --nodes host1,host2)");
  }
  if (auto sshd = find_program("sshd", "openssh-server"); !sshd) return fail(sshd.error());
  for (const char* kind : {"net", "mnt", "pid", "uts", "ipc"}) {
    if (!fs::exists(std::string("/proc/self/ns/") + kind)) {
      return fail(ErrorCode::unsupported, std::string("local nodes need a Linux kernel with ") + kind + " namespaces");
    }
  }
  return {};
}

Result<void> enter_network_namespace(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) {
    const ErrorCode code = errno == EACCES || errno == EPERM ? ErrorCode::permission : ErrorCode::not_found;
    return fail(code, "the network namespace " + path + ": " + std::strerror(errno) +
                          (code == ErrorCode::not_found ? " (its cluster is down)" : "; this needs root"));
  }
  if (::setns(file.get(), CLONE_NEWNET) == 0) return {};
  return fail(errno == EPERM ? ErrorCode::permission : ErrorCode::unsupported,
              "entering the network namespace " + path + ": " + std::strerror(errno));
}

Result<std::unique_ptr<LocalCluster>> LocalCluster::start(const LocalClusterOptions& options) {
  const auto plan = make_plan(options);
  if (!plan) return fail(plan.error());
  // What is left of others, whose controllers and keepers were killed together.
  (void)list_clusters(fs::path(plan->directory).parent_path().string());
  std::array<int, 2> sockets{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets.data()) != 0) {
    return fail(ErrorCode::io, std::string("making a socket: ") + std::strerror(errno));
  }
  const pid_t keeper = ::fork();  // keeper.h says what the child may do
  if (keeper == 0) {
    ::close(sockets[0]);
    run_keeper(sockets[1], *plan);
  }
  ::close(sockets[1]);
  if (keeper < 0) {
    ::close(sockets[0]);
    return fail(ErrorCode::io, std::string("starting the keeper of the local nodes: ") + std::strerror(errno));
  }
  auto state = read_answer(sockets[0], plan->ready_timeout + kCleanUp);
  if (state) return std::unique_ptr<LocalCluster>(new LocalCluster(std::move(*state), sockets[0]));
  ::close(sockets[0]);
  if (!await_end(keeper, std::chrono::milliseconds(500))) {
    ::kill(keeper, SIGKILL);
    await_end(keeper, kCleanUp);
  }
  return fail(state.error().during("starting " + std::to_string(plan->nodes) + " local nodes"));
}

LocalCluster::~LocalCluster() { (void)stop(); }

Result<void> LocalCluster::enter_network() {
  // The keeper is our child: its number is given to nobody else before we wait for it, which only stop() does.
  return enter_network_namespace(state_.network_namespace());
}

std::vector<std::pair<std::string, std::int64_t>> LocalCluster::killed_for_memory() const {
  std::vector<std::pair<std::string, std::int64_t>> out;
  if (state_.memory_group.empty()) return out;
  for (const LocalNode& node : state_.nodes) {
    const std::int64_t count = killed_in_memory_group(state_.memory_group + "/" + node.name);
    if (count > 0) out.emplace_back(node.name, count);
  }
  return out;
}

void LocalCluster::detach() {
  if (socket_ < 0) return;
  (void)!::send(socket_, &kDetach, 1, MSG_NOSIGNAL);
  ::close(socket_);
  socket_ = -1;
}

Result<void> LocalCluster::stop() {
  if (socket_ < 0) return {};
  (void)!::send(socket_, &kQuit, 1, MSG_NOSIGNAL);
  const bool ended = await_end(state_.keeper, kCleanUp);
  ::close(socket_);
  socket_ = -1;
  // Nothing to do for take_down() unless the keeper hangs or was killed before it could remove its directory.
  auto done = take_down(state_);
  if (!ended) await_end(state_.keeper, kCleanUp);
  return done;
}

}  // namespace ordeal::nodes
