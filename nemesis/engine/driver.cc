#include "nemesis/engine/driver.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <random>
#include <thread>
#include <utility>

#include "base/names.h"
#include "nemesis/engine/guarded_target.h"
#include "nemesis/engine/heartbeat.h"
#include "nemesis/engine/held_cluster.h"
#include "nemesis/engine/lanes.h"
#include "nemesis/engine/ledger.h"
#include "nemesis/engine/quorum.h"
#include "nemesis/node/node_state.h"
#include "nemesis/node/parallel.h"

namespace ordeal {
namespace {

using Clock = std::chrono::steady_clock;

// A run that is over waits for its last healing; what takes longer than this beyond the usual is tried again before.
constexpr double kMostExtraHealing_s = 30;

// An operation is over in milliseconds, but there are many.
constexpr double kOperationPatience_s = 10;

tl::unexpected<Error> no_operation(const Lane& lane) {
  return fail(ErrorCode::timeout, fmt::format("no operation {} was under way when all was ready", lane.trigger->what));
}

bool meet(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  return std::any_of(a.begin(), a.end(),
                     [&](const std::string& one) { return std::find(b.begin(), b.end(), one) != b.end(); });
}

std::string meanwhile(const std::vector<std::string>& others) {
  return fmt::format("; meanwhile {} {} in force on these nodes", joined(others), others.size() == 1 ? "was" : "were");
}

Value names_value(const std::vector<std::string>& names) {
  Value out = Value::list();
  for (const auto& name : names) out.items().emplace_back(name);
  return out;
}

// An injection and what became of it.
struct Life {
  int id = 0;
  std::size_t lane = 0;
  std::string name;  // on nodes and in the ledger: "<run>-<id>"
  const FaultFactory* fault = nullptr;
  std::unique_ptr<Injection> injection;
  std::vector<Undo> undo;          // complete scripts
  std::vector<std::size_t> nodes;  // of `undo`
  std::timed_mutex healing;        // one healer at a time
  bool in_force = false;           // announced in the ledger, not healed yet; guarded by `healing`
  FaultRecord record;              // guarded by Driver::mutex_
};

// A groundwork that is in force.
struct Laid {
  std::string name;  // on nodes and in the ledger
  std::vector<Undo> undo;
  std::vector<std::size_t> nodes;
};

class Driver final : public Nemesis {
 public:
  Driver(DriverOptions options, const FaultContext& context, Lanes lanes)
      : options_(std::move(options)),
        lanes_(std::move(lanes)),
        cluster_(context.cluster),
        target_(context.target, context.cluster),
        heartbeat_(context.cluster, options_.run) {
    for (const Lane& lane : lanes_.all)
      held_.push_back(awaits_operation(lane) ? std::make_unique<HeldCluster>(cluster_) : nullptr);
  }

  Result<void> open_ledger() { return ledger_.open(options_.ledger_path, options_.run, options_.node_spec, cluster_); }

  Result<void> set_up(Deadline deadline) override;
  Result<void> tear_down(Deadline deadline) override;
  void run(RunPhase phase, std::stop_token stop, NemesisLog& log) override;
  Result<void> heal_all(Deadline deadline) override;
  std::vector<FaultRecord> records() const override;
  bool plays(RunPhase phase) const override {
    return std::any_of(lanes_.all.begin(), lanes_.all.end(), [&](const Lane& lane) { return lane.phase() == phase; });
  }

