#pragma once
// Raft: consensus of ordeal-log as a pure state machine. Messages, ticks and completions of the disk go in; messages,
// writes and committed entries come out. It has no threads, sockets, clock or disk, so the same code runs in a node
// and, with every fault that one can think of, in the simulation (targets/log/README.md).
//
// After D. Ongaro, "Consensus: Bridging Theory and Practice" (Stanford, 2014), cited as [O]: leader election with
// randomised time-outs [O 3.4, 3.9], pre-vote [O 9.6] and check-quorum [O 6.2], commitment of entries of the own term
// only [O 3.6.2], pipelined and batched replication while the leader's own disk still writes [O 10.2], ReadIndex and
// lease reads [O 6.4], snapshots in chunks [O 5], joint consensus with learners [O 4.3, 4.2.1], transfer [O 3.10].
//
// The loop of whoever runs it:
//
//   auto raft = Raft::start(options, recovered, Rng(seed)).value();
//   for (;;) {
//     … raft->step(message), raft->tick(), raft->propose(data), raft->persisted(n), raft->applied(i): whatever came
//     Output out = raft->take_output();
//     send(out.messages);                      // at once: what must wait for the disk is not among them yet
//     if (out.write != 0) storage.write(out);  // in the order of the outputs; persisted(out.write) when it is durable
//     if (out.snapshot) state.restore(*out.snapshot);
//     apply(out.committed);                    // in order; then applied(last index)
//     answer(out.reads, out.lost_reads);       // of clients
//   }
//
// **What must wait for the disk is held back here**, not by the caller: a vote, an acknowledgement of entries or of a
// snapshot is given out by take_output() only after persisted() said that everything it promises is durable. So a
// caller that calls persisted() honestly cannot acknowledge what a crash would lose.
//
// Hostile input: step() refuses messages that no correct peer sends (status().refused counts them) and never aborts on
// one; memory taken on behalf of peers is bounded by Options. That `from` is who sent it is the transport's promise.
//
// Thread-safety: one thread at a time.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/rng.h"
#include "targets/log/server/raft/message.h"
#include "targets/log/server/raft/types.h"

namespace ordeal::log::raft {

// How linearizable reads learn that this node still leads.
enum class ReadMode : std::uint8_t {
  // By a round of heartbeats that a quorum answers: right whatever clocks do.
  read_index,
  // By a lease that a quorum's last answers gave [O 6.4.1]: no round, but right only while no node's ticks run faster
  // than another's by more than Options::lease_margin_ticks in election_ticks. A node whose process was paused must
  // feed tick() the time that passed before it does anything else.
  lease,
};

// Time is counted in ticks; a node ticks every 10 ms, so that the defaults are 150–300 ms and 50 ms.
struct Options {
  NodeId id = kNobody;
  // A follower that hears of no leader campaigns after a number of ticks drawn anew each time from this range. Voters
  // that heard of a leader less than the minimum ago refuse candidates.
  unsigned election_ticks = 15;
  unsigned election_ticks_max = 30;  // exclusive; Requires: > election_ticks
  unsigned heartbeat_ticks = 5;      // Requires: < election_ticks
  bool pre_vote = true;
  bool check_quorum = true;  // a leader that a quorum did not answer for election_ticks_max steps down
  ReadMode reads = ReadMode::read_index;
  // Of a lease of election_ticks, how many are given away for the drift of clocks. Requires: < election_ticks.
  unsigned lease_margin_ticks = 3;

