#include "targets/log/log_scripts.h"

#include <fmt/format.h>

#include <filesystem>
#include <sstream>

#include "harness/control/node.h"
#include "targets/http/http_session.h"

namespace ordeal {
namespace {

// A shell function `pids`. One grep over all command lines, whose own argument (joined to -e) does not equal the wanted
// one. Zombies have an empty command line and do not count.
std::string pids_function(const LogPaths& paths) {
  return fmt::format("pids() {{ grep -lzsxF {} /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3; }}\n",
                     shell_quote("-e--data=" + paths.data));
}

// Empties the data directory; what is mounted there stays.
std::string erase_data(const LogPaths& paths) {
  return fmt::format("rm -rf {data} || [ -z \"$(ls -A {data})\" ]", fmt::arg("data", shell_quote(paths.data)));
}

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream words(text);
  for (std::string word; words >> word;) out.push_back(word);
  return out;
}

// The keeper: starts the node again when it ended because it could not go on, for as long as its own process id stands
// in the file. The node's words are within its text, so that they are no arguments of its own: `pids` looks for those.
constexpr std::string_view kKeeper = R"sh(echo $$ >{keeper}
while :; do
  {words}
  [ $? -eq 3 ] || exit 0
  sleep 1
  [ "$(cat {keeper} 2>/dev/null)" = $$ ] || exit 0
done)sh";

constexpr std::string_view kRejoin = R"sh(mkdir -p {home} && exec 9>{home}/rejoin.lock && flock -w 20 9 || exit 1
members() {{
  timeout 3 bash -c 'exec 3<>"/dev/tcp/$1/$2" || exit 1
    printf "GET /v1/members HTTP/1.1\r\nHost: log\r\nConnection: close\r\n\r\n" >&3
    cat <&3' ask "$1" "$2" 2>/dev/null 9>&-
}}
for round in 1 2 3 4 5 6 7 8 9 10; do
  for other in {others}; do
    list=$(members ${{other% *}} ${{other#* }})
    case $list in *'"members":['*) ;; *) continue ;; esac
    case $list in
      *{mine}*) ;;
      *)
        rm -f {keeper}
        for p in $(pids); do kill -KILL $p; done 2>/dev/null
        {erase} || exit 1
        ;;
    esac
    (
      exec 9>&-
{start}
    ) && exit 0
  done
  sleep 0.5
done
echo 'no other member has let it in' >&2
exit 1
)sh";

}  // namespace

LogPaths log_paths(const Options& options, const std::string& node) {
  LogPaths paths;
  paths.home = options.string("log.dir") + "/" + node;
  paths.binary = paths.home + "/bin/ordeal-log";
  paths.data = paths.home + "/data";
  paths.log = paths.home + "/ordeal-log.log";
  paths.keeper = paths.home + "/keeper.pid";
  return paths;
}

Result<std::string> log_program(const Options& options) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  const std::string given = options.string("log.binary");
  if (!given.empty()) {
    if (fs::is_regular_file(given, ignored)) return given;
    return fail(ErrorCode::usage, fmt::format("option log.binary: there is no file \"{}\"", given));
  }
  const std::string name = options.string("log.bug") == "none" ? "ordeal-log" : "ordeal-log-buggy";
  const fs::path here = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  for (const fs::path& place : {here / "bin" / name, here / name}) {
    if (fs::is_regular_file(place, ignored)) return place.string();
  }
  return fail(
      ErrorCode::not_found,
      fmt::format("there is no {0} beside this program (in {1}); build it (cmake --build FOLDER --target {0}), or give "
                  "--set log.binary=FILE",
                  name, here.string()));
}

std::string log_client_address(const Options& options, const LogMember& member) {
  return host_port(member.address, static_cast<int>(options.integer("log.client-port")));
}

std::string log_peer_address(const Options& options, const LogMember& member) {
  return host_port(member.address, static_cast<int>(options.integer("log.peer-port")));
}

std::vector<std::string> log_upgrade_flags(const Options& options) {
  return words_of(options.string("log.upgrade-flags"));
}

