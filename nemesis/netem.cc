#include "nemesis/netem.h"

#include <fmt/format.h>

#include <cstdint>

#include "harness/control/node.h"
#include "nemesis/node_state.h"
#include "nemesis/packet_filter.h"

namespace ordeal {
namespace {

// The major number of a handle, 1000 to fffe in hexadecimal, by FNV-1a of the id.
std::string handle(std::string_view id) {
  std::uint32_t hash = 2166136261U;
  for (const char c : id) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
  return fmt::format("{:x}", 0x1000 + hash % 0xeffe);
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

std::string netem_install_script(std::string_view id, const std::vector<std::string>& destinations,
                                 std::string_view effect) {
  std::string out(kScriptHead);
  out += "(\n" + netem_remove_script(id) + "\n) || exit 1\n";
  out += fmt::format(R"script(queue() {{
  case "$(tc qdisc show dev "$1" root)" in
    *'qdisc prio {0}:'*) return 0 ;;
    *' 0: '*) ;;
    *) echo "device $1 has a queue of somebody's making" >&2; return 1 ;;
  esac
  tc qdisc add dev "$1" root handle {0}: prio bands 4 priomap 1 2 2 2 1 2 0 0 1 1 1 1 1 1 1 1 &&
  tc qdisc add dev "$1" parent {0}:4 netem limit 32768 {1}
}}
to() {{
  device=$(ip -o route get "$1" | sed -n 's/.* dev \([^ ]*\).*/\1/p')
  [ -n "$device" ] && queue "$device" &&
  tc filter add dev "$device" parent {0}: protocol $2 prio $3 u32 match $4 dst "$1" flowid {0}:4
}}
)script",
                     handle(id), effect);
  for (const auto& address : destinations) {
    out += fmt::format("to {} {} || exit 1\n", shell_quote(address), is_v6(address) ? "ipv6 2 ip6" : "ip 1 ip");
  }
  return out;
}

}  // namespace ordeal
