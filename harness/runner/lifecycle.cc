#include "harness/runner/lifecycle.h"

#include <fmt/format.h>

#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <system_error>
#include <thread>
#include <vector>

#include "base/text.h"
#include "harness/control/sftp.h"

namespace ordeal {

namespace {

// The first node's problem with its code, and what the next ones have to say.
Result<void> joined_problems(const Cluster& cluster, const std::vector<std::optional<Error>>& problems) {
  static constexpr int kMaxNamed = 3;
  std::optional<Error> all;
  int found = 0;
  for (std::size_t i = 0; i < cluster.size(); ++i) {
    if (!problems[i]) continue;
    ++found;
    const Error here = problems[i]->during(cluster.at(i).name());
    if (!all) {
      all = here;
    } else if (found <= kMaxNamed) {
      all->message += "\n" + here.message;
    }
  }
  if (!all) return {};
  if (found > kMaxNamed) all->message += fmt::format("\n(and {} more)", found - kMaxNamed);
  return fail(*all);
}

}  // namespace

Result<void> on_all_nodes(Cluster& cluster, const std::function<Result<void>(Node&)>& work) {
  std::vector<std::optional<Error>> problems(cluster.size());
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < cluster.size(); ++i) {
      const auto on_node = [&, i] {
        try {
          if (auto done = work(cluster.at(i)); !done) problems[i] = done.error();
        } catch (const std::exception& error) {
          problems[i] = Error{ErrorCode::internal, error.what()};
        }
      };
      try {
        threads.emplace_back(on_node);
      } catch (const std::system_error&) {
        on_node();  // no more threads to be had: one after the other then
      }
    }
  }
  return joined_problems(cluster, problems);
}

namespace {

// One step of bringing up, on all nodes at once.
Result<void> on_all(const char* doing, Target& target, Cluster& cluster, const BringUp& how, RunLog& log,
                    const std::function<Result<void>(Node&)>& step) {
  const std::string what = fmt::format("{} {}", doing, target.name());
  if (how.stop.stop_requested())
    return fail(ErrorCode::cancelled, fmt::format("stopped while {} was brought up", target.name()));
  log.info(fmt::format("{} on {} nodes", what, cluster.size()));
  return on_all_nodes(cluster, [&](Node& node) -> Result<void> {
    auto result = step(node);
    if (!result) return fail(result.error().during(what));
    return result;
  });
}

// Node after node, as the system wants it. Errors: that of the first node that does not start.
Result<void> start_in_order(Target& target, Cluster& cluster, const BringUp& how, bool each_ready, Deadline deadline,
                            RunLog& log) {
  const std::string what = fmt::format("starting {}", target.name());
  log.info(fmt::format("{} on {} nodes, one after the other", what, cluster.size()));
  for (const auto& node : cluster.nodes) {
    if (how.stop.stop_requested())
      return fail(ErrorCode::cancelled, fmt::format("stopped while {} was brought up", target.name()));
    auto done = target.start(*node);
    if (done && each_ready) done = target.await_node(*node, deadline);
    if (!done) return fail(done.error().during(what).during(node->name()));
  }
  return {};
}

Result<void> start_all(Target& target, Cluster& cluster, const BringUp& how, Deadline deadline, RunLog& log) {
  using Order = Target::Installation::StartOrder;
  Target::Installation* const installation = target.installation();
  const Order order = installation == nullptr ? Order::at_once : installation->start_order();
  const auto started =
      order == Order::at_once
          ? on_all("starting", target, cluster, how, log, [&](Node& node) { return target.start(node); })
          : start_in_order(target, cluster, how, order == Order::each_ready, deadline, log);
  if (!started || installation == nullptr) return started;
  if (auto founded = installation->found(deadline); !founded)
    return fail(founded.error().during(fmt::format("making a cluster of {}", target.name())));
  return {};
}

Result<void> bring_nodes_up(Target& target, Cluster& cluster, const BringUp& how, RunLog& log) {
  const auto step = [&](const char* doing, const std::function<Result<void>(Node&)>& work) {
    return on_all(doing, target, cluster, how, log, work);
  };
  if (Target::Installation* const installation = target.installation(); installation != nullptr) {
    if (auto done = step("installing", [&](Node& node) { return installation->install(node); }); !done) return done;
    if (how.wipe) {
      if (auto done = step("wiping", [&](Node& node) { return installation->wipe(node); }); !done) return done;
    }
  }
  if (how.before_start) {
    if (auto done = how.before_start(); !done) return done;
  }
  // Installing and wiping have taken time that is not the start's.
  const Deadline deadline = Deadline::after_s(how.start_timeout_s);
  if (auto done = start_all(target, cluster, how, deadline, log); !done) return done;
  const std::string waiting = fmt::format("waiting until {} serves", target.name());
  log.info(waiting);
  if (auto ready = target.await_ready(deadline); !ready) return fail(ready.error().during(waiting));
  return {};
}

}  // namespace

