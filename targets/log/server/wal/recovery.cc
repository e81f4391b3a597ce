#include "targets/log/server/wal/recovery.h"

#include <algorithm>
#include <cerrno>

#include "base/text.h"
#include "targets/log/server/wal/snapshot_file.h"

namespace ordeal::log::wal {
namespace {

tl::unexpected<Error> refused(const std::string& path, std::optional<std::uint64_t> offset, const std::string& what) {
  const std::string place = offset ? path + ", offset " + std::to_string(*offset) : path;
  return fail(ErrorCode::input, place + ": " + what + kAdvice);
}

class Recoverer {
 public:
  Recoverer(FileSystem& files, const StorageOptions& options) : files_(files), options_(options) {}

  Result<RecoveredLog> run() {
    for (const auto step : {&Recoverer::read_names, &Recoverer::read_mark, &Recoverer::read_segments,
                            &Recoverer::hold_against_mark, &Recoverer::read_snapshots, &Recoverer::join}) {
      if (const auto done = (this->*step)(); !done) return fail(done.error());
      if (out_.found.fresh && step == &Recoverer::read_segments) break;
    }
    return std::move(out_);
  }

 private:
  void remark(const std::string& text) { out_.found.remarks.push_back(text); }

  Result<std::vector<std::string>> names_in(const std::string& directory) {
    auto names = files_.list(directory);
    if (!names && names.error().number == ENOENT) return std::vector<std::string>{};
    if (!names) return fail(as_error(names.error()));
    for (const std::string& name : *names) {
      if (name.ends_with(".tmp")) out_.remove.push_back(directory + '/' + name);
    }
    return *names;
  }

  Result<void> read_names() {
    const auto logs = names_in(wal_directory(options_));
    if (!logs) return fail(logs.error());
    for (const std::string& name : *logs) {
      if (const auto number = segment_number(name)) segments_.push_back(*number);
      if (name == "mark") mark_there_ = true;
    }
    const auto snapshots = names_in(snapshot_directory(options_));
    if (!snapshots) return fail(snapshots.error());
    for (const std::string& name : *snapshots) {
      if (snapshot_index(name)) snapshots_.push_back(name);
    }
    return {};
  }

  Result<void> read_mark() {
    const std::string path = mark_path(options_);
    if (!mark_there_) {
      if (segments_.empty() && snapshots_.empty()) return {};
      return refused(path, std::nullopt, "it is missing, so that nobody knows how far the log was durable");
    }
    const auto bytes = files_.read(path);
    if (!bytes) return fail(as_error(bytes.error()));
    const auto mark = decode_mark_file(*bytes);
    if (!mark) return refused(path, std::nullopt, mark.error().message);
    if (!mark->synced) return refused(path, 0, "its synced slot is damaged");
    if (!mark->latest) remark(path + ", offset 512: the latest slot is damaged; a power loss may do that");
    out_.mark = *mark->synced;
    if (mark->latest && mark->latest->sequence > out_.mark.sequence) out_.mark = *mark->latest;
    return check_owner(path, out_.mark.cluster, out_.mark.node);
  }

  Result<void> check_owner(const std::string& path, const std::string& cluster, raft::NodeId node) const {
    if (cluster != options_.cluster) {
      return refused(path, std::nullopt,
                     "it is of the cluster " + visible_in_line(cluster) + ", this node is of " +
                         visible_in_line(options_.cluster));
    }
    if (options_.node != raft::kNobody && node != options_.node) {
      return refused(path, std::nullopt,
                     "it is of node " + std::to_string(node) + ", this is node " + std::to_string(options_.node) +
                         " (a node with another's memory votes twice)");
    }
    return {};
  }

  Result<void> read_segments() {
    for (std::size_t i = 0; i < segments_.size(); ++i) {
      if (const auto done = read_one(segments_[i], i + 1 == segments_.size()); !done) return done;
    }
    if (!out_.segments.empty()) {
      out_.found.fresh = false;
      return {};
    }
    if (out_.mark.sequence != 0) {
      return refused(wal_directory(options_), std::nullopt,
                     "no segment is there, although batch " + std::to_string(out_.mark.sequence) + " was durable");
    }
    if (!snapshots_.empty()) {
      return refused(wal_directory(options_), std::nullopt, "no segment is there, although there are snapshots");
    }
    return {};
  }

