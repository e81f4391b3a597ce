// Hosts that refuse, hang, show the wrong key or do not let us in: each has its own code and says what to do.

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <thread>

#include "harness/control/ssh_node.h"
#include "tests/harness/control/sshd.h"

namespace ordeal {
namespace {

using namespace std::chrono_literals;
using ordeal::testing::make_key;
using ordeal::testing::read_file;
using ordeal::testing::Sshd;
using ordeal::testing::SshdOptions;
using ordeal::testing::TempDir;
using ordeal::testing::write_file;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

Error error_of(const SshEndpoint& endpoint, std::chrono::milliseconds timeout = 10s) {
  Command command("true");
  command.timeout = timeout;
  const auto output = make_ssh_node(endpoint)->run(command);
  if (output) return {ErrorCode::internal, "the command ran"};
  return output.error();
}

// A listening socket whose owner never says a word.
struct SilentPeer {
  Descriptor socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  int port = 0;
  SilentPeer() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), length) != 0 || ::listen(socket.get(), 5) != 0 ||
        ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0) {
      std::abort();
    }
    port = ntohs(address.sin_port);
  }
};

SshEndpoint loopback(int port) {
  SshEndpoint endpoint;
  endpoint.name = "n1";
  endpoint.host = "127.0.0.1";
  endpoint.port = port;
  endpoint.user = "nobody";
  endpoint.config_file = "none";
  endpoint.use_agent = false;
  return endpoint;
}

TEST(SshErrors, ARefusedPort) {
  const Error error = error_of(loopback(testing::free_port()));
  EXPECT_EQ(error.code, ErrorCode::unreachable);
  EXPECT_THAT(error.message, AllOf(HasSubstr("n1"), HasSubstr("Connection refused"), HasSubstr("is sshd running")));
}

TEST(SshErrors, AHostThatNeverAnswers) {
  const SilentPeer peer;
  SshEndpoint endpoint = loopback(peer.port);
  endpoint.connect_timeout = 300ms;
  const auto start = std::chrono::steady_clock::now();
  const Error error = error_of(endpoint);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 2s);
  EXPECT_EQ(error.code, ErrorCode::timeout);
  EXPECT_THAT(error.message, HasSubstr("no SSH banner"));
}

TEST(SshErrors, TheCommandsOwnDeadlineCoversConnecting) {
  const SilentPeer peer;
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(error_of(loopback(peer.port), 300ms).code, ErrorCode::timeout);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 2s);
}

TEST(SshErrors, SomethingThatIsNoSshServer) {
  const SilentPeer peer;
  std::jthread answerer([&] {
    const Descriptor client(::accept4(peer.socket.get(), nullptr, nullptr, SOCK_CLOEXEC));
    const std::string text = "HTTP/1.1 400 Bad Request\r\n\r\n";
    (void)::send(client.get(), text.data(), text.size(), MSG_NOSIGNAL);
  });
  const Error error = error_of(loopback(peer.port));
  EXPECT_EQ(error.code, ErrorCode::unreachable);
  EXPECT_THAT(error.message, HasSubstr("not an SSH server; it began with \"HTTP/1.1"));
}

TEST(SshErrors, ANameThatDoesNotResolve) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "SKIPPED: ThreadSanitizer does not survive the thread in which glibc looks names up";
#endif
  SshEndpoint endpoint = loopback(22);
  endpoint.host = "no-such-host.invalid";
  const Error error = error_of(endpoint, 3s);
  // Without a name server the look-up may also run into the deadline.
  EXPECT_TRUE(error.code == ErrorCode::unreachable || error.code == ErrorCode::timeout) << error.message;
  EXPECT_THAT(error.message, HasSubstr("no-such-host.invalid"));
}

class SshErrorsWithServer : public ::testing::Test {
 protected:
  Sshd sshd_;
  SshEndpoint endpoint_ = sshd_.endpoint();
};

TEST_F(SshErrorsWithServer, AnUnknownHost) {
  endpoint_.known_hosts_file = sshd_.dir() / "empty";
  const Error error = error_of(endpoint_);
  EXPECT_EQ(error.code, ErrorCode::host_key);
  EXPECT_THAT(error.message, AllOf(HasSubstr("unknown host"), HasSubstr(endpoint_.known_hosts_file),
                                   HasSubstr("SHA256:"), HasSubstr("add this line"), Not(HasSubstr("CHANGED"))));
  // The line in the message is the right one.
  const std::string line =
      error.message.substr(error.message.find("[127.0.0.1]:", error.message.find("add this line")));
  write_file(sshd_.dir() / "empty", line + "\n");
  EXPECT_TRUE(make_ssh_node(endpoint_)->run("true"));
}

