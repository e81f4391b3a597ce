#include "tests/targets/log/storage_model.h"

#include <algorithm>
#include <cerrno>

namespace ordeal::log::wal::testing {

void Memory::append(const std::vector<raft::Entry>& more) {
  for (const raft::Entry& entry : more) {
    entries.resize(entry.index - base() - 1);
    entries.push_back(entry);
  }
}

void Memory::install(const raft::Snapshot& taken) {
  const bool known = taken.index == base() || (taken.index > base() && taken.index <= last() &&
                                               entries[taken.index - base() - 1].term == taken.term);
  if (known) {
    entries.erase(entries.begin(), entries.begin() + static_cast<std::ptrdiff_t>(taken.index - base()));
  } else {
    entries.clear();
  }
  snapshot = taken;
}

std::string difference(const Memory& wanted, const Recovery& found) {
  if (found.hard_state.term != wanted.hard_state.term) return "term " + std::to_string(found.hard_state.term);
  if (found.hard_state.vote != wanted.hard_state.vote) return "vote " + std::to_string(found.hard_state.vote);
  const raft::Index from = found.snapshot ? found.snapshot->index : 0;
  if (from > wanted.base()) return "a snapshot at " + std::to_string(from);
  // An older snapshot with the log after it is as good.
  if (from < wanted.base()) return "only the snapshot at " + std::to_string(from);
  if (found.snapshot != wanted.snapshot) return "another snapshot";
  if (found.entries.size() != wanted.entries.size()) return std::to_string(found.entries.size()) + " entries";
  for (std::size_t i = 0; i < found.entries.size(); ++i) {
    if (found.entries[i] != wanted.entries[i]) return "another entry " + std::to_string(found.entries[i].index);
  }
  return "";
}

StorageRun::StorageRun(std::uint64_t seed) : rng_(seed), disk_(Rng(seed).split("disk")) {}

std::string StorageRun::run(int steps) {
  possible_ = {now_};
  if (std::string broken = open(); !broken.empty()) return broken;
  for (int i = 0; i < steps; ++i) {
    if (std::string broken = act(); !broken.empty()) return "step " + std::to_string(i) + ": " + broken;
  }
  return crash();
}

std::string StorageRun::open() {
  Recovery found;
  // Recovery may be interrupted as well.
  if (rng_.chance(0.3)) disk_.stop_at_change(1 + rng_.below(12), rng_.chance(0.5));
  auto opened = Storage::open(disk_, storage_options(), found);
  if (!opened && disk_.broken()) {
    disk_.set_broken(false);
    found = {};
    opened = Storage::open(disk_, storage_options(), found);
  }
  disk_.stop_at_change(0);
  if (!opened) {
    ++refusals_;
    return "recovery refuses: " + opened.error().message;
  }
  storage_ = std::move(*opened);
  ++recoveries_;
  std::string differences;
  for (const Memory& one : possible_) {
    const std::string wrong = difference(one, found);
    if (wrong.empty()) {
      now_ = one;
      possible_ = {now_};
      return "";
    }
    differences += (differences.empty() ? "" : ", ") + wrong;
  }
  return "recovery finds what was never there (" + differences + ")";
}

std::string StorageRun::act() {
  switch (rng_.below(12)) {
    case 0:
      return crash();
    case 1:
      return snapshot(rng_.chance(0.3));
    case 2:
      failing_disk();
      return "";
    default:
      return batch();
  }
}

std::vector<raft::Entry> StorageRun::some_entries() {
  // Now and then a new leader replaces what was not in a snapshot yet.
  raft::Index next = now_.last() + 1;
  if (rng_.chance(0.15) && now_.last() > now_.base()) {
    next = now_.base() + 1 + rng_.below(now_.entries.size());
    ++term_;
  }
  std::vector<raft::Entry> entries;
  for (std::uint64_t n = rng_.below(4); n > 0; --n) {
    std::string data(rng_.chance(0.2) ? rng_.below(1500) : rng_.below(40), '\0');
    for (char& c : data) c = static_cast<char>(rng_.below(256));
    entries.push_back({term_, next++, raft::EntryKind::command, data});
  }
  return entries;
}

std::string StorageRun::batch() {
  for (std::uint64_t requests = 1 + rng_.below(3); requests > 0; --requests) {  // group commit
    const auto entries = some_entries();
    storage_->append(entries);
    now_.append(entries);
    if (rng_.chance(0.3)) {
      term_ += rng_.below(2);
      now_.hard_state = {term_, rng_.below(4), 0};
      storage_->set_hard_state(now_.hard_state);
    }
  }
  possible_.push_back(now_);
  const auto synced = storage_->sync();
  if (synced) {
    possible_ = {now_};
    return "";
  }
  if (storage_->health() == Health::full) {
    make_room();  // nothing may be lost
    const auto again = storage_->sync();
    if (storage_->health() == Health::failed) return crash();
    if (!again) return "no way on after a full disk: " + again.error().message;
    possible_ = {now_};
    return "";
  }
  if (storage_->sync()) return "a failed sync is forgotten";
  return crash();
}

std::string StorageRun::snapshot(bool from_leader) {
  raft::Snapshot taken{now_.last(),
                       now_.entries.empty() ? term_ : now_.entries.back().term,
                       {{1, 2, 3}, {}, {}},
                       "state at " + std::to_string(now_.last()) + std::string(rng_.below(3000), 's')};
  if (from_leader) taken.index += 1 + rng_.below(5);
  if (!from_leader && now_.entries.empty()) return "";
  if (!from_leader && rng_.chance(0.5)) {
    const std::size_t at = rng_.below(now_.entries.size());
    taken.index = now_.entries[at].index;
    taken.term = now_.entries[at].term;
  }
  Memory after = now_;
  after.install(taken);
  possible_.push_back(after);
  const auto saved = storage_->save_snapshot(taken);
  make_room();
  if (storage_->health() == Health::failed) return crash();
  if (!saved) {
    if (storage_->health() != Health::full) return "a snapshot is refused: " + saved.error().message;
    const auto saved_now = storage_->save_snapshot(taken);
    const auto synced = storage_->sync();
    if (storage_->health() == Health::failed) return crash();
    if (!saved_now) return "no snapshot although there is room: " + saved_now.error().message;
    if (!synced) return "no way on after a full disk: " + synced.error().message;
  }
  now_ = after;
  possible_ = {now_};
  return "";
}

void StorageRun::failing_disk() {
  if (rng_.chance(0.5)) {
    disk_.stop_at_change(1 + rng_.below(12), rng_.chance(0.7));
  } else if (rng_.chance(0.6)) {
    disk_.set_capacity(disk_.used() + rng_.below(3000));
  } else {
    sync_error_ = rng_.chance(0.2) ? ENOSPC : EIO;
    disk_.fail_syncs(sync_error_);
  }
}

void StorageRun::make_room() {
  disk_.set_capacity(UINT64_MAX);
  if (sync_error_ == ENOSPC) disk_.fail_syncs(0, 0);
}

// The process dies, or the power goes.
std::string StorageRun::crash() {
  const std::uint64_t how = disk_.broken() ? 1 : rng_.below(4);
  disk_.stop_at_change(0);
  disk_.set_broken(false);
  if (how == 0 && storage_->health() == Health::ok) {
    disk_.set_capacity(UINT64_MAX);
    disk_.fail_syncs(0, 0);
    if (!storage_->close()) return "it cannot be closed";
  }
  storage_.reset();
  disk_.set_capacity(UINT64_MAX);
  disk_.fail_syncs(0, 0);
  if (how >= 2) disk_.cut_power(how == 3);
  return open();
}

}  // namespace ordeal::log::wal::testing
