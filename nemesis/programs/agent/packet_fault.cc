#include "nemesis/programs/agent/packet_fault.h"

#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <queue>

#include "nemesis/programs/agent/background.h"
#include "nemesis/programs/agent/packet_effect.h"
#include "nemesis/programs/agent/packet_queue.h"
#include "nemesis/programs/agent/proc.h"
#include "nemesis/programs/agent/timing.h"

namespace ordeal::agent {
namespace {

constexpr std::int64_t kLookNs = 100'000'000;  // between two looks whether the fault is still in force
constexpr int kLastLooks = 64;                 // at the queue, when it is not

#ifndef IPV6_HDRINCL
#define IPV6_HDRINCL 36
#endif

// Puts whole packets onto this node as if they had come from where they say. They go over the loopback device, marked
// as having been through our queue.
class Injector {
 public:
  explicit Injector(std::uint32_t mark) : v4_(open(AF_INET, mark)), v6_(open(AF_INET6, mark)) {}
  ~Injector() {
    for (const int one : {v4_, v6_}) {
      if (one >= 0) ::close(one);
    }
  }
  Injector(const Injector&) = delete;
  Injector& operator=(const Injector&) = delete;

  void send(std::span<const unsigned char> packet) const {
    if (packet.size() < 20) return;
    if (packet[0] >> 4U == 6) {
      if (packet.size() < 40) return;
      sockaddr_in6 to{};
      to.sin6_family = AF_INET6;
      std::memcpy(&to.sin6_addr, packet.data() + 24, 16);
      (void)::sendto(v6_, packet.data(), packet.size(), MSG_DONTWAIT, reinterpret_cast<sockaddr*>(&to), sizeof to);
    } else {
      sockaddr_in to{};
      to.sin_family = AF_INET;
      std::memcpy(&to.sin_addr, packet.data() + 16, 4);
      (void)::sendto(v4_, packet.data(), packet.size(), MSG_DONTWAIT, reinterpret_cast<sockaddr*>(&to), sizeof to);
    }
  }

 private:
  static int open(int family, std::uint32_t mark) {
    const int out = ::socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
    if (out < 0) return out;
    const int yes = 1;
    if (family == AF_INET6) (void)::setsockopt(out, IPPROTO_IPV6, IPV6_HDRINCL, &yes, sizeof yes);
    (void)::setsockopt(out, SOL_SOCKET, SO_MARK, &mark, sizeof mark);
    return out;
  }
  const int v4_;
  const int v6_;
};

struct Held {
  std::int64_t until_ns = 0;
  std::uint64_t number = 0;  // what came first leaves first
  std::uint32_t id = 0;
  std::uint32_t mark = 0;
  bool operator<(const Held& other) const {
    return std::pair(until_ns, number) > std::pair(other.until_ns, other.number);  // the earliest on top
  }
};

class PacketWork {
 public:
  PacketWork(PacketQueue& queue, PacketEffect& effect) : queue_(queue), effect_(effect), injector_(queue.mark()) {}

  void run(const std::string& folder) {
    std::int64_t looked = monotonic_ns();
    while (true) {
      const std::int64_t now = monotonic_ns();
      let_go(now);
      if (now - looked >= kLookNs || now < looked) {
        if (!keep_going(folder)) break;
        looked = now;
      }
      const std::int64_t next = held_.empty() ? now + kLookNs : std::min(held_.top().until_ns, now + kLookNs);
      queue_.receive(std::max<std::int64_t>(next - monotonic_ns(), 0), [&](const QueuedPacket& one) { take(one); });
    }
    // Nothing more comes: the rules are gone. What came before that passes.
    for (int i = 0; i < kLastLooks; ++i) {
      queue_.receive(0, [&](const QueuedPacket& one) { queue_.pass(one.id, one.mark); });
    }
    let_go(INT64_MAX);
  }

 private:
  void take(const QueuedPacket& packet) {
    const std::int64_t now = monotonic_ns();
    const Fate fate = effect_.decide(packet.bytes, packet.length, now);
    if (!fate.answer.empty()) injector_.send(fate.answer);
    if (fate.dropped) {
      queue_.drop(packet.id);
    } else if (fate.after_ns > 0) {
      held_.push({now + fate.after_ns, ++count_, packet.id, packet.mark});
    } else {
      queue_.pass(packet.id, packet.mark, fate.changed ? packet.bytes : std::span<unsigned char>());
      if (fate.twice) injector_.send(packet.bytes);
    }
  }

  void let_go(std::int64_t now) {
    while (!held_.empty() && held_.top().until_ns <= now) {
      queue_.pass(held_.top().id, held_.top().mark);
      held_.pop();
    }
  }

  PacketQueue& queue_;
  PacketEffect& effect_;
  const Injector injector_;
  std::priority_queue<Held> held_;
  std::uint64_t count_ = 0;
};

}  // namespace

int start_packet_fault(const std::string& folder, const std::string& seed, const std::vector<std::string>& effect) {
  hold_signals();
  const auto made = make_effect(effect, static_cast<std::uint64_t>(to_integer(seed)));
  if (made == nullptr) {
    std::fputs("ordeal-agent: no such effect on packets\n", stderr);
    return 64;
  }
  PacketQueue queue;
  if (const std::string problem = queue.open(made->wanted()); !problem.empty()) {
    std::fprintf(stderr, "%s\n", problem.c_str());
    return 1;
  }
  std::printf("queue %d %u\n", queue.number(), queue.mark());
  return start_background(folder,
                          [&] {
                            (void)::setpriority(PRIO_PROCESS, 0, -10);  // what it holds back must leave in time
                            PacketWork(queue, *made).run(folder);
                          })
             ? 0
             : 1;
}

int undo_packet_fault(const std::string& folder) {
  hold_signals();
  end_background(folder);
  return 0;
}

}  // namespace ordeal::agent
