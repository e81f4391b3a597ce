// Snapshots [O 5]: taken by the caller, sent in chunks, one in flight to a peer.

#include <algorithm>

#include "targets/log/server/raft/core.h"

namespace ordeal::log::raft {

Snapshot Core::make_snapshot(Index index, std::string state) const {
  ORDEAL_CHECK(index >= snapshot_->index && index <= applied_,
               "a snapshot of what is not applied, or older than the last one");
  Snapshot snapshot;
  snapshot.index = index;
  snapshot.term = log_.term(index);
  for (const auto& [at, configuration] : configurations_) {
    if (at <= index) snapshot.configuration = configuration;
  }
  snapshot.state = std::move(state);
  return snapshot;
}

void Core::compact(std::shared_ptr<const Snapshot> snapshot, Index first_kept) {
  if (snapshot->index <= snapshot_->index) return;  // a leader's snapshot came in between
  snapshot_ = std::move(snapshot);
  const Index drop = std::min(snapshot_->index, first_kept == 0 ? 0 : first_kept - 1);
  if (drop > log_.base()) log_.drop_to(drop);
  const auto later = std::find_if(configurations_.begin(), configurations_.end(),
                                  [&](const auto& entry) { return entry.first > snapshot_->index; });
  if (later - configurations_.begin() > 1) configurations_.erase(configurations_.begin(), later - 1);
}

// ---- Leader ----

void Core::begin_snapshot(Progress& progress) {
  progress.flow = Flow::snapshot;
  progress.snapshot = snapshot_;
  progress.snapshot_offset = 0;
  progress.chunk_out = false;
  progress.probing = false;
  progress.inflight.clear();
}

void Core::send_chunk(NodeId peer, Progress& progress) {
  const Snapshot& snapshot = *progress.snapshot;
  Message chunk = to(peer, MessageKind::snapshot_chunk);
  chunk.index = snapshot.index;
  chunk.log_term = snapshot.term;
  chunk.configuration = snapshot.configuration;
  chunk.total = snapshot.state.size();
  chunk.offset = progress.snapshot_offset;
  chunk.data = snapshot.state.substr(progress.snapshot_offset, options_.snapshot_chunk_bytes);
  progress.chunk_out = true;
  progress.chunk_at = now_;
  send(std::move(chunk));
}

// The peer says up to where it has the snapshot; after it restarted that is less than before. What it says of the whole
// snapshot is another answer: an append_response, once it is durable.
void Core::on_snapshot_response(const Message& message) {
  Progress& progress = peers_.at(message.from);
  if (progress.flow != Flow::snapshot || message.index != progress.snapshot->index) return;
  const std::uint64_t total = progress.snapshot->state.size();
  if (message.offset > total) {
    ++refused_;
    return;
  }
  const bool news = message.offset != progress.snapshot_offset;
  progress.snapshot_offset = message.offset;
  if (news && message.offset < total) progress.chunk_out = false;
}

// ---- Follower ----

// Pieces belong together when the same leader sent them in the same term: another leader's snapshot of the same index
// may have other bytes.
void Core::on_snapshot_chunk(Message& message) {
  if (message.index <= commit_ && !bug(Bug::old_snapshot_installed)) {
    Message answer = to(message.from, MessageKind::append_response);
    answer.granted = true;
    answer.index = commit_;
    send_when_durable(std::move(answer), Wait::everything);
    return;
  }
  Assembly& assembly = assembly_;
  const bool same_sender =
      (assembly.from == message.from && assembly.term == message.term) || bug(Bug::snapshot_pieces_mixed);
  const bool same = same_sender && assembly.snapshot.index == message.index &&
                    (assembly.snapshot.term == message.log_term) && assembly.total == message.total;
  if (!same) {
    assembly = {
        message.from, message.term, {message.index, message.log_term, message.configuration, {}}, message.total};
  }
  if (message.offset == assembly.snapshot.state.size()) assembly.snapshot.state += message.data;
  Message answer = to(message.from, MessageKind::snapshot_response);
  answer.index = message.index;
  answer.offset = assembly.snapshot.state.size();
  send(std::move(answer));
  if (assembly.snapshot.state.size() == assembly.total) install(std::exchange(assembly, {}).snapshot);
}

void Core::install(Snapshot snapshot) {
  const Index index = snapshot.index;
  if (log_.term(index) == snapshot.term && !bug(Bug::old_snapshot_installed)) {
    commit_to(index);  // everything is here: what follows it may be acknowledged already, and stays
  } else {
    log_.reset(index, snapshot.term);
    configurations_.assign(1, {index, snapshot.configuration});
    commit_ = index;
    unwritten_ = index + 1;
    durable_ = 0;
    for (Write& write : writes_) write.last = 0;
    delivered_ = applied_ = index;
    snapshot_ = std::make_shared<const Snapshot>(std::move(snapshot));
    unwritten_snapshot_ = snapshot_;
  }
  Message answer = to(leader_, MessageKind::append_response);
  answer.granted = true;
  answer.index = index;
  send_when_durable(std::move(answer), Wait::everything);
}

}  // namespace ordeal::log::raft
