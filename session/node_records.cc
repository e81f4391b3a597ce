#include "session/node_records.h"

#include <fmt/format.h>

#include "base/files.h"
#include "base/text.h"
#include "harness/nodes/cluster_state.h"

namespace ordeal {
namespace {

// Each of tcpdump's two files holds a million bytes or more.
constexpr std::size_t kMinCapture = 2'000'000;
constexpr double kAfterwards_s = 3600;
constexpr const char* kKept = "kept.json";

Result<std::size_t> size_of(const Plan& plan, const char* key, std::size_t min) {
  const auto size = parse_size(plan.options.string(key));
  if (!size) return fail(size.error().during(key));
  if (*size >= min) return size;
  return fail(ErrorCode::usage,
              fmt::format("{}={}: {} bytes or more were expected", key, plan.options.string(key), min));
}

}  // namespace

Result<void> check_node_records(const Plan& plan) {
  if (plan.options.boolean("nodes.keep") && plan.nodes.starts_with("docker")) {
    return fail(ErrorCode::usage,
                "nodes.keep (--keep-nodes): containers of a run end with it; use local:N, or hosts of your own");
  }
  if (auto size = size_of(plan, "nodes.capture-size", kMinCapture); !size) return fail(size.error());
  if (auto size = size_of(plan, "nodes.core-size", 4096); !size) return fail(size.error());
  return {};
}

Result<void> NodeRecords::begin(const Plan& plan, Cluster& cluster, RunLog& log) {
  if (cluster.nodes.empty()) return {};
  if (plan.options.boolean("nodes.cores")) {
    auto cores = CoreDumps::allow(cluster, size_of(plan, "nodes.core-size", 0).value_or(0), log);
    if (!cores) return fail(cores.error());
    cores_ = *std::move(cores);
  }
  if (plan.options.boolean("nodes.capture")) {
    PacketCapture::Settings settings;
    settings.bytes = size_of(plan, "nodes.capture-size", 0).value_or(0);
    settings.filter = plan.options.string("nodes.capture-filter");
    settings.time_s = plan.time_limit_s + plan.start_timeout_s + plan.recovery_s + kAfterwards_s;
    auto packets = PacketCapture::start(cluster, settings);
    if (!packets) return fail(packets.error());
    packets_ = *std::move(packets);
  }
  return {};
}

void NodeRecords::collect(const Target& target, const Cluster& cluster, const RunDirectory& run, RunLog& log) {
  if (packets_) packets_->collect(run, log);
  if (!cores_) return;
  std::vector<std::vector<std::string>> directories;
  for (const auto& node : cluster.nodes) directories.push_back(data_directories(target, *node));
  const std::size_t found = cores_->collect(directories, run, log);
  log.info(fmt::format("core dumps fetched: {}", found));
}

std::string keep(nodes::NodeSet& set, const RunDirectory& run) {
  if (!set.local) return "ordeal: the target is left running on its nodes (nodes.keep); the next run there wipes it";
  const nodes::ClusterState& state = set.local->state();
  Value pids = Value::map();
  for (const auto& node : state.nodes) pids.set(node.name, static_cast<std::int64_t>(node.pid));
  // Without the file `ordeal heal` cannot know of them; they are kept all the same.
  (void)run.write(kKept, Value::map({{"cluster", state.name}, {"pids", std::move(pids)}}));
  set.local->detach();
  const auto& first = state.nodes.front();
  return fmt::format(
      "ordeal: the nodes are kept, with all that runs there (nodes.keep). Enter: `ordeal nodes ssh --name {0} {1}`, or "
      "as root `nsenter --target {2} --all`; all of them: `ordeal nodes exec --name {0} all -- COMMAND`. Faults that "
      "could not be healed: `ordeal heal {3}`. Remove: `ordeal nodes down --name {0}`",
      state.name, first.name, first.pid, run.path());
}

std::optional<nodes::ClusterState> kept_cluster(const std::string& directory) {
  const auto text = read_text_file(directory + "/" + kKept);
  if (!text) return std::nullopt;
  const auto value = Value::from_json(*text);
  const Value* name = value ? value->find("cluster") : nullptr;
  if (name == nullptr || !name->is_string() || !nodes::check_cluster_name(name->string())) return std::nullopt;
  auto state = nodes::find_cluster(nodes::default_runtime_directory(), name->string());
  if (!state) return std::nullopt;
  return *std::move(state);
}

}  // namespace ordeal
