#include "harness/nodes/keeper.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include "harness/nodes/cluster_state.h"
#include "harness/nodes/memory_group.h"
#include "harness/nodes/node_init.h"
#include "harness/nodes/process_title.h"
#include "harness/nodes/rtnetlink.h"

namespace ordeal::nodes {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

namespace {

constexpr const char* kBridge = "ordeal0";
constexpr const char* kPrefix = "10.77.0.";
constexpr const char* kPrefix6 = "fd0d:ea1::";  // unique local (RFC 4193)
constexpr int kHubHost = 254;
constexpr int kSshPort = 22;

std::string hex(int number) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "%x", static_cast<unsigned>(number));
  return text.data();
}

// Locally administered; by the number of the node, or of the hub.
HardwareAddress hardware_address(int host) { return {0x02, 0x0d, 0xea, 0x01, 0, static_cast<unsigned char>(host)}; }

struct NodeProcess {
  pid_t pid = -1;
  int status = -1;  // the reading end of the pipe on which the node reports
  int log = -1;     // a memory file with what its sshd said
  bool reported = false;
};

class Keeper {
 public:
  Keeper(int socket, const KeeperPlan& plan) : socket_(socket), plan_(plan) {}

  [[noreturn]] void run() {
    auto up = bring_up();
    if (up && plan_gone()) up = fail(ErrorCode::cancelled, "the controller is gone");
    if (up) {
      send(kReady + state_.to_json());
      keep();
    }
    take_down();
    if (!up) send(std::string{kFailed, static_cast<char>(up.error().code)} + up.error().message);
    ::_exit(up ? 0 : 1);
  }

 private:
  void send(const std::string& message) { (void)!::send(socket_, message.data(), message.size(), MSG_NOSIGNAL); }

  // True when the controller died while the cluster was being brought up.
  bool plan_gone() {
    pollfd waiting{socket_, POLLIN, 0};
    return ::poll(&waiting, 1, 0) > 0 && (waiting.revents & (POLLHUP | POLLERR)) != 0;
  }

  Result<void> bring_up() {
    deadline_ = Clock::now() + plan_.ready_timeout;
    auto lock = claim_directory(plan_.directory);
    if (!lock) return fail(lock.error());
    lock_ = std::move(*lock);
    if (auto done = describe(); !done) return done;
    if (auto done = make_hub(); !done) return done;
    if (auto done = start_nodes(); !done) return done;
    if (auto done = await_built(); !done) return done;
    if (auto done = await_ssh(); !done) return done;
    return write_cluster_files(state_, plan_.client_key.private_key);
  }

  // Names and addresses, known before anything is built; written down at once, so that a stale directory tells
  // what else is to be removed.
  Result<void> describe() {
    state_.name = plan_.name;
    state_.directory = plan_.directory;
    state_.keeper = ::getpid();
    state_.up_since = static_cast<std::int64_t>(std::time(nullptr));
    state_.hub_address = kPrefix + std::to_string(kHubHost);
    if (plan_.memory > 0) state_.memory_group = make_memory_group(plan_.name);
    if (!plan_.disk.empty()) state_.storage = plan_.disk + "/" + std::string(kStoragePrefix) + plan_.name;
    const bool v6 = fs::exists("/proc/sys/net/ipv6");
    for (int i = 1; i <= plan_.nodes; ++i) {
      state_.nodes.push_back({"n" + std::to_string(i), kPrefix + std::to_string(i), v6 ? kPrefix6 + hex(i) : "", 0,
                              plan_.host_keys[static_cast<std::size_t>(i - 1)].public_key});
    }
    if (auto done = write_cluster_files(state_, plan_.client_key.private_key); !done) return done;
    if (state_.storage.empty()) return {};
    std::error_code error;
    fs::create_directories(state_.storage, error);
    if (!error) fs::permissions(state_.storage, fs::perms::owner_all, error);
    if (!error) return {};
    return fail(ErrorCode::io, "making the directory " + state_.storage + " for the nodes' writes: " + error.message());
  }