TEST_F(SshErrorsWithServer, AChangedHostKey) {
  make_key(sshd_.dir() / "other");
  const std::string name = "[127.0.0.1]:" + std::to_string(sshd_.port());
  write_file(sshd_.dir() / "stale", "# first line\n" + name + " " + read_file(sshd_.dir() / "other.pub"));
  endpoint_.known_hosts_file = sshd_.dir() / "stale";
  const Error error = error_of(endpoint_);
  EXPECT_EQ(error.code, ErrorCode::host_key);
  EXPECT_THAT(error.message, AllOf(HasSubstr("CHANGED"), HasSubstr((sshd_.dir() / "stale") + ":2"),
                                   HasSubstr("ssh-keygen -f " + (sshd_.dir() / "stale") + " -R '" + name + "'")));
  endpoint_.check_host_key = false;
  EXPECT_TRUE(make_ssh_node(endpoint_)->run("true"));
}

TEST_F(SshErrorsWithServer, ARevokedHostKey) {
  write_file(sshd_.dir() / "revoked", "@revoked * " + read_file(sshd_.host_key() + ".pub"));
  endpoint_.known_hosts_file = sshd_.dir() / "revoked";
  const Error error = error_of(endpoint_);
  EXPECT_EQ(error.code, ErrorCode::host_key);
  EXPECT_THAT(error.message, HasSubstr("@revoked"));
}

TEST_F(SshErrorsWithServer, AcceptNewAddsTheKeyOnce) {
  write_file(sshd_.dir() / "config",
             "StrictHostKeyChecking accept-new\nUserKnownHostsFile " + (sshd_.dir() / "new") + "\n");
  endpoint_.known_hosts_file.clear();
  endpoint_.config_file = sshd_.dir() / "config";
  EXPECT_TRUE(make_ssh_node(endpoint_)->run("true"));
  const std::string written = read_file(sshd_.dir() / "new");
  EXPECT_THAT(written, HasSubstr("ssh-ed25519"));
  EXPECT_TRUE(make_ssh_node(endpoint_)->run("true"));
  EXPECT_EQ(read_file(sshd_.dir() / "new"), written);
}

TEST_F(SshErrorsWithServer, AKeyThatTheHostDoesNotKnow) {
  make_key(sshd_.dir() / "stranger");
  endpoint_.identity_files = {sshd_.dir() / "stranger", sshd_.dir() / "absent"};
  const Error error = error_of(endpoint_);
  EXPECT_EQ(error.code, ErrorCode::auth);
  EXPECT_THAT(error.message, AllOf(HasSubstr("was not let in"), HasSubstr("stranger refused"),
                                   HasSubstr("absent: No such file"), HasSubstr("the host accepts: publickey")));
}

TEST_F(SshErrorsWithServer, AnEncryptedKey) {
  make_key(sshd_.dir() / "locked", "ed25519", "secret");
  endpoint_.identity_files = {sshd_.dir() / "locked"};
  const Error error = error_of(endpoint_);
  EXPECT_EQ(error.code, ErrorCode::auth);
  EXPECT_THAT(error.message,
              AllOf(HasSubstr("protected by a passphrase"), HasSubstr("ssh-add " + (sshd_.dir() / "locked"))));
}

TEST_F(SshErrorsWithServer, AnRsaClientKey) {
  make_key(sshd_.dir() / "rsa", "rsa");
  endpoint_.identity_files = {sshd_.dir() / "rsa"};
  const Error error = error_of(endpoint_);
  EXPECT_EQ(error.code, ErrorCode::auth);
  EXPECT_THAT(error.message, AllOf(HasSubstr("is an RSA key"), HasSubstr("ssh-keygen -t ed25519")));
}

TEST_F(SshErrorsWithServer, ABrokenConfigurationIsReportedByTheFirstCall) {
  write_file(sshd_.dir() / "config", "Host *\n  Port many\n");
  endpoint_.config_file = sshd_.dir() / "config";
  const Error error = error_of(endpoint_);
  EXPECT_EQ(error.code, ErrorCode::input);
  EXPECT_THAT(error.message, HasSubstr("config:2"));
}

TEST(SshErrors, AHostWithAnRsaKeyOnly) {
  SshdOptions options;
  options.host_key_types = {"rsa"};
  const Sshd sshd(options);
  const Error error = error_of(sshd.endpoint());
  EXPECT_EQ(error.code, ErrorCode::host_key);
  EXPECT_THAT(error.message,
              AllOf(HasSubstr("only offers an RSA host key"), HasSubstr("rsa-sha2-512"), HasSubstr("ssh-keygen -A")));
}

TEST(SshHostKeys, TheTypeThatIsKnownIsAskedFor) {
  SshdOptions options;
  options.host_key_types = {"ed25519", "ecdsa"};
  const Sshd sshd(options);
  SshEndpoint endpoint = sshd.endpoint();
  write_file(sshd.dir() / "ecdsa_only", sshd.known_hosts_line("127.0.0.1", "ecdsa"));
  endpoint.known_hosts_file = sshd.dir() / "ecdsa_only";
  const auto output = make_ssh_node(endpoint)->run("true");
  EXPECT_TRUE(output) << output.error().message;
}

}  // namespace
}  // namespace ordeal
