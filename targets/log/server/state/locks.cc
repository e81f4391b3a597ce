#include "targets/log/server/state/locks.h"

#include <fmt/format.h>

#include <algorithm>

#include "targets/log/server/bugs.h"
#include "targets/log/server/state/codec.h"

namespace ordeal::log::state {

void Locks::lend(Lease& lease, std::uint64_t now_ms, std::uint64_t ttl_ms) {
  lease.until_ms = ttl_ms == 0 ? 0 : now_ms + std::min(ttl_ms, kMaxTtlMs);
  if (lease.until_ms != 0 && (earliest_ms_ == 0 || lease.until_ms < earliest_ms_)) earliest_ms_ = lease.until_ms;
}

Answer Locks::acquire(const Command& command, raft::Index index, std::uint64_t now_ms) {
  const auto [at, free] = locks_.try_emplace(command.key);
  if (!free && !(bug(Bug::lock_taken_while_held) && index % 8 == 0)) {
    Answer answer = look(command.key);
    answer.code = AnswerCode::held;
    return answer;
  }
  const std::uint64_t token = bug(Bug::token_goes_back) ? 1 + index % 64 : index;
  at->second = {command.value, token, 0};
  lend(at->second, now_ms, command.ttl_ms);
  return {AnswerCode::ok, fmt::format("{{\"token\":{}}}", token), index, false};
}

Answer Locks::keep_alive(const Command& command, std::uint64_t now_ms) {
  if (!holds(command.key, command.token)) return refusal(AnswerCode::not_held, "the lock is not held with this token");
  lend(locks_[command.key], now_ms, command.ttl_ms);
  return {};
}

Answer Locks::release(const std::string& lock, std::uint64_t token) {
  if (!holds(lock, token)) return refusal(AnswerCode::not_held, "the lock is not held with this token");
  locks_.erase(lock);
  return {};
}

void Locks::expire(std::uint64_t now_ms) {
  if (earliest_ms_ == 0 || earliest_ms_ > now_ms) return;
  std::erase_if(locks_, [&](const auto& one) { return one.second.until_ms != 0 && one.second.until_ms <= now_ms; });
  find_earliest();
}

Answer Locks::look(const std::string& lock) const {
  Answer answer;
  const auto found = locks_.find(lock);
  answer.body = found == locks_.end()
                    ? "{\"owner\":null,\"token\":0}"
                    : fmt::format("{{\"owner\":{},\"token\":{}}}", found->second.owner, found->second.token);
  return answer;
}

bool Locks::holds(const std::string& lock, std::uint64_t token) const {
  const auto found = locks_.find(lock);
  return found != locks_.end() && found->second.token == token;
}

void Locks::find_earliest() {
  earliest_ms_ = 0;
  for (const auto& [name, lease] : locks_) {
    if (lease.until_ms != 0 && (earliest_ms_ == 0 || lease.until_ms < earliest_ms_)) earliest_ms_ = lease.until_ms;
  }
}

void Locks::save(Writer& out) const {
  out.number(locks_.size());
  for (const auto& [name, lease] : locks_) {
    out.text(name);
    out.text(lease.owner);
    out.number(lease.token);
    out.number(lease.until_ms);
  }
}

void Locks::load(Reader& in) {
  const std::uint64_t count = in.count();
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
    std::string name = in.text();
    Lease lease;
    lease.owner = in.text();
    lease.token = in.number();
    lease.until_ms = in.number();
    if (!locks_.emplace(std::move(name), std::move(lease)).second) in.fail();
  }
  find_earliest();
}

}  // namespace ordeal::log::state
