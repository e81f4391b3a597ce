#include "targets/etcd/etcd_scripts.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <sstream>

#include "base/value.h"
#include "harness/control/node.h"
#include "targets/http/http_session.h"

namespace ordeal {
namespace {

bool is_ip(const std::string& address) {
  unsigned char buffer[sizeof(in6_addr)];
  return inet_pton(AF_INET, address.c_str(), buffer) == 1 || inet_pton(AF_INET6, address.c_str(), buffer) == 1;
}

// A shell function `pids` that prints the member's process ids. One grep over all command lines, whose own argument
// (joined to -e) does not equal the wanted one. Zombies have an empty command line and do not count.
std::string pids_function(const EtcdPaths& paths) {
  return fmt::format("pids() {{ grep -lzsxF {} /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3; }}\n",
                     shell_quote("-e--data-dir=" + paths.data));
}

// Empties the data directory; what is mounted there stays.
std::string erase_data(const EtcdPaths& paths) {
  return fmt::format("rm -rf {data} || [ -z \"$(ls -A {data})\" ]", fmt::arg("data", shell_quote(paths.data)));
}

// `cluster`: the argument --initial-cluster is what this variable of the shell holds.
std::string start_words(const std::vector<std::string>& arguments, std::string_view cluster = "") {
  std::string words;
  for (const auto& argument : arguments) words += " " + shell_quote(argument);
  if (!cluster.empty()) words += fmt::format(" \"--initial-cluster=${}\"", cluster);  // of two the last counts
  return words;
}

std::string start_script(const EtcdPaths& paths, const std::string& words) {
  return pids_function(paths) +
         fmt::format(
             "home={home}; log={log}; bin={bin}\n"
             "[ -n \"$(pids)\" ] && exit 0\n"
             "[ -x \"$bin\" ] || bin=$(command -v etcd || echo /usr/bin/etcd)\n"
             "mkdir -p \"$home\" && cd \"$home\" || exit 1\n"
             "echo \"ordeal: starting $bin\" >>\"$log\"\n"
             "from=$(($(wc -c <\"$log\") + 1))\n"
             // A daemon: its own session, no terminal, nothing inherited from the connection that started it.
             "setsid nohup \"$bin\"{words} </dev/null >>\"$log\" 2>&1 &\n"
             "echo $! >{pid_file}\n"
             "for i in 1 2 3 4 5; do\n"
             "  sleep 0.1\n"
             "  [ -n \"$(pids)\" ] && exit 0\n"
             "done\n"
             "tail -c +$from \"$log\" | grep -v '\"level\":\"info\"' | head -n 5 >&2\n"
             "exit 3\n",
             fmt::arg("home", shell_quote(paths.home)), fmt::arg("log", shell_quote(paths.log)),
             fmt::arg("bin", shell_quote(paths.binary)), fmt::arg("words", words),
             fmt::arg("pid_file", shell_quote(paths.pid_file)));
}

// One who looks before another has announced the node would delete what it has since: only one at a time. What was
// announced is not deleted any more, since the new member may have voted.
constexpr std::string_view kRejoin = R"sh(mine={mine}
mkdir -p {home} && exec 9>{home}/rejoin.lock && flock -w 20 9 || exit 1
ask() {{
  timeout 3 bash -c 'exec 3<>"/dev/tcp/$1/$2" || exit 1
    printf "POST %s HTTP/1.0\r\nHost: etcd\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" "$3" "${{#4}}" "$4" >&3
    cat <&3' ask "$1" "$2" "$3" "$4" 2>/dev/null 9>&-
}}
look() {{
  case $(ask "$1" "$2" /v3/kv/range '{{"key":"b3JkZWFsL21lbWJlcnNoaXA="}}') in *'"header"'*) ;; *) return 1 ;; esac
  list=$(ask "$1" "$2" /v3/cluster/member/list '{{}}' | tr '{{' '\n')
  case $list in *'"peerURLs"'*) ;; *) return 1 ;; esac
  printf '%s\n' "$list" | grep -qF "\"peerURLs\":[\"$mine\"]"
}}
rejoin() {{
  list=
  if ! look "$1" "$2"; then
    [ -n "$list" ] || return 1
    if [ -n "$(ls -A {data} 2>/dev/null)" ]; then
      for p in $(pids); do kill -KILL $p; done 2>/dev/null
      {erase} || return 1
    fi
    ask "$1" "$2" /v3/cluster/member/add "{{\"peerURLs\":[\"$mine\"]}}" >/dev/null
    look "$1" "$2" || return 1
  fi
  [ -n "$(pids)" ] && return 0
  cluster=
  for one in {named}; do
    case $list in *"\"${{one#*=}}\""*) cluster=$cluster${{cluster:+,}}$one ;; esac
  done
  (
    exec 9>&-
{start}
  )
}}
for round in 1 2 3 4 5 6 7 8 9 10; do
  for other in {others}; do
    rejoin ${{other% *}} ${{other#* }} && exit 0
    sleep 0.3
  done
done
echo 'no other member has let it in' >&2
exit 1
)sh";

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream words(text);
  for (std::string word; words >> word;) out.push_back(word);
  return out;
}

}  // namespace

EtcdPaths etcd_paths(const Options& options, const std::string& node) {
  EtcdPaths paths;
  paths.home = options.string("etcd.dir") + "/" + node;
  paths.binary = paths.home + "/bin/etcd";
  paths.second_binary = paths.home + "/bin/etcd-second";
  paths.data = paths.home + "/data";
  paths.log = paths.home + "/etcd.log";
  paths.pid_file = paths.home + "/etcd.pid";
  return paths;
}

std::string etcd_url(const std::string& address, std::int64_t port) {
  return "http://" + host_port(address, static_cast<int>(port));
}

