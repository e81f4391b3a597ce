#include "nemesis/node/node_state.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "harness/control/node.h"

namespace ordeal {
namespace {

// Whether $watchdog is the process id of the watchdog of $state. Process ids are used again, in a container that was
// started again even the same ones; and whoever runs this has these words in its command line, too, so that they must
// be one argument.
constexpr std::string_view kIsWatchdog =
    R"([ -n "$watchdog" ] && tr '\0' '\n' 2>/dev/null <"/proc/$watchdog/cmdline" | grep -qxF "$state/watchdog.sh")";

// The loop sleeps half a second at a time, or a second where `sleep` knows no fractions, and compares what the
// controller wrote last with what it saw before. On a busy node each turn takes longer than it sleeps, so it also asks
// for how long the node has been up, in hundredths of a second, which no change of a clock changes: half a second more
// than the limit is silence enough. It ends when the undo script is gone: whoever undid the fault has removed it.
constexpr std::string_view kWatchdog =
    R"sh(# Ordeal's dead-man's switch: undoes the fault beside it when the controller has fallen silent.
state={state}
# On a busy node it comes before what is busy, with all that it starts, until it starts the target (start_in_undo()). Linux
# weighs sessions first where it groups them (autogroup), and only then the processes in one.
if [ "$1" = leads ]; then
  export ORDEAL_NICE="$(nice 2>/dev/null)" ORDEAL_WATCHDOG=$$
  renice -15 -p $$ >/dev/null 2>&1
  echo -15 2>/dev/null >/proc/$$/autogroup
fi
silent=0
last=none
up() {{
  now_up=
  read -r now_up rest 2>/dev/null </proc/uptime
  case $now_up in [1-9]*.*) now_up=${{now_up%.*}}${{now_up#*.}} ;; *) now_up=0 ;; esac
}}
up
heard=$now_up
nap=1 limit={limit}
if sleep 0.5 2>/dev/null; then nap=0.5 limit=$((2 * {limit})); fi
while [ -e "$state/undo.sh" ]; do
  sleep $nap
  now=
  read -r now 2>/dev/null <"$state/beat"
  up
  if [ "$now" = "$last" ]; then silent=$((silent + 1)); else silent=0 last=$now heard=$now_up; fi
  if [ "$silent" -ge $limit ] || [ "$((now_up - heard))" -ge {longest} ]; then
    true >"$state/undoing"
    sh "$state/undo.sh" watchdog && exit 0
    rm -f "$state/undoing"
  fi
done
)sh";

// The body runs in a subshell, so that it may exit. Renaming the folder claims it: only one of several who undo at the
// same time removes it, and a late beat finds no place to go. That one kills the watchdog with its sleep (it leads a
// process group of its own) after a look at its command line (kIsWatchdog); but not a watchdog that is undoing as well:
// it may have a process in its hands, and ends by itself. Nobody may be left to hear what is said at the end (the
// controller died just now), which must not end the script before the folder is gone; the body may start the target,
// which is to inherit nothing of that.
constexpr std::string_view kUndo = R"(#!/bin/sh
# Ordeal, fault {id} ({fault}): undoes it. May be run at any time and any number of times.
{head}state={state}
(
{body}
) || exit 1
trap '' PIPE
watchdog=
read -r watchdog 2>/dev/null <"$state/watchdog"
if mv "$state" "{root}/faults/.$$" 2>/dev/null; then
  echo undone
  if [ ! -e "{root}/faults/.$$/undoing" ] && {is_watchdog}; then
    kill -KILL "-$watchdog" 2>/dev/null || kill -KILL "$watchdog" 2>/dev/null
  fi
  rm -rf "{root}/faults/.$$"
  rmdir {root}/faults {root} 2>/dev/null
else
  echo gone
fi
exit 0
)";

}  // namespace

std::string fault_folder(std::string_view id) { return fmt::format("{}/faults/{}", kNodeStateRoot, id); }

bool is_fault_id(std::string_view id) {
  return !id.empty() && id.size() <= 20 && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
  });
}

std::string undo_script(std::string_view id, std::string_view fault, std::string_view body) {
  ORDEAL_CHECK(is_fault_id(id), "a fault's id goes into file names");
  return fmt::format(kUndo, fmt::arg("id", id), fmt::arg("fault", fault), fmt::arg("head", kScriptHead),
                     fmt::arg("state", fault_folder(id)), fmt::arg("body", body), fmt::arg("root", kNodeStateRoot),
                     fmt::arg("is_watchdog", kIsWatchdog));
}