  Result<void> read_one(std::uint64_t number, bool last) {
    const std::string path = segment_path(options_, number);
    const auto bytes = files_.read(path);
    if (!bytes) return fail(as_error(bytes.error()));
    auto contents = read_segment(*bytes);
    const bool unfinished = last && out_.mark.segment < number && (!contents || contents->batches == 0);
    if (unfinished) {
      remark(path + ": it was begun and not finished when the node stopped; it is removed");
      out_.remove.push_back(path);
      return {};
    }
    if (!contents) return refused(path, 0, contents.error().message);
    if (const auto fits = check_order(path, number, contents->header); !fits) return fits;
    if (contents->damage) {
      const Damage& damage = *contents->damage;
      const std::uint64_t lost = bytes->size() - damage.offset;
      if (!last || damage.followed || out_.mark.sequence >= contents->next_sequence) {
        const std::string why = damage.followed ? "intact batches follow"
                                : last          ? "the mark says that it was durable"
                                                : "a later segment follows";
        return refused(path, damage.offset, damage.what + " (no torn tail: " + why + ")");
      }
      remark(path + ", offset " + std::to_string(contents->end) + ": a torn tail of " +
             std::to_string(bytes->size() - contents->end) + " bytes is cut (" + damage.what +
             "); nobody was told that it was durable");
      out_.torn = lost > 0;
    }
    for (Record& record : contents->records) {
      if (const auto done = replay(path, record); !done) return done;
    }
    SegmentInfo info{number, 0, contents->end};
    for (const Record& record : contents->records) {
      if (record.entry) info.max_index = std::max(info.max_index, record.entry->index);
    }
    contents->records.clear();
    const std::uint64_t from = contents->last_batch == kSegmentHeaderBytes ? 0 : contents->last_batch;
    out_.last_batch = bytes->substr(from, contents->end - from);
    out_.segments.push_back(info);
    out_.last = std::move(*contents);
    return {};
  }

  Result<void> check_order(const std::string& path, std::uint64_t number, const SegmentHeader& header) const {
    if (const auto ours = check_owner(path, header.cluster, header.node); !ours) return ours;
    if (header.number != number) {
      return refused(path, 0, "it is segment " + std::to_string(header.number) + " under another's name");
    }
    if (out_.segments.empty()) return {};
    if (number != out_.segments.back().number + 1) {
      return refused(segment_path(options_, out_.segments.back().number + 1), std::nullopt, "the segment is missing");
    }
    if (header.first_sequence != out_.last.next_sequence || header.chain != out_.last.chain) {
      return refused(path, 0,
                     "it does not go on from the segment before it, which ends with batch " +
                         std::to_string(out_.last.next_sequence - 1) + ": records are missing or were changed");
    }
    return {};
  }

  Result<void> replay(const std::string& path, Record& record) {
    std::vector<raft::Entry>& entries = out_.found.entries;
    if (record.hard_state) out_.found.hard_state = *record.hard_state;
    if (record.base) {
      if (!record.base->keep) entries.clear();
      if (record.base->index >= out_.base.index) out_.base = *record.base;
      if (!record.base->keep) dropped_before_ = record.base->index;
    }
    if (!record.entry) return {};
    const raft::Index index = record.entry->index;
    const raft::Index next = entries.empty() ? index : entries.back().index + 1;
    if (index == 0 || index > next) {
      return refused(path, record.offset,
                     "entry " + std::to_string(index) + " where entry " + std::to_string(next) + " was expected");
    }
    if (!entries.empty()) entries.resize(index < entries.front().index ? 0 : index - entries.front().index);
    // What an older log had below its snapshot is of no use when that log went.
    if (index > dropped_before_) entries.push_back(std::move(*record.entry));
    return {};
  }

  Result<void> hold_against_mark() {
    const std::uint64_t last = out_.last.next_sequence - 1;
    const std::string path = segment_path(options_, out_.segments.back().number);
    if (out_.mark.sequence > last) {
      return refused(path, out_.last.end,
                     "the log ends with batch " + std::to_string(last) + ", but the mark says that batch " +
                         std::to_string(out_.mark.sequence) + " (up to entry " + std::to_string(out_.mark.last_index) +
                         ") was durable: its tail was cut");
    }
    if (out_.mark.sequence == last && out_.mark.chain != out_.last.chain) {
      return refused(path, out_.last.last_batch, "batch " + std::to_string(last) + " is not the one that was durable");
    }
    return {};
  }

