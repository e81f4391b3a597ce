#include "checkers/consistency/sequential.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <map>
#include <optional>
#include <unordered_set>

#include "checkers/consistency/execution.h"
#include "checkers/consistency/value_watch.h"
#include "checkers/consistency/weak.h"
#include "checkers/linearizability/checker.h"
#include "checkers/linearizability/interfaces/key_history.h"
#include "checkers/linearizability/models/model.h"

namespace ordeal {
namespace {

using lin::State;

struct Step {
  lin::Operation op;
  EventIndex invocation = 0;
  std::uint32_t key = 0;
  bool crashed = false;
  bool pure = false;
  ValueWatch::Watched watched = {};
};

// The operations of all processes in their order, and the search over them.
class SequentialSearch {
 public:
  SequentialSearch(const History& history, const lin::Model& model, const lin::Partition& parts,
                   const CheckOptions& options)
      : history_(history),
        model_(model),
        memory_(options.memory_bytes != 0 ? options.memory_bytes : std::size_t{4} << 30),
        stop_(options.stop),
        watches_(lin::is_one_register(model) && model.initial().size() == 1 && !options.initial_unknown) {
    if (options.timeout.count() > 0) deadline_ = std::chrono::steady_clock::now() + options.timeout;
    std::vector<std::pair<EventIndex, Step>> all;
    for (std::uint32_t k = 0; k < parts.keys.size(); ++k) {
      for (const lin::Call& call : parts.keys[k].calls) {
        all.push_back({call.inv, {call.op, call.inv, k, call.crashed(), (model.traits(call.op) & lin::kPure) != 0}});
      }
    }
    std::sort(all.begin(), all.end(), [](const auto& x, const auto& y) { return x.first < y.first; });
    std::map<ProcessId, std::size_t> session_of;
    for (auto& [inv, step] : all) {
      const ProcessId process = history_.process(inv);
      const auto [found, fresh] = session_of.try_emplace(process, sessions_.size());
      if (fresh) sessions_.emplace_back();
      if (!step.crashed) ++must_;
      if (watches_)
        step.watched = watch_.add(step.key, static_cast<std::uint32_t>(found->second), step.op, step.crashed);
      sessions_[found->second].push_back(step);
      if (step.crashed) session_of.erase(found);  // what comes after is not ordered after it
    }
    states_.assign(parts.keys.size(), model.initial());
    if (watches_) watch_.begin(static_cast<std::uint32_t>(parts.keys.size()), model.initial().front());
    at_.assign(sessions_.size(), 0);
  }

  // valid or invalid, or unknown with reason().
  Verdict run() {
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
      const auto remembered = seen_.insert(snapshot());
      if (!remembered.second) continue;
      used_ += remembered.first->size() + 64;
      if (used_ > memory_) {
        reason_ = "the memory limit was reached after " + std::to_string(seen_.size()) + " configurations";
        return Verdict::unknown;
      }
      stack.push_back({choices(), 0, 0, {}, false});
    }
    return Verdict::invalid;
  }

  [[nodiscard]] const std::string& reason() const { return reason_; }
  [[nodiscard]] const std::vector<EventIndex>& order() const { return order_; }

 private:
  bool out_of_time() {
    if (stop_.stop_requested())
      reason_ = "stopped on request";
    else if (deadline_ && std::chrono::steady_clock::now() >= *deadline_)
      reason_ = "the time limit was reached";
    return !reason_.empty();
  }

  // What can be performed now, first invoked first. A legal operation that changes nothing can always go first, so
  // it is then the only choice.
  [[nodiscard]] std::vector<std::pair<std::size_t, State>> choices() const {
    std::vector<std::pair<std::size_t, State>> out;
    std::vector<State> next;
    for (std::size_t s = 0; s < sessions_.size(); ++s) {
      if (at_[s] == sessions_[s].size()) continue;
      const Step& step = sessions_[s][at_[s]];
      if (watches_ && !watch_.may_come(step.key, states_[step.key].front(), step.watched)) continue;
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
      const Step& a = sessions_[x.first][at_[x.first]];
      const Step& b = sessions_[y.first][at_[y.first]];
      return a.crashed != b.crashed ? b.crashed : a.invocation < b.invocation;
    });
    return out;
  }

  State perform(std::size_t session, const State& after) {
    const Step& step = sessions_[session][at_[session]++];
    State before = std::exchange(states_[step.key], after);
    if (!step.crashed) ++done_;
    watch_.performed(step.watched, !step.crashed);
    order_.push_back(step.invocation);
    return before;
  }
  void undo(std::size_t session, const State& before) {
    const Step& step = sessions_[session][--at_[session]];
    states_[step.key] = before;
    if (!step.crashed) --done_;
    watch_.undone(step.watched, !step.crashed);
    order_.pop_back();
  }

