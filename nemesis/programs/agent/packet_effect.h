#pragma once
// Packet effect: what becomes of each packet under a fault of the network. Thread-safety: none.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "nemesis/programs/agent/packet.h"

namespace ordeal::agent {

struct Fate {
  bool dropped = false;
  bool changed = false;                    // the bytes were
  bool twice = false;                      // a copy of it follows
  std::int64_t after_ns = 0;               // it is held back for so long
  std::vector<unsigned char> answer = {};  // a packet that is sent on this node in its stead
};

class PacketEffect {
 public:
  virtual ~PacketEffect() = default;
  // How many bytes of each packet it looks at.
  [[nodiscard]] virtual std::uint32_t wanted() const { return 64; }
  // `length` is that of the packet, `now_ns` the monotonic time.
  [[nodiscard]] virtual Fate decide(PacketBytes bytes, std::size_t length, std::int64_t now_ns) = 0;
};

// Shares are per million of the packets, times in microseconds.
//
//   latency DELAY JITTER uniform|normal CORRELATION_PERCENT    those of one sender keep their order
//   loss SHARE BURST        BURST in a row on average, by a chain of two states (Gilbert, 1960); 1: each by itself
//   duplicate SHARE
//   reorder SHARE MOST      held back by up to MOST, so that what follows overtakes them
//   corrupt SHARE wrong|repaired                               see corrupt_packet()
//   bandwidth BITS_PER_S BUFFER                                each sender; what would wait longer than BUFFER is
//   dropped flap PERIOD             dropped for the first half of each period of the wall clock, which nodes have in
//   common dns CODE                queries are answered with this code
//
// Null when the words are none of these.
[[nodiscard]] std::unique_ptr<PacketEffect> make_effect(const std::vector<std::string>& words, std::uint64_t seed);

}  // namespace ordeal::agent