  Result<void> make_hub() {
    if (::unshare(CLONE_NEWNET) != 0) {
      return fail(ErrorCode::permission, std::string("making a network namespace: ") + std::strerror(errno) +
                                             "; local nodes need root with all capabilities (inside a container: "
                                             "--privileged)");
    }
    for (const char* scope : {"all", "default"}) {
      std::ofstream(std::string("/proc/sys/net/ipv6/conf/") + scope + "/disable_ipv6") << "0";
      std::ofstream(std::string("/proc/sys/net/ipv6/conf/") + scope + "/accept_dad") << "0";
    }
    auto link = Rtnetlink::open();
    if (!link) return fail(link.error());
    hub_.emplace_back(std::move(*link));
    if (auto done = hub().set_up("lo"); !done) return done;
    if (auto done = hub().add_bridge(kBridge, hardware_address(kHubHost)); !done) return done;
    if (auto done = hub().add_address(kBridge, state_.hub_address, 24); !done) return done;
    if (!state_.nodes.front().address6.empty()) {
      if (auto done = hub().add_address(kBridge, kPrefix6 + hex(kHubHost), 64); !done) return done;
    }
    if (auto done = hub().set_up(kBridge); !done) return done;
    auto index = hub().index(kBridge);
    if (!index) return fail(index.error());
    bridge_ = *index;
    return hub_learns();
  }

  // Who has which address; everybody is told, so that nobody need ask (rtnetlink.h).
  std::vector<Neighbour> everybody() const {
    std::vector<Neighbour> out;
    const auto add = [&](int host, const std::string& address, const std::string& address6) {
      out.push_back({address, hardware_address(host)});
      if (!address6.empty()) out.push_back({address6, hardware_address(host)});
    };
    for (int i = 1; i <= plan_.nodes; ++i) {
      const LocalNode& node = state_.nodes[static_cast<std::size_t>(i - 1)];
      add(i, node.address, node.address6);
    }
    add(kHubHost, state_.hub_address, state_.nodes.front().address6.empty() ? "" : kPrefix6 + hex(kHubHost));
    return out;
  }

  Result<void> hub_learns() {
    for (const Neighbour& one : everybody()) {
      if (one.hardware == hardware_address(kHubHost)) continue;
      if (auto done = hub().add_neighbour(bridge_, one); !done) return done;
    }
    return {};
  }

  Rtnetlink& hub() { return hub_.front(); }

  NodeSpec spec(std::size_t i) const {
    const LocalNode& node = state_.nodes[i];
    NodeSpec spec;
    spec.name = node.name;
    spec.address = node.address;
    spec.address6 = node.address6;
    spec.hardware = hardware_address(static_cast<int>(i) + 1);
    for (auto& one : everybody()) {
      if (one.hardware != spec.hardware) spec.neighbours.push_back(std::move(one));
    }
    spec.sshd = plan_.sshd;
    spec.cluster = plan_.name;
    spec.root.disk = plan_.disk;
    if (!state_.storage.empty()) spec.root.storage = state_.storage + "/" + node.name;
    std::string hosts = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n";
    for (const LocalNode& other : state_.nodes) {
      hosts += other.address + " " + other.name + "\n";
      if (!other.address6.empty()) hosts += other.address6 + " " + other.name + "\n";
    }
    hosts += state_.hub_address + " controller\n";
    // No PAM, no DNS and no message of the day: a login costs milliseconds. Many workers and faults connect at once.
    // SHLVL keeps bash from reading root's ~/.bashrc for every single command, which it does when it believes to be
    // the first shell under an sshd.
    const std::string config =
        "Port " + std::to_string(kSshPort) + "\nListenAddress 0.0.0.0\n" +
        (node.address6.empty() ? "" : "ListenAddress ::\n") + "HostKey " + kHostKey + "\nAuthorizedKeysFile " +
        kAuthorizedKeys +
        "\nPermitRootLogin prohibit-password\nPasswordAuthentication no\n"
        "KbdInteractiveAuthentication no\nUsePAM no\nUseDNS no\nPrintMotd no\n"
        "PrintLastLog no\nPermitUserRC no\nX11Forwarding no\nMaxStartups 1000\n"
        "MaxSessions 1000\nPidFile none\nSubsystem sftp internal-sftp\nSetEnv SHLVL=1 ORDEAL_CLUSTER=" +
        plan_.name + " ORDEAL_NODE=" + node.name + "\n";
    spec.root.files = {{"/etc/hostname", node.name + "\n", 0644},
                       {"/etc/hosts", hosts, 0644},
                       {kSshdConfig, config, 0600},
                       {kHostKey, plan_.host_keys[i].private_key, 0600},
                       {kAuthorizedKeys, plan_.client_key.public_key + "\n", 0644}};
    return spec;
  }

