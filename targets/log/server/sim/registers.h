#pragma once
// The state machine of the simulation: a few registers. Small on purpose: what is tested is consensus.
//
// A snapshot's bytes differ from node to node, as those of a hash table do, and carry a checksum, so that a snapshot
// put together from two nodes' bytes is noticed. Thread-safety: a value.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "targets/log/server/raft/types.h"

namespace ordeal::log::sim {

enum class Call : std::uint8_t { read = 0, write = 1, cas = 2 };

struct Command {
  Call call = Call::write;
  std::uint64_t operation = 0;  // so that no two commands are the same
  std::uint64_t key = 0;
  std::uint64_t expected = 0;  // cas; 0 is what a register has before its first write
  std::uint64_t value = 0;
};
[[nodiscard]] std::string encode(const Command& command);
// Requires: bytes of encode().
[[nodiscard]] Command decode_command(std::string_view bytes);

class Registers {
 public:
  // True: it took effect; a cas that found another value did not.
  bool apply(const Command& command);
  [[nodiscard]] std::uint64_t read(std::uint64_t key) const;
  [[nodiscard]] std::string save(raft::NodeId by) const;
  // False: the bytes are no snapshot.
  [[nodiscard]] bool load(std::string_view bytes);

 private:
  std::map<std::uint64_t, std::uint64_t> values_;
};

}  // namespace ordeal::log::sim