Result<void> bring_up(Target& target, Cluster& cluster, const BringUp& how, RunLog& log) {
  Target::ClientSetup* const clients = target.client_setup();
  if (clients != nullptr) {
    clients->use(how.data_type);
    clients->log_to([&log](std::string_view line) { log.info(line); });
  }
  const auto started = std::chrono::steady_clock::now();
  const std::string name(target.name());
  if (!cluster.nodes.empty()) {
    if (auto up = bring_nodes_up(target, cluster, how, log); !up) return up;
  }
  if (how.stop.stop_requested()) return fail(ErrorCode::cancelled, "stopped while " + name + " was brought up");
  if (clients != nullptr) {
    auto prepared = clients->prepare(Deadline::after_s(how.start_timeout_s));
    if (!prepared) return fail(prepared.error().during("preparing " + name));
  }
  const auto took = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  log.info(fmt::format("{} serves, {:.2f} s after the start", name, took));
  return {};
}

Value describe_nodes(Target& target, Cluster& cluster) {
  std::mutex mutex;
  std::vector<Value> descriptions(cluster.size());
  for (std::size_t i = 0; i < cluster.size(); ++i) descriptions[i] = Value::map();
  std::map<const Node*, std::size_t> place;
  for (std::size_t i = 0; i < cluster.size(); ++i) place[&cluster.at(i)] = i;
  (void)on_all_nodes(cluster, [&](Node& node) -> Result<void> {
    Target::Installation* const installation = target.installation();
    auto said = installation == nullptr ? Value::map() : installation->describe(node);
    const std::lock_guard lock(mutex);
    Value& into = descriptions[place.at(&node)];
    if (said) {
      into = std::move(*said);
    } else {
      into.set("error", said.error().message);
    }
    return {};
  });
  Value out = Value::map();
  for (std::size_t i = 0; i < cluster.size(); ++i) out.set(cluster.at(i).name(), std::move(descriptions[i]));
  return out;
}

Result<void> collect_logs(Target& target, Cluster& cluster, const RunDirectory& run, RunLog& log) {
  if (cluster.nodes.empty()) return {};
  log.info("collecting logs");
  return on_all_nodes(cluster, [&](Node& node) -> Result<void> {
    auto directory = run.node_directory(node.name());
    if (!directory) return fail(directory.error());
    std::set<std::string> used;
    for (const auto& remote : log_files(target, node)) {
      std::string base = remote.substr(remote.find_last_of('/') + 1);
      // Two files of one name from different directories must not overwrite each other.
      for (int n = 2; !used.insert(base).second; ++n)
        base = remote.substr(remote.find_last_of('/') + 1) + "-" + std::to_string(n);
      // A target that was never installed or never started has no log.
      if (auto fetched = node.download(remote, *directory + "/" + base);
          !fetched && fetched.error().code != ErrorCode::not_found) {
        log.warn(fmt::format("{}: {} could not be fetched: {}", node.name(), remote, fetched.error().message));
      }
    }
    return {};
  });
}

namespace {

Result<std::string> run_for_data(Node& node, std::string script, bool sudo) {
  Command command(std::move(script));
  command.sudo = sudo;
  command.timeout = std::chrono::seconds(60);
  return run_ok(node, command);
}

// Links are packed as links. Root packs into a folder of the login user, who fetches it.
Result<void> fetch_packed(Node& node, const std::string& directory, const std::string& local) {
  auto made = run_for_data(node, "mktemp -d", false);
  if (!made) return fail(made.error());
  const std::string folder(trimmed(*made));
  const std::string packed = folder + "/data.tar.gz";
  auto done = run_for_data(
      node,
      fmt::format(
          "d={0}; f={1}; umask 077; tar -C \"$(dirname \"$d\")\" -S -czf \"$f\" -- \"$(basename \"$d\")\" && "
          "chown --reference={2} \"$f\" && [ \"$(stat -c %s \"$f\")\" -le {3} ] || {{ echo 'more than {4} MiB' >&2; "
          "exit 1; }}",
          shell_quote(directory), shell_quote(packed), shell_quote(folder), kMostDownloaded, kMostDownloaded >> 20),
      true);
  Result<void> fetched = done ? node.download(packed, local) : Result<void>(fail(done.error()));
  if (auto removed = run_for_data(node, "rm -rf -- " + shell_quote(folder), true); !removed && fetched)
    return fail(removed.error());
  return fetched;
}

}  // namespace

Result<void> collect_data(Target& target, Cluster& cluster, const RunDirectory& run, RunLog& log) {
  if (cluster.nodes.empty()) return {};
  return on_all_nodes(cluster, [&](Node& node) -> Result<void> {
    auto folder = run.node_directory(node.name());
    if (!folder) return fail(folder.error());
    int n = 0;
    for (const auto& remote : data_directories(target, node)) {
      const std::string local = *folder + "/data" + (++n > 1 ? "-" + std::to_string(n) : "") + ".tar.gz";
      if (auto fetched = fetch_packed(node, remote, local); !fetched)
        log.warn(fmt::format("{}: {} could not be saved: {}", node.name(), remote, fetched.error().message));
    }
    return {};
  });
}

Result<void> take_down(Target& target, Cluster& cluster, RunLog& log) {
  if (cluster.nodes.empty()) return {};
  log.info("stopping " + std::string(target.name()));
  return on_all_nodes(cluster, [&](Node& node) { return target.stop(node); });
}

}  // namespace ordeal