  // Replication: entries and bytes in one message (at least one entry, whatever its size), messages in
  // flight to a peer.
  std::size_t max_append_entries = 1024;
  std::size_t max_append_bytes = 256 * 1024;
  std::size_t max_inflight = 64;
  std::size_t max_entry_bytes = 8 * 1024 * 1024;         // of one proposal, and of a peer's entries
  std::size_t max_uncommitted_bytes = 64 * 1024 * 1024;  // then propose() says `busy`
  std::size_t max_pending_reads = 64 * 1024;             // then read_index() says `busy`
  std::size_t max_apply_bytes = 4 * 1024 * 1024;         // in one Output::committed (at least one entry)
  std::size_t snapshot_chunk_bytes = 256 * 1024;
  std::size_t max_snapshot_bytes = std::size_t{1} << 30;  // larger ones of peers are refused
  std::size_t max_members = 64;                           // voters and learners
  // A node may become a voter when it is a learner that lacks at most so many entries.
  std::uint64_t promotion_lag = 1000;
};

// The snapshot with which every node of a new cluster starts, the same on all: of index 1 and term 1, without state. It
// has an index of its own, so that a node that joins later and has nothing is sent a snapshot, and with it who belongs.
[[nodiscard]] Snapshot first_snapshot(Configuration configuration);

// What storage found when the process started. A node of a new cluster has first_snapshot(); one that will join an
// existing cluster has an empty Snapshot{} without members, and waits to be told.
struct Recovered {
  HardState hard_state;
  Snapshot snapshot;           // `state` is used only to send it on; the caller restores its state machine from it
  std::vector<Entry> entries;  // without a gap; those that the snapshot covers are ignored
};

enum class Role : std::uint8_t { follower, pre_candidate, candidate, leader };
[[nodiscard]] std::string_view name(Role role);

// Why a request was not taken. Nothing of it will ever take effect.
enum class Refusal : std::uint8_t {
  none = 0,
  not_leader,      // ask status().leader
  transferring,    // leadership is being handed over; try again soon
  busy,            // too much is under way; try again later
  too_large,       // over Options::max_entry_bytes
  change_pending,  // another change of members is under way, or nothing of this term is committed yet
  bad_members,     // no voters, a node twice, too many
  lagging,         // a voter to be is no learner yet, or lacks too many entries
  bad_target,      // not a voter
};
[[nodiscard]] std::string_view name(Refusal refusal);

// Where a proposal stands in the log. It took effect when the entry at `index` is committed with this `term`; when
// another term is committed there it never will.
struct Proposed {
  Refusal refusal = Refusal::none;
  Term term = 0;
  Index index = 0;
  explicit operator bool() const { return refusal == Refusal::none; }
};

// A read that may be served once `index` is applied here.
struct ReadReady {
  std::uint64_t context = 0;
  Index index = 0;
};

// What is to be done. Its parts may be carried out side by side, but for what is said here.
struct Output {
  // To be sent now, in any order; they may be lost.
  std::vector<Message> messages;

  // What to write, when `write` is not 0: first the snapshot (the log then begins after it; older entries go), then the
  // entries (which replace all from entries.front().index on), then the hard state. Writes are made durable in the
  // order of their numbers; persisted(write) confirms this one and all before it.
  std::uint64_t write = 0;
  std::shared_ptr<const Snapshot> snapshot;
  std::vector<Entry> entries;
  std::optional<HardState> hard_state;

  // To be applied in order, after `snapshot` was restored, if there is one. They are durable on a quorum and here. All
  // kinds are among them; only commands concern the state machine. There may be more: call take_output() again.
  std::vector<Entry> committed;

  std::vector<ReadReady> reads;
  std::vector<std::uint64_t> lost_reads;  // contexts: this node stopped leading; ask another

