#include "harness/runner/unrecovered.h"

#include <map>
#include <mutex>

#include "harness/runner/lifecycle.h"

namespace ordeal {
namespace {

// Every node had all the time of the recovery already; this is for a last look.
constexpr auto kLook = std::chrono::seconds(2);

}  // namespace

Result<std::vector<UnrecoveredNode>> unrecovered_nodes(Target& target, Cluster* cluster, const Error& problem) {
  std::vector<UnrecoveredNode> out;
  if (cluster != nullptr && !cluster->nodes.empty()) {
    std::mutex mutex;
    std::map<std::string, UnrecoveredNode> found;
    auto looked = on_all_nodes(*cluster, [&](Node& node) -> Result<void> {
      const auto served = target.await_node(node, Deadline::after(kLook));
      if (served) return {};
      Command hello("true");
      hello.idempotent = true;
      if (auto reached = node.run(hello); !reached) return fail(reached.error());
      UnrecoveredNode one{node.name(), false, served.error().message};
      if (auto* processes = target.processes()) {
        const auto pids = processes->pids(node);
        if (!pids) return fail(pids.error());
        one.ended = pids->empty();
      }
      const std::lock_guard lock(mutex);
      found.emplace(node.name(), std::move(one));
      return {};
    });
    if (!looked) return fail(looked.error());
    for (const auto& node : cluster->nodes) {
      if (const auto one = found.find(node->name()); one != found.end()) out.push_back(one->second);
    }
  }
  if (out.empty()) out.push_back({"", false, problem.message});
  return out;
}

}  // namespace ordeal
