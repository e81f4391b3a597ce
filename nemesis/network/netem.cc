#include "nemesis/network/netem.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <set>
#include <utility>

#include "harness/control/node.h"
#include "nemesis/network/packet_filter.h"
#include "nemesis/node/node_state.h"

namespace ordeal {
namespace {

constexpr std::size_t kUsualBands = 3;
// Where the default queue has what kind of traffic (pfifo_fast), so that everything else leaves as before.
constexpr std::string_view kUsualOrder = "1 2 2 2 1 2 0 0 1 1 1 1 1 1 1 1";

// device ADDRESS: by which its packets leave. queue_of DEVICE HANDLE: "" or why it must not get a queue of ours.
constexpr std::string_view kFunctions = R"script(device() { ip -o route get "$1" | sed -n 's/.* dev \([^ ]*\).*/\1/p'; }
queue_of() {
  case "$(tc qdisc show dev "$1" root)" in
    *"qdisc prio $2:"*) echo ours ;;
    *' 0: '*) ;;
    *) echo "device $1 has a queue of somebody's making" ;;
  esac
}
)script";

// The major number of a handle, 1000 to fffe in hexadecimal, by FNV-1a of the id.
std::string handle(std::string_view id) {
  std::uint32_t hash = 2166136261U;
  for (const char c : id) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
  return fmt::format("{:x}", 0x1000 + hash % 0xeffe);
}

// Who has which nodes' queues.
struct Claims {
  std::mutex mutex;
  std::set<std::pair<const Cluster*, std::size_t>> taken;
};
Claims& claims() {
  static Claims all;
  return all;
}

}  // namespace

std::string netem_remove_script(std::string_view id) {
  return fmt::format(R"(command -v tc >/dev/null || exit 0
tc qdisc show | while read -r word kind handle word device rest; do
  [ "$kind $handle" = 'prio {0}:' ] && tc qdisc del dev "$device" root
done
tc qdisc show | grep -q 'qdisc prio {0}:' && exit 1
:)",
                     handle(id));
}

std::string netem_probe_script(const NetemBands& bands, std::string_view effect) {
  std::string out(kScriptHead);
  out += kFunctions;
  out +=
      "no() { echo \"$1\"; exit 0; }\n"
      "for tool in tc ip sed unshare; do command -v $tool >/dev/null || no \"there is no $tool\"; done\n";
  if (bands.size() > kMaxNetemBands) {
    return out + fmt::format("no 'it sends to {} nodes, and prio has queues for {}'\n", bands.size(), kMaxNetemBands);
  }
  for (const auto& addresses : bands) {
    for (const auto& address : addresses) {
      out += fmt::format(
          "on=$(device {0})\n[ -n \"$on\" ] || no 'there is no way to '{0}\n"
          "reason=$(queue_of \"$on\" none)\n[ -z \"$reason\" ] || no \"$reason\"\n",
          shell_quote(address));
    }
  }
  out += fmt::format(R"script(said=$(unshare -n sh -c '
tc qdisc add dev lo root handle 1: prio bands 4 && tc qdisc add dev lo parent 1:4 {} &&
tc filter add dev lo parent 1: protocol ip prio 1 u32 match ip dst 127.0.0.2 flowid 1:4' 2>&1) ||
  no "$(echo "$said" | head -n 1)"
echo yes
)script",
                     effect);
  return out;
}

std::string netem_install_script(std::string_view id, const NetemBands& bands, std::string_view effect) {
  ORDEAL_CHECK(bands.size() <= kMaxNetemBands, "prio has 16 bands");
  std::string out(kScriptHead);
  out += "(\n" + netem_remove_script(id) + "\n) || exit 1\n";
  out += kFunctions;
  out += fmt::format(R"script(band() {{
  reason=$(queue_of "$1" {0})
  case "$reason" in
    ours) ;;
    '') tc qdisc add dev "$1" root handle {0}: prio bands {1} priomap {2} || return 1 ;;
    *) echo "$reason" >&2; return 1 ;;
  esac
  tc qdisc show dev "$1" | grep -q "parent {0}:$2 " || tc qdisc add dev "$1" parent {0}:$2 {3}
}}
to() {{
  on=$(device "$1")
  [ -n "$on" ] && band "$on" $5 &&
  tc filter add dev "$on" parent {0}: protocol $2 prio $3 u32 match $4 dst "$1" flowid {0}:$5
}}
)script",
                     handle(id), kUsualBands + bands.size(), kUsualOrder, effect);
  for (std::size_t band = 0; band < bands.size(); ++band) {
    for (const auto& address : bands[band]) {
      // Tc reads minor numbers as hexadecimal ones.
      out += fmt::format("to {} {} {:x} || exit 1\n", shell_quote(address), is_v6(address) ? "ipv6 2 ip6" : "ip 1 ip",
                         kUsualBands + 1 + band);
    }
  }
  return out;
}

std::unique_ptr<NetemClaim> NetemClaim::take(const Cluster& cluster, const std::vector<std::size_t>& nodes) {
  const std::lock_guard lock(claims().mutex);
  auto& taken = claims().taken;
  if (std::any_of(nodes.begin(), nodes.end(), [&](std::size_t node) { return taken.contains({&cluster, node}); }))
    return nullptr;
  for (const std::size_t node : nodes) taken.emplace(&cluster, node);
  return std::unique_ptr<NetemClaim>(new NetemClaim(cluster, nodes));
}

NetemClaim::~NetemClaim() {
  const std::lock_guard lock(claims().mutex);
  for (const std::size_t node : nodes_) claims().taken.erase({&cluster_, node});
}

}  // namespace ordeal