std::vector<std::string> etcd_arguments(const Options& options, const std::vector<EtcdMember>& members,
                                        std::size_t self, const EtcdVariant& variant) {
  const EtcdMember& me = members[self];
  const std::int64_t client_port = options.integer("etcd.client-port");
  const std::int64_t peer_port = options.integer("etcd.peer-port");
  // etcd binds to addresses only; a member known by a host name listens on all of them.
  const std::string listen = is_ip(me.address) ? me.address : "0.0.0.0";
  std::string cluster;
  for (const auto& member : members) {
    cluster += fmt::format("{}{}={}", cluster.empty() ? "" : ",", member.name, etcd_url(member.address, peer_port));
  }
  std::vector<std::string> out = {
      "--name=" + me.name,
      "--data-dir=" + etcd_paths(options, me.name).data,
      "--logger=zap",
      "--log-outputs=stderr",
      "--listen-client-urls=" + etcd_url(listen, client_port),
      "--advertise-client-urls=" + etcd_url(me.address, client_port),
      "--listen-peer-urls=" + etcd_url(listen, peer_port),
      "--initial-advertise-peer-urls=" + etcd_url(me.address, peer_port),
      "--initial-cluster=" + (variant.joins.empty() ? cluster : variant.joins),
      variant.joins.empty() ? "--initial-cluster-state=new" : "--initial-cluster-state=existing",
      "--initial-cluster-token=ordeal",
      fmt::format("--snapshot-count={}", options.integer("etcd.snapshot-count")),
      fmt::format("--heartbeat-interval={}", options.integer("etcd.heartbeat-ms")),
      fmt::format("--election-timeout={}", options.integer("etcd.election-ms")),
  };
  for (auto& flag : words_of(options.string("etcd.flags"))) out.push_back(std::move(flag));
  // Of a flag that is given twice etcd takes the last.
  if (variant.second) {
    for (auto& flag : etcd_upgrade_flags(options)) out.push_back(std::move(flag));
  }
  return out;
}

std::vector<std::string> etcd_upgrade_flags(const Options& options) {
  return words_of(options.string("etcd.upgrade-flags"));
}

std::string etcd_commands_script(const EtcdPaths& paths) {
  return pids_function(paths) +
         "for p in $(pids); do readlink /proc/$p/exe && tr '\\0' '\\n' </proc/$p/cmdline && echo; done 2>/dev/null\n"
         "exit 0\n";
}

std::string etcd_pids_script(const EtcdPaths& paths) { return pids_function(paths) + "pids; exit 0\n"; }

std::string etcd_start_script(const EtcdPaths& paths, const std::vector<std::string>& arguments) {
  return start_script(paths, start_words(arguments));
}

std::string etcd_erase_script(const EtcdPaths& paths, bool with_log) {
  return (with_log ? "rm -f " + shell_quote(paths.log) + "; " : "") + erase_data(paths);
}

std::string etcd_rejoin_script(const Options& options, const std::vector<EtcdMember>& members, std::size_t self,
                               const EtcdPaths& paths, bool second) {
  std::string named;
  std::string others;
  for (std::size_t i = 0; i < members.size(); ++i) {
    named += " " + shell_quote(members[i].name + "=" + etcd_url(members[i].address, options.integer("etcd.peer-port")));
    if (i != self)
      others += " " + shell_quote(fmt::format("{} {}", members[i].address, options.integer("etcd.client-port")));
  }
  const auto arguments = etcd_arguments(options, members, self, {"joins", second});
  return pids_function(paths) +
         fmt::format(kRejoin,
                     fmt::arg("mine", shell_quote(etcd_url(members[self].address, options.integer("etcd.peer-port")))),
                     fmt::arg("home", shell_quote(paths.home)), fmt::arg("data", shell_quote(paths.data)),
                     fmt::arg("erase", erase_data(paths)), fmt::arg("named", named), fmt::arg("others", others),
                     fmt::arg("start", start_script(paths, start_words(arguments, "cluster"))));
}

std::string etcd_last_words(const std::string& said) {
  std::vector<std::string> words;
  std::istringstream lines(said);
  for (std::string line; std::getline(lines, line);) {
    const auto entry = Value::from_json(line);
    std::string text = line;
    if (entry && entry->is_map()) {
      const Value* message = entry->find("msg");
      const Value* error = entry->find("error");
      if (message != nullptr && message->is_string()) {
        text = error != nullptr && error->is_string() ? error->string() : message->string();
      }
    }
    if (!text.empty() && std::find(words.begin(), words.end(), text) == words.end()) words.push_back(std::move(text));
  }
  if (words.empty()) return "it left no message in its log";
  std::string out = fmt::format("{}", fmt::join(words, "; "));
  if (out.find("address already in use") != std::string::npos) {
    out +=
        ". Another program has the port: `ss -ltnp` on the node names it; stop it, or choose other ports with --set "
        "etcd.client-port=N and --set etcd.peer-port=N";
  }
  return out;
}

std::string etcd_signal_script(const EtcdPaths& paths, const std::string& signal, bool gone, int wait_s) {
  std::string script =
      pids_function(paths) + fmt::format("for p in $(pids); do kill -{} $p; done 2>/dev/null\n", signal);
  if (!gone) return script + "exit 0\n";
  return script + fmt::format(
                      "i=0\n"
                      "while [ -n \"$(pids)\" ]; do\n"
                      "  i=$((i + 1)); [ $i -gt {} ] && exit 4\n"
                      "  sleep 0.05\n"
                      "done\n"
                      "rm -f {}\n"
                      "exit 0\n",
                      wait_s * 20, shell_quote(paths.pid_file));
}

}  // namespace ordeal
