#pragma once
// One SSH connection: a libssh2 session in non-blocking mode over a byte stream, with a deadline on every wait.
//
// Two properties of libssh2 shape this class.
//
// A packet that was sent in part must be finished by calling the very same function again; any other call in between
// fails with BAD_USE. Reading may have to send too (window adjustments), so a command with much input and much output
// would run into this sooner or later. Therefore the session never lets libssh2 see a partial write: bytes that the
// socket does not take at once wait in a buffer of ours. The windows of the channels bound that buffer.
//
// A call that reports "would block" may have moved data of another channel into memory, for which polling the socket
// would wait in vain. Therefore a wait begins only when a whole pass of calls has received no byte.
//
// The stream is a TCP socket, or a channel of another session: that is how jump hosts work, without a pump thread.
//
// Thread-safety: none; one thread at a time.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "base/descriptor.h"
#include "base/error.h"
#include "harness/control/tcp.h"

// libssh2's own types; its header stays out of ours.
struct _LIBSSH2_SESSION;
struct _LIBSSH2_CHANNEL;
struct _LIBSSH2_SFTP;

namespace ordeal {

class SshSession;

// What a session talks over. Never blocks.
class ByteStream {
 public:
  virtual ~ByteStream() = default;
  // Bytes read; 0 at the end; -EAGAIN or another negative errno.
  virtual long read(char* buffer, std::size_t size) = 0;
  // Bytes taken; -EAGAIN or another negative errno.
  virtual long write(const char* data, std::size_t size) = 0;
  // The socket at the bottom, for poll().
  [[nodiscard]] virtual int fd() const = 0;
  // The session that carries this stream, if it is not a socket.
  [[nodiscard]] virtual SshSession* carrier() { return nullptr; }
};

[[nodiscard]] std::unique_ptr<ByteStream> make_socket_stream(Descriptor socket);

struct HostKey {
  std::string type;  // "ssh-ed25519"
  std::string blob;  // the public key in SSH's binary format
};

class SshSession {
 public:
  // Exchanges keys with the server behind `stream`. The host key is not verified yet. `who` names the host in messages
  // ("n1 (10.0.0.1 port 22)"); `host_key_types` are preferred in this order. Errors: unreachable, disconnected (closed
  // without a word: sshd does that when too many log in at once), timeout, host_key (no key that we can use).
  [[nodiscard]] static Result<std::unique_ptr<SshSession>> handshake(std::unique_ptr<ByteStream> stream,
                                                                     std::string who,
                                                                     const std::vector<std::string>& host_key_types,
                                                                     Deadline deadline);
  ~SshSession();
  SshSession(const SshSession&) = delete;
  SshSession& operator=(const SshSession&) = delete;

  [[nodiscard]] const std::string& who() const { return who_; }
  [[nodiscard]] HostKey host_key() const;
  [[nodiscard]] _LIBSSH2_SESSION* raw() const { return session_; }
  // True after an error that leaves the connection unusable.
  [[nodiscard]] bool broken() const { return broken_; }
  // Gives the connection up: from now on every call fails at once.
  void abandon() { broken_ = true; }
  // Bytes received so far, by this session and by those that carry it.
  [[nodiscard]] std::uint64_t received() const;

  // While a caller waits, the server is probed after `interval` of silence (libssh2 allows one probe in two seconds)
  // and given up after `lost_after`.
  struct KeepAlive {
    std::chrono::milliseconds interval{10'000};
    std::chrono::milliseconds lost_after{45'000};
  };
  void set_keep_alive(KeepAlive keep_alive) { keep_alive_ = keep_alive; }
  // Silence counts from here: to be called when a session that lay idle is used again.
  void begin_waiting();

  // Sends what is buffered and waits until the socket can be read, written or the deadline passes; sends keep-alives
  // meanwhile. Errors: timeout, disconnected.
  [[nodiscard]] Result<void> wait(Deadline deadline);

  // Repeats a libssh2 call while it would block. Returns its result, negative values of libssh2 included; its own
  // errors are timeout and disconnected.
  template <class Call>
  [[nodiscard]] Result<long> complete(Call&& call, Deadline deadline) {
    for (;;) {
      const std::uint64_t before = received();
      const long rc = call();
      if (rc != kWouldBlock) return rc;
      if (received() != before) continue;
      if (auto waited = wait(deadline); !waited) return fail(waited.error());
    }
  }
  // The same for calls that return a pointer or null.
  template <class Call>
  [[nodiscard]] auto complete_open(Call&& call, Deadline deadline) -> Result<decltype(call())> {
    decltype(call()) opened = nullptr;
    auto rc = complete(
        [&]() -> long {
          opened = call();
          return opened != nullptr ? 0 : last_errno();
        },
        deadline);
    if (!rc) return fail(rc.error());
    return opened;
  }

  // The error for libssh2's result `rc`, with libssh2's own words: disconnected when the connection is gone, else
  // `code`.
  [[nodiscard]] Error error_of(long rc, std::string_view doing, ErrorCode code = ErrorCode::internal);
  [[nodiscard]] long last_errno() const;

  // A stream to host:port as seen from this session's host. Owns the session.
  [[nodiscard]] static Result<std::unique_ptr<ByteStream>> tunnel(std::unique_ptr<SshSession> session,
                                                                  const std::string& host, int port, Deadline deadline);

  // The SFTP subsystem, opened on first use and kept.
  [[nodiscard]] Result<_LIBSSH2_SFTP*> sftp(Deadline deadline);

  // libssh2 talks to the SSH agent through the session's callbacks as well; the agent gets this deadline.
  void set_agent_deadline(Deadline deadline) { agent_deadline_ = deadline; }

  // Sends as much of the buffered output as the stream takes, here and in the sessions below.
  void flush();

 private:
  friend struct SessionCallbacks;
  static constexpr long kWouldBlock = -37;  // LIBSSH2_ERROR_EAGAIN

  SshSession(std::unique_ptr<ByteStream> stream, std::string who) : who_(std::move(who)), stream_(std::move(stream)) {}
  [[nodiscard]] Error explain_handshake(long rc) const;
  [[nodiscard]] bool output_waits() const;
  [[nodiscard]] Result<void> keep_alive();

  std::string who_;
  std::unique_ptr<ByteStream> stream_;
  _LIBSSH2_SESSION* session_ = nullptr;
  _LIBSSH2_SFTP* sftp_ = nullptr;
  std::string output_;       // bytes that the stream did not take yet
  std::size_t sent_ = 0;     // how much of output_ is gone already
  std::string first_bytes_;  // the start of what the server said, until the handshake is over
  std::uint64_t received_ = 0;
  bool handshaking_ = true;
  bool broken_ = false;
  Deadline agent_deadline_ = Deadline::after(std::chrono::seconds(10));
  std::string goodbye_;  // why the server closed the connection
  KeepAlive keep_alive_;
  std::uint64_t heard_bytes_ = 0;
  Deadline::Clock::time_point heard_at_ = Deadline::Clock::now();
  Deadline::Clock::time_point probed_at_ = Deadline::Clock::now();
};

}  // namespace ordeal
