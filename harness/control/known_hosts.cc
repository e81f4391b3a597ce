#include "harness/control/known_hosts.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <system_error>

#include "base/base64.h"
#include "base/descriptor.h"
#include "base/files.h"
#include "base/text.h"
#include "harness/control/key_file.h"
#include "harness/control/server_hello.h"
#include "harness/control/tcp.h"

namespace ordeal {
namespace {

std::string_view take_word(std::string_view& line) {
  const std::size_t start = line.find_first_not_of(" \t\r");
  if (start == std::string_view::npos) {
    line = {};
    return {};
  }
  line.remove_prefix(start);
  const std::size_t end = std::min(line.find_first_of(" \t\r"), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(end);
  return word;
}

// "|1|salt|hash": HMAC-SHA1 of the name, keyed with the salt.
bool hashed_match(std::string_view field, std::string_view name) {
  const std::size_t bar = field.find('|', 3);
  if (bar == std::string_view::npos) return false;
  const auto salt = base64_decode(field.substr(3, bar - 3)), hash = base64_decode(field.substr(bar + 1));
  if (!salt || !hash) return false;
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  if (HMAC(EVP_sha1(), salt->data(), static_cast<int>(salt->size()),
           reinterpret_cast<const unsigned char*>(name.data()), name.size(), digest.data(), &length) == nullptr) {
    return false;
  }
  return *hash == std::string_view(reinterpret_cast<const char*>(digest.data()), length);
}

bool hosts_match(std::string_view hosts, std::string_view name) {
  if (hosts.starts_with("|1|")) return hashed_match(hosts, name);
  return pattern_list_match(split(hosts, ','), name);
}

char lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char c) { return lower(c); });
  return text;
}

}  // namespace

Result<void> KnownHosts::load(const std::string& path) {
  auto text = read_text_file(path);
  if (!text) {
    if (text.error().code == ErrorCode::not_found) return {};
    return fail(text.error());
  }
  add(*text, path);
  return {};
}

void KnownHosts::add(std::string_view text, const std::string& path) {
  int number = 0;
  for (const std::string& whole : lines(text)) {
    ++number;
    std::string_view line = whole;
    std::string_view first = take_word(line);
    if (first.empty() || first.starts_with('#')) continue;
    Entry entry;
    if (first.starts_with('@')) {
      if (first != "@revoked") continue;
      entry.revoked = true;
      first = take_word(line);
    }
    entry.hosts = first;
    entry.type = take_word(line);
    auto blob = base64_decode(take_word(line));
    if (entry.type.empty() || !blob) continue;
    entry.blob = std::move(*blob);
    // The type is said twice, outside and inside the key; a line that contradicts itself is damaged.
    if (key_type_of_blob(entry.blob) != entry.type) continue;
    entry.place = path + ":" + std::to_string(number);
    entries_.push_back(std::move(entry));
  }
}

KnownHostsAnswer KnownHosts::check(const std::string& host, int port, std::string_view type,
                                   std::string_view blob) const {
  const std::string name = known_hosts_name(host, port);
  KnownHostsAnswer answer;
  using Verdict = KnownHostsAnswer::Verdict;
  std::string same_type, other_type;  // the first line with another key
  bool matched = false;
  for (const Entry& entry : entries_) {
    if (!hosts_match(entry.hosts, name)) continue;
    if (entry.revoked) {
      if (entry.blob != blob) continue;
      answer.verdict = Verdict::revoked;
      answer.place = entry.place;
      return answer;
    }
    answer.known_types.push_back(entry.type);
    if (entry.blob == blob) {
      if (!matched) answer.place = entry.place;
      matched = true;
    } else if (entry.type == type) {
      if (same_type.empty()) same_type = entry.place;
    } else if (other_type.empty()) {
      other_type = entry.place;
    }
  }
  if (matched) {
    answer.verdict = Verdict::match;
  } else if (!same_type.empty()) {
    answer.verdict = Verdict::changed;
    answer.place = same_type;
  } else if (!other_type.empty()) {
    answer.verdict = Verdict::other_type;
    answer.place = other_type;
  }
  return answer;
}

std::vector<std::string> KnownHosts::types_of(const std::string& host, int port) const {
  return check(host, port, "", "").known_types;
}

std::string known_hosts_name(const std::string& host, int port) {
  return port == 22 ? lower(host) : "[" + lower(host) + "]:" + std::to_string(port);
}

bool wildcard_match(std::string_view pattern, std::string_view text) {
  // Linear in practice: on a mismatch go back to the last '*' only.
  std::size_t p = 0, t = 0, star = std::string_view::npos, mark = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      mark = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || lower(pattern[p]) == lower(text[t]))) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++mark;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool pattern_list_match(const std::vector<std::string>& patterns, std::string_view text) {
  bool matched = false;
  for (const auto& pattern : patterns) {
    if (pattern.starts_with('!')) {
      if (wildcard_match(std::string_view(pattern).substr(1), text)) return false;
    } else {
      matched = matched || wildcard_match(pattern, text);
    }
  }
  return matched;
}

std::string fingerprint(std::string_view blob) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  if (EVP_Digest(blob.data(), blob.size(), digest.data(), &length, EVP_sha256(), nullptr) != 1) return "SHA256:?";
  std::string text = base64_encode({reinterpret_cast<const char*>(digest.data()), length});
  while (text.ends_with('=')) text.pop_back();
  return "SHA256:" + text;
}

Result<void> append_known_host(const std::string& path, const std::string& host, int port, std::string_view type,
                               std::string_view blob) {
  const std::string line = known_hosts_name(host, port) + " " + std::string(type) + " " + base64_encode(blob) + "\n";
  Descriptor file(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
  // One write: several processes may append at once.
  if (!file || ::write(file.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
    return fail(ErrorCode::io, "adding a host key to " + path + ": " + std::generic_category().message(errno));
  }
  return {};
}

}  // namespace ordeal
