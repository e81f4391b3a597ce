#include "harness/control/ssh_connect.h"

#include <pwd.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <map>

#include "base/base64.h"
#include "base/text.h"
#include "harness/control/known_hosts.h"
#include "harness/control/ssh_config.h"

namespace ordeal {
namespace {

std::string from_passwd(char* passwd::*field) {
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 4096> buffer{};
  if (::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) return {};
  return found->*field;
}

std::string home_directory() {
  const char* home = std::getenv("HOME");
  return home != nullptr && *home != '\0' ? home : from_passwd(&passwd::pw_dir);
}

std::string login_name() {
  const char* user = std::getenv("USER");
  return user != nullptr && *user != '\0' ? user : from_passwd(&passwd::pw_name);
}

// Builds the hops of a route, jump hosts first.
class RouteBuilder {
 public:
  RouteBuilder(const SshConfig& config, const std::string& home, const SshEndpoint& node, SshRoute& route)
      : config_(config), home_(home), node_(node), route_(route) {}

  Result<void> add(const SshEndpoint& endpoint, int depth) {
    static constexpr int kMaxJumps = 8;
    if (depth > kMaxJumps) return fail(ErrorCode::input, "jump hosts refer to each other in a circle");
    auto found = config_.lookup(endpoint.name);
    if (!found) return fail(found.error());
    const SshHostConfig& config = *found;

    auto jumps = endpoint.jump;
    if (jumps.empty() && config.proxy_jump != "none") jumps = split(config.proxy_jump, ',');
    if (jumps.size() == 1 && jumps.front() == "none") jumps.clear();
    if (endpoint.jump.empty() && !config.proxy_command.empty() && config.proxy_command != "none") {
      return fail(ErrorCode::unsupported,
                  "ProxyCommand in the SSH configuration of " + endpoint.name + " is not supported: use ProxyJump");
    }
    for (std::size_t i = 0; i < jumps.size(); ++i) {
      auto jump = jump_endpoint(jumps[i]);
      if (!jump) return fail(jump.error());
      // Only the first of a list may have jump hosts of its own: the others are reached through it.
      if (i > 0) jump->jump = {"none"};
      if (auto added = add(*jump, depth + 1); !added) return added;
    }
    auto hop = make_hop(endpoint, config);
    if (!hop) return fail(hop.error());
    route_.hops.push_back(std::move(*hop));
    if (depth == 0) {
      const bool left_open = endpoint.connect_timeout == SshEndpoint{}.connect_timeout;
      route_.connect_timeout = left_open && config.connect_timeout ? *config.connect_timeout : endpoint.connect_timeout;
      route_.notes = config.notes;
    }
    return {};
  }

 private:
  // What the user said about the node's keys and host keys holds for its jump hosts too; the password does not.
  Result<SshEndpoint> jump_endpoint(const std::string& text) const {
    auto spec = parse_jump(text);
    if (!spec) return fail(spec.error());
    SshEndpoint jump;
    jump.name = spec->host;
    jump.port = spec->port;
    jump.user = spec->user;
    jump.identity_files = node_.identity_files;
    jump.use_agent = node_.use_agent;
    jump.known_hosts_file = node_.known_hosts_file;
    jump.check_host_key = node_.check_host_key;
    return jump;
  }

