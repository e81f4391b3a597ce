#include "nemesis/driver.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <random>
#include <thread>

#include "nemesis/guarded_target.h"
#include "nemesis/heartbeat.h"
#include "nemesis/ledger.h"
#include "nemesis/node_state.h"
#include "nemesis/parallel.h"
#include "nemesis/quorum.h"
#include "nemesis/schedule.h"

namespace ordeal {
namespace {

using Clock = std::chrono::steady_clock;

Deadline in_seconds(double seconds) {
  return Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

Value names_value(const std::vector<std::string>& names) {
  Value out = Value::list();
  for (const auto& name : names) out.items().emplace_back(name);
  return out;
}

// An injection and what became of it.
struct Life {
  int id = 0;
  std::string name;  // on nodes and in the ledger: "<run>-<id>"
  const FaultFactory* fault = nullptr;
  std::unique_ptr<Injection> injection;
  std::vector<Undo> undo;          // complete scripts
  std::vector<std::size_t> nodes;  // of `undo`
  std::timed_mutex healing;        // one healer at a time
  bool in_force = false;           // announced in the ledger, not healed yet; guarded by `healing`
  FaultRecord record;              // guarded by Driver::mutex_
};

// A groundwork does no harm by itself, but taking it away under a target that runs may: it outlives a controller that only hangs.
constexpr int kGroundworkPatience_s = 60;

// A groundwork that is in force.
struct Laid {
  std::string name;  // on nodes and in the ledger
  std::vector<Undo> undo;
  std::vector<std::size_t> nodes;
};

class Driver final : public Nemesis {
 public:
  Driver(DriverOptions options, const FaultContext& context, std::vector<const FaultFactory*> faults)
      : options_(std::move(options)),
        faults_(std::move(faults)),
        cluster_(context.cluster),
        target_(context.target, context.cluster),
        settings_(context.options),
        schedule_(options_.seed, faults_.size(), options_.interval_s, options_.duration_s),
        heartbeat_(context.cluster, options_.run) {}

  Result<void> open_ledger() { return ledger_.open(options_.ledger_path, options_.run, options_.node_spec, cluster_); }

  Result<void> set_up(Deadline deadline) override;
  Result<void> tear_down(Deadline deadline) override;
  void run(std::stop_token stop, NemesisLog& log) override;
  Result<void> heal_all(Deadline deadline) override;
  std::vector<FaultRecord> records() const override;

 private:
  void play_lane(std::size_t lane, const std::stop_token& stop);
  void play(std::size_t lane, const Slot& slot, const std::stop_token& stop);
  Result<std::unique_ptr<Injection>> admit(const Life& life, const Slot& slot, const std::stop_token& stop);
  void leave(const Life& life);
  Result<void> complete(const std::string& name, const std::string& fault, const std::vector<Undo>& bodies, std::vector<Undo>& undo,
                        std::vector<std::size_t>& nodes) const;
  Result<void> announce(Life& life);
  Result<void> arm(const std::string& name, const std::vector<Undo>& undo, const std::vector<std::size_t>& nodes, int dead_man_s,
                   Deadline deadline);
  void confirm(Life& life);
  void follow(Life& life, Deadline over, const std::stop_token& stop);
  Result<void> heal(Life& life, Deadline deadline);
  Result<void> undo_once(Life& life, Deadline deadline);
  void confirm_healed(Life& life);

  bool pause_for(double seconds, const std::stop_token& stop);
  void event(const Life& life, std::string_view step, Value::Map more = {});
  void went_wrong(Life& life, const std::string& message);
  std::int64_t now_ns() const;
  template <class Change>
  void change(Life& life, Change change_record) {
    const std::lock_guard lock(mutex_);
    change_record(life.record);
  }

  const DriverOptions options_;
  const std::vector<const FaultFactory*> faults_;
  Cluster& cluster_;
  GuardedTarget target_;
  const Options& settings_;
  const Schedule schedule_;
  Ledger ledger_;
  std::vector<Laid> laid_;  // used before and after run() only

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable_any changed_;
  std::vector<std::shared_ptr<Life>> lives_;
  std::map<int, Impairment> in_force_;             // admitted and not healed yet, by id
  std::map<std::uint64_t, Impairment> waiting_;    // by ticket
  std::uint64_t next_ticket_ = 0;
  std::int64_t began_ns_ = 0;                      // the run's clock when began_ was read
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
  never.wait_until(lock, stop, in_seconds(seconds), [] { return false; });
  return !stop.stop_requested();
}

void Driver::run(std::stop_token stop, NemesisLog& log) {
  {
    const std::scoped_lock lock(mutex_, log_mutex_);
    log_ = &log;
    began_ns_ = log.now_ns();
    began_ = Clock::now();
  }
  {
    std::vector<std::jthread> lanes;
    for (std::size_t lane = 0; lane < faults_.size(); ++lane) {
      lanes.emplace_back([this, lane, &stop] { play_lane(lane, stop); });
    }
  }
  const std::lock_guard lock(log_mutex_);
  log_ = nullptr;
}

void Driver::play_lane(std::size_t lane, const std::stop_token& stop) {
  for (std::size_t k = 0; !stop.stop_requested(); ++k) {
    const Slot slot = schedule_.slot(lane, k);
    if (!pause_for(slot.wait_s, stop)) return;
    play(lane, slot, stop);
  }
}

// One injection from beginning to end.
void Driver::play(std::size_t lane, const Slot& slot, const std::stop_token& stop) {
  const auto life = std::make_shared<Life>();
  life->id = slot.id;
  life->name = fmt::format("{}-{}", options_.run, slot.id);
  life->fault = faults_[lane];
  life->record.id = slot.id;
  life->record.fault = life->fault->name;
  auto admitted = admit(*life, slot, stop);
  if (admitted && *admitted == nullptr) return;  // stopped before its turn came
  {
    const std::lock_guard lock(mutex_);
    lives_.push_back(life);
  }
  if (!admitted) return went_wrong(*life, admitted.error().message);
  life->injection = *std::move(admitted);
  if (auto announced = announce(*life); !announced) {
    leave(*life);
    return went_wrong(*life, announced.error().message);
  }
  const Deadline deadline = in_seconds(options_.step_timeout_s);
  auto injected = arm(life->name, life->undo, life->nodes, options_.dead_man_s, deadline);
  if (injected) injected = life->injection->inject(deadline);
  if (injected) {
    change(*life, [&](FaultRecord& record) { record.injected_ns = now_ns(); });
    event(*life, "injected");
    const Deadline over = in_seconds(slot.duration_s);
    confirm(*life);
    follow(*life, over, stop);
  } else {
    went_wrong(*life, injected.error().message);
  }
  // What cannot be healed now is tried again until the run ends, and once more then: another fault of this kind must
  // not come on top of it.
  while (true) {
    const bool last = stop.stop_requested();
    if (heal(*life, in_seconds(options_.heal_timeout_s))) break;
    if (last) return;
  }
  leave(*life);
}

// Plans the injection when its turn has come. Planned anew after each wait, since who leads may have changed, but from
// the same generator, so that the draws are the same. Null: the run was stopped.
Result<std::unique_ptr<Injection>> Driver::admit(const Life& life, const Slot& slot, const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  const std::uint64_t ticket = next_ticket_++;
  const FaultContext context{cluster_, target_, settings_, life.name};
  while (!stop.stop_requested()) {
    lock.unlock();
    std::mt19937_64 random = slot.random;
    auto planned = life.fault->plan(context, random);
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
    if (!options_.keep_quorum || may_join(cluster_.size(), std::move(others), wanted)) {
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
Result<void> Driver::complete(const std::string& name, const std::string& fault, const std::vector<Undo>& bodies, std::vector<Undo>& undo,
                              std::vector<std::size_t>& nodes) const {
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
  std::vector<const Groundwork*> wanted;
  for (const FaultFactory* fault : faults_) {
    const Groundwork* groundwork = fault->groundwork == nullptr ? nullptr : fault->groundwork(settings_);
    if (groundwork != nullptr && std::find(wanted.begin(), wanted.end(), groundwork) == wanted.end()) wanted.push_back(groundwork);
  }
  for (const Groundwork* one : wanted) {
    Laid laid;
    laid.name = groundwork_id(options_.run + "-", one->name);
    const FaultContext context{cluster_, target_, settings_, laid.name};
    if (auto done = complete(laid.name, one->name, one->undo(context), laid.undo, laid.nodes); !done) return done;
    if (auto done = ledger_.opened(laid.name, one->name, Value::map(), laid.undo); !done) return done;
    laid_.push_back(laid);
    heartbeat_.hold(laid.nodes);
    if (auto done = arm(laid.name, laid.undo, laid.nodes, std::max(options_.dead_man_s, kGroundworkPatience_s), deadline); !done) {
      return done;
    }
    if (auto done = one->lay(context, deadline); !done) return fail(done.error().during("laying the groundwork " + one->name));
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

// Everything that must be known and on disk before a node is touched.
Result<void> Driver::announce(Life& life) {
  if (auto done = life.injection->prepare(in_seconds(options_.step_timeout_s)); !done) return done;
  const Value description = life.injection->describe();
  const auto nodes = life.injection->nodes();
  if (auto done = complete(life.name, life.fault->name, life.injection->undo(), life.undo, life.nodes); !done) return done;
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

void Driver::confirm(Life& life) {
  const auto seen = life.injection->confirm(in_seconds(options_.confirm_timeout_s));
  if (!seen) return went_wrong(life, seen.error().during("confirming").message);
  change(life, [&](FaultRecord& record) {
    record.evidence = seen->evidence;
    if (seen->confirmed) record.confirmed_ns = now_ns();
  });
  event(life, seen->confirmed ? "confirmed" : "unconfirmed", {{Value("evidence"), Value(seen->evidence)}});
}

// Until the fault's time is over: what it measures goes to the history. A measurement that failed (the process has just
// been killed by another fault) is left out.
void Driver::follow(Life& life, Deadline over, const std::stop_token& stop) {
  static constexpr auto kEvery = std::chrono::seconds(1);
  const auto seconds_until = [](Deadline time) { return std::chrono::duration<double>(time - Clock::now()).count(); };
  while (!stop.stop_requested() && Clock::now() + kEvery / 4 < over) {
    const Deadline next = std::min(over, Clock::now() + kEvery);
    const auto measured = life.injection->measure(next);
    if (measured && measured->is_nil()) break;
    if (measured) event(life, "measured", {{Value("values"), *measured}});
    if (!pause_for(seconds_until(next), stop)) return;
  }
  (void)pause_for(seconds_until(over), stop);
}

// One attempt: the scripts on all nodes at once, then what scripts cannot do.
Result<void> Driver::undo_once(Life& life, Deadline deadline) {
  std::vector<std::string> scripts;
  for (const Undo& one : life.undo) scripts.push_back(one.script);
  const auto said = run_scripts(cluster_, life.nodes, scripts, deadline);
  for (std::size_t i = 0; i < said.size(); ++i) {
    // Somebody else undid it: the watchdog, because our beats did not arrive, or `ordeal heal`.
    if (said[i] && said[i]->starts_with("gone")) {
      change(life, [&](FaultRecord& record) {
        if (!record.error.empty()) return;
        record.error = fmt::format("{}: the fault had been undone before its time, by the dead-man's switch or by "
                                   "`ordeal heal`", life.undo[i].node);
      });
    }
  }
  if (auto all = all_done(said); !all) return all;
  return life.injection->heal(deadline);
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
    const auto done = undo_once(life, std::min(deadline, in_seconds(10)));
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

void Driver::confirm_healed(Life& life) {
  const auto seen = life.injection->confirm_healed(in_seconds(options_.confirm_timeout_s));
  if (!seen) return went_wrong(life, seen.error().during("confirming that it is healed").message);
  change(life, [&](FaultRecord& record) {
    record.heal_evidence = seen->evidence;
    if (seen->confirmed) record.heal_confirmed_ns = now_ns();
  });
  event(life, seen->confirmed ? "recovered" : "unrecovered", {{Value("evidence"), Value(seen->evidence)}});
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

std::vector<OptionSpec> nemesis_options() {
  using Type = OptionSpec::Type;
  const DriverOptions standard;
  return {
      {"nemesis.quorum", Type::string, "keep",
       "keep: a fault waits while, together with those in force, it would leave no majority of nodes that can work; any: "
       "it does not wait",
       std::nullopt, std::nullopt, {"keep", "any"}},
      {"nemesis.dead-man", Type::integer, standard.dead_man_s,
       "seconds without a word from the controller after which a node undoes its faults by itself (up to one second "
       "later)",
       1, 3600},
  };
}

DriverOptions driver_options(const Plan& plan, std::string ledger_path) {
  DriverOptions out;
  out.seed = plan.seed;
  out.interval_s = plan.nemesis_interval_s;
  out.duration_s = plan.nemesis_duration_s;
  out.ledger_path = std::move(ledger_path);
  out.node_spec = plan.nodes;
  if (plan.options.has("nemesis.quorum")) out.keep_quorum = plan.options.string("nemesis.quorum") == "keep";
  if (plan.options.has("nemesis.dead-man")) out.dead_man_s = static_cast<int>(plan.options.integer("nemesis.dead-man"));
  return out;
}

Result<std::unique_ptr<Nemesis>> make_driver(DriverOptions options, const FaultContext& context,
                                             std::vector<const FaultFactory*> faults) {
  for (const FaultFactory* fault : faults) {
    const std::string problem = fault->inapplicable == nullptr ? "" : fault->inapplicable(context);
    if (!problem.empty()) return fail(ErrorCode::usage, fmt::format("fault {}: {}", fault->name, problem));
  }
  // Names only; nothing of the schedule depends on it.
  if (options.run.empty()) options.run = fmt::format("{:08x}", std::random_device()());
  ORDEAL_CHECK(is_fault_id(options.run) && options.run.size() <= 12, "the run's name goes into names on nodes");
  auto driver = std::make_unique<Driver>(std::move(options), context, std::move(faults));
  if (auto opened = driver->open_ledger(); !opened) return fail(opened.error());
  return driver;
}

}  // namespace ordeal
