#include "targets/log/server/sim/disk.h"

#include <utility>

namespace ordeal::log::sim {

void Disk::write(const raft::Output& output) {
  std::vector<Record> records;
  if (output.snapshot) records.push_back({output.snapshot, true, std::nullopt, std::nullopt});
  for (const raft::Entry& entry : output.entries) records.push_back({nullptr, false, entry, std::nullopt});
  if (output.hard_state) records.push_back({nullptr, false, std::nullopt, output.hard_state});
  pending_.push_back(std::move(records));
}

void Disk::write_snapshot(std::shared_ptr<const raft::Snapshot> snapshot) {
  pending_.push_back({{std::move(snapshot), false, std::nullopt, std::nullopt}});
}

void Disk::complete() {
  for (const Record& record : pending_.front()) apply(record);
  pending_.pop_front();
}

void Disk::crash(Rng& rng) {
  std::size_t records = 0;
  for (const auto& write : pending_) records += write.size();
  std::size_t kept = rng.below(records + 1);
  for (const auto& write : pending_) {
    for (const Record& record : write) {
      if (kept == 0) break;
      --kept;
      apply(record);
    }
  }
  pending_.clear();
}

void Disk::apply(const Record& record) {
  if (record.snapshot && (record.replaces_log || record.snapshot->index > snapshot_->index)) {
    snapshot_ = record.snapshot;
    if (record.replaces_log) entries_.clear();
    while (!entries_.empty() && entries_.front().index <= snapshot_->index) entries_.pop_front();
  }
  if (record.entry) {
    while (!entries_.empty() && entries_.back().index >= record.entry->index) entries_.pop_back();
    entries_.push_back(*record.entry);
  }
  if (record.hard_state) hard_state_ = *record.hard_state;
}

raft::Recovered Disk::recover() const { return {hard_state_, *snapshot_, {entries_.begin(), entries_.end()}}; }

raft::Term Disk::term(raft::Index index) const {
  if (index == snapshot_->index) return snapshot_->term;
  if (entries_.empty() || index < entries_.front().index || index > entries_.back().index) return 0;
  return entries_[index - entries_.front().index].term;
}

bool Disk::has(raft::Index index, raft::Term term) const {
  return index < snapshot_->index || this->term(index) == term;
}

}  // namespace ordeal::log::sim
