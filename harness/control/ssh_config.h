#pragma once
// ~/.ssh/config, as far as the harness needs it (ssh_config(5)).
//
// Understood: Host with wildcards and negation; Match all, host and originalhost; Include (relative to ~/.ssh, with
// wildcards, also inside a Host block); quotes, '=', comments; the first value of an option wins, identity files add
// up. Options: HostName, Port, User, IdentityFile, IdentitiesOnly, IdentityAgent, ProxyJump, ProxyCommand (only to
// say that it is not supported), HostKeyAlias, UserKnownHostsFile, GlobalKnownHostsFile, StrictHostKeyChecking,
// ConnectTimeout. Other options are skipped. Other Match criteria never match, and the answer carries a note.
//
// Thread-safety: a value.

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace ordeal {

// What the configuration says about one host. Tokens (%h) and ~ are not expanded yet.
struct SshHostConfig {
  std::string host_name;
  int port = 0;
  std::string user;
  std::vector<std::string> identity_files;
  bool identities_only = false;
  std::string identity_agent;
  std::string proxy_jump;  // "none" is left as it is
  std::string proxy_command;
  std::string host_key_alias;
  std::vector<std::string> user_known_hosts_files;
  std::vector<std::string> global_known_hosts_files;
  std::string strict_host_key_checking;  // lower case
  std::optional<std::chrono::seconds> connect_timeout;
  // What was skipped although it may concern this host, with its place.
  std::vector<std::string> notes;
};

class SshConfig {
 public:
  // A file that does not exist is an empty configuration. `home` stands for ~. Errors: input (file:line), permission,
  // io.
  [[nodiscard]] static Result<SshConfig> load(const std::string& path, const std::string& home);
  [[nodiscard]] static Result<SshConfig> parse(std::string_view text, const std::string& path, const std::string& home);

  // The settings of the host that the user calls `name`. Errors: input (a value that makes no sense, file:line).
  [[nodiscard]] Result<SshHostConfig> lookup(const std::string& name) const;

 private:
  struct Condition {
    enum class Kind { host, never } kind = Kind::host;
    std::vector<std::string> patterns;
    std::string note;  // why it never matches
  };
  struct Line {
    std::vector<std::size_t> conditions;  // all must hold
    std::string keyword;                  // lower case
    std::vector<std::string> arguments;
    std::string place;
  };
  class Reader;
  std::vector<Condition> conditions_;
  std::vector<Line> lines_;
};

// Replaces %x by values['x'] and %% by %; a leading ~/ by home; ${NAME} by the environment. Errors: input.
[[nodiscard]] Result<std::string> expand_ssh_tokens(std::string_view text, const std::map<char, std::string>& values,
                                                    const std::string& home);

// "[user@]host[:port]", "user@[::1]:22" or "ssh://…".
struct JumpSpec {
  std::string user;
  std::string host;
  int port = 0;
};
[[nodiscard]] Result<JumpSpec> parse_jump(std::string_view text);

}  // namespace ordeal
