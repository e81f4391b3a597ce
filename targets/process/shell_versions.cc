#include "targets/process/shell_versions.h"

#include <fmt/format.h>

#include <set>
#include <sstream>

namespace ordeal {

std::string ShellVersions::problem() const {
  if (!commands_.given("process.upgrade-start")) {
    return "target process has no second version: set process.upgrade-start, the command that starts it";
  }
  if (!commands_.given("process.pids")) return "process.pids is needed to see which version runs";
  if (commands_.text("process.upgrade-start") == commands_.text("process.start")) {
    return "process.upgrade-start is the same command as process.start";
  }
  return "";
}

Result<Target::Versions::Running> ShellVersions::running(Node& node, Deadline deadline) {
  const auto pids = commands_.pids(node);
  if (!pids) return fail(pids.error());
  if (pids->empty()) return Running{std::nullopt, "no process runs"};
  std::string text;
  for (const int pid : *pids) {
    text += fmt::format(
        "mark=$(tr '\\0' '\\n' </proc/{0}/environ 2>/dev/null | sed -n 's/^ORDEAL_START=//p' | head -n 1)\n"
        "[ -d /proc/{0} ] && echo \"${{mark:-none}} $(readlink /proc/{0}/exe)\"\n",
        pid);
  }
  const auto printed =
      run_ok(node, commands_.command(node, text + ":\n", deadline.within(std::chrono::seconds(10)).remaining()));
  if (!printed) return fail(printed.error());
  std::set<std::string> marks;
  std::string program;
  std::istringstream lines(*printed);
  for (std::string mark, exe; lines >> mark && std::getline(lines, exe);) {
    marks.insert(mark);
    program = exe.substr(exe.find_first_not_of(' ') == std::string::npos ? exe.size() : exe.find_first_not_of(' '));
  }
  if (marks.empty()) return Running{std::nullopt, "its processes have ended meanwhile"};
  if (marks.size() > 1)
    return Running{std::nullopt, fmt::format("of its {} processes not all are of one version", pids->size())};
  const std::string& mark = *marks.begin();
  if (mark != "first" && mark != "second") {
    return Running{
        std::nullopt,
        fmt::format("the environment of {} has no ORDEAL_START (whoever starts it must pass it on)", program)};
  }
  return Running{mark == "second" ? Version::second : Version::first,
                 fmt::format("{} with ORDEAL_START={} in its environment", program, mark)};
}

}  // namespace ordeal
