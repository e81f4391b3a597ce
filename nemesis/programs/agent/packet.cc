#include "nemesis/programs/agent/packet.h"

#include <netinet/in.h>

#include <algorithm>

namespace ordeal::agent {
namespace {

constexpr std::size_t kHeader4 = 20;
constexpr std::size_t kHeader6 = 40;
constexpr std::size_t kUdpHeader = 8;
constexpr std::size_t kDnsHeader = 12;

unsigned get16(PacketBytes bytes, std::size_t at) { return (unsigned{bytes[at]} << 8U) | bytes[at + 1]; }

void put16(PacketBytes bytes, std::size_t at, unsigned value) {
  bytes[at] = static_cast<unsigned char>(value >> 8U);
  bytes[at + 1] = static_cast<unsigned char>(value);
}

// The sum of RFC 1071, not folded yet.
std::uint64_t sum_words(PacketBytes bytes) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) sum += i % 2 == 0 ? unsigned{bytes[i]} << 8U : unsigned{bytes[i]};
  return sum;
}

// Over the pseudo header and everything behind the IP headers.
unsigned transport_checksum(PacketBytes packet, const PacketLayout& layout) {
  const PacketBytes segment = packet.subspan(layout.transport_at);
  const PacketBytes addresses = layout.v6 ? packet.subspan(8, 32) : packet.subspan(12, 8);
  std::uint64_t sum = sum_words(addresses) + layout.protocol + segment.size() + sum_words(segment);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16U);
  return static_cast<unsigned>(~sum & 0xffff);
}

// Where TCP and UDP keep their checksum and their payload; false for others.
bool find_payload(PacketBytes packet, const PacketLayout& layout, std::size_t& checksum_at, std::size_t& payload_at) {
  const std::size_t at = layout.transport_at;
  if (layout.protocol == IPPROTO_UDP && packet.size() >= at + kUdpHeader) {
    checksum_at = at + 6;
    payload_at = at + kUdpHeader;
    return true;
  }
  if (layout.protocol == IPPROTO_TCP && packet.size() >= at + 20) {
    checksum_at = at + 16;
    payload_at = at + static_cast<std::size_t>(packet[at + 12] >> 4U) * 4;
    return true;
  }
  return false;
}

void set_checksum(PacketBytes packet, const PacketLayout& layout, std::size_t at) {
  put16(packet, at, 0);
  const unsigned sum = transport_checksum(packet, layout);
  put16(packet, at, sum == 0 && layout.protocol == IPPROTO_UDP ? 0xffff : sum);
}

// Behind the name, type and class of the first question; 0 when it is not whole.
std::size_t question_end(PacketBytes message) {
  std::size_t at = kDnsHeader;
  while (at < message.size() && message[at] != 0) {
    if (message[at] > 63) return 0;
    at += std::size_t{message[at]} + 1;
  }
  return at + 5 <= message.size() ? at + 5 : 0;
}

}  // namespace

bool parse_packet(PacketBytes packet, PacketLayout& out) {
  if (packet.size() < kHeader4) return false;
  out.v6 = packet[0] >> 4U == 6;
  if (!out.v6) {
    out.transport_at = std::size_t{packet[0] & 15U} * 4;
    const bool later_fragment = (get16(packet, 6) & 0x1fffU) != 0;
    out.protocol = later_fragment ? 0 : packet[9];
    return out.transport_at >= kHeader4 && out.transport_at <= packet.size();
  }
  if (packet.size() < kHeader6) return false;
  out.transport_at = kHeader6;
  out.protocol = packet[6];
  while (out.protocol == IPPROTO_HOPOPTS || out.protocol == IPPROTO_ROUTING || out.protocol == IPPROTO_DSTOPTS) {
    if (out.transport_at + 8 > packet.size()) return false;
    out.protocol = packet[out.transport_at];
    out.transport_at += (std::size_t{packet[out.transport_at + 1]} + 1) * 8;
  }
  if (out.protocol == IPPROTO_FRAGMENT) out.protocol = 0;
  return out.transport_at <= packet.size();
}

std::uint64_t source_key(PacketBytes packet) {
  PacketLayout layout;
  if (!parse_packet(packet, layout)) return 0;
  std::uint64_t key = 14695981039346656037ULL;  // FNV-1a
  for (const unsigned char byte : layout.v6 ? packet.subspan(8, 16) : packet.subspan(12, 4)) {
    key = (key ^ byte) * 1099511628211ULL;
  }
  return key;
}

bool corrupt_packet(PacketBytes packet, bool repair, std::uint64_t random) {
  PacketLayout layout;
  if (!parse_packet(packet, layout)) return false;
  std::size_t checksum_at = 0;
  std::size_t first = layout.transport_at;
  if (repair && !find_payload(packet, layout, checksum_at, first)) return false;
  if (first >= packet.size()) return false;
  packet[first + (random >> 3U) % (packet.size() - first)] ^= static_cast<unsigned char>(1U << (random & 7U));
  const bool unchecked = layout.protocol == IPPROTO_UDP && !layout.v6 && repair && get16(packet, checksum_at) == 0;
  if (repair && !unchecked) set_checksum(packet, layout, checksum_at);
  return true;
}

std::vector<unsigned char> answer_query(PacketBytes packet, int code) {
  PacketLayout layout;
  if (!parse_packet(packet, layout) || layout.protocol != IPPROTO_UDP) return {};
  const std::size_t udp = layout.transport_at;
  if (packet.size() < udp + kUdpHeader + kDnsHeader) return {};
  const PacketBytes query = packet.subspan(udp + kUdpHeader);
  const std::size_t length = question_end(query);
  if (length == 0 || (query[2] & 0x80U) != 0) return {};  // not whole, or an answer itself
  const std::size_t head = layout.v6 ? kHeader6 : kHeader4;
  std::vector<unsigned char> out(head + kUdpHeader + length, 0);
  const PacketBytes answer(out);
  if (layout.v6) {
    out[0] = 0x60;
    put16(answer, 4, static_cast<unsigned>(kUdpHeader + length));
    out[6] = IPPROTO_UDP;
    out[7] = 64;
    std::copy_n(packet.begin() + 24, 16, out.begin() + 8);
    std::copy_n(packet.begin() + 8, 16, out.begin() + 24);
  } else {
    out[0] = 0x45;  // the kernel fills in identification and checksum
    put16(answer, 2, static_cast<unsigned>(out.size()));
    out[8] = 64;
    out[9] = IPPROTO_UDP;
    std::copy_n(packet.begin() + 16, 4, out.begin() + 12);
    std::copy_n(packet.begin() + 12, 4, out.begin() + 16);
  }
  put16(answer, head, get16(packet, udp + 2));
  put16(answer, head + 2, get16(packet, udp));
  put16(answer, head + 4, static_cast<unsigned>(kUdpHeader + length));
  const PacketBytes message = answer.subspan(head + kUdpHeader);
  std::copy_n(query.begin(), length, message.begin());
  message[2] = static_cast<unsigned char>((query[2] & 0x79U) | 0x80U);  // an answer; opcode and "recurse" as asked
  message[3] = static_cast<unsigned char>(0x80U | (static_cast<unsigned>(code) & 15U));
  put16(message, 4, 1);
  for (const std::size_t count : {6, 8, 10}) put16(message, count, 0);
  set_checksum(answer, {layout.v6, head, IPPROTO_UDP}, head + 6);
  return out;
}

}  // namespace ordeal::agent
