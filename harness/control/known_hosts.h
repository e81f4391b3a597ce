#pragma once
// known_hosts: which key each host must show (the file format of sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT").
//
// Understood: lists of patterns with wildcards and negation, [host]:port, hashed names, @revoked. Lines of key types
// that we do not know still count: they tell that the host is known under another key. @cert-authority lines and
// malformed lines are skipped, as in OpenSSH.
//
// Thread-safety: a value.

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace ordeal {

struct KnownHostsAnswer {
  enum class Verdict {
    match,
    unknown,
    changed,     // the host is known by another key of this type
    other_type,  // the host is known by keys of other types only
    revoked,
  } verdict = Verdict::unknown;
  // The line that decided: the matching one, or the one that contradicts. "path:line".
  std::string place;
  // The types under which the host is known, in the order of the file.
  std::vector<std::string> known_types;
};

class KnownHosts {
 public:
  // Adds the lines of a file; a file that does not exist adds nothing. Errors: permission, io.
  [[nodiscard]] Result<void> load(const std::string& path);
  // Adds the lines of `text`, for messages said to be from `path`.
  void add(std::string_view text, const std::string& path);

  // What the files say about this key. `host` is the name the user gave (or HostKeyAlias); port 22 is not written.
  [[nodiscard]] KnownHostsAnswer check(const std::string& host, int port, std::string_view type,
                                       std::string_view blob) const;
  // The key types under which the host is known: ask the server for these first, as it may have others as well.
  [[nodiscard]] std::vector<std::string> types_of(const std::string& host, int port) const;

 private:
  struct Entry {
    std::string hosts;
    std::string type;
    std::string blob;
    std::string place;
    bool revoked = false;
  };
  std::vector<Entry> entries_;
};

// "host" or "[host]:port", as known_hosts spells it.
[[nodiscard]] std::string known_hosts_name(const std::string& host, int port);

// SSH's wildcards: '*' any text, '?' one character; letters of either case are the same.
[[nodiscard]] bool wildcard_match(std::string_view pattern, std::string_view text);

// A list of patterns, any of which may be negated by '!': true if one matches and no negated one does.
[[nodiscard]] bool pattern_list_match(const std::vector<std::string>& patterns, std::string_view text);

// "SHA256:…" as ssh prints it.
[[nodiscard]] std::string fingerprint(std::string_view blob);

// Appends a line for this key, creating the file (mode 0600) if need be.
[[nodiscard]] Result<void> append_known_host(const std::string& path, const std::string& host, int port,
                                             std::string_view type, std::string_view blob);

}  // namespace ordeal
