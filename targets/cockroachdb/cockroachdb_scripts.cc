#include "targets/cockroachdb/cockroachdb_scripts.h"

#include <fmt/format.h>

#include <sstream>

#include "harness/control/node.h"
#include "targets/http/http_session.h"

namespace ordeal {
namespace {

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream words(text);
  for (std::string word; words >> word;) out.push_back(word);
  return out;
}

std::string store_of(const CockroachPaths& paths) { return "--store=path=" + paths.data; }

// `pids`, and `bin`: the program that was uploaded, or the node's own.
std::string head(const Options& options, const std::string& node) {
  const CockroachPaths paths = cockroach_paths(options, node);
  return fmt::format(
      "home={}; data={}; log={}; bin={}\n"
      "[ -x \"$bin\" ] || bin=$(command -v cockroach)\n"
      "pids() {{ grep -lzsxF {} /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3; }}\n",
      shell_quote(paths.home), shell_quote(paths.data), shell_quote(paths.log), shell_quote(paths.binary),
      shell_quote("-e" + store_of(paths)));
}

std::string quoted(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& word : words) out += (out.empty() ? "" : " ") + shell_quote(word);
  return out;
}

}  // namespace

CockroachPaths cockroach_paths(const Options& options, const std::string& node) {
  const std::string home = options.string("cockroachdb.dir") + "/" + node;
  return {home, home + "/bin/cockroach", home + "/data", home + "/cockroach.log"};
}

std::vector<std::string> cockroach_arguments(const Options& options, const std::string& node,
                                             const std::vector<std::string>& addresses, std::size_t self) {
  const auto at = [&](std::size_t i, const char* port) {
    return host_port(addresses[i], static_cast<int>(options.integer(port)));
  };
  const bool alone = addresses.size() == 1;
  std::vector<std::string> out = {
      alone ? "start-single-node" : "start",
      "--insecure",
      store_of(cockroach_paths(options, node)),
      // Clients have a port of their own, so that a partition by port can cut nodes off and not clients.
      "--listen-addr=" + at(self, "cockroachdb.rpc-port"),
      "--advertise-addr=" + at(self, "cockroachdb.rpc-port"),
      "--sql-addr=" + at(self, "cockroachdb.sql-port"),
      "--advertise-sql-addr=" + at(self, "cockroachdb.sql-port"),
      "--http-addr=" + at(self, "cockroachdb.http-port"),
      "--max-offset=" + options.string("cockroachdb.max-offset"),
      "--cache=128MiB",
      "--max-sql-memory=128MiB",
      "--log=sinks: {stderr: {filter: WARNING}}",
  };
  if (!alone) {
    std::string join;
    for (std::size_t i = 0; i < addresses.size() && i < 5; ++i)
      join += (i == 0 ? "--join=" : ",") + at(i, "cockroachdb.rpc-port");
    out.push_back(std::move(join));
  }
  for (auto& flag : words_of(options.string("cockroachdb.flags"))) out.push_back(std::move(flag));
  return out;
}

std::vector<std::string> cockroach_environment(const Options& options) {
  std::vector<std::string> out = {"COCKROACH_SKIP_ENABLING_DIAGNOSTIC_REPORTING=true", "COCKROACH_SCAN_INTERVAL=200ms",
                                  "COCKROACH_SCAN_MAX_IDLE_TIME=5ms", "COCKROACH_MIN_RANGE_MAX_BYTES=1"};
  if (options.boolean("cockroachdb.linearizable")) out.emplace_back("COCKROACH_EXPERIMENTAL_LINEARIZABLE=true");
  for (auto& word : words_of(options.string("cockroachdb.environment"))) out.push_back(std::move(word));
  return out;
}

std::string cockroach_start_script(const Options& options, const std::string& node,
                                   const std::vector<std::string>& addresses, std::size_t self) {
  return head(options, node) + fmt::format(
                                   "[ -n \"$(pids)\" ] && exit 0\n"
                                   "[ -n \"$bin\" ] || {{ echo 'there is no cockroach' >&2; exit 3; }}\n"
                                   "mkdir -p \"$data\" && cd \"$home\" || exit 1\n"
                                   "ulimit -n 65536 2>/dev/null\n"
                                   // Not --background: it returns only when the cluster was initialized.
                                   "setsid nohup env {} \"$bin\" {} </dev/null >>\"$log\" 2>&1 &\n"
                                   "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.1; [ -n \"$(pids)\" ] && exit 0; done\n"
                                   "tail -n 5 \"$log\" >&2; exit 3\n",
                                   quoted(cockroach_environment(options)),
                                   quoted(cockroach_arguments(options, node, addresses, self)));
}

std::string cockroach_init_script(const Options& options, const std::string& node, const std::string& address) {
  return head(options, node) +
         fmt::format(
             "said=$(\"$bin\" init --insecure --host={} 2>&1) && exit 0\n"
             "case $said in *'already been initialized'*) exit 0 ;; esac\n"
             "echo \"$said\" >&2; exit 3\n",
             shell_quote(host_port(address, static_cast<int>(options.integer("cockroachdb.rpc-port")))));
}

std::string cockroach_pids_script(const Options& options, const std::string& node) {
  return head(options, node) + "pids; exit 0\n";
}

std::string cockroach_signal_script(const Options& options, const std::string& node, const std::string& signal,
                                    int wait_s) {
  return head(options, node) +
         fmt::format(
             "for p in $(pids); do kill -{0} $p; done 2>/dev/null\ni=0\n"
             "while [ {1} -gt 0 ] && [ -n \"$(pids)\" ]; do i=$((i + 1)); [ $i -gt {1} ] && exit 4; sleep 0.05; done\n"
             "exit 0\n",
             signal, wait_s * 20);
}

std::string cockroach_erase_script(const Options& options, const std::string& node) {
  return head(options, node) + "rm -f \"$log\"; rm -rf \"$data\" || [ -z \"$(ls -A \"$data\")\" ]\n";
}

}  // namespace ordeal
