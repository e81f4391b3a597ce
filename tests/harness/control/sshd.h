#pragma once
// A real sshd on loopback for one test, with its own directory, host keys and authorized keys.

#include <sys/types.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "base/descriptor.h"
#include "harness/control/ssh_node.h"
#include "harness/control/tcp.h"
#include "support/free_port.h"

namespace ordeal::testing {

// A directory that is removed at the end.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  [[nodiscard]] std::string operator/(const std::string& file) const { return (path_ / file).string(); }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// Runs a program to its end and returns its standard output; fails the test if it ends with another code than 0.
std::string run_program(const std::vector<std::string>& arguments);

// Makes a key pair with ssh-keygen: `path` and `path`.pub.
void make_key(const std::string& path, const std::string& type = "ed25519", const std::string& passphrase = "");

std::string read_file(const std::string& path);
void write_file(const std::string& path, const std::string& text);

// A child process that dies with the test, also when that is killed.
class Child {
 public:
  Child() = default;
  explicit Child(const std::vector<std::string>& arguments, const std::string& log = "/dev/null");
  ~Child() { stop(); }
  Child(Child&& other) noexcept : pid_(other.pid_) { other.pid_ = -1; }
  Child& operator=(Child&& other) noexcept;
  [[nodiscard]] pid_t pid() const { return pid_; }
  void stop();

 private:
  pid_t pid_ = -1;
};

// Kills what writes its errors to `log` when the test ends, also when that is killed: a process that serves a
// connection and was stopped by the test (SIGSTOP) does not notice that everybody else is gone.
class LogGuard {
 public:
  explicit LogGuard(const std::string& log);
  ~LogGuard();
  LogGuard(const LogGuard&) = delete;
  LogGuard& operator=(const LogGuard&) = delete;

 private:
  Descriptor lifeline_;  // closed when the test ends, however it ends
  pid_t pid_ = -1;
};

struct SshdOptions {
  std::vector<std::string> host_key_types = {"ed25519"};
  std::string extra;    // further lines of sshd_config
  std::string prepare;  // run by a shell in sshd's own mount namespace before sshd starts; needs root
};

class Sshd {
 public:
  explicit Sshd(SshdOptions options = {});
  ~Sshd();

  // An endpoint that reaches it with key file and known_hosts of this sshd, reading no configuration and no agent.
  [[nodiscard]] SshEndpoint endpoint() const;
  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] pid_t pid() const { return child_.pid(); }
  [[nodiscard]] const TempDir& dir() const { return dir_; }
  [[nodiscard]] std::string host_key(const std::string& type = "ed25519") const { return dir_ / ("host_" + type); }
  // The public host key as a line for known_hosts, under `name`.
  [[nodiscard]] std::string known_hosts_line(const std::string& name, const std::string& type = "ed25519") const;
  [[nodiscard]] std::string log() const { return read_file(dir_ / "log"); }

  void start();
  // Kills the listener and every process that serves a connection; commands that they run are not touched.
  void kill_all();
  // The listener and the processes of its connections.
  [[nodiscard]] std::vector<pid_t> processes() const;

 private:
  TempDir dir_;
  LogGuard guard_{dir_ / "log"};
  int port_ = 0;
  std::string prepare_;
  Child child_;
};

// Whether a process runs; one that is dead and only waits to be collected by its parent does not.
bool is_running(pid_t pid);

// Waits until `done` is true; false after `limit`.
template <class Done>
bool eventually(Done&& done, std::chrono::milliseconds limit = std::chrono::seconds(5)) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!done()) {
    if (std::chrono::steady_clock::now() > end) return false;
    ::usleep(5'000);
  }
  return true;
}

}  // namespace ordeal::testing
