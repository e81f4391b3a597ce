#include "nemesis/node/cgroup.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "harness/control/node.h"

namespace ordeal {
namespace {

std::string pids_of(const std::vector<OsProcess>& processes) {
  std::string out;
  for (const OsProcess& one : processes) out += fmt::format(" {}", one.pid);
  return out;
}

// `mounted VERSION` sets $mount and $root to where version 1's processor controller, or version 2, is mounted and which
// of its folders is seen there; `own VERSION PID` sets $own to the folder of a process below $mount.
constexpr std::string_view kFind = R"sh(set -f
mounted() {
  mount= root=
  while read -r line; do
    set -- $1 $line
    version=$1 at=$6 of=$5
    set -- $version ${line##* - }
    case "$version $2 ,$4," in
      "2 cgroup2 "* | "1 cgroup "*,cpu,*) mount=$at root=$of ;;
    esac
  done </proc/self/mountinfo
  [ -n "$mount" ]
}
own() {
  own=
  while IFS= read -r line; do
    case "$1 $line" in
      "2 0::"* | "1 "*:cpu:* | "1 "*:cpu,*:* | "1 "*,cpu:* | "1 "*,cpu,*:*) own=/${line#*:*:/} ;;
    esac
  done </proc/$2/cgroup
  case $own in "" | *[[:space:]]* | /..*) return 1 ;; esac
  if [ "$root" != / ]; then
    case $own/ in "$root"/*) own=${own#"$root"} ;; *) return 1 ;; esac
  fi
  own=$mount${own%/}
}
)sh";

// For each use: prints "PID VERSION OWN OURS" for the process whose folder is $own, or ends with status 1.
constexpr std::string_view kFreezer = R"sh(usable() {
  why="the folder $own is not writable"
  [ -w "$own" ] || return 1
  why="the group $own limits its children, and may have no child with processes"
  if [ -e "$own/cgroup.type" ]; then
    [ "$(cat "$own/cgroup.type")" = domain ] && [ -z "$(cat "$own/cgroup.subtree_control")" ] || return 1
    why="this kernel cannot freeze groups"
    [ -e "$own/cgroup.freeze" ] || return 1
  fi
  echo "$pid 2 $own $own/ordeal-$id"
}
versions=2
)sh";

constexpr std::string_view kQuota = R"sh(usable() {
  if [ "$1" = 1 ]; then
    why="the folder $own is not writable"
    [ -w "$own" ] || return 1
    why="this kernel has no processor quota"
    [ -e "$own/cpu.cfs_quota_us" ] || return 1
    echo "$pid 1 $own $own/ordeal-$id"
    return 0
  fi
  beside=$own
  if [ -e "$own/cgroup.type" ]; then
    why="what is above the group $own is not seen on this node"
    [ "$own" != "$mount" ] || return 1
    beside=${own%/*}
  fi
  why="the folder $beside is not writable"
  [ -w "$beside" ] || return 1
  why="the processor is not shared out by groups in $beside"
  case " $(cat "$beside/cgroup.subtree_control") " in *" cpu "*) ;; *) return 1 ;; esac
  echo "$pid 2 $own $beside/ordeal-$id"
}
versions="2 1"
)sh";

constexpr std::string_view kEach = R"sh(for pid in{pids}; do
  [ -e /proc/$pid/cgroup ] || continue
  why="no cgroup that could do it is mounted"
  done=
  for version in $versions; do
    mounted $version || continue
    why="the group of process $pid is not seen on this node"
    own $version $pid 2>/dev/null || continue
    usable $version && done=yes && break
  done
  [ -n "$done" ] || {{ echo "! $why"; exit 0; }}
done
exit 0
)sh";

// Again and again, since what is in the group may fork meanwhile.
constexpr std::string_view kLeave = R"sh(leave() {
  [ -d "$2" ] || return 0
  [ ! -e "$2/cgroup.freeze" ] || echo 0 >"$2/cgroup.freeze"
  tries=0
  while [ -d "$2" ]; do
    [ -d "$1" ] || mkdir "$1" 2>/dev/null
    for pid in $(cat "$2/cgroup.procs" 2>/dev/null); do echo "$pid" 2>/dev/null >"$1/cgroup.procs"; done
    rmdir "$2" 2>/dev/null && return 0
    tries=$((tries + 1))
    [ $tries -lt 40 ] || { echo "the group $2 cannot be removed" >&2; return 1; }
    sleep 0.05
  done
}
)sh";

// Makes our groups, prepares each with `prepare` (in which $ours is its folder), and moves the processes that still are
// who they were.
std::string enter_script(const CgroupPlan& plan, const std::vector<OsProcess>& processes, std::string_view prepare) {
  std::string out = R"sh(enter() {
  line=
  read -r line 2>/dev/null </proc/$1/stat || return 0
  started=$2 pid=$1
  set -- ${line##*) }
  [ "${20}" != "$started" ] || echo $pid >"$ours/cgroup.procs" || [ ! -e /proc/$pid ]
}
)sh";
  for (const CgroupMove& one : plan.moves) {
    out += fmt::format("ours={}\n[ -d \"$ours\" ] || mkdir \"$ours\" || exit 1\n{}", shell_quote(one.ours), prepare);
    for (const OsProcess& process : processes) {
      if (std::find(one.pids.begin(), one.pids.end(), process.pid) == one.pids.end()) continue;
      out += fmt::format("enter {} {} || exit 1\n", process.pid, process.started);
    }
  }
  return out;
}

}  // namespace

std::string cgroup_find_script(CgroupUse use, std::string_view id, const std::vector<OsProcess>& processes) {
  return fmt::format("id={}\n{}{}{}", id, kFind, use == CgroupUse::freeze ? kFreezer : kQuota,
                     fmt::format(kEach, fmt::arg("pids", pids_of(processes))));
}

CgroupPlan parse_cgroups(const std::string& output) {
  CgroupPlan out;
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("! ")) {
      out.problem = line.substr(2);
      continue;
    }
    std::istringstream words(line);
    int pid = 0;
    CgroupMove move;
    std::string more;
    if (!(words >> pid >> move.version >> move.own >> move.ours) || words >> more) {
      out.problem = "a group's name has blanks";
      continue;
    }
    auto same =
        std::find_if(out.moves.begin(), out.moves.end(), [&](const CgroupMove& one) { return one.ours == move.ours; });
    if (same == out.moves.end()) same = out.moves.insert(same, std::move(move));
    same->pids.push_back(pid);
  }
  return out;
}

std::string freeze_script(const CgroupPlan& plan, const std::vector<OsProcess>& processes) {
  std::string out = enter_script(plan, processes, "[ -e \"$ours/cgroup.freeze\" ] || exit 1\n");
  for (const CgroupMove& one : plan.moves) {
    out += fmt::format("echo 1 >{}/cgroup.freeze || exit 1\n", shell_quote(one.ours));
  }
  return out + "exit 0\n";
}

std::string quota_script(const CgroupPlan& plan, const std::vector<OsProcess>& processes, std::int64_t percent,
                         std::int64_t period_ms) {
  const std::int64_t period_us = std::min<std::int64_t>(period_ms * 1000, 1'000'000);     // the kernel's longest
  const std::int64_t quota_us = std::max<std::int64_t>(1000, period_us * percent / 100);  // and least
  const std::string prepare = fmt::format(
      "if [ -e \"$ours/cpu.max\" ]; then echo \"{0} {1}\" >\"$ours/cpu.max\" || exit 1\n"
      "else echo {1} >\"$ours/cpu.cfs_period_us\" && echo {0} >\"$ours/cpu.cfs_quota_us\" || exit 1\n"
      "fi\n",
      quota_us, period_us);
  return enter_script(plan, processes, prepare) + "exit 0\n";
}

std::string cgroup_leave_script(const CgroupPlan& plan) {
  std::string out(kLeave);
  for (const CgroupMove& one : plan.moves) {
    out += fmt::format("leave {} {} || exit 1\n", shell_quote(one.own), shell_quote(one.ours));
  }
  return out + "exit 0";
}

std::string cgroup_look_script(const CgroupPlan& plan, std::string_view id, const std::vector<OsProcess>& processes) {
  std::string out;
  for (const CgroupMove& one : plan.moves) {
    out += fmt::format("[ ! -d {0} ] || echo the group {0} is still there\n", shell_quote(one.ours));
  }
  for (const OsProcess& one : processes) {
    out += fmt::format("! grep -qs '/ordeal-{1}$' /proc/{0}/cgroup || echo process {0} is not in its own group\n",
                       one.pid, id);
  }
  return out + "exit 0\n";
}

}  // namespace ordeal
