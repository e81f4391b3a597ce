#pragma once
// LocalEtcd: real etcd members on loopback for the tests of the client, each a child process that dies with the test.

#include <sys/types.h>

#include <string>
#include <vector>

namespace ordeal::testing {

class LocalEtcd {
 public:
  // Starts the members and waits until each answers a linearizable read. ok() is false and why() says why when they
  // could not be started, e.g. because there is no etcd on this machine.
  explicit LocalEtcd(int members);
  ~LocalEtcd();
  LocalEtcd(const LocalEtcd&) = delete;
  LocalEtcd& operator=(const LocalEtcd&) = delete;

  [[nodiscard]] bool ok() const { return why_.empty(); }
  [[nodiscard]] const std::string& why() const { return why_; }
  // "http://127.0.0.1:45678"
  [[nodiscard]] const std::string& endpoint(std::size_t member) const { return members_[member].endpoint; }
  [[nodiscard]] int client_port(std::size_t member) const { return members_[member].client_port; }
  void signal(std::size_t member, int signal) const;
  // SIGKILL and wait.
  void kill(std::size_t member);

 private:
  struct Member {
    std::string endpoint;
    int client_port = 0;
    int peer_port = 0;
    pid_t pid = -1;
  };
  void start(std::size_t member);
  std::vector<Member> members_;
  std::string directory_;
  std::string why_;
};

}  // namespace ordeal::testing
