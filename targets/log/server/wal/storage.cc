#include "targets/log/server/wal/storage.h"

#include <algorithm>
#include <cerrno>

#include "targets/log/server/bugs.h"
#include "targets/log/server/wal/bytes.h"
#include "targets/log/server/wal/recovery.h"
#include "targets/log/server/wal/snapshot_file.h"

namespace ordeal::log::wal {

const char* name(Health health) {
  switch (health) {
    case Health::ok:
      return "ok";
    case Health::full:
      return "full";
    case Health::failed:
      break;
  }
  return "failed";
}

class Storage::Impl {
 public:
  Impl(FileSystem& files, StorageOptions options) : files_(files), options_(std::move(options)) {}

  Result<void> open(Recovery& found) {
    if (const auto made = make_directories(); !made) return fail(as_error(made.error()));
    auto log = recover(files_, options_);
    if (!log) return fail(log.error());
    const auto begun = log->found.fresh ? begin_anew(*log) : go_on(*log);
    if (!begun) return fail(as_error(begun.error()));
    hard_state_ = log->found.hard_state;
    found = std::move(log->found);
    return {};
  }

  void append(std::span<const raft::Entry> entries) {
    for (const raft::Entry& entry : entries) {
      if (entry.index <= base_.index) continue;  // the snapshot has it
      ORDEAL_CHECK(entry.index <= last_index() + 1, "entries follow on those that are there");
      terms_.resize(entry.index - base_.index - 1);
      terms_.push_back(entry.term);
      pending_.add(entry);
      pending_max_index_ = std::max(pending_max_index_, entry.index);
    }
  }

  void set_hard_state(const raft::HardState& state) {
    if (state == hard_state_) return;
    hard_state_ = state;
    hard_state_pending_ = true;
  }

  Result<void> sync() {
    if (health_ == Health::failed) return fail(ErrorCode::io, trouble_);
    if (hard_state_pending_) pending_.add(hard_state_);
    hard_state_pending_ = false;
    if (!pending_.empty()) {
      if (const auto written = write_pending(); !written) return trouble(written.error());
    }
    health_ = Health::ok;
    trouble_.clear();
    if (end_ < options_.segment_bytes) return {};
    const auto rotated = rotate();
    // Without room for a new segment the old one goes on growing, as long as it can.
    if (!rotated && !rotated.error().no_room()) return trouble(rotated.error());
    return {};
  }

  Result<void> save_snapshot(const raft::Snapshot& snapshot) {
    if (!snapshots_.empty() && snapshot.index <= snapshots_.back()) return {};
    if (const auto synced = sync(); !synced) return synced;
    const std::string path = snapshot_directory(options_) + '/' + snapshot_name(snapshot.index);
    if (const auto saved = replace_file(files_, path, encode_snapshot(options_.cluster, snapshot)); !saved) {
      return trouble(saved.error());
    }
    snapshots_.push_back(snapshot.index);
    const LogBase base{snapshot.index, snapshot.term, term_at(snapshot.index) == snapshot.term};
    set_base(base);
    pending_.add(base);
    if (const auto written = write_pending(); !written) return trouble(written.error());
    // What the snapshot covers goes also when there is no room for a new segment: that makes room.
    const auto rotated = rotate();
    if (!rotated && !rotated.error().no_room()) return trouble(rotated.error());
    remove_old();
    return {};
  }

  Result<void> close() {
    if (const auto synced = sync(); !synced) return synced;
    if (const auto marked = sync_mark(); !marked) return trouble(marked.error());
    return {};
  }

  [[nodiscard]] std::size_t unsynced_bytes() const { return pending_.bytes() + (hard_state_pending_ ? 64 : 0); }
  [[nodiscard]] Health health() const { return health_; }
  [[nodiscard]] const std::string& trouble_text() const { return trouble_; }
  [[nodiscard]] raft::Index last_index() const { return base_.index + terms_.size(); }
  [[nodiscard]] std::uint64_t log_bytes() const {
    std::uint64_t bytes = end_;
    for (std::size_t i = 0; i + 1 < segments_.size(); ++i) bytes += segments_[i].bytes;
    return bytes;
  }

 private:
  // Remembers what went wrong: for good, unless there was just no room.
  tl::unexpected<Error> trouble(const IoError& error) {
    health_ = error.no_room() && !undo_failed_ ? Health::full : Health::failed;
    trouble_ =
        health_ == Health::full
            ? error.what + ": nothing is lost and nothing was acknowledged; the node goes on when there is room"
            : error.what + ": nobody knows what is on the disk; the node has to stop, and recovers when it starts";
    return fail(ErrorCode::io, trouble_);
  }

