#pragma once
// Messages and configurations as bytes: bounded, versioned, and safe to decode from anybody.
//
// A message is one byte of version (1), one of kind, then all fields of Message in their order, integers as unsigned
// LEB128 (at most 10 bytes, no superfluous zero bytes), texts as length and bytes, lists as count and elements.
// Decoding allocates no more than a small multiple of the input's length, whatever the input says; trailing bytes are
// refused. A message of another version is refused by its first byte. Framing and checksums are the transport's.
//
// Thread-safety: functions without state.

#include <string>
#include <string_view>

#include "base/error.h"
#include "targets/log/server/raft/message.h"

namespace ordeal::log::raft {

inline constexpr unsigned char kMessageVersion = 1;

[[nodiscard]] std::string encode(const Message& message);
// Errors: input, naming the field and its offset.
[[nodiscard]] Result<Message> decode_message(std::string_view bytes);

// A configuration as it stands in the data of an entry of that kind.
[[nodiscard]] std::string encode(const Configuration& configuration);
// Errors: input. Lists that are not strictly ascending, a node that is voter and learner, and node 0 are refused.
[[nodiscard]] Result<Configuration> decode_configuration(std::string_view bytes);

}  // namespace ordeal::log::raft
