#pragma once
// TransparentLog: a log of the memory target that anybody can verify, with tree heads and proofs of RFC 6962.
//
//   transparency-log  `append` value: [index, value], the same value again the same index; `read` and `tail`
//                     [from, limit]: the entries from there on; `head`: size and root; `inclusion` [index, size] and
//                     `consistency` [first, second]: proofs. lost-write: an entry is acknowledged and not kept;
//                     duplicate: one that is sent again is appended again; reorder: a read has its last two entries in
//                     the wrong order; stale-read: it lacks the last one; forged-head: a head's root is not that of the
//                     entries; fork: the clients with odd numbers are shown a log whose last entry is another one
//
// Nothing is signed: there is no wire between the log and its clients. Thread-safety: all methods from any thread.

#include <map>
#include <mutex>
#include <vector>

#include "base/merkle/tree.h"
#include "checkers/history/operation.h"
#include "targets/memory/bugs.h"

namespace ordeal::memory {

class TransparentLog {
 public:
  explicit TransparentLog(Faultiness faults) : faults_(faults) {}
  [[nodiscard]] Completion apply(const Operation& operation, std::uint64_t client, Rng& rng);

 private:
  Completion append(const Value& entry, Rng& rng);
  Completion range(std::size_t from, std::size_t limit, Rng& rng) const;
  Completion head(std::uint64_t client, Rng& rng) const;
  Completion proof(const Operation& operation, std::size_t first, std::size_t second) const;

  const Faultiness faults_;
  std::mutex mutex_;  // guards all below
  Value::List entries_;
  std::map<Value, std::int64_t> index_of_;
  merkle::Tree tree_;
};

}  // namespace ordeal::memory
