#pragma once
// Machine: the replicated state of ordeal-log. Entries go in, in the order of the log; every node that applied the same
// entries has the same state, byte by byte, and gave the same answers.
//
// It holds the append-only log (whose entries are the leaves of the Merkle tree), the key-value map, sets, queues,
// locks, the counter of unique ids, the members' addresses, the idempotency keys and the last events.
//
// Time comes in with the commands: the leader chose it, and it never goes back (a command with an earlier time counts
// as one at the latest time seen). Nothing here looks at a clock, draws a random number or depends on the order of a
// hash table. Thread-safety: none of its own; const methods may run side by side.

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "targets/log/server/raft/types.h"
#include "targets/log/server/state/command.h"
#include "targets/log/server/state/events.h"
#include "targets/log/server/state/locks.h"
#include "targets/log/server/state/map.h"
#include "targets/log/server/state/queues.h"
#include "targets/log/server/state/sessions.h"

namespace ordeal::log::state {

// What is asked without changing anything.
struct Query {
  enum class Kind : std::uint8_t { look, range, set, queue, lock, entries, events, members };
  Kind kind = Kind::look;
  std::string key = {};          // of a set, queue, lock; the prefix of a range or of events
  std::string after = {};        // range: the key after which to begin
  std::uint64_t from = 0;        // entries: the first position; events: the first index
  std::size_t limit = 100;       // range, entries, events
  std::vector<Step> steps = {};  // look: reads and checks
};

class Machine {
 public:
  static constexpr std::size_t kMaxElements = 1'000'000;  // of a set

  // One entry of kind command. Requires: indices grow; other kinds of entries may lie between.
  Answer apply(raft::Index index, std::string_view command);
  // That entries up to here, of whatever kind, are applied.
  void advance(raft::Index index) { applied_ = index; }
  [[nodiscard]] Answer query(const Query& query) const;

  // The whole state as versioned bytes; equal states give equal bytes.
  [[nodiscard]] std::string snapshot() const;
  // Replaces the state; untouched when there is an error. Errors: input: these are not bytes of snapshot().
  [[nodiscard]] Result<void> restore(std::string_view bytes);

  [[nodiscard]] raft::Index applied() const { return applied_; }
  [[nodiscard]] std::uint64_t now_ms() const { return now_ms_; }
  // Whether something lapses at this time: then a tick should be proposed.
  [[nodiscard]] bool tick_due(std::uint64_t now_ms) const;
#ifdef ORDEAL_LOG_BUGS
  void forget_sessions() { sessions_ = Sessions(); }  // Bug::sessions_forgotten_by_leader
#endif
  // The entries appended so far, the leaves of the Merkle tree in order.
  [[nodiscard]] const std::vector<std::string>& entries() const { return entries_; }
  // The addresses that members gave, by node.
  struct Member {
    std::string name;
    std::string addresses;  // "PEER CLIENT", two host:port
    friend bool operator==(const Member&, const Member&) = default;
  };
  [[nodiscard]] const std::map<raft::NodeId, Member>& members() const { return members_; }

 private:
  Answer execute(const Command& command, raft::Index index);
  Answer transact(const Command& command, raft::Index index);
  Answer append(const Command& command, raft::Index index);
  Answer change_set(const Command& command, raft::Index index);
  Answer change_queue(const Command& command, raft::Index index);
  Answer change_lock(const Command& command, raft::Index index);
  Answer change_member(const Command& command, raft::Index index);
  void lapse();
  [[nodiscard]] Answer set_elements(const std::string& key) const;
  [[nodiscard]] Answer entries_from(std::uint64_t from, std::size_t limit) const;
  [[nodiscard]] Answer all_members() const;

  raft::Index applied_ = 0;
  std::uint64_t now_ms_ = 0;
  std::uint64_t next_id_ = 1;
  std::vector<std::string> entries_;
  KeyValueMap map_;
  std::map<std::string, std::set<std::string>> sets_;
  Queues queues_;
  Locks locks_;
  std::map<raft::NodeId, Member> members_;
  Sessions sessions_;
  Events events_;
};

}  // namespace ordeal::log::state
