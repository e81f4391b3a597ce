#include "tests/harness/control/sshd.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

namespace ordeal::testing {
namespace {

std::vector<char*> argv_of(const std::vector<std::string>& arguments) {
  std::vector<char*> argv;
  for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  return argv;
}

bool answers(int port) {
  const Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return ::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
}

// The parent of a process, from /proc; 0 if it is gone or a zombie.
pid_t parent_of(pid_t pid) {
  const std::string stat = read_file("/proc/" + std::to_string(pid) + "/stat");
  const std::size_t end = stat.rfind(')');
  if (end == std::string::npos) return 0;
  std::istringstream rest(stat.substr(end + 1));
  char state = 0;
  pid_t parent = 0;
  rest >> state >> parent;
  return state == 'Z' ? 0 : parent;
}

void kill_writers_to(const std::string& log) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
    const pid_t pid = static_cast<pid_t>(std::strtol(entry.path().filename().c_str(), nullptr, 10));
    if (pid > 0 && pid != ::getpid() && std::filesystem::read_symlink(entry.path() / "fd/2", ignored) == log)
      ::kill(pid, SIGKILL);
  }
}

std::string name_of(pid_t pid) {
  std::string name = read_file("/proc/" + std::to_string(pid) + "/comm");
  if (name.ends_with('\n')) name.pop_back();
  return name;
}

}  // namespace

TempDir::TempDir() {
  std::string pattern = (std::filesystem::temp_directory_path() / "ordeal-test-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) std::abort();
  path_ = pattern;
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string read_file(const std::string& path) {
  // Of a process in /proc that ends meanwhile, what could be read; an iterator would throw.
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

void write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  ASSERT_TRUE(file.flush().good()) << path;
}

std::string run_program(const std::vector<std::string>& arguments) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
  auto argv = argv_of(arguments);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::dup2(ends[1], 1);
    const int null = ::open("/dev/null", O_RDWR);
    ::dup2(null, 0);
    ::dup2(null, 2);
    ::execvp(argv[0], argv.data());
    ::_exit(127);
  }
  ::close(ends[1]);
  std::string out;
  char buffer[4096];
  for (ssize_t n = 0; (n = ::read(ends[0], buffer, sizeof buffer)) > 0;)
    out.append(buffer, static_cast<std::size_t>(n));
  ::close(ends[0]);
  int status = 0;
  ::waitpid(pid, &status, 0);
  EXPECT_EQ(status, 0) << arguments.front() << " failed";
  return out;
}

void make_key(const std::string& path, const std::string& type, const std::string& passphrase) {
  run_program({"ssh-keygen", "-q", "-t", type, "-N", passphrase, "-C", "test", "-f", path});
}

Child::Child(const std::vector<std::string>& arguments, const std::string& log) {
  auto argv = argv_of(arguments);
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    const int null = ::open("/dev/null", O_RDWR);
    const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(null, 0);
    ::dup2(out, 1);
    ::dup2(out, 2);
    ::close_range(3, ~0U, 0);
    ::execvp(argv[0], argv.data());
    ::_exit(127);
  }
}

Child& Child::operator=(Child&& other) noexcept {
  if (this != &other) {
    stop();
    pid_ = other.pid_;
    other.pid_ = -1;
  }
  return *this;
}

void Child::stop() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

LogGuard::LogGuard(const std::string& log) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
  lifeline_.reset(ends[1]);
  pid_ = ::fork();
  if (pid_ != 0) {
    ::close(ends[0]);
    return;
  }
  ::setsid();  // what is sent to the test's process group is not meant for it
  ::dup2(ends[0], 3);
  ::close_range(4, ~0U, 0);
  char byte = 0;
  while (::read(3, &byte, 1) < 0 && errno == EINTR) {
  }
  kill_writers_to(log);
  ::_exit(0);
}

LogGuard::~LogGuard() {
  lifeline_.reset();
  ::waitpid(pid_, nullptr, 0);
}

