#include "harness/runner/scheduler.h"

#include <algorithm>
#include <utility>

namespace ordeal {

namespace {
constexpr std::int64_t kLongestNs = 1'000'000'000;
}  // namespace

Scheduler::Scheduler(int workers, std::function<std::int64_t()> clock) : clock_(std::move(clock)) {
  for (int i = 0; i < workers; ++i) slots_.push_back(std::make_unique<Slot>());
  done_ = slots_.size();
}

void Scheduler::wake(Slot& slot) {
  slot.woken = true;
  slot.wake.notify_one();
}

void Scheduler::wake_for_event(int except) {
  if (waiting_events_ == 0) return;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i]->on_update && static_cast<int>(i) != except) wake(*slots_[i]);
  }
}

void Scheduler::completed(int worker, ProcessId process, const Operation& operation, const Completion& completion) {
  const std::lock_guard lock(mutex_);
  slots_[static_cast<std::size_t>(worker)]->f.clear();
  if (generator_ != nullptr) {
    generator_->update({clock_(), worker, process, completion.type, &operation, &completion});
  }
  wake_for_event(worker);
}

std::optional<Operation> Scheduler::next(int worker, ProcessId process) {
  std::unique_lock lock(mutex_);
  Slot& slot = *slots_[static_cast<std::size_t>(worker)];
  slot.arrival = ++arrivals_;
  std::int64_t group = -1;
  bool arriving = true;
  while (!closed_) {
    if (slot.done || generator_ == nullptr) {
      slot.woken = false;
      slot.wake.wait_for(lock, std::chrono::seconds(1), [&] { return slot.woken; });
      continue;
    }
    const std::int64_t now = clock_();
    if (const Slot* due = std::exchange(arriving, false) ? due_at(now) : nullptr; due != nullptr && !stopping_) {
      group = queue(lock, slot, due->until_ns, false);
      continue;
    }
    GeneratorStep step =
        stopping_ ? GeneratorStep(Done{}) : generator_->next({now, worker, process, static_cast<int>(slots_.size())});
    if (auto* operation = std::get_if<Operation>(&step)) {
      generator_->update({now, worker, process, EventType::invoke, operation, nullptr});
      if (group >= 0) pass_baton(group);
      wake_for_event(worker);
      slot.f = operation->f;
      if (watching_ > 0) begun_.notify_all();
      return std::move(*operation);
    }
    if (const auto* wait = std::get_if<Wait>(&step)) {
      group = sleep(lock, slot, *wait, group);
      continue;
    }
    if (group >= 0) pass_baton(group);
    group = -1;
    finish_phase(slot);
    wake_for_event(worker);
  }
  return std::nullopt;
}

void Scheduler::finish_phase(Slot& slot) {
  slot.done = true;
  if (++done_ == slots_.size()) all_done_.notify_all();
}

bool Scheduler::has_leader(std::int64_t until_ns) const {
  return std::any_of(slots_.begin(), slots_.end(), [&](const auto& s) { return s->leader && s->until_ns == until_ns; });
}

// Makes one follower of the group that waits for that moment ask: the one that came first.
void Scheduler::pass_baton(std::int64_t until_ns) {
  Slot* first = nullptr;
  for (const auto& slot : slots_) {
    const bool follows = slot->clock_only && !slot->leader && slot->until_ns == until_ns;
    if (follows && (first == nullptr || slot->arrival < first->arrival)) first = slot.get();
  }
  if (first != nullptr) wake(*first);
}

// A worker whose moment has come and that has not got its operation yet: who arrives now must not overtake it.
const Scheduler::Slot* Scheduler::due_at(std::int64_t now) const {
  for (const auto& slot : slots_) {
    if (slot->clock_only && (slot->woken || (slot->leader && slot->until_ns <= now))) return slot.get();
  }
  return nullptr;
}

std::int64_t Scheduler::sleep(std::unique_lock<std::mutex>& lock, Slot& slot, Wait wait, std::int64_t group) {
  slot.woken = false;
  if (wait.on_update) {
    if (group >= 0) pass_baton(group);
    slot.on_update = true;
    ++waiting_events_;
    const std::int64_t ns = std::clamp<std::int64_t>(wait.until_ns - clock_(), 0, kLongestNs);
    slot.wake.wait_for(lock, std::chrono::nanoseconds(ns), [&] { return slot.woken; });
    --waiting_events_;
    slot.on_update = false;
    return -1;
  }
  if (group >= 0 && group != wait.until_ns && !has_leader(group)) {
    // The rest of the group that it was woken from waits for the moment that it was told.
    for (const auto& other : slots_) {
      if (other->clock_only && other->until_ns == group) other->until_ns = wait.until_ns;
    }
  }
  return queue(lock, slot, wait.until_ns, !has_leader(wait.until_ns));
}

std::int64_t Scheduler::queue(std::unique_lock<std::mutex>& lock, Slot& slot, std::int64_t until_ns, bool leader) {
  slot.woken = false;
  slot.leader = leader;
  slot.until_ns = until_ns;
  slot.clock_only = true;
  while (!closed_ && !slot.woken) {
    // A follower's moment may be moved while it sleeps.
    const std::int64_t moment = slot.until_ns + (slot.leader ? 0 : kFollowNs);
    const std::int64_t now = clock_();
    if (now >= moment) break;
    slot.wake.wait_for(lock, std::chrono::nanoseconds(std::min(moment - now, kLongestNs)), [&] { return slot.woken; });
  }
  slot.clock_only = false;
  slot.leader = false;
  return slot.until_ns;
}

void Scheduler::pause(int worker, std::chrono::nanoseconds duration) {
  std::unique_lock lock(mutex_);
  Slot& slot = *slots_[static_cast<std::size_t>(worker)];
  slot.wake.wait_for(lock, duration, [&] { return closed_ || stopping_; });
}

bool Scheduler::await_operation(std::string_view f, std::chrono::steady_clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  const auto under_way = [&] {
    return std::any_of(slots_.begin(), slots_.end(), [&](const auto& slot) { return slot->f == f; });
  };
  ++watching_;
  begun_.wait_until(lock, deadline, [&] { return closed_ || under_way(); });
  --watching_;
  return !closed_ && under_way();
}

void Scheduler::begin(Generator& generator) {
  const std::lock_guard lock(mutex_);
  ORDEAL_CHECK(done_ == slots_.size(), "a phase began before the last one was over");
  generator_ = &generator;
  stopping_ = false;
  done_ = 0;
  for (auto& slot : slots_) {
    slot->done = false;
    wake(*slot);
  }
}

bool Scheduler::idle(std::chrono::milliseconds wait) {
  std::unique_lock lock(mutex_);
  return all_done_.wait_for(lock, wait, [&] { return done_ == slots_.size(); });
}

void Scheduler::stop_phase() {
  const std::lock_guard lock(mutex_);
  stopping_ = true;
  for (auto& slot : slots_) wake(*slot);
}

void Scheduler::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  generator_ = nullptr;
  begun_.notify_all();
  for (auto& slot : slots_) wake(*slot);
}

}  // namespace ordeal
