#pragma once
// Queues with acknowledgement: a message that was delivered comes again unless it is acknowledged in time, and after so
// many deliveries it is a dead letter.
//
// Deliveries are in the order of enqueueing; a message that comes again takes its old place before all later ones. Time
// is that of the commands (Machine), so that every node lets the same deliveries lapse at the same entry.
// Thread-safety: none of its own.

#include <cstdint>
#include <map>
#include <string>

#include "targets/log/server/raft/types.h"
#include "targets/log/server/state/command.h"

namespace ordeal::log::state {

class Reader;
class Writer;

class Queues {
 public:
  static constexpr std::size_t kMaxMessages = 1'000'000;  // of one queue, in whatever state
  static constexpr std::int64_t kMaxTaken = 10'000;       // by one command
  static constexpr std::uint64_t kDefaultAttempts = 5;    // deliveries, when the dequeue does not say

  [[nodiscard]] Answer enqueue(const std::string& queue, const std::string& message, raft::Index index);
  // {"messages":[{"id":…,"value":…,"token":…,"attempt":…},…]}; the token is what ack and nack want.
  [[nodiscard]] Answer dequeue(const Command& command, raft::Index index, std::uint64_t now_ms);
  [[nodiscard]] Answer ack(const std::string& queue, std::uint64_t token);
  [[nodiscard]] Answer nack(const std::string& queue, std::uint64_t token);
  [[nodiscard]] Answer drain_dead(const std::string& queue, std::int64_t limit);
  // Deliveries that lapsed are undone.
  void expire(std::uint64_t now_ms);
  // {"ready":…,"delivered":…,"dead":…}
  [[nodiscard]] Answer look(const std::string& queue) const;
  // When the next delivery lapses, or earlier; 0: none is under way.
  [[nodiscard]] std::uint64_t next_expiry_ms() const { return earliest_ms_; }

  void save(Writer& out) const;
  void load(Reader& in);

 private:
  struct Message {
    std::string value;
    std::uint64_t deliveries = 0;
  };
  struct Delivery {
    raft::Index id = 0;  // of the message: the entry that enqueued it
    Message message;
    std::uint64_t until_ms = 0;
    std::uint64_t max_deliveries = 0;
  };
  struct Queue {
    std::map<raft::Index, Message> ready;
    std::map<std::uint64_t, Delivery> delivered;  // by token
    std::map<raft::Index, Message> dead;
    std::uint64_t next_token = 1;
    [[nodiscard]] std::size_t size() const { return ready.size() + delivered.size() + dead.size(); }
  };
  static void give_back(Queue& queue, Delivery delivery);
  static void save_messages(Writer& out, const std::map<raft::Index, Message>& messages);
  static void load_messages(Reader& in, std::map<raft::Index, Message>& messages);
  void find_earliest();
  std::map<std::string, Queue> queues_;
  std::uint64_t earliest_ms_ = 0;  // not later than any delivery under way lapses; 0: there is none
};

}  // namespace ordeal::log::state
