// Who belongs to the cluster [O 4], and the transfer of leadership [O 3.10].
//
// A configuration counts from the moment that it is in the log, committed or not. Voters change by joint consensus: the
// leader appends {new, old}, in force while it stands; when that is committed it appends {new}.

#include <algorithm>

#include "targets/log/server/raft/codec.h"
#include "targets/log/server/raft/core.h"

namespace ordeal::log::raft {

Refusal Core::change_refused(const std::vector<NodeId>& voters, const std::vector<NodeId>& learners) const {
  if (role_ != Role::leader) return Refusal::not_leader;
  if (transfer_target_ != kNobody) return Refusal::transferring;
  if (bug(Bug::single_step_membership)) return Refusal::none;
  if (configuration_index() > commit_ || is_joint(configuration()) || !committed_in_term())
    return Refusal::change_pending;
  const auto not_ascending = [](NodeId a, NodeId b) { return a >= b; };
  for (const auto* ids : {&voters, &learners}) {
    if (std::adjacent_find(ids->begin(), ids->end(), not_ascending) != ids->end()) return Refusal::bad_members;
    if (!ids->empty() && ids->front() == kNobody) return Refusal::bad_members;
  }
  if (voters.empty() || voters.size() + learners.size() > options_.max_members) return Refusal::bad_members;
  for (const NodeId id : learners) {
    if (contains(voters, id)) return Refusal::bad_members;
  }
  for (const NodeId id : voters) {
    if (!contains(configuration().voters, id) && match_of(id) + options_.promotion_lag < log_.last())
      return Refusal::lagging;
    if (!contains(configuration().voters, id) && !contains(configuration().learners, id)) return Refusal::lagging;
  }
  return Refusal::none;
}

Proposed Core::change_members(std::vector<NodeId> voters, std::vector<NodeId> learners) {
  std::sort(voters.begin(), voters.end());
  std::sort(learners.begin(), learners.end());
  const Refusal refusal = change_refused(voters, learners);
  if (refusal != Refusal::none) return {refusal};
  Configuration next{std::move(voters), {}, std::move(learners)};
  if (next.voters != configuration().voters && !bug(Bug::single_step_membership))
    next.outgoing = configuration().voters;
  const Index index = append(EntryKind::configuration, encode(next));
  configuration_appended(index, std::move(next));
  return {Refusal::none, term_, index};
}

void Core::configuration_appended(Index index, Configuration next) {
  const std::vector<NodeId> before = others(configuration(), options_.id);
  configurations_.emplace_back(index, std::move(next));
  if (role_ != Role::leader) return;
  // Who no longer belongs is told once, if it keeps up, so that it does not campaign; nobody waits for it.
  const std::vector<NodeId> after = others(configuration(), options_.id);
  for (const NodeId id : before) {
    Progress& progress = peers_.at(id);
    if (!contains(after, id) && progress.flow == Flow::replicate) send_append(id, progress, false);
  }
  update_peers();
}

// Leader: whom to send to, by the configuration.
void Core::update_peers() {
  const std::vector<NodeId> members = others(configuration(), options_.id);
  std::erase_if(peers_, [&](const auto& peer) { return !contains(members, peer.first); });
  for (const NodeId id : members) {
    if (peers_.contains(id)) continue;
    Progress& progress = peers_[id];
    progress.next = log_.last() + 1;
    progress.active = true;  // it gets the time of one check to say something
  }
}

// Leader: what a newly committed entry allows.
void Core::after_commit() {
  if (role_ != Role::leader || configuration_index() > commit_) return;
  if (is_joint(configuration())) {
    if (!committed_in_term()) return;
    Configuration last = configuration();
    last.outgoing.clear();
    const Index index = append(EntryKind::configuration, encode(last));
    configuration_appended(index, std::move(last));
    return;
  }
  if (!is_voter(configuration(), options_.id)) hand_over();
}

// A leader that is no voter of the committed configuration steps down [O 4.2.2]. So that nobody waits for a time-out it
// tells all what is committed, and the most advanced voter to campaign.
void Core::hand_over() {
  NodeId best = kNobody;
  for (auto& [id, progress] : peers_) {
    if (progress.flow == Flow::replicate) send_append(id, progress, false);
    if (contains(configuration().voters, id) && (best == kNobody || progress.match > peers_.at(best).match)) best = id;
  }
  if (best != kNobody) send_timeout_now(best);
  become_follower(term_, kNobody);
}

Refusal Core::transfer_leadership(NodeId target) {
  if (role_ != Role::leader) return Refusal::not_leader;
  if (target == options_.id || !contains(configuration().voters, target)) return Refusal::bad_target;
  if (transfer_target_ != kNobody) return transfer_target_ == target ? Refusal::none : Refusal::transferring;
  transfer_target_ = target;
  transfer_until_ = now_ + options_.election_ticks_max;
  transfer_ordered_ = false;
  continue_transfer();
  return Refusal::none;
}

// The target is told once it has everything.
void Core::continue_transfer() {
  if (transfer_target_ == kNobody || transfer_ordered_) return;
  const auto peer = peers_.find(transfer_target_);
  if (peer == peers_.end()) {
    transfer_target_ = kNobody;  // it was removed meanwhile
  } else if (peer->second.match == log_.last()) {
    transfer_ordered_ = true;
    send_timeout_now(transfer_target_);
  }
}

void Core::send_timeout_now(NodeId target) {
  lease_void_ = true;  // for the rest of the term: the order may arrive late
  send(to(target, MessageKind::timeout_now));
}

void Core::on_timeout_now(const Message& message) {
  if (role_ != Role::follower || message.from != leader_) return;
  campaign(true);
}

}  // namespace ordeal::log::raft
