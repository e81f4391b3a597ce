#pragma once
// Core: the state behind Raft, for the files that implement it. raft.h says what it does.
//
//   core.cc         start, ticks, dispatch of messages, output and the disk
//   election.cc     pre-vote, votes, becoming this and that
//   replication.cc  entries to followers, their answers, commitment
//   snapshots.cc    InstallSnapshot in chunks, compaction
//   membership.cc   joint consensus, learners, transfer of leadership
//   reads.cc        heartbeats, ReadIndex, leases
//
// Thread-safety: one thread at a time.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "targets/log/server/bugs.h"
#include "targets/log/server/raft/log.h"
#include "targets/log/server/raft/quorum.h"
#include "targets/log/server/raft/raft.h"

namespace ordeal::log::raft {

// Terms of peers beyond this are refused: nobody gets there by elections.
inline constexpr Term kMaxTerm = Term{1} << 60;

// How a leader sends to a peer.
enum class Flow : std::uint8_t {
  probe,      // one message at a time, until one is acknowledged: where the logs agree is not known
  replicate,  // pipelined
  snapshot,   // what it lacks is no longer in the log
};

// What a leader knows of a peer.
struct Progress {
  Flow flow = Flow::probe;
  Index match = 0;  // the peer certainly has the leader's entries up to here, durably
  Index next = 1;   // the next entry to send
  bool active = false;
  bool probing = false;           // a probe is out
  std::deque<Index> inflight;     // last index of each message that is not acknowledged
  Index commit_sent = 0;          // what the peer was told
  std::uint64_t acked_round = 0;  // of heartbeats
  std::uint64_t acked_at = 0;     // when the newest acknowledged round was sent, in ticks
  // Flow::snapshot:
  std::shared_ptr<const Snapshot> snapshot;
  std::uint64_t snapshot_offset = 0;  // the peer has it up to here
  bool chunk_out = false;
  std::uint64_t chunk_at = 0;  // when it was sent, in ticks
};

class Core {
 public:
  Core(const Options& options, Recovered recovered, Rng rng);

  // core.cc
  void tick(unsigned count);
  void step(Message message);
  void persisted(std::uint64_t write);
  Output take_output();
  [[nodiscard]] Status status() const;

  // election.cc
  void campaign(bool forced);

  // replication.cc
  Proposed propose(std::string data);

  // snapshots.cc
  [[nodiscard]] Snapshot make_snapshot(Index index, std::string state) const;
  void compact(std::shared_ptr<const Snapshot> snapshot, Index first_kept);

  // membership.cc
  Proposed change_members(std::vector<NodeId> voters, std::vector<NodeId> learners);
  [[nodiscard]] Refusal transfer_leadership(NodeId target);

  // reads.cc
  [[nodiscard]] Refusal read_index(std::uint64_t context);

 private:
  friend class Raft;

  // What a message that promises something waits for.
  enum class Wait : std::uint8_t { hard_state, everything };
  struct Staged {
    Wait wait;
    Message message;
  };
  struct Held {
    std::uint64_t after;
    Message message;
  };
  struct Write {
    std::uint64_t number;
    Index last;  // entries up to here are durable with it
  };
  struct PendingRead {
    std::uint64_t context;
    Index index;
    std::uint64_t round;  // 0: none was begun yet
  };
  struct Assembly {  // of a snapshot that a leader sends
    NodeId from = kNobody;
    Term term = 0;
    Snapshot snapshot;
    std::uint64_t total = 0;
  };

  // core.cc
  [[nodiscard]] bool plausible(const Message& message) const;
  [[nodiscard]] bool plausible_entries(const Message& message) const;
  void step_higher_term(const Message& message);
  void step_lower_term(const Message& message);
  void dispatch(Message& message);
  [[nodiscard]] Message to(NodeId peer, MessageKind kind) const;
  void send(Message message) { outgoing_.push_back(std::move(message)); }
  void send_when_durable(Message message, Wait wait) { staged_.push_back({wait, std::move(message)}); }
  void issue_write(Output& out);
  void release(Output& out);
  void deliver(Output& out);

  // election.cc
  void become_follower(Term term, NodeId leader);
  void become_pre_candidate();
  void become_candidate(bool forced);
  void become_leader();
  void reset_timer();
  [[nodiscard]] bool heeds_leader() const;
  [[nodiscard]] bool may_campaign() const;
  void ask_for_votes(MessageKind kind, Term term, bool forced);
  void count_votes();
  void on_vote_request(const Message& message);
  void on_pre_vote_request(const Message& message);
  void on_vote_response(const Message& message);
  [[nodiscard]] bool follow(const Message& message);

