// ordeal-log: one node, or the commands of tools/commands.h. Exit codes of a node: 0 ended on request, 3 could not go
// on, 64 wrong usage.

#include <fmt/format.h>
#include <signal.h>

#include <atomic>
#include <cstdio>
#include <filesystem>

#include "targets/log/server/bugs.h"
#include "targets/log/server/node/api.h"
#include "targets/log/server/node/http_server.h"
#include "targets/log/server/node/join.h"
#include "targets/log/server/node/log_line.h"
#include "targets/log/server/node/options.h"
#include "targets/log/server/node/recover.h"
#include "targets/log/server/node/tree_files.h"
#include "targets/log/server/tools/commands.h"
#include "targets/log/server/wal/posix_files.h"

namespace ordeal::log::node {
namespace {

constexpr double kJoinPatienceS = 60;
constexpr double kStopPatienceS = 5;

Result<Identity> identity_of(const NodeOptions& options) {
  bool there = false;
  auto known = load_identity(options.data, there);
  if (!known || there) return known;
  auto fresh = options.join.empty() ? founder(options) : join_cluster(options, Deadline::after_s(kJoinPatienceS));
  if (!fresh) return fresh;
  if (auto saved = save_identity(options.data, *fresh); !saved) return fail(saved.error());
  return fresh;
}

// Until a signal asks it to end, or it cannot go on.
bool await_end(const sigset_t& signals, const std::atomic<bool>& failed) {
  const timespec look = {0, 100'000'000};
  while (!failed) {
    if (sigtimedwait(&signals, nullptr, &look) > 0) return true;
  }
  return false;
}

Result<int> serve(const NodeOptions& options) {
  std::error_code problem;
  std::filesystem::create_directories(options.data, problem);
  if (problem) return fail(ErrorCode::io, fmt::format("--data {}: {}", options.data, problem.message()));
  const auto lock = wal::DirectoryLock::take(options.data);
  if (!lock) return fail(lock.error());
  auto identity = identity_of(options);
  if (!identity) return fail(identity.error());
  wal::PosixFiles files;
  if (options.recover) {
    identity = recover_if_damaged(options, *identity, files, Deadline::after_s(kJoinPatienceS));
    if (!identity) return fail(identity.error());
  }
  std::atomic<bool> failed = false;
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // before the first thread: they all inherit it
  auto replica = Replica::start(options, *identity, files, [&failed](const std::string&) { failed = true; });
  if (!replica) return fail(replica.error());
  auto transparency = Transparency::open(options, **replica);
  if (!transparency) return fail(transparency.error());
  auto tree_files = TreeFiles::start(options, *identity, files, **replica, **transparency);
  if (!tree_files) return fail(tree_files.error());
  Api api(options, *identity, **replica, **transparency);
  HttpServer::Limits limits;
  limits.body_bytes = options.max_body_bytes;
  limits.connections = options.max_connections;
  auto server = HttpServer::start(options.listen_client, limits, [&api](const HttpIn& in) { return api.handle(in); });
  if (!server) return fail(server.error());
  log_line("INFO", fmt::format("serves clients at {}, peers at {}", options.listen_client, options.listen_peer));
  const bool asked = await_end(signals, failed);
  if (asked) (*replica)->stop(Deadline::after_s(kStopPatienceS));
  server->reset();
  if (asked) (*tree_files)->finish();
  log_line("INFO", "ended");
  return asked ? 0 : 3;
}

int run_tool(const tools::CommandEnd& end) {
  fmt::print(end.exit_code == 64 ? stderr : stdout, "{}", end.text);
  return end.exit_code;
}

int run(const std::vector<std::string>& arguments) {
  signal(SIGPIPE, SIG_IGN);
  if (!arguments.empty() && (arguments[0] == "verify" || arguments[0] == "audit")) {
    const std::vector<std::string> words(arguments.begin() + 1, arguments.end());
    if (arguments[0] == "verify") return run_tool(tools::verify_command(words));
    return run_tool(tools::audit_command(words, [](const std::string& text) {
      fmt::print("{}", text);
      (void)std::fflush(stdout);
    }));
  }
  const auto parsed = parse_options(arguments);
  if (!parsed) {
    fmt::print(stderr, "ordeal-log: {}\n", parsed.error().message);
    return 64;
  }
  if (!parsed->help.empty()) {
    fmt::print("{}", parsed->help);
    return 0;
  }
#ifdef ORDEAL_LOG_BUGS
  planted_bug = bug_named(parsed->options.bug).value_or(Bug::none);
#endif
  const auto ended = serve(parsed->options);
  if (ended) return *ended;
  log_line("FATAL", ended.error().message);
  return ended.error().code == ErrorCode::usage ? 64 : 3;
}

}  // namespace
}  // namespace ordeal::log::node

int main(int count, char** words) { return ordeal::log::node::run(std::vector<std::string>(words + 1, words + count)); }
