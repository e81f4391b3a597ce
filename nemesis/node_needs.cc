#include "nemesis/node_needs.h"

#include <fmt/format.h>

#include <fstream>
#include <map>
#include <numeric>

#include "base/text.h"
#include "harness/control/node.h"
#include "nemesis/network/netem.h"
#include "nemesis/node/node_program.h"
#include "nemesis/node/node_state.h"
#include "nemesis/node/parallel.h"

namespace ordeal {
namespace {

// Numbers of linux/capability.h.
constexpr int kNetAdmin = 12;
constexpr int kSysPtrace = 19;
constexpr int kSysAdmin = 21;
constexpr int kSysTime = 25;

constexpr std::string_view kFunctions =
    R"sh(tool() { command -v "$1" >/dev/null || echo "$1 is not installed (package $2)"; }
capability() {
  held=$(sed -n 's/^CapEff:[^0-9a-f]*//p' /proc/self/status)
  [ $((0x$held >> $1 & 1)) = 1 ] && return
  echo "root may not $3 there: the capability $2 is missing (in a container: --cap-add $2)"
  return 1
}
)sh";

// An agent that may not be executed where it is put would fail only when it is wanted.
std::string look_for_agent() {
  return missing_program_script(NodeProgram::agent) +
         "case \",$(findmnt -n -o OPTIONS -T /var/lib 2>/dev/null),\" in *,noexec,*) echo \"no program may be run "
         "below /var/lib: it "
         "is mounted noexec\" ;; esac\n";
}

// Read only; iptables says then also what its kernel half, or the namespace, does not allow.
std::string look_for_filter() {
  return "for one in iptables iptables-restore; do tool $one iptables; done\n" +
         fmt::format("if capability {} NET_ADMIN 'filter packets' && command -v iptables >/dev/null; then\n",
                     kNetAdmin) +
         "  said=$(iptables -w 5 -n -L INPUT 2>&1) || echo \"iptables does not work: $(echo \"$said\" | head -n 1)\"\n"
         "fi\n";
}

// --test builds the table and does not commit it.
constexpr std::string_view kQueue =
    R"sh(if command -v iptables-restore >/dev/null && iptables -w 5 -n -L INPUT >/dev/null 2>&1; then
  said=$(printf '*mangle\n-A INPUT -j NFQUEUE --queue-num 1 --queue-bypass\nCOMMIT\n' | iptables-restore -w 5 -n --test 2>&1) ||
    echo "iptables cannot lead packets to a program (target NFQUEUE): $(echo "$said" | head -n 1)"
fi
)sh";

// $netem: "yes", or why not.
std::string ask_for_netem() { return "netem=$(\n" + netem_probe_script({}, "netem delay 1ms") + ")\n"; }

// Whether a file system may be mounted is tried in a mount namespace that ends with the attempt: a security module may
// forbid what the capability allows. Private by our own word: before util-linux 2.27 the node would have seen the
// mount.
std::string look_for_fuse() {
  return missing_program_script(NodeProgram::disk) +
         "if [ ! -c /dev/fuse ]; then echo 'there is no /dev/fuse (in a container: --device /dev/fuse)'\n"
         "else said=$( (: <>/dev/fuse) 2>&1) || echo \"/dev/fuse cannot be opened: ${said##*: }\"\nfi\n" +
         fmt::format("if capability {} SYS_ADMIN 'mount file systems' && command -v unshare >/dev/null; then\n",
                     kSysAdmin) +
         "  said=$(unshare -m sh -c 'mount --make-rprivate / && mount -t tmpfs tmpfs /var/lib' 2>&1) || echo \"file "
         "systems may not be mounted: $said\"\n"
         "fi\n";
}

// A process of the same user may be traced without any capability, unless Yama forbids it.
std::string look_for_trace() {
  return fmt::format(
      "case $(cat /proc/sys/kernel/yama/ptrace_scope 2>/dev/null) in '' | 0) ;;\n"
      "3) echo 'nobody may trace processes there (kernel.yama.ptrace_scope is 3)' ;;\n"
      "*) capability {} SYS_PTRACE 'trace processes' ;;\nesac\n",
      kSysPtrace);
}

// A kernel is known by the id of its boot.
std::string look_for_own_clock() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string boot;
  std::getline(file, boot);
  return fmt::format(
      "if [ \"$(cat /proc/sys/kernel/random/boot_id)\" = {} ]; then echo \"it shares its kernel and clock with the "
      "controller, as local nodes and containers do; the fault clock is for them\"\nelse capability {} SYS_TIME "
      "'set the clock'\nfi\n",
      boot, kSysTime);
}

std::string look_for(NodeNeed need) {
  switch (need) {
    case NodeNeed::agent:
      return look_for_agent();
    case NodeNeed::packet_filter:
      return look_for_filter();
    case NodeNeed::packet_queue:
      return std::string(kQueue);
    case NodeNeed::netem:
      return ask_for_netem() + "[ \"$netem\" = yes ] || echo \"the kernel does not shape packets: $netem\"\n";
    case NodeNeed::netem_or_queue:
      return ask_for_netem() + "if [ \"$netem\" != yes ]; then\n" + look_for_filter() + std::string(kQueue) + "fi\n";
    case NodeNeed::connect:
      return "tool bash bash\ntool timeout coreutils\n";
    case NodeNeed::trace:
      return look_for_trace();
    case NodeNeed::fuse:
      return look_for_fuse();
    case NodeNeed::own_clock:
      return look_for_own_clock();
  }
  return "";
}

// What the script prints on all nodes, one line each: "n1, n2: iptables is not installed; …".
Result<std::string> ask_all(const Cluster& cluster, const std::string& script, Deadline deadline) {
  std::vector<std::size_t> all(cluster.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  const auto said = run_scripts(cluster, all, std::vector(all.size(), script), deadline);
  if (auto asked = all_done(said); !asked)
    return fail(asked.error().during("looking for what the faults need on the nodes"));
  std::map<std::string, std::string> nodes_by_line;
  for (const std::size_t node : all) {
    for (const std::string& line : lines(*said[node])) {
      std::string& nodes = nodes_by_line[line];
      nodes += (nodes.empty() ? "" : ", ") + cluster.at(node).name();
    }
  }
  std::string out;
  for (const auto& [line, nodes] : nodes_by_line) out += fmt::format("{}{}: {}", out.empty() ? "" : "; ", nodes, line);
  return out;
}

}  // namespace

std::string missing_script(const std::vector<NodeNeed>& needs) {
  std::string out = std::string(kScriptHead) + std::string(kFunctions);
  for (const NodeNeed need : needs) out += look_for(need);
  return out + "exit 0\n";
}

MissingNeeds missing_needs(const Cluster& cluster) {
  return [&cluster, known = std::map<std::string, std::string>()](const std::vector<NodeNeed>& needs,
                                                                  Deadline deadline) mutable -> Result<std::string> {
    if (needs.empty() || cluster.nodes.empty()) return std::string();
    const std::string script = missing_script(needs);
    if (const auto found = known.find(script); found != known.end()) return found->second;
    auto told = ask_all(cluster, script, deadline);
    if (told) known[script] = *told;
    return told;
  };
}

}  // namespace ordeal
