#include "harness/control/ssh_session.h"

#include <libssh2.h>
#include <libssh2_sftp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <mutex>

#include "harness/control/server_hello.h"

namespace ordeal {

static_assert(LIBSSH2_ERROR_EAGAIN == -37);

// The functions that libssh2 calls instead of send(2) and recv(2). libssh2's agent code uses them too, with the
// descriptor of the agent's socket and no notion of partial reads.
struct SessionCallbacks {
  static SshSession& self(void** abstract) { return *static_cast<SshSession*>(*abstract); }

  static ssize_t send(libssh2_socket_t fd, const void* data, size_t size, int, void** abstract) {
    SshSession& session = self(abstract);
    if (session.stream_ == nullptr || session.broken_) return -ECONNRESET;
    if (fd != session.stream_->fd()) return transfer_all(session, fd, const_cast<void*>(data), size, true);
    session.output_.append(static_cast<const char*>(data), size);
    session.flush();
    return static_cast<ssize_t>(size);
  }

  static ssize_t recv(libssh2_socket_t fd, void* buffer, size_t size, int, void** abstract) {
    SshSession& session = self(abstract);
    if (session.stream_ == nullptr || session.broken_) return -ECONNRESET;
    if (fd != session.stream_->fd()) return transfer_all(session, fd, buffer, size, false);
    const long got = session.stream_->read(static_cast<char*>(buffer), size);
    if (got > 0) {
      session.received_ += static_cast<std::uint64_t>(got);
      static constexpr std::size_t kFirstBytes = 8192;
      if (session.handshaking_ && session.first_bytes_.size() < kFirstBytes) {
        session.first_bytes_.append(static_cast<const char*>(buffer), static_cast<std::size_t>(got));
      }
    } else if (got != -EAGAIN) {
      session.broken_ = true;
    }
    return got;
  }

  // The server said goodbye, and why ("Too many authentication failures").
  static void disconnect(LIBSSH2_SESSION*, int, const char* message, int length, const char*, int, void** abstract) {
    SshSession& session = self(abstract);
    session.broken_ = true;
    if (message != nullptr && length > 0)
      session.goodbye_ = printable({message, static_cast<std::size_t>(length)}, 200);
  }

  // All of `size` bytes, or an error: what libssh2's agent code expects of a blocking socket, with a deadline.
  static ssize_t transfer_all(SshSession& session, int fd, void* bytes, size_t size, bool sending) {
    auto* data = static_cast<char*>(bytes);
    std::size_t done = 0;
    while (done < size) {
      const ssize_t n = sending ? ::send(fd, data + done, size - done, MSG_NOSIGNAL | MSG_DONTWAIT)
                                : ::recv(fd, data + done, size - done, MSG_DONTWAIT);
      if (n > 0) {
        done += static_cast<std::size_t>(n);
        continue;
      }
      if (n == 0) return done > 0 ? static_cast<ssize_t>(done) : -ECONNRESET;
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) return -errno;
      if (session.agent_deadline_.passed()) return -ETIMEDOUT;
      pollfd entry{fd, static_cast<short>(sending ? POLLOUT : POLLIN), 0};
      (void)::poll(&entry, 1, session.agent_deadline_.poll_ms());
    }
    return static_cast<ssize_t>(done);
  }
};

namespace {

class SocketStream final : public ByteStream {
 public:
  explicit SocketStream(Descriptor socket) : socket_(std::move(socket)) {}
  long read(char* buffer, std::size_t size) override {
    const ssize_t n = ::recv(socket_.get(), buffer, size, MSG_DONTWAIT);
    return n >= 0 ? n : errno == EINTR || errno == EWOULDBLOCK ? -EAGAIN : -errno;
  }
  long write(const char* data, std::size_t size) override {
    const ssize_t n = ::send(socket_.get(), data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    return n >= 0 ? n : errno == EINTR || errno == EWOULDBLOCK ? -EAGAIN : -errno;
  }
  int fd() const override { return socket_.get(); }

 private:
  Descriptor socket_;
};

// A direct-tcpip channel of a jump host.
class ChannelStream final : public ByteStream {
 public:
  ChannelStream(std::unique_ptr<SshSession> session, LIBSSH2_CHANNEL* channel, int fd)
      : session_(std::move(session)), channel_(channel), fd_(fd) {}
  long read(char* buffer, std::size_t size) override {
    return errno_of(libssh2_channel_read(channel_, buffer, size), libssh2_channel_eof(channel_) == 1);
  }
  long write(const char* data, std::size_t size) override {
    const long n = errno_of(libssh2_channel_write(channel_, data, size), false);
    return n == 0 ? -EAGAIN : n;
  }
  int fd() const override { return fd_; }
  SshSession* carrier() override { return session_.get(); }