 private:
  bool await_slot(const Slot& slot, const std::stop_token& stop);
  bool await_trigger(Life& life, Deadline deadline, const std::stop_token& stop,
                     const std::function<void()>& at_once = {});
  static bool awaits_operation(const Lane& lane) {
    return lane.trigger && lane.trigger->kind == Trigger::Kind::operation;
  }
  const Lane& lane_of(const Life& life) const { return lanes_.all[life.lane]; }
  FaultContext context_of(const Life& life, const std::stop_token& stop) {
    HeldCluster* held = held_[life.lane].get();
    return {
        held == nullptr ? cluster_ : held->cluster(), target_, *lane_of(life).options, life.name, stop, options_.seed};
  }
  void play_lane(std::size_t lane, const std::stop_token& stop);
  void play(std::size_t lane, const Slot& slot, const std::stop_token& stop);
  Result<std::unique_ptr<Injection>> admit(const Life& life, const std::mt19937_64& random,
                                           const std::stop_token& stop);
  Result<bool> plan(Life& life, std::mt19937_64 random, const std::stop_token& stop);
  Result<void> inject(Life& life, const std::stop_token& stop);
  Result<void> inject_held(Life& life, HeldCluster& held, Deadline deadline, const std::stop_token& stop);
  Result<void> inject_now(Life& life, Deadline deadline);
  void leave(const Life& life);
  std::vector<std::string> others_since(const Life& life, const std::vector<std::string>& nodes,
                                        std::int64_t since_ns) const;
  std::vector<std::string> given_up_under(const Life& life);
  void await_others(const Life& life, const std::vector<std::string>& nodes, Deadline deadline,
                    const std::stop_token& stop);
  Result<void> complete(const std::string& name, const std::string& fault, const std::vector<Undo>& bodies,
                        std::vector<Undo>& undo, std::vector<std::size_t>& nodes) const;
  Result<void> announce(Life& life);
  Result<void> arm(const std::string& name, const std::vector<Undo>& undo, const std::vector<std::size_t>& nodes,
                   int dead_man_s, Deadline deadline);
  void confirm(Life& life, Deadline over, const std::stop_token& stop);
  void follow(Life& life, Deadline over, const std::stop_token& stop);
  Result<void> heal(Life& life, Deadline deadline);
  Result<void> undo_once(Life& life, Deadline deadline);
  void confirm_healed(Life& life);

  bool pause_for(double seconds, const std::stop_token& stop);
  void event(const Life& life, std::string_view step, Value::Map more = {});
  void went_wrong(Life& life, const std::string& message);
  std::int64_t now_ns() const;
  // Since run() began, in which quiet times are counted.
  double now_s() const { return std::chrono::duration<double>(Clock::now() - began_).count(); }
  template <class Change>
  void change(Life& life, Change change_record) {
    const std::lock_guard lock(mutex_);
    change_record(life.record);
  }

  const DriverOptions options_;
  const Lanes lanes_;
  Cluster& cluster_;
  GuardedTarget target_;
  std::vector<std::unique_ptr<HeldCluster>> held_;  // by lane; of those that wait for an operation
  Ledger ledger_;
  std::vector<Laid> laid_;  // used before and after run() only

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable_any changed_;
  std::vector<std::shared_ptr<Life>> lives_;
  std::map<int, Impairment> in_force_;           // admitted and not healed yet, by id
  std::map<std::uint64_t, Impairment> waiting_;  // by ticket
  std::uint64_t next_ticket_ = 0;
  std::int64_t began_ns_ = 0;  // the run's clock when began_ was read
  Clock::time_point began_ = Clock::now();

  std::mutex log_mutex_;
  NemesisLog* log_ = nullptr;  // while run() runs; guarded by log_mutex_

  Heartbeat heartbeat_;  // last: its threads end first
};

std::int64_t Driver::now_ns() const {
  return began_ns_ + std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - began_).count();
}

void Driver::event(const Life& life, std::string_view step, Value::Map more) {
  Value value = Value::map({{Value("id"), Value(life.id)}, {Value("step"), Value(step)}});
  for (auto& [key, one] : more) value.set(std::move(key), std::move(one));
  const std::lock_guard lock(log_mutex_);
  if (log_ != nullptr) log_->record(life.fault->name, value);
}

void Driver::went_wrong(Life& life, const std::string& message) {
  change(life, [&](FaultRecord& record) {
    if (record.error.empty()) record.error = message;
  });
  event(life, "error", {{Value("message"), Value(message)}});
}

// False when the run was stopped meanwhile.
bool Driver::pause_for(double seconds, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_until(lock, stop, Deadline::after_s(seconds), [] { return false; });
  return !stop.stop_requested();
}

void Driver::run(RunPhase phase, std::stop_token stop, NemesisLog& log) {
  {
    const std::scoped_lock lock(mutex_, log_mutex_);
    log_ = &log;
    began_ns_ = log.now_ns();
    began_ = Clock::now();
  }
  if (phase == RunPhase::main) log.record("nemesis", lanes_.describe());
  {
    std::vector<std::jthread> lanes;
    for (std::size_t lane = 0; lane < lanes_.all.size(); ++lane) {
      if (lanes_.all[lane].phase() != phase) continue;
      lanes.emplace_back([this, lane, &stop] { play_lane(lane, stop); });
    }
  }
  const std::lock_guard lock(log_mutex_);
  log_ = nullptr;
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
    if (!await_slot(*slot, stop)) return;
    play(lane, *slot, stop);
  }
}

