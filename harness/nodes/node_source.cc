#include "harness/nodes/node_source.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <sstream>
#include <utility>

#include "harness/nodes/inventory.h"

namespace ordeal::nodes {

namespace {

constexpr const char* kExpected =
    "expected local:N (1 to 64 nodes on this machine), docker:N (containers), ssh:FILE (an inventory), or the names of "
    "hosts: h1,h2,h3";

struct Source {
  enum class Kind { local, docker, inventory, hosts } kind = Kind::hosts;
  int count = 0;
  std::string file;
  std::vector<std::string> hosts;
};

Result<Source> parse_count(Source::Kind kind, const std::string& spec, std::string_view count, int most) {
  Source source{kind, 0, {}, {}};
  const auto [end, error] = std::from_chars(count.data(), count.data() + count.size(), source.count);
  if (error != std::errc{} || end != count.data() + count.size() || source.count < 1 || source.count > most) {
    return fail(ErrorCode::usage, "--nodes " + spec + ": expected a number from 1 to " + std::to_string(most) +
                                      " after " + spec.substr(0, spec.find(':')) + ":");
  }
  return source;
}

Result<Source> parse_hosts(const std::string& spec) {
  Source source;
  std::istringstream parts(spec + ",");
  for (std::string host; std::getline(parts, host, ',');) {
    const auto odd = [](unsigned char c) { return c <= ' ' || c == '/' || c == ':' || c == '='; };
    if (host.empty() || host[0] == '-' || std::any_of(host.begin(), host.end(), odd)) {
      return fail(ErrorCode::usage, "--nodes " + spec + ": \"" + host + "\" is no host; " + kExpected);
    }
    if (std::find(source.hosts.begin(), source.hosts.end(), host) != source.hosts.end()) {
      return fail(ErrorCode::usage, "--nodes " + spec + ": the host " + host + " stands there twice");
    }
    source.hosts.push_back(host);
  }
  return source;
}

Result<Source> parse_source(const std::string& spec) {
  static constexpr std::string_view kLocal = "local:";
  static constexpr std::string_view kSsh = "ssh:";
  static constexpr std::string_view kDocker = "docker:";
  if (spec == "local") return parse_count(Source::Kind::local, spec, "5", kMaxLocalNodes);
  if (spec.starts_with(kLocal)) {
    return parse_count(Source::Kind::local, spec, std::string_view(spec).substr(kLocal.size()), kMaxLocalNodes);
  }
  if (spec.starts_with(kDocker)) {
    return parse_count(Source::Kind::docker, spec, std::string_view(spec).substr(kDocker.size()), kMaxDockerNodes);
  }
  if (spec.starts_with(kSsh)) {
    if (spec.size() == kSsh.size())
      return fail(ErrorCode::usage, "--nodes ssh: without a file; " + std::string(kExpected));
    return Source{Source::Kind::inventory, 0, spec.substr(kSsh.size()), {}};
  }
  return parse_hosts(spec);
}

Result<NodeSet> open_local(const std::string& spec, int count, const NodeSourceOptions& options) {
  LocalClusterOptions wanted;
  wanted.nodes = count;
  wanted.name = options.name;
  wanted.storage = options.storage;
  wanted.memory = options.memory;
  wanted.runtime_directory = options.runtime_directory;
  auto local = LocalCluster::start(wanted);
  if (!local) return fail(local.error().during("--nodes " + spec));
  if (auto entered = (*local)->enter_network(); !entered) return fail(entered.error().during("--nodes " + spec));
  NodeSet set;
  for (SshEndpoint& endpoint : endpoints((*local)->state()))
    set.cluster.nodes.push_back(make_ssh_node(std::move(endpoint)));
  set.local = std::move(*local);
  set.spec = spec;
  return set;
}

Result<NodeSet> open_docker(const std::string& spec, int count, const NodeSourceOptions& options) {
  DockerClusterOptions wanted;
  wanted.nodes = count;
  wanted.image = options.docker_image;
  wanted.arguments = options.docker_arguments;
  auto docker = DockerCluster::start(wanted);
  if (!docker) return fail(docker.error().during("--nodes " + spec));
  NodeSet set;
  for (SshEndpoint& endpoint : (*docker)->endpoints()) set.cluster.nodes.push_back(make_ssh_node(std::move(endpoint)));
  set.docker = std::move(*docker);
  set.spec = spec;
  return set;
}

Result<NodeSet> open_inventory(const std::string& spec, const std::string& file) {
  auto inventory = read_inventory(file);
  if (!inventory) return fail(inventory.error());
  if (!inventory->network_namespace.empty()) {
    if (auto entered = enter_network_namespace(inventory->network_namespace); !entered) {
      return fail(entered.error().during(file));
    }
  }
  NodeSet set;
  for (SshEndpoint& host : inventory->hosts) set.cluster.nodes.push_back(make_ssh_node(std::move(host)));
  set.spec = spec;
  return set;
}

}  // namespace

std::vector<OptionSpec> node_options() {
  const auto text = [](const char* key, const char* help) {
    OptionSpec option;
    option.key = key;
    option.type = OptionSpec::Type::string;
    option.default_value = Value("");
    option.help = help;
    return option;
  };
  const auto sized = [&](const char* key, const char* value, const char* help) {
    OptionSpec option = text(key, help);
    option.default_value = Value(value);
    return option;
  };
  const auto flag = [&](const char* key, const char* help) {
    OptionSpec option = text(key, help);
    option.type = OptionSpec::Type::boolean;
    option.default_value = Value(false);
    return option;
  };
  return {
      text("local.storage", "directory on disk for what local nodes write (default: memory)"),
      text("local.memory",
           "what a local node may hold, files in memory included: a size such as 2G, or none (default: half of the "
           "machine's)"),
      text("docker.image", "an image with sh and sshd (default: an empty one, with this machine's /usr read-only)"),
      text("docker.arguments", "more arguments for docker run, e.g. \"--memory 1g\""),
      flag("nodes.keep",
           "leave the nodes, and all that runs on them, after a run that failed or is invalid, to look around (also "
           "--keep-nodes); not with docker"),
      flag("nodes.capture", "capture packets on every node (tcpdump), to nodes/NODE/packets.pcap of the run"),
      sized("nodes.capture-size", "64M", "what packets.pcap of a node holds at most; the last packets stay"),
      sized("nodes.capture-filter", "not tcp port 22", "which packets, as tcpdump has it; empty: all"),
      flag("nodes.cores", "let the target's processes leave core dumps, and fetch them to nodes/NODE/cores"),
      sized("nodes.core-size", "512M", "what a core dump holds at most")};
}

NodeSourceOptions NodeSourceOptions::from(const Options& options) {
  NodeSourceOptions out;
  out.storage = options.string("local.storage");
  out.memory = options.string("local.memory");
  out.docker_image = options.string("docker.image");
  out.docker_arguments = options.string("docker.arguments");
  return out;
}

Result<void> check_nodes(const std::string& spec) {
  auto source = parse_source(spec);
  if (!source) return fail(source.error());
  return {};
}

bool are_made_for_run(const std::string& spec) {
  const auto source = parse_source(spec);
  return source && (source->kind == Source::Kind::local || source->kind == Source::Kind::docker);
}

Result<NodeSet> open_nodes(const std::string& spec, const NodeSourceOptions& options) {
  const auto source = parse_source(spec);
  if (!source) return fail(source.error());
  if (source->kind == Source::Kind::local) return open_local(spec, source->count, options);
  if (source->kind == Source::Kind::docker) return open_docker(spec, source->count, options);
  if (source->kind == Source::Kind::inventory) return open_inventory(spec, source->file);
  NodeSet set;
  for (const std::string& host : source->hosts) {
    SshEndpoint endpoint;
    endpoint.name = host;
    set.cluster.nodes.push_back(make_ssh_node(std::move(endpoint)));
  }
  set.spec = spec;
  return set;
}

std::vector<SshEndpoint> endpoints(const ClusterState& state) {
  std::vector<SshEndpoint> all;
  for (const LocalNode& node : state.nodes) {
    SshEndpoint endpoint;
    endpoint.name = node.name;
    endpoint.host = node.address;
    endpoint.user = "root";
    endpoint.identity_files = {state.identity_file()};
    endpoint.use_agent = false;
    endpoint.known_hosts_file = state.known_hosts_file();
    endpoint.config_file = "none";
    all.push_back(std::move(endpoint));
  }
  return all;
}

}  // namespace ordeal::nodes
