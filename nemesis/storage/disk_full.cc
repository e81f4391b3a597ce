#include "nemesis/storage/disk_full.h"

#include <fmt/format.h>

#include <sstream>

#include "nemesis/node/node_state.h"
#include "nemesis/node/parallel.h"
#include "nemesis/node/process_injection.h"
#include "nemesis/storage/disk_program.h"

namespace ordeal {
namespace {

constexpr std::uint64_t kMebibyte = std::uint64_t{1} << 20U;

class DiskFull : public ProcessInjection {
 public:
  DiskFull(const FaultContext& context, Selection selection, std::uint64_t spare)
      : ProcessInjection(context, std::move(selection)),
        id_(context.id),
        spare_(spare),
        before_(context.cluster.size()) {}

  Value describe() const override {
    Value out = ProcessInjection::describe();
    out.set("spare", static_cast<std::int64_t>(spare_));
    out.set("mechanism", mechanism());
    return out;
  }

  bool takes_stopped() const override { return true; }

  Result<void> prepare(Deadline deadline) override {
    if (auto done = ProcessInjection::prepare(deadline); !done) return done;
    return on_all([&](std::size_t node) -> Result<void> {
      auto now = left(node, deadline);
      if (!now) return fail(now.error());
      before_[node] = *now;
      return {};
    });
  }

  Result<Observation> confirm(Deadline deadline) override {
    return observe_all(deadline, [&](std::size_t node) { return look(node, true, deadline); });
  }

  // The target may have ended of it.
  Result<void> heal(Deadline) override { return start_again(); }

  Result<Observation> confirm_healed(Deadline deadline) override {
    return observe_all(deadline, [&](std::size_t node) { return look(node, false, deadline); });
  }

 protected:
  virtual const char* mechanism() const = 0;
  std::vector<std::string> directories(std::size_t node) const { return data_directories(target_, cluster_.at(node)); }

  const std::string id_;
  const std::uint64_t spare_;

 private:
  // The bytes that df(1) says are left for the target's data.
  Result<std::uint64_t> left(std::size_t node, Deadline deadline) const {
    auto said = run_ok(cluster_.at(node), root_script(fmt::format("df -P -B1 {} | awk 'END {{ print $4 }}'",
                                                                  shell_quote(directories(node).front())),
                                                      deadline));
    if (!said) return fail(said.error());
    return std::strtoull(said->c_str(), nullptr, 10);
  }

  // Whether more than is to be left can be written beside the target's files.
  Result<Observation> look(std::size_t node, bool full, Deadline deadline) const {
    auto now = left(node, deadline);
    if (!now) return fail(now.error());
    const std::uint64_t more = spare_ / kMebibyte + 1;
    auto said =
        run_ok(cluster_.at(node),
               root_script(fmt::format("file={}/.ordeal-probe-$(od -An -N8 -tx8 /dev/urandom | tr -d ' '); "
                                       "dd if=/dev/zero of=\"$file\" bs=1048576 count={} conv=excl,fsync 2>&1 | "
                                       "grep -o 'No space left.*'; rm -f \"$file\"",
                                       shell_quote(directories(node).front()), more),
                           deadline));
    if (!said) return fail(said.error());
    const bool refused = !said->empty();
    return Observation{refused == full,
                       fmt::format("{} bytes are left, as df says ({} before); writing {} MiB {}", *now, before_[node],
                                   more, refused ? "met no space left on the device" : "was possible")};
  }

  std::vector<std::uint64_t> before_;  // by node
};

// The FUSE disk says that it is full, and is; the node's own is not touched.
class Quota final : public DiskFull {
 public:
  using DiskFull::DiskFull;

  std::vector<Undo> undo() const override {
    std::vector<Undo> out;
    for (const std::size_t node : selection_.nodes) {
      out.push_back({name(node), undo_and_revive(node, tell_disks_script(id_, directories(node), {"clear", id_}))});
    }
    return out;
  }

  Result<void> inject(Deadline deadline) override {
    return on_all([&](std::size_t node) -> Result<void> {
      auto done =
          tell_disks(cluster_.at(node), id_, directories(node), {"fill", id_, std::to_string(spare_)}, deadline);
      if (!done) return fail(done.error());
      return {};
    });
  }