std::vector<std::string> log_arguments(const Options& options, const std::vector<LogMember>& members, std::size_t self,
                                       bool joins, bool second) {
  std::string cluster;
  std::string others;
  for (std::size_t i = 0; i < members.size(); ++i) {
    const std::string client = log_client_address(options, members[i]);
    cluster += fmt::format("{}{}={}/{}", cluster.empty() ? "" : ",", members[i].name,
                           log_peer_address(options, members[i]), client);
    if (i != self) others += (others.empty() ? "" : ",") + client;
  }
  std::vector<std::string> out = {
      "--data=" + log_paths(options, members[self].name).data,
      "--name=" + members[self].name,
      "--listen-client=" + log_client_address(options, members[self]),
      "--listen-peer=" + log_peer_address(options, members[self]),
      joins ? "--join=" + others : "--cluster=" + cluster,
      fmt::format("--election-ms={}", options.integer("log.election-ms")),
      fmt::format("--heartbeat-ms={}", options.integer("log.heartbeat-ms")),
      fmt::format("--snapshot-entries={}", options.integer("log.snapshot-entries")),
  };
  if (options.boolean("log.lease-reads")) out.emplace_back("--lease-reads");
  if (options.string("log.bug") != "none") out.push_back("--bug=" + options.string("log.bug"));
  for (auto& flag : words_of(options.string("log.flags"))) out.push_back(std::move(flag));
  if (second) {
    for (auto& flag : log_upgrade_flags(options)) out.push_back(std::move(flag));
  }
  return out;
}

std::string log_pids_script(const LogPaths& paths) { return pids_function(paths) + "pids; exit 0\n"; }

std::string log_commands_script(const LogPaths& paths) {
  return pids_function(paths) +
         "for p in $(pids); do tr '\\0' '\\n' </proc/$p/cmdline && echo; done 2>/dev/null\nexit 0\n";
}

std::string log_start_script(const LogPaths& paths, const std::vector<std::string>& arguments) {
  std::string words = shell_quote(paths.binary);
  for (const auto& argument : arguments) words += " " + shell_quote(argument);
  const std::string keeper =
      fmt::format(kKeeper, fmt::arg("keeper", shell_quote(paths.keeper)), fmt::arg("words", words));
  return pids_function(paths) +
         fmt::format(
             "home={home}; log={log}\n"
             "[ -n \"$(pids)\" ] && exit 0\n"
             "mkdir -p \"$home\" && cd \"$home\" || exit 1\n"
             "echo 'ordeal: starting' >>\"$log\"\n"
             "from=$(($(wc -c <\"$log\") + 1))\n"
             // A daemon: its own session, no terminal, nothing inherited from the connection that started it.
             "setsid nohup sh -c {script} </dev/null >>\"$log\" 2>&1 &\n"
             "for i in 1 2 3 4 5 6 7 8; do\n"
             "  sleep 0.1\n"
             "  [ -n \"$(pids)\" ] && exit 0\n"
             "done\n"
             "rm -f {keeper}\n"
             "tail -c +$from \"$log\" | grep -v ' INFO ' | head -n 5 >&2\n"
             "exit 3\n",
             fmt::arg("home", shell_quote(paths.home)), fmt::arg("log", shell_quote(paths.log)),
             fmt::arg("script", shell_quote(keeper)), fmt::arg("keeper", shell_quote(paths.keeper)));
}

std::string log_rejoin_script(const Options& options, const std::vector<LogMember>& members, std::size_t self,
                              const LogPaths& paths, bool second) {
  std::string others;
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (i == self) continue;
    others += " " + shell_quote(fmt::format("{} {}", members[i].address, options.integer("log.client-port")));
  }
  const std::string mine = "\"peer\":\"" + log_peer_address(options, members[self]) + "\"";
  return pids_function(paths) +
         fmt::format(kRejoin, fmt::arg("home", shell_quote(paths.home)), fmt::arg("others", others),
                     fmt::arg("mine", shell_quote(mine)), fmt::arg("erase", erase_data(paths)),
                     fmt::arg("keeper", shell_quote(paths.keeper)),
                     fmt::arg("start", log_start_script(paths, log_arguments(options, members, self, true, second))));
}

std::string log_erase_script(const LogPaths& paths, bool with_log) {
  return "rm -f " + shell_quote(paths.keeper) + "; " + (with_log ? "rm -f " + shell_quote(paths.log) + "; " : "") +
         erase_data(paths);
}

std::string log_signal_script(const LogPaths& paths, const std::string& signal, bool gone, int wait_s) {
  std::string script = pids_function(paths);
  if (gone) script += "rm -f " + shell_quote(paths.keeper) + "\n";
  script += fmt::format("for p in $(pids); do kill -{} $p; done 2>/dev/null\n", signal);
  if (!gone) return script + "exit 0\n";
  return script + fmt::format(
                      "i=0\n"
                      "while [ -n \"$(pids)\" ]; do\n"
                      "  i=$((i + 1)); [ $i -gt {} ] && exit 4\n"
                      "  sleep 0.05\n"
                      "done\n"
                      "exit 0\n",
                      wait_s * 20);
}

}  // namespace ordeal
