#include "harness/control/ssh_exec.h"

#include <libssh2.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>

namespace ordeal {
namespace {

constexpr std::string_view kPidMarker =
    "\x1e"
    "ordeal-session:";
constexpr std::string_view kBegunMarker =
    "\x1e"
    "ordeal-begun\n";
constexpr std::string_view kPromptMarker =
    "\x1e"
    "ordeal-password:";
// libssh2 refuses packets beyond 35,000 bytes.
constexpr std::size_t kMaxScript = 30'000;

std::string wrap(const ExecRequest& request) {
  const std::string print_pid = "printf '\\036ordeal-session:%d\\n' $$ >&2\n";
  if (!request.use_sudo) return "exec /bin/sh -c " + shell_quote(print_pid + request.command.script);
  // -k would forget the password for everybody else; -n never asks; -S asks on standard error and reads standard input.
  const std::string ask = request.sudo_password.empty() ? "-n" : "-S -p " + shell_quote(kPromptMarker);
  const std::string inner = "printf '\\036ordeal-begun\\n' >&2\n" + request.command.script;
  return "exec /bin/sh -c " + shell_quote(print_pid + "exec sudo " + ask + " -- /bin/sh -c " + shell_quote(inner));
}

int number_of_signal(std::string_view name) {
  static constexpr std::array<std::pair<std::string_view, int>, 13> kSignals = {{{"HUP", 1},
                                                                                 {"INT", 2},
                                                                                 {"QUIT", 3},
                                                                                 {"ILL", 4},
                                                                                 {"ABRT", 6},
                                                                                 {"FPE", 8},
                                                                                 {"KILL", 9},
                                                                                 {"USR1", 10},
                                                                                 {"SEGV", 11},
                                                                                 {"USR2", 12},
                                                                                 {"PIPE", 13},
                                                                                 {"ALRM", 14},
                                                                                 {"TERM", 15}}};
  for (const auto& [known, number] : kSignals) {
    if (name == known) return number;
  }
  // OpenSSH writes signals that RFC 4254 does not name as SIG@openssh.com.
  return 0;
}

// One run of a command, from opening its channel to its exit code.
class Execution {
 public:
  Execution(SshSession& session, const ExecRequest& request, ExecProgress& progress)
      : session_(session), request_(request), progress_(progress), begun_(!request.use_sudo) {}

  Result<CommandOutput> run(Deadline open_deadline, Deadline deadline) {
    const std::string text = wrap(request_);
    if (text.size() > kMaxScript) {
      return fail(ErrorCode::usage, session_.who() + ": a script of " + std::to_string(request_.command.script.size()) +
                                        " bytes does not fit into one SSH request: upload it as a file and run that");
    }
    if (auto opened = open(open_deadline); !opened) return fail(opened.error());
    if (auto started = start(text, deadline); !started) return fail(started.error());
    if (auto pumped = pump(deadline); !pumped) return fail(pumped.error());
    return finish(deadline);
  }

 private:
  Result<void> open(Deadline deadline) {
    auto channel = session_.complete_open(
        [&] {
          return libssh2_channel_open_ex(session_.raw(), "session", 7, LIBSSH2_CHANNEL_WINDOW_DEFAULT,
                                         LIBSSH2_CHANNEL_PACKET_DEFAULT, nullptr, 0);
        },
        deadline);
    if (!channel) return fail(channel.error().during("opening a channel"));
    if (*channel == nullptr) {
      return fail(session_.error_of(session_.last_errno(), "opening a channel (see MaxSessions in sshd_config)",
                                    ErrorCode::unreachable));
    }
    channel_ = *channel;
    return {};
  }

  Result<void> start(const std::string& text, Deadline deadline) {
    progress_.sent = true;
    progress_.kill = true;
    auto rc = session_.complete(
        [&] {
          return libssh2_channel_process_startup(channel_, "exec", 4, text.data(), static_cast<unsigned>(text.size()));
        },
        deadline);
    if (!rc) return fail(rc.error());
    if (*rc != 0) return fail(session_.error_of(*rc, "starting the command", ErrorCode::permission));
    return {};
  }

  // Moves input and output until both outputs have ended.
  Result<void> pump(Deadline deadline) {
    for (;;) {
      const std::uint64_t before = session_.received();
      bool moved = false;
      if (auto read = take(0, output_.out, moved); !read) return read;
      if (auto read = take(SSH_EXTENDED_DATA_STDERR, output_.err, moved); !read) return read;
      find_markers();
      if (password_refused_) {
        return fail(ErrorCode::auth, session_.who() + ": sudo did not accept the password");
      }
      give_input(moved);
      if (libssh2_channel_eof(channel_) != 0) return {};
      if (moved || session_.received() != before) {
        if (deadline.passed()) return fail(ErrorCode::timeout, session_.who() + ": still writing output");
        continue;
      }
      if (auto waited = session_.wait(deadline); !waited) return waited;
    }
  }

  Result<void> take(int stream, std::string& into, bool& moved) {
    // A bounded number of reads, so that a flood on one stream starves neither the other nor the deadline.
    for (int i = 0; i < 32; ++i) {
      const long n = libssh2_channel_read_ex(channel_, stream, buffer_.data(), buffer_.size());
      if (n == LIBSSH2_ERROR_EAGAIN || n == 0) return {};
      if (n < 0) return fail(session_.error_of(n, "reading the command's output"));
      moved = true;
      into.append(buffer_.data(), static_cast<std::size_t>(n));
      if (into.size() > kMaxOutput) {
        return fail(ErrorCode::remote, session_.who() + ": the command wrote more than " +
                                           std::to_string(kMaxOutput >> 20U) + " MiB to its standard " +
                                           (stream == 0 ? "output" : "error") + ": write to a file and download it");
      }
    }
    return {};
  }

