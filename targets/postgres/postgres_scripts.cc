#include "targets/postgres/postgres_scripts.h"

#include <fmt/format.h>

#include "harness/control/node.h"

namespace ordeal {
namespace {

// Variables and functions that all scripts use. Zombies have no working directory and do not count.
constexpr std::string_view kHead = R"sh(home={home}; data={data}; log={log}; made={made}; bin={bin}; user={user}
as=
[ "$(id -u)" = 0 ] && as="setpriv --reuid=$user --regid=$(id -g "$user" 2>/dev/null) --clear-groups"
real=$(readlink -f "$data")
pids() {{ for comm in $(grep -lsx postgres /proc/[0-9]*/comm); do p=${{comm#/proc/}}; p=${{p%/comm}}
  [ -n "$real" ] && [ "$(readlink /proc/$p/cwd)" = "$real" ] && echo $p; done; }}
)sh";

// The mark is made last, when everything is on the disk: a directory that was interrupted is made anew. What is mounted
// at the data directory stays.
constexpr std::string_view kStart = R"sh([ -n "$(pids)" ] && exit 0
failed() {{ tail -n 5 "$log" >&2; exit 3; }}
mkdir -p "$data" && cd "$home" || exit 1
touch "$log"
if [ -n "$as" ]; then
  chown "$user" "$home" "$data" "$log" || exit 1
  # Whoever made these may have let nobody in; the server has to pass.
  chmod o+x "${{home%/*}}"
  case ${{home%/*/*}} in */ordeal) chmod o+x "${{home%/*/*}}" ;; esac
fi
chmod 700 "$data"
$as test -x "$data" || {{ echo "$user cannot reach $data: choose another directory, --set postgres.dir" >&2; exit 3; }}
real=$(readlink -f "$data")
if [ ! -e "$made" ]; then
  find "$data" -mindepth 1 -delete || exit 1
  {make}
  touch "$made"
fi
rm -f "$data/postmaster.pid"
setsid nohup $as "$bin/postgres" -D "$data" {arguments} </dev/null >>"$log" 2>&1 &
started=$!
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  [ -n "$(pids)" ] && exit 0
  kill -0 $started 2>/dev/null || failed
  sleep 0.1
done
exit 0
)sh";

constexpr std::string_view kInitdb =
    R"sh($as "$bin/initdb" -A trust -U postgres -E UTF8 --locale=C --data-checksums {flags} -D "$data" >>"$log" 2>&1 || failed
  printf 'host all all all trust\nhost replication all all trust\n' >>"$data/pg_hba.conf" && sync "$data/pg_hba.conf" || exit 1)sh";

// -R writes down whom the copy follows. The primary may not serve yet.
constexpr std::string_view kCopy = R"sh(copied=
  for i in {tries}; do
    $as "$bin/pg_basebackup" -h {primary} -p {port} -U postgres -w -D "$data" -R -c fast -X stream >>"$log" 2>&1 &&
      copied=yes && break
    find "$data" -mindepth 1 -delete
    sleep 1
  done
  [ -n "$copied" ] || failed)sh";
constexpr std::string_view kTries = "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30";

std::string head(const Options& options, const std::string& node) {
  const PostgresPaths paths = postgres_paths(options, node);
  return fmt::format(kHead, fmt::arg("home", shell_quote(paths.home)), fmt::arg("data", shell_quote(paths.data)),
                     fmt::arg("log", shell_quote(paths.log)), fmt::arg("made", shell_quote(paths.made)),
                     fmt::arg("bin", shell_quote(options.string("postgres.bindir"))),
                     fmt::arg("user", shell_quote(options.string("postgres.user"))));
}

std::string until_gone(int wait_s) {
  return fmt::format(
      "i=0\nwhile [ -n \"$(pids)\" ]; do i=$((i + 1)); [ $i -gt {} ] && exit 4; sleep 0.05; done\nexit 0\n",
      wait_s * 20);
}

}  // namespace

PostgresPaths postgres_paths(const Options& options, const std::string& node) {
  const std::string home = options.string("postgres.dir") + "/" + node;
  return {home, home + "/data", home + "/postgres.log", home + "/made"};
}

std::string postgres_check_script(const Options& options, const std::string& node, bool standby) {
  return head(options, node) +
         "if [ -n \"$as\" ] && ! id \"$user\" >/dev/null 2>&1; then echo \"there is no user $user\" >&2; exit 5; fi\n"
         "for p in postgres " +
         (standby ? "pg_basebackup" : "initdb") +
         "; do\n"
         "  $as \"$bin/$p\" --version >/dev/null || exit 5\n"
         "done\n";
}

std::string postgres_start_script(const Options& options, const std::string& node, const std::string& address,
                                  const std::string& primary) {
  const std::int64_t port = options.integer("postgres.port");
  // No socket in the file system: its path would have to be short. Transactions that block each other are found soon.
  std::string arguments = fmt::format(
      "-p {} -c listen_addresses={} -c unix_socket_directories= -c max_connections={} -c shared_buffers=32MB "
      "-c deadlock_timeout=100ms -c hot_standby_feedback=on -c wal_retrieve_retry_interval=500ms",
      port, shell_quote(address), options.integer("postgres.max-connections"));
  if (options.string("postgres.replication") == "synchronous") arguments += " -c 'synchronous_standby_names=*'";
  arguments += " " + options.string("postgres.flags");
  const std::string make = primary.empty()
                               ? fmt::format(kInitdb, fmt::arg("flags", options.string("postgres.initdb-flags")))
                               : fmt::format(kCopy, fmt::arg("tries", kTries),
                                             fmt::arg("primary", shell_quote(primary)), fmt::arg("port", port));
  return head(options, node) + fmt::format(kStart, fmt::arg("make", make), fmt::arg("arguments", arguments));
}

std::string postgres_pids_script(const Options& options, const std::string& node) {
  return head(options, node) + "pids; exit 0\n";
}

std::string postgres_signal_script(const Options& options, const std::string& node, const std::string& signal,
                                   int wait_s) {
  const std::string send =
      head(options, node) + fmt::format("for p in $(pids); do kill -{} $p; done 2>/dev/null\n", signal);
  return wait_s == 0 ? send + "exit 0\n" : send + until_gone(wait_s);
}

std::string postgres_stop_script(const Options& options, const std::string& node, int wait_s) {
  return head(options, node) + "[ -z \"$(pids)\" ] || kill -INT \"$(head -n 1 \"$data/postmaster.pid\")\"\n" +
         until_gone(wait_s);
}

std::string postgres_erase_script(const Options& options, const std::string& node) {
  return head(options, node) + "rm -f \"$made\" \"$log\"; rm -rf \"$data\" || [ -z \"$(ls -A \"$data\")\" ]\n";
}

}  // namespace ordeal
