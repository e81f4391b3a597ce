#include "harness/runner/run.h"

#include <fmt/format.h>

#include <atomic>
#include <mutex>
#include <shared_mutex>
#include <thread>

#include "harness/runner/scheduler.h"
#include "harness/runner/stuck.h"
#include "harness/runner/unrecovered.h"

namespace ordeal {

using std::chrono::duration;
using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::steady_clock;

namespace {

// The nemesis' way into the journal, and its eye on the workers. Cut off when its thread does not end in time, so that
// it cannot use a journal or a scheduler that are gone.
class JournalLog final : public NemesisLog {
 public:
  JournalLog(Journal& journal, Scheduler& scheduler) : journal_(&journal), scheduler_(&scheduler) {}
  void record(const std::string& f, const Value& value) override {
    const std::lock_guard lock(mutex_);
    // A failure of the journal sticks, and the run ends because of it.
    if (journal_ != nullptr) (void)journal_->record("nemesis", f, value);
  }
  std::int64_t now_ns() const override {
    const std::lock_guard lock(mutex_);
    return journal_ != nullptr ? journal_->now_ns() : 0;
  }
  bool await_operation(const std::string& f, Deadline deadline) override {
    while (steady_clock::now() < deadline) {
      // In pieces, so that cut() need not wait for long.
      const std::shared_lock lock(watching_);
      if (scheduler_ == nullptr) return false;
      if (scheduler_->await_operation(f, deadline.within(milliseconds(50)))) return true;
    }
    return false;
  }
  void cut() {
    const std::scoped_lock lock(mutex_, watching_);
    journal_ = nullptr;
    scheduler_ = nullptr;
  }

 private:
  mutable std::mutex mutex_;  // guards journal_
  Journal* journal_;
  std::shared_mutex watching_;  // guards scheduler_
  Scheduler* scheduler_;
};

// The thread of the nemesis. It is joined with a deadline, because healing talks to machines that may be dead.
class NemesisThread {
 public:
  NemesisThread(Nemesis* nemesis, RunPhase phase, Journal& journal, Scheduler& scheduler) {
    if (nemesis == nullptr) return;
    state_ = std::make_shared<State>(journal, scheduler);
    thread_ = std::thread([state = state_, nemesis, phase] {
      nemesis->run(phase, state->stop.get_token(), state->log);
      state->finished->store(true, std::memory_order_release);
    });
  }
  ~NemesisThread() {
    (void)stop(std::chrono::seconds(1), [] {});
  }
  NemesisThread(const NemesisThread&) = delete;
  NemesisThread& operator=(const NemesisThread&) = delete;

  // Until it has come to its end by itself, time is up or the run is to stop.
  template <class Tick>
  void await_end(nanoseconds patience, const std::stop_token& stop, Tick tick) {
    const auto limit = steady_clock::now() + patience;
    while (thread_.joinable() && !state_->finished->load(std::memory_order_acquire) && !stop.stop_requested() &&
           steady_clock::now() < limit) {
      std::this_thread::sleep_for(milliseconds(2));
      tick();
    }
  }

  // False when it did not end in time.
  template <class Tick>
  [[nodiscard]] bool stop(nanoseconds patience, Tick tick) {
    if (!thread_.joinable()) return true;
    state_->stop.request_stop();
    const auto limit = steady_clock::now() + patience;
    while (!state_->finished->load(std::memory_order_acquire)) {
      if (steady_clock::now() >= limit) {
        state_->log.cut();
        keep_stuck(std::move(thread_), state_->finished, state_);
        return false;
      }
      std::this_thread::sleep_for(milliseconds(2));
      tick();
    }
    thread_.join();
    return true;
  }

