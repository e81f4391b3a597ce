// `ordeal doctor`: what this machine can and cannot do, and what to install. It looks, and changes nothing.

#include <fmt/format.h>
#include <sched.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "base/value.h"
#include "cli/commands.h"
#include "cli/console.h"
#include "cli/exit_code.h"
#include "nemesis/node/node_program.h"

namespace ordeal::cli {
namespace {

enum class State { good, warning, bad };

struct Finding {
  std::string subject;
  State state = State::good;
  std::string found;
  std::string advice;  // what to do, when not good
};

bool on_path(const std::string& program) {
  const char* path = std::getenv("PATH");
  std::string all = path == nullptr ? "" : path;
  all += ":/usr/local/sbin:/usr/sbin:/sbin:/usr/lib/postgresql/15/bin";
  std::size_t begin = 0;
  while (begin <= all.size()) {
    const std::size_t end = std::min(all.find(':', begin), all.size());
    const std::string file = all.substr(begin, end - begin) + "/" + program;
    if (end > begin && access(file.c_str(), X_OK) == 0) return true;
    begin = end + 1;
  }
  return false;
}

// Whether a child may make the namespaces that local nodes need. The child alone enters them and exits.
bool can_unshare() {
  const pid_t child = fork();
  if (child < 0) return false;
  if (child == 0) {
    _exit(unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC) == 0 ? 0 : 1);
  }
  int status = 0;
  return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool file_contains(const char* path, std::string_view word) {
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    if (line.find(word) != std::string::npos) return true;
  }
  return false;
}

void program(std::vector<Finding>& findings, const char* name, const char* package, const char* purpose,
             State without) {
  if (on_path(name)) {
    findings.push_back({name, State::good, "installed", ""});
  } else {
    findings.push_back({name, without, fmt::format("not installed; needed for {}", purpose),
                        fmt::format("apt-get install {}", package)});
  }
}

std::vector<Finding> examine() {
  std::vector<Finding> findings;
  utsname system{};
  uname(&system);
  findings.push_back({"kernel", State::good, fmt::format("{} {}", system.sysname, system.release), ""});
  findings.push_back({"processors", State::good, fmt::format("{}", std::thread::hardware_concurrency()), ""});
  const long pages = sysconf(_SC_AVPHYS_PAGES);
  const long page = sysconf(_SC_PAGESIZE);
  findings.push_back({"free memory", State::good, fmt::format("{} MiB", pages / 1024 * page / 1024), ""});
  struct statvfs disk {};
  if (statvfs(".", &disk) == 0) {
    const auto free = static_cast<unsigned long long>(disk.f_bavail) * disk.f_frsize >> 20;
    findings.push_back({"free disk here", free < 500 ? State::warning : State::good, fmt::format("{} MiB", free),
                        free < 500 ? "a run's directory needs about 100 bytes an event; choose another --store" : ""});
  }
  const bool root = geteuid() == 0;
  findings.push_back({"root", root ? State::good : State::bad, root ? "yes" : "no",
                      root ? "" : "local nodes need root: run with sudo, or use hosts of your own (--nodes ssh:FILE)"});
  if (root) {
    const bool can = can_unshare();
    findings.push_back({"namespaces", can ? State::good : State::bad,
                        can ? "network, mount, pid, uts and ipc" : "refused",
                        can ? "" : "this container or kernel forbids unshare(2); give it CAP_SYS_ADMIN"});
  }
  const bool overlay = file_contains("/proc/filesystems", "overlay");
  findings.push_back({"overlay file system", overlay ? State::good : State::warning, overlay ? "yes" : "not registered",
                      overlay ? "" : "modprobe overlay; local nodes need it"});
  const bool fuse = access("/dev/fuse", R_OK | W_OK) == 0;
  findings.push_back(
      {"FUSE", fuse ? State::good : State::warning, fuse ? "yes" : "no /dev/fuse",
       fuse ? "" : "modprobe fuse; faults of disks on local nodes need it (power-loss, disk, disk-full)"});
  program(findings, "ip", "iproute2", "local nodes", State::bad);
  program(findings, "sshd", "openssh-server", "local nodes", State::bad);
  program(findings, "ssh", "openssh-client", "ordeal nodes ssh", State::warning);
  program(findings, "iptables", "iptables", "the partition fault on local nodes", State::bad);
  program(findings, "etcd", "etcd-server", "target etcd on local nodes (or --set etcd.binary=FILE)", State::warning);
  program(findings, "postgres", "postgresql-15", "target postgres on local nodes (or --set postgres.bindir=DIRECTORY)",
          State::warning);
  program(findings, "redis-server", "redis-server", "target redis on local nodes", State::warning);
  findings.push_back(
      {"docker", State::good, on_path("docker") ? "installed" : "not installed; only --nodes docker:N needs it", ""});
  findings.push_back({"kinds of nodes", State::good,
                      fmt::format("the faults' agent is for {}, their disk for {}",
                                  program_machines(NodeProgram::agent), program_machines(NodeProgram::disk)),
                      ""});
  findings.push_back(
      {"RSA keys over SSH", State::warning, "not usable",
       "libssh2 1.10 signs RSA only with SHA-1, which OpenSSH 8.8 and newer refuse: use ed25519 or ecdsa keys, "
       "for yourself (ssh-keygen -t ed25519) and for the hosts (ssh-keygen -A)"});
  return findings;
}

}  // namespace

int doctor(const DoctorCommand& command) {
  const auto findings = examine();
  bool healthy = true;
  Value out = Value::list();
  for (const auto& finding : findings) {
    if (finding.state == State::bad) healthy = false;
    const char* state = finding.state == State::good ? "ok" : finding.state == State::warning ? "warning" : "missing";
    Value one = Value::map();
    one.set("subject", finding.subject);
    one.set("state", state);
    one.set("found", finding.found);
    one.set("advice", finding.advice);
    out.items().push_back(std::move(one));
    if (command.json) continue;
    const Colour colour = finding.state == State::good      ? Colour::green
                          : finding.state == State::warning ? Colour::yellow
                                                            : Colour::red;
    print(fmt::format("{}  {:<20} {}\n", coloured(fmt::format("{:<7}", state), colour, 1), finding.subject,
                      finding.found));
    if (!finding.advice.empty()) print(fmt::format("         {:<20} → {}\n", "", finding.advice));
  }
  if (command.json) print(out.to_json() + "\n");
  return healthy ? kValid : kRunFailed;
}

}  // namespace ordeal::cli