  [[nodiscard]] bool empty() const {
    return messages.empty() && write == 0 && committed.empty() && reads.empty() && lost_reads.empty();
  }
};

// What a leader knows of another member.
struct PeerStatus {
  NodeId id = kNobody;
  Index match = 0;
  Index next = 0;
  bool active = false;    // it answered lately
  bool snapshot = false;  // it is being sent one
};

struct Status {
  NodeId id = kNobody;
  Role role = Role::follower;
  Term term = 0;
  NodeId vote = kNobody;
  NodeId leader = kNobody;  // kNobody: not known
  Index first = 1;          // of the entries kept
  Index last = 0;
  Index durable = 0;  // entries up to here are durable here
  Index commit = 0;
  Index applied = 0;
  Configuration configuration;  // the newest in the log, committed or not: that is the one that counts [O 4.1]
  Index configuration_index = 0;
  NodeId transfer_target = kNobody;
  std::vector<PeerStatus> peers;  // of a leader
  std::uint64_t refused = 0;      // messages that no correct peer sends
  std::uint64_t elections = 0;    // that this node began since it started
};

class Core;

class Raft {
 public:
  // Errors: usage, an option out of its range; input, what was recovered contradicts itself (a gap, a
  // falling term, a configuration that cannot be read, members in a snapshot of index 0). A commit index beyond the
  // last entry is cut, and a last write that was torn between its entries and its hard state is taken as it is: nobody
  // was promised anything of either. For election_ticks after the start the node grants no votes, since it may have
  // promised a leader a lease.
  [[nodiscard]] static Result<std::unique_ptr<Raft>> start(const Options& options, Recovered recovered, Rng rng);
  ~Raft();
  Raft(const Raft&) = delete;
  Raft& operator=(const Raft&) = delete;

  // So many ticks have passed.
  void tick(unsigned count = 1);
  // A message of a peer came.
  void step(Message message);

  // Leader: puts a command at the end of the log. What was proposed since the last output is sent in one
  // message a peer.
  Proposed propose(std::string data);
  // Leader: asks from where a linearizable read may be served; the answer has the same context. Several reads
  // share a round.
  [[nodiscard]] Refusal read_index(std::uint64_t context);
  // Leader: changes who belongs to the cluster, by joint consensus when voters change. When the joint configuration is
  // committed the leader proposes the one that ends it, whoever leads then; a leader that is no voter of it hands over.
  // `index` is that of the first entry; the change is over when status().configuration has no outgoing voters and its
  // index is committed. A node that was removed and lost its disk must come back under another id.
  Proposed change_members(std::vector<NodeId> voters, std::vector<NodeId> learners);
  // Leader: hands over to a voter: brings its log up to date, lets it campaign. No proposals are taken meanwhile. Given
  // up after election_ticks_max. Asked again with the same target it does nothing.
  [[nodiscard]] Refusal transfer_leadership(NodeId target);

  // Campaigns now, if it is a voter and heeds no leader: a cluster of one need not wait for the time-out.
  void campaign();

  // The writes up to and including this number are durable. Requires: take_output() gave it out.
  void persisted(std::uint64_t write);
  // Entries up to here were applied. Requires: take_output() gave them out.
  void applied(Index index);

  // The state machine's state after `index` as a snapshot that can be stored and sent. Requires: an applied index
  // not below the last snapshot's.
  [[nodiscard]] Snapshot make_snapshot(Index index, std::string state) const;
  // A snapshot is durable: the entries before `first_kept` are dropped (those after the snapshot are kept in any case).
  // Peers that lack dropped entries are sent the snapshot.
  void compact(std::shared_ptr<const Snapshot> snapshot, Index first_kept);

  // Everything to be done since the last call. Cheap when there is nothing.
  [[nodiscard]] Output take_output();

  [[nodiscard]] Status status() const;
  // Just these, without the cost of a Status.
  [[nodiscard]] Role role() const;
  [[nodiscard]] Term term() const;
  [[nodiscard]] NodeId leader() const;
  [[nodiscard]] Index commit() const;
  // The entries kept, for tests and the simulation's invariants. 0: not kept.
  [[nodiscard]] Term term_at(Index index) const;
  [[nodiscard]] const Entry* entry_at(Index index) const;

 private:
  explicit Raft(std::unique_ptr<Core> core);
  std::unique_ptr<Core> core_;
};

}  // namespace ordeal::log::raft
