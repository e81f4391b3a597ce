#pragma once
// Planted bugs of ordeal-log: defects of kinds that real systems had, one switch each, compiled only into the
// test build (macro ORDEAL_LOG_BUGS). In the normal build bug() is constant false and the compiler drops the branch.
//
//   if (bug(Bug::vote_without_log_check) || candidate_is_up_to_date) …
//
// To plant one: a line in the list below (name, room, public report it is modelled on), the branch, and a line in the
// test that finds it. Thread-safety: set the switch before other threads start.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace ordeal::log {

// X(name, room, what goes wrong, the public report or passage that it is modelled on)
#define ORDEAL_LOG_RAFT_BUG_LIST(X)                                                                                    \
  X(two_votes_in_a_term, "raft", "grants a second candidate of the same term its vote",                                \
    "Ongaro 2014, 3.4: a server votes for at most one candidate in a term")                                            \
  X(vote_without_log_check, "raft", "votes for a candidate whose log is behind its own",                               \
    "Ongaro 2014, 3.6.1: the election restriction")                                                                    \
  X(vote_forgotten, "raft", "does not know after a restart for whom it voted",                                         \
    "Ongaro 2014, 3.8: the vote is persistent state")                                                                  \
  X(vote_before_durable, "raft", "gives a vote, or asks for votes, before that is durable",                            \
    "Ongaro 2014, 3.8: the vote is persistent state")                                                                  \
  X(acknowledged_before_durable, "raft", "a follower acknowledges entries that are not durable",                       \
    "Ongaro 2014, 3.8; ALICE, Pillai et al., OSDI 2014")                                                               \
  X(leader_counts_unwritten, "raft", "a leader counts itself before its own write is durable",                         \
    "Ongaro 2014, 10.2.1: parallel disk writes")                                                                       \
  X(older_terms_committed, "raft", "commits entries of older terms by counting copies", "Ongaro 2014, figure 3.7")     \
  X(commit_before_quorum, "raft", "commits what only the leader has", "Ongaro 2014, 3.5")                              \
  X(commit_off_by_one, "raft", "commits one entry more than a quorum has", "an off-by-one in the commit index")        \
  X(commit_beyond_match, "raft", "tells followers to commit what was not compared with their logs",                    \
    "etcd raft, sendHeartbeat: a follower's commit must not be forwarded to an unmatched index")                       \
  X(previous_not_compared, "raft", "appends without comparing the entry before",                                       \
    "Ongaro 2014, 3.5: the consistency check")                                                                         \
  X(conflict_not_truncated, "raft", "keeps its own entry where the leader's contradicts it", "Ongaro 2014, 3.5")       \
  X(late_append_truncates, "raft", "an append that comes late cuts off what came after it",                            \
    "Ongaro 2014, figure 3.1: only a conflict deletes")                                                                \
  X(pre_votes_counted, "raft", "a candidate takes the answers to its pre-vote for votes",                              \
    "Ongaro 2014, 9.6: a pre-vote promises nothing")                                                                   \
  X(read_without_round, "raft", "a leader reads without asking whether it still leads",                                \
    "Jepsen: etcd and Consul, 2014")                                                                                   \
  X(read_before_no_op, "raft", "ReadIndex before an entry of the own term is committed", "Ongaro 2014, 6.4, step 1")   \
  X(stale_lease, "raft", "a lease never ends", "Jepsen: etcd and Consul, 2014: Consul's leader lease")                 \
  X(lease_without_margin, "raft", "a lease as long as the election time-out, whatever clocks do",                      \
    "Ongaro 2014, 6.4.1: bounded clock drift")                                                                         \
  X(lease_survives_transfer, "raft", "a lease is still used after somebody was told to campaign",                      \
    "Ongaro 2014, 6.4.1: leadership transfer")                                                                         \
  X(old_snapshot_installed, "raft", "installs a snapshot that is older than what it committed",                        \
    "Ongaro 2014, 5.3: a snapshot that the log already covers changes nothing")                                        \
  X(snapshot_pieces_mixed, "raft", "puts together pieces of two leaders' snapshots", "Ongaro 2014, figure 5.3")        \
  X(single_step_membership, "raft", "changes any number of voters in one step, and again before that is committed",    \
    "Ongaro, raft-dev, 2015: bug in single-server membership changes")                                                 \
  X(joint_counts_new_only, "raft", "during a change only the new majority counts", "Ongaro 2014, 4.3")                 \
  X(learner_votes, "raft", "learners count for majorities", "Ongaro 2014, 4.2.1: non-voting members")                  \
  X(configuration_not_reverted, "raft", "a configuration that was cut off the log stays in force", "Ongaro 2014, 4.1") \
  X(no_randomness, "raft", "all nodes have the same election time-out", "Ongaro 2014, 3.4: split votes")               \
  X(stale_leader_ignored, "raft", "nobody tells a leader of an older term that it is one",                             \
    "Ongaro 2014, 3.3; etcd: pre-vote with check-quorum")

