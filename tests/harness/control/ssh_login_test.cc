// Ways in: agent, password, sudo, jump hosts, IPv6.
//
// Passwords need users of our own. sshd runs in a mount namespace in which passwd, shadow and sudoers are files of the
// test, so the machine's own are never touched. That takes root; the tests say so where they cannot run.

#include <sys/wait.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include "harness/control/ssh_node.h"
#include "tests/harness/control/sshd.h"

namespace ordeal {
namespace {

using namespace std::chrono_literals;
using ordeal::testing::Child;
using ordeal::testing::eventually;
using ordeal::testing::make_key;
using ordeal::testing::read_file;
using ordeal::testing::run_program;
using ordeal::testing::Sshd;
using ordeal::testing::SshdOptions;
using ordeal::testing::TempDir;
using ordeal::testing::write_file;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// Sets a variable of the environment for one scope.
class Environment {
 public:
  Environment(std::string name, const std::string& value) : name_(std::move(name)) {
    if (const char* old = std::getenv(name_.c_str())) old_ = old;
    ::setenv(name_.c_str(), value.c_str(), 1);
  }
  ~Environment() {
    if (old_.empty()) {
      ::unsetenv(name_.c_str());
    } else {
      ::setenv(name_.c_str(), old_.c_str(), 1);
    }
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  std::string name_;
  std::string old_;
};

class SshAgentTest : public ::testing::Test {
 protected:
  void add_key(const std::string& file) { run_program({"ssh-add", "-q", file}); }

  Sshd sshd_;
  std::string socket_ = sshd_.dir() / "agent";
  Environment environment_{"SSH_AUTH_SOCK", socket_};
  Child agent_{{"ssh-agent", "-D", "-a", socket_}};
  SshEndpoint endpoint_ = sshd_.endpoint();

  void SetUp() override {
    // The socket is there before anybody listens at it.
    const auto answers = [] { return WEXITSTATUS(std::system("ssh-add -l >/dev/null 2>&1")) != 2; };
    ASSERT_TRUE(eventually(answers));
    endpoint_.use_agent = true;
  }
};

TEST_F(SshAgentTest, AKeyOfTheAgentOpensTheDoor) {
  add_key(sshd_.dir() / "user_key");
  endpoint_.identity_files = {"/nonexistent/key"};
  const auto output = make_ssh_node(endpoint_)->run("echo in");
  ASSERT_TRUE(output) << output.error().message;
  EXPECT_EQ(output->out, "in\n");
  endpoint_.use_agent = false;
  EXPECT_EQ(make_ssh_node(endpoint_)->run("true").error().code, ErrorCode::auth);
}

TEST_F(SshAgentTest, TheAgentUnlocksAnEncryptedKeyFile) {
  add_key(sshd_.dir() / "user_key");
  // What is in the agent is found by the public half, which an encrypted file shows.
  run_program({"ssh-keygen", "-q", "-p", "-P", "", "-N", "secret", "-f", sshd_.dir() / "user_key"});
  // More foreign keys than sshd lets us try.
  for (int i = 0; i < 8; ++i) {
    make_key(sshd_.dir() / ("foreign" + std::to_string(i)));
    add_key(sshd_.dir() / ("foreign" + std::to_string(i)));
  }
  const auto output = make_ssh_node(endpoint_)->run("true");
  EXPECT_TRUE(output) << output.error().message;
}

TEST_F(SshAgentTest, TooManyKeysAreExplained) {
  for (int i = 0; i < 8; ++i) {
    make_key(sshd_.dir() / ("foreign" + std::to_string(i)));
    add_key(sshd_.dir() / ("foreign" + std::to_string(i)));
  }
  endpoint_.identity_files = {"/nonexistent/key"};
  const auto output = make_ssh_node(endpoint_)->run("true");
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().code, ErrorCode::auth);
  EXPECT_THAT(output.error().message, HasSubstr("MaxAuthTries"));
}

TEST_F(SshAgentTest, AStoppedAgentDoesNotOutlastTheDeadline) {
  add_key(sshd_.dir() / "user_key");
  ::kill(agent_.pid(), SIGSTOP);
  endpoint_.identity_files = {"/nonexistent/key"};
  endpoint_.connect_timeout = 500ms;
  const auto start = std::chrono::steady_clock::now();
  const auto output = make_ssh_node(endpoint_)->run("true");
  EXPECT_LT(std::chrono::steady_clock::now() - start, 3s);
  ::kill(agent_.pid(), SIGCONT);
  ASSERT_FALSE(output);
  EXPECT_THAT(output.error().message, AllOf(HasSubstr("agent"), HasSubstr("does not answer")));
}

// Users: "alice", who must give her password to sudo; "bob", who need not; "carol", whom sudo does not know.
class SshPasswordTest : public ::testing::Test {
 protected:
  static constexpr const char* kPassword = "right horse";

  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root, to give sshd users of its own";
  }

