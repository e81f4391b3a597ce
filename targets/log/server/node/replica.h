#pragma once
// Replica: consensus, storage and state of one node, run by one thread.
//
// The thread gathers whatever came since it looked last (messages of peers, requests of clients, ticks), gives all of
// it to the Raft core, and carries out what comes out: sends messages, writes and syncs once (group commit), applies
// what is committed, answers. Requests wait in their own threads, each until its deadline.
//
// What an outcome means: `done`: the entry is committed, and this is its answer. `refused`: it is not in the log and
// never will be. `unknown`: everything else; it may have taken effect, or may yet.
//
// Time of commands: how long leaders have led, in milliseconds, by the monotonic clock; a new leader goes on from the
// last time that it applied. Thread-safety: all public methods from any thread.

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/deadline.h"
#include "base/error.h"
#include "targets/log/server/node/options.h"
#include "targets/log/server/node/peers.h"
#include "targets/log/server/raft/raft.h"
#include "targets/log/server/state/machine.h"
#include "targets/log/server/tree/merkle.h"
#include "targets/log/server/wal/file_system.h"
#include "targets/log/server/wal/storage.h"

namespace ordeal::log::node {

struct Outcome {
  enum class Kind { done, refused, unknown };
  Kind kind = Kind::unknown;
  state::Answer answer = {};  // done
  std::string code = {};      // else: "not-leader", "no-leader", "busy", "disk-full", "timeout", "leader-changed", …
  std::string message = {};
  raft::Term term = 0;
};

// A glance at the node, never older than the last round of its thread.
struct Glance {
  raft::Role role = raft::Role::follower;
  raft::Term term = 0;
  raft::NodeId leader = raft::kNobody;
  raft::Index commit = 0;
  raft::Index applied = 0;
  bool disk_full = false;
  std::string trouble;  // why writes are refused; or why it stopped
  bool stopped = false;
};

struct Counters {
  std::uint64_t syncs = 0;
  std::uint64_t applied = 0;
  std::uint64_t snapshots = 0;
  std::uint64_t elections = 0;
  std::uint64_t refused_messages = 0;
};

class Replica {
 public:
  // Recovers from the disk and begins to run. `files` outlives it. `failed` is called once, from its thread, when the
  // node cannot go on: its process should end. Errors: input, io, target, as those of Storage.
  [[nodiscard]] static Result<std::unique_ptr<Replica>> start(const NodeOptions& options, const Identity& identity,
                                                              wal::FileSystem& files,
                                                              std::function<void(const std::string&)> failed);
  ~Replica();
  Replica(const Replica&) = delete;
  Replica& operator=(const Replica&) = delete;

  // Puts a command into the log. `pass_on`: a node that does not lead sends it to the leader, once.
  [[nodiscard]] Outcome submit(const state::Command& command, bool pass_on, Deadline deadline);
  // Waits until what is here is at least as new as all that was committed when it was asked: then query() is a
  // linearizable read. Nothing was changed, whatever the outcome.
  [[nodiscard]] Outcome read_barrier(bool pass_on, Deadline deadline);
  // What is here, however old.
  [[nodiscard]] state::Answer query(const state::Query& query) const;
  // Waits until more than `index` is applied; false: not in time.
  bool await_applied(raft::Index index, Deadline deadline) const;

  [[nodiscard]] Glance glance() const;
  [[nodiscard]] Counters counters() const;
  // Reads the tree and the entries under it. `use` must be quick: nothing is applied meanwhile.
  void with_state(const std::function<void(const state::Machine&, const tree::Tree&)>& use) const;
  // Runs in the node's thread. Nothing: it did not come to it in time, or the node stopped.
  [[nodiscard]] std::optional<raft::Status> status(Deadline deadline) const;
  // Changes of members: the refusal, or none when the change was proposed; nothing: no answer in time.
  [[nodiscard]] std::optional<raft::Refusal> add_learner(raft::NodeId node, Deadline deadline);
  [[nodiscard]] std::optional<raft::Refusal> remove_node(raft::NodeId node, Deadline deadline);
  [[nodiscard]] std::optional<raft::Refusal> transfer(raft::NodeId to, Deadline deadline);
  // Name and addresses of a node, as far as known.
  [[nodiscard]] MemberAddress address_of(raft::NodeId node) const;
  [[nodiscard]] raft::NodeId id() const { return identity_.id; }
  // Hands leadership over if it leads and waits for that until the deadline, then stops.
  void stop(Deadline deadline);

