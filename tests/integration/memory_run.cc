#include "tests/integration/memory_run.h"

#include "checkers/history/reader.h"
#include "session/resolve_plan.h"
#include "session/run_session.h"
#include "tests/harness/store/scratch.h"
#include "tests/support/silence.h"
#include "workloads/catalogue.h"

namespace ordeal {

Recorded recorded_run(const std::string& workload_name, const Settings& settings, std::uint64_t seed, double seconds,
                      double rate) {
  const Scratch scratch;
  RunRequest request;
  request.flags = {{"target", {"memory", "test"}},
                   {"workload", {workload_name, "test"}},
                   {"store", {scratch.path(), "test"}},
                   {"seed", {std::to_string(seed), "test"}},
                   {"rate", {std::to_string(rate), "test"}}};
  for (const auto& [key, value] : settings) request.settings[key] = {value, "test"};
  auto plan = resolve(request);
  ORDEAL_CHECK(plan.has_value(), plan ? "" : plan.error().message);
  plan->time_limit_s = seconds;  // shorter than a command line may ask for
  testing::Silence observer;
  RunSession session(*plan, observer, {});
  const auto played = session.play();
  ORDEAL_CHECK(played.has_value(), played ? "" : played.error().message);
  auto read = read_history_file(session.directory() + "/history.jsonl");
  ORDEAL_CHECK(read.has_value(), read ? "" : read.error().message);
  return {std::move(read->history), plan->options};
}

namespace {

Judged run_once(const std::string& workload_name, const Settings& settings, std::uint64_t seed, double seconds,
                double rate) {
  const Recorded run = recorded_run(workload_name, settings, seed, seconds, rate);
  Judged out;
  for (const OperationEvents op : run.history.operations()) out.ok += run.history.outcome(op) == EventType::ok;
  for (const auto& [checker, check_options] : (*find_workload(workload_name))->checkers(run.options)) {
    const auto result = checker->check(run.history, check_options);
    out.verdict = merged(out.verdict, result.verdict);
    out.text += result.checker + ": " + std::string(name(result.verdict)) + " " + result.reason + "\n";
    for (const auto& anomaly : result.anomalies) {
      out.anomalies.push_back(anomaly.type);
      out.text += "  " + anomaly.type + ": " + anomaly.explanation + "\n";
    }
  }
  return out;
}

}  // namespace

Judged judged_run(const std::string& workload, const Settings& settings, std::uint64_t seed, double seconds,
                  double rate, std::size_t wanted) {
  Judged out = run_once(workload, settings, seed, seconds, rate);
  for (int more = 0; more < 6 && out.ok < wanted; ++more) {
    out = run_once(workload, settings, seed, seconds *= 2, rate);
  }
  return out;
}

}  // namespace ordeal
