#include "targets/memory/limits.h"

#include <algorithm>

namespace ordeal::memory {
namespace {

using std::chrono::nanoseconds;

constexpr nanoseconds kToken = std::chrono::milliseconds(10);
constexpr std::int64_t kBurst = 10;
constexpr std::int64_t kPermits = 3;

}  // namespace

std::optional<Completion> Limits::apply(std::string_view data_type, const Operation& operation, std::uint64_t client,
                                        Rng& rng) {
  if (data_type != "token-bucket" && data_type != "semaphore") return std::nullopt;
  const std::lock_guard lock(mutex_);
  return data_type == "token-bucket" ? request(rng) : permit(operation, client, rng);
}

Completion Limits::request(Rng& rng) {
  const nanoseconds now = now_();
  const nanoseconds grown = now - std::exchange(looked_, now);
  if (fresh_) {
    filled_ = kBurst * kToken;
    fresh_ = false;
  } else if (!faults_.strikes(Bug::stale_read, rng)) {
    filled_ = std::min(kBurst * kToken, filled_ + grown);
  }
  if (filled_ < kToken) return Completion::failed("limited", "the bucket is empty");
  if (!faults_.strikes(Bug::lost_write, rng)) filled_ -= kToken;
  if (faults_.strikes(Bug::duplicate, rng)) filled_ -= std::min(filled_, kToken);
  return Completion::ok();
}

Completion Limits::permit(const Operation& operation, std::uint64_t client, Rng& rng) {
  if (operation.f == "acquire-permit") {
    if (taken_ >= kPermits && !faults_.strikes(Bug::write_skew, rng))
      return Completion::failed("limited", "all permits are taken");
    ++holders_[client];
    taken_ += faults_.strikes(Bug::duplicate, rng) ? 2 : 1;
    return Completion::ok();
  }
  const auto held = holders_.find(client);
  if (held == holders_.end()) return Completion::failed("not-held", "this client holds no permit");
  if (--held->second == 0) holders_.erase(held);
  if (!faults_.strikes(Bug::lost_write, rng)) --taken_;
  return Completion::ok();
}

void Limits::forget(std::uint64_t client) {
  const std::lock_guard lock(mutex_);
  const auto held = holders_.find(client);
  if (held == holders_.end()) return;
  taken_ -= held->second;
  holders_.erase(held);
}

}  // namespace ordeal::memory