// Until the slot's time. False: the run was stopped meanwhile, or nothing may be injected any more.
bool Driver::await_slot(const Slot& slot, const std::stop_token& stop) {
  if (!pause_for(slot.at_s >= 0 ? slot.at_s - now_s() : slot.wait_s, stop)) return false;
  const double quiet = lanes_.quiet.wait_s(now_s());
  return !std::isinf(quiet) && pause_for(quiet, stop);
}

// Until what the lane waits for has happened. False: the run was stopped, or time is up, or nobody can tell. `at_once`
// is called before anything else when it is the moment to inject.
bool Driver::await_trigger(Life& life, Deadline deadline, const std::stop_token& stop,
                           const std::function<void()>& at_once) {
  NemesisLog* log = nullptr;
  {
    const std::lock_guard lock(log_mutex_);
    log = log_;  // lives as long as run(), which waits for the lanes
  }
  const Lane& lane = lane_of(life);
  auto seen = ordeal::await_trigger(*lane.trigger, context_of(life, stop), *log, deadline, stop);
  if (!seen) went_wrong(life, seen.error().message);
  if (!seen || !*seen) return false;
  if (at_once && lane.after_s <= 0) at_once();
  event(life, "triggered", {{Value("trigger"), Value(lane.trigger->text)}, {Value("evidence"), Value(**seen)}});
  if (!pause_for(lane.after_s, stop)) return false;
  if (at_once && lane.after_s > 0) at_once();
  return true;
}

// One injection from beginning to end.
void Driver::play(std::size_t number, const Slot& slot, const std::stop_token& stop) {
  static constexpr auto kFar = std::chrono::hours(24 * 365);
  const Lane& lane = lanes_.all[number];
  const auto life = std::make_shared<Life>();
  life->id = slot.id;
  life->lane = number;
  life->name = fmt::format("{}-{}", options_.run, slot.id);
  life->fault = lane.fault;
  life->record.id = slot.id;
  life->record.fault = lane.fault->name;
  life->record.planned_ns = now_ns();
  {
    const std::lock_guard lock(mutex_);
    lives_.push_back(life);
  }
  event(*life, "planned");
  if (lane.trigger && !await_trigger(*life, Clock::now() + kFar, stop)) return;
  const auto planned = plan(*life, slot.random, stop);
  if (!planned) return went_wrong(*life, planned.error().message);
  if (!*planned) return;  // stopped before its turn came
  if (auto announced = announce(*life); !announced) {
    leave(*life);
    return went_wrong(*life, announced.error().message);
  }
  if (auto injected = inject(*life, stop); injected) {
    change(*life, [&](FaultRecord& record) { record.injected_ns = now_ns(); });
    event(*life, "injected");
    const double stay = std::min(slot.duration_s, std::max(0.0, lanes_.quiet.next_s(now_s()) - now_s()));
    const Deadline over = Deadline::after_s(stay);
    confirm(*life, over, stop);
    follow(*life, over, stop);
  } else {
    went_wrong(*life, injected.error().message);
  }
  // What cannot be healed now is tried again until the run ends, and once more then: another fault of this kind must
  // not come on top of it.
  while (true) {
    const bool last = stop.stop_requested();
    if (heal(*life,
             Deadline::after_s(options_.heal_timeout_s + std::min(life->injection->takes_s(), kMostExtraHealing_s))))
      break;
    if (last) return;
  }
  leave(*life);
}

