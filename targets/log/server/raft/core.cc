// Ticks, dispatch of messages, output and the disk.

#include "targets/log/server/raft/core.h"

#include <algorithm>

#include "targets/log/server/raft/codec.h"

namespace ordeal::log::raft {

Core::Core(const Options& options, Recovered recovered, Rng rng) : options_(options), rng_(rng) {
  snapshot_ = std::make_shared<const Snapshot>(std::move(recovered.snapshot));
  log_.reset(snapshot_->index, snapshot_->term);
  configurations_.emplace_back(snapshot_->index, snapshot_->configuration);
  for (Entry& entry : recovered.entries) {
    if (entry.index <= snapshot_->index) continue;
    if (entry.kind == EntryKind::configuration) {
      configurations_.emplace_back(entry.index, decode_configuration(entry.data).value());
    }
    log_.append(std::move(entry));
  }
  // A write may have been torn between its entries and its hard state. Nothing of it was promised to anybody then.
  term_ = std::max(recovered.hard_state.term, log_.last_term());
  vote_ = term_ > recovered.hard_state.term || bug(Bug::vote_forgotten) ? kNobody : recovered.hard_state.vote;
  commit_ = std::clamp(recovered.hard_state.commit, snapshot_->index, log_.last());
  unwritten_ = log_.last() + 1;
  durable_ = log_.last();
  delivered_ = applied_ = snapshot_->index;
  reset_timer();
}

void Core::tick(unsigned count) {
  now_ += count;
  if (role_ != Role::leader) {
    if (now_ - timer_from_ >= timeout_) campaign(false);
    return;
  }
  if (transfer_target_ != kNobody && now_ >= transfer_until_) transfer_target_ = kNobody;
  if (options_.check_quorum && now_ - quorum_check_at_ >= options_.election_ticks_max) {
    quorum_check_at_ = now_;
    const auto active = [&](NodeId id) { return id == options_.id || (peers_.contains(id) && peers_[id].active); };
    if (!is_quorum(configuration(), active)) {
      become_follower(term_, kNobody);
      return;
    }
    for (auto& [id, progress] : peers_) progress.active = false;
  }
  if (now_ - heartbeat_at_ >= options_.heartbeat_ticks) send_heartbeats();
  for (auto& [id, progress] : peers_) {  // a chunk or its answer was lost
    if (progress.chunk_out && now_ - progress.chunk_at >= options_.election_ticks) progress.chunk_out = false;
  }
}

// Whether a correct peer can have sent this. What depends on the role is seen to where the message is handled.
bool Core::plausible(const Message& m) const {
  const auto number_in_range = [](std::uint64_t value) { return value <= kMaxTerm; };
  if (m.to != options_.id || m.from == options_.id || m.from == kNobody) return false;
  if (m.term == 0 || !number_in_range(m.term) || !number_in_range(m.index) || m.log_term > m.term) return false;
  switch (m.kind) {
    case MessageKind::append_request:
      return plausible_entries(m);
    case MessageKind::snapshot_chunk: {
      const std::size_t members = others(m.configuration, kNobody).size();
      return m.index > 0 && m.log_term > 0 && m.total <= options_.max_snapshot_bytes && m.offset <= m.total &&
             m.data.size() <= m.total - m.offset && !m.configuration.voters.empty() &&
             members <= 2 * options_.max_members;
    }
    case MessageKind::pre_vote_request:
    case MessageKind::pre_vote_response:
    case MessageKind::vote_request:
    case MessageKind::vote_response:
    case MessageKind::append_response:
    case MessageKind::heartbeat:
    case MessageKind::heartbeat_response:
    case MessageKind::snapshot_response:
    case MessageKind::timeout_now:
      return true;
  }
  return false;
}

bool Core::plausible_entries(const Message& m) const {
  Index index = m.index;
  Term term = m.log_term;
  for (const Entry& entry : m.entries) {
    if (entry.index != ++index || entry.term < term || entry.term == 0 || entry.term > m.term) return false;
    if (entry.data.size() > options_.max_entry_bytes) return false;
    if (entry.kind == EntryKind::configuration) {
      const Result<Configuration> configuration = decode_configuration(entry.data);
      if (!configuration || configuration->voters.empty() ||
          others(*configuration, kNobody).size() > 2 * options_.max_members) {
        return false;
      }
    }
    term = entry.term;
  }
  return true;
}

void Core::step(Message message) {
  if (!plausible(message)) {
    ++refused_;
    return;
  }
  const bool asks = message.kind == MessageKind::vote_request || message.kind == MessageKind::pre_vote_request;
  // A voter that hears of its leader is not for sale [O 4.2.3]; nor is one that may have promised a lease before it
  // restarted.
  if (asks && message.term > term_ && !message.forced && heeds_leader()) return;
  if (message.term > term_) {
    step_higher_term(message);
  } else if (message.term < term_) {
    step_lower_term(message);
    return;
  }
  dispatch(message);
}

void Core::step_higher_term(const Message& message) {
  if (message.kind == MessageKind::pre_vote_request) return;                      // a question, not a term
  if (message.kind == MessageKind::pre_vote_response && message.granted) return;  // the term that was asked for
  become_follower(message.term, kNobody);  // a leader makes itself known in follow()
}

// The sender is behind. A leader or candidate must hear of it: with pre-vote and check-quorum nobody else tells it, and
// a node whose term is higher than the leader's would be deaf for ever.
void Core::step_lower_term(const Message& message) {
  switch (message.kind) {
    case MessageKind::append_request:
    case MessageKind::heartbeat:
    case MessageKind::snapshot_chunk: {
      if (bug(Bug::stale_leader_ignored)) return;
      Message answer = to(message.from, MessageKind::append_response);
      answer.rejected = message.index;
      send_when_durable(std::move(answer), Wait::hard_state);
      return;
    }
    case MessageKind::pre_vote_request:
      send_when_durable(to(message.from, MessageKind::pre_vote_response), Wait::hard_state);
      return;
    case MessageKind::vote_request:
      send_when_durable(to(message.from, MessageKind::vote_response), Wait::hard_state);
      return;
    default:
      return;
  }
}

void Core::dispatch(Message& message) {
  switch (message.kind) {
    case MessageKind::pre_vote_request:
      return on_pre_vote_request(message);
    case MessageKind::vote_request:
      return on_vote_request(message);
    case MessageKind::pre_vote_response:
    case MessageKind::vote_response:
      return on_vote_response(message);
    case MessageKind::append_request:
      if (follow(message)) on_append_request(message);
      return;
    case MessageKind::heartbeat:
      if (follow(message)) on_heartbeat(message);
      return;
    case MessageKind::snapshot_chunk:
      if (follow(message)) on_snapshot_chunk(message);
      return;
    case MessageKind::timeout_now:
      return on_timeout_now(message);
    case MessageKind::append_response:
    case MessageKind::heartbeat_response:
    case MessageKind::snapshot_response:
      break;
  }
  const auto peer = peers_.find(message.from);
  if (role_ != Role::leader || peer == peers_.end()) return;  // of an earlier term or a former member
  peer->second.active = true;
  if (message.kind == MessageKind::append_response) on_append_response(message);
  if (message.kind == MessageKind::heartbeat_response) on_heartbeat_response(message);
  if (message.kind == MessageKind::snapshot_response) on_snapshot_response(message);
}

Message Core::to(NodeId peer, MessageKind kind) const {
  Message message;
  message.kind = kind;
  message.from = options_.id;
  message.to = peer;
  message.term = term_;
  return message;
}

Output Core::take_output() {
  Output out;
  if (role_ == Role::leader) {
    start_reads();
    replicate();
  }
  issue_write(out);
  release(out);
  deliver(out);
  out.reads = std::exchange(ready_reads_, {});
  out.lost_reads = std::exchange(lost_reads_, {});
  return out;
}

void Core::issue_write(Output& out) {
  const bool entries = unwritten_ <= log_.last();
  if (!hard_state_dirty_ && !entries && !unwritten_snapshot_) return;
  out.write = ++written_;
  out.snapshot = std::exchange(unwritten_snapshot_, nullptr);
  if (entries) out.entries = log_.copy(unwritten_, log_.last(), log_.last(), static_cast<std::size_t>(-1));
  unwritten_ = log_.last() + 1;
  out.hard_state = HardState{term_, vote_, commit_};
  if (std::exchange(hard_state_dirty_, false)) {
    written_hard_state_ = written_;
    if (role_ == Role::candidate && campaign_write_ == 0) campaign_write_ = written_;
  }
  writes_.push_back({written_, log_.last()});
}

void Core::release(Output& out) {
  for (Staged& staged : staged_) {
    const MessageKind kind = staged.message.kind;
    std::uint64_t after = staged.wait == Wait::everything ? written_ : written_hard_state_;
    if (bug(Bug::vote_before_durable) && (kind == MessageKind::vote_response || kind == MessageKind::vote_request))
      after = 0;
    if (bug(Bug::acknowledged_before_durable) && kind == MessageKind::append_response) after = 0;
    held_.push_back({after, std::move(staged.message)});
  }
  staged_.clear();
  out.messages = std::exchange(outgoing_, {});
  std::erase_if(held_, [&](Held& held) {
    if (held.after > persisted_) return false;
    // What was said in an earlier term is true still, but nobody needs it.
    out.messages.push_back(std::move(held.message));
    return true;
  });
}

// Committed entries are given out when they are durable here: what a node applied it also finds after a restart.
void Core::deliver(Output& out) {
  const Index until = std::min(commit_, durable_);
  if (delivered_ >= until) return;
  out.committed = log_.copy(delivered_ + 1, until, static_cast<std::size_t>(-1), options_.max_apply_bytes);
  delivered_ = out.committed.back().index;
}

void Core::persisted(std::uint64_t write) {
  ORDEAL_CHECK(write <= written_, "a write was confirmed that was never given out");
  persisted_ = std::max(persisted_, write);
  while (!writes_.empty() && writes_.front().number <= persisted_) {
    durable_ = writes_.front().last;
    writes_.pop_front();
  }
  if (role_ == Role::candidate && campaign_write_ != 0 && campaign_write_ <= persisted_ &&
      !votes_.contains(options_.id)) {
    votes_[options_.id] = true;
    count_votes();
  }
  if (role_ == Role::leader) {
    advance_commit();
    continue_transfer();
  }
}

Status Core::status() const {
  Status status;
  status.id = options_.id;
  status.role = role_;
  status.term = term_;
  status.vote = vote_;
  status.leader = leader_;
  status.first = log_.base() + 1;
  status.last = log_.last();
  status.durable = durable_;
  status.commit = commit_;
  status.applied = applied_;
  status.configuration = configuration();
  status.configuration_index = configuration_index();
  status.transfer_target = transfer_target_;
  for (const auto& [id, progress] : peers_) {
    status.peers.push_back({id, progress.match, progress.next, progress.active, progress.flow == Flow::snapshot});
  }
  status.refused = refused_;
  status.elections = elections_;
  return status;
}

}  // namespace ordeal::log::raft
