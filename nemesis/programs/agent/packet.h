#pragma once
// Packet: the bytes of one IPv4 or IPv6 packet, from its first header on: what it is, its checksums, and how it is
// damaged or answered. Pure functions.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace ordeal::agent {

using PacketBytes = std::span<unsigned char>;

// Where things are in a packet. `protocol` is 0 when the transport's header is not there: a later fragment, or headers
// that are not understood.
struct PacketLayout {
  bool v6 = false;
  std::size_t transport_at = 0;
  unsigned char protocol = 0;
};

// False when it is no whole IP header.
[[nodiscard]] bool parse_packet(PacketBytes packet, PacketLayout& out);

// Tells senders apart; 0 when the packet is not understood.
[[nodiscard]] std::uint64_t source_key(PacketBytes packet);

// Flips the bit that `random` points at. `repair`: one of the payload, and the checksum of TCP or UDP is made to agree,
// so that it arrives; else any bit behind the IP header, and the receiver's kernel will discard the packet. False when
// there is no such bit, and then nothing was changed.
bool corrupt_packet(PacketBytes packet, bool repair, std::uint64_t random);

// The answer of a name server to the query in `packet`: no records, only the code. Empty when it is no such query.
[[nodiscard]] std::vector<unsigned char> answer_query(PacketBytes packet, int code);

}  // namespace ordeal::agent