#define ORDEAL_LOG_STATE_BUG_LIST(X)                                                                               \
  X(snapshot_loses_sessions, "state", "idempotency keys are not in the snapshot",                                  \
    "Ongaro 2014, 6.3: session state is part of the snapshot")                                                     \
  X(snapshot_loses_ids, "state", "the counter of unique ids is not in the snapshot",                               \
    "Jepsen: Hazelcast 3.8.3, 2017: duplicate ids")                                                                \
  X(snapshot_loses_element, "state", "the last element of each set is not in the snapshot",                        \
    "Jepsen: Redis-Raft 1b3fbf6, 2020: lost updates")                                                              \
  X(snapshot_loses_entry, "state", "the last entry of the log is not in the snapshot",                             \
    "Jepsen: Redis-Raft 1b3fbf6, 2020: lost updates")                                                              \
  X(nack_loses_message, "state", "a message that is given back is gone",                                           \
    "Jepsen: RabbitMQ 3.3.0, 2014: lost messages")                                                                 \
  X(ack_redelivers, "state", "an acknowledged message comes again", "Jepsen: RabbitMQ 3.3.0, 2014: at-least-once") \
  X(dead_letter_lost, "state", "a message that was delivered too often is gone",                                   \
    "a queue whose dead-letter queue is not declared")                                                             \
  X(dequeue_leaves_message, "state", "now and then a message that was taken stays",                                \
    "Jepsen: Hazelcast 3.8.3, 2017: queues")                                                                       \
  X(queue_jumps, "state", "now and then the youngest message comes out first",                                     \
    "a queue that promises an order it does not keep")                                                             \
  X(lock_taken_while_held, "state", "now and then a lock that is held is given to another",                        \
    "Jepsen: etcd 3.4.3, 2020: locks are not exclusive")                                                           \
  X(token_goes_back, "state", "fencing tokens do not grow", "Kleppmann 2016, How to do distributed locking")       \
  X(transaction_loses_write, "state", "now and then the last write of a transaction is not made",                  \
    "Jepsen: Dgraph 1.0.2, 2018: partial transactions")                                                            \
  X(version_counts_values, "state", "a write of the same value keeps the version",                                 \
    "the ABA problem, IBM System/370 Principles of Operation")                                                     \
  X(counter_loses_adds, "node", "adds are read, added and written by the node that was asked",                     \
    "Jepsen: Aerospike 3.5.4, 2015: lost increments")                                                              \
  X(cas_before_order, "node", "a compare-and-set is decided before it has its place in the log",                   \
    "Jepsen: etcd and Consul, 2014; check-then-act")                                                               \
  X(reads_before_order, "node", "a transaction reads before it has its place in the log",                          \
    "Jepsen: Dgraph 1.0.2, 2018: read skew")                                                                       \
  X(follower_reads, "node", "a follower answers reads by itself", "Jepsen: etcd and Consul, 2014: stale reads")    \
  X(timeout_said_failed, "node", "a request of unknown outcome is said not to have been applied",                  \
    "Jepsen: MongoDB 4.2.6, 2020: indeterminate errors")                                                           \
  X(retry_without_key, "node", "a node repeats requests of unknown outcome that have no idempotency key",          \
    "Jepsen: CockroachDB beta-20160829, 2017: applied twice")                                                      \
  X(proxy_sends_twice, "node", "now and then a request is passed on to the leader twice",                          \
    "Jepsen: TiDB 2.1.7, 2019: automatic retries")                                                                 \
  X(sessions_forgotten_by_leader, "node", "a new leader forgets the idempotency keys",                             \
    "Ongaro 2014, 6.3: sessions are replicated state")                                                             \
  X(ids_from_the_node, "node", "unique ids are counted by each node for itself",                                   \
    "Jepsen: Hazelcast 3.8.3, 2017: duplicate ids")                                                                \
  X(lease_by_wall_clock, "node", "leases are counted by the wall clock of whoever leads",                          \
    "Kleppmann 2016, How to do distributed locking")