  // The markers come first on standard error, save for what a login shell's start-up files may write.
  void find_markers() {
    std::string& err = output_.err;
    if (progress_.session_id == 0) {
      const std::size_t at = err.find(kPidMarker);
      const std::size_t end = at == std::string::npos ? at : err.find('\n', at);
      if (end == std::string::npos) return;
      progress_.session_id = std::strtol(err.c_str() + at + kPidMarker.size(), nullptr, 10);
      err.erase(at, end + 1 - at);
    }
    if (begun_) return;
    if (const std::size_t at = err.find(kBegunMarker); at != std::string::npos) {
      err.erase(0, at + kBegunMarker.size());
      begun_ = true;
      return;
    }
    if (const std::size_t at = err.find(kPromptMarker); at != std::string::npos) {
      err.erase(0, at + kPromptMarker.size());
      if (password_given_) {
        password_refused_ = true;
      } else {
        password_given_ = true;
        pending_password_ = request_.sudo_password + "\n";
      }
    }
  }

  void give_input(bool& moved) {
    if (input_closed_) return;
    if (!pending_password_.empty()) {
      const long n = libssh2_channel_write(channel_, pending_password_.data(), pending_password_.size());
      if (n > 0) {
        pending_password_.erase(0, static_cast<std::size_t>(n));
        moved = true;
      }
      return;
    }
    if (!begun_) return;
    if (request_.command.before_input && !input_awaited_) {
      if (progress_.session_id == 0) return;  // the shell has not said yet that it runs
      input_awaited_ = true;
      input_refused_ = !request_.command.before_input();
    }
    const std::string& input = request_.command.input;
    while (given_ < input.size() && !input_refused_) {
      const long n = libssh2_channel_write(channel_, input.data() + given_, std::min(input.size() - given_, kChunk));
      if (n == LIBSSH2_ERROR_EAGAIN || n == 0) return;
      // The command has closed its input; what it makes of that shows in its exit code.
      if (n < 0) break;
      given_ += static_cast<std::size_t>(n);
      moved = true;
    }
    (void)libssh2_channel_send_eof(channel_);
    input_closed_ = true;
  }

  Result<CommandOutput> finish(Deadline deadline) {
    // The exit code may follow the end of the output; sshd closes the channel only after it.
    auto closed = session_.complete([&] { return libssh2_channel_wait_closed(channel_); }, deadline);
    if (!closed) return fail(closed.error());
    if (*closed != 0) return fail(session_.error_of(*closed, "waiting for the exit code"));
    progress_.kill = false;
    output_.exit_code = libssh2_channel_get_exit_status(channel_);
    char* signal = nullptr;
    std::size_t length = 0;
    (void)libssh2_channel_get_exit_signal(channel_, &signal, &length, nullptr, nullptr, nullptr, nullptr);
    if (signal != nullptr) {
      output_.exit_code = 128 + number_of_signal({signal, length});
      libssh2_free(session_.raw(), signal);
    }
    (void)session_.complete([&] { return libssh2_channel_free(channel_); }, deadline);
    if (!begun_) {
      while (output_.err.ends_with('\n')) output_.err.pop_back();
      return fail(ErrorCode::auth, session_.who() + ": sudo refused (exit code " + std::to_string(output_.exit_code) +
                                       "): " + output_.err + ". Give a sudo password, or allow NOPASSWD in sudoers");
    }
    return std::move(output_);
  }

  static constexpr std::size_t kChunk = 256U << 10U;

  SshSession& session_;
  const ExecRequest& request_;
  ExecProgress& progress_;
  LIBSSH2_CHANNEL* channel_ = nullptr;  // freed with the session if the command does not finish
  CommandOutput output_;
  std::vector<char> buffer_ = std::vector<char>(64U << 10U);
  std::string pending_password_;
  std::size_t given_ = 0;
  bool begun_;
  bool password_given_ = false;
  bool password_refused_ = false;
  bool input_closed_ = false;
  bool input_awaited_ = false;  // before_input was called
  bool input_refused_ = false;
};

}  // namespace

Result<CommandOutput> execute(SshSession& session, const ExecRequest& request, Deadline open_deadline,
                              Deadline deadline, ExecProgress& progress) {
  return Execution(session, request, progress).run(open_deadline, deadline);
}

KillResult kill_remote(SshSession& session, const ExecRequest& original, long session_id, Deadline deadline) {
  if (session_id <= 1 || session.broken()) return KillResult::failed;
  const std::string id = std::to_string(session_id);
  // A leader that is gone has finished: what it left behind (a daemon that holds its output open) is not ours to kill.
  // pkill reaches process groups that the command made in its session, as timeout(1) does. It reads the table of
  // processes one by one, so that a child born meanwhile may escape it: it is asked until nothing but zombies is left.
  const Command command("kill -0 " + id + " 2>/dev/null || { echo gone; exit 0; }\n" +
                        "all() { pkill -KILL -r R,S,D,T,t -s " + id +
                        " 2>/dev/null; r=$?; [ $r -le 1 ] && return $r; pkill -KILL -s " + id + " 2>/dev/null; }\n" +
                        "n=0; while [ $n -lt 50 ] && all; do n=$((n + 1)); done\n" + "[ $n -lt 50 ] || exit 0\n" +
                        "[ $n -gt 0 ] || kill -KILL -" + id + " 2>/dev/null || kill -KILL " + id + " && echo killed");
  ExecProgress progress;
  const auto output =
      execute(session, {command, original.use_sudo, original.sudo_password}, deadline, deadline, progress);
  if (!output) return KillResult::failed;
  if (output->out == "killed\n") return KillResult::killed;
  return output->out == "gone\n" ? KillResult::gone : KillResult::failed;
}

}  // namespace ordeal
