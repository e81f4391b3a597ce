#pragma once
// Locks with lease and fencing token; a leader election is a lock whose owner is the candidate.
//
// The fencing token is the index of the entry that acquired the lock: it grows from owner to owner and never comes
// again. A lease lapses by the time of the commands (Machine), the same entry on every node. A token that lapsed is
// refused wherever it is shown: release, keep_alive, and Step::check_lock. Thread-safety: none of its own.

#include <cstdint>
#include <map>
#include <string>

#include "targets/log/server/raft/types.h"
#include "targets/log/server/state/command.h"

namespace ordeal::log::state {

class Reader;
class Writer;

class Locks {
 public:
  // {"token":…} of the new owner; held: {"owner":…,"token":…} of the one there is.
  [[nodiscard]] Answer acquire(const Command& command, raft::Index index, std::uint64_t now_ms);
  [[nodiscard]] Answer keep_alive(const Command& command, std::uint64_t now_ms);
  [[nodiscard]] Answer release(const std::string& lock, std::uint64_t token);
  void expire(std::uint64_t now_ms);
  // {"owner":…,"token":…}, null and 0 when it is free.
  [[nodiscard]] Answer look(const std::string& lock) const;
  [[nodiscard]] bool holds(const std::string& lock, std::uint64_t token) const;
  // When the next lease lapses, or earlier; 0: none does.
  [[nodiscard]] std::uint64_t next_expiry_ms() const { return earliest_ms_; }

  void save(Writer& out) const;
  void load(Reader& in);

 private:
  struct Lease {
    std::string owner;  // JSON text
    std::uint64_t token = 0;
    std::uint64_t until_ms = 0;  // 0: no end
  };
  // Sets the end of a lease.
  void lend(Lease& lease, std::uint64_t now_ms, std::uint64_t ttl_ms);
  void find_earliest();
  std::map<std::string, Lease> locks_;
  std::uint64_t earliest_ms_ = 0;  // not later than any lease lapses; 0: none does
};

}  // namespace ordeal::log::state