  Result<SshHop> make_hop(const SshEndpoint& endpoint, const SshHostConfig& config) const {
    SshHop hop;
    hop.name = endpoint.name;
    auto host_name = expand_ssh_tokens(config.host_name, {{'h', endpoint.name}}, home_);
    if (!host_name) return fail(host_name.error());
    hop.host = !endpoint.host.empty() ? endpoint.host : !host_name->empty() ? *host_name : endpoint.name;
    hop.port = endpoint.port != 0 ? endpoint.port : config.port != 0 ? config.port : 22;
    SshCredentials& credentials = hop.credentials;
    credentials.user = !endpoint.user.empty() ? endpoint.user : !config.user.empty() ? config.user : login_name();
    if (credentials.user.empty()) return fail(ErrorCode::input, "no user to log in as: set one");
    hop.host_key_name = config.host_key_alias.empty() ? hop.host : config.host_key_alias;
    hop.host_key_port = config.host_key_alias.empty() ? hop.port : 22;
    hop.host_keys = !endpoint.check_host_key ? HostKeyPolicy::off : policy_of(config.strict_host_key_checking);

    const std::map<char, std::string> tokens = {
        {'h', hop.host},         {'n', endpoint.name}, {'p', std::to_string(hop.port)},
        {'r', credentials.user}, {'u', login_name()},  {'d', home_}};
    std::vector<std::string> identities = endpoint.identity_files;
    const bool is_jump = &endpoint != &node_;
    if (identities.empty() || is_jump) {
      identities.insert(identities.end(), config.identity_files.begin(), config.identity_files.end());
    }
    credentials.identities_explicit = !identities.empty();
    if (identities.empty()) identities = {"~/.ssh/id_ed25519", "~/.ssh/id_ecdsa"};
    auto known_hosts = config.user_known_hosts_files;
    if (known_hosts.empty()) known_hosts = {"~/.ssh/known_hosts", "~/.ssh/known_hosts2"};
    auto global = config.global_known_hosts_files;
    if (global.empty()) global = {"/etc/ssh/ssh_known_hosts"};
    known_hosts.insert(known_hosts.end(), global.begin(), global.end());
    if (!endpoint.known_hosts_file.empty()) known_hosts = {endpoint.known_hosts_file};
    if (auto done = expand_all(identities, tokens, credentials.identity_files); !done) return fail(done.error());
    if (auto done = expand_all(known_hosts, tokens, hop.known_hosts_files); !done) return fail(done.error());

    auto agent = expand_ssh_tokens(config.identity_agent, tokens, home_);
    if (!agent) return fail(agent.error());
    credentials.use_agent = endpoint.use_agent && *agent != "none";
    if (*agent != "none" && *agent != "SSH_AUTH_SOCK") credentials.agent_socket = *agent;
    credentials.identities_only = config.identities_only;
    credentials.password = endpoint.password;
    return hop;
  }

  Result<void> expand_all(const std::vector<std::string>& texts, const std::map<char, std::string>& tokens,
                          std::vector<std::string>& out) const {
    for (const auto& text : texts) {
      if (text == "none") continue;
      auto expanded = expand_ssh_tokens(text, tokens, home_);
      if (!expanded) return fail(expanded.error());
      out.push_back(std::move(*expanded));
    }
    return {};
  }

  // A harness has nobody to ask: "ask" is "yes".
  static HostKeyPolicy policy_of(const std::string& word) {
    if (word == "accept-new") return HostKeyPolicy::accept_new;
    return word == "no" || word == "off" ? HostKeyPolicy::off : HostKeyPolicy::strict;
  }