  void start(const std::string& sshd_config) {
    std::string hash = run_program({"openssl", "passwd", "-6", "-salt", "salt", kPassword});
    hash.pop_back();
    std::string passwd = read_file("/etc/passwd"), shadow = read_file("/etc/shadow");
    int id = 64'000;
    for (const char* user : {"alice", "bob", "carol"}) {
      const std::string number = std::to_string(++id);
      passwd += std::string(user) + ":x:" + number + ":" + number + "::/:/bin/sh\n";
      shadow += std::string(user) + ":" + hash + ":19000:0:99999:7:::\n";
    }
    write_file(dir_ / "passwd", passwd);
    write_file(dir_ / "shadow", shadow);
    write_file(dir_ / "sudoers",
               "Defaults env_reset, use_pty, !fqdn\nroot ALL=(ALL:ALL) ALL\nalice ALL=(ALL:ALL) ALL\nbob ALL=(ALL:ALL) "
               "NOPASSWD: ALL\n");
    ::chmod((dir_ / "sudoers").c_str(), 0440);
    SshdOptions options;
    options.extra = sshd_config;
    options.prepare = "for f in passwd shadow sudoers; do [ -e /etc/$f ] && mount --bind " + dir_.path().string() +
                      "/$f /etc/$f; done";
    sshd_ = std::make_unique<Sshd>(options);
  }

  SshEndpoint endpoint(const std::string& user) const {
    SshEndpoint endpoint = sshd_->endpoint();
    endpoint.user = user;
    return endpoint;
  }
  std::unique_ptr<Node> sudo_node(const std::string& user, const std::string& sudo_password) {
    SshEndpoint out = endpoint(user);
    out.sudo_password = sudo_password;
    return make_ssh_node(out);
  }
  static Command sudo(std::string script, std::string input = {}) {
    Command command(std::move(script));
    command.sudo = true;
    command.input = std::move(input);
    return command;
  }

  TempDir dir_;
  std::unique_ptr<Sshd> sshd_;
};

TEST_F(SshPasswordTest, ThePasswordOpensTheDoor) {
  start("PasswordAuthentication yes\n");
  SshEndpoint out = endpoint("alice");
  out.identity_files = {"/nonexistent/key"};
  out.password = kPassword;
  const auto output = make_ssh_node(out)->run("id -un");
  ASSERT_TRUE(output) << output.error().message;
  EXPECT_EQ(output->out, "alice\n");

  out.password = "wrong horse";
  const auto refused = make_ssh_node(out)->run("true");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::auth);
  EXPECT_THAT(refused.error().message, AllOf(HasSubstr("password refused"), Not(HasSubstr("wrong horse"))));
}

TEST_F(SshPasswordTest, KeyboardInteractiveTakesThePasswordToo) {
  // PAM asks for the password through keyboard-interactive.
  start("UsePAM yes\nKbdInteractiveAuthentication yes\n");
  SshEndpoint out = endpoint("bob");
  out.identity_files = {"/nonexistent/key"};
  out.password = kPassword;
  const auto output = make_ssh_node(out)->run("id -un");
  ASSERT_TRUE(output) << output.error().message;
  EXPECT_EQ(output->out, "bob\n");
}

class SshSudoTest : public SshPasswordTest {
 protected:
  void SetUp() override {
    SshPasswordTest::SetUp();
    if (IsSkipped()) return;
    if (!std::filesystem::exists("/usr/bin/sudo")) GTEST_SKIP() << "needs sudo: apt-get install sudo";
    start("");
  }
};

TEST_F(SshSudoTest, WithoutPassword) {
  const auto node = sudo_node("bob", "");
  const auto output = node->run(sudo("id -u; cat; echo err >&2; exit 4", "input"));
  ASSERT_TRUE(output) << output.error().message;
  EXPECT_EQ(output->out, "0\ninput");
  EXPECT_EQ(output->err, "err\n");
  EXPECT_EQ(output->exit_code, 4);
  EXPECT_EQ(run_ok(*node, "id -un").value(), "bob\n");
}

TEST_F(SshSudoTest, WithPassword) {
  const auto output = sudo_node("alice", kPassword)->run(sudo("id -u; cat; printf \"%s\" \"it's\" >&2", "input"));
  ASSERT_TRUE(output) << output.error().message;
  EXPECT_EQ(output->out, "0\ninput");
  EXPECT_EQ(output->err, "it's");
}

TEST_F(SshSudoTest, APasswordThatIsNotAskedForStaysOutOfTheInput) {
  const auto output = sudo_node("bob", kPassword)->run(sudo("cat", "input"));
  ASSERT_TRUE(output) << output.error().message;
  EXPECT_EQ(output->out, "input");
}

TEST_F(SshSudoTest, RefusalsNeverLookLikeTheCommandsOwnExitCode) {
  const auto missing = sudo_node("alice", "")->run(sudo("true"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::auth);
  EXPECT_THAT(missing.error().message, AllOf(HasSubstr("sudo refused"), HasSubstr("password is required")));

  const auto wrong = sudo_node("alice", "wrong horse")->run(sudo("true"));
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, ErrorCode::auth);
  EXPECT_THAT(wrong.error().message, AllOf(HasSubstr("did not accept the password"), Not(HasSubstr("wrong horse"))));

  const auto stranger = sudo_node("carol", kPassword)->run(sudo("true"));
  ASSERT_FALSE(stranger);
  EXPECT_EQ(stranger.error().code, ErrorCode::auth);
  EXPECT_THAT(stranger.error().message, HasSubstr("not in the sudoers file"));
}