std::string arm_script(std::string_view id, std::string_view undo, int dead_man_s) {
  ORDEAL_CHECK(is_fault_id(id) && dead_man_s >= 1, "a fault's id and at least one second are needed");
  const std::string watchdog = fmt::format(kWatchdog, fmt::arg("state", fault_folder(id)),
                                           fmt::arg("limit", dead_man_s), fmt::arg("longest", 100 * dead_man_s + 50));
  // The second mkdir: a parent may vanish between the two steps of the first when another fault is undone just then.
  // The undo script gets its name last and at once, so that there is never half of one, and is on disk before: a
  // machine that crashes must not forget what is to be undone. A `sync` that knows no files does more than is needed.
  return fmt::format(R"({head}umask 077
state={state}
mkdir -p "$state" 2>/dev/null || mkdir -p "$state" || exit 1
echo 0 >"$state/beat" &&
printf %s {watchdog} >"$state/watchdog.sh" &&
printf %s {undo} >"$state/undo.tmp" &&
{{ sync "$state/undo.tmp" 2>/dev/null || sync; }} &&
mv "$state/undo.tmp" "$state/undo.sh" &&
{{ sync "$state" 2>/dev/null || sync; }} || exit 1
watchdog=
read -r watchdog 2>/dev/null <"$state/watchdog"
if {is_watchdog}; then exit 0; fi
if command -v setsid >/dev/null; then
  setsid sh "$state/watchdog.sh" leads </dev/null >/dev/null 2>&1 &
else
  sh "$state/watchdog.sh" </dev/null >/dev/null 2>&1 &
fi
echo $! >"$state/watchdog"
)",
                     fmt::arg("head", kScriptHead), fmt::arg("state", fault_folder(id)),
                     fmt::arg("is_watchdog", kIsWatchdog), fmt::arg("watchdog", shell_quote(watchdog)),
                     fmt::arg("undo", shell_quote(undo)));
}

std::string start_in_undo(std::string_view script) {
  return fmt::format(R"(umask 022
cd /
if [ -n "$ORDEAL_WATCHDOG" ]; then
  renice "${{ORDEAL_NICE:-0}}" -g "$ORDEAL_WATCHDOG" >/dev/null 2>&1
  echo 0 2>/dev/null >"/proc/$ORDEAL_WATCHDOG/autogroup"
  unset ORDEAL_NICE ORDEAL_WATCHDOG
fi
{})",
                     script);
}

std::string undo_if_same_script(std::string_view id, std::string_view undo) {
  ORDEAL_CHECK(is_fault_id(id), "a fault's id goes into file names");
  // The full stops keep the ends of lines that a command substitution takes away.
  return fmt::format(R"sh({}state={}
if [ -h "$state" ] || [ -h "$state/undo.sh" ] || [ ! -f "$state/undo.sh" ]; then echo absent; exit 0; fi
if [ "$(cat "$state/undo.sh"; echo .)" != {} ]; then echo differs; exit 0; fi
exec sh "$state/undo.sh"
)sh",
                     kScriptHead, fault_folder(id), shell_quote(std::string(undo) + "."));
}

std::string beat_script(std::string_view run, std::uint64_t count) {
  return fmt::format(R"(for state in {}/faults/{}-*/; do
  state=${{state%/}}
  [ -e "$state/undo.sh" ] && echo {} >"$state/beat" && echo "${{state##*/}}"
done 2>/dev/null
echo .
)",
                     kNodeStateRoot, run, count);
}

std::optional<std::set<std::string>> parse_beat(std::string_view said) {
  std::set<std::string> out;
  for (const std::string& line : lines(said)) {
    if (line == ".") return out;
    out.insert(line);
  }
  return std::nullopt;
}

std::string undo_everything_script() {
  return fmt::format(R"({}for undo in {}/faults/*/undo.sh; do
  [ -e "$undo" ] || continue
  state=${{undo%/undo.sh}}
  # An empty one, from a crash, would do nothing and succeed.
  if [ -s "$undo" ] && sh "$undo" >/dev/null; then
    rm -rf "$state"
    echo "undone ${{state##*/}}"
  else
    echo "failed ${{state##*/}}"
  fi
done
rm -rf {}/faults/.[0-9]*
rmdir {}/faults {} 2>/dev/null
exit 0
)",
                     kScriptHead, kNodeStateRoot, kNodeStateRoot, kNodeStateRoot, kNodeStateRoot);
}

}  // namespace ordeal
