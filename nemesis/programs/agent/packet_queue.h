#pragma once
// Packet queue: packets that a rule of iptables (NFQUEUE) hands to this program, which says of each, at any time and in
// any order, what becomes of it. Speaks nfnetlink to the kernel, without a library.
//
// When this program ends, the kernel drops what it still held and lets everything else pass (--queue-bypass); when it
// is too slow, what finds the queue full passes, too.

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace ordeal::agent {

// Each queue has a bit of the packets' mark by which the rule knows what has been through it. Bits and queues are
// numbered alike, so that several injections on a node use different ones.
inline constexpr int kFirstQueue = 47100;
inline constexpr int kFirstMarkBit = 20;
inline constexpr int kQueues = 12;

struct QueuedPacket {
  std::uint32_t id = 0;
  std::uint32_t mark = 0;
  std::size_t length = 0;          // of the packet
  std::span<unsigned char> bytes;  // its beginning, as much as was asked for; valid until the call returns
};

class PacketQueue {
 public:
  PacketQueue() = default;
  ~PacketQueue();
  PacketQueue(const PacketQueue&) = delete;
  PacketQueue& operator=(const PacketQueue&) = delete;

  // Takes the first free queue. `wanted`: how many bytes of each packet will be looked at. What went wrong, or empty.
  [[nodiscard]] std::string open(std::uint32_t wanted);
  [[nodiscard]] int number() const { return number_; }
  [[nodiscard]] std::uint32_t mark() const {
    return 1U << static_cast<unsigned>(kFirstMarkBit + number_ - kFirstQueue);
  }

  // Waits up to `wait_ns` for a packet and then takes what is there, but not endlessly. A signal ends it early.
  void receive(std::int64_t wait_ns, const std::function<void(const QueuedPacket&)>& take);
  // It goes on, past our rule but not past others; with other bytes, when there are some.
  void pass(std::uint32_t id, std::uint32_t mark, std::span<const unsigned char> instead = {});
  void drop(std::uint32_t id);

 private:
  [[nodiscard]] int configure(int attribute, const void* data, std::size_t size);
  void send_verdict(std::uint32_t id, std::uint32_t verdict, const std::uint32_t* mark,
                    std::span<const unsigned char> instead);
  int socket_ = -1;
  int number_ = 0;
  std::vector<unsigned char> buffer_;
  std::vector<unsigned char> message_;
};

}  // namespace ordeal::agent
