#include "targets/log/server/node/options.h"

#include <fmt/format.h>

#include <toml++/toml.h>
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <fstream>
#include <set>

#include "base/files.h"
#include "base/value.h"
#include "targets/log/server/bugs.h"
#include "targets/log/server/node/peers.h"

namespace ordeal::log::node {
namespace {

constexpr const char* kIdentityFile = "/node.json";

void declare(CLI::App& app, NodeOptions& to, std::string& file) {
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.add_option("--config", file, "a TOML file with the flags below as keys, without the dashes; flags win");
  app.add_option("--data", to.data, "the data directory");
  app.add_option("--name", to.name, "this node's name");
  app.add_option("--listen-client", to.listen_client, "HOST:PORT for clients (HTTP)");
  app.add_option("--listen-peer", to.listen_peer, "HOST:PORT for the other nodes");
  app.add_option("--advertise-client", to.advertise_client, "HOST:PORT where clients reach it");
  app.add_option("--advertise-peer", to.advertise_peer, "HOST:PORT where the other nodes reach it");
  app.add_option("--cluster", to.cluster, "NAME=PEER/CLIENT of each node of a new cluster, this one too")
      ->delimiter(',');
  app.add_option("--join", to.join, "HOST:PORT of clients' ports of a cluster to join")
      ->delimiter(',')
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_flag("--recover", to.recover,
               "when files are damaged: move them aside and be rebuilt from the other members, under a new id");
  app.add_option("--origin", to.origin, "the name of the transparency log, which its heads carry");
  app.add_flag("--redirect,!--proxy", to.redirect, "a follower redirects clients, or (default) passes requests on");
  app.add_flag("--lease-reads", to.lease_reads,
               "reads by the leader's lease: faster, and right while clocks run alike");
  app.add_option("--token", to.token, "what clients must show as bearer token");
  app.add_option("--election-ms", to.election_ms, "time-outs are drawn from this to twice this");
  app.add_option("--heartbeat-ms", to.heartbeat_ms, "between two signs of the leader");
  app.add_option("--snapshot-entries", to.snapshot_entries, "applied entries between two snapshots");
  app.add_option("--max-in-flight", to.max_in_flight, "requests at once; more are answered 429");
  app.add_option("--max-connections", to.max_connections, "of clients at once");
  app.add_option("--max-body-bytes", to.max_body_bytes, "of a request");
  app.add_option("--request-timeout-ms", to.request_timeout_ms, "of a request that names none");
#ifdef ORDEAL_LOG_BUGS
  app.add_option("--bug", to.bug, "what it does wrong");
#endif
}

// The file as arguments, which then stand before those of the command line.
Result<std::vector<std::string>> arguments_of_file(const std::string& path) {
  const auto text = read_text_file(path);
  if (!text) return fail(text.error());
  std::vector<std::string> out;
  try {
    const toml::table table = toml::parse(*text, path);
    for (const auto& [key, node] : table) {
      const std::string flag = "--" + std::string(key.str());
      const auto bad = [&, &where = node.source()] {
        return fail(ErrorCode::usage,
                    fmt::format("{}:{}:{}: {}: a text, a whole number, true or false, or a list of texts "
                                "was expected",
                                path, where.begin.line, where.begin.column, flag.substr(2)));
      };
      if (const auto* flagged = node.as_boolean()) {
        out.push_back(fmt::format("{}={}", flag, flagged->get()));
      } else if (const auto* number = node.as_integer()) {
        out.push_back(fmt::format("{}={}", flag, number->get()));
      } else if (const auto* word = node.as_string()) {
        out.push_back(flag + "=" + word->get());
      } else if (const auto* list = node.as_array()) {
        std::string all;
        for (const auto& one : *list) {
          if (!one.is_string()) return bad();
          all += (all.empty() ? "" : ",") + one.as_string()->get();
        }
        out.push_back(flag + "=" + all);
      } else {
        return bad();
      }
    }
  } catch (const toml::parse_error& error) {
    const auto& at = error.source().begin;
    return fail(ErrorCode::usage, fmt::format("{}:{}:{}: {}", path, at.line, at.column, error.description()));
  }
  return out;
}

// Whether a flag was given, in either form.
bool given(const std::vector<std::string>& arguments, const std::string& flag) {
  return std::any_of(arguments.begin(), arguments.end(),
                     [&](const std::string& one) { return one == flag || one.starts_with(flag + "="); });
}

Result<Parsed> parse_once(std::vector<std::string> arguments, std::string& file) {
  Parsed out;
  CLI::App app("ordeal-log: a replicated, append-only, publicly verifiable log, and a key-value map", "ordeal-log");
  declare(app, out.options, file);
  app.footer(
      "ordeal-log --data DIR is a cluster of one node. ordeal-log verify DATA… checks the files of a stopped node, "
      "ordeal-log "
      "audit URL… the heads of running ones.");
  std::reverse(arguments.begin(), arguments.end());
  try {
    app.parse(arguments);
  } catch (const CLI::CallForHelp&) {
    out.help = app.help();
  } catch (const CLI::ParseError& error) {
    return fail(ErrorCode::usage, error.what());
  }
  return out;
}

Value to_value(const std::vector<MemberAddress>& members) {
  Value list = Value::list();
  for (const MemberAddress& one : members) {
    Value entry;
    entry.set("id", static_cast<std::int64_t>(one.id));
    entry.set("name", one.name);
    entry.set("peer", one.peer);
    entry.set("client", one.client);
    list.items().push_back(std::move(entry));
  }
  return list;
}

std::string text_of(const Value& map, const char* key) {
  const Value* found = map.find(key);
  return found != nullptr && found->is_string() ? found->string() : "";
}

std::int64_t number_of(const Value& map, const char* key) {
  const Value* found = map.find(key);
  return found != nullptr && found->is_integer() ? found->integer() : 0;
}

std::vector<MemberAddress> members_of(const Value* list) {
  std::vector<MemberAddress> out;
  if (list == nullptr || !list->is_list()) return out;
  for (const Value& one : list->items()) {
    out.push_back({static_cast<raft::NodeId>(number_of(one, "id")), text_of(one, "name"), text_of(one, "peer"),
                   text_of(one, "client")});
  }
  return out;
}

}  // namespace

Result<MemberAddress> parse_member(const std::string& text) {
  const std::size_t equals = text.find('=');
  const std::size_t slash = text.rfind('/');
  if (equals == std::string::npos || equals == 0 || slash == std::string::npos || slash < equals) {
    return fail(ErrorCode::usage, fmt::format("--cluster: \"{}\": NAME=PEER/CLIENT was expected", text));
  }
  MemberAddress out{raft::kNobody, text.substr(0, equals), text.substr(equals + 1, slash - equals - 1),
                    text.substr(slash + 1)};
  for (const std::string& address : {out.peer, out.client}) {
    if (auto good = parse_host_port(address); !good) return fail(good.error().during("--cluster"));
  }
  return out;
}

Result<Parsed> parse_options(const std::vector<std::string>& arguments) {
  std::string file;
  auto parsed = parse_once(arguments, file);
  if (!parsed || !parsed->help.empty()) return parsed;
  if (!file.empty()) {
    const auto from_file = arguments_of_file(file);
    if (!from_file) return fail(from_file.error());
    std::vector<std::string> all;
    for (const std::string& one : *from_file) {
      if (!given(arguments, one.substr(0, one.find('=')))) all.push_back(one);
    }
    all.insert(all.end(), arguments.begin(), arguments.end());
    parsed = parse_once(all, file);
    if (!parsed) return fail(parsed.error().during(file));
  }
  if (auto good = check(parsed->options); !good) return fail(good.error());
  NodeOptions& options = parsed->options;
  if (options.advertise_client.empty()) options.advertise_client = options.listen_client;
  if (options.advertise_peer.empty()) options.advertise_peer = options.listen_peer;
  return parsed;
}

Result<void> check(const NodeOptions& options) {
  const auto wrong = [](std::string message) { return fail(ErrorCode::usage, std::move(message)); };
  if (options.data.empty()) return wrong("--data: a directory is needed, e.g. ordeal-log --data DIR");
  if (options.name.empty()) return wrong("--name: must not be empty");
  for (const std::string& address : {options.listen_client, options.listen_peer}) {
    if (auto good = parse_host_port(address); !good)
      return good.error().code == ErrorCode::usage ? wrong(good.error().message) : fail(good.error());
  }
  if (!options.cluster.empty() && !options.join.empty()) {
    return wrong("--cluster founds a cluster and --join enters one: give one of them");
  }
  if (options.heartbeat_ms < 10 || options.heartbeat_ms >= options.election_ms) {
    return wrong("--heartbeat-ms: at least 10, and less than --election-ms");
  }
  if (options.election_ms > 60'000) return wrong("--election-ms: at most 60000");
  if (options.snapshot_entries == 0) return wrong("--snapshot-entries: at least 1");
  if (options.max_in_flight == 0 || options.max_connections == 0) {
    return wrong("--max-in-flight and --max-connections: at least 1");
  }
  if (options.bug != "none" && !bug_named(options.bug)) {
    std::string known;
    for (const BugEntry& entry : kBugs) known += fmt::format(" {}", entry.name);
    return wrong(fmt::format("--bug: \"{}\" is none of:{}", options.bug, known));
  }
  return {};
}

Result<Identity> founder(const NodeOptions& options) {
  Identity out;
  std::set<std::string> names;
  std::string all;
  for (const std::string& text : options.cluster) {
    auto member = parse_member(text);
    if (!member) return fail(member.error());
    member->id = names.size() + 1;
    if (!names.insert(member->name).second) {
      return fail(ErrorCode::usage, fmt::format("--cluster: \"{}\" is there twice", member->name));
    }
    if (member->name == options.name) out.id = member->id;
    all += text + ",";
    out.founders.push_back(*std::move(member));
  }
  if (out.founders.empty()) {
    out.founders = {{1, options.name, options.advertise_peer, options.advertise_client}};
    out.id = 1;
    all = options.name;
  }
  if (out.id == raft::kNobody) {
    return fail(ErrorCode::usage,
                fmt::format("--cluster: this node, \"{}\" (--name), is not in the list", options.name));
  }
  std::uint64_t hash = 14695981039346656037ULL;  // FNV-1a
  for (const char byte : all + options.origin) hash = (hash ^ static_cast<std::uint8_t>(byte)) * 1099511628211ULL;
  out.cluster = fmt::format("{:016x}", hash);
  return out;
}

Result<Identity> load_identity(const std::string& data, bool& there) {
  there = false;
  const std::string path = data + kIdentityFile;
  const auto text = read_text_file(path);
  if (!text) {
    if (text.error().code == ErrorCode::not_found) return Identity{};
    return fail(text.error());
  }
  const auto value = Value::from_json(*text);
  Identity out;
  if (value && value->is_map()) {
    out.id = static_cast<raft::NodeId>(number_of(*value, "id"));
    out.cluster = text_of(*value, "cluster");
    out.founders = members_of(value->find("founders"));
    out.known = members_of(value->find("known"));
  }
  if (out.id == raft::kNobody || out.cluster.empty()) {
    return fail(ErrorCode::input,
                path + ": damaged; restore it from a backup, or remove the member and let it join anew");
  }
  there = true;
  return out;
}

Result<void> save_identity(const std::string& data, const Identity& identity) {
  Value value;
  value.set("id", static_cast<std::int64_t>(identity.id));
  value.set("cluster", identity.cluster);
  value.set("founders", to_value(identity.founders));
  value.set("known", to_value(identity.known));
  return ordeal::replace_file(data + kIdentityFile, value.to_json() + "\n");
}

}  // namespace ordeal::log::node