  Result<void> read_snapshots() {
    for (auto name = snapshots_.rbegin(); name != snapshots_.rend(); ++name) {
      const std::string path = snapshot_directory(options_) + '/' + *name;
      const auto bytes = files_.read(path);
      if (!bytes) return fail(as_error(bytes.error()));
      auto file = decode_snapshot(*bytes);
      if (!file) {
        const std::string place = path + ", offset " + std::to_string(file.error().offset) + ": " + file.error().what;
        damage_ += damage_.empty() ? place : "; " + place;
        out_.damaged.push_back(path);
        continue;
      }
      if (file->cluster != options_.cluster) return check_owner(path, file->cluster, options_.node);
      if (snapshot_name(file->snapshot.index) != *name) {
        return refused(path, 0,
                       "it is the snapshot of entry " + std::to_string(file->snapshot.index) + " under another's name");
      }
      out_.snapshots.insert(out_.snapshots.begin(), file->snapshot.index);
      if (!out_.found.snapshot) out_.found.snapshot = std::move(file->snapshot);
    }
    return {};
  }

  // Holds snapshot and log against each other.
  Result<void> join() {
    std::vector<raft::Entry>& entries = out_.found.entries;
    const auto& snapshot = out_.found.snapshot;
    const raft::Index from = snapshot ? snapshot->index : 0;
    if (snapshot && from > out_.base.index) {
      // The node stopped between the snapshot and its record; or it is the very first one.
      out_.base = {from, snapshot->term, has_entry(from, snapshot->term)};
      out_.base_written = false;
      if (!out_.base.keep) entries.clear();
    }
    if (snapshot && from == out_.base.index && snapshot->term != out_.base.term && out_.base_written && from > 0) {
      return refused(snapshot_directory(options_) + '/' + snapshot_name(from), 0,
                     "it is of term " + std::to_string(snapshot->term) + ", but the log goes on from one of term " +
                         std::to_string(out_.base.term));
    }
    const std::string wanted = snapshot_directory(options_) + '/' + snapshot_name(out_.base.index);
    const bool covered =
        !entries.empty() && entries.front().index <= from + 1 && entries.back().index >= out_.base.index;
    if (from < out_.base.index && !covered) {
      if (!damage_.empty()) return fail(ErrorCode::input, damage_ + "; the log begins after it" + kAdvice);
      return refused(wanted, std::nullopt, "the snapshot is missing, and the log begins after it");
    }
    if (!entries.empty() && entries.front().index > from + 1) {
      return refused(segment_path(options_, out_.segments.front().number), std::nullopt,
                     "entries " + std::to_string(from + 1) + " to " + std::to_string(entries.front().index - 1) +
                         " are in no segment" + (damage_.empty() ? "" : "; " + damage_));
    }
    if (from < out_.base.index) {
      remark((damage_.empty() ? wanted + ": the snapshot is missing" : damage_) + "; the log from entry " +
             std::to_string(from + 1) + " on replaces it");
    } else if (!damage_.empty()) {
      remark(damage_ + "; a newer snapshot is there");
    }
    const auto covered_by_snapshot = [&](const raft::Entry& entry) { return entry.index <= from; };
    entries.erase(entries.begin(), std::find_if_not(entries.begin(), entries.end(), covered_by_snapshot));
    out_.found.hard_state.commit = std::max(out_.found.hard_state.commit, from);
    return {};
  }

  [[nodiscard]] bool has_entry(raft::Index index, raft::Term term) const {
    const auto same = [&](const raft::Entry& entry) { return entry.index == index && entry.term == term; };
    return index == 0 || std::any_of(out_.found.entries.begin(), out_.found.entries.end(), same);
  }

  FileSystem& files_;
  const StorageOptions& options_;
  RecoveredLog out_;
  std::vector<std::uint64_t> segments_;
  std::vector<std::string> snapshots_;
  bool mark_there_ = false;
  raft::Index dropped_before_ = 0;
  std::string damage_;  // of snapshots
};

}  // namespace

Error as_error(const IoError& error) {
  if (error.number == EACCES || error.number == EPERM) return {ErrorCode::permission, error.what};
  if (error.number == ENOENT) return {ErrorCode::not_found, error.what};
  return {ErrorCode::io, error.what};
}

Result<RecoveredLog> recover(FileSystem& files, const StorageOptions& options) {
  return Recoverer(files, options).run();
}

Result<Recovery> inspect(FileSystem& files, const StorageOptions& options) {
  auto log = recover(files, options);
  if (!log) return fail(log.error());
  return std::move(log->found);
}

}  // namespace ordeal::log::wal
