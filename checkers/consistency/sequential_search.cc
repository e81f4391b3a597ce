#include "checkers/consistency/sequential_search.h"

#include <algorithm>
#include <map>

namespace ordeal {

using lin::State;

SequentialSessions sequential_sessions(const History& history, const lin::Model& model, const lin::Partition& parts) {
  std::vector<SequentialStep> all;
  for (std::uint32_t k = 0; k < parts.keys.size(); ++k) {
    const auto& calls = parts.keys[k].calls;
    for (lin::CallIndex i = 0; i < calls.size(); ++i) {
      all.push_back(
          {calls[i].op, calls[i].inv, k, i, calls[i].crashed(), (model.traits(calls[i].op) & lin::kPure) != 0});
    }
  }
  std::sort(all.begin(), all.end(),
            [](const SequentialStep& x, const SequentialStep& y) { return x.invocation < y.invocation; });
  // What comes after a crash is not ordered after it, also where what crashed can have had no effect.
  SequentialSessions sessions;
  std::map<ProcessId, std::size_t> session_of;
  auto step = all.begin();
  for (const OperationEvents op : history.operations()) {
    const auto [found, fresh] = session_of.try_emplace(history.process(op.invocation), sessions.size());
    if (fresh) sessions.emplace_back();
    if (step != all.end() && step->invocation == op.invocation) sessions[found->second].push_back(*step++);
    if (history.outcome(op) == EventType::info) session_of.erase(found);
  }
  return sessions;
}

SequentialSearch::SequentialSearch(const lin::Model& model, const SequentialSessions& sessions, std::size_t keys,
                                   SequentialLimits limits)
    : model_(model), sessions_(sessions), limits_(std::move(limits)) {
  for (const auto& session : sessions) {
    must_ += static_cast<std::size_t>(
        std::count_if(session.begin(), session.end(), [](const SequentialStep& step) { return !step.crashed; }));
  }
  states_.assign(keys, model.initial());
  at_.assign(sessions.size(), 0);
  const State initial = model.initial();
  watches_ = lin::is_one_register(model) && initial.size() == 1 && initial.front() != lin::kAnyState;
  watched_.resize(sessions.size());
  for (std::uint32_t s = 0; s < sessions.size(); ++s) {
    for (const SequentialStep& step : sessions[s]) {
      watched_[s].push_back(watches_ ? watch_.add(step.key, s, step.op, step.crashed) : ValueWatch::Watched{});
    }
  }
  if (watches_) watch_.begin(static_cast<std::uint32_t>(keys), initial.front());
}

Verdict SequentialSearch::run() {
  // Each level of the search is one performed step; `next_choice` is where to go on after coming back.
  struct Level {
    std::vector<std::pair<std::size_t, State>> choices;  // session and the state of its key afterwards
    std::size_t next_choice = 0;
    std::size_t session = 0;
    State before;
    bool performed = false;
  };
  std::vector<Level> stack;
  std::uint64_t steps = 0;
  stack.push_back({choices(), 0, 0, {}, false});
  while (!stack.empty()) {
    if (done_ == must_) return Verdict::valid;
    if (++steps % 512 == 0 && out_of_time()) return Verdict::unknown;
    Level& top = stack.back();
    if (top.performed) {  // back from below: undo
      undo(top.session, top.before);
      top.performed = false;
    }
    if (top.next_choice == top.choices.size()) {
      stack.pop_back();
      continue;
    }
    auto& [session, after] = top.choices[top.next_choice++];
    top.session = session;
    top.before = perform(session, after);
    top.performed = true;
    if (furthest_ && done_ > furthest_->done) furthest_ = End{done_, at_, states_, order_};
    const auto remembered = seen_.insert(snapshot());
    if (!remembered.second) continue;
    if (seen_.size() > limits_.configurations) {
      reason_ = "too many configurations";
      return Verdict::unknown;
    }
    used_ += remembered.first->size() + 64;
    if (used_ > limits_.memory_bytes) {
      reason_ = "the memory limit was reached after " + std::to_string(seen_.size()) + " configurations";
      return Verdict::unknown;
    }
    stack.push_back({choices(), 0, 0, {}, false});
  }
  return Verdict::invalid;
}

bool SequentialSearch::out_of_time() {
  if (limits_.stop.stop_requested())
    reason_ = "stopped on request";
  else if (limits_.deadline && std::chrono::steady_clock::now() >= *limits_.deadline)
    reason_ = "the time limit was reached";
  return !reason_.empty();
}

// What can be performed now, first invoked first. A legal operation that changes nothing can always go first, so
// it is then the only choice.
std::vector<std::pair<std::size_t, State>> SequentialSearch::choices() const {
  std::vector<std::pair<std::size_t, State>> out;
  std::vector<State> next;
  for (std::size_t s = 0; s < sessions_.size(); ++s) {
    if (at_[s] == sessions_[s].size()) continue;
    const SequentialStep& step = sessions_[s][at_[s]];
    if (watches_ && !watch_.may_come(step.key, states_[step.key].front(), watched_[s][at_[s]])) continue;
    next.clear();
    model_.step(states_[step.key], step.op, next);
    for (State& state : next) {
      if (step.pure && state == states_[step.key]) {
        out.clear();
        out.emplace_back(s, std::move(state));
        return out;
      }
      out.emplace_back(s, std::move(state));
    }
  }
  std::stable_sort(out.begin(), out.end(), [&](const auto& x, const auto& y) {
    const SequentialStep& a = sessions_[x.first][at_[x.first]];
    const SequentialStep& b = sessions_[y.first][at_[y.first]];
    return a.crashed != b.crashed ? b.crashed : a.invocation < b.invocation;
  });
  return out;
}

State SequentialSearch::perform(std::size_t session, const State& after) {
  const SequentialStep& step = sessions_[session][at_[session]];
  watch_.performed(watched_[session][at_[session]++], !step.crashed);
  State before = std::exchange(states_[step.key], after);
  if (!step.crashed) ++done_;
  order_.push_back(step.invocation);
  return before;
}

void SequentialSearch::undo(std::size_t session, const State& before) {
  const SequentialStep& step = sessions_[session][--at_[session]];
  watch_.undone(watched_[session][at_[session]], !step.crashed);
  states_[step.key] = before;
  if (!step.crashed) --done_;
  order_.pop_back();
}

// Positions and states as bytes: equal bytes are the same configuration.
std::string SequentialSearch::snapshot() const {
  std::string out;
  const auto add = [&](std::uint32_t word) { out.append(reinterpret_cast<const char*>(&word), sizeof word); };
  for (const std::size_t at : at_) add(static_cast<std::uint32_t>(at));
  for (const State& state : states_) {
    add(static_cast<std::uint32_t>(state.size()));
    for (const std::uint32_t word : state) add(word);
  }
  return out;
}

}  // namespace ordeal
