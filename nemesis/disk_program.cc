#include "nemesis/disk_program.h"

#include <fmt/format.h>

#include <sstream>

#include "nemesis/node_program.h"
#include "nemesis/node_state.h"
#include "nemesis/parallel.h"

namespace ordeal {
namespace {

constexpr const char* kName = "disk";  // of the groundwork

std::string folder_of(std::string_view id) { return fault_folder(groundwork_id(id, kName)); }
std::string program_of(std::string_view id) { return fmt::format("{}/{}", folder_of(id), program_name(NodeProgram::disk)); }

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& one : words) out += ' ' + shell_quote(one);
  return out;
}

// The same for each of the directories, whose number is the name of its disk.
template <class Line>
std::string for_each_disk(const std::vector<std::string>& directories, Line line) {
  std::string out;
  for (std::size_t i = 0; i < directories.size(); ++i) out += line(i, shell_quote(directories[i])) + "\n";
  return out;
}

std::vector<Undo> undo(const FaultContext& context) {
  std::vector<Undo> out;
  for (const auto& node : context.cluster.nodes) {
    const std::string stops =
        for_each_disk(context.target.data_directories(*node), [&](std::size_t i, const std::string& directory) {
          return fmt::format("{0} stop {1} {2} {3} || exit 1", program_of(context.id), folder_of(context.id), i, directory);
        });
    out.push_back({node->name(), fmt::format("[ -x {0} ] || exit 0\n{1}", program_of(context.id), stops)});
  }
  return out;
}

Result<void> lay(const FaultContext& context, Deadline deadline) {
  if (auto possible = check_programs(context.cluster, NodeProgram::disk, deadline); !possible) return possible;
  const std::string id = groundwork_id(context.id, kName);
  // Declared by the fault that makes use of it.
  const std::string names = context.options.has("power-loss.names") ? context.options.string("power-loss.names") : "journal";
  std::vector<std::size_t> all(context.cluster.size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
  return all_done(on_each(all, [&](std::size_t index) -> Result<std::string> {
    Node& node = context.cluster.at(index);
    const std::string starts =
        for_each_disk(context.target.data_directories(node), [&](std::size_t i, const std::string& directory) {
          return fmt::format("mkdir -p {3} && {0} start {1} {2} {3} {4} || exit 1", program_of(id), folder_of(id), i, directory, names);
        });
    auto done = install_and_run(node, id, NodeProgram::disk, starts, deadline);
    if (!done) return fail(done.error().during(node.name()));
    return done;
  }));
}

}  // namespace

const Groundwork& disk_groundwork() {
  static const Groundwork groundwork{kName, undo, lay};
  return groundwork;
}

std::string disk_problem(const FaultContext& context) {
  for (const auto& node : context.cluster.nodes) {
    if (!context.target.data_directories(*node).empty()) continue;
    return fmt::format("target {} does not say in which directories of {} its data is", context.target.name(), node->name());
  }
  return context.cluster.nodes.empty() ? fmt::format("target {} has no nodes", context.target.name()) : "";
}

std::string tell_disks_script(std::string_view id, const std::vector<std::string>& directories,
                              const std::vector<std::string>& words) {
  // Exit code 2: nobody is there, and so no fault either.
  return fmt::format("[ -x {} ] || exit 0\n", program_of(id)) +
         for_each_disk(directories, [&](std::size_t i, const std::string&) {
           return fmt::format("{0} tell {1} {2}{3} || [ $? -eq 2 ] || exit 1", program_of(id), folder_of(id), i, joined(words));
         });
}

Result<std::string> tell_disks(Node& node, std::string_view id, const std::vector<std::string>& directories,
                               const std::vector<std::string>& words, Deadline deadline) {
  const std::string script = for_each_disk(directories, [&](std::size_t i, const std::string&) {
    return fmt::format("{0} tell {1} {2}{3} || exit 1", program_of(id), folder_of(id), i, joined(words));
  });
  return run_ok(node, root_script(script, deadline));
}

Result<DiskProbe> probe_disk(Node& node, std::string_view id, const std::string& directory, const std::string& kind,
                             const ProbeLimits& limits, Deadline deadline) {
  auto said = run_ok(node, root_script(fmt::format("{} probe {} {} {} {} {}", program_of(id), shell_quote(directory), kind,
                                                   limits.attempts, limits.for_ms, limits.slow_ms),
                                       deadline));
  if (!said) return fail(said.error());
  DiskProbe out;
  std::istringstream words(*said);
  if (words >> out.attempts >> out.hits >> out.slowest_ms >> out.error) return out;
  return fail(ErrorCode::remote, "the probe of the disk said: " + *said);
}

}  // namespace ordeal