  Result<void> start_nodes() {
    std::array<int, 2> lifeline{};
    if (::pipe2(lifeline.data(), O_CLOEXEC) != 0) return failed("making a pipe");
    lifeline_ = lifeline[1];
    const int own_pids = ::open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
    if (own_pids < 0) return failed("opening the pid namespace");
    for (std::size_t i = 0; i < state_.nodes.size(); ++i) {
      const NodeSpec node = spec(i);
      if (!node.root.storage.empty()) ::mkdir(node.root.storage.c_str(), 0755);
      std::array<int, 2> status{};
      const int log = ::memfd_create("sshd.log", MFD_CLOEXEC);
      if (log < 0 || ::pipe2(status.data(), O_CLOEXEC) != 0) return failed(node.name + ": making a pipe");
      ::fcntl(log, F_SETFL, O_APPEND);
      // The next child becomes process 1 of a new pid namespace; then the keeper's children are its own again.
      if (::unshare(CLONE_NEWPID) != 0) return failed(node.name + ": making a pid namespace");
      const pid_t pid = ::fork();
      if (pid < 0) return failed(node.name + ": fork");
      if (pid == 0) start_node(node, status[1], log, lifeline[0]);
      if (::setns(own_pids, CLONE_NEWPID) != 0) return failed("going back to the pid namespace");
      ::close(status[1]);
      state_.nodes[i].pid = pid;
      processes_.push_back({pid, status[0], log, false});
    }
    ::close(own_pids);
    ::close(lifeline[0]);
    return {};
  }

  // In the child: a node keeps nothing open that belongs to the keeper, above all neither the other end of its
  // lifeline nor the lock.
  [[noreturn]] void start_node(const NodeSpec& node, int status, int log, int lifeline) {
    ::close(lifeline_);
    ::close(socket_);
    ::close(signals_);
    lock_ = DirectoryLock();
    for (const NodeProcess& other : processes_) {
      ::close(other.status);
      ::close(other.log);
    }
    // Where it has no limit, it had none before there were limits.
    if (!state_.memory_group.empty()) {
      (void)join_memory_group(make_node_group(state_.memory_group, node.name, plan_.memory));
    }
    run_node(node, hub(), bridge_, status, log, lifeline);
  }

  Result<void> failed(const std::string& doing) const {
    return fail(errno == EPERM ? ErrorCode::permission : ErrorCode::unsupported, doing + ": " + std::strerror(errno));
  }

  Result<void> await_built() {
    for (std::size_t i = 0; i < processes_.size(); ++i) {
      NodeProcess& process = processes_[i];
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - Clock::now());
      pollfd waiting{process.status, POLLIN, 0};
      if (::poll(&waiting, 1, static_cast<int>(std::max<std::int64_t>(0, left.count()))) <= 0) {
        return fail(ErrorCode::timeout, state_.nodes[i].name + ": building the node took too long");
      }
      std::array<char, 4'096> text{};
      const ssize_t size = ::read(process.status, text.data(), text.size());
      const std::string message(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
      if (message == "ok") continue;
      const ErrorCode code = message.find("ermi") != std::string::npos ? ErrorCode::permission : ErrorCode::unsupported;
      return fail(code, state_.nodes[i].name + ": " + (message.empty() ? "its first process was killed" : message));
    }
    return {};
  }

  Result<void> await_ssh() {
    for (std::size_t i = 0; i < processes_.size(); ++i) {
      while (!answers_ssh(state_.nodes[i].address)) {
        const bool dead = ::waitpid(processes_[i].pid, nullptr, WNOHANG) == processes_[i].pid;
        if (dead) processes_[i].pid = -1;
        if (dead || Clock::now() >= deadline_) {
          return fail(dead ? ErrorCode::unsupported : ErrorCode::timeout,
                      state_.nodes[i].name + ": sshd " + (dead ? "did not start" : "does not answer") +
                          ". Its log: " + sshd_log(i));
        }
        if (plan_gone()) return fail(ErrorCode::cancelled, "the controller is gone");
        std::this_thread::sleep_for(std::chrono::milliseconds(3));
      }
    }
    return {};
  }

  std::string sshd_log(std::size_t i) const {
    std::array<char, 4'096> text{};
    const ssize_t size = ::pread(processes_[i].log, text.data(), text.size(), 0);
    return size > 0 ? std::string(text.data(), static_cast<std::size_t>(size)) : "(empty)";
  }

  // True when the node greets like an SSH server.
  bool answers_ssh(const std::string& address) const {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const timeval limit{1, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);  // of connect, too
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(kSshPort);
    ::inet_pton(AF_INET, address.c_str(), &to.sin_addr);
    std::array<char, 4> greeting{};
    const bool answers = ::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0 &&
                         ::recv(fd, greeting.data(), greeting.size(), MSG_WAITALL) == 4 &&
                         std::memcmp(greeting.data(), "SSH-", 4) == 0;
    ::close(fd);
    return answers;
  }