  // replication.cc
  [[nodiscard]] Index append(EntryKind kind, std::string data);
  void on_append_request(Message& message);
  void on_append_response(const Message& message);
  void acknowledge(NodeId peer, Index index);
  void take_entries(Message& message);
  void truncate_from(Index index);
  void commit_to(Index index);
  void advance_commit();
  void replicate();
  void replicate_to(NodeId peer, Progress& progress);
  void send_append(NodeId peer, Progress& progress, bool empty);
  [[nodiscard]] Index match_of(NodeId id) const;

  // snapshots.cc
  void begin_snapshot(Progress& progress);
  void send_chunk(NodeId peer, Progress& progress);
  void on_snapshot_chunk(Message& message);
  void on_snapshot_response(const Message& message);
  void install(Snapshot snapshot);

  // membership.cc
  [[nodiscard]] const Configuration& configuration() const { return configurations_.back().second; }
  [[nodiscard]] Index configuration_index() const { return configurations_.back().first; }
  [[nodiscard]] Refusal change_refused(const std::vector<NodeId>& voters, const std::vector<NodeId>& learners) const;
  void configuration_appended(Index index, Configuration configuration);
  void update_peers();
  void after_commit();
  void hand_over();
  void continue_transfer();
  void send_timeout_now(NodeId target);
  void on_timeout_now(const Message& message);

  // reads.cc
  void send_heartbeats();
  void on_heartbeat(const Message& message);
  void on_heartbeat_response(const Message& message);
  [[nodiscard]] bool lease_holds() const;
  [[nodiscard]] bool committed_in_term() const;
  void start_reads();
  void release_reads();
  void lose_reads();

  Options options_;
  Rng rng_;

  // Hard state, and what the log's memory holds.
  Term term_ = 0;
  NodeId vote_ = kNobody;
  Index commit_ = 0;
  Log log_;
  std::vector<std::pair<Index, Configuration>> configurations_;  // ascending; the last one counts
  std::shared_ptr<const Snapshot> snapshot_;                     // the newest

  // Time, in ticks since the start.
  std::uint64_t now_ = 0;
  std::uint64_t timer_from_ = 0;    // when the election timer was set
  unsigned timeout_ = 0;            // … and for how long
  std::uint64_t heard_at_ = 0;      // of a leader; 0 at the start, when a lease may have been promised
  std::uint64_t heartbeat_at_ = 0;  // when a leader sent the last ones
  std::uint64_t quorum_check_at_ = 0;

  Role role_ = Role::follower;
  NodeId leader_ = kNobody;
  std::map<NodeId, bool> votes_;
  std::uint64_t campaign_write_ = 0;  // makes the own vote durable; 0: not written yet
  std::uint64_t elections_ = 0;

  // Leader.
  std::map<NodeId, Progress> peers_;
  Index term_start_ = 0;  // its no-op
  std::size_t uncommitted_bytes_ = 0;
  NodeId transfer_target_ = kNobody;
  std::uint64_t transfer_until_ = 0;
  bool transfer_ordered_ = false;
  bool lease_void_ = false;  // somebody was told to campaign: voters may no longer heed this leader
  std::uint64_t round_ = 0;
  std::deque<std::pair<std::uint64_t, std::uint64_t>> round_sent_;  // round, when
  std::deque<PendingRead> reads_;                                   // with their round, in its order
  std::vector<std::uint64_t> early_reads_;                          // came before an entry of this term was committed

  // Follower.
  Assembly assembly_;

  // The disk. Writes are numbered from 1.
  bool hard_state_dirty_ = false;
  Index unwritten_ = 1;  // first entry that no output gave out
  std::shared_ptr<const Snapshot> unwritten_snapshot_;
  std::uint64_t written_ = 0;
  std::uint64_t written_hard_state_ = 0;
  std::uint64_t persisted_ = 0;
  std::deque<Write> writes_;
  Index durable_ = 0;

  // Application.
  Index delivered_ = 0;
  Index applied_ = 0;

  std::vector<Message> outgoing_;
  std::vector<Staged> staged_;
  std::vector<Held> held_;
  std::vector<ReadReady> ready_reads_;
  std::vector<std::uint64_t> lost_reads_;
  std::uint64_t refused_ = 0;
};

}  // namespace ordeal::log::raft
