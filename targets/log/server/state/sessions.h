#pragma once
// Which idempotency keys were used, and what was answered: a request that comes again, also after a failover, a restart
// or a snapshot, changes nothing and gets the first answer [O 6.3].
//
// The table is bounded, and what falls out of it depends on the log alone, never on a clock: an answer is kept for
// kHorizon entries, or until younger ones fill the table. A key that comes again after that is a new request.
// Thread-safety: none of its own.

#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>

#include "targets/log/server/raft/types.h"
#include "targets/log/server/state/command.h"

namespace ordeal::log::state {

class Reader;
class Writer;

class Sessions {
 public:
  static constexpr raft::Index kHorizon = 200'000;     // entries
  static constexpr std::size_t kMaxKeys = 100'000;     // in the table
  static constexpr std::size_t kMaxBytes = 32U << 20;  // of keys and answers together

  // The first answer to this key, key_reused when it was another request, nothing when the key is new.
  [[nodiscard]] std::optional<Answer> find(const std::string& key, std::uint64_t request) const;
  // Keeps the answer, which has the entry's index. Requires: the key is new, and indices grow.
  void remember(const std::string& key, std::uint64_t request, const Answer& answer);
  // Forgets what is beyond the horizon of an entry.
  void forget(raft::Index now);
  [[nodiscard]] std::size_t size() const { return table_.size(); }

  void save(Writer& out) const;
  void load(Reader& in);

 private:
  struct Known {
    std::uint64_t request = 0;
    Answer answer;
  };
  static std::size_t bytes(const std::string& key, const Answer& answer) { return key.size() + answer.body.size(); }
  void drop_oldest();
  std::unordered_map<std::string, Known> table_;
  std::deque<std::string> order_;  // the keys, the oldest first
  std::size_t bytes_ = 0;
};

// Tells requests apart: FNV-1a over the command without its time. Whoever makes two requests collide on purpose only
// gets the wrong answer himself.
[[nodiscard]] std::uint64_t request_digest(std::string_view encoded_command);

}  // namespace ordeal::log::state