  const SshConfig& config_;
  const std::string& home_;
  const SshEndpoint& node_;
  SshRoute& route_;
};

// Compares the key that the server proved to hold with what known_hosts says.
Result<void> verify_host_key(const SshSession& session, const SshHop& hop, const KnownHosts& known) {
  if (hop.host_keys == HostKeyPolicy::off) return {};
  using Verdict = KnownHostsAnswer::Verdict;
  const HostKey key = session.host_key();
  auto answer = known.check(hop.host_key_name, hop.host_key_port, key.type, key.blob);
  if (answer.verdict == Verdict::unknown && hop.host_key_port != 22) {
    // Like ssh: a key that is known for the host without its port will do.
    const auto plain = known.check(hop.host_key_name, 22, key.type, key.blob);
    if (plain.verdict == Verdict::match || plain.verdict == Verdict::revoked) answer = plain;
  }
  const std::string name = known_hosts_name(hop.host_key_name, hop.host_key_port);
  const std::string shown = key.type + " key " + fingerprint(key.blob);
  const std::string add_line =
      "If that is right, add this line to the file: " + name + " " + key.type + " " + base64_encode(key.blob);
  const auto refuse = [&](const std::string& text) { return fail(ErrorCode::host_key, session.who() + ": " + text); };
  switch (answer.verdict) {
    case Verdict::match:
      return {};
    case Verdict::revoked:
      return refuse("the host's " + shown + " is marked @revoked at " + answer.place +
                    ": do not trust this host until somebody has looked at it");
    case Verdict::changed:
      return refuse("the host key has CHANGED: the host shows the " + shown + ", but " + answer.place +
                    " has another key for " + name +
                    ". Either the host was installed anew or somebody is in between. "
                    "If the new key is right, remove the old one: ssh-keygen -f " +
                    answer.place.substr(0, answer.place.rfind(':')) + " -R '" + name + "'");
    case Verdict::other_type:
      return refuse("the host shows the " + shown + ", but " + answer.place + " knows " + name + " only by " +
                    join(answer.known_types, ", ") +
                    " (libssh2 1.10 cannot verify RSA keys of OpenSSH 8.8 or newer). " + add_line);
    case Verdict::unknown:
      break;
  }
  if (hop.host_keys == HostKeyPolicy::accept_new && !hop.known_hosts_files.empty()) {
    return append_known_host(hop.known_hosts_files.front(), hop.host_key_name, hop.host_key_port, key.type, key.blob);
  }
  return refuse("unknown host: " + name + " is not in " + join(hop.known_hosts_files, ", ") + "; the host shows the " +
                shown + ". " + add_line);
}

Result<std::unique_ptr<SshSession>> log_in(std::unique_ptr<ByteStream> stream, const SshHop& hop, Deadline deadline) {
  KnownHosts known;
  if (hop.host_keys != HostKeyPolicy::off) {
    for (const auto& path : hop.known_hosts_files) {
      if (auto loaded = known.load(path); !loaded) return fail(loaded.error());
    }
  }
  const std::string where = hop.host + " port " + std::to_string(hop.port);
  auto session = SshSession::handshake(std::move(stream), hop.name + " (" + where + ")",
                                       known.types_of(hop.host_key_name, hop.host_key_port), deadline);
  if (!session) return session;
  if (auto verified = verify_host_key(**session, hop, known); !verified) return fail(verified.error());
  if (auto entered = authenticate(**session, hop.credentials, deadline); !entered) return fail(entered.error());
  return session;
}

}  // namespace

Result<SshRoute> resolve_route(const SshEndpoint& endpoint) {
  const std::string home = home_directory();
  SshConfig config;
  if (endpoint.config_file != "none") {
    auto loaded = SshConfig::load(endpoint.config_file.empty() ? home + "/.ssh/config" : endpoint.config_file, home);
    if (!loaded) return fail(loaded.error().during(endpoint.name));
    config = std::move(*loaded);
  }
  SshRoute route;
  if (auto added = RouteBuilder(config, home, endpoint, route).add(endpoint, 0); !added) {
    return fail(added.error().during(endpoint.name));
  }
  return route;
}

Result<std::unique_ptr<SshSession>> connect_ssh(const SshRoute& route, Deadline deadline) {
  std::unique_ptr<SshSession> session;
  for (const SshHop& hop : route.hops) {
    std::unique_ptr<ByteStream> stream;
    if (session == nullptr) {
      auto socket = connect_tcp(hop.host, hop.port, deadline);
      if (!socket) return fail(socket.error().during(hop.name));
      stream = make_socket_stream(std::move(*socket));
    } else {
      auto tunnel = SshSession::tunnel(std::move(session), hop.host, hop.port, deadline);
      if (!tunnel) return fail(tunnel.error().during(hop.name));
      stream = std::move(*tunnel);
    }
    auto opened = log_in(std::move(stream), hop, deadline);
    if (!opened) return opened;
    session = std::move(*opened);
  }
  return session;
}

}  // namespace ordeal
