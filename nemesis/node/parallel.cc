#include "nemesis/node/parallel.h"

#include <algorithm>
#include <thread>

namespace ordeal {

Command root_script(std::string script, Deadline deadline) {
  Command command(std::move(script));
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  command.timeout = std::max(left, std::chrono::milliseconds(100));
  command.sudo = true;
  command.idempotent = true;
  return command;
}

std::vector<Result<std::string>> on_each(const std::vector<std::size_t>& nodes,
                                         const std::function<Result<std::string>(std::size_t)>& step) {
  std::vector<Result<std::string>> results(nodes.size(), Result<std::string>(std::string()));
  std::vector<std::jthread> threads;
  threads.reserve(nodes.size());
  for (std::size_t i = 1; i < nodes.size(); ++i) {
    threads.emplace_back([&results, &nodes, &step, i] { results[i] = step(nodes[i]); });
  }
  if (!nodes.empty()) results[0] = step(nodes[0]);
  threads.clear();  // joins
  return results;
}

std::vector<Result<std::string>> run_scripts(const Cluster& cluster, const std::vector<std::size_t>& nodes,
                                             const std::vector<std::string>& scripts, Deadline deadline) {
  ORDEAL_CHECK(nodes.size() == scripts.size(), "one script for each node");
  return on_each(nodes, [&](std::size_t node) {
    const auto at = std::find(nodes.begin(), nodes.end(), node) - nodes.begin();
    return run_ok(cluster.at(node), root_script(scripts[static_cast<std::size_t>(at)], deadline));
  });
}

Result<void> all_done(const std::vector<Result<std::string>>& results) {
  const Error* first = nullptr;
  std::size_t more = 0;
  for (const auto& result : results) {
    if (result) continue;
    if (first == nullptr) {
      first = &result.error();
    } else {
      ++more;
    }
  }
  if (first == nullptr) return {};
  Error error = *first;
  if (more > 0) error.message += " (and " + std::to_string(more) + " more nodes failed)";
  return fail(std::move(error));
}

Result<std::size_t> node_index(const Cluster& cluster, std::string_view name) {
  for (std::size_t i = 0; i < cluster.size(); ++i) {
    if (cluster.at(i).name() == name) return i;
  }
  return fail(ErrorCode::not_found, "the cluster has no node named " + std::string(name));
}

std::vector<std::string> node_names(const Cluster& cluster, const std::vector<std::size_t>& nodes) {
  std::vector<std::string> out;
  out.reserve(nodes.size());
  for (const std::size_t i : nodes) out.push_back(cluster.at(i).name());
  return out;
}

}  // namespace ordeal
