#include "harness/control/ssh_config.h"

#include <glob.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdlib>

#include "base/files.h"
#include "base/text.h"
#include "harness/control/known_hosts.h"

namespace ordeal {
namespace {

constexpr int kMaxIncludeDepth = 16;

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); });
  return out;
}

// The words of a line; double quotes hold a word together, '#' begins a comment. The first '=' after the keyword is
// white space.
Result<std::vector<std::string>> split_line(std::string_view line, const std::string& place) {
  std::vector<std::string> words;
  bool equals_seen = false;
  std::size_t i = 0;
  while (i < line.size()) {
    const char c = line[i];
    if (c == ' ' || c == '\t' || c == '\r' || c == '\f') {
      ++i;
    } else if (c == '#') {
      break;
    } else if (c == '=' && words.size() == 1 && !equals_seen) {
      equals_seen = true;
      ++i;
    } else if (c == '"') {
      const std::size_t end = line.find('"', i + 1);
      if (end == std::string_view::npos) return fail(ErrorCode::input, place + ": a quote is not closed");
      words.emplace_back(line.substr(i + 1, end - i - 1));
      i = end + 1;
    } else {
      const std::size_t end = std::min(line.find_first_of(words.empty() ? " \t\r\f=" : " \t\r\f", i), line.size());
      words.emplace_back(line.substr(i, end - i));
      i = end;
    }
  }
  return words;
}

std::vector<std::string> glob_files(const std::string& pattern) {
  glob_t found{};
  std::vector<std::string> files;
  if (::glob(pattern.c_str(), 0, nullptr, &found) == 0) files.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  ::globfree(&found);
  return files;
}

std::optional<int> number(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

// "90", "90s", "1m30s": the time format of sshd_config(5).
std::optional<std::chrono::seconds> duration(std::string_view text) {
  long long total = 0;
  while (!text.empty()) {
    const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    const auto value = number(text.substr(0, digits));
    if (!value) return std::nullopt;
    const char unit =
        digits < text.size() ? static_cast<char>(std::tolower(static_cast<unsigned char>(text[digits]))) : 's';
    const long long factor = unit == 's' ? 1 : unit == 'm' ? 60 : unit == 'h' ? 3600 : unit == 'd' ? 86'400 : 0;
    if (factor == 0) return std::nullopt;
    total += *value * factor;
    text.remove_prefix(std::min(digits + 1, text.size()));
  }
  return std::chrono::seconds(total);
}

}  // namespace

class SshConfig::Reader {
 public:
  Reader(SshConfig& config, const std::string& home) : config_(config), home_(home) {}

  Result<void> read(std::string_view text, const std::string& path, const std::vector<std::size_t>& outer, int depth) {
    std::vector<std::size_t> active = outer;
    for (int n = 1; !text.empty(); ++n) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      const std::string place = path + ":" + std::to_string(n);
      auto words = split_line(text.substr(0, end), place);
      text.remove_prefix(std::min(end + 1, text.size()));
      if (!words) return fail(words.error());
      if (words->empty()) continue;
      const std::string keyword = lower(words->front());
      words->erase(words->begin());
      if (words->empty()) return fail(ErrorCode::input, place + ": " + keyword + " has no value");
      if (keyword == "host" || keyword == "match") {
        active = outer;
        active.push_back(config_.conditions_.size());
        config_.conditions_.push_back(keyword == "host" ? Condition{Condition::Kind::host, *words, {}}
                                                        : match_condition(*words, place));
      } else if (keyword == "include") {
        if (auto included = include(*words, active, depth, place); !included) return included;
      } else {
        config_.lines_.push_back({active, keyword, std::move(*words), place});
      }
    }
    return {};
  }

 private:
  static Condition match_condition(const std::vector<std::string>& words, const std::string& place) {
    const std::string criterion = lower(words.front());
    if (criterion == "all" && words.size() == 1) return {Condition::Kind::host, {"*"}, {}};
    if ((criterion == "host" || criterion == "originalhost") && words.size() == 2) {
      return {Condition::Kind::host, split(words[1], ','), {}};
    }
    return {Condition::Kind::never, {}, place + ": `Match " + words.front() + "` is not supported and was skipped"};
  }

  Result<void> include(const std::vector<std::string>& patterns, const std::vector<std::size_t>& active, int depth,
                       const std::string& place) {
    if (depth >= kMaxIncludeDepth) return fail(ErrorCode::input, place + ": files include each other too deeply");
    for (const auto& pattern : patterns) {
      auto expanded = expand_ssh_tokens(pattern, {}, home_);
      if (!expanded) return fail(expanded.error().during(place));
      const std::string full = expanded->starts_with('/') ? *expanded : home_ + "/.ssh/" + *expanded;
      for (const auto& file : glob_files(full)) {
        auto text = read_text_file(file);
        if (!text) return fail(text.error().during(place));
        if (auto nested = read(*text, file, active, depth + 1); !nested) return nested;
      }
    }
    return {};
  }

  SshConfig& config_;
  const std::string& home_;
};

Result<SshConfig> SshConfig::load(const std::string& path, const std::string& home) {
  auto text = read_text_file(path);
  if (!text) {
    if (text.error().code == ErrorCode::not_found) return SshConfig{};
    return fail(text.error());
  }
  return parse(*text, path, home);
}

Result<SshConfig> SshConfig::parse(std::string_view text, const std::string& path, const std::string& home) {
  SshConfig config;
  if (auto read = Reader(config, home).read(text, path, {}, 0); !read) return fail(read.error());
  return config;
}

