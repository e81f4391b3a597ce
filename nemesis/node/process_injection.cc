#include "nemesis/node/process_injection.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "nemesis/node/node_state.h"
#include "nemesis/node/parallel.h"

namespace ordeal {
namespace {

// How often an observation looks again until it sees what it waits for.
constexpr auto kPollPause = std::chrono::milliseconds(100);

}  // namespace

std::string pid_list(const std::vector<OsProcess>& processes) {
  std::string out;
  for (const OsProcess& one : processes) out += fmt::format("{}{}", out.empty() ? "" : ", ", one.pid);
  return out;
}

std::vector<OsProcess> ids_of(const std::vector<ProcessState>& states) {
  std::vector<OsProcess> out;
  out.reserve(states.size());
  for (const ProcessState& one : states) out.push_back(one.id);
  return out;
}

Value ProcessInjection::describe() const {
  Value out = Value::map();
  out.set("selector", selection_.how);
  Value nodes = Value::list();
  Value pids = Value::map();
  for (const std::size_t node : selection_.nodes) nodes.items().emplace_back(name(node));
  for (const auto& [node, processes] : processes_) {
    Value list = Value::list();
    for (const OsProcess& one : processes) list.items().emplace_back(one.pid);
    pids.set(name(node), std::move(list));
  }
  out.set("nodes", std::move(nodes));
  out.set("pids", std::move(pids));
  if (!selection_.note.empty()) out.set("note", selection_.note);
  if (!skipped_.empty()) out.set("skipped", skipped_);
  return out;
}

std::vector<std::string> ProcessInjection::nodes() const { return node_names(cluster_, selection_.nodes); }

Result<void> ProcessInjection::prepare(Deadline deadline) {
  std::vector<std::vector<OsProcess>> found(cluster_.size());
  const auto asked = on_each(selection_.nodes, [&](std::size_t node) -> Result<std::string> {
    auto states = running(node, deadline);
    if (!states) return fail(states.error());
    for (const ProcessState& one : *states) {
      if (takes_stopped() || !one.stopped()) found[node].push_back(one.id);
    }
    return std::string();
  });
  if (auto all = all_done(asked); !all) return fail(all.error().during("looking for the target's processes"));
  for (const std::size_t node : selection_.nodes) {
    if (!found[node].empty()) {
      processes_[node] = std::move(found[node]);
    } else {
      skipped_ += fmt::format("{}{}: no process of the target {} there", skipped_.empty() ? "" : "; ", name(node),
                              takes_stopped() ? "is" : "runs");
    }
  }
  if (processes_.empty()) return fail(ErrorCode::target, skipped_);
  std::erase_if(selection_.nodes, [&](std::size_t node) { return !processes_.contains(node); });
  return {};
}

Result<std::vector<ProcessState>> ProcessInjection::running(std::size_t node, Deadline deadline) const {
  auto pids = target_.processes()->pids(cluster_.at(node));
  if (!pids) return fail(pids.error());
  return states_of(node, *pids, deadline);
}

Result<std::vector<ProcessState>> ProcessInjection::states_of(std::size_t node, const std::vector<int>& pids,
                                                              Deadline deadline) const {
  auto printed = run_ok(cluster_.at(node), root_script(states_script(pids), deadline));
  if (!printed) return fail(printed.error());
  auto states = parse_states(*printed);
  std::erase_if(states, [](const ProcessState& one) { return one.gone(); });
  return states;
}

Result<std::vector<ProcessState>> ProcessInjection::before(std::size_t node, Deadline deadline) const {
  return same(node, processes_.at(node), deadline);
}

Result<std::vector<ProcessState>> ProcessInjection::same(std::size_t node, const std::vector<OsProcess>& known,
                                                         Deadline deadline) const {
  std::vector<int> pids;
  for (const OsProcess& one : known) pids.push_back(one.pid);
  auto states = states_of(node, pids, deadline);
  if (!states) return fail(states.error());
  std::erase_if(*states,
                [&](const ProcessState& one) { return std::find(known.begin(), known.end(), one.id) == known.end(); });
  return states;
}

Result<Observation> ProcessInjection::observe_all(Deadline deadline,
                                                  const std::function<Result<Observation>(std::size_t)>& look) const {
  std::vector<std::string> seen(cluster_.size());
  std::vector<char> good(cluster_.size(), 0);
  (void)on_each(selection_.nodes, [&](std::size_t node) {
    while (true) {
      const Result<Observation> one = look(node);
      good[node] = one && one->confirmed ? 1 : 0;
      // A look that came too late to be finished says less than the one before.
      if (one || one.error().code != ErrorCode::timeout || seen[node].empty()) {
        seen[node] = fmt::format("{}: {}", name(node), one ? one->evidence : one.error().message);
      }
      if (good[node] != 0 || std::chrono::steady_clock::now() + 2 * kPollPause > deadline) break;
      std::this_thread::sleep_for(kPollPause);
    }
    return Result<std::string>(std::string());
  });
  Observation out;
  out.confirmed = true;
  for (const std::size_t node : selection_.nodes) {
    out.confirmed = out.confirmed && good[node] != 0;
    out.evidence += (out.evidence.empty() ? "" : "; ") + seen[node];
  }
  return out;
}

Result<Observation> ProcessInjection::look_gone(std::size_t node, Deadline deadline) const {
  const auto left = before(node, deadline);
  if (!left) return fail(left.error());
  if (!left->empty()) return Observation{false, fmt::format("process {} is still there", left->front().id.pid)};
  const auto now = running(node, deadline);
  if (!now) return fail(now.error());
  std::string evidence = fmt::format("process {} is gone from /proc", pid_list(processes_.at(node)));
  if (!now->empty()) {
    evidence += fmt::format(", but something else than Ordeal has started {} already", now->front().id.pid);
  }
  return Observation{true, evidence};
}

Result<Observation> ProcessInjection::look_running(std::size_t node, Deadline deadline) const {
  const auto now = running(node, deadline);
  if (!now) return fail(now.error());
  if (now->empty()) return Observation{false, "the target does not run: it was started and has ended again"};
  return Observation{true, fmt::format("runs again as process {}", pid_list(ids_of(*now)))};
}

Result<void> ProcessInjection::on_all(const std::function<Result<void>(std::size_t)>& step) const {
  return all_done(on_each(selection_.nodes, [&](std::size_t node) -> Result<std::string> {
    auto done = step(node);
    if (!done) return fail(done.error().during(name(node)));
    return std::string();
  }));
}

Result<void> ProcessInjection::start_again() const {
  auto done = on_all([&](std::size_t node) { return target_.start(cluster_.at(node)); });
  if (!done) return fail(done.error().during("starting again"));
  return done;
}

Result<void> ProcessInjection::start_again_unless_it_refuses() const {
  auto done = on_all([&](std::size_t node) -> Result<void> {
    auto started = target_.start(cluster_.at(node));
    if (!started && started.error().code != ErrorCode::target) return started;
    return {};
  });
  if (!done) return fail(done.error().during("starting again"));
  return done;
}

std::string ProcessInjection::revive_script(std::size_t node) const {
  const std::string script = target_.processes()->start_script(cluster_.at(node));
  return script.empty() ? "" : start_in_undo(script);
}

std::string ProcessInjection::undo_and_revive(std::size_t node, const std::string& script, bool may_refuse) const {
  const std::string revive = revive_script(node);
  if (revive.empty()) return script;
  return fmt::format("(\n{}\n) || exit 1\n(\n{}\n){}", script, revive, may_refuse ? " || :" : "");
}

std::vector<Undo> EndingInjection::undo() const {
  std::vector<Undo> out;
  for (const std::size_t node : selection_.nodes) {
    if (std::string script = revive_script(node); !script.empty()) out.push_back({name(node), std::move(script)});
  }
  return out;
}

Result<Observation> EndingInjection::confirm(Deadline deadline) {
  return observe_all(deadline, [&](std::size_t node) { return look_gone(node, deadline); });
}

Result<Observation> EndingInjection::confirm_healed(Deadline deadline) {
  return observe_all(deadline, [&](std::size_t node) { return look_running(node, deadline); });
}

std::string process_fault_problem(const FaultContext& context, std::string_view fault) {
  if (context.cluster.nodes.empty() || context.target.processes() == nullptr) {
    return fmt::format("target {} has no processes on nodes that it could act on", context.target.name());
  }
  const std::string key = fmt::format("{}.nodes", fault);
  const std::string problem = selector_problem(context.options.string(key), context);
  return problem.empty() ? "" : fmt::format("{}: {}", key, problem);
}

OptionSpec process_nodes_option(std::string_view fault) {
  return {fmt::format("{}.nodes", fault), OptionSpec::Type::string, "random",
          "one, minority, minority-third (less than a third), majority, all, primaries, followers, ring (no two "
          "neighbours), subset (any set), a named set (n1,n3), or random: draws among one, minority and primaries"};
}

}  // namespace ordeal