TEST_F(SshSudoTest, ADeadlineKillsWhatRootStarted) {
  const std::string file = dir_ / "pid";
  Command command = sudo("echo $$ >" + file + "; exec sleep 60");
  command.timeout = 1s;
  const auto output = sudo_node("alice", kPassword)->run(command);
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().code, ErrorCode::timeout);
  EXPECT_THAT(output.error().message, HasSubstr("it was killed"));
  const pid_t pid = static_cast<pid_t>(std::stol(read_file(file)));
  EXPECT_TRUE(eventually([&] { return !testing::is_running(pid); }));
}

TEST(SshJump, ThroughASecondServer) {
  const Sshd gate, target;
  SshEndpoint endpoint = target.endpoint();
  // One file knows both hosts and one key opens both.
  write_file(target.dir() / "known_hosts", target.known_hosts_line("127.0.0.1") + gate.known_hosts_line("127.0.0.1"));
  write_file(gate.dir() / "authorized_keys", read_file(target.dir() / "user_key.pub"));
  endpoint.jump = {endpoint.user + "@127.0.0.1:" + std::to_string(gate.port())};
  const auto node = make_ssh_node(endpoint);
  Command command("cat");
  command.input.assign(3'000'000, 'z');
  const auto output = run_ok(*node, command);
  ASSERT_TRUE(output) << output.error().message;
  EXPECT_TRUE(*output == command.input);
  // The target sees the gate's forwarded connection, and the gate was really used.
  EXPECT_THAT(gate.log(), HasSubstr("Accepted publickey"));

  write_file(target.dir() / "file", std::string(2'000'000, 'f'));
  ASSERT_TRUE(node->upload(target.dir() / "file", target.dir() / "copy"));
  EXPECT_TRUE(read_file(target.dir() / "copy") == read_file(target.dir() / "file"));

  Command slow("sleep 60");
  slow.timeout = 300ms;
  EXPECT_THAT(node->run(slow).error().message, HasSubstr("it was killed"));
}

TEST(SshJump, AChainFromTheConfiguration) {
  const Sshd outer, inner, target;
  std::string known;
  std::string config;
  for (const Sshd* sshd : {&outer, &inner, &target}) {
    known += sshd->known_hosts_line("127.0.0.1");
    write_file(sshd->dir() / "authorized_keys", read_file(target.dir() / "user_key.pub"));
  }
  write_file(target.dir() / "known_hosts", known);
  config += "Host outer\n Port " + std::to_string(outer.port()) + "\nHost inner\n Port " +
            std::to_string(inner.port()) + "\n ProxyJump outer\nHost n1\n ProxyJump inner\n Port " +
            std::to_string(target.port()) + "\nHost *\n HostName 127.0.0.1\n User " + target.endpoint().user +
            "\n IdentityFile " + (target.dir() / "user_key") + "\n UserKnownHostsFile " +
            (target.dir() / "known_hosts") + "\n";
  write_file(target.dir() / "config", config);
  SshEndpoint endpoint;
  endpoint.name = "n1";
  endpoint.use_agent = false;
  endpoint.config_file = target.dir() / "config";
  const auto output = make_ssh_node(endpoint)->run("echo through");
  ASSERT_TRUE(output) << output.error().message;
  EXPECT_EQ(output->out, "through\n");
  EXPECT_THAT(outer.log(), HasSubstr("Accepted publickey"));
  EXPECT_THAT(inner.log(), HasSubstr("Accepted publickey"));
}

TEST(SshJump, ATargetThatTheGateCannotReach) {
  const Sshd gate;
  SshEndpoint endpoint = gate.endpoint();
  endpoint.jump = {endpoint.user + "@127.0.0.1:" + std::to_string(gate.port())};
  endpoint.port = testing::free_port();
  const auto output = make_ssh_node(endpoint)->run("true");
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().code, ErrorCode::unreachable);
  EXPECT_THAT(output.error().message, AllOf(HasSubstr("jump host"), HasSubstr(std::to_string(endpoint.port))));
}

TEST(SshAddresses, IPv6) {
  const Sshd sshd;
  SshEndpoint endpoint = sshd.endpoint();
  endpoint.host = "::1";
  write_file(sshd.dir() / "known_hosts", sshd.known_hosts_line("::1"));
  const auto node = make_ssh_node(endpoint);
  const auto output = node->run("true");
  if (!output && output.error().message.find("Cannot assign requested address") != std::string::npos) {
    GTEST_SKIP() << "this machine has no IPv6 loopback";
  }
  EXPECT_TRUE(output) << output.error().message;
  EXPECT_EQ(node->address(), "::1");
}

}  // namespace
}  // namespace ordeal
