#include "session/freeze.h"

#include <fmt/format.h>

#include <chrono>
#include <thread>

#include "harness/runner/lifecycle.h"
#include "nemesis/make_nemesis.h"

namespace ordeal {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kToFreeze{20};
constexpr double kToThaw_s = 30;

// Its steps are none of the run's faults, and go to the log.
class FreezerLog final : public NemesisLog {
 public:
  explicit FreezerLog(RunLog& log) : log_(log) {}
  void record(const std::string& f, const Value& value) override {
    log_.debug("freezing: " + f + " " + value.to_json());
  }
  std::int64_t now_ns() const override {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - begin_).count();
  }

 private:
  RunLog& log_;
  const Clock::time_point begin_ = Clock::now();
};

// Until it is seen to be held; false: it is not.
bool await_frozen(const Nemesis& freezer) {
  const auto limit = Clock::now() + kToFreeze;
  while (Clock::now() < limit) {
    for (const FaultRecord& one : freezer.records()) {
      if (one.confirmed_ns >= 0) return true;
      if (one.healed_ns >= 0) return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

}  // namespace

Result<void> freeze_and_save(const Plan& plan, Target& target, Cluster& cluster, const RunDirectory& run, RunLog& log) {
  if (cluster.nodes.empty()) return {};
  auto freezer = make_freezer(plan, run.file("ledger.jsonl"), cluster, target);
  if (!freezer) log.warn("the target could not be frozen: " + freezer.error().message);
  if (!freezer || *freezer == nullptr) return collect_data(target, cluster, run, log);
  FreezerLog steps(log);
  std::jthread held([&](const std::stop_token& stop) { (*freezer)->run(RunPhase::main, stop, steps); });
  const auto begin = Clock::now();
  if (await_frozen(**freezer)) {
    log.info(fmt::format("the target stands still, {:.3g} s after the anomaly was seen",
                         std::chrono::duration<double>(Clock::now() - begin).count()));
  } else {
    log.warn("the target could not be seen to stand still; its data is saved as it is");
  }
  auto saved = collect_data(target, cluster, run, log);
  held.request_stop();
  held.join();
  auto healed = (*freezer)->heal_all(Deadline::after_s(kToThaw_s));
  if (!healed) return fail(healed.error().during("letting the frozen target go"));
  return saved;
}

}  // namespace ordeal
