// Replication [O 3.5, 3.6, 10.2]: entries go out pipelined and batched while the leader's own disk still writes.

#include <algorithm>

#include "targets/log/server/raft/codec.h"
#include "targets/log/server/raft/core.h"

namespace ordeal::log::raft {

Proposed Core::propose(std::string data) {
  if (role_ != Role::leader) return {Refusal::not_leader};
  if (transfer_target_ != kNobody) return {Refusal::transferring};
  if (data.size() > options_.max_entry_bytes) return {Refusal::too_large};
  if (uncommitted_bytes_ + data.size() > options_.max_uncommitted_bytes) return {Refusal::busy};
  const Index index = append(EntryKind::command, std::move(data));
  return {Refusal::none, term_, index};
}

// Leader: one entry at the end. It goes out with the next output.
Index Core::append(EntryKind kind, std::string data) {
  uncommitted_bytes_ += data.size();
  const Index index = log_.last() + 1;
  log_.append({term_, index, kind, std::move(data)});
  return index;
}

// ---- Leader to follower ----

void Core::replicate() {
  for (auto& [id, progress] : peers_) replicate_to(id, progress);
}

void Core::replicate_to(NodeId peer, Progress& progress) {
  if (progress.flow != Flow::snapshot && progress.next <= log_.base()) begin_snapshot(progress);
  switch (progress.flow) {
    case Flow::snapshot:
      if (!progress.chunk_out && progress.active) send_chunk(peer, progress);
      return;
    case Flow::probe:
      if (!progress.probing) send_append(peer, progress, false);
      progress.probing = true;
      return;
    case Flow::replicate:
      while (progress.next <= log_.last() && progress.inflight.size() < options_.max_inflight) {
        send_append(peer, progress, false);
      }
      if (progress.next > log_.last() && progress.commit_sent < commit_) send_append(peer, progress, true);
      return;
  }
}

void Core::send_append(NodeId peer, Progress& progress, bool empty) {
  Message request = to(peer, MessageKind::append_request);
  request.index = progress.next - 1;
  request.log_term = log_.term(request.index);
  request.commit = commit_;
  progress.commit_sent = commit_;
  if (!empty) {
    request.entries = log_.copy(progress.next, log_.last(), options_.max_append_entries, options_.max_append_bytes);
  }
  if (!request.entries.empty() && progress.flow == Flow::replicate) {
    progress.next = request.entries.back().index + 1;
    progress.inflight.push_back(request.entries.back().index);
  }
  send(std::move(request));
}

void Core::on_append_response(const Message& message) {
  Progress& progress = peers_.at(message.from);
  if (message.index > log_.last()) {
    ++refused_;
    return;
  }
  if (message.granted) {
    acknowledge(message.from, message.index);
    return;
  }
  if (progress.flow == Flow::snapshot || message.rejected <= progress.match) return;  // an old answer
  if (progress.flow == Flow::probe && message.rejected != progress.next - 1) return;
  // The logs agree at most up to where the follower points, and there up to the last entry of ours that is no newer.
  const Index agree = log_.last_at_most(message.index, message.log_term);
  progress.flow = Flow::probe;
  progress.probing = false;
  progress.inflight.clear();
  progress.next = std::clamp(agree + 1, progress.match + 1, std::max(message.rejected, progress.match + 1));
}

// The peer has everything up to here, durably.
void Core::acknowledge(NodeId peer, Index index) {
  Progress& progress = peers_.at(peer);
  progress.match = std::max(progress.match, index);
  progress.next = std::max(progress.next, progress.match + 1);
  while (!progress.inflight.empty() && progress.inflight.front() <= index) progress.inflight.pop_front();
  if (progress.flow == Flow::probe) {
    progress.flow = Flow::replicate;
    progress.next = progress.match + 1;
    progress.probing = false;
  } else if (progress.flow == Flow::snapshot && progress.match >= progress.snapshot->index) {
    progress.flow = Flow::replicate;
    progress.snapshot.reset();
    progress.chunk_out = false;
    progress.next = progress.match + 1;
  }
  advance_commit();
  if (role_ == Role::leader) continue_transfer();
}

Index Core::match_of(NodeId id) const {
  if (id == options_.id) return bug(Bug::leader_counts_unwritten) ? log_.last() : durable_;
  const auto peer = peers_.find(id);
  return peer == peers_.end() ? 0 : peer->second.match;
}

// An entry is committed when a quorum has it and it is of this term; with it, all before it [O 3.6.2].
void Core::advance_commit() {
  Index reached = quorum_reached(configuration(), [this](NodeId id) { return match_of(id); });
  if (bug(Bug::commit_before_quorum)) reached = durable_;
  if (bug(Bug::commit_off_by_one) && reached > commit_) reached = std::min(reached + 1, log_.last());
  if (reached <= commit_) return;
  if (log_.term(reached) != term_ && !bug(Bug::older_terms_committed)) return;
  commit_to(reached);
  after_commit();
}

void Core::commit_to(Index index) {
  if (index <= commit_) return;
  if (role_ == Role::leader) {
    for (Index i = commit_ + 1; i <= index; ++i) {
      uncommitted_bytes_ -= std::min(uncommitted_bytes_, log_.at(i)->data.size());
    }
  }
  commit_ = index;
}

// ---- Follower ----

void Core::on_append_request(Message& message) {
  Message answer = to(message.from, MessageKind::append_response);
  if (message.index < commit_) {  // an old one: what is committed needs no comparison
    answer.granted = true;
    answer.index = commit_;
    send_when_durable(std::move(answer), Wait::everything);
    return;
  }
  const bool agrees =
      bug(Bug::previous_not_compared) ? message.index <= log_.last() : log_.term(message.index) == message.log_term;
  if (!agrees || message.index > log_.last()) {
    const Index agree = log_.last_at_most(std::min(message.index, log_.last()), message.log_term);
    answer.rejected = message.index;
    answer.index = agree;
    answer.log_term = log_.term(agree);
    send_when_durable(std::move(answer), Wait::hard_state);
    return;
  }
  const Index last = message.index + message.entries.size();
  const Index leader_commit = message.commit;
  const std::uint64_t refused_before = refused_;
  take_entries(message);
  if (refused_ != refused_before) return;
  commit_to(std::min(leader_commit, last));
  answer.granted = true;
  answer.index = last;
  send_when_durable(std::move(answer), Wait::everything);
}

// Keeps what is there already: a message that comes late must not cut off what came after it. Only a conflict does
// [O 3.5].
void Core::take_entries(Message& message) {
  if (bug(Bug::late_append_truncates) && message.index < log_.last()) truncate_from(message.index + 1);
  for (Entry& entry : message.entries) {
    if (entry.index <= log_.last()) {
      if (log_.term(entry.index) == entry.term || bug(Bug::conflict_not_truncated)) continue;
      if (entry.index <= commit_) {  // no correct leader contradicts what is committed
        ++refused_;
        return;
      }
      truncate_from(entry.index);
    }
    if (entry.kind == EntryKind::configuration) {
      configuration_appended(entry.index, decode_configuration(entry.data).value());
    }
    log_.append(std::move(entry));
  }
}

void Core::truncate_from(Index index) {
  log_.truncate_from(index);
  unwritten_ = std::min(unwritten_, index);
  durable_ = std::min(durable_, index - 1);
  for (Write& write : writes_) write.last = std::min(write.last, index - 1);
  if (bug(Bug::configuration_not_reverted)) return;
  while (configurations_.size() > 1 && configuration_index() >= index) configurations_.pop_back();
}

}  // namespace ordeal::log::raft