 private:
  struct State {
    State(Journal& journal, Scheduler& scheduler) : log(journal, scheduler) {}
    std::stop_source stop;
    JournalLog log;
    std::shared_ptr<std::atomic<bool>> finished = std::make_shared<std::atomic<bool>>(false);
  };
  std::shared_ptr<State> state_;
  std::thread thread_;
};

class Run {
 public:
  explicit Run(const RunSetup& setup)
      : setup_(setup),
        log_(*setup.log),
        scheduler_(setup.workers.workers, [journal = setup.journal] { return journal->now_ns(); }),
        pool_(settings(setup), setup.target, scheduler_, *setup.journal, *setup.log) {}

  Result<RunOutcome> go() {
    phase_ = "opening";
    report(true);
    if (auto opened = pool_.open(); !opened) {
      close();
      outcome_.failure = opened.error();
      record_end();
      return fail(opened.error());
    }
    main_phase();
    heal();
    if (goes_on()) {
      recover();
      // Also without some node: what the others say in the end may show what was lost.
      if (goes_on()) final_phase();
    }
    phase_ = "closing";
    report(true);
    close();
    record_end();
    if (auto synced = setup_.journal->sync(); !synced && !outcome_.failure) outcome_.failure = synced.error();
    outcome_.end_ns = setup_.journal->now_ns();
    report(true);
    return std::move(outcome_);
  }

 private:
  static WorkerPool::Settings settings(const RunSetup& setup) {
    auto out = setup.workers;
    out.nodes = std::max<std::size_t>(setup.nodes, 1);
    return out;
  }

  [[nodiscard]] bool goes_on() {
    look_for_halt();
    return !outcome_.interrupted && !outcome_.halted && !outcome_.failure;
  }

  void look_for_halt() {
    if (outcome_.halted || !setup_.halt.stop_requested()) return;
    outcome_.halted = true;
    halted_ns_ = setup_.journal->now_ns();
    if (setup_.nemesis != nullptr) setup_.nemesis->inject_no_more();
    if (setup_.at_halt) setup_.at_halt();
  }

  void main_phase() {
    phase_ = "main";
    outcome_.main_begin_ns = setup_.journal->now_ns();
    log_.info(fmt::format("main phase: {} workers for {:.6g} s at {}", setup_.workers.workers, setup_.time_limit_s,
                          setup_.rate > 0 ? fmt::format("{:.6g} operations a second", setup_.rate) : "full speed"));
    NemesisThread nemesis(setup_.nemesis, RunPhase::main, *setup_.journal, scheduler_);
    Rng rng = Rng(setup_.seed).split("arrivals");
    play(gen::time_limit(from_seconds(setup_.time_limit_s).count(),
                         gen::rate(setup_.arrivals, setup_.rate, rng, std::move(setup_.workload->generator))));
    // What was done at the halt is no part of it.
    outcome_.main_end_ns = outcome_.halted ? halted_ns_ : setup_.journal->now_ns();
    phase_ = "healing";
    report(true);
    end(nemesis);
  }

  [[nodiscard]] bool plays(RunPhase phase) const {
    return setup_.nemesis != nullptr && !outcome_.heal_failure && setup_.nemesis->plays(phase);
  }

  // Each injection heals within deadlines of its own; this is for one that does not keep them.
  void end(NemesisThread& nemesis) {
    if (nemesis.stop(from_seconds(setup_.recovery_s + 60), [&] { report(false); })) return;
    outcome_.heal_failure =
        Error{ErrorCode::timeout, fmt::format("the nemesis did not end within {:.3g} s", setup_.recovery_s + 60)};
  }

  // Plays a generator to its end, or until the run is to stop.
  void play(GeneratorPtr generator) {
    if (generator == nullptr) return;
    scheduler_.begin(*generator);
    const std::stop_callback stop(setup_.stop, [&] { scheduler_.stop_phase(); });
    const std::stop_callback halt(setup_.halt, [&] { scheduler_.stop_phase(); });
    bool stopping = false;
    while (!scheduler_.idle(milliseconds(50))) {
      report(false);
      look_for_halt();
      if (stopping) continue;
      outcome_.failure = setup_.journal->failure();
      if (outcome_.failure) {
        log_.error("the run stops: " + outcome_.failure->message);
        scheduler_.stop_phase();
        stopping = true;
      }
    }
    if (!outcome_.failure) outcome_.failure = setup_.journal->failure();
    look_for_halt();
    outcome_.interrupted = setup_.stop.stop_requested();
    // The scheduler knows the generator until the next phase begins.
    played_.push_back(std::move(generator));
  }

