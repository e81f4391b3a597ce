#include "harness/runner/core_dumps.h"

#include <fmt/format.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <sstream>

#include "base/text.h"
#include "harness/runner/lifecycle.h"

namespace ordeal {
namespace {

constexpr int kMaxCores = 5;
constexpr std::uint64_t kBlock = 512;  // what `ulimit -c` of a POSIX shell counts in

// A node whose commands may leave cores.
class LimitedNode final : public Node {
 public:
  LimitedNode(std::unique_ptr<Node> to, std::uint64_t max_bytes)
      : to_(std::move(to)), prefix_(fmt::format("ulimit -c {} 2>/dev/null\n", max_bytes / kBlock)) {}
  const std::string& name() const override { return to_->name(); }
  const std::string& address() const override { return to_->address(); }
  Result<CommandOutput> run(const Command& command) override {
    Command limited = command;
    limited.script = prefix_ + command.script;
    return to_->run(limited);
  }
  Result<void> upload(const std::string& local, const std::string& remote, const TransferProgress& progress) override {
    return to_->upload(local, remote, progress);
  }
  Result<void> download(const std::string& remote, const std::string& local,
                        const TransferProgress& progress) override {
    return to_->download(remote, local, progress);
  }

 private:
  const std::unique_ptr<Node> to_;
  const std::string prefix_;
};

Command as_root(std::string script, int seconds) {
  Command out(std::move(script));
  out.sudo = true;
  out.timeout = std::chrono::seconds(seconds);
  return out;
}

// The names that a pattern of core(5) gives: "core.%e.%p" -> "core.*.*"; with kernel.core_uses_pid also "core.*".
std::string glob_of(const std::string& base) {
  std::string out;
  for (std::size_t i = 0; i < base.size(); ++i) {
    if (base[i] == '%' && i + 1 < base.size()) {
      out += base[++i] == '%' ? "%" : "*";
    } else if (std::string_view("*?[\\").find(base[i]) != std::string_view::npos) {
      out += '?';
    } else {
      out += base[i];
    }
  }
  return out;
}

// Prints the paths of gzipped copies that the login user may read, in a folder whose name comes first.
std::string gather_script(const std::string& pattern, std::int64_t since_s, const std::vector<std::string>& more) {
  const bool absolute = pattern.starts_with('/');
  const auto slash = pattern.find_last_of('/');
  const std::string glob = glob_of(slash == std::string::npos ? pattern : pattern.substr(slash + 1));
  std::string places;
  if (absolute) {
    places = " " + shell_quote(pattern.substr(0, slash == 0 ? 1 : slash));
  } else {
    // Where a process was at work when it crashed nobody knows afterwards; where the others are, and where commands
    // begin.
    places = " / ~ /root $(readlink /proc/[0-9]*/cwd 2>/dev/null | sort -u)";
    for (const auto& one : more) places += " " + shell_quote(one);
  }
  return fmt::format(R"sh(umask 077
dir=$(mktemp -d /tmp/ordeal-cores-XXXXXX) || exit 1
echo "$dir"
n=0
for place in{places}; do readlink -f "$place"; done | sort -u | while read -r place; do
  find "$place" -maxdepth 1 -type f \( -name {glob} -o -name {glob}'.*' \) -newermt @{since} -size +0 2>/dev/null
done | sort -u | head -n {most} | while read -r core; do
  n=$((n + 1))
  name=$(basename "$core").$n.gz
  gzip -1 -c "$core" >"$dir/$name" && echo "$name $core"
done
chown -R "${{SUDO_UID:-0}}" "$dir"
)sh",
                     fmt::arg("places", places), fmt::arg("glob", shell_quote(glob)), fmt::arg("since", since_s),
                     fmt::arg("most", kMaxCores));
}

}  // namespace

Result<CoreDumps> CoreDumps::allow(Cluster& cluster, std::uint64_t max_bytes, RunLog& log) {
  for (auto& node : cluster.nodes) node = std::make_unique<LimitedNode>(std::move(node), max_bytes);
  CoreDumps out(cluster);
  std::map<const Node*, std::size_t> places;
  for (std::size_t i = 0; i < cluster.size(); ++i) places[&cluster.at(i)] = i;
  auto asked = on_all_nodes(cluster, [&](Node& node) -> Result<void> {
    auto said = run_ok(node, as_root("date +%s; ulimit -c; cat /proc/sys/kernel/core_pattern", 20));
    if (!said) return fail(said.error());
    std::istringstream lines(*said);
    OnNode& here = out.nodes_[places.at(&node)];
    std::string limit;
    lines >> here.since_s >> limit >> std::ws;
    std::getline(lines, here.pattern);
    if (here.pattern.starts_with('|')) {
      log.warn(
          fmt::format("{}: no core dumps can be fetched: this machine's kernel pipes them to a program "
                      "(/proc/sys/kernel/core_pattern is \"{}\"). It is one setting for all that runs there, so "
                      "that it is left alone; `sysctl kernel.core_pattern=core` changes it",
                      node.name(), here.pattern));
    } else if (limit != "unlimited" && std::strtoull(limit.c_str(), nullptr, 10) < max_bytes / kBlock) {
      log.warn(fmt::format("{}: core dumps are limited to {} blocks of 512 bytes there, and that cannot be raised",
                           node.name(), limit));
    }
    return {};
  });
  if (!asked) return fail(asked.error().during("allowing core dumps (nodes.cores)"));
  return out;
}

std::size_t CoreDumps::collect(const std::vector<std::vector<std::string>>& directories, const RunDirectory& run,
                               RunLog& log) {
  std::atomic<std::size_t> fetched = 0;
  std::map<const Node*, std::size_t> places;
  for (std::size_t i = 0; i < cluster_->size(); ++i) places[&cluster_->at(i)] = i;
  (void)on_all_nodes(*cluster_, [&](Node& node) -> Result<void> {
    const std::size_t at = places.at(&node);
    const OnNode& here = nodes_[at];
    if (here.pattern.empty() || here.pattern.starts_with('|')) return {};
    const auto& more = at < directories.size() ? directories[at] : std::vector<std::string>();
    const auto said = run_ok(node, as_root(gather_script(here.pattern, here.since_s, more), 120));
    if (!said) {
      log.warn(node.name() + ": looking for core dumps: " + said.error().message);
      return {};
    }
    std::istringstream lines(*said);
    std::string folder;
    std::getline(lines, folder);
    for (std::string name, path; lines >> name && std::getline(lines, path);) {
      const auto directory = run.node_directory(node.name());
      if (!directory) return fail(directory.error());
      std::error_code error;
      std::filesystem::create_directories(*directory + "/cores", error);
      const auto got = node.download(folder + "/" + name, *directory + "/cores/" + name);
      if (got) ++fetched;
      log.info(fmt::format("{}: core dump{} fetched as cores/{}{}", node.name(), path, name,
                           got ? "" : ": not: " + got.error().message));
    }
    if (!folder.empty()) (void)node.run(as_root("rm -rf " + shell_quote(folder), 20));
    return {};
  });
  return fetched;
}

}  // namespace ordeal