// Arms the nodes and injects. An operation is over in milliseconds: a lane that wants one under way looks for it once
// more when everything is ready, so that only the injection itself lies in between.
Result<void> Driver::inject(Life& life, const std::stop_token& stop) {
  const double patience = options_.step_timeout_s + life.injection->takes_s();
  if (auto armed = arm(life.name, life.undo, life.nodes, options_.dead_man_s, Deadline::after_s(patience)); !armed)
    return armed;
  if (auto ready = life.injection->make_ready(Deadline::after_s(patience)); !ready) return ready;
  if (!awaits_operation(lane_of(life))) return life.injection->inject(Deadline::after_s(patience));
  if (life.injection->may_be_held())
    return inject_held(life, *held_[life.lane], Deadline::after_s(patience + kOperationPatience_s), stop);
  if (!await_trigger(life, Deadline::after_s(kOperationPatience_s), stop)) return no_operation(lane_of(life));
  return life.injection->inject(Deadline::after_s(patience));
}

// Sends the commands ahead and lets them go when the operation is under way.
Result<void> Driver::inject_held(Life& life, HeldCluster& held, Deadline deadline, const std::stop_token& stop) {
  // A node that has no part in it sends no command; without it the wait is over a little later.
  static constexpr double kAllHeld_s = 1;
  held.hold();
  Result<void> injected;
  std::jthread injecting([&] { injected = life.injection->inject(deadline); });
  (void)held.await_held(life.nodes.empty() ? life.injection->nodes().size() : life.nodes.size(),
                        Deadline::after_s(kAllHeld_s));
  const bool seen = await_trigger(life, Deadline::after_s(kOperationPatience_s), stop, [&] { held.release(); });
  if (!seen) held.give_up();
  injecting.join();
  return seen ? injected : no_operation(lane_of(life));
}

// Other injections of this run that act on some of those nodes and were in force at any time since then, or a moment
// ago: what they did is over only when the target and its connections have settled.
std::vector<std::string> Driver::others_since(const Life& life, const std::vector<std::string>& nodes,
                                              std::int64_t since_ns) const {
  static constexpr std::int64_t kSettle_ns = 1'000'000'000;
  std::vector<std::string> out;
  const std::lock_guard lock(mutex_);
  for (const auto& other : lives_) {
    const FaultRecord& record = other->record;
    if (other.get() == &life || record.inject_ns < 0) continue;
    if (record.healed_ns >= 0 && record.healed_ns + kSettle_ns < since_ns) continue;
    if (meet(nodes, record.nodes)) out.push_back(fmt::format("{} ({})", record.fault, record.id));
  }
  return out;
}

// The faults before it under which even a sound target may give up, for good (FaultFactory::crashes), on those of its
// nodes on which it does not run.
std::vector<std::string> Driver::given_up_under(const Life& life) {
  std::vector<std::string> dead;
  for (const auto& node : cluster_.nodes) {
    if (target_.processes() == nullptr || !meet({node->name()}, life.record.nodes)) continue;
    const auto pids = target_.processes()->pids(*node);
    if (pids && pids->empty()) dead.push_back(node->name());
  }
  std::vector<std::string> out;
  const std::lock_guard lock(mutex_);
  for (const auto& other : lives_) {
    if (other.get() == &life || other->record.inject_ns < 0 || !other->fault->crashes) continue;
    if (meet(other->record.nodes, dead)) out.push_back(fmt::format("{} ({})", other->record.fault, other->record.id));
  }
  return out;
}

// Until none of them is in force any more and has settled, the run is to stop, or time is up.
void Driver::await_others(const Life& life, const std::vector<std::string>& nodes, Deadline deadline,
                          const std::stop_token& stop) {
  while (!stop.stop_requested() && Clock::now() < deadline && !others_since(life, nodes, now_ns()).empty()) {
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, stop, std::min(deadline, Deadline::after_s(0.2)), [] { return false; });
  }
}

