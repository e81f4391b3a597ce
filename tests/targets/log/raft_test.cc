// Consensus, one node at a time, by the messages that it is sent: what a cluster under faults seldom shows. Whole
// clusters are simulated in sim_test.cc.

#include "targets/log/server/raft/raft.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/rng.h"
#include "targets/log/server/raft/codec.h"

namespace ordeal::log::raft {
namespace {

using testing::Contains;
using testing::Field;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

std::unique_ptr<Raft> node(NodeId id, std::vector<NodeId> voters, Recovered recovered = {}, Options options = {}) {
  options.id = id;
  if (recovered.snapshot.index == 0 && !voters.empty())
    recovered.snapshot = first_snapshot({std::move(voters), {}, {}});
  return Raft::start(options, std::move(recovered), Rng(id)).value();
}

Message from(NodeId sender, MessageKind kind, Term term) {
  Message m;
  m.kind = kind;
  m.from = sender;
  m.to = 1;
  m.term = term;
  return m;
}

Message append(NodeId sender, Term term, Index before, Term before_term, std::vector<Entry> entries, Index commit) {
  Message m = from(sender, MessageKind::append_request, term);
  m.index = before;
  m.log_term = before_term;
  m.entries = std::move(entries);
  m.commit = commit;
  return m;
}

auto of_kind(MessageKind kind) { return Contains(Field(&Message::kind, kind)); }

// Everything that the node gives out until it is quiet, its disk being quick.
Output settle(Raft& raft) {
  Output all;
  for (;;) {
    Output out = raft.take_output();
    if (out.empty()) return all;
    if (out.write != 0) raft.persisted(out.write);
    if (!out.committed.empty()) raft.applied(out.committed.back().index);
    std::move(out.messages.begin(), out.messages.end(), std::back_inserter(all.messages));
    std::move(out.entries.begin(), out.entries.end(), std::back_inserter(all.entries));
    std::move(out.committed.begin(), out.committed.end(), std::back_inserter(all.committed));
    std::move(out.reads.begin(), out.reads.end(), std::back_inserter(all.reads));
    std::move(out.lost_reads.begin(), out.lost_reads.end(), std::back_inserter(all.lost_reads));
    if (out.snapshot) all.snapshot = out.snapshot;
  }
}

// Node 1 of three, leading in some term; what it sent so far is forgotten.
std::unique_ptr<Raft> leader_of_three(Options options = {}, Recovered recovered = {}) {
  std::unique_ptr<Raft> raft = node(1, {1, 2, 3}, std::move(recovered), options);
  raft->tick(40);
  (void)settle(*raft);
  Message granted = from(2, MessageKind::pre_vote_response, raft->term() + 1);
  granted.granted = true;
  raft->step(granted);
  (void)settle(*raft);
  granted.kind = MessageKind::vote_response;
  raft->step(granted);
  EXPECT_EQ(raft->role(), Role::leader);
  (void)settle(*raft);
  return raft;
}

void acknowledge(Raft& raft, NodeId peer, Index index) {
  Message m = from(peer, MessageKind::append_response, raft.term());
  m.granted = true;
  m.index = index;
  raft.step(m);
}

TEST(Raft, AClusterOfOneCommitsAndReadsAlone) {
  const auto raft = node(1, {1});
  raft->campaign();
  (void)settle(*raft);
  ASSERT_EQ(raft->role(), Role::leader);
  const Proposed proposed = raft->propose("a");
  ASSERT_TRUE(proposed);
  EXPECT_EQ(raft->read_index(7), Refusal::none);
  const Output out = settle(*raft);
  EXPECT_THAT(out.committed, Contains(Field(&Entry::data, "a")));
  ASSERT_THAT(out.reads, SizeIs(1));
  EXPECT_EQ(out.reads[0].context, 7U);
}

TEST(Raft, AVoteIsNotGivenOutBeforeItIsDurable) {
  const auto raft = node(1, {1, 2, 3});
  raft->tick(15);
  (void)settle(*raft);
  Message request = from(2, MessageKind::vote_request, raft->term() + 1);
  request.index = request.log_term = 1;
  raft->step(request);
  const Output out = raft->take_output();
  ASSERT_NE(out.write, 0U);
  EXPECT_EQ(out.hard_state->vote, 2U);
  EXPECT_THAT(out.messages, Not(of_kind(MessageKind::vote_response)));
  EXPECT_TRUE(raft->take_output().empty());
  raft->persisted(out.write);
  EXPECT_THAT(raft->take_output().messages, of_kind(MessageKind::vote_response));
}

TEST(Raft, EntriesAreNotAcknowledgedBeforeTheyAreDurable) {
  const auto raft = node(1, {1, 2, 3});
  raft->step(append(2, 2, 1, 1, {{2, 2, EntryKind::no_op, ""}}, 2));
  const Output out = raft->take_output();
  EXPECT_THAT(out.entries, SizeIs(1));
  EXPECT_THAT(out.messages, IsEmpty());
  EXPECT_THAT(out.committed, IsEmpty());
  raft->persisted(out.write);
  const Output later = raft->take_output();
  EXPECT_THAT(later.messages, of_kind(MessageKind::append_response));
  EXPECT_THAT(later.committed, SizeIs(1));
}

// Figure 3.7 of the dissertation: a majority has an entry of an earlier term, and it is not committed by that.
TEST(Raft, EntriesOfEarlierTermsAreNotCommittedByCounting) {
  Recovered recovered;
  recovered.hard_state = {2, 1, 1};
  recovered.snapshot = first_snapshot({{1, 2, 3}, {}, {}});
  recovered.entries = {{2, 2, EntryKind::command, "old"}};
  const auto raft = leader_of_three({}, recovered);
  acknowledge(*raft, 2, 2);
  EXPECT_EQ(raft->commit(), 1U);
  acknowledge(*raft, 2, 3);  // its own no-op, and all before it
  EXPECT_EQ(raft->commit(), 3U);
}

TEST(Raft, AReadWaitsForAnEntryOfTheTermAndForAQuorum) {
  const auto raft = leader_of_three();
  EXPECT_EQ(raft->read_index(5), Refusal::none);
  EXPECT_THAT(settle(*raft).reads, IsEmpty());
  acknowledge(*raft, 2, 2);
  const Output asked = settle(*raft);
  EXPECT_THAT(asked.reads, IsEmpty());
  ASSERT_THAT(asked.messages, of_kind(MessageKind::heartbeat));
  Message answer = from(3, MessageKind::heartbeat_response, raft->term());
  for (const Message& m : asked.messages) answer.round = std::max(answer.round, m.round);
  raft->step(answer);
  ASSERT_THAT(settle(*raft).reads, SizeIs(1));
}

TEST(Raft, WhoStopsLeadingSaysWhichReadsAreLost) {
  const auto raft = leader_of_three();
  EXPECT_EQ(raft->read_index(5), Refusal::none);
  (void)settle(*raft);
  raft->step(from(2, MessageKind::append_response, raft->term() + 1));
  EXPECT_THAT(settle(*raft).lost_reads, testing::ElementsAre(5U));
  EXPECT_EQ(raft->read_index(6), Refusal::not_leader);
}

TEST(Raft, ALeaseEndsWhenSomebodyIsToldToCampaign) {
  Options options;
  options.reads = ReadMode::lease;
  const auto raft = leader_of_three(options);
  acknowledge(*raft, 2, 2);
  Message answer = from(2, MessageKind::heartbeat_response, raft->term());
  answer.round = 1;
  raft->step(answer);
  (void)settle(*raft);
  EXPECT_EQ(raft->read_index(1), Refusal::none);
  EXPECT_THAT(settle(*raft).reads, SizeIs(1)) << "by the lease";
  EXPECT_EQ(raft->transfer_leadership(2), Refusal::none);
  EXPECT_THAT(settle(*raft).messages, of_kind(MessageKind::timeout_now));
  EXPECT_EQ(raft->read_index(2), Refusal::none);
  EXPECT_THAT(settle(*raft).reads, IsEmpty()) << "the one that was told may lead already";
  EXPECT_EQ(raft->propose("x").refusal, Refusal::transferring);
}

TEST(Raft, ATransferWaitsUntilTheTargetHasEverything) {
  const auto raft = leader_of_three();
  EXPECT_EQ(raft->transfer_leadership(3), Refusal::none);
  EXPECT_THAT(settle(*raft).messages, Not(of_kind(MessageKind::timeout_now)));
  acknowledge(*raft, 3, 2);
  EXPECT_THAT(settle(*raft).messages, of_kind(MessageKind::timeout_now));
  raft->tick(30);
  EXPECT_EQ(raft->role(), Role::leader);
  EXPECT_TRUE(raft->propose("x")) << "it was given up";
  EXPECT_EQ(raft->transfer_leadership(9), Refusal::bad_target);
}

TEST(Raft, ACommitIndexBeyondTheLogIsCut) {
  Recovered recovered;
  recovered.hard_state = {3, kNobody, 9};
  recovered.snapshot = first_snapshot({{1, 2, 3}, {}, {}});
  recovered.entries = {{3, 2, EntryKind::command, "a"}};
  EXPECT_EQ(node(1, {}, recovered)->commit(), 2U);
}

TEST(Raft, WhatCannotHaveBeenWrittenIsRefusedWhenItStarts) {
  const auto starts = [](Recovered recovered) {
    Options options;
    options.id = 1;
    return Raft::start(options, std::move(recovered), Rng(1)).has_value();
  };
  const Snapshot first = first_snapshot({{1}, {}, {}});
  EXPECT_FALSE(starts({{5, 1, 1}, first, {{2, 3, EntryKind::command, ""}}})) << "a gap";
  EXPECT_FALSE(starts({{5, 1, 1}, first, {{3, 2, EntryKind::command, ""}, {2, 3, EntryKind::command, ""}}}))
      << "a falling term";
  EXPECT_FALSE(starts({{5, 1, 1}, first, {{2, 2, EntryKind::configuration, "x"}}}));
  EXPECT_FALSE(starts({{}, {0, 0, {{1}, {}, {}}, ""}, {}}));
  EXPECT_TRUE(starts({{1, 1, 1}, first, {{2, 2, EntryKind::command, ""}}})) << "torn between entries and hard state";
  Options options;
  options.id = 1;
  options.election_ticks_max = options.election_ticks;
  EXPECT_FALSE(Raft::start(options, {}, Rng(1)));
  options = {};
  options.id = 1;
  options.reads = ReadMode::lease;
  options.check_quorum = false;
  EXPECT_FALSE(Raft::start(options, {}, Rng(1)));
}

TEST(Raft, ALateAppendCutsNothingOff) {
  const auto raft = node(1, {1, 2, 3});
  const Entry two{2, 2, EntryKind::no_op, ""}, three{2, 3, EntryKind::command, "b"};
  raft->step(append(2, 2, 1, 1, {two, three}, 1));
  raft->step(append(2, 2, 1, 1, {two}, 1));
  EXPECT_EQ(raft->status().last, 3U);
  raft->step(append(3, 3, 2, 2, {{3, 3, EntryKind::no_op, ""}}, 1));
  EXPECT_EQ(raft->term_at(3), 3U) << "a conflict does";
}

Message chunk(NodeId sender, Term term, std::uint64_t offset, std::string data) {
  Message m = from(sender, MessageKind::snapshot_chunk, term);
  m.index = 50;
  m.log_term = 2;
  m.configuration.voters = {1, 2, 3};
  m.total = 6;
  m.offset = offset;
  m.data = std::move(data);
  return m;
}

// Two leaders' snapshots of the same entry may have other bytes.
TEST(Raft, AnotherLeadersSnapshotBeginsAnew) {
  const auto raft = node(1, {1, 2, 3});
  raft->step(chunk(2, 2, 0, "abc"));
  raft->step(chunk(3, 3, 3, "DEF"));
  EXPECT_EQ(settle(*raft).snapshot, nullptr);
  raft->step(chunk(3, 3, 0, "ABC"));
  raft->step(chunk(3, 3, 0, "ABC"));  // twice
  const Output before = raft->take_output();
  EXPECT_THAT(before.messages, Not(of_kind(MessageKind::append_response)));
  raft->step(chunk(3, 3, 3, "DEF"));
  const Output out = raft->take_output();
  ASSERT_NE(out.snapshot, nullptr);
  EXPECT_EQ(out.snapshot->state, "ABCDEF");
  EXPECT_THAT(out.messages, Not(of_kind(MessageKind::append_response))) << "it is not durable";
  raft->persisted(out.write);
  EXPECT_THAT(raft->take_output().messages, of_kind(MessageKind::append_response));
  EXPECT_EQ(raft->commit(), 50U);
}

TEST(Raft, ChangesOfMembersThatCannotBeAreRefused) {
  const auto raft = leader_of_three();
  EXPECT_EQ(raft->change_members({1, 2}, {}).refusal, Refusal::change_pending) << "nothing of this term is committed";
  acknowledge(*raft, 2, 2);
  EXPECT_EQ(raft->change_members({}, {1}).refusal, Refusal::bad_members);
  EXPECT_EQ(raft->change_members({1, 1}, {}).refusal, Refusal::bad_members);
  EXPECT_EQ(raft->change_members({1, 2}, {2}).refusal, Refusal::bad_members);
  EXPECT_EQ(raft->change_members({1, 2, 3, 4}, {}).refusal, Refusal::lagging) << "first a learner";
  EXPECT_TRUE(raft->change_members({1, 2, 3}, {4}));
  EXPECT_EQ(raft->change_members({1, 2}, {}).refusal, Refusal::change_pending);
}

// Both majorities count until the change is over; then a leader that is no voter any more hands over.
TEST(Raft, ALeaderThatLeavesLeadsUntilTheChangeIsCommitted) {
  const auto raft = leader_of_three();
  acknowledge(*raft, 2, 2);
  (void)settle(*raft);
  const Proposed joint = raft->change_members({2, 3}, {});
  ASSERT_TRUE(joint);
  (void)settle(*raft);
  EXPECT_EQ(raft->status().configuration, (Configuration{{2, 3}, {1, 2, 3}, {}}));
  acknowledge(*raft, 2, joint.index);
  EXPECT_LT(raft->commit(), joint.index) << "1 and 2 are a majority of the old voters only";
  acknowledge(*raft, 3, joint.index);
  EXPECT_EQ(raft->commit(), joint.index);
  EXPECT_EQ(raft->status().configuration, (Configuration{{2, 3}, {}, {}}));
  (void)settle(*raft);
  acknowledge(*raft, 2, joint.index + 1);
  EXPECT_EQ(raft->role(), Role::leader) << "its own copy does not count";
  acknowledge(*raft, 3, joint.index + 1);
  EXPECT_EQ(raft->role(), Role::follower);
  EXPECT_THAT(settle(*raft).messages, of_kind(MessageKind::timeout_now));
}

TEST(Raft, LearnersCountForNothing) {
  Recovered recovered;
  recovered.snapshot = first_snapshot({{1, 2, 3}, {}, {4, 5}});
  const auto raft = leader_of_three({}, recovered);
  acknowledge(*raft, 4, 2);
  acknowledge(*raft, 5, 2);
  EXPECT_EQ(raft->commit(), 1U);
  recovered.snapshot = first_snapshot({{2, 3}, {}, {1}});
  const auto learner = node(1, {}, recovered);
  learner->tick(500);
  EXPECT_EQ(learner->role(), Role::follower);
}

// A peer that follows no rule: the node answers or refuses, and holds what it promised.
TEST(Raft, AHostilePeerCannotBreakIt) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    Rng rng(seed);
    const auto raft = rng.chance(0.5) ? leader_of_three() : node(1, {1, 2, 3});
    const auto small = [&] { return rng.chance(0.05) ? rng.next() : rng.below(6); };
    Index commit = raft->commit();
    for (int i = 0; i < 400; ++i) {
      Message m =
          from(2 + rng.below(3), static_cast<MessageKind>(1 + rng.below(12)), rng.chance(0.7) ? raft->term() : small());
      m.index = small();
      m.log_term = small();
      m.commit = small();
      m.rejected = small();
      m.granted = rng.chance(0.5);
      m.forced = rng.chance(0.1);
      m.round = small();
      m.total = small();
      m.offset = small();
      m.data = std::string(rng.below(4), 'x');
      m.configuration = {{1, 2, 3}, {}, {}};
      for (std::uint64_t n = rng.below(3); n > 0; --n) {
        const auto kind = static_cast<EntryKind>(rng.below(3));
        std::string data = rng.chance(0.5) ? encode(Configuration{{1, 2}, {1, 2, 3}, {}}) : "junk";
        m.entries.push_back({small(), m.index + m.entries.size() + 1, kind, std::move(data)});
      }
      raft->step(m);
      if (rng.chance(0.3)) raft->tick(static_cast<unsigned>(rng.below(20)));
      if (rng.chance(0.5)) (void)settle(*raft);
      ASSERT_LE(raft->commit(), raft->status().last);
      ASSERT_GE(raft->commit(), commit) << "what is committed stays so";
      commit = raft->commit();
    }
    EXPECT_GT(raft->status().refused, 0U);
  }
}

