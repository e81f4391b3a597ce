#pragma once
// Running one command over an SSH session.
//
// The command is handed to /bin/sh, whatever the user's login shell is. The shell first writes its process id on
// standard error, behind a marker that is taken out again. sshd makes each command the leader of a session of its own,
// so this id names everything that the command started and that did not leave the session by setsid(1).
//
// With sudo, a second marker tells that the command itself has begun. Until then whatever sudo writes is sudo's; the
// password is sent only when its prompt is seen, and the input only after the marker, so a password never ends up in
// the command's input (sudo does not ask when it remembers the user or is configured not to).

#include <string>

#include "harness/control/node.h"
#include "harness/control/ssh_session.h"

namespace ordeal {

struct ExecRequest {
  const Command& command;
  bool use_sudo = false;
  const std::string& sudo_password;
};

// How far a command came; what to do after an error depends on it.
struct ExecProgress {
  bool sent = false;    // the host may have started it
  bool kill = false;    // it was given up while it may still be running
  long session_id = 0;  // of the remote process; 0: unknown
};

// Output beyond this on either stream is an error.
inline constexpr std::size_t kMaxOutput = 64U << 20U;

// Errors: timeout, disconnected, unreachable (no channel, `open_deadline` passed: the command was not sent), auth (sudo
// refused), remote (too much output), usage (script too long). After an error the session is not to be used again,
// except for kill_remote().
[[nodiscard]] Result<CommandOutput> execute(SshSession& session, const ExecRequest& request, Deadline open_deadline,
                                            Deadline deadline, ExecProgress& progress);

// What became of a process that was given up.
enum class KillResult { killed, gone, failed };

// Kills (SIGKILL) all that is left of the remote session `session_id`.
[[nodiscard]] KillResult kill_remote(SshSession& session, const ExecRequest& original, long session_id,
                                     Deadline deadline);

}  // namespace ordeal