// Plans the injection and finds on the nodes what it is to act on. What is not there while other faults are in force
// (code target) is waited for, and when it is not there all the same (a target that has given up on damaged files)
// other nodes are drawn. What could not be proven (not_found, link_injection.h) waits as well, and is injected then.
// False: the run was stopped.
Result<bool> Driver::plan(Life& life, std::mt19937_64 random, const std::stop_token& stop) {
  static constexpr double kPatience_s = 15;
  const Deadline patience = Deadline::after_s(kPatience_s);
  for (std::size_t drawn = 0;;) {
    auto admitted = admit(life, random, stop);
    if (!admitted) return fail(admitted.error());
    if (*admitted == nullptr) return false;
    auto prepared = (*admitted)->prepare(Deadline::after_s(options_.step_timeout_s));
    const auto nodes = (*admitted)->nodes();
    const auto others = prepared ? std::vector<std::string>() : others_since(life, nodes, now_ns());
    const bool waits = !others.empty() && Clock::now() < patience;
    if (prepared || (prepared.error().code == ErrorCode::not_found && !waits)) {
      life.injection = *std::move(admitted);
      return true;
    }
    leave(life);
    if (prepared.error().code != ErrorCode::target && prepared.error().code != ErrorCode::not_found)
      return fail(prepared.error());
    if (!waits && ++drawn > cluster_.size()) return fail(prepared.error());
    event(life, "postponed", {{Value("message"), Value(prepared.error().message)}, {Value("by"), names_value(others)}});
    if (waits) {
      await_others(life, nodes, patience, stop);
    } else {
      random.seed(random());
    }
    if (stop.stop_requested()) return false;
  }
}

// Plans the injection when its turn has come. Planned anew after each wait, since who leads may have changed, but from
// the same generator, so that the draws are the same. Null: the run was stopped.
Result<std::unique_ptr<Injection>> Driver::admit(const Life& life, const std::mt19937_64& random,
                                                 const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  const std::uint64_t ticket = next_ticket_++;
  const FaultContext context = context_of(life, stop);
  while (!stop.stop_requested()) {
    lock.unlock();
    std::mt19937_64 same = random;
    auto planned = life.fault->plan(context, same);
    lock.lock();
    if (!planned) {
      waiting_.erase(ticket);
      return planned;
    }
    const Impairment wanted = (*planned)->impairment();
    std::vector<Impairment> others;
    for (const auto& [id, one] : in_force_) others.push_back(one);
    for (const auto& [earlier, one] : waiting_) {
      if (earlier < ticket) others.push_back(one);
    }
    const bool quiet = lanes_.quiet.wait_s(now_s()) > 0;
    if (!quiet && (!options_.keep_quorum || may_join(cluster_.size(), std::move(others), wanted))) {
      waiting_.erase(ticket);
      in_force_[life.id] = wanted;
      changed_.notify_all();
      return planned;
    }
    waiting_[ticket] = wanted;
    changed_.wait_for(lock, stop, std::chrono::seconds(1), [] { return false; });
  }
  waiting_.erase(ticket);
  return std::unique_ptr<Injection>();
}

void Driver::leave(const Life& life) {
  const std::lock_guard lock(mutex_);
  in_force_.erase(life.id);
  changed_.notify_all();
}

// The complete undo scripts around those of a fault or a groundwork, and the nodes they are for.
Result<void> Driver::complete(const std::string& name, const std::string& fault, const std::vector<Undo>& bodies,
                              std::vector<Undo>& undo, std::vector<std::size_t>& nodes) const {
  for (const Undo& one : bodies) {
    auto index = node_index(cluster_, one.node);
    if (!index) return fail(index.error());
    nodes.push_back(*index);
    undo.push_back({one.node, undo_script(name, fault, one.script)});
  }
  return {};
}