Result<SshHostConfig> SshConfig::lookup(const std::string& name) const {
  SshHostConfig out;
  std::vector<bool> holds;
  for (const auto& condition : conditions_) {
    holds.push_back(condition.kind == Condition::Kind::host && pattern_list_match(condition.patterns, name));
    if (!condition.note.empty()) out.notes.push_back(condition.note);
  }
  bool only_set = false;
  const auto first = [](std::string& into, const Line& line) {
    if (into.empty()) into = line.arguments.front();
  };
  for (const Line& line : lines_) {
    if (!std::all_of(line.conditions.begin(), line.conditions.end(), [&](std::size_t i) { return holds[i]; })) continue;
    const std::string& value = line.arguments.front();
    const auto bad = [&](std::string_view expected) {
      return fail(ErrorCode::input,
                  line.place + ": " + line.keyword + " \"" + value + "\": expected " + std::string(expected));
    };
    if (line.keyword == "hostname") {
      first(out.host_name, line);
    } else if (line.keyword == "port") {
      const auto port = number(value);
      if (!port || *port < 1 || *port > 65'535) return bad("a port from 1 to 65535");
      if (out.port == 0) out.port = *port;
    } else if (line.keyword == "user") {
      first(out.user, line);
    } else if (line.keyword == "identityfile") {
      out.identity_files.push_back(value);
    } else if (line.keyword == "identitiesonly") {
      if (!only_set) out.identities_only = lower(value) == "yes";
      only_set = true;
    } else if (line.keyword == "identityagent") {
      first(out.identity_agent, line);
    } else if (line.keyword == "proxyjump") {
      // Whichever of ProxyJump and ProxyCommand comes first wins.
      if (out.proxy_command.empty()) first(out.proxy_jump, line);
    } else if (line.keyword == "proxycommand") {
      if (out.proxy_jump.empty()) first(out.proxy_command, line);
    } else if (line.keyword == "hostkeyalias") {
      first(out.host_key_alias, line);
    } else if (line.keyword == "userknownhostsfile") {
      if (out.user_known_hosts_files.empty()) out.user_known_hosts_files = line.arguments;
    } else if (line.keyword == "globalknownhostsfile") {
      if (out.global_known_hosts_files.empty()) out.global_known_hosts_files = line.arguments;
    } else if (line.keyword == "stricthostkeychecking") {
      static const std::vector<std::string> kKnown = {"yes", "ask", "accept-new", "no", "off"};
      if (std::find(kKnown.begin(), kKnown.end(), lower(value)) == kKnown.end())
        return bad("yes, ask, accept-new or no");
      if (out.strict_host_key_checking.empty()) out.strict_host_key_checking = lower(value);
    } else if (line.keyword == "connecttimeout" && lower(value) != "none") {
      const auto seconds = duration(value);
      if (!seconds || seconds->count() == 0) return bad("a number of seconds");
      if (!out.connect_timeout) out.connect_timeout = seconds;
    }
  }
  return out;
}

Result<std::string> expand_ssh_tokens(std::string_view text, const std::map<char, std::string>& values,
                                      const std::string& home) {
  std::string out;
  if (text == "~" || text.starts_with("~/")) {
    out = home;
    text.remove_prefix(1);
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      const char token = i + 1 < text.size() ? text[++i] : '\0';
      if (token == '%') {
        out += '%';
      } else if (const auto value = values.find(token); value != values.end()) {
        out += value->second;
      } else {
        return fail(ErrorCode::input,
                    "\"" + std::string(text) + "\": the token %" + std::string(1, token) + " is not supported");
      }
    } else if (text[i] == '$' && i + 1 < text.size() && text[i + 1] == '{') {
      const std::size_t end = text.find('}', i);
      if (end == std::string_view::npos)
        return fail(ErrorCode::input, "\"" + std::string(text) + "\": ${ is not closed");
      const std::string variable(text.substr(i + 2, end - i - 2));
      const char* value = std::getenv(variable.c_str());
      if (value == nullptr) return fail(ErrorCode::input, "the environment variable " + variable + " is not set");
      out += value;
      i = end;
    } else {
      out += text[i];
    }
  }
  return out;
}

Result<JumpSpec> parse_jump(std::string_view text) {
  const auto bad = [&] {
    return fail(ErrorCode::input,
                "jump host \"" + std::string(text) + "\": expected user@host:port (user and port may be absent)");
  };
  JumpSpec spec;
  std::string_view rest = text;
  if (rest.starts_with("ssh://")) rest.remove_prefix(6);
  if (const std::size_t at = rest.rfind('@'); at != std::string_view::npos) {
    spec.user = rest.substr(0, at);
    rest.remove_prefix(at + 1);
    if (spec.user.empty()) return bad();
  }
  std::string_view port;
  if (rest.starts_with('[')) {
    const std::size_t end = rest.find(']');
    if (end == std::string_view::npos) return bad();
    spec.host = rest.substr(1, end - 1);
    rest.remove_prefix(end + 1);
    if (!rest.empty() && !rest.starts_with(':')) return bad();
    if (!rest.empty()) port = rest.substr(1);
    if (!rest.empty() && port.empty()) return bad();
  } else if (std::count(rest.begin(), rest.end(), ':') == 1) {
    const std::size_t colon = rest.find(':');
    spec.host = rest.substr(0, colon);
    port = rest.substr(colon + 1);
    if (port.empty()) return bad();
  } else {
    spec.host = rest;  // a name, or an IPv6 address without brackets
  }
  if (spec.host.empty()) return bad();
  if (!port.empty()) {
    const auto value = number(port);
    if (!value || *value < 1 || *value > 65'535) return bad();
    spec.port = *value;
  }
  return spec;
}

}  // namespace ordeal
