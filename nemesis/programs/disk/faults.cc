#include "nemesis/programs/disk/faults.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>
#include <vector>

namespace ordeal::disk {

bool fault_kind(const std::string& name, FaultKind& out) {
  static constexpr std::pair<const char*, FaultKind> kNames[] = {
      {"read-error", FaultKind::read_error}, {"write-error", FaultKind::write_error},
      {"sync-error", FaultKind::sync_error}, {"sync-lost", FaultKind::sync_lost},
      {"slow-sync", FaultKind::slow_sync},   {"slow", FaultKind::slow},
      {"no-space", FaultKind::no_space},     {"corrupt-read", FaultKind::corrupt_read}};
  for (const auto& [known, kind] : kNames) {
    if (name != known) continue;
    out = kind;
    return true;
  }
  return false;
}

void Faults::add(const std::string& id, FaultKind kind, double probability, std::int64_t delay_ns, std::uint64_t seed) {
  const std::lock_guard lock(mutex_);
  if (has(id)) return;  // asked for twice
  Rule rule;
  rule.id = id;
  rule.kind = kind;
  rule.probability = probability;
  rule.delay_ns = delay_ns;
  rule.random.seed(seed);
  rules_.push_back(std::move(rule));
  count_refusing();
}

void Faults::clear(const std::string& id) {
  const std::lock_guard lock(mutex_);
  rules_.remove_if([&](const Rule& rule) { return rule.id == id; });
  count_refusing();
  changed_.notify_all();
}

void Faults::clear_all() {
  const std::lock_guard lock(mutex_);
  rules_.clear();
  count_refusing();
  changed_.notify_all();
}

std::string Faults::report() {
  const std::lock_guard lock(mutex_);
  std::string out;
  for (const Rule& rule : rules_) out += rule.id + " hits " + std::to_string(rule.hits) + "\n";
  return out;
}

void Faults::count_refusing() {
  refusing_ = static_cast<int>(std::count_if(rules_.begin(), rules_.end(), [](const Rule& rule) {
    return rule.kind == FaultKind::write_error || rule.kind == FaultKind::no_space;
  }));
}

bool Faults::concerns(FaultKind kind, Operation operation) {
  switch (kind) {
    case FaultKind::read_error:
      return operation == Operation::read;
    case FaultKind::write_error:
      return operation == Operation::write || operation == Operation::write_back;
    case FaultKind::sync_error:
    case FaultKind::sync_lost:
    case FaultKind::slow_sync:
      return operation == Operation::sync;
    case FaultKind::slow:
      return operation != Operation::make;
    case FaultKind::no_space:
      return operation == Operation::write || operation == Operation::make;
    case FaultKind::corrupt_read:
      return false;  // corrupt() is asked
  }
  return false;
}

bool Faults::hits(Rule& rule) {
  const bool hit = static_cast<double>(rule.random() >> 11U) * 0x1p-53 < rule.probability;
  if (hit) ++rule.hits;
  return hit;
}

bool Faults::has(const std::string& id) const {
  return std::any_of(rules_.begin(), rules_.end(), [&](const Rule& rule) { return rule.id == id; });
}

int Faults::meet(Operation operation, std::uint64_t file, bool& lost) {
  std::unique_lock lock(mutex_);
  if (rules_.empty()) return 0;
  int error = 0;
  std::vector<std::pair<std::string, std::int64_t>> delays;
  for (Rule& rule : rules_) {
    if (!concerns(rule.kind, operation)) continue;
    if (rule.kind == FaultKind::sync_lost && rule.done.contains(file)) continue;
    if (!hits(rule)) continue;
    if (rule.delay_ns > 0) {
      delays.emplace_back(rule.id, rule.delay_ns);
      continue;
    }
    error = rule.kind == FaultKind::no_space ? ENOSPC : EIO;
    if (rule.kind == FaultKind::sync_lost) {
      rule.done.insert(file);
      lost = true;
    }
  }
  for (const auto& [id, delay_ns] : delays) {
    changed_.wait_for(lock, std::chrono::nanoseconds(delay_ns), [&] { return !has(id); });
  }
  return error;
}

bool Faults::corrupt(char* data, std::size_t size) {
  const std::lock_guard lock(mutex_);
  bool changed = false;
  for (Rule& rule : rules_) {
    if (rule.kind != FaultKind::corrupt_read || size == 0 || !hits(rule)) continue;
    const std::uint64_t bit = rule.random() % (size * 8);
    data[bit / 8] = static_cast<char>(static_cast<unsigned char>(data[bit / 8]) ^ (1U << (bit % 8)));
    changed = true;
  }
  return changed;
}

}  // namespace ordeal::disk