// The same order as with a fault: first what undoes it is on disk, here and on the nodes.
Result<void> Driver::set_up(Deadline deadline) {
  std::vector<std::pair<const Groundwork*, const Options*>> wanted;
  for (const Lane& lane : lanes_.all) {
    const Groundwork* groundwork = lane.fault->groundwork == nullptr ? nullptr : lane.fault->groundwork(*lane.options);
    const bool known =
        std::any_of(wanted.begin(), wanted.end(), [&](const auto& one) { return one.first == groundwork; });
    if (groundwork != nullptr && !known) wanted.emplace_back(groundwork, lane.options.get());
  }
  for (const auto& [one, settings] : wanted) {
    Laid laid;
    laid.name = groundwork_id(options_.run + "-", one->name);
    const FaultContext context{cluster_, target_, *settings, laid.name, {}, options_.seed};
    if (auto done = complete(laid.name, one->name, one->undo(context), laid.undo, laid.nodes); !done) return done;
    if (auto done = ledger_.opened(laid.name, one->name, Value::map(), laid.undo); !done) return done;
    laid_.push_back(laid);
    heartbeat_.hold(laid.nodes);
    if (auto done = arm(laid.name, laid.undo, laid.nodes, options_.dead_man_s, deadline); !done) {
      return done;
    }
    if (auto done = one->lay(context, deadline); !done)
      return fail(done.error().during("laying the groundwork " + one->name));
  }
  return {};
}

Result<void> Driver::tear_down(Deadline deadline) {
  while (!laid_.empty()) {
    const Laid& laid = laid_.back();
    std::vector<std::string> scripts;
    for (const Undo& one : laid.undo) scripts.push_back(one.script);
    if (auto done = all_done(run_scripts(cluster_, laid.nodes, scripts, deadline)); !done) return done;
    heartbeat_.release(laid.nodes);
    if (auto done = ledger_.closed(laid.name, "driver"); !done) return done;
    laid_.pop_back();
  }
  return {};
}

// Everything that must be on disk before a node is touched.
Result<void> Driver::announce(Life& life) {
  const Value description = life.injection->describe();
  const auto nodes = life.injection->nodes();
  if (auto done = complete(life.name, life.fault->name, life.injection->undo(), life.undo, life.nodes); !done)
    return done;
  change(life, [&](FaultRecord& record) {
    record.nodes = nodes;
    record.description = description;
    record.inject_ns = now_ns();
  });
  event(life, "inject", {{Value("nodes"), names_value(nodes)}, {Value("fault"), description}});
  const std::lock_guard lock(life.healing);
  if (auto done = ledger_.opened(life.name, life.fault->name, description, life.undo); !done) return done;
  life.in_force = true;
  heartbeat_.hold(life.nodes);
  return {};
}

// Puts the undo scripts on the nodes and starts their watchdogs.
Result<void> Driver::arm(const std::string& name, const std::vector<Undo>& undo, const std::vector<std::size_t>& nodes,
                         int dead_man_s, Deadline deadline) {
  std::vector<std::string> scripts;
  for (const Undo& one : undo) scripts.push_back(arm_script(name, one.script, dead_man_s));
  auto done = all_done(run_scripts(cluster_, nodes, scripts, deadline));
  if (!done) return fail(done.error().during("preparing the node to undo the fault by itself"));
  return done;
}

// What other faults in force may have kept from being seen is looked at again when they are healed, for as long as this
// one stays in force.
void Driver::confirm(Life& life, Deadline over, const std::stop_token& stop) {
  while (true) {
    const std::int64_t since = now_ns();
    const auto seen =
        life.injection->confirm(Deadline::after_s(options_.confirm_timeout_s + life.injection->takes_s()));
    const auto others =
        seen && seen->confirmed ? std::vector<std::string>() : others_since(life, life.record.nodes, since);
    const bool again = !others.empty() && Clock::now() < over && !stop.stop_requested();
    if (!seen && !again) return went_wrong(life, seen.error().during("confirming").message);
    std::string evidence = seen ? seen->evidence : seen.error().message;
    if (!others.empty()) evidence += meanwhile(others);
    change(life, [&](FaultRecord& record) {
      record.evidence = evidence;
      if (seen && seen->confirmed) record.confirmed_ns = now_ns();
    });
    if (!again)
      return event(life, seen->confirmed ? "confirmed" : "unconfirmed", {{Value("evidence"), Value(evidence)}});
    event(life, "disturbed", {{Value("evidence"), Value(evidence)}, {Value("by"), names_value(others)}});
    await_others(life, life.record.nodes, over, stop);
  }
}

