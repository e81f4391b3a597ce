#include "targets/log/server/node/planted.h"

#include <fmt/format.h>

#include <atomic>

#include "base/value.h"
#include "targets/log/server/bugs.h"

namespace ordeal::log::node {
namespace {

using state::Command;
using state::CommandKind;
using state::Step;

bool checks(const Step& step) { return step.kind >= Step::Kind::check_version; }

state::Answer look(const Replica& replica, std::vector<Step> steps) {
  state::Query query;
  query.steps = std::move(steps);
  return replica.query(query);
}

// The adds of a transaction as writes of the sum of what is here.
Command added_here(const Replica& replica, Command command) {
  for (Step& step : command.steps) {
    if (step.kind != Step::Kind::add) continue;
    const auto seen = Value::from_json(look(replica, {{Step::Kind::read, step.key}}).body);
    const Value* results = seen ? seen->find("results") : nullptr;
    const Value* value = results == nullptr ? nullptr : results->items().front().find("value");
    const std::int64_t old = value != nullptr && value->is_integer() ? value->integer() : 0;
    step = {Step::Kind::write, step.key, std::to_string(old + step.amount)};
  }
  return command;
}

// The checks of a transaction are made here and now, and its writes whenever they come to it.
Outcome checked_here(const Replica& replica, Command command, const std::function<Outcome(const Command&)>& submit) {
  std::vector<Step> asked;
  for (const Step& step : command.steps) {
    if (checks(step)) asked.push_back(step);
  }
  state::Answer checked = look(replica, asked);
  if (checked.code != state::AnswerCode::ok) return {Outcome::Kind::done, std::move(checked), {}, {}, 0};
  std::erase_if(command.steps, checks);
  return submit(command);
}

// What the transaction reads is what is here now.
Outcome read_here(const Replica& replica, const Command& command,
                  const std::function<Outcome(const Command&)>& submit) {
  std::vector<Step> reads;
  for (const Step& step : command.steps) reads.push_back({Step::Kind::read, step.key});
  const auto seen = Value::from_json(look(replica, reads).body);
  Outcome outcome = submit(command);
  auto answered = Value::from_json(outcome.answer.body);
  if (!seen || !answered || answered->find("results") == nullptr) return outcome;
  Value results = *answered->find("results");
  for (std::size_t i = 0; i < command.steps.size(); ++i) {
    if (command.steps[i].kind == Step::Kind::read) results.items()[i] = seen->find("results")->items()[i];
  }
  answered->set("results", std::move(results));
  outcome.answer.body = answered->to_json();
  return outcome;
}

}  // namespace

Outcome answer_wrongly(const Replica& replica, const Command& command,
                       const std::function<Outcome(const Command&)>& submit) {
  if (bug(Bug::ids_from_the_node) && command.kind == CommandKind::generate) {
    static std::atomic<std::uint64_t> next = 1;
    return {Outcome::Kind::done, {state::AnswerCode::ok, fmt::format("{{\"id\":{}}}", next++), 0, false}, {}, {}, 0};
  }
  if (command.kind != CommandKind::transact) return submit(command);
  if (bug(Bug::counter_loses_adds)) return submit(added_here(replica, command));
  if (bug(Bug::cas_before_order)) return checked_here(replica, command, submit);
  if (bug(Bug::reads_before_order)) return read_here(replica, command, submit);
  return submit(command);
}

}  // namespace ordeal::log::node
