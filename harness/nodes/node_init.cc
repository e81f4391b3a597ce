#include "harness/nodes/node_init.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/capability.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <sstream>

#include "harness/nodes/process_title.h"

namespace ordeal::nodes {

namespace {

Result<void> failed(const std::string& doing) {
  const int error = errno;
  return fail(error == EPERM ? ErrorCode::permission : ErrorCode::unsupported, doing + ": " + std::strerror(error));
}

// Writes a kernel setting; one that this kernel does not have is no error.
void write_setting(const std::string& path, const std::string& value) {
  std::ofstream file(path);
  file << value;
}

Result<void> make_network(const NodeSpec& spec, Rtnetlink& hub, int bridge) {
  if (::unshare(CLONE_NEWNET) != 0) return failed("making a network namespace");
  const int here = ::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  if (here < 0) return failed("opening the network namespace");
  auto cable = hub.add_veth(spec.name, bridge, "eth0", here, spec.hardware);
  ::close(here);
  if (!cable) return cable;

  auto link = Rtnetlink::open();
  if (!link) return fail(link.error());
  for (const char* scope : {"all", "default"}) {
    const std::string base = std::string("/proc/sys/net/ipv6/conf/") + scope;
    write_setting(base + "/disable_ipv6", "0");
    write_setting(base + "/accept_dad", "0");
    write_setting(base + "/dad_transmits", "0");
    write_setting(base + "/accept_ra", "0");
  }
  if (auto done = link->set_up("lo"); !done) return done;
  if (auto done = link->add_address("eth0", spec.address, spec.prefix_length); !done) return done;
  if (!spec.address6.empty()) {
    if (auto done = link->add_address("eth0", spec.address6, spec.prefix_length6); !done) return done;
  }
  if (auto done = link->set_up("eth0"); !done) return done;
  const auto interface = link->index("eth0");
  if (!interface) return fail(interface.error());
  for (const Neighbour& one : spec.neighbours) {
    if (auto done = link->add_neighbour(*interface, one); !done) return done;
  }
  return {};
}

// sshd without PAM refuses accounts whose password is locked ('!'), which root's is on many machines. '*' says "no
// password" and lets keys in.
Result<void> unlock_root() {
  std::ifstream in("/etc/shadow");
  std::stringstream text;
  text << in.rdbuf();
  std::string shadow = text.str();
  const std::size_t at = shadow.starts_with("root:") ? 0 : shadow.find("\nroot:");
  if (at == std::string::npos) return {};
  const std::size_t password = shadow.find(':', at) + 1;
  if (password >= shadow.size() || shadow[password] != '!') return {};
  const std::size_t end = std::min(shadow.find(':', password), shadow.size());
  std::ofstream out("/etc/shadow", std::ios::trunc);
  out << shadow.substr(0, password) << '*' << shadow.substr(end);
  out.close();
  if (!out) return fail(ErrorCode::io, "writing the node's /etc/shadow");
  return {};
}

// What belongs to the whole machine and to no namespace must stay out of the node's reach: its clock, its kernel
// modules, its hardware.
void drop_capabilities() {
  for (const int capability : {CAP_SYS_TIME, CAP_SYS_MODULE, CAP_SYS_RAWIO, CAP_WAKE_ALARM, CAP_MAC_ADMIN}) {
    ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
  }
}

void set_limits() {
  const rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
  for (const auto resource : {RLIMIT_NPROC, RLIMIT_MEMLOCK, RLIMIT_FSIZE, RLIMIT_AS}) ::setrlimit(resource, &unlimited);
  rlimit files{65'536, 65'536};
  if (::setrlimit(RLIMIT_NOFILE, &files) != 0 && ::getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
  }
}

Result<void> build(const NodeSpec& spec, Rtnetlink& hub, int bridge) {
  if (auto done = make_network(spec, hub, bridge); !done) return done;
  if (::unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC) != 0) return failed("making namespaces");
  if (::sethostname(spec.name.c_str(), spec.name.size()) != 0) return failed("setting the host name");
  if (auto done = enter_node_root(spec.root); !done) return done;
  if (auto done = unlock_root(); !done) return done;
  set_limits();
  drop_capabilities();
  return {};
}

pid_t start_sshd(const NodeSpec& spec, int log) {
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::setsid();
  ::dup2(log, STDERR_FILENO);
  const std::string cluster = "ORDEAL_CLUSTER=" + spec.cluster;
  const char* arguments[] = {spec.sshd.c_str(), "-D", "-e", "-f", kSshdConfig, nullptr};
  const char* environment[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", cluster.c_str(),
                               nullptr};
  ::execve(spec.sshd.c_str(), const_cast<char**>(arguments), const_cast<char**>(environment));
  const std::string complaint = spec.sshd + ": " + std::strerror(errno) + "\n";
  (void)!::write(log, complaint.data(), complaint.size());
  ::_exit(127);
}

// Reaps orphans and keeps sshd running until the keeper is gone. An sshd that never served ends the node, so that the
// keeper can say what it complained about; one that was killed later, by a fault for instance, is started anew.
[[noreturn]] void serve(const NodeSpec& spec, int log, int lifeline, int signals) {
  using Clock = std::chrono::steady_clock;
  static constexpr int kRestartMs = 200;
  static constexpr auto kServed = std::chrono::seconds(1);
  pid_t sshd = start_sshd(spec, log);
  const auto started = Clock::now();
  for (;;) {
    std::array<pollfd, 2> waiting = {{{lifeline, POLLIN, 0}, {signals, POLLIN, 0}}};
    ::poll(waiting.data(), waiting.size(), sshd > 0 ? -1 : kRestartMs);
    if (waiting[0].revents != 0) ::_exit(0);
    signalfd_siginfo ignored{};
    while (::read(signals, &ignored, sizeof ignored) > 0) {
    }
    for (pid_t ended = 0; (ended = ::waitpid(-1, nullptr, WNOHANG)) > 0;) {
      if (ended != sshd) continue;
      if (Clock::now() - started < kServed) ::_exit(1);
      sshd = -1;
    }
    if (sshd <= 0 && waiting[1].revents == 0) sshd = start_sshd(spec, log);
  }
}

}  // namespace

void run_node(const NodeSpec& spec, Rtnetlink& hub, int bridge, int status, int log, int lifeline) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  set_process_title("node-" + spec.name, "node-" + spec.name + " of " + spec.cluster);
  ::umask(022);
  // SIGCHLD is read from a descriptor; blocking it before the first fork means that none is missed.
  sigset_t child;
  ::sigemptyset(&child);
  ::sigaddset(&child, SIGCHLD);
  ::sigprocmask(SIG_SETMASK, &child, nullptr);
  const int signals = ::signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);

  const auto built = build(spec, hub, bridge);
  const std::string message = built ? "ok" : built.error().message;
  (void)!::write(status, message.data(), std::min<std::size_t>(message.size(), 4'000));
  ::close(status);
  if (!built) ::_exit(built.error().code == ErrorCode::permission ? 2 : 1);
  serve(spec, log, lifeline, signals);
}

}  // namespace ordeal::nodes
