#include "harness/runner/packet_capture.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>

#include "base/text.h"
#include "harness/runner/lifecycle.h"

namespace ordeal {
namespace {

// tcpdump rotates two files of half the size, counted in millions of bytes.
std::uint64_t half_in_millions(std::uint64_t bytes) { return std::max<std::uint64_t>(1, bytes / 2'000'000); }

Command as_root(std::string script, int seconds) {
  Command out(std::move(script));
  out.sudo = true;
  out.timeout = std::chrono::seconds(seconds);
  return out;
}

std::string start_script(const PacketCapture::Settings& settings) {
  // Debian's tcpdump would become another user, who may not write here.
  return fmt::format(R"sh(command -v tcpdump >/dev/null || exit 9
umask 077
dir=$(mktemp -d /tmp/ordeal-packets-XXXXXX) || exit 1
cd "$dir" || exit 1
set -- -i any -n -U -C {size} -W 2 -w "$dir/packets.pcap"
tcpdump --help 2>&1 | grep -q 'Z user' && set -- -Z root "$@"
setsid timeout {time} tcpdump "$@" {filter} </dev/null >"$dir/log" 2>&1 &
echo $! >"$dir/pid"
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  grep -q 'listening on' "$dir/log" && echo "$dir" && exit 0
  kill -0 "$(cat "$dir/pid")" 2>/dev/null || break
  sleep 0.25 2>/dev/null || sleep 1
done
kill "$(cat "$dir/pid")" 2>/dev/null
cat "$dir/log" >&2
rm -rf "$dir"
exit 1
)sh",
                     fmt::arg("size", half_in_millions(settings.bytes)),
                     fmt::arg("time", static_cast<long long>(settings.time_s) + 1),
                     fmt::arg("filter", settings.filter.empty() ? "" : shell_quote(settings.filter)));
}

// Both files as one: the newer without its header of 24 bytes. Whoever logs in may read it then.
std::string stop_script(const std::string& folder) {
  return fmt::format(R"sh(cd {0} || exit 1
pid=$(cat pid)
kill "$pid" 2>/dev/null
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  kill -0 "$pid" 2>/dev/null || break
  sleep 0.1 2>/dev/null || sleep 1
done
first=yes
for file in $(ls -tr packets.pcap* 2>/dev/null); do
  if [ -n "$first" ]; then cat "$file"; else tail -c +25 "$file"; fi
  first=
done >all.pcap
chown -R "${{SUDO_UID:-0}}" {0}
grep 'dropped by kernel' log
exit 0
)sh",
                     shell_quote(folder));
}

}  // namespace

Result<PacketCapture> PacketCapture::start(Cluster& cluster, const Settings& settings) {
  PacketCapture out(cluster);
  std::map<const Node*, std::size_t> places;
  for (std::size_t i = 0; i < cluster.size(); ++i) places[&cluster.at(i)] = i;
  const std::string script = start_script(settings);
  auto done = on_all_nodes(cluster, [&](Node& node) -> Result<void> {
    const auto said = node.run(as_root(script, 20));
    if (!said) return fail(said.error());
    if (said->exit_code == 9) {
      return fail(ErrorCode::unsupported, "there is no tcpdump; on Debian: apt-get install tcpdump");
    }
    if (said->exit_code != 0) return fail(ErrorCode::remote, std::string(trimmed(said->err)));
    out.folders_[places.at(&node)] = trimmed(said->out);
    return {};
  });
  if (done) return out;
  RunLog silent;
  (void)on_all_nodes(cluster, [&](Node& node) -> Result<void> {
    const std::string& folder = out.folders_[places.at(&node)];
    if (folder.empty()) return {};
    (void)node.run(as_root(stop_script(folder) + "rm -rf " + shell_quote(folder), 20));
    return {};
  });
  return fail(done.error().during("capturing packets (nodes.capture)"));
}

void PacketCapture::collect(const RunDirectory& run, RunLog& log) {
  std::map<const Node*, std::size_t> places;
  for (std::size_t i = 0; i < cluster_->size(); ++i) places[&cluster_->at(i)] = i;
  (void)on_all_nodes(*cluster_, [&](Node& node) -> Result<void> {
    std::string& folder = folders_[places.at(&node)];
    if (folder.empty()) return {};
    const auto problem = [&](const std::string& what) { log.warn(node.name() + ": packets.pcap: " + what); };
    const auto stopped = node.run(as_root(stop_script(folder), 30));
    if (!stopped || stopped->exit_code != 0) {
      problem(stopped ? std::string(trimmed(stopped->err)) : stopped.error().message);
      return {};
    }
    if (!stopped->out.empty()) log.info(node.name() + ": packets.pcap: " + std::string(trimmed(stopped->out)));
    const auto directory = run.node_directory(node.name());
    const auto fetched = directory ? node.download(folder + "/all.pcap", *directory + "/packets.pcap")
                                   : Result<void>(fail(directory.error()));
    if (!fetched) problem(fetched.error().message);
    (void)node.run(as_root("rm -rf " + shell_quote(folder), 20));
    folder.clear();
    return {};
  });
}

}  // namespace ordeal