// The simulation's seed 498 stood still: without pre-vote, a node with an old log and a fast clock campaigned in vain,
// and each time set the timer of the only one that could win.
TEST(RegressRaft, AHopelessCandidateDoesNotHoldUpTheOthers) {
  Options options;
  options.pre_vote = false;
  Recovered recovered;
  recovered.hard_state = {2, kNobody, 2};
  recovered.snapshot = first_snapshot({{1, 2, 3}, {}, {}});
  recovered.entries = {{2, 2, EntryKind::command, "a"}};
  const auto raft = node(1, {}, recovered, options);
  for (Term term = 3; term < 9; ++term) {
    raft->tick(14);
    Message request = from(2, MessageKind::vote_request, std::max(term, raft->term()) + 1);
    request.index = request.log_term = 1;
    raft->step(request);
    (void)settle(*raft);
  }
  EXPECT_GE(raft->status().elections, 2U);
}

// The simulation's seed 1699 stood still: those who had the entry that removes them did not campaign, and who remained
// lacked it, so that they gave it no vote.
TEST(RegressRaft, WhoIsRemovedCampaignsUntilThatIsCommitted) {
  const auto raft = node(1, {1, 2, 3});
  raft->step(append(3, 2, 1, 1, {{2, 2, EntryKind::configuration, encode(Configuration{{2}, {1, 2, 3}, {}})}}, 2));
  raft->step(append(3, 2, 2, 2, {{2, 3, EntryKind::configuration, encode(Configuration{{2}, {}, {}})}}, 2));
  (void)settle(*raft);
  raft->tick(60);
  const Output out = settle(*raft);
  EXPECT_EQ(raft->role(), Role::pre_candidate);
  ASSERT_THAT(out.messages, of_kind(MessageKind::pre_vote_request));
  EXPECT_EQ(out.messages.back().to, 2U);
  raft->step(append(3, 2, 3, 2, {}, 3));
  raft->tick(60);
  EXPECT_EQ(raft->role(), Role::follower) << "now it is committed";
}

}  // namespace
}  // namespace ordeal::log::raft