 private:
  using Reply = std::function<void(Outcome)>;
  using ReadReply = std::function<void(std::optional<raft::Index>)>;
  struct Waiting {
    raft::Term term = 0;
    Reply reply;
  };
  struct Passed {
    raft::NodeId to = raft::kNobody;
    Deadline until;
    Reply reply;           // a command
    ReadReply read_reply;  // a read
  };

  Replica(const NodeOptions& options, const Identity& identity, std::function<void(const std::string&)> failed);
  Result<void> recover(wal::FileSystem& files);
  // False: the thread has ended, or too much waits for it.
  bool post(std::function<void()> task) const;
  template <class T>
  std::optional<T> ask(std::function<T()> question, Deadline deadline) const;

  // Everything below runs in the node's thread.
  void run(const std::stop_token& stop);
  void take_tasks(const std::stop_token& stop);
  void pass_time();
  void carry_out();
  bool write(raft::Output& output);
  void retry_writes();
  void disk_trouble();
  void apply(const std::vector<raft::Entry>& entries);
  void apply_command(const raft::Entry& entry, std::vector<std::pair<Reply, Outcome>>& answers);
  void restore(const raft::Snapshot& snapshot);
  void snapshot_if_due();
  void look_around();
  void promote_learners();
  void update_addresses();
  void refresh_glance();
  void give_up(const std::string& why);

  void propose(std::string command, bool pass_on, Deadline deadline, Reply reply);
  void ask_for_read(bool pass_on, Deadline deadline, ReadReply reply);
  void begin_reads();
  void answer_reads(const raft::Output& output);
  void received(raft::NodeId from, const FrameReader::Frame& frame);
  void serve_forwarded(raft::NodeId from, Forwarded request, bool read);
  void forwarded_answer(raft::NodeId from, const Forwarded& answer, bool read);
  void drop_passed();
  [[nodiscard]] std::uint64_t cluster_time_ms() const;

  const NodeOptions options_;
  const Identity identity_;
  const std::function<void(const std::string&)> failed_;
  std::unique_ptr<Peers> peers_;

  // Tasks for the thread.
  mutable std::mutex tasks_mutex_;
  mutable std::condition_variable_any tasks_wake_;
  mutable std::vector<std::function<void()>> tasks_;
  mutable bool closed_ = false;

  // The state, read by others.
  mutable std::shared_mutex state_mutex_;
  state::Machine machine_;
  tree::Tree tree_;
  mutable std::mutex glance_mutex_;
  mutable std::condition_variable applied_wake_;
  Glance glance_;
  Counters counters_;

  // Of the thread alone.
  std::unique_ptr<raft::Raft> raft_;
  std::unique_ptr<wal::Storage> storage_;
  std::deque<raft::Output> unwritten_;  // the disk is full: to be written in this order
  std::map<raft::Index, Waiting> waiting_;
  std::map<std::uint64_t, Passed> passed_;
  std::uint64_t next_passed_ = 1;
  std::vector<ReadReply> new_reads_;
  std::map<std::uint64_t, std::vector<ReadReply>> reads_;
  std::uint64_t next_read_ = 1;
  std::multimap<raft::Index, std::function<void()>> when_applied_;
  raft::Index last_snapshot_ = 0;
  raft::NodeId last_leader_ = raft::kNobody;
  bool led_ = false;
  Deadline led_since_;
  std::uint64_t led_from_ms_ = 0;
  Deadline ticked_;
  Deadline look_next_;
  Deadline retry_next_;
  bool tick_proposed_ = false;
  bool gave_up_ = false;
  std::jthread thread_;  // last: it uses the others
};

}  // namespace ordeal::log::node