// Until the fault's time is over: what it measures goes to the history. A measurement that failed (the process has just
// been killed by another fault) is left out.
void Driver::follow(Life& life, Deadline over, const std::stop_token& stop) {
  static constexpr auto kEvery = std::chrono::seconds(1);
  const auto seconds_until = [](Deadline time) { return std::chrono::duration<double>(time - Clock::now()).count(); };
  while (!stop.stop_requested() && Clock::now() + kEvery / 4 < over) {
    const Deadline next = over.within(kEvery);
    const auto measured = life.injection->measure(next);
    if (measured && measured->is_nil()) break;
    if (measured) event(life, "measured", {{Value("values"), *measured}});
    if (!pause_for(seconds_until(next), stop)) return;
  }
  (void)pause_for(seconds_until(over), stop);
}

// One attempt: the scripts on all nodes at once, then what scripts cannot do; or the other way round, so that the nodes
// keep their dead-man's switches for as long as that takes.
Result<void> Driver::undo_once(Life& life, Deadline deadline) {
  if (life.injection->heals_step_by_step()) {
    if (auto healed = life.injection->heal(deadline); !healed) return healed;
    deadline = std::max(deadline, Deadline::after_s(5));
  }
  std::vector<std::string> scripts;
  for (const Undo& one : life.undo) scripts.push_back(one.script);
  const auto said = run_scripts(cluster_, life.nodes, scripts, deadline);
  for (std::size_t i = 0; i < said.size(); ++i) {
    // Somebody else undid it: the watchdog, because our beats did not arrive, or `ordeal heal`.
    if (said[i] && said[i]->starts_with("gone")) {
      change(life, [&](FaultRecord& record) {
        if (!record.error.empty()) return;
        record.error = fmt::format(
            "{}: the fault had been undone before its time, by the dead-man's switch or by "
            "`ordeal heal`",
            life.undo[i].node);
      });
    }
  }
  if (auto all = all_done(said); !all) return all;
  return life.injection->heals_step_by_step() ? Result<void>() : life.injection->heal(deadline);
}

Result<void> Driver::heal(Life& life, Deadline deadline) {
  const std::unique_lock healer(life.healing, deadline);
  if (!healer) return fail(ErrorCode::timeout, "it was still being healed when time was up");
  if (!life.in_force) return {};
  const bool first = life.record.heal_ns < 0;
  if (first) {
    change(life, [&](FaultRecord& record) { record.heal_ns = now_ns(); });
    event(life, "heal");
  }
  while (true) {
    const auto done =
        undo_once(life, std::min(deadline, Deadline::after_s(options_.heal_timeout_s / 3 + life.injection->takes_s())));
    if (done) break;
    if (Clock::now() + std::chrono::seconds(1) >= deadline) {
      went_wrong(life, done.error().during("healing").message);
      return done;
    }
    std::this_thread::sleep_for(std::chrono::seconds(1));
  }
  life.in_force = false;
  heartbeat_.release(life.nodes);
  change(life, [&](FaultRecord& record) { record.healed_ns = now_ns(); });
  event(life, "healed");
  if (auto closed = ledger_.closed(life.name, "driver"); !closed) went_wrong(life, closed.error().message);
  confirm_healed(life);
  return {};
}

// What is not seen to be healed while other faults are in force on the same nodes is nobody's failure: it is told as
// that and looked at again when they are healed, within the time that healing may take. It has no part in the quorum
// any more then.
void Driver::confirm_healed(Life& life) {
  const Deadline limit = Deadline::after_s(options_.heal_timeout_s);
  while (true) {
    const std::int64_t since = now_ns();
    const auto seen =
        life.injection->confirm_healed(Deadline::after_s(options_.confirm_timeout_s + life.injection->takes_s()));
    const auto others =
        seen && seen->confirmed ? std::vector<std::string>() : others_since(life, life.record.nodes, since);
    if (!seen && others.empty()) return went_wrong(life, seen.error().during("confirming that it is healed").message);
    std::string evidence = seen ? seen->evidence : seen.error().message;
    if (!others.empty()) evidence += meanwhile(others);
    change(life, [&](FaultRecord& record) {
      record.heal_evidence = evidence;
      if (seen && seen->confirmed) record.heal_confirmed_ns = now_ns();
    });
    if (others.empty()) {
      const auto causes = seen->confirmed ? std::vector<std::string>() : given_up_under(life);
      if (causes.empty())
        return event(life, seen->confirmed ? "recovered" : "unrecovered", {{Value("evidence"), Value(evidence)}});
      evidence += fmt::format("; the target may have given up there under {} before", joined(causes));
      change(life, [&](FaultRecord& record) { record.heal_evidence = evidence; });
      return event(life, "disturbed", {{Value("evidence"), Value(evidence)}, {Value("by"), names_value(causes)}});
    }
    event(life, "disturbed", {{Value("evidence"), Value(evidence)}, {Value("by"), names_value(others)}});
    if (Clock::now() >= limit) return;
    leave(life);
    await_others(life, life.record.nodes, limit, {});
  }
}