 private:
  const char* mechanism() const override { return "quota of the FUSE disk"; }
};

// A file of ours takes all the space of the file system that holds the data.
class Balloon final : public DiskFull {
 public:
  using DiskFull::DiskFull;

  std::vector<Undo> undo() const override {
    std::vector<Undo> out;
    for (const std::size_t node : selection_.nodes) {
      out.push_back({name(node), undo_and_revive(node, fmt::format("rm -f {0}; [ ! -e {0} ]", balloon(node)))});
    }
    return out;
  }

  Result<void> inject(Deadline deadline) override {
    return on_all([&](std::size_t node) -> Result<void> {
      // What a local node or a container writes is on a file system that it shares with others; so is what is on /.
      auto done = run_ok(cluster_.at(node),
                         root_script(fmt::format(R"({head}directory={directory}; balloon={balloon}; spare={spare}
mount=$(stat -c %m "$directory") || exit 1
if [ "$mount" = / ]; then
  echo "$directory is on the file system of /, which is more than the target's: give it one of its own, or say disk-full.mechanism=quota" >&2
  exit 1
fi
free() {{ df -P -B1 "$directory" | awk 'END {{ print $4 }}'; }}
size=$(($(free) - spare))
[ "$size" -gt 0 ] || exit 0
# The directory is the target's: what lies there under this name, a link perhaps, is not written to.
set -C
exec 9>"$balloon" || exit 1
fallocate -l "$size" /dev/fd/9 2>/dev/null && exit 0
# What fallocate cannot take in one piece, or at all.
count=$((size / 1048576 + 1))
dd if=/dev/zero of=/dev/fd/9 bs=1048576 count="$count" 2>/dev/null
left=$(free); [ "$left" -ge "$spare" ] || truncate -s -$((spare - left)) /dev/fd/9
exit 0)",
                                                 fmt::arg("head", kScriptHead),
                                                 fmt::arg("directory", shell_quote(directories(node).front())),
                                                 fmt::arg("balloon", balloon(node)), fmt::arg("spare", spare_)),
                                     deadline));
      if (!done) return fail(done.error());
      return {};
    });
  }

 private:
  const char* mechanism() const override { return "a file that takes all the space"; }
  std::string balloon(std::size_t node) const {
    return shell_quote(directories(node).front() + "/.ordeal-balloon-" + id_);
  }
};

}  // namespace

FaultFactory disk_full_fault() {
  using Type = OptionSpec::Type;
  FaultFactory out;
  out.name = "disk-full";
  out.crashes = true;
  out.help =
      "No space is left for the target's data; healed by giving it back, and by starting a target that ended of it. "
      "Mechanism: quota (the FUSE file system of power-loss is full; the node's own is not touched), or balloon (a "
      "file of "
      "ours takes all the space of the file system that holds the data, which must not be that of /). Proof: df, and a "
      "write beside the target's files that meets ENOSPC. Needs on the nodes: root or sudo; quota: as power-loss.";
  out.options = {
      process_nodes_option("disk-full"),
      {"disk-full.mechanism",
       Type::string,
       "quota",
       "quota or balloon",
       std::nullopt,
       std::nullopt,
       {"quota", "balloon"}},
      {"disk-full.spare", Type::integer, 0, "bytes that are left", 0, 1e12},
  };
  out.inapplicable = [](const FaultContext& context) {
    const std::string problem = process_fault_problem(context, "disk-full");
    return problem.empty() ? disk_problem(context) : problem;
  };
  out.plan = [](const FaultContext& context, std::mt19937_64& random) -> Result<std::unique_ptr<Injection>> {
    const auto spare = static_cast<std::uint64_t>(context.options.integer("disk-full.spare"));
    if (context.options.string("disk-full.mechanism") == "balloon")
      return plan_on_nodes<Balloon>(context, "disk-full.nodes", random, spare);
    return plan_on_nodes<Quota>(context, "disk-full.nodes", random, spare);
  };
  out.needs = [](const Options& options) {
    return options.string("disk-full.mechanism") == "balloon" ? std::vector<NodeNeed>() : disk_needs(options);
  };
  out.groundwork = [](const Options& options) -> const Groundwork* {
    return options.string("disk-full.mechanism") == "balloon" ? nullptr : &disk_groundwork();
  };
  return out;
}

}  // namespace ordeal
