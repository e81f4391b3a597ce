#include "nemesis/engine/driver.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <mutex>
#include <numeric>
#include <random>
#include <set>
#include <thread>
#include <utility>

#include "nemesis/engine/groundworks.h"
#include "nemesis/engine/guarded_target.h"
#include "nemesis/engine/lanes.h"
#include "nemesis/engine/life.h"
#include "nemesis/engine/wait.h"
#include "nemesis/node/node_state.h"
#include "nemesis/node/parallel.h"

namespace ordeal {
namespace {

class Driver final : public Nemesis {
 public:
  Driver(DriverOptions options, const FaultContext& context, Lanes lanes)
      : options_(std::move(options)),
        lanes_(std::move(lanes)),
        cluster_(context.cluster),
        target_(context.target, context.cluster),
        roster_(context.cluster.size(), options_.keep_quorum),
        net_(context.cluster, options_) {
    for (const Lane& lane : lanes_.all) {
      const bool waits = lane.trigger && lane.trigger->kind == Trigger::Kind::operation;
      held_.push_back(waits ? std::make_unique<HeldCluster>(cluster_) : nullptr);
    }
  }

  Result<void> open_ledger() { return net_.open(); }

  Result<void> set_up(Deadline deadline) override { return groundworks_.set_up(lanes_, deadline); }
  Result<void> tear_down(Deadline deadline) override { return groundworks_.tear_down(deadline); }
  void run(RunPhase phase, std::stop_token stop, NemesisLog& log) override;
  Result<void> heal_all(Deadline deadline) override;
  void inject_no_more() override { no_more_ = true; }
  std::vector<FaultRecord> records() const override { return roster_.records(); }
  std::size_t kinds() const override {
    std::set<std::string> names;
    for (const Lane& lane : lanes_.all) names.insert(lane.fault->name);
    return names.size();
  }
  bool plays(RunPhase phase) const override {
    return std::any_of(lanes_.all.begin(), lanes_.all.end(), [&](const Lane& lane) { return lane.phase() == phase; });
  }

 private:
  void play_lane(std::size_t lane, const std::stop_token& stop);
  bool await_slot(const Lane& lane, const Slot& slot, const std::stop_token& stop);
  std::shared_ptr<Life> begin(std::size_t lane, int id);

  const DriverOptions options_;
  const Lanes lanes_;
  Cluster& cluster_;
  GuardedTarget target_;
  std::vector<std::unique_ptr<HeldCluster>> held_;  // by lane; of those that wait for an operation
  FaultLog log_;
  Roster roster_;

  std::atomic<bool> no_more_{false};
  std::mutex mutex_;
  std::vector<std::shared_ptr<Life>> lives_;  // guarded by mutex_

  SafetyNet net_;  // its threads end before all of the above
  Groundworks groundworks_{net_, cluster_, target_, options_};
  Surroundings around_{options_, lanes_.quiet, cluster_, target_, net_, roster_, log_};
};

void Driver::run(RunPhase phase, std::stop_token stop, NemesisLog& log) {
  log_.begin(log);
  if (phase == RunPhase::main) log.record("nemesis", lanes_.describe());
  {
    std::vector<std::jthread> lanes;
    for (std::size_t lane = 0; lane < lanes_.all.size(); ++lane) {
      if (lanes_.all[lane].phase() != phase) continue;
      lanes.emplace_back([this, lane, &stop] { play_lane(lane, stop); });
    }
  }
  log_.end();
}

void Driver::play_lane(std::size_t lane, const std::stop_token& stop) {
  const RunPhase phase = lanes_.all[lane].phase();
  for (std::size_t k = 0; !stop.stop_requested(); ++k) {
    auto slot = lanes_.schedule.slot(lane, k);
    if (!slot) return;
    if (phase != RunPhase::main && lanes_.kind != "scripted") {
      // Nobody waits in the recovery but for the nemesis.
      if (k > 0 && phase == RunPhase::recovery) return;
      // The final phase is short: what is drawn for the main phase would come too late.
      if (k == 0) slot->at_s = 0;
    }
    if (!await_slot(lanes_.all[lane], *slot, stop)) return;
    begin(lane, slot->id)->play(*slot, stop);
  }
}

// Until the slot's time. False: the run was stopped meanwhile, or nothing may be injected any more.
bool Driver::await_slot(const Lane& lane, const Slot& slot, const std::stop_token& stop) {
  if (!pause_for(slot.at_s >= 0 ? slot.at_s - log_.now_s() : slot.wait_s, stop)) return false;
  const double quiet = lanes_.quiet.wait_s(log_.now_s());
  if (std::isinf(quiet) || !pause_for(quiet, stop) || no_more_) return false;
  return lane.phase() != RunPhase::main || !lanes_.quiet.too_late(log_.now_s());
}

std::shared_ptr<Life> Driver::begin(std::size_t lane, int id) {
  auto life = std::make_shared<Life>(id, lanes_.all[lane], held_[lane].get(), around_);
  const std::lock_guard lock(mutex_);
  lives_.push_back(life);
  return life;
}

Result<void> Driver::heal_all(Deadline deadline) {
  std::vector<std::shared_ptr<Life>> lives;
  {
    const std::lock_guard lock(mutex_);
    lives = lives_;
  }
  std::erase_if(lives, [&](const auto& life) { return !life->in_force(deadline); });
  std::vector<std::size_t> all(lives.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  return all_done(on_each(all, [&](std::size_t i) -> Result<std::string> {
    if (auto done = lives[i]->heal(deadline); !done) return fail(done.error().during(lives[i]->title()));
    return std::string();
  }));
}

}  // namespace

Result<std::unique_ptr<Nemesis>> make_driver(DriverOptions options, const FaultContext& context,
                                             const std::vector<const FaultFactory*>& faults,
                                             const MissingNeeds& missing) {
  auto lanes = make_lanes(options, context, faults, missing);
  if (!lanes) return fail(lanes.error());
  // Names only; nothing of the schedule depends on it.
  if (options.run.empty()) options.run = fmt::format("{:08x}", std::random_device()());
  ORDEAL_CHECK(is_fault_id(options.run) && options.run.size() <= 12, "the run's name goes into names on nodes");
  auto driver = std::make_unique<Driver>(std::move(options), context, *std::move(lanes));
  if (auto opened = driver->open_ledger(); !opened) return fail(opened.error());
  return driver;
}

}  // namespace ordeal
