// Elections [O 3.4, 3.6.1, 9.6]: pre-vote, votes, and what becomes of a node.

#include <algorithm>

#include "targets/log/server/raft/core.h"

namespace ordeal::log::raft {

void Core::reset_timer() {
  timer_from_ = now_;
  timeout_ = options_.election_ticks;
  if (!bug(Bug::no_randomness)) {
    timeout_ += static_cast<unsigned>(rng_.below(options_.election_ticks_max - options_.election_ticks));
  }
}

// The timer goes on, but for one who led: only a leader that speaks and a vote that is given set it anew. Else a node
// with an old log whose clock is fast could hold up the only one that can win, by one hopeless candidacy after the
// other.
void Core::become_follower(Term term, NodeId leader) {
  if (role_ == Role::leader || leader != kNobody) reset_timer();
  if (role_ == Role::leader) {
    lose_reads();
    peers_.clear();
    transfer_target_ = kNobody;
  }
  if (term != term_) {
    term_ = term;
    vote_ = kNobody;
    hard_state_dirty_ = true;
  }
  role_ = Role::follower;
  leader_ = leader;
  votes_.clear();
}

void Core::become_pre_candidate() {
  role_ = Role::pre_candidate;
  leader_ = kNobody;
  votes_ = {{options_.id, true}};
  reset_timer();
  ask_for_votes(MessageKind::pre_vote_request, term_ + 1, false);
  count_votes();
}

void Core::become_candidate(bool forced) {
  role_ = Role::candidate;
  leader_ = kNobody;
  ++term_;
  vote_ = options_.id;
  hard_state_dirty_ = true;
  campaign_write_ = 0;
  if (!bug(Bug::pre_votes_counted)) votes_.clear();  // the own vote counts when it is durable: persisted()
  reset_timer();
  ask_for_votes(MessageKind::vote_request, term_, forced);
}

void Core::become_leader() {
  role_ = Role::leader;
  leader_ = options_.id;
  votes_.clear();
  peers_.clear();
  reads_.clear();
  early_reads_.clear();
  round_sent_.clear();
  transfer_target_ = kNobody;
  lease_void_ = false;
  heartbeat_at_ = quorum_check_at_ = now_;
  uncommitted_bytes_ = 0;
  for (Index i = commit_ + 1; i <= log_.last(); ++i) uncommitted_bytes_ += log_.at(i)->data.size();
  update_peers();
  term_start_ = append(EntryKind::no_op, "");
  send_heartbeats();
  advance_commit();
}

// Whether this node would refuse any candidate, since it heard of a leader, or started, less than the shortest election
// time-out ago. It does not matter whether that leader is still known, or of this term: what was promised to it
// is a time, and an answer of a third node with a higher term must not shorten it.
bool Core::heeds_leader() const {
  if (!options_.check_quorum) return false;
  if (role_ == Role::leader) return true;  // it steps down by itself when no quorum answers
  return now_ - heard_at_ < options_.election_ticks;
}

// Voters campaign; so does who was one until an entry that may never be committed. Without its log the others might
// elect nobody: it may be the only one that has that entry [O 4.2.2]. Its own vote does not count then.
bool Core::may_campaign() const {
  if (is_voter(configuration(), options_.id)) return true;
  const std::size_t known = configurations_.size();
  return known > 1 && configuration_index() > commit_ && is_voter(configurations_[known - 2].second, options_.id);
}

void Core::campaign(bool forced) {
  if (role_ == Role::leader) return;
  if (!may_campaign() || term_ >= kMaxTerm) {
    reset_timer();
    return;
  }
  ++elections_;
  if (options_.pre_vote && !forced) {
    become_pre_candidate();
  } else {
    become_candidate(forced);
  }
}

void Core::ask_for_votes(MessageKind kind, Term term, bool forced) {
  for (const NodeId peer : others(configuration(), options_.id)) {
    if (!is_voter(configuration(), peer)) continue;
    Message request = to(peer, kind);
    request.term = term;
    request.index = log_.last();
    request.log_term = log_.last_term();
    request.forced = forced;
    send_when_durable(std::move(request), Wait::hard_state);
  }
}

void Core::count_votes() {
  const auto answered = [&](bool granted) {
    return [this, granted](NodeId id) { return votes_.contains(id) && votes_.at(id) == granted; };
  };
  if (is_quorum(configuration(), answered(true))) {
    if (role_ == Role::pre_candidate) {
      become_candidate(false);
    } else {
      become_leader();
    }
    return;
  }
  // Lost when those who did not refuse are no quorum.
  const auto may_grant = [this](NodeId id) { return !votes_.contains(id) || votes_.at(id); };
  if (!is_quorum(configuration(), may_grant)) become_follower(term_, kNobody);
}

void Core::on_pre_vote_request(const Message& message) {
  const bool free = message.term > term_ || vote_ == message.from || (vote_ == kNobody && leader_ == kNobody);
  Message answer = to(message.from, MessageKind::pre_vote_response);
  answer.granted = free && (log_.is_up_to_date(message.index, message.log_term) || bug(Bug::vote_without_log_check));
  if (answer.granted) answer.term = message.term;
  send_when_durable(std::move(answer), Wait::hard_state);
}

void Core::on_vote_request(const Message& message) {
  const bool free = vote_ == message.from || (vote_ == kNobody && leader_ == kNobody) || bug(Bug::two_votes_in_a_term);
  Message answer = to(message.from, MessageKind::vote_response);
  answer.granted = free && role_ != Role::leader &&
                   (log_.is_up_to_date(message.index, message.log_term) || bug(Bug::vote_without_log_check));
  if (answer.granted) {
    if (vote_ != message.from) {
      vote_ = message.from;
      hard_state_dirty_ = true;
    }
    reset_timer();
  }
  send_when_durable(std::move(answer), Wait::hard_state);
}

void Core::on_vote_response(const Message& message) {
  const bool pre = message.kind == MessageKind::pre_vote_response;
  if (role_ != (pre ? Role::pre_candidate : Role::candidate)) return;
  if (pre && message.granted && message.term != term_ + 1) return;  // to an earlier question
  votes_.emplace(message.from, message.granted);
  count_votes();
}

// A leader of this term speaks. False: it cannot be one.
bool Core::follow(const Message& message) {
  if (role_ == Role::leader || (leader_ != kNobody && leader_ != message.from)) {
    ++refused_;
    return false;
  }
  if (role_ != Role::follower || leader_ == kNobody) become_follower(term_, message.from);
  timer_from_ = now_;
  heard_at_ = now_;
  return true;
}

}  // namespace ordeal::log::raft