  IoResult<void> make_directories() {
    for (const std::string& path : {options_.directory, wal_directory(options_), snapshot_directory(options_)}) {
      if (auto made = files_.make_directory(path); !made) return made;
    }
    return files_.sync_directory(options_.directory);
  }

  IoResult<void> begin_anew(const RecoveredLog& log) {
    for (const std::string& path : log.remove) {
      if (auto removed = files_.remove(path); !removed) return removed;
    }
    const std::string slot = encode_mark_slot(mark());
    if (auto made = replace_file(files_, mark_path(options_), slot + slot); !made) return made;
    if (auto opened = open_mark(); !opened) return opened;
    return rotate();
  }

  IoResult<void> go_on(RecoveredLog& log) {
    for (const std::string& path : log.remove) {
      if (auto removed = files_.remove(path); !removed) return removed;
    }
    for (const std::string& path : log.damaged) {
      if (auto renamed = files_.rename(path, path + ".damaged"); !renamed) return renamed;
    }
    segments_ = log.segments;
    snapshots_ = log.snapshots;
    base_ = {log.found.snapshot ? log.found.snapshot->index : 0, log.found.snapshot ? log.found.snapshot->term : 0,
             true};
    for (const raft::Entry& entry : log.found.entries) terms_.push_back(entry.term);
    end_ = log.last.end;
    next_sequence_ = log.last.next_sequence;
    salt_ = log.last.header.salt;
    pending_ = BatchWriter(log.last.chain);
    auto file = files_.open(segment_path(options_, segments_.back().number), OpenMode::existing);
    if (!file) return tl::unexpected(file.error());
    file_ = std::move(*file);
    if (log.torn) {
      if (auto cut = file_->truncate(end_); !cut) return cut;
    }
    // The process before may have written the last batch and died before its sync, or after one that failed. Written
    // again its pages are dirty again, so that this sync says something of them.
    if (auto written = file_->write_at(end_ - log.last_batch.size(), log.last_batch); !written) return written;
    if (auto synced = file_->sync(); !synced) return synced;
    for (const std::string& path : {wal_directory(options_), snapshot_directory(options_)}) {
      if (auto synced = files_.sync_directory(path); !synced) return synced;
    }
    if (auto opened = open_mark(); !opened) return opened;
    if (auto marked = sync_mark(); !marked) return marked;
    if (log.base_written) return {};
    pending_.add(log.base);
    auto written = write_pending();
    if (written || !written.error().no_room() || undo_failed_) return written;
    (void)trouble(written.error());  // a full disk keeps no node from starting
    return {};
  }

  IoResult<void> open_mark() {
    auto file = files_.open(mark_path(options_), OpenMode::existing);
    if (!file) return tl::unexpected(file.error());
    mark_file_ = std::move(*file);
    return {};
  }

  [[nodiscard]] Mark mark() const {
    return {options_.cluster,   options_.node,    segments_.empty() ? 0 : segments_.back().number,
            next_sequence_ - 1, pending_.chain(), last_index()};
  }

  IoResult<void> sync_mark() {
    const std::string slot = encode_mark_slot(mark());
    if (auto written = mark_file_->write_at(0, slot + slot); !written) return written;
    return mark_file_->sync();
  }

  // One batch, one sync. What there was no room for stays pending.
  IoResult<void> write_pending() {
    const std::string batch = pending_.finish(next_sequence_, salt_);
    auto written = file_->write_at(end_, batch);
    if (written && !bug(Bug::batch_not_synced)) {
      written = file_->sync();
      if (!written && bug(Bug::fsync_error_ignored)) written = {};
    }
    if (!written) {
      if (!written.error().no_room()) return written;
      if (auto undone = file_->truncate(end_); !undone) {
        undo_failed_ = true;
        return undone;
      }
      if (!bug(Bug::full_disk_acknowledged)) return written;
      pending_ = BatchWriter(chain_);
      return {};
    }
    end_ += batch.size();
    batch_written();
    return mark_file_->write_at(kMarkSlotBytes, encode_mark_slot(mark()));
  }

  void batch_written() {
    SegmentInfo& segment = segments_.back();
    segment.bytes = end_;
    segment.max_index = std::max(segment.max_index, pending_max_index_);
    pending_max_index_ = 0;
    ++next_sequence_;
    chain_ = pending_.chain();
    pending_ = BatchWriter(chain_);
  }