  // Until it is time to go.
  void keep() {
    bool attached = true;
    for (;;) {
      std::array<pollfd, 2> waiting = {{{signals_, POLLIN, 0}, {attached ? socket_ : -1, POLLIN, 0}}};
      if (::poll(waiting.data(), waiting.size(), -1) < 0) continue;
      signalfd_siginfo signal{};
      while (::read(signals_, &signal, sizeof signal) == sizeof signal) {
        if (signal.ssi_signo == SIGTERM) return;
      }
      reap();
      if (waiting[1].revents == 0) continue;
      char message = 0;
      const ssize_t size = ::recv(socket_, &message, 1, MSG_DONTWAIT);
      if (size < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      if (size == 1 && message == kDetach) {
        attached = false;
        ::close(socket_);
        socket_ = -1;
        continue;
      }
      orphaned_ = size != 1 || message != kQuit;
      return;
    }
  }

  void reap() {
    for (NodeProcess& process : processes_) {
      if (process.pid > 0 && ::waitpid(process.pid, nullptr, WNOHANG) == process.pid) process.pid = -1;
    }
  }

  void take_down() {
    for (const NodeProcess& process : processes_) {
      if (process.pid > 0) ::kill(process.pid, SIGKILL);
    }
    if (orphaned_) kill_hub_processes();
    // waitpid returns for a node's first process only after the kernel has reaped all the others of its namespace.
    const auto limit = Clock::now() + std::chrono::seconds(5);
    const auto lives = [](const NodeProcess& process) { return process.pid > 0; };
    for (reap(); std::any_of(processes_.begin(), processes_.end(), lives) && Clock::now() < limit; reap()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    if (!state_.storage.empty()) {
      std::error_code ignored;
      fs::remove_all(state_.storage, ignored);
    }
    if (!state_.memory_group.empty()) remove_memory_group(state_.memory_group);
    if (lock_.held()) remove_directory(plan_.directory);
  }

  // What a controller that was killed left running in the hub's network namespace: its clients. They have nobody to
  // talk to any more, and would keep the namespace alive.
  void kill_hub_processes() const {
    struct stat own {};
    if (::stat("/proc/self/ns/net", &own) != 0) return;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator("/proc", error)) {
      const std::string name = entry.path().filename().string();
      if (!std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isdigit(c) != 0; })) continue;
      const pid_t pid = std::atoi(name.c_str());
      struct stat other {};
      if (pid == ::getpid() || ::stat((entry.path() / "ns/net").c_str(), &other) != 0) continue;
      if (other.st_ino == own.st_ino && other.st_dev == own.st_dev) ::kill(pid, SIGKILL);
    }
  }

 public:
  int signals_ = -1;

 private:
  int socket_;
  const KeeperPlan& plan_;
  Clock::time_point deadline_;
  DirectoryLock lock_;
  ClusterState state_;
  std::vector<Rtnetlink> hub_;  // one, once the hub exists
  int bridge_ = 0;
  int lifeline_ = -1;
  std::vector<NodeProcess> processes_;
  bool orphaned_ = false;
};

}  // namespace

void run_keeper(int socket, const KeeperPlan& plan) {
  ::setsid();
  ::umask(077);
  (void)!::chdir("/");
  set_process_title("nodes-keeper", "nodes-keeper " + plan.name);
  // Of all that the controller had open only the socket remains; nobody shall wait for the end of a pipe because of us.
  static constexpr int kSocket = 3;
  if (socket != kSocket) ::dup3(socket, kSocket, O_CLOEXEC);
  ::syscall(SYS_close_range, kSocket + 1, ~0U, 0);
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(null, standard);
  for (int signal = 1; signal < SIGRTMAX; ++signal) ::signal(signal, SIG_DFL);
  ::signal(SIGPIPE, SIG_IGN);
  sigset_t handled;
  ::sigemptyset(&handled);
  for (const int signal : {SIGTERM, SIGCHLD, SIGHUP, SIGINT}) ::sigaddset(&handled, signal);
  ::sigprocmask(SIG_SETMASK, &handled, nullptr);

  Keeper keeper(kSocket, plan);
  keeper.signals_ = ::signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK);
  keeper.run();
}

}  // namespace ordeal::nodes