Result<void> Driver::heal_all(Deadline deadline) {
  std::vector<std::shared_ptr<Life>> lives;
  {
    const std::lock_guard lock(mutex_);
    lives = lives_;
  }
  std::vector<std::size_t> all(lives.size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
  std::erase_if(all, [&](std::size_t i) {
    const std::unique_lock lock(lives[i]->healing, deadline);
    return lock && !lives[i]->in_force;
  });
  return all_done(on_each(all, [&](std::size_t i) -> Result<std::string> {
    auto done = heal(*lives[i], deadline);
    if (!done) return fail(done.error().during("fault " + std::to_string(lives[i]->id) + ", " + lives[i]->fault->name));
    leave(*lives[i]);
    return std::string();
  }));
}

std::vector<FaultRecord> Driver::records() const {
  const std::lock_guard lock(mutex_);
  std::vector<FaultRecord> out;
  for (const auto& life : lives_) out.push_back(life->record);
  std::sort(out.begin(), out.end(), [](const FaultRecord& a, const FaultRecord& b) { return a.id < b.id; });
  return out;
}

}  // namespace

DriverOptions driver_options(const Plan& plan, std::string ledger_path) {
  DriverOptions out;
  out.seed = plan.seed;
  out.interval_s = plan.nemesis_interval_s;
  out.duration_s = plan.nemesis_duration_s;
  out.time_limit_s = plan.time_limit_s;
  out.ledger_path = std::move(ledger_path);
  out.node_spec = plan.nodes;
  if (!plan.options.has("nemesis.schedule")) return out;
  const Options& options = plan.options;
  out.schedule = options.string("nemesis.schedule");
  out.timeline = options.string("nemesis.timeline");
  out.trigger = options.string("nemesis.trigger");
  out.swarm = options.boolean("nemesis.swarm");
  out.quiet_s = options.seconds("nemesis.quiet");
  out.quiet_every_s = options.seconds("nemesis.quiet-every");
  out.quiet_end_s = options.seconds("nemesis.quiet-end");
  out.skip_inapplicable = options.string("nemesis.inapplicable") == "skip";
  out.keep_quorum = options.string("nemesis.quorum") == "keep";
  out.dead_man_s = static_cast<int>(options.integer("nemesis.dead-man"));
  const double patience = options.real("nemesis.patience");
  out.step_timeout_s *= patience;
  out.confirm_timeout_s *= patience;
  out.heal_timeout_s *= patience;
  return out;
}

Result<std::unique_ptr<Nemesis>> make_driver(DriverOptions options, const FaultContext& context,
                                             std::vector<const FaultFactory*> faults) {
  auto lanes = make_lanes(options, context, faults);
  if (!lanes) return fail(lanes.error());
  // Names only; nothing of the schedule depends on it.
  if (options.run.empty()) options.run = fmt::format("{:08x}", std::random_device()());
  ORDEAL_CHECK(is_fault_id(options.run) && options.run.size() <= 12, "the run's name goes into names on nodes");
  auto driver = std::make_unique<Driver>(std::move(options), context, *std::move(lanes));
  if (auto opened = driver->open_ledger(); !opened) return fail(opened.error());
  return driver;
}

}  // namespace ordeal
