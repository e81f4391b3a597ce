#include "nemesis/engine/life.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "base/names.h"
#include "nemesis/engine/trigger.h"
#include "nemesis/engine/wait.h"
#include "nemesis/node/parallel.h"

namespace ordeal {
namespace {

// A run that is over waits for its last healing; what takes longer than this beyond the usual is tried again before.
constexpr double kMaxExtraHealing_s = 30;

// An operation is over in milliseconds, but there are many.
constexpr double kOperationPatience_s = 10;

Deadline never() { return Deadline::after(std::chrono::hours(24 * 365)); }

tl::unexpected<Error> no_operation(const Lane& lane) {
  return fail(ErrorCode::timeout, fmt::format("no operation {} was under way when all was ready", lane.trigger->what));
}

// What was made ready takes its time; the clients would not have met it any more.
tl::unexpected<Error> came_too_late() {
  return fail(ErrorCode::timeout,
              "it was not injected: when all was ready, the main phase was over or had less than a "
              "second left");
}

std::string meanwhile(const std::vector<std::string>& others) {
  return fmt::format("; meanwhile {} {} in force on these nodes", joined(others), others.size() == 1 ? "was" : "were");
}

Value names_value(const std::vector<std::string>& names) {
  Value out = Value::list();
  for (const auto& name : names) out.items().emplace_back(name);
  return out;
}

}  // namespace

Life::Life(int id, const Lane& lane, HeldCluster* held, Surroundings& around)
    : id_(id), lane_(lane), held_(held), around_(around), name_(fmt::format("{}-{}", around.options.run, id)) {
  around_.roster.add(id_, *lane_.fault);
  tell(FaultStep::planned);
}

std::string Life::title() const { return fmt::format("fault {}, {}", id_, lane_.fault->name); }

void Life::play(const Slot& slot, const std::stop_token& stop) {
  if (lane_.trigger && !await_trigger(never(), stop)) return;
  const auto planned = plan(slot.random, stop);
  if (!planned) return went_wrong(planned.error().message);
  if (!*planned) return;  // stopped before its turn came
  if (auto announced = announce(); !announced) {
    around_.roster.leave(id_);
    return went_wrong(announced.error().message);
  }
  if (auto injected = inject(stop); injected) {
    tell_injected();
    const double now_s = around_.log.now_s();
    // It began in time and took long: what is seen of it now, no client has met.
    if (lane_.phase() == RunPhase::main && around_.quiet.end_s >= 0 && now_s > around_.quiet.end_s) {
      tell_evidence(FaultStep::unconfirmed, "the main phase was over when it had been injected");
      return heal_until_healed(stop);
    }
    const double stay_s = std::min(slot.duration_s, std::max(0.0, around_.quiet.next_s(now_s) - now_s));
    const Deadline over = Deadline::after_s(stay_s);
    confirm(over, stop);
    follow(over, stop);
  } else {
    went_wrong(injected.error().message);
  }
  heal_until_healed(stop);
}

// ---- what it works with

bool Life::awaits_operation() const { return lane_.trigger && lane_.trigger->kind == Trigger::Kind::operation; }

bool Life::too_late() const { return lane_.phase() == RunPhase::main && around_.quiet.too_late(around_.log.now_s()); }

FaultContext Life::context(const std::stop_token& stop) const {
  return {held_ == nullptr ? around_.cluster : held_->cluster(),
          around_.target,
          *lane_.options,
          name_,
          stop,
          around_.options.seed};
}

double Life::step_s() const { return around_.options.step_timeout_s + injection_->takes_s(); }

Deadline Life::observing() const {
  return Deadline::after_s(around_.options.confirm_timeout_s + injection_->takes_s());
}

void Life::tell_injected() {
  // The history's clock was read some microseconds before or after this one.
  constexpr std::int64_t kApart_ns = 100'000;
  auto instant = injection_->instant();
  if (!instant) return tell(FaultStep::injected);
  // Commands that were sent ahead did nothing before they were let go.
  if (released_) instant->earliest = std::max(instant->earliest, std::min(*released_, instant->latest));
  tell(FaultStep::injected, {{Value("struck"), Value::list({around_.log.at_ns(instant->earliest) - kApart_ns,
                                                            around_.log.at_ns(instant->latest) + kApart_ns})}});
}

void Life::tell(FaultStep step, Value::Map more) {
  const FaultEvent event{id_, lane_.fault->name, step, around_.log.now_ns(),
                         fault_event_value(id_, step, std::move(more))};
  around_.roster.apply(event);
  around_.log.write(event);
}

void Life::tell_evidence(FaultStep step, const std::string& evidence, const std::vector<std::string>& by) {
  Value::Map more{{Value("evidence"), Value(evidence)}};
  if (!by.empty()) more.emplace_back(Value("by"), names_value(by));
  tell(step, std::move(more));
}

void Life::went_wrong(const std::string& message) { tell(FaultStep::error, {{Value("message"), Value(message)}}); }

// Until what the lane waits for has happened. False: the run was stopped, or time is up, or nobody can tell. `at_once`
// is called before anything else when it is the moment to inject.
bool Life::await_trigger(Deadline deadline, const std::stop_token& stop, const std::function<void()>& at_once) {
  NemesisLog* const sink = around_.log.sink();
  ORDEAL_CHECK(sink != nullptr, "a phase, which waits for its lanes, is running");
  auto seen = ordeal::await_trigger(*lane_.trigger, context(stop), *sink, deadline, stop);
  if (!seen) went_wrong(seen.error().message);
  if (!seen || !*seen) return false;
  if (at_once && lane_.after_s <= 0) at_once();
  tell(FaultStep::triggered, {{Value("trigger"), Value(lane_.trigger->text)}, {Value("evidence"), Value(**seen)}});
  if (!pause_for(lane_.after_s, stop)) return false;
  if (at_once && lane_.after_s > 0) at_once();
  return true;
}

// ---- others in force

std::vector<std::string> Life::hidden_by(const Result<Observation>& seen, std::int64_t since_ns) const {
  if (seen && seen->confirmed) return {};
  return around_.roster.others_since(id_, nodes_, since_ns);
}

// The faults before it under which even a sound target may give up, for good, on those of its nodes on which it does
// not run.
std::vector<std::string> Life::given_up_under() const {
  Target::Processes* const processes = around_.target.processes();
  std::vector<std::string> dead;
  for (const auto& node : around_.cluster.nodes) {
    if (processes == nullptr || std::find(nodes_.begin(), nodes_.end(), node->name()) == nodes_.end()) continue;
    const auto pids = processes->pids(*node);
    if (pids && pids->empty()) dead.push_back(node->name());
  }
  return around_.roster.others_that_crash(id_, dead);
}

void Life::await_others(const std::vector<std::string>& nodes, Deadline deadline, const std::stop_token& stop) {
  around_.roster.await_others(
      id_, nodes, [this] { return around_.log.now_ns(); }, deadline, stop);
}

// ---- until it is injected

// Plans the injection and finds on the nodes what it is to act on. What is not there while other faults are in force
// (code target) is waited for, and when it is not there all the same (a target that has given up on damaged files)
// other nodes are drawn. What could not be proven (not_found, link_injection.h) waits as well, and is injected then.
// False: the run was stopped.
Result<bool> Life::plan(std::mt19937_64 random, const std::stop_token& stop) {
  static constexpr double kPatience_s = 15;
  const Deadline patience = Deadline::after_s(kPatience_s);
  for (std::size_t drawn = 0;;) {
    auto admitted = admit(random, stop);
    if (!admitted) return fail(admitted.error());
    if (*admitted == nullptr) return false;
    auto prepared = (*admitted)->prepare(Deadline::after_s(around_.options.step_timeout_s));
    nodes_ = (*admitted)->nodes();
    const auto others =
        prepared ? std::vector<std::string>() : around_.roster.others_since(id_, nodes_, around_.log.now_ns());
    const bool waits = !others.empty() && !patience.passed();
    if (prepared || (prepared.error().code == ErrorCode::not_found && !waits)) {
      injection_ = *std::move(admitted);
      return true;
    }
    around_.roster.leave(id_);
    if (prepared.error().code != ErrorCode::target && prepared.error().code != ErrorCode::not_found)
      return fail(prepared.error());
    if (!waits && ++drawn > around_.cluster.size()) return fail(prepared.error());
    tell(FaultStep::postponed,
         {{Value("message"), Value(prepared.error().message)}, {Value("by"), names_value(others)}});
    if (waits) {
      await_others(nodes_, patience, stop);
    } else {
      random.seed(random());
    }
    if (stop.stop_requested()) return false;
  }
}

// Plans the injection when its turn has come. Planned anew after each wait, since who leads may have changed, but from
// the same generator, so that the draws are the same. Null: the run was stopped.
Result<std::unique_ptr<Injection>> Life::admit(const std::mt19937_64& random, const std::stop_token& stop) {
  const std::uint64_t ticket = around_.roster.ticket();
  const FaultContext with = context(stop);
  while (!stop.stop_requested()) {
    std::mt19937_64 same = random;
    auto planned = lane_.fault->plan(with, same);
    if (!planned) {
      around_.roster.withdraw(ticket);
      return planned;
    }
    const bool quiet = too_late() || around_.quiet.wait_s(around_.log.now_s()) > 0;
    if (around_.roster.join(id_, ticket, (*planned)->impairment(), quiet, stop)) return planned;
  }
  around_.roster.withdraw(ticket);
  return std::unique_ptr<Injection>();
}

// Everything that must be on disk before a node is touched.
Result<void> Life::announce() {
  const Value description = injection_->describe();
  nodes_ = injection_->nodes();
  auto undoing = around_.net.complete(name_, lane_.fault->name, injection_->undo());
  if (!undoing) return fail(undoing.error());
  undoing_ = *std::move(undoing);
  tell(FaultStep::inject, {{Value("nodes"), names_value(nodes_)}, {Value("fault"), description}});
  const std::lock_guard lock(healing_);
  if (auto done = around_.net.announce(undoing_, description); !done) return done;
  in_force_ = true;
  return {};
}

// Arms the nodes and injects. An operation is over in milliseconds: a lane that wants one under way looks for it once
// more when everything is ready, so that only the injection itself lies in between.
Result<void> Life::inject(const std::stop_token& stop) {
  if (auto armed = around_.net.arm(undoing_, Deadline::after_s(step_s())); !armed) return armed;
  armed_ = std::chrono::steady_clock::now();
  if (auto ready = injection_->make_ready(Deadline::after_s(step_s())); !ready) return ready;
  if (too_late()) return came_too_late();
  if (!awaits_operation()) return injection_->inject(Deadline::after_s(step_s()));
  if (injection_->may_be_held()) return inject_held(Deadline::after_s(step_s() + kOperationPatience_s), stop);
  if (!await_trigger(Deadline::after_s(kOperationPatience_s), stop)) return no_operation(lane_);
  if (too_late()) return came_too_late();
  return injection_->inject(Deadline::after_s(step_s()));
}

// Sends the commands ahead and lets them go when the operation is under way.
Result<void> Life::inject_held(Deadline deadline, const std::stop_token& stop) {
  // A node that has no part in it sends no command; without it the wait is over a little later.
  static constexpr double kAllHeld_s = 1;
  held_->hold();
  Result<void> injected;
  std::jthread injecting([&] { injected = injection_->inject(deadline); });
  (void)held_->await_held(undoing_.nodes.empty() ? nodes_.size() : undoing_.nodes.size(),
                          Deadline::after_s(kAllHeld_s));
  bool late = false;
  const bool seen = await_trigger(Deadline::after_s(kOperationPatience_s), stop, [&] {
    late = too_late();
    if (late) return;
    released_ = std::chrono::steady_clock::now();
    held_->release();
  });
  if (!seen || late) held_->give_up();
  injecting.join();
  if (late) return came_too_late();
  return seen ? injected : no_operation(lane_);
}

// ---- while it is in force

// What other faults in force may have kept from being seen is looked at again when they are healed, for as long as this
// one stays in force.
void Life::confirm(Deadline over, const std::stop_token& stop) {
  while (true) {
    const std::int64_t since = around_.log.now_ns();
    const auto seen = injection_->confirm(observing());
    const auto others = hidden_by(seen, since);
    const bool again = !others.empty() && !over.passed() && !stop.stop_requested();
    if (!seen && !again) return went_wrong(seen.error().during("confirming").message);
    std::string evidence = seen ? seen->evidence : seen.error().message;
    if (!others.empty()) evidence += meanwhile(others);
    if (!again) return tell_evidence(seen->confirmed ? FaultStep::confirmed : FaultStep::unconfirmed, evidence);
    tell_evidence(FaultStep::disturbed, evidence, others);
    await_others(nodes_, over, stop);
  }
}

// Until the fault's time is over, or somebody else has undone it: what it measures goes to the history. A measurement
// that failed (the process has just been killed by another fault) is left out.
void Life::follow(Deadline over, const std::stop_token& stop) {
  static constexpr auto kEvery = std::chrono::seconds(1);
  bool measures = true;
  while (!stop.stop_requested() && !Deadline(over - kEvery / 4).passed()) {
    if (tell_lifted(around_.net.lifted(undoing_, *armed_))) return;
    const Deadline next = over.within(kEvery);
    const auto measured = measures ? injection_->measure(next) : Result<Value>(Value());
    measures = !measured || !measured->is_nil();
    if (measured && measures) tell(FaultStep::measured, {{Value("values"), *measured}});
    if (!pause_until(next, stop)) return;
  }
  (void)pause_until(over, stop);
}

// The watchdog, because our beats did not arrive (the controller was stopped, or cut off), or `ordeal heal`.
bool Life::tell_lifted(const std::vector<std::size_t>& places) {
  std::vector<std::string> nodes;
  for (const std::size_t place : places) {
    if (lifted_.insert(place).second) nodes.push_back(undoing_.undo[place].node);
  }
  if (nodes.empty()) return !places.empty();
  tell(FaultStep::lifted,
       {{Value("nodes"), names_value(nodes)},
        {Value("message"), Value(fmt::format("{}: the fault was undone before its time, by the dead-man's switch (the "
                                             "controller was not heard) or by `ordeal heal`",
                                             joined(nodes)))}});
  return true;
}

// ---- healing

// What cannot be healed now is tried again until the run ends, and once more then: another fault of this kind must not
// come on top of it.
void Life::heal_until_healed(const std::stop_token& stop) {
  while (true) {
    const bool last = stop.stop_requested();
    const double extra_s = std::min(injection_->takes_s(), kMaxExtraHealing_s);
    if (heal(Deadline::after_s(around_.options.heal_timeout_s + extra_s)) || last) return;
  }
}

Result<void> Life::heal(Deadline deadline) {
  auto done = heal_locked(deadline);
  if (done) around_.roster.leave(id_);
  return done;
}

bool Life::in_force(Deadline deadline) {
  const std::unique_lock lock(healing_, deadline);
  return !lock || in_force_;
}

Result<void> Life::heal_locked(Deadline deadline) {
  const std::unique_lock healer(healing_, deadline);
  if (!healer) return fail(ErrorCode::timeout, "it was still being healed when time was up");
  if (!in_force_) return {};
  if (!std::exchange(healing_began_, true)) tell(FaultStep::heal);
  while (true) {
    const double try_s = around_.options.heal_timeout_s / 3 + injection_->takes_s();
    const auto done = undo_once(deadline.within_s(try_s));
    if (done) break;
    if (Deadline(deadline - std::chrono::seconds(1)).passed()) {
      went_wrong(done.error().during("healing").message);
      return done;
    }
    std::this_thread::sleep_for(std::chrono::seconds(1));
  }
  in_force_ = false;
  around_.net.release(undoing_);
  tell(FaultStep::healed);
  if (auto closed = around_.net.close(undoing_); !closed) went_wrong(closed.error().message);
  confirm_healed();
  return {};
}

// One attempt: the scripts on all nodes at once, then what scripts cannot do; or the other way round, so that the nodes
// keep their dead-man's switches for as long as that takes.
Result<void> Life::undo_once(Deadline deadline) {
  if (injection_->heals_step_by_step()) {
    if (auto healed = injection_->heal(deadline); !healed) return healed;
    deadline = std::max(deadline, Deadline::after_s(5));
  }
  const auto said = around_.net.undo(undoing_, deadline);
  std::vector<std::size_t> lifted;
  for (std::size_t i = 0; i < said.size(); ++i) {
    if (!said[i] || !undone_.insert(i).second) continue;
    // What was never armed was never there to be undone.
    if (armed_ && said[i]->starts_with("gone")) lifted.push_back(i);
  }
  (void)tell_lifted(lifted);
  if (auto all = all_done(said); !all) return all;
  return injection_->heals_step_by_step() ? Result<void>() : injection_->heal(deadline);
}

// What is not seen to be healed while other faults are in force on the same nodes is nobody's failure: it is told as
// that and looked at again when they are healed, within the time that healing may take. It has no part in the quorum
// any more then.
void Life::confirm_healed() {
  const Deadline limit = Deadline::after_s(around_.options.heal_timeout_s);
  while (true) {
    const std::int64_t since = around_.log.now_ns();
    const auto seen = injection_->confirm_healed(observing());
    const auto others = hidden_by(seen, since);
    if (!seen && others.empty()) return went_wrong(seen.error().during("confirming that it is healed").message);
    std::string evidence = seen ? seen->evidence : seen.error().message;
    if (others.empty()) {
      if (seen->confirmed) return tell_evidence(FaultStep::recovered, evidence);
      const auto causes = given_up_under();
      if (causes.empty()) return tell_evidence(FaultStep::unrecovered, evidence);
      evidence += fmt::format("; the target may have given up there under {} before", joined(causes));
      return tell_evidence(FaultStep::disturbed, evidence, causes);
    }
    tell_evidence(FaultStep::disturbed, evidence + meanwhile(others), others);
    if (limit.passed()) return;
    around_.roster.leave(id_);
    await_others(nodes_, limit, {});
  }
}

}  // namespace ordeal
