#include "nemesis/storage/disk_program.h"

#include <fmt/format.h>

#include <sstream>

#include "nemesis/node/node_program.h"
#include "nemesis/node/node_state.h"
#include "nemesis/node/parallel.h"

namespace ordeal {
namespace {

constexpr const char* kName = "disk";  // of the groundwork

std::string folder_of(std::string_view id) { return fault_folder(groundwork_id(id, kName)); }
std::string program_of(std::string_view id) {
  return fmt::format("{}/{}", folder_of(id), program_name(NodeProgram::disk));
}

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

// What a node does by itself when the controller is dead: the target still runs on the disk then, and is ended so that
// the disk can go, and started on the files beneath. Where it has no command for that it goes on with what it has open,
// and the disk ends with it. In a run that ends as it should nobody is there any more.
std::vector<Undo> undo(const FaultContext& context) {
  std::vector<Undo> out;
  for (const auto& node : context.cluster.nodes) {
    const auto directories = data_directories(context.target, *node);
    const std::string start =
        context.target.processes() == nullptr ? "" : context.target.processes()->start_script(*node);
    const auto each = [&](const char* verb) {
      return for_each_disk(directories, [&](std::size_t i, const std::string& directory) {
        return fmt::format("{} {} {} {} {} || exit 1", program_of(context.id), verb, folder_of(context.id), i,
                           directory);
      });
    };
    std::string script = fmt::format("[ -x {} ] || exit 0\n", program_of(context.id));
    if (start.empty()) {
      script += each("stop");
    } else {
      script += fmt::format("ended=$(\n{}) || exit 1\n{}[ -n \"$ended\" ] || exit 0\n{}", each("evict"), each("stop"),
                            start_in_undo(start));
    }
    out.push_back({node->name(), std::move(script)});
  }
  return out;
}

Result<void> lay(const FaultContext& context, Deadline deadline) {
  const std::string id = groundwork_id(context.id, kName);
  // Declared by the fault that makes use of it.
  const std::string names =
      context.options.has("power-loss.names") ? context.options.string("power-loss.names") : "journal";
  std::vector<std::size_t> all(context.cluster.size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
  return all_done(on_each(all, [&](std::size_t index) -> Result<std::string> {
    Node& node = context.cluster.at(index);
    const std::string starts =
        for_each_disk(data_directories(context.target, node), [&](std::size_t i, const std::string& directory) {
          return fmt::format("mkdir -p {3} && {0} start {1} {2} {3} {4} || exit 1", program_of(id), folder_of(id), i,
                             directory, names);
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
    if (!data_directories(context.target, *node).empty()) continue;
    return fmt::format("target {} does not say in which directories of {} its data is", context.target.name(),
                       node->name());
  }
  return context.cluster.nodes.empty() ? fmt::format("target {} has no nodes", context.target.name()) : "";
}

std::vector<NodeNeed> disk_needs(const Options&) { return {NodeNeed::agent, NodeNeed::fuse}; }

std::string tell_disks_script(std::string_view id, const std::vector<std::string>& directories,
                              const std::vector<std::string>& words) {
  // Exit code 2: nobody is there, and so no fault either.
  return fmt::format("[ -x {} ] || exit 0\n", program_of(id)) +
         for_each_disk(directories, [&](std::size_t i, const std::string&) {
           return fmt::format("{0} tell {1} {2}{3} || [ $? -eq 2 ] || exit 1", program_of(id), folder_of(id), i,
                              joined(words));
         });
}

Result<std::string> tell_disks(Node& node, std::string_view id, const std::vector<std::string>& directories,
                               const std::vector<std::string>& words, Deadline deadline) {
  const std::string script = for_each_disk(directories, [&](std::size_t i, const std::string&) {
    return fmt::format("{0} tell {1} {2}{3} || exit 1", program_of(id), folder_of(id), i, joined(words));
  });
  return run_ok(node, root_script(script, deadline));
}

Result<std::string> lose_unsynced(Node& node, std::string_view id, const std::vector<std::string>& directories,
                                  const std::string& kind, std::uint64_t seed, Deadline deadline) {
  const std::string script = for_each_disk(directories, [&](std::size_t i, const std::string& directory) {
    return fmt::format("{0} lose {1} {2} {3} {4} {5} || exit 1", program_of(id), folder_of(id), i, directory, kind,
                       seed);
  });
  return run_ok(node, root_script(script, deadline));
}

Result<DiskProbe> probe_disk(Node& node, std::string_view id, const std::string& directory, const std::string& kind,
                             const ProbeLimits& limits, Deadline deadline) {
  auto said = run_ok(node, root_script(fmt::format("{} probe {} {} {} {} {}", program_of(id), shell_quote(directory),
                                                   kind, limits.attempts, limits.for_ms, limits.slow_ms),
                                       deadline));
  if (!said) return fail(said.error());
  DiskProbe out;
  std::istringstream words(*said);
  if (words >> out.attempts >> out.hits >> out.slowest_ms >> out.error) return out;
  return fail(ErrorCode::remote, "the probe of the disk said: " + *said);
}

}  // namespace ordeal
