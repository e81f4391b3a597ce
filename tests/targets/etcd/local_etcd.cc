#include "tests/targets/etcd/local_etcd.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <thread>

#include "support/free_port.h"
#include "targets/etcd/api.h"

namespace ordeal::testing {

LocalEtcd::LocalEtcd(int members) {
  if (access("/usr/bin/etcd", X_OK) != 0) {
    why_ = "there is no /usr/bin/etcd (Debian's package etcd-server)";
    return;
  }
  std::string pattern = (std::filesystem::temp_directory_path() / "ordeal-etcd-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) {
    why_ = "no temporary directory";
    return;
  }
  directory_ = pattern;
  for (int i = 0; i < members; ++i) {
    Member member;
    member.client_port = free_port();
    member.peer_port = free_port();
    member.endpoint = "http://127.0.0.1:" + std::to_string(member.client_port);
    members_.push_back(member);
  }
  for (std::size_t i = 0; i < members_.size(); ++i) start(i);
  const Deadline deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  for (auto& member : members_) {
    EtcdApi api(member.endpoint);
    while (!api.range({"ready"}, deadline.within(std::chrono::seconds(2)))) {
      if (std::chrono::steady_clock::now() > deadline) {
        why_ = "etcd does not serve; see " + directory_;
        return;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }
}

void LocalEtcd::start(std::size_t member) {
  Member& me = members_[member];
  const auto peer = [](const Member& one) { return "http://127.0.0.1:" + std::to_string(one.peer_port); };
  std::string cluster;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    cluster += (i == 0 ? "m" : ",m") + std::to_string(i) + "=" + peer(members_[i]);
  }
  const std::string name = "m" + std::to_string(member);
  std::vector<std::string> words = {"/usr/bin/etcd",
                                    "--name=" + name,
                                    "--data-dir=" + directory_ + "/" + name,
                                    "--logger=zap",
                                    "--log-outputs=stderr",
                                    "--listen-client-urls=" + me.endpoint,
                                    "--advertise-client-urls=" + me.endpoint,
                                    "--listen-peer-urls=" + peer(me),
                                    "--initial-advertise-peer-urls=" + peer(me),
                                    "--initial-cluster=" + cluster};
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const std::string log = directory_ + "/" + name + ".log";
  me.pid = fork();
  ORDEAL_CHECK(me.pid >= 0, "fork failed");
  if (me.pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int fd = open(log.c_str(), O_CREAT | O_WRONLY | O_APPEND, 0600);
    dup2(fd, 1);
    dup2(fd, 2);
    execv(argv[0], argv.data());
    _exit(127);
  }
}

void LocalEtcd::signal(std::size_t member, int signal) const {
  ::kill(members_[member].pid, signal);
  // It is obeyed a moment after it was sent.
  for (int i = 0; signal == SIGSTOP && i < 500; ++i) {
    if (waitpid(members_[member].pid, nullptr, WUNTRACED | WNOHANG) != 0) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

void LocalEtcd::kill(std::size_t member) {
  if (members_[member].pid < 0) return;
  signal(member, SIGKILL);
  waitpid(members_[member].pid, nullptr, 0);
  members_[member].pid = -1;
}

LocalEtcd::~LocalEtcd() {
  for (std::size_t i = 0; i < members_.size(); ++i) kill(i);
  std::error_code ignored;
  if (!directory_.empty()) std::filesystem::remove_all(directory_, ignored);
}

}  // namespace ordeal::testing
