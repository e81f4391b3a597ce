#pragma once
// What happened lately, for those who watch: ordered, complete, and to be resumed from any index within the horizon.
//
// The ring belongs to the replicated state, so that a watcher may go on at another node, also after that one got a
// snapshot. It holds the events of the last kMaxEvents changes, or of fewer when they exceed kMaxBytes. Whoever asks
// for more than it holds is told so (`gone`) and has to read the state first; he is never given a list with a gap.
// Thread-safety: none of its own.

#include <cstdint>
#include <deque>
#include <string>

#include "targets/log/server/raft/types.h"
#include "targets/log/server/state/command.h"

namespace ordeal::log::state {

class Reader;
class Writer;

struct Event {
  raft::Index index = 0;  // of the entry; several events of one entry have the same
  std::string type;       // "append", "put", "remove", "add", "enqueue", …
  std::string key;
  std::string value;  // JSON text

  friend bool operator==(const Event&, const Event&) = default;
};

class Events {
 public:
  static constexpr std::size_t kMaxEvents = 16'384;
  static constexpr std::size_t kMaxBytes = 4U << 20;

  // Requires: indices never go back.
  void add(Event event);
  // {"events":[{"index":…,"type":…,"key":…,"value":…},…],"next":…}: those from index `from` up to `applied` whose key
  // begins with `prefix`, at most about `limit`, but never a part of an entry's; `next` is where to go on. `gone` when
  // `from` is before the horizon: {"message":…,"first":…}.
  [[nodiscard]] Answer read(raft::Index from, const std::string& prefix, std::size_t limit, raft::Index applied) const;
  // The first index of which it has all events.
  [[nodiscard]] raft::Index first() const { return dropped_ + 1; }

  void save(Writer& out) const;
  void load(Reader& in);

 private:
  static std::size_t bytes(const Event& event) { return event.key.size() + event.value.size() + 32; }
  std::deque<Event> events_;
  raft::Index dropped_ = 0;  // the last index of which an event was dropped
  std::size_t bytes_ = 0;
};

}  // namespace ordeal::log::state