  // A new segment, which begins with all that the older ones would be needed for once a snapshot is there. Requires:
  // nothing is pending.
  IoResult<void> rotate() {
    const std::uint64_t number = segments_.empty() ? 1 : segments_.back().number + 1;
    const std::string path = segment_path(options_, number);
    BatchWriter first(pending_.chain());
    if (!bug(Bug::hard_state_cut_with_log)) first.add(hard_state_);
    first.add(LogBase{base_.index, base_.term, true});
    const std::string bytes = encode_segment_header({options_.cluster, options_.node, number, next_sequence_,
                                                     options_.salt, pending_.chain()}) +
                              first.finish(next_sequence_, options_.salt);
    auto file = files_.open(path, OpenMode::create);
    if (!file) return tl::unexpected(file.error());
    auto written = (*file)->write_at(0, bytes);
    if (written) written = (*file)->sync();
    if (written && !bug(Bug::directory_not_synced)) written = files_.sync_directory(wal_directory(options_));
    if (!written) {
      // The log goes on in the old segment. Were this one to come back after a power loss, it would seem to follow on
      // it.
      const bool gone = files_.remove(path) && files_.sync_directory(wal_directory(options_));
      undo_failed_ = undo_failed_ || !gone;
      return written;
    }
    file_ = std::move(*file);
    segments_.push_back({number, 0, bytes.size()});
    end_ = bytes.size();
    salt_ = options_.salt;
    pending_ = first;
    batch_written();
    return sync_mark();
  }

  [[nodiscard]] std::optional<raft::Term> term_at(raft::Index index) const {
    if (index == base_.index) return base_.term;
    if (index < base_.index || index > last_index()) return std::nullopt;
    return terms_[index - base_.index - 1];
  }

  void set_base(const LogBase& base) {
    if (base.keep) {
      terms_.erase(terms_.begin(), terms_.begin() + static_cast<std::ptrdiff_t>(base.index - base_.index));
    } else {
      terms_.clear();
    }
    base_ = base;
  }

  // Snapshots beyond those that are kept, and segments that the oldest of these covers, from the oldest on, so that
  // what a crash leaves is without a gap. What cannot be removed now is when the next snapshot comes.
  void remove_old() {
    while (snapshots_.size() > std::max<std::size_t>(1, options_.kept_snapshots)) {
      if (!files_.remove(snapshot_directory(options_) + '/' + snapshot_name(snapshots_.front()))) return;
      snapshots_.erase(snapshots_.begin());
    }
    while (segments_.size() > 1 && segments_.front().max_index <= snapshots_.front()) {
      if (!files_.remove(segment_path(options_, segments_.front().number))) return;
      segments_.erase(segments_.begin());
      if (!files_.sync_directory(wal_directory(options_))) return;
    }
  }

  FileSystem& files_;
  StorageOptions options_;
  std::unique_ptr<File> file_;  // the last segment
  std::unique_ptr<File> mark_file_;
  std::vector<SegmentInfo> segments_;
  std::vector<raft::Index> snapshots_;  // ascending
  std::uint64_t end_ = 0;               // of the last segment: where the next batch goes
  std::uint64_t next_sequence_ = 1;
  std::uint64_t salt_ = 0;   // of the last segment
  std::uint32_t chain_ = 0;  // checksum of the last durable record
  BatchWriter pending_{0};
  raft::Index pending_max_index_ = 0;
  raft::HardState hard_state_;
  bool hard_state_pending_ = false;
  LogBase base_;
  std::vector<raft::Term> terms_;  // of the entries after base_.index, synced or not
  bool undo_failed_ = false;
  Health health_ = Health::ok;
  std::string trouble_;
};

Storage::Storage(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Storage::~Storage() = default;

Result<std::unique_ptr<Storage>> Storage::open(FileSystem& files, StorageOptions options, Recovery& found) {
  if (options.cluster.empty() || options.cluster.size() > kMaxCluster || options.node == raft::kNobody) {
    return fail(ErrorCode::usage, "storage needs a cluster's id of 1 to 64 bytes and a node that is not 0");
  }
  auto impl = std::make_unique<Impl>(files, std::move(options));
  if (const auto opened = impl->open(found); !opened) return fail(opened.error());
  return std::unique_ptr<Storage>(new Storage(std::move(impl)));
}

void Storage::append(std::span<const raft::Entry> entries) { impl_->append(entries); }
void Storage::set_hard_state(const raft::HardState& state) { impl_->set_hard_state(state); }
Result<void> Storage::sync() { return impl_->sync(); }
std::size_t Storage::unsynced_bytes() const { return impl_->unsynced_bytes(); }
Result<void> Storage::save_snapshot(const raft::Snapshot& snapshot) { return impl_->save_snapshot(snapshot); }
Result<void> Storage::close() { return impl_->close(); }
Health Storage::health() const { return impl_->health(); }
const std::string& Storage::trouble() const { return impl_->trouble_text(); }
raft::Index Storage::last_index() const { return impl_->last_index(); }
std::uint64_t Storage::log_bytes() const { return impl_->log_bytes(); }

}  // namespace ordeal::log::wal