  void heal() {
    if (setup_.nemesis != nullptr) {
      if (auto healed = setup_.nemesis->heal_all(Deadline::after_s(setup_.recovery_s + 30)); !healed) {
        outcome_.heal_failure = healed.error();
        log_.error("healing: " + healed.error().message);
      }
      outcome_.faults = setup_.nemesis->records();
    }
    if (outcome_.healed_ns < 0) outcome_.healed_ns = setup_.journal->now_ns();
  }

  void recover() {
    phase_ = "recovering";
    report(true);
    if (plays(RunPhase::recovery)) {
      NemesisThread nemesis(setup_.nemesis, RunPhase::recovery, *setup_.journal, scheduler_);
      nemesis.await_end(from_seconds(setup_.recovery_s), setup_.stop, [&] { report(false); });
      end(nemesis);
      heal();
      outcome_.interrupted = setup_.stop.stop_requested();
    }
    const auto ready = setup_.target->await_ready(Deadline::after_s(setup_.recovery_s));
    if (ready) {
      outcome_.recovered_ns = setup_.journal->now_ns();
      return;
    }
    log_.error(ready.error().during("after healing").message);
    auto looked = unrecovered_nodes(*setup_.target, setup_.cluster, ready.error());
    if (looked) {
      outcome_.unrecovered = *std::move(looked);
    } else {
      outcome_.recovery_failure = ready.error().during("after healing");
    }
  }

  void final_phase() {
    if (setup_.workload->final_generator == nullptr) return;
    phase_ = "final";
    report(true);
    outcome_.final_begin_ns = setup_.journal->now_ns();
    final_phase_ = RunEnd::FinalPhase::cut_short;
    log_.info("final phase");
    const bool faulty = plays(RunPhase::final);
    NemesisThread nemesis(faulty ? setup_.nemesis : nullptr, RunPhase::final, *setup_.journal, scheduler_);
    play(gen::time_limit(from_seconds(setup_.final_limit_s).count(), std::move(setup_.workload->final_generator)));
    if (!outcome_.interrupted && !outcome_.halted && !outcome_.failure) final_phase_ = RunEnd::FinalPhase::done;
    if (!faulty) return;
    end(nemesis);
    heal();
  }

  void close() {
    scheduler_.close();
    outcome_.stuck_threads = pool_.close();
    outcome_.counts = pool_.counts();
    outcome_.lost_workers = pool_.lost_workers();
    if (outcome_.lost_workers > 0) {
      log_.error(fmt::format("{} of {} workers never had a connection, or lost their thread", outcome_.lost_workers,
                             setup_.workers.workers));
    }
    if (outcome_.stuck_threads > 0) {
      log_.error(fmt::format("{} client threads never came back from a call", outcome_.stuck_threads));
    }
  }

  // A journal that failed takes no record any more, and that shows as well.
  void record_end() {
    RunEnd end;
    end.main_s = static_cast<double>(outcome_.main_end_ns - outcome_.main_begin_ns) / 1e9;
    end.time_limit_s = setup_.time_limit_s;
    end.final_phase = final_phase_;
    end.unrecovered = outcome_.unrecovered;
    end.workers = static_cast<std::size_t>(setup_.workers.workers);
    end.lost_workers = outcome_.lost_workers;
    end.stuck_threads = outcome_.stuck_threads;
    if (outcome_.interrupted) end.how = RunEnd::How::interrupted;
    if (outcome_.halted) end.how = RunEnd::How::anomaly;
    for (const auto* failure : {&outcome_.failure, &outcome_.heal_failure, &outcome_.recovery_failure}) {
      if (!*failure || !end.failure.empty()) continue;
      end.how = RunEnd::How::failed;
      end.failure = (*failure)->message;
    }
    (void)setup_.journal->record("nemesis", "nemesis", end.to_value());
  }

