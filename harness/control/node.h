#pragma once
// Node: a machine of the cluster as the controller sees it.
//
// Every kind of node (local namespaces, containers, hosts of an inventory) is reached by the same code: SshNode in
// ssh_node.h. The interface exists so that targets and faults depend on no SSH library.
//
// Thread-safety: all methods may be called from many threads; an implementation keeps one connection per caller.

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace ordeal {

// A command for a node's POSIX shell. Quote what comes from outside with shell_quote().
struct Command {
  std::string script;
  std::string input;  // fed to standard input
  // Called once, when the command has begun and before the first byte of `input` is sent; what the command does
  // meanwhile is to wait for that byte. Blocks as long as it likes, within the time-out. False: no input is sent, its
  // end is.
  std::function<bool()> before_input;
  std::chrono::milliseconds timeout{30'000};  // from the start of the call, connecting included
  bool sudo = false;                          // as root, when the login user is somebody else
  // True for a command that may run twice without harm: it is then repeated once after a broken connection. A
  // command that is not idempotent is never repeated; its error is `disconnected` (nobody knows) instead.
  bool idempotent = false;

  Command() = default;
  Command(std::string text) : script(std::move(text)) {}
  Command(const char* text) : script(text) {}
};

struct CommandOutput {
  int exit_code = 0;  // 128 + n when the command died of signal n
  std::string out;
  std::string err;
};

// Called with the bytes done and the bytes in all.
using TransferProgress = std::function<void(std::uint64_t done, std::uint64_t total)>;

class Node {
 public:
  virtual ~Node() = default;
  // Unique within the cluster, also the host name of local nodes: "n1".
  [[nodiscard]] virtual const std::string& name() const = 0;
  // Where clients and the other nodes reach it: an IPv4 or IPv6 address, or a host name.
  [[nodiscard]] virtual const std::string& address() const = 0;

  // Runs a command. A non-zero exit code is a result, not an error. Errors: unreachable, timeout (the remote process
  // is killed where possible), auth, host_key, disconnected.
  [[nodiscard]] virtual Result<CommandOutput> run(const Command& command) = 0;

  // Copies a local file to the node (over SFTP), replacing what is there; the mode is that of the local file.
  [[nodiscard]] virtual Result<void> upload(const std::string& local, const std::string& remote,
                                            const TransferProgress& progress = {}) = 0;
  // Copies a regular file of the node to this machine, replacing what is there; of a very long one its end (sftp.h).
  [[nodiscard]] virtual Result<void> download(const std::string& remote, const std::string& local,
                                              const TransferProgress& progress = {}) = 0;
};

// run(), where a non-zero exit code is an error of code remote that carries the end of the command's stderr.
[[nodiscard]] Result<std::string> run_ok(Node& node, const Command& command);

// A word that a POSIX shell reads back as `text`.
[[nodiscard]] std::string shell_quote(std::string_view text);
// The same, without quotes where none are needed: for people to read and copy.
[[nodiscard]] std::string shell_word(std::string_view text);

}  // namespace ordeal
