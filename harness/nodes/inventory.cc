#include "harness/nodes/inventory.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <utility>

#include "base/files.h"
#include "base/names.h"
#include "base/text.h"

namespace ordeal::nodes {

namespace fs = std::filesystem;

namespace {

// A line's place and how to complain about it.
struct Place {
  const std::string& file;
  int line;

  [[nodiscard]] tl::unexpected<Error> bad(const std::string& message) const {
    return fail(ErrorCode::usage, file + ":" + std::to_string(line) + ": " + message);
  }
};

using Words = std::vector<std::string>;

// Splits at blanks; a part of a word in double quotes may contain blanks and '#'. A '#' that begins a word begins a
// comment.
Result<Words> split(std::string_view text, const Place& place) {
  Words words;
  std::string word;
  bool in_word = false;
  bool in_quotes = false;
  for (const char c : text) {
    if (c == '"') {
      in_quotes = !in_quotes;
      in_word = true;
    } else if (in_quotes) {
      word += c;
    } else if (c == ' ' || c == '\t' || c == '\r') {
      if (in_word) words.push_back(std::exchange(word, {}));
      in_word = false;
    } else if (c == '#' && !in_word) {
      break;
    } else {
      word += c;
      in_word = true;
    }
  }
  if (in_quotes) return place.bad("a double quote is not closed");
  if (in_word) words.push_back(word);
  return words;
}

// Relative to the inventory, so that it may be used from anywhere; "~/" is the home directory.
std::string resolved(const std::string& path, const std::string& file) {
  if (path.starts_with("~/")) {
    const char* home = std::getenv("HOME");
    return (home != nullptr ? std::string(home) : "") + path.substr(1);
  }
  if (path.empty() || path[0] == '/') return path;
  return (fs::absolute(file).parent_path() / path).lexically_normal().string();
}

Result<bool> yes_or_no(const std::string& key, const std::string& value, const Place& place) {
  if (value == "yes" || value == "no") return value == "yes";
  return place.bad(key + "=" + value + ": expected yes or no");
}

// The rest of the environment (tokens, passwords of other things) is no host's business, whoever wrote the inventory.
constexpr std::string_view kPrefix = "ORDEAL_";

Result<std::string> from_environment(const std::string& key, const std::string& variable, const Place& place) {
  if (!variable.starts_with(kPrefix)) {
    return place.bad(key + "=" + variable + ": only variables whose names begin with " + std::string(kPrefix) +
                     " are sent to hosts; expected for instance " + key + "=" + std::string(kPrefix) + variable);
  }
  const char* value = std::getenv(variable.c_str());
  if (value != nullptr) return std::string(value);
  return place.bad(key + "=" + variable + ": the environment variable " + variable + " is not set");
}

Result<void> set_port(SshEndpoint& host, const std::string& value, const Place& place) {
  int port = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), port);
  if (error != std::errc{} || end != value.data() + value.size() || port < 1 || port > 65'535) {
    return place.bad("port=" + value + ": expected a number from 1 to 65535");
  }
  host.port = port;
  return {};
}

struct Key {
  const char* name;
  std::function<Result<void>(SshEndpoint&, const std::string& value, const Place&)> set;
};