  void report(bool now) {
    if (!setup_.progress) return;
    const auto time = steady_clock::now();
    if (!now && time - reported_ < setup_.progress_interval) return;
    reported_ = time;
    Progress progress{phase_, static_cast<double>(setup_.journal->now_ns()) / 1e9, pool_.counts(), {}};
    if (setup_.nemesis != nullptr) {
      for (const auto& fault : setup_.nemesis->records()) {
        if (fault.inject_ns >= 0 && fault.healed_ns < 0) progress.active_faults.push_back(fault.fault);
      }
    }
    setup_.progress(progress);
  }

  const RunSetup& setup_;
  RunLog& log_;
  std::string phase_;
  steady_clock::time_point reported_{};
  RunOutcome outcome_;
  std::int64_t halted_ns_ = -1;
  RunEnd::FinalPhase final_phase_ =
      setup_.workload->final_generator == nullptr ? RunEnd::FinalPhase::none : RunEnd::FinalPhase::left_out;
  std::vector<GeneratorPtr> played_;
  Scheduler scheduler_;
  WorkerPool pool_;
};

}  // namespace

RunSetup RunSetup::from(const Plan& plan) {
  RunSetup setup;
  setup.time_limit_s = plan.time_limit_s;
  setup.rate = plan.rate;
  setup.arrivals = plan.poisson ? gen::Arrivals::poisson : gen::Arrivals::fixed;
  setup.seed = plan.seed;
  setup.recovery_s = plan.recovery_s;
  setup.workers.workers = plan.concurrency;
  setup.workers.op_timeout = from_seconds(plan.op_timeout_s);
  if (plan.open_timeout_s > 0) {
    setup.workers.first_open_timeout = setup.workers.reopen_timeout = from_seconds(plan.open_timeout_s);
  }
  return setup;
}

Value RunOutcome::to_value() const {
  Value out = Value::map();
  const auto number = [](std::uint64_t n) { return Value(static_cast<std::int64_t>(n)); };
  Value operations = Value::map();
  operations.set("invoked", number(counts.invoked));
  operations.set("ok", number(counts.ok));
  operations.set("fail", number(counts.fail));
  operations.set("info", number(counts.info));
  out.set("operations", std::move(operations));
  Value list = Value::list();
  for (const auto& fault : faults) list.items().push_back(ordeal::to_value(fault));
  out.set("faults", std::move(list));
  out.set("main_begin_ns", main_begin_ns);
  out.set("main_end_ns", main_end_ns);
  out.set("healed_ns", healed_ns);
  out.set("recovered_ns", recovered_ns);
  out.set("final_begin_ns", final_begin_ns);
  out.set("end_ns", end_ns);
  out.set("interrupted", interrupted);
  out.set("halted", halted);
  out.set("lost_workers", number(lost_workers));
  out.set("stuck_threads", number(stuck_threads));
  for (const auto& [key, error] : {std::pair{"failure", &failure}, std::pair{"heal_failure", &heal_failure},
                                   std::pair{"recovery_failure", &recovery_failure}}) {
    if (*error) out.set(key, (*error)->message);
  }
  if (!unrecovered.empty()) {
    Value names = Value::list();
    for (const auto& node : unrecovered) names.items().emplace_back(node.node);
    out.set("unrecovered", std::move(names));
  }
  return out;
}

Result<RunOutcome> run_workload(const RunSetup& setup) {
  ORDEAL_CHECK(setup.target && setup.workload && setup.workload->generator && setup.journal && setup.log,
               "a run needs a target, a workload, a journal and a log");
  if (setup.workers.workers < 1) return fail(ErrorCode::usage, "a run needs at least one worker");
  return Run(setup).go();
}

}  // namespace ordeal