bool is_running(pid_t pid) { return parent_of(pid) != 0; }

Sshd::Sshd(SshdOptions options) : port_(free_port()) {
  std::string config = "Port " + std::to_string(port_) + "\nListenAddress 127.0.0.1\nListenAddress ::1\n";
  for (const auto& type : options.host_key_types) {
    make_key(host_key(type), type);
    config += "HostKey " + host_key(type) + "\n";
  }
  make_key(dir_ / "user_key");
  write_file(dir_ / "authorized_keys", read_file(dir_ / "user_key.pub"));
  // The login user of a test need not be root: the directory must be open to it.
  std::filesystem::permissions(dir_.path(), std::filesystem::perms(0755));
  config += options.extra;  // first, as sshd takes the first value of an option
  // A nested bash reads no .bashrc, which may be slow.
  config += "SetEnv SHLVL=1\n";
  config += "AuthorizedKeysFile " + (dir_ / "authorized_keys") +
            "\nStrictModes no\nPidFile none\nUsePAM no\nPermitRootLogin yes\nPasswordAuthentication no\n"
            "KbdInteractiveAuthentication no\nMaxStartups 100\nUseDNS no\nPrintMotd no\nLogLevel VERBOSE\n"
            "Subsystem sftp internal-sftp\n";
  write_file(dir_ / "sshd_config", config);
  std::string known;
  for (const auto& type : options.host_key_types) known += known_hosts_line("127.0.0.1", type);
  write_file(dir_ / "known_hosts", known);
  prepare_ = options.prepare;
  start();
}

Sshd::~Sshd() { kill_all(); }

void Sshd::start() {
  std::vector<std::string> arguments;
  if (::geteuid() == 0) {
    // sshd wants /run/sshd, which only exists where sshd is installed as a service: give it a /run of its own.
    arguments = {"unshare",
                 "--mount",
                 "--propagation",
                 "private",
                 "sh",
                 "-ec",
                 "mount -t tmpfs none /run; mkdir /run/sshd; " + prepare_ + "\nexec \"$@\"",
                 "sh"};
  }
  for (const char* word : {"/usr/sbin/sshd", "-D", "-e", "-f"}) arguments.emplace_back(word);
  arguments.push_back(dir_ / "sshd_config");
  child_ = Child(arguments, dir_ / "log");
  ASSERT_TRUE(eventually([&] { return answers(port_); })) << log();
}

SshEndpoint Sshd::endpoint() const {
  SshEndpoint endpoint;
  endpoint.name = "n1";
  endpoint.host = "127.0.0.1";
  endpoint.port = port_;
  endpoint.user = ::geteuid() == 0 ? "root" : std::getenv("USER");
  endpoint.identity_files = {dir_ / "user_key"};
  endpoint.known_hosts_file = dir_ / "known_hosts";
  endpoint.use_agent = false;
  endpoint.config_file = "none";
  return endpoint;
}

std::string Sshd::known_hosts_line(const std::string& name, const std::string& type) const {
  return "[" + name + "]:" + std::to_string(port_) + " " + read_file(host_key(type) + ".pub");
}

std::vector<pid_t> Sshd::processes() const {
  std::vector<pid_t> found;
  if (child_.pid() <= 0) return found;
  found.push_back(child_.pid());
  std::vector<pid_t> all;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const pid_t pid = static_cast<pid_t>(std::strtol(entry.path().filename().c_str(), nullptr, 10));
    if (pid > 0) all.push_back(pid);
  }
  for (std::size_t i = 0; i < found.size(); ++i) {
    for (const pid_t pid : all) {
      if (parent_of(pid) == found[i] && name_of(pid).starts_with("sshd")) found.push_back(pid);
    }
  }
  return found;
}

void Sshd::kill_all() {
  for (const pid_t pid : processes()) ::kill(pid, SIGKILL);
  child_.stop();
}

}  // namespace ordeal::testing