#define ORDEAL_LOG_BUG_LIST(X)                                                                                      \
  ORDEAL_LOG_RAFT_BUG_LIST(X)                                                                                       \
  ORDEAL_LOG_STATE_BUG_LIST(X)                                                                                      \
  X(vote_not_durable, "wal", "the record of term and vote names nobody",                                            \
    "Ongaro 2014, 3.8: a server that forgets its vote may vote twice in a term")                                    \
  X(torn_tail_accepted, "wal", "takes what is left of a half-written batch for entries",                            \
    "Alagappan et al., Protocol-Aware Recovery for Consensus-Based Storage (FAST 2018)")                            \
  X(crc_not_checked, "wal", "reads records without looking at their checksums",                                     \
    "Kingsbury, Jepsen: NATS 2.12.1 (2025): single-bit errors in data files went unnoticed")                        \
  X(fsync_error_ignored, "wal", "goes on after a failed fdatasync as if it had succeeded",                          \
    "PostgreSQL's handling of fsync() errors is unsafe (fsyncgate, 2018)")                                          \
  X(full_disk_acknowledged, "wal", "says that a batch is durable for which there was no room",                      \
    "Rebello et al., Can Applications Recover from fsync Failures? (ATC 2020)")                                     \
  X(snapshot_not_synced, "wal", "cuts the log before the snapshot that replaces it is on disk",                     \
    "Pillai et al., All File Systems Are Not Created Equal (OSDI 2014): rename without fsync")                      \
  X(directory_not_synced, "wal", "does not sync the folder after making and renaming files",                        \
    "Pillai et al., All File Systems Are Not Created Equal (OSDI 2014): directory entries")                         \
  X(batch_not_synced, "wal", "says that a batch is durable before fdatasync",                                       \
    "Kingsbury, Jepsen: NATS 2.12.1 (2025): acknowledged before fsync")                                             \
  X(hard_state_cut_with_log, "wal", "a new segment does not repeat term and vote, so that compaction forgets them", \
    "Ongaro 2014, 5.1: term and vote outlive the discarded log")                                                    \
  X(merkle_order_after_restart, "tree", "restores the tree's leaves in another order",                              \
    "Certificate log Yeti 2022 (2021): a signed head whose entries do not hash to its root")                        \
  X(revoked_key_accepted, "tree", "believes heads that a revoked key signed",                                       \
    "Certificate log DigiCert CT2 (2020): its signing key was exposed, and it was retired")

enum class Bug : std::uint8_t {
  none,
#define ORDEAL_LOG_BUG_ENUMERATOR(name, room, what, report) name,
  ORDEAL_LOG_BUG_LIST(ORDEAL_LOG_BUG_ENUMERATOR)
#undef ORDEAL_LOG_BUG_ENUMERATOR
};

struct BugEntry {
  Bug bug = Bug::none;
  std::string_view name;  // as the enumerator is spelt
  std::string_view room;
  std::string_view what;
  std::string_view report;
};

inline constexpr auto kBugs = std::to_array<BugEntry>({
#define ORDEAL_LOG_BUG_ENTRY(name, room, what, report) BugEntry{Bug::name, #name, room, what, report},
    ORDEAL_LOG_BUG_LIST(ORDEAL_LOG_BUG_ENTRY)
#undef ORDEAL_LOG_BUG_ENTRY
});

// The bug of this name; '-' and '_' are the same.
[[nodiscard]] constexpr std::optional<Bug> bug_named(std::string_view name) {
  for (const BugEntry& entry : kBugs) {
    bool same = entry.name.size() == name.size();
    for (std::size_t i = 0; same && i < name.size(); ++i) {
      same = entry.name[i] == (name[i] == '-' ? '_' : name[i]);
    }
    if (same) return entry.bug;
  }
  return std::nullopt;
}

#ifdef ORDEAL_LOG_BUGS
inline Bug planted_bug = Bug::none;
[[nodiscard]] inline bool bug(Bug which) { return planted_bug == which; }
#else
[[nodiscard]] constexpr bool bug(Bug) { return false; }
#endif

}  // namespace ordeal::log