// What may stand after a host's name. The one table from which lines are read and complaints are made.
const std::vector<Key>& keys() {
  const auto text = [](std::string SshEndpoint::*member) {
    return [member](SshEndpoint& host, const std::string& value, const Place&) -> Result<void> {
      host.*member = value;
      return {};
    };
  };
  const auto flag = [](const char* name, bool SshEndpoint::*member) {
    return [name, member](SshEndpoint& host, const std::string& value, const Place& place) -> Result<void> {
      const auto yes = yes_or_no(name, value, place);
      if (!yes) return fail(yes.error());
      host.*member = *yes;
      return {};
    };
  };
  const auto secret = [](const char* name, std::string SshEndpoint::*member) {
    return [name, member](SshEndpoint& host, const std::string& value, const Place& place) -> Result<void> {
      auto found = from_environment(name, value, place);
      if (!found) return fail(found.error());
      host.*member = std::move(*found);
      return {};
    };
  };
  static const std::vector<Key> table = {
      {"host", text(&SshEndpoint::host)},
      {"port", set_port},
      {"user", text(&SshEndpoint::user)},
      {"identity",
       [](SshEndpoint& host, const std::string& value, const Place& place) -> Result<void> {
         host.identity_files.push_back(resolved(value, place.file));
         return {};
       }},
      {"known_hosts",
       [](SshEndpoint& host, const std::string& value, const Place& place) -> Result<void> {
         host.known_hosts_file = resolved(value, place.file);
         return {};
       }},
      {"check_host_key", flag("check_host_key", &SshEndpoint::check_host_key)},
      {"agent", flag("agent", &SshEndpoint::use_agent)},
      {"password_env", secret("password_env", &SshEndpoint::password)},
      {"sudo_password_env", secret("sudo_password_env", &SshEndpoint::sudo_password)},
      {"jump",
       [](SshEndpoint& host, const std::string& value, const Place&) -> Result<void> {
         host.jump = fields(value, ',');
         return {};
       }},
      {"address", text(&SshEndpoint::address)},
      {"config",
       [](SshEndpoint& host, const std::string& value, const Place& place) -> Result<void> {
         host.config_file = value == "none" ? value : resolved(value, place.file);
         return {};
       }},
  };
  return table;
}

Result<SshEndpoint> read_host(const Words& words, const Place& place) {
  SshEndpoint host;
  host.name = words[0];
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::size_t equals = words[i].find('=');
    if (equals == std::string::npos) return place.bad("\"" + words[i] + "\": expected key=value");
    const std::string name = words[i].substr(0, equals);
    const std::string value = words[i].substr(equals + 1);
    const auto key = std::find_if(keys().begin(), keys().end(), [&](const Key& k) { return k.name == name; });
    if (key == keys().end()) {
      std::vector<std::string> known;
      for (const Key& k : keys()) known.emplace_back(k.name);
      return place.bad(unknown_name("key", name, known).message);
    }
    if (value.empty()) return place.bad(name + "=: expected a value");
    if (auto done = key->set(host, value, place); !done) return fail(done.error());
  }
  return host;
}

}  // namespace

Result<Inventory> parse_inventory(std::string_view text, const std::string& file) {
  static constexpr std::string_view kNamespace = "network-namespace=";
  Inventory inventory;
  int number = 0;
  for (const std::string& line : lines(text)) {
    const Place place{file, ++number};
    const auto words = split(line, place);
    if (!words) return fail(words.error());
    if (words->empty()) continue;
    const std::string& first = words->front();
    if (first.starts_with(kNamespace)) {
      if (words->size() > 1) return place.bad("expected nothing after " + first);
      if (!inventory.network_namespace.empty()) return place.bad("a second network-namespace; expected at most one");
      inventory.network_namespace = first.substr(kNamespace.size());
      if (!inventory.network_namespace.starts_with("/")) {
        return place.bad(first + ": expected an absolute path such as /proc/4711/ns/net");
      }
      continue;
    }
    if (first.find('=') != std::string::npos) {
      return place.bad("\"" + first + "\": expected the name of a host first, then key=value pairs");
    }
    const auto same = [&](const SshEndpoint& host) { return host.name == first; };
    if (std::any_of(inventory.hosts.begin(), inventory.hosts.end(), same)) {
      return place.bad("a second host named \"" + first + "\"; names must differ");
    }
    auto host = read_host(*words, place);
    if (!host) return fail(host.error());
    inventory.hosts.push_back(std::move(*host));
  }
  if (inventory.hosts.empty()) {
    return fail(ErrorCode::usage, file + ": no hosts; expected one a line, e.g. `n1 host=10.0.0.1 user=root`");
  }
  return inventory;
}

Result<Inventory> read_inventory(const std::string& file) {
  const auto text = read_text_file(file);
  if (!text) return fail(ErrorCode::usage, "the inventory: " + text.error().message);
  return parse_inventory(*text, file);
}

}  // namespace ordeal::nodes
