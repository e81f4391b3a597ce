#include "harness/nodes/commands.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <iomanip>
#include <optional>
#include <ostream>
#include <thread>

#include "base/names.h"
#include "base/value.h"
#include "harness/control/new_process.h"
#include "harness/nodes/local_cluster.h"
#include "harness/nodes/node_source.h"

namespace ordeal::nodes {

namespace {

constexpr int kDone = 0;
constexpr int kFailedRun = 3;
constexpr int kUsage = 64;

int complain(const Error& error, std::ostream& err) {
  err << "ordeal: " << error.message << "\n";
  return error.code == ErrorCode::usage || error.code == ErrorCode::input ? kUsage : kFailedRun;
}

std::string runtime_directory(const NodesOptions& options) {
  return options.runtime_directory.empty() ? default_runtime_directory() : options.runtime_directory;
}

std::string utc(std::int64_t seconds) {
  const auto time = static_cast<std::time_t>(seconds);
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts);
  return text;
}

void print(const ClusterState& state, std::ostream& out) {
  out << "cluster " << state.name << ": up since " << utc(state.up_since) << ", keeper " << state.keeper
      << ", writes in " << (state.storage.empty() ? "memory" : state.storage) << "\n";
  for (const LocalNode& node : state.nodes) {
    out << "  " << std::left << std::setw(4) << node.name << std::setw(13) << node.address << std::setw(15)
        << node.address6 << "pid " << node.pid << "\n";
  }
  out << "  inventory: " << state.inventory_file() << "\n";
}

// "local:5" → 5.
Result<int> local_count(const std::string& spec) {
  if (auto valid = check_nodes(spec); !valid) return fail(valid.error());
  if (spec == "local") return 5;
  if (spec.starts_with("local:")) return std::atoi(spec.c_str() + std::strlen("local:"));
  return fail(ErrorCode::usage, "nodes up: --nodes " + spec + ": only local nodes can be brought up; expected local:N");
}

// The nodes asked for, in the cluster's order. Errors: usage.
Result<std::vector<SshEndpoint>> chosen(const ClusterState& state, const std::vector<std::string>& wanted) {
  std::vector<std::string> known;
  for (const LocalNode& node : state.nodes) known.push_back(node.name);
  const bool all = std::find(wanted.begin(), wanted.end(), "all") != wanted.end();
  for (const std::string& name : wanted) {
    if (name != "all" && state.find(name) == nullptr) return fail(unknown_name("node", name, known));
  }
  if (wanted.empty()) return fail(ErrorCode::usage, "name a node, or \"all\". Known: " + joined(known) + ".");
  std::vector<SshEndpoint> picked;
  for (SshEndpoint& endpoint : endpoints(state)) {
    if (all || std::find(wanted.begin(), wanted.end(), endpoint.name) != wanted.end()) {
      picked.push_back(std::move(endpoint));
    }
  }
  return picked;
}

// A single word is a line for the shell, as with ssh; several are a program and its arguments, each kept as it is.
std::string script_of(const std::vector<std::string>& command) {
  if (command.size() == 1) return command.front();
  std::string script;
  for (const std::string& word : command) script += (script.empty() ? "" : " ") + shell_quote(word);
  return script;
}

struct Ran {
  std::string node;
  Result<CommandOutput> output = CommandOutput{};
};

std::vector<Ran> run_everywhere(const std::vector<SshEndpoint>& targets, const Command& command) {
  std::vector<Ran> results(targets.size());
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    threads.emplace_back([&, i] {
      const auto node = make_ssh_node(targets[i]);
      results[i].node = targets[i].name;
      results[i].output = node->run(command);
    });
  }
  threads.clear();  // joins
  return results;
}

void print_json(const std::vector<Ran>& results, std::ostream& out) {
  Value list = Value::list();
  for (const Ran& ran : results) {
    Value item = Value::map();
    item.set("node", ran.node);
    if (ran.output) {
      item.set("exit_code", ran.output->exit_code);
      item.set("out", ran.output->out);
      item.set("err", ran.output->err);
    } else {
      item.set("error", ran.output.error().message);
    }
    list.items().push_back(std::move(item));
  }
  out << list.to_json() << "\n";
}

// With several nodes each line says where it comes from.
void print_lines(const std::string& prefix, const std::string& text, std::ostream& to) {
  if (prefix.empty()) {
    to << text;
    return;
  }
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    to << prefix << text.substr(at, end - at) << "\n";
    at = end + 1;
  }
}

}  // namespace

int nodes_up(const NodesUpOptions& options, std::ostream& out, std::ostream& err) {
  const auto count = local_count(options.nodes);
  if (!count) return complain(count.error(), err);
  LocalClusterOptions wanted;
  wanted.nodes = *count;
  wanted.name = options.name;
  wanted.storage = options.storage;
  wanted.runtime_directory = runtime_directory(options);
  const auto begin = std::chrono::steady_clock::now();
  auto cluster = LocalCluster::start(wanted);
  if (!cluster) return complain(cluster.error(), err);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  (*cluster)->detach();
  const ClusterState& state = (*cluster)->state();
  if (options.json) {
    out << state.to_json() << "\n";
    return kDone;
  }
  print(state, out);
  const std::string name = options.name == NodesOptions().name ? "" : " --name " + options.name;
  out << *count << (*count == 1 ? " node" : " nodes") << " up in " << std::fixed << std::setprecision(2)
      << seconds.count() << " s. Next: `ordeal nodes exec" << name
      << " n1 -- hostname`, `ordeal run --nodes ssh:" << state.inventory_file() << " …`, `ordeal nodes down" << name
      << "`.\n";
  return kDone;
}

