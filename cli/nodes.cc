// `ordeal nodes`: the local cluster on its own.

#include <algorithm>
#include <iostream>
#include <sstream>

#include "base/names.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/console.h"
#include "cli/exit_code.h"
#include "harness/nodes/commands.h"
#include "harness/nodes/node_source.h"
#include "session/resolve_plan.h"

namespace ordeal::cli {
namespace {

int up(const NodesCommand& command) {
  Options settings(nodes::node_options());
  for (const auto& text : command.settings) {
    auto pair = key_value(text);
    if (pair) {
      if (auto set = settings.set(pair->first, pair->second, "--set"); set)
        continue;
      else
        complain(set.error().during("--set"));
    } else {
      complain(pair.error());
    }
    return kUsage;
  }
  nodes::NodesUpOptions options;
  options.name = command.name;
  options.nodes = command.nodes;
  options.storage = nodes::NodeSourceOptions::from(settings).storage;
  options.json = command.json;
  return nodes::nodes_up(options, std::cout, std::cerr);
}

int status(const nodes::NodesStatusOptions& options) {
  std::ostringstream out;
  std::ostringstream complaint;
  const int code = nodes::nodes_status(options, out, complaint);
  std::cerr << complaint.str();
  if (options.json && out.str().empty())
    out << error_document({ErrorCode::not_found, std::string(trimmed(complaint.str()))}).to_json() << "\n";
  std::cout << out.str();
  return code;
}

int exec(const NodesCommand& command) {
  nodes::NodesExecOptions options;
  options.name = command.name;
  const auto split_at = std::find(command.words.begin(), command.words.end(), "--");
  options.nodes.assign(command.words.begin(), split_at);
  if (split_at != command.words.end()) options.command.assign(split_at + 1, command.words.end());
  if (options.command.empty()) {
    complain({ErrorCode::usage, "a command was expected after --: ordeal nodes exec n1 n2 -- uptime"});
    return kUsage;
  }
  if (options.nodes.empty()) options.nodes = {"all"};
  return nodes::nodes_exec(options, std::cout, std::cerr);
}

int ssh(const NodesCommand& command) {
  if (command.words.empty()) {
    complain({ErrorCode::usage, "the name of a node was expected: ordeal nodes ssh n1"});
    return kUsage;
  }
  nodes::NodesSshOptions options;
  options.name = command.name;
  options.node = command.words.front();
  options.arguments.assign(command.words.begin() + 1, command.words.end());
  if (!options.arguments.empty() && options.arguments.front() == "--")
    options.arguments.erase(options.arguments.begin());
  return nodes::nodes_ssh(options, std::cout, std::cerr);
}

}  // namespace

int nodes(const NodesCommand& command) {
  if (command.verb == "up") return up(command);
  if (command.verb == "down") {
    nodes::NodesDownOptions options;
    options.name = command.name;
    options.all = command.all;
    return nodes::nodes_down(options, std::cout, std::cerr);
  }
  if (command.verb == "status") {
    nodes::NodesStatusOptions options;
    options.name = command.name_given ? command.name : "";
    options.json = command.json;
    return status(options);
  }
  if (command.verb == "exec") return exec(command);
  return ssh(command);
}

}  // namespace ordeal::cli
