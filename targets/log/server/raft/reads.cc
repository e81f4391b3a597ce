// Heartbeats, and the two ways of a linearizable read [O 6.4].
//
// A round of heartbeats has a number; a quorum that answered round r had heard of no later leader when it did, so the
// commit index of the moment before r was sent covers all that any client knew. A lease takes the same answers as
// promises: who heard a heartbeat votes for nobody for election_ticks, counted from when it was sent.

#include <algorithm>

#include "targets/log/server/raft/core.h"

namespace ordeal::log::raft {

void Core::send_heartbeats() {
  heartbeat_at_ = now_;
  round_sent_.emplace_back(++round_, now_);
  for (auto& [id, progress] : peers_) {
    Message beat = to(id, MessageKind::heartbeat);
    beat.commit = bug(Bug::commit_beyond_match) ? commit_ : std::min(commit_, progress.match);
    beat.round = round_;
    send(std::move(beat));
  }
  release_reads();  // a leader that is the only voter needs no answer
}

void Core::on_heartbeat(const Message& message) {
  commit_to(std::min(message.commit, log_.last()));
  Message answer = to(message.from, MessageKind::heartbeat_response);
  answer.round = message.round;
  send_when_durable(std::move(answer), Wait::hard_state);
}

void Core::on_heartbeat_response(const Message& message) {
  Progress& progress = peers_.at(message.from);
  if (message.round > round_) {
    ++refused_;
    return;
  }
  if (message.round > progress.acked_round) {
    progress.acked_round = message.round;
    for (const auto& [round, at] : round_sent_) {
      if (round <= message.round) progress.acked_at = at;
    }
  }
  progress.probing = false;
  // Something may have been lost: ask by an empty message whether the logs agree up to what was sent.
  if (progress.flow == Flow::replicate && progress.match < log_.last() && !progress.inflight.empty()) {
    send_append(message.from, progress, true);
  }
  release_reads();
}

bool Core::committed_in_term() const { return commit_ >= term_start_; }

Refusal Core::read_index(std::uint64_t context) {
  if (role_ != Role::leader) return Refusal::not_leader;
  if (reads_.size() + early_reads_.size() >= options_.max_pending_reads) return Refusal::busy;
  if (!committed_in_term() && !bug(Bug::read_before_no_op)) {
    early_reads_.push_back(context);  // until then it is not known what earlier leaders committed
  } else {
    reads_.push_back({context, commit_, 0});
  }
  return Refusal::none;
}

// In an output: reads that came since the last one share a round, or need none.
void Core::start_reads() {
  if (!early_reads_.empty() && committed_in_term()) {
    for (const std::uint64_t context : std::exchange(early_reads_, {})) reads_.push_back({context, commit_, 0});
  }
  if (reads_.empty() || reads_.back().round != 0) return;
  const bool at_once = (options_.reads == ReadMode::lease && lease_holds()) || bug(Bug::read_without_round);
  if (!at_once) {
    for (PendingRead& read : reads_) {
      if (read.round == 0) read.round = round_ + 1;
    }
    send_heartbeats();
    return;
  }
  std::erase_if(reads_, [this](const PendingRead& read) {
    if (read.round == 0) ready_reads_.push_back({read.context, read.index});
    return read.round == 0;
  });
}

bool Core::lease_holds() const {
  if (bug(Bug::stale_lease)) return true;
  if (lease_void_ && !bug(Bug::lease_survives_transfer)) return false;
  const std::uint64_t from = quorum_reached(configuration(), [this](NodeId id) {
    if (id == options_.id) return now_;
    const auto peer = peers_.find(id);
    return peer == peers_.end() || peer->second.acked_round == 0 ? std::uint64_t{0} : peer->second.acked_at;
  });
  const bool answered = quorum_reached(configuration(), [this](NodeId id) {
                          const auto peer = peers_.find(id);
                          return id == options_.id ? round_ : peer == peers_.end() ? 0 : peer->second.acked_round;
                        }) > 0;
  const std::uint64_t margin = bug(Bug::lease_without_margin) ? 0 : options_.lease_margin_ticks;
  return answered && now_ + margin < from + options_.election_ticks;
}

void Core::release_reads() {
  const std::uint64_t round = quorum_reached(configuration(), [this](NodeId id) {
    const auto peer = peers_.find(id);
    return id == options_.id ? round_ : peer == peers_.end() ? 0 : peer->second.acked_round;
  });
  while (!reads_.empty() && reads_.front().round != 0 && reads_.front().round <= round) {
    ready_reads_.push_back({reads_.front().context, reads_.front().index});
    reads_.pop_front();
  }
  // Rounds that every peer answered or outlived need no time any more; a silent peer must not make the list grow.
  std::uint64_t oldest = round_;
  for (const auto& [id, progress] : peers_) oldest = std::min(oldest, progress.acked_round);
  while (!round_sent_.empty() && (round_sent_.front().first < oldest || round_sent_.size() > 1024))
    round_sent_.pop_front();
}

void Core::lose_reads() {
  for (const PendingRead& read : reads_) lost_reads_.push_back(read.context);
  lost_reads_.insert(lost_reads_.end(), early_reads_.begin(), early_reads_.end());
  for (const ReadReady& read : ready_reads_) lost_reads_.push_back(read.context);
  reads_.clear();
  early_reads_.clear();
  ready_reads_.clear();
}

}  // namespace ordeal::log::raft