  // Positions and states as bytes: equal bytes are the same configuration.
  [[nodiscard]] std::string snapshot() const {
    std::string out;
    const auto add = [&](std::uint32_t word) { out.append(reinterpret_cast<const char*>(&word), sizeof word); };
    for (const std::size_t at : at_) add(static_cast<std::uint32_t>(at));
    for (const State& state : states_) {
      add(static_cast<std::uint32_t>(state.size()));
      for (const std::uint32_t word : state) add(word);
    }
    return out;
  }

  const History& history_;
  const lin::Model& model_;
  std::size_t memory_;
  std::stop_token stop_;
  std::optional<std::chrono::steady_clock::time_point> deadline_;
  const bool watches_;
  ValueWatch watch_;  // of registers
  std::vector<std::vector<Step>> sessions_;
  std::vector<std::size_t> at_;  // by session: how many were performed
  std::vector<State> states_;    // by key
  std::size_t must_ = 0;         // operations that certainly happened
  std::size_t done_ = 0;         // of those, performed
  std::vector<EventIndex> order_;
  std::unordered_set<std::string> seen_;
  std::size_t used_ = 0;
  std::string reason_;
};

// What is linearizable is sequential, and what is not causally convergent is not. Both are found out quickly where the
// search would be long.
bool ask_neighbours(const History& history, const lin::Model& model, CheckOptions options, CheckResult& result) {
  constexpr std::size_t kMany = 500;
  if (result.operations < kMany) return false;
  options.algorithm = "auto";
  options.timeout = options.timeout.count() > 0 ? options.timeout / 3 : std::chrono::milliseconds(20'000);
  // Linearizability is local, so several keys have a common order, too; but it would have to be put together.
  if (!options.certificate || result.keys == 1) {
    options.consistency = "linearizable";
    CheckResult found = linearizable_checker()->check(history, options);
    if (found.verdict == Verdict::valid) {
      result.verdict = Verdict::valid;
      result.algorithm = "linearizable";
      result.certificate = std::move(found.certificate);
      return true;
    }
  }
  if (!lin::is_one_register(model)) return false;
  options.consistency = "causal-ccv";
  CheckResult found = weak_checker("causal-ccv")->check(history, options);
  if (found.verdict != Verdict::invalid) return false;
  result.verdict = Verdict::invalid;
  result.algorithm = "causal-ccv";
  result.anomalies = std::move(found.anomalies);
  return true;
}

class SequentialChecker final : public Checker {
 public:
  [[nodiscard]] std::string_view name() const override { return "sequential"; }

  [[nodiscard]] CheckResult check(const History& history, const CheckOptions& options) const override {
    const auto start = std::chrono::steady_clock::now();
    CheckResult result = judged(history, options);
    result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return result;
  }

 private:
  static CheckResult judged(const History& history, const CheckOptions& options) {
    CheckResult result;
    result.checker = "sequential";
    result.model = options.model;
    result.consistency = "sequential";
    result.algorithm = "dfs";
    const auto model = lin::make_model(history, options);
    if (!model) {
      result.reason = model.error().message;
      return result;
    }
    const lin::Partition parts = lin::partition(history, **model);
    if (!weak::can_be_judged(parts, result)) return result;
    if (ask_neighbours(history, **model, options, result)) return result;
    SequentialSearch search(history, **model, parts, options);
    result.verdict = search.run();
    if (result.verdict == Verdict::unknown) {
      result.reason = search.reason();
    } else if (result.verdict == Verdict::valid && options.certificate) {
      result.certificate.emplace_back().second = search.order();
    } else if (result.verdict == Verdict::invalid) {
      Anomaly anomaly;
      anomaly.type = "nonsequential";
      for (const lin::KeyHistory& key : parts.keys) {
        for (const lin::Call& call : key.calls) anomaly.operations.push_back(call.inv);
      }
      std::sort(anomaly.operations.begin(), anomaly.operations.end());
      anomaly.explanation = "no order of these " + std::to_string(anomaly.operations.size()) +
                            " operations keeps the order of each process and is explained by the model " +
                            options.model;
      anomaly.sentences = {"All orders that keep the order of each process were tried.",
                           "In each of them some operation returned what the model does not allow."};
      result.anomalies.push_back(std::move(anomaly));
    }
    return result;
  }
};

}  // namespace

std::shared_ptr<const Checker> sequential_checker() { return std::make_shared<SequentialChecker>(); }

std::vector<AnomalyEntry> sequential_anomalies() {
  return {
      {"nonsequential", "no order of the operations keeps the order of each process and fits the model"},
  };
}

}  // namespace ordeal