int nodes_down(const NodesDownOptions& options, std::ostream& out, std::ostream& err) {
  if (auto valid = check_cluster_name(options.name); !valid) return complain(valid.error(), err);
  std::vector<std::string> cleaned;
  std::vector<ClusterState> clusters = list_clusters(runtime_directory(options), &cleaned);
  if (!options.all) std::erase_if(clusters, [&](const ClusterState& state) { return state.name != options.name; });
  int code = kDone;
  Value down = Value::list();
  for (const ClusterState& state : clusters) {
    if (auto done = take_down(state); !done) {
      code = complain(done.error(), err);
      continue;
    }
    down.items().emplace_back(state.name);
    if (!options.json) out << "cluster " << state.name << " is down\n";
  }
  for (const std::string& name : cleaned) {
    down.items().emplace_back(name);
    if (!options.json) out << "removed what was left of cluster " << name << ", whose keeper was killed\n";
  }
  if (options.json) {
    out << down.to_json() << "\n";
  } else if (down.items().empty() && code == kDone) {
    out << (options.all ? "no local cluster is up" : "no local cluster named " + options.name + " is up") << "\n";
  }
  return code;
}

int nodes_status(const NodesStatusOptions& options, std::ostream& out, std::ostream& err) {
  std::vector<std::string> cleaned;
  std::vector<ClusterState> clusters = list_clusters(runtime_directory(options), &cleaned);
  for (const std::string& name : cleaned) {
    err << "ordeal: removed what was left of cluster " << name << ", whose keeper was killed\n";
  }
  if (!options.name.empty()) {
    const auto found = find_cluster(runtime_directory(options), options.name);
    if (!found) return complain(found.error(), err);
    clusters = {*found};
  }
  if (options.json) {
    std::string text;
    for (const ClusterState& state : clusters) text += (text.empty() ? "" : ",") + state.to_json();
    out << "[" << text << "]\n";
    return kDone;
  }
  if (clusters.empty()) out << "no local cluster is up\n";
  for (const ClusterState& state : clusters) print(state, out);
  return kDone;
}

int nodes_exec(const NodesExecOptions& options, std::ostream& out, std::ostream& err) {
  if (options.command.empty())
    return complain({ErrorCode::usage, "nodes exec: no command; expected NODE… -- COMMAND"}, err);
  const auto state = find_cluster(runtime_directory(options), options.name);
  if (!state) return complain(state.error(), err);
  const auto targets = chosen(*state, options.nodes);
  if (!targets) return complain(targets.error().during("nodes exec"), err);
  if (auto entered = enter_network_namespace(state->network_namespace()); !entered)
    return complain(entered.error(), err);

  Command command(script_of(options.command));
  command.timeout = options.timeout;
  const std::vector<Ran> results = run_everywhere(*targets, command);
  int code = kDone;
  if (options.json) print_json(results, out);
  for (const Ran& ran : results) {
    if (!ran.output) {
      code = complain(ran.output.error(), err);
      continue;
    }
    if (!options.json) {
      const std::string prefix = results.size() > 1 ? ran.node + ": " : "";
      print_lines(prefix, ran.output->out, out);
      print_lines(prefix, ran.output->err, err);
    }
    if (ran.output->exit_code != 0) {
      err << "ordeal: " << ran.node << ": the command ended with exit code " << ran.output->exit_code << "\n";
      code = kFailedRun;
    }
  }
  return code;
}

int nodes_ssh(const NodesSshOptions& options, std::ostream& out, std::ostream& err) {
  const auto state = find_cluster(runtime_directory(options), options.name);
  if (!state) return complain(state.error(), err);
  const auto target = chosen(*state, {options.node});
  if (!target) return complain(target.error().during("nodes ssh"), err);
  const auto ssh = find_program("ssh", "openssh-client");
  if (!ssh) return complain(ssh.error(), err);
  if (auto entered = enter_network_namespace(state->network_namespace()); !entered)
    return complain(entered.error(), err);
  const std::string config = state->ssh_config_file();
  std::vector<const char*> arguments = {ssh->c_str(), "-F", config.c_str(), options.node.c_str()};
  for (const std::string& argument : options.arguments) arguments.push_back(argument.c_str());
  arguments.push_back(nullptr);
  out.flush();
  err.flush();
  inherit_nothing();
  ::execv(ssh->c_str(), const_cast<char**>(arguments.data()));
  return complain({ErrorCode::io, *ssh + ": " + std::strerror(errno)}, err);
}

}  // namespace ordeal::nodes
