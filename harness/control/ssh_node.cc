#include "harness/control/ssh_node.h"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "harness/control/sftp.h"
#include "harness/control/ssh_connect.h"
#include "harness/control/ssh_exec.h"

namespace ordeal {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kMaxIdle = 4;
// sshd starts to refuse connections when ten are logging in at once (MaxStartups).
constexpr int kMaxConnecting = 4;
// An idle connection that does not even open a channel in this time is taken for dead.
constexpr milliseconds kProbe{3'000};
// How long a command's call may outlast its deadline in order to kill what it started.
constexpr milliseconds kKillTime{1'500};

struct Lease {
  std::unique_ptr<SshSession> session;
  bool reused = false;
};

class SshNode final : public Node {
 public:
  explicit SshNode(SshEndpoint endpoint) : endpoint_(std::move(endpoint)), route_(resolve_route(endpoint_)) {
    address_ = !endpoint_.address.empty() ? endpoint_.address
               : !endpoint_.host.empty()  ? endpoint_.host
               : route_                   ? route_->hops.back().host
                                          : endpoint_.name;
  }

  const std::string& name() const override { return endpoint_.name; }
  const std::string& address() const override { return address_; }

  Result<CommandOutput> run(const Command& command) override {
    if (!route_) return fail(route_.error());
    const auto deadline = Deadline::after(command.timeout);
    const ExecRequest request{command, command.sudo && route_->hops.back().credentials.user != "root",
                              endpoint_.sudo_password};
    bool repeated = false;
    for (;;) {
      auto lease = acquire(deadline, repeated);
      if (!lease) return fail(lease.error());
      ExecProgress progress;
      const Deadline open_deadline = lease->reused ? deadline.within(kProbe) : deadline;
      auto output = execute(*lease->session, request, open_deadline, deadline, progress);
      if (output) {
        release(std::move(lease->session));
        return output;
      }
      // Not sent, and the connection was an old one: it had died in the pool, or sshd still counts its last command
      // (MaxSessions 1). A new one harms nobody.
      const ErrorCode code = output.error().code;
      const bool of_no_use =
          code == ErrorCode::disconnected || code == ErrorCode::timeout || code == ErrorCode::unreachable;
      if (!progress.sent && lease->reused && of_no_use && !deadline.passed()) continue;
      if (code == ErrorCode::disconnected && progress.sent && command.idempotent && !repeated) {
        repeated = true;
        continue;
      }
      return fail(explain(output.error(), command, request, progress, *lease->session));
    }
  }

  Result<void> upload(const std::string& local, const std::string& remote, const TransferProgress& progress) override {
    return transfer("uploading " + local,
                    [&](SshSession& session) { return sftp_upload(session, local, remote, progress); });
  }
  Result<void> download(const std::string& remote, const std::string& local,
                        const TransferProgress& progress) override {
    return transfer("downloading " + remote,
                    [&](SshSession& session) { return sftp_download(session, remote, local, progress); });
  }

 private:
  // Kills what a failed command may have left running, and says what is known about it.
  Error explain(Error error, const Command& command, const ExecRequest& request, const ExecProgress& progress,
                SshSession& session) {
    const std::string script = "`" + command.script.substr(0, 120) + (command.script.size() > 120 ? "…`" : "`");
    if (error.code == ErrorCode::disconnected) {
      if (progress.sent) {
        error.message += "; whether " + script + " took effect is not known";
      } else {
        error.code = ErrorCode::unreachable;
        error.message += "; " + script + " was not sent";
      }
      return error;
    }
    if (!progress.kill) return error;
    const auto result = kill(session, request, progress.session_id);
    const std::string process = progress.session_id > 0 ? " (process " + std::to_string(progress.session_id) + ")" : "";
    if (error.code == ErrorCode::timeout) {
      error.message =
          session.who() + ": " + script + " did not finish within " + std::to_string(command.timeout.count()) + " ms";
    }
    switch (result) {
      case KillResult::killed:
        error.message += "; it was killed" + process;
        break;
      case KillResult::gone:
        error.message +=
            "; the command itself has ended, but something that it started holds its output open: redirect "
            "the output of daemons (>/dev/null 2>&1 </dev/null)";
        break;
      case KillResult::failed:
        error.message += "; it could not be killed and may still be running" + process;
        break;
    }
    return error;
  }

  // Over the connection that the command has, or over a new one where sshd allows only one session on each.
  KillResult kill(SshSession& session, const ExecRequest& request, long session_id) {
    const auto deadline = Deadline::after(kKillTime);
    const auto result = kill_remote(session, request, session_id, deadline);
    if (result != KillResult::failed || session_id <= 1 || deadline.passed()) return result;
    auto other = connect(deadline);
    return other ? kill_remote(**other, request, session_id, deadline) : result;
  }

  // A transfer replaces its destination only at the end, so it may be repeated: until a new connection broke twice.
  template <class Copy>
  Result<void> transfer(const std::string& doing, Copy&& copy) {
    if (!route_) return fail(route_.error());
    for (int failures = 0;;) {
      auto lease = acquire(Deadline::after(route_->connect_timeout), failures > 0);
      if (!lease) return fail(lease.error().during(doing));
      Result<void> copied = copy(*lease->session);
      const bool stalled = !copied && copied.error().code == ErrorCode::timeout;
      if (copied || stalled || !lease->session->broken()) {
        // A stalled session may still have answers under way that would confuse the next caller.
        if (!stalled) release(std::move(lease->session));
        if (!copied) return fail(copied.error().during(doing));
        return copied;
      }
      if (!lease->reused && ++failures == 2) return fail(copied.error().during(doing));
    }
  }

  Result<Lease> acquire(Deadline deadline, bool patient) {
    {
      const std::lock_guard lock(mutex_);
      if (!idle_.empty()) {
        Lease lease{std::move(idle_.back()), true};
        idle_.pop_back();
        lease.session->begin_waiting();
        return lease;
      }
    }
    for (milliseconds pause{20};; pause = std::min(pause * 2, milliseconds(500))) {
      auto session = connect(deadline.within(route_->connect_timeout));
      if (session) return Lease{std::move(*session), false};
      // After a broken connection the host may be on its way back.
      const auto code = session.error().code;
      if (!patient || code != ErrorCode::unreachable || deadline.remaining() <= pause) return fail(session.error());
      std::this_thread::sleep_for(pause);
    }
  }

  Result<std::unique_ptr<SshSession>> connect(Deadline deadline) {
    {
      std::unique_lock lock(mutex_);
      if (!may_connect_.wait_for(lock, deadline.remaining(), [&] { return connecting_ < kMaxConnecting; })) {
        return fail(ErrorCode::timeout, endpoint_.name + ": other connections to the host are still being made");
      }
      ++connecting_;
    }
    auto session = connect_patiently(deadline);
    {
      const std::lock_guard lock(mutex_);
      --connecting_;
    }
    may_connect_.notify_one();
    return session;
  }

  // sshd drops connections without a word while too many are logging in (MaxStartups): a moment later it may not.
  // Nothing has been run yet, so trying again is always safe, and a failure is never "nobody knows".
  Result<std::unique_ptr<SshSession>> connect_patiently(Deadline deadline) const {
    static constexpr int kAttempts = 5;
    milliseconds pause{50};
    for (int attempt = 1;; ++attempt, pause *= 2) {
      auto session = connect_ssh(*route_, deadline);
      if (session) return session;
      Error& error = session.error();
      if (error.code == ErrorCode::disconnected && attempt < kAttempts && deadline.remaining() > pause) {
        std::this_thread::sleep_for(pause);
        continue;
      }
      if (error.code == ErrorCode::disconnected) error.code = ErrorCode::unreachable;
      for (const auto& note : route_->notes) error.message += " [note: " + note + "]";
      return session;
    }
  }

  void release(std::unique_ptr<SshSession> session) {
    if (session->broken()) return;
    std::unique_ptr<SshSession> surplus;  // closed outside the lock
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(session));
    if (idle_.size() > kMaxIdle) {
      surplus = std::move(idle_.front());
      idle_.erase(idle_.begin());
    }
  }

  const SshEndpoint endpoint_;
  const Result<SshRoute> route_;
  std::string address_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable may_connect_;
  std::vector<std::unique_ptr<SshSession>> idle_;
  int connecting_ = 0;
};

}  // namespace

std::unique_ptr<Node> make_ssh_node(SshEndpoint endpoint) { return std::make_unique<SshNode>(std::move(endpoint)); }

}  // namespace ordeal
