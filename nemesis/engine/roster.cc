#include "nemesis/engine/roster.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "nemesis/engine/quorum.h"

namespace ordeal {
namespace {

bool meet(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  return std::any_of(a.begin(), a.end(),
                     [&](const std::string& one) { return std::find(b.begin(), b.end(), one) != b.end(); });
}

std::string named(const FaultRecord& record) { return fmt::format("{} ({})", record.fault, record.id); }

}  // namespace

void Roster::add(int id, const FaultFactory& fault) {
  const std::lock_guard lock(mutex_);
  const auto [at, fresh] = entries_.try_emplace(id);
  ORDEAL_CHECK(fresh, "every injection has an id of its own");
  at->second.fault = &fault;
  at->second.record.id = id;
  at->second.record.fault = fault.name;
}

void Roster::apply(const FaultEvent& event) {
  const std::lock_guard lock(mutex_);
  ordeal::apply(entries_.at(event.id).record, event);
}

FaultRecord Roster::record(int id) const {
  const std::lock_guard lock(mutex_);
  return entries_.at(id).record;
}

std::vector<FaultRecord> Roster::records() const {
  const std::lock_guard lock(mutex_);
  std::vector<FaultRecord> out;
  for (const auto& [id, entry] : entries_) out.push_back(entry.record);
  return out;
}

std::vector<std::string> Roster::others_since(int id, const std::vector<std::string>& nodes,
                                              std::int64_t since_ns) const {
  static constexpr std::int64_t kSettle_ns = 1'000'000'000;
  std::vector<std::string> out;
  const std::lock_guard lock(mutex_);
  for (const auto& [other, entry] : entries_) {
    const FaultRecord& record = entry.record;
    if (other == id || record.inject_ns < 0) continue;
    if (record.healed_ns >= 0 && record.healed_ns + kSettle_ns < since_ns) continue;
    if (meet(nodes, record.nodes)) out.push_back(named(record));
  }
  return out;
}

std::vector<std::string> Roster::others_that_crash(int id, const std::vector<std::string>& nodes) const {
  std::vector<std::string> out;
  const std::lock_guard lock(mutex_);
  for (const auto& [other, entry] : entries_) {
    if (other == id || entry.record.inject_ns < 0 || !entry.fault->crashes) continue;
    if (meet(entry.record.nodes, nodes)) out.push_back(named(entry.record));
  }
  return out;
}

void Roster::await_others(int id, const std::vector<std::string>& nodes, const std::function<std::int64_t()>& now_ns,
                          Deadline deadline, const std::stop_token& stop) {
  while (!stop.stop_requested() && std::chrono::steady_clock::now() < deadline &&
         !others_since(id, nodes, now_ns()).empty()) {
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, stop, std::min(deadline, Deadline::after_s(0.2)), [] { return false; });
  }
}

std::uint64_t Roster::ticket() {
  const std::lock_guard lock(mutex_);
  return next_ticket_++;
}

bool Roster::join(int id, std::uint64_t ticket, const Impairment& wanted, bool quiet, const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  std::vector<Impairment> others;
  for (const auto& [other, one] : in_force_) others.push_back(one);
  for (const auto& [earlier, one] : waiting_) {
    if (earlier < ticket) others.push_back(one);
  }
  if (!quiet && (!keep_quorum_ || may_join(nodes_, std::move(others), wanted))) {
    waiting_.erase(ticket);
    in_force_[id] = wanted;
    changed_.notify_all();
    return true;
  }
  waiting_[ticket] = wanted;
  changed_.wait_for(lock, stop, std::chrono::seconds(1), [] { return false; });
  return false;
}

void Roster::withdraw(std::uint64_t ticket) {
  const std::lock_guard lock(mutex_);
  waiting_.erase(ticket);
}

void Roster::leave(int id) {
  const std::lock_guard lock(mutex_);
  in_force_.erase(id);
  changed_.notify_all();
}

}  // namespace ordeal
