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
  if (slot.group != nullptr) woken_.insert(&slot);
  slot.woken = true;
  slot.wake.notify_one();
}

void Scheduler::wake_for_event(const Slot& except) {
  for (Slot* slot : waiting_events_) {
    if (slot != &except && !slot->woken) wake(*slot);
  }
}

void Scheduler::completed(int worker, ProcessId process, const Operation& operation, const Completion& completion) {
  const std::lock_guard lock(mutex_);
  Slot& slot = *slots_[static_cast<std::size_t>(worker)];
  slot.f.clear();
  if (generator_ != nullptr) {
    generator_->update({clock_(), worker, process, completion.type, &operation, &completion});
  }
  wake_for_event(slot);
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
      slot.wake.wait_for(lock, std::chrono::nanoseconds(kPatienceNs), [&] { return slot.woken; });
      continue;
    }
    const std::int64_t now = clock_();
    if (const auto due = std::exchange(arriving, false) ? due_at(now) : std::nullopt; due && !stopping_) {
      group = queue(lock, slot, *due, false);
      continue;
    }
    GeneratorStep step =
        stopping_ ? GeneratorStep(Done{}) : generator_->next({now, worker, process, static_cast<int>(slots_.size())});
    if (auto* operation = std::get_if<Operation>(&step)) {
      generator_->update({now, worker, process, EventType::invoke, operation, nullptr});
      if (group >= 0) pass_baton(group);
      wake_for_event(slot);
      slot.f = operation->f;
      for (Watch* watch : watches_) {
        if (watch->f == slot.f) watch->begun.notify_one();
      }
      return std::move(*operation);
    }
    if (const auto* wait = std::get_if<Wait>(&step)) {
      group = sleep(lock, slot, *wait, group);
      continue;
    }
    if (group >= 0) pass_baton(group);
    group = -1;
    finish_phase(slot);
    wake_for_event(slot);
  }
  return std::nullopt;
}

void Scheduler::finish_phase(Slot& slot) {
  slot.done = true;
  if (++done_ == slots_.size()) all_done_.notify_all();
}

bool Scheduler::has_leader(std::int64_t until_ns) const {
  const auto found = groups_.find(until_ns);
  return found != groups_.end() && found->second->leader != nullptr;
}

// Makes one follower of the group that waits for that moment ask: the one that came first.
void Scheduler::pass_baton(std::int64_t until_ns) {
  const auto found = groups_.find(until_ns);
  if (found != groups_.end() && !found->second->followers.empty()) wake(*found->second->followers.begin()->second);
}

// The moment of a worker whose moment has come and that has not got its operation yet: who arrives now must not
// overtake it.
std::optional<std::int64_t> Scheduler::due_at(std::int64_t now) const {
  if (!woken_.empty()) return (*woken_.begin())->group->until_ns;
  for (const auto& [until_ns, group] : groups_) {
    if (until_ns > now) break;
    if (group->leader != nullptr) return until_ns;
  }
  return std::nullopt;
}

std::int64_t Scheduler::sleep(std::unique_lock<std::mutex>& lock, Slot& slot, Wait wait, std::int64_t group) {
  if (wait.on_update) {
    slot.woken = false;
    if (group >= 0) pass_baton(group);
    waiting_events_.insert(&slot);
    const std::int64_t ns = std::clamp<std::int64_t>(wait.until_ns - clock_(), 0, kLongestNs);
    slot.wake.wait_for(lock, std::chrono::nanoseconds(ns), [&] { return slot.woken; });
    waiting_events_.erase(&slot);
    return -1;
  }
  // The rest of the group that it was woken from waits for the moment that it was told.
  if (group >= 0 && group != wait.until_ns && !has_leader(group)) move(group, wait.until_ns);
  return queue(lock, slot, wait.until_ns, !has_leader(wait.until_ns));
}

void Scheduler::move(std::int64_t from_ns, std::int64_t to_ns) {
  auto node = groups_.extract(from_ns);
  if (node.empty()) return;
  Group& group = *node.mapped();
  group.until_ns = to_ns;
  node.key() = to_ns;
  const auto placed = groups_.insert(std::move(node));
  if (placed.inserted) return;
  // The two become one: the smaller joins the larger.
  auto& there = placed.position->second;
  auto& joining = placed.node.mapped();
  if (there->followers.size() < joining->followers.size()) std::swap(there, joining);
  if (joining->leader != nullptr) {
    there->leader = joining->leader;
    there->leader->group = there.get();
  }
  for (const auto& [arrival, follower] : joining->followers) follower->group = there.get();
  there->followers.merge(joining->followers);
}

std::int64_t Scheduler::queue(std::unique_lock<std::mutex>& lock, Slot& slot, std::int64_t until_ns, bool leader) {
  slot.woken = false;
  auto& place = groups_[until_ns];
  if (place == nullptr) place = std::make_unique<Group>(Group{until_ns, nullptr, {}});
  slot.group = place.get();
  if (leader) {
    place->leader = &slot;
  } else {
    place->followers.emplace(slot.arrival, &slot);
  }
  while (!closed_ && !slot.woken) {
    // The group may go on to another moment while it sleeps.
    const bool leads = slot.group->leader == &slot;
    const std::int64_t left = slot.group->until_ns + (leads ? 0 : kFollowNs) - clock_();
    if (left <= 0) break;
    const std::int64_t longest = leads ? std::min(left, kLongestNs) : std::max(left, kPatienceNs);
    slot.wake.wait_for(lock, std::chrono::nanoseconds(longest), [&] { return slot.woken; });
  }
  const std::int64_t moment = slot.group->until_ns;
  leave(slot);
  return moment;
}

void Scheduler::leave(Slot& slot) {
  Group& group = *slot.group;
  if (group.leader == &slot) {
    group.leader = nullptr;
  } else {
    group.followers.erase(slot.arrival);
  }
  slot.group = nullptr;
  woken_.erase(&slot);
  if (group.leader == nullptr && group.followers.empty()) groups_.erase(group.until_ns);
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
  Watch watch;
  watch.f = f;
  watches_.push_back(&watch);
  watch.begun.wait_until(lock, deadline, [&] { return closed_ || under_way(); });
  watches_.erase(std::find(watches_.begin(), watches_.end(), &watch));
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
  for (Watch* watch : watches_) watch->begun.notify_one();
  for (auto& slot : slots_) wake(*slot);
}

}  // namespace ordeal
