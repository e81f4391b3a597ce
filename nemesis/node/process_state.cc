#include "nemesis/node/process_state.h"

#include <fmt/format.h>

#include <charconv>
#include <sstream>

namespace ordeal {
namespace {

// Runs `action` with $pid and $1 (the state) for each process that is still the one meant. The name in the line of
// /proc may hold spaces and brackets; what follows the last ") " may not.
std::string for_each(const std::vector<OsProcess>& processes, std::string_view action) {
  std::string list;
  for (const OsProcess& one : processes) list += fmt::format(" {}:{}", one.pid, one.started);
  return fmt::format(R"(for one in{}; do
  pid=${{one%%:*}}
  line=
  read -r line 2>/dev/null </proc/$pid/stat || continue
  set -- ${{line##*) }}
  [ "${{20}}" = "${{one#*:}}" ] || continue
  {}
done)",
                     list, action);
}

}  // namespace

std::string states_script(const std::vector<int>& pids) {
  std::string out;
  for (const int pid : pids) out += fmt::format("cat /proc/{}/stat 2>/dev/null\n", pid);
  return out + "exit 0\n";
}

std::vector<ProcessState> parse_states(std::string_view output) {
  std::vector<ProcessState> out;
  std::istringstream lines{std::string(output)};
  std::string line;
  while (std::getline(lines, line)) {
    const auto name_end = line.rfind(") ");
    ProcessState one;
    if (name_end == std::string::npos ||
        std::from_chars(line.data(), line.data() + line.size(), one.id.pid).ec != std::errc()) {
      continue;
    }
    std::istringstream fields(line.substr(name_end + 2));
    std::string field;
    for (int i = 0; i < 20 && fields >> field; ++i) {
      if (i == 0) one.state = field[0];
      if (i == 19) std::from_chars(field.data(), field.data() + field.size(), one.id.started);
    }
    out.push_back(one);
  }
  return out;
}

std::string stop_script(const std::vector<OsProcess>& processes) {
  return for_each(processes, "kill -STOP $pid || exit 1") + "\nexit 0\n";
}

std::string signal_script(const std::vector<OsProcess>& processes, std::string_view signal) {
  return for_each(processes, fmt::format("kill -{} $pid 2>/dev/null", signal)) + "\nexit 0\n";
}

std::string continue_script(const std::vector<OsProcess>& processes) {
  return for_each(processes, R"(case "$1" in T | t) kill -CONT $pid ;; esac)") + "\nexit 0";
}

}  // namespace ordeal