 private:
  static long errno_of(long rc, bool ended) {
    if (rc > 0) return rc;
    if (rc == LIBSSH2_ERROR_EAGAIN) return ended ? 0 : -EAGAIN;
    if (rc == 0) return ended ? 0 : -EAGAIN;
    return -ECONNRESET;
  }
  std::unique_ptr<SshSession> session_;  // frees the channel
  LIBSSH2_CHANNEL* channel_;
  int fd_;
};

// Everything that libssh2 1.10 can do and sshd may offer, RSA last: a stock OpenSSH since 8.8 offers RSA keys only with
// signatures that this libssh2 does not know.
std::string host_key_preference(const std::vector<std::string>& preferred) {
  static const std::vector<std::string> kSupported = {"ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384",
                                                      "ecdsa-sha2-nistp521", "ssh-rsa"};
  std::vector<std::string> order;
  for (const auto* list : {&preferred, &kSupported}) {
    for (const auto& type : *list) {
      const bool supported = std::find(kSupported.begin(), kSupported.end(), type) != kSupported.end();
      if (supported && std::find(order.begin(), order.end(), type) == order.end()) order.push_back(type);
    }
  }
  std::string joined;
  for (const auto& type : order) joined += (joined.empty() ? "" : ",") + type;
  return joined;
}

bool is_connection_loss(long rc) {
  return rc == LIBSSH2_ERROR_SOCKET_DISCONNECT || rc == LIBSSH2_ERROR_SOCKET_RECV || rc == LIBSSH2_ERROR_SOCKET_SEND ||
         rc == LIBSSH2_ERROR_SOCKET_NONE || rc == LIBSSH2_ERROR_BAD_SOCKET;
}

}  // namespace

std::unique_ptr<ByteStream> make_socket_stream(Descriptor socket) {
  return std::make_unique<SocketStream>(std::move(socket));
}

Result<std::unique_ptr<SshSession>> SshSession::handshake(std::unique_ptr<ByteStream> stream, std::string who,
                                                          const std::vector<std::string>& host_key_types,
                                                          Deadline deadline) {
  // libssh2 counts its users without a lock: the first count is taken here, under one.
  static std::once_flag once;
  static int initialised = 0;
  std::call_once(once, [] { initialised = libssh2_init(0); });
  if (initialised != 0) return fail(ErrorCode::internal, "libssh2 does not start");

  std::unique_ptr<SshSession> self(new SshSession(std::move(stream), std::move(who)));
  self->session_ = libssh2_session_init_ex(nullptr, nullptr, nullptr, self.get());
  if (self->session_ == nullptr) return fail(ErrorCode::internal, "libssh2 has no memory for a session");
  LIBSSH2_SESSION* const session = self->session_;
  libssh2_session_callback_set(session, LIBSSH2_CALLBACK_SEND, reinterpret_cast<void*>(&SessionCallbacks::send));
  libssh2_session_callback_set(session, LIBSSH2_CALLBACK_RECV, reinterpret_cast<void*>(&SessionCallbacks::recv));
  libssh2_session_callback_set(session, LIBSSH2_CALLBACK_DISCONNECT,
                               reinterpret_cast<void*>(&SessionCallbacks::disconnect));
  libssh2_session_set_blocking(session, 0);
  const std::string preference = host_key_preference(host_key_types);
  if (libssh2_session_method_pref(session, LIBSSH2_METHOD_HOSTKEY, preference.c_str()) != 0) {
    return fail(self->error_of(self->last_errno(), "choosing host key types"));
  }

  const int fd = self->stream_->fd();
  auto rc = self->complete([&] { return libssh2_session_handshake(session, fd); }, deadline);
  if (!rc) {
    if (rc.error().code != ErrorCode::timeout) return fail(self->explain_handshake(LIBSSH2_ERROR_SOCKET_DISCONNECT));
    return fail(ErrorCode::timeout,
                self->who_ + ": the connection is open but sshd did not answer in time" +
                    (self->first_bytes_.empty() ? " (no SSH banner)" : " (during the key exchange)"));
  }
  if (*rc != 0) return fail(self->explain_handshake(*rc));
  self->handshaking_ = false;
  self->first_bytes_ = {};
  self->begin_waiting();
  libssh2_keepalive_config(session, 1, 1);
  return self;
}

Error SshSession::explain_handshake(long rc) const {
  const ServerHello hello = parse_server_hello(first_bytes_);
  if (!hello.host_key_types.empty() && !hello.offers_usable_host_key()) {
    std::string offered;
    for (const auto& type : hello.host_key_types) offered += (offered.empty() ? "" : ", ") + type;
    return {ErrorCode::host_key,
            who_ +
                (hello.offers_only_rsa() ? ": this host only offers an RSA host key ("
                                         : ": no usable host key (offered: ") +
                offered + "); libssh2 " + libssh2_version(0) +
                " knows only the old SHA-1 signature for RSA. Give the host an ed25519 key: run `ssh-keygen -A` on it "
                "and restart sshd"};
  }
  char* text = nullptr;
  (void)libssh2_session_last_error(session_, &text, nullptr, 0);
  std::string message = who_ + ": ";
  ErrorCode code = ErrorCode::unreachable;
  if (first_bytes_.empty()) {
    code = ErrorCode::disconnected;
    message +=
        "the connection was closed before sshd introduced itself (too many connections at once, see MaxStartups "
        "in sshd_config, or not an SSH server)";
  } else if (hello.banner.empty()) {
    message += "what answers is not an SSH server; it began with \"" + printable(first_bytes_, 40) + '"';
  } else {
    message += "the SSH key exchange with " + printable(hello.banner, 60) + " failed";
  }
  message += " (libssh2: " + std::string(text == nullptr || *text == '\0' ? "no detail" : text) + ", error " +
             std::to_string(rc) + ")";
  return {code, std::move(message)};
}

SshSession::~SshSession() {
  if (session_ == nullptr) return;
  if (!broken_ && !handshaking_) {
    // A polite goodbye, if the socket takes it at once.
    (void)libssh2_session_disconnect_ex(session_, SSH_DISCONNECT_BY_APPLICATION, "closing", "");
    flush();
  }
  // From here on both callbacks answer "connection reset": freeing channels never waits for the other side.
  broken_ = true;
  const auto insist = [](auto&& call) {
    for (int i = 0; i < 1000 && call() == LIBSSH2_ERROR_EAGAIN; ++i) {
    }
  };
  // The session would free SFTP's channel, but not what SFTP keeps about requests without an answer.
  if (sftp_ != nullptr) insist([&] { return libssh2_sftp_shutdown(sftp_); });
  insist([&] { return libssh2_session_free(session_); });
}

HostKey SshSession::host_key() const {
  std::size_t length = 0;
  int type = 0;
  const char* blob = libssh2_session_hostkey(session_, &length, &type);
  HostKey key;
  if (blob == nullptr) return key;
  key.blob.assign(blob, length);
  key.type = key_type_of_blob(key.blob);
  return key;
}

std::uint64_t SshSession::received() const {
  const SshSession* below = stream_->carrier();
  return received_ + (below != nullptr ? below->received() : 0);
}

void SshSession::flush() {
  while (sent_ < output_.size() && !broken_) {
    const long n = stream_->write(output_.data() + sent_, output_.size() - sent_);
    if (n == -EAGAIN) break;
    if (n <= 0) {
      broken_ = true;
      break;
    }
    sent_ += static_cast<std::size_t>(n);
  }
  if (sent_ == output_.size()) {
    output_.clear();
    sent_ = 0;
  } else if (sent_ > (1U << 20)) {
    output_.erase(0, sent_);
    sent_ = 0;
  }
  if (SshSession* below = stream_->carrier()) below->flush();
}

bool SshSession::output_waits() const {
  // Output of an upper session waits for the window of its channel, not for the socket.
  if (const SshSession* below = stream_->carrier()) return below->output_waits();
  return sent_ < output_.size();
}

Result<void> SshSession::keep_alive() {
  // The server answers each probe, so silence means that the host has vanished, which would otherwise be noticed only
  // at the deadline of the command.
  const auto now = Deadline::Clock::now();
  if (received() != heard_bytes_) {
    heard_bytes_ = received();
    heard_at_ = probed_at_ = now;
  }
  if (now - heard_at_ > keep_alive_.lost_after) {
    broken_ = true;
    return fail(ErrorCode::disconnected, who_ + ": the host has not been heard of for " +
                                             std::to_string(keep_alive_.lost_after.count()) + " ms");
  }
  if (now - probed_at_ >= keep_alive_.interval) {
    int next = 0;
    (void)libssh2_keepalive_send(session_, &next);
    probed_at_ = now;
  }
  return {};
}

void SshSession::begin_waiting() { heard_at_ = probed_at_ = Deadline::Clock::now(); }

Result<void> SshSession::wait(Deadline deadline) {
  flush();
  if (broken_) {
    return fail(ErrorCode::disconnected, who_ + ": the connection broke" + (goodbye_.empty() ? "" : ": " + goodbye_));
  }
  if (deadline.passed()) return fail(ErrorCode::timeout, who_ + ": no answer in time");
  if (!handshaking_) {
    if (auto alive = keep_alive(); !alive) return alive;
  }
  pollfd entry{stream_->fd(), static_cast<short>(output_waits() ? POLLIN | POLLOUT : POLLIN), 0};
  const int ready = ::poll(&entry, 1, std::min(deadline.poll_ms(), 500));
  if (ready < 0 && errno != EINTR) {
    broken_ = true;
    return fail(ErrorCode::disconnected, who_ + ": poll failed");
  }
  flush();
  return {};
}

long SshSession::last_errno() const { return libssh2_session_last_errno(session_); }

Error SshSession::error_of(long rc, std::string_view doing, ErrorCode code) {
  char* text = nullptr;
  (void)libssh2_session_last_error(session_, &text, nullptr, 0);
  std::string message = who_ + ": " + std::string(doing) + ": ";
  if (broken_ || is_connection_loss(rc)) {
    broken_ = true;
    code = ErrorCode::disconnected;
    message += goodbye_.empty() ? "the connection broke " : "the host closed the connection: \"" + goodbye_ + "\" ";
  }
  message += "(libssh2: " + std::string(text == nullptr || *text == '\0' ? "no detail" : text) + ", error " +
             std::to_string(rc) + ")";
  return {code, std::move(message)};
}

Result<std::unique_ptr<ByteStream>> SshSession::tunnel(std::unique_ptr<SshSession> session, const std::string& host,
                                                       int port, Deadline deadline) {
  const std::string doing = "forwarding to " + host + " port " + std::to_string(port);
  auto channel = session->complete_open(
      [&] { return libssh2_channel_direct_tcpip_ex(session->raw(), host.c_str(), port, "127.0.0.1", 22); }, deadline);
  if (!channel) return fail(channel.error().during("jump host: " + doing));
  if (*channel == nullptr) {
    return fail(session->error_of(session->last_errno(), "jump host: " + doing, ErrorCode::unreachable));
  }
  const int fd = session->stream_->fd();
  return std::make_unique<ChannelStream>(std::move(session), *channel, fd);
}

Result<LIBSSH2_SFTP*> SshSession::sftp(Deadline deadline) {
  if (sftp_ != nullptr) return sftp_;
  auto opened = complete_open([&] { return libssh2_sftp_init(session_); }, deadline);
  if (!opened) return fail(opened.error().during("starting SFTP"));
  if (*opened == nullptr) {
    return fail(
        error_of(last_errno(), "starting SFTP (is the sftp Subsystem in sshd_config?)", ErrorCode::unsupported));
  }
  sftp_ = *opened;
  return sftp_;
}

}  // namespace ordeal
