#pragma once
// Messages: what the memory target delivers beside its logs, each behind one lock. By data type, with what the bugs do
// (bugs.h):
//
//   dead-letter  `enqueue` {id, poison}, `receive`, `ack`, `reject` id, `drain-dead`: a queue; a message that was
//                delivered three times and not acknowledged goes to the dead-letter queue. lost-write: a rejected one
//                is gone; duplicate: one that is dead stays in the queue as well; write-skew: attempts are not counted;
//                stale-read: a receive finds nothing while a rejected message waits
//   outbox       `change` {id, key, rollback}, `read`, `messages`. lost-write: the message is not sent; write-skew: it
//                is sent before the change is rolled back; reorder: it overtakes the one before; stale-read: the last
//                change is missing from a read; duplicate: the change is made twice
//
// Thread-safety: all methods from any thread.

#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "checkers/history/operation.h"
#include "targets/memory/bugs.h"

namespace ordeal::memory {

class Messages {
 public:
  explicit Messages(Faultiness faults) : faults_(faults) {}

  // nullopt when the operation is none of these on that data type.
  [[nodiscard]] std::optional<Completion> apply(std::string_view data_type, const Operation& operation,
                                                std::uint64_t client, Rng& rng);
  // A client is gone: what it had received was not acknowledged.
  void forget(std::uint64_t client);

 private:
  struct Message {
    Value value;
    std::int64_t attempts = 0;
  };

  Completion queue(const Operation& operation, std::uint64_t client, Rng& rng);
  // A delivery has ended without an acknowledgement.
  void give_back(Message message, Rng* rng);
  Completion outbox(const Operation& operation, Rng& rng);

  const Faultiness faults_;
  std::mutex mutex_;  // guards all below
  std::deque<Message> queue_;
  std::map<std::uint64_t, std::vector<Message>> received_;  // by client
  Value::List dead_;
  Value::List changes_, messages_;  // [key, id] each
};

}  // namespace ordeal::memory
