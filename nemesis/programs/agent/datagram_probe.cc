#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "nemesis/programs/agent/link_probe.h"
#include "nemesis/programs/agent/probe_socket.h"
#include "nemesis/programs/agent/proc.h"
#include "nemesis/programs/agent/timing.h"

namespace ordeal::agent {
namespace {

constexpr std::int64_t kNsPerMs = 1'000'000;
constexpr std::int64_t kAgainNs = 20 * kNsPerMs;       // a greeting or a farewell that was not answered is sent again
constexpr std::int64_t kPatienceNs = 1500 * kNsPerMs;  // for the answer to either
constexpr std::int64_t kGraceNs = 80 * kNsPerMs;       // for what was overtaken by the farewell
constexpr int kBurst = 16;                             // datagrams between two looks at what arrives
constexpr std::size_t kMaxSize = 1400;

enum Kind : std::uint32_t { kHello, kHelloBack, kData, kEcho, kBye, kByeBack };

// The head of every datagram; filler follows data.
struct Head {
  std::uint64_t nonce = 0;
  std::uint64_t hash = 0;  // of everything but itself
  std::int64_t sent_ns = 0;
  std::uint32_t flow = 0;
  std::uint32_t kind = 0;
  std::uint32_t sequence = 0;
  std::uint32_t size = 0;
};

std::uint64_t hash_of(const unsigned char* bytes, std::size_t size) {  // FNV-1a over all but the field itself
  std::uint64_t hash = 14695981039346656037ULL;
  for (std::size_t i = 0; i < size; ++i) {
    if (i >= offsetof(Head, hash) && i < offsetof(Head, hash) + sizeof(Head::hash)) continue;
    hash = (hash ^ bytes[i]) * 1099511628211ULL;
  }
  return hash;
}

// A flow that this node sends.
struct Outgoing {
  OutFlow to;
  enum class State { greeting, sending, leaving, over } state = State::greeting;
  std::int64_t since_ns = 0;
  std::int64_t next_ns = 0;
  int sent = 0;
  std::vector<std::int64_t> rtt_us;
};

// A flow that arrives here.
struct Incoming {
  int flow = 0;
  std::vector<bool> seen;
  int distinct = 0;
  int twice = 0;
  int late = 0;
  std::uint32_t highest = 0;
  std::int64_t bytes = 0;
  std::int64_t first_ns = 0;
  std::int64_t last_ns = 0;
  bool over = false;
};

// Datagrams that the kernel has discarded for their checksum since it started.
std::int64_t discarded() {
  std::int64_t out = 0;
  std::vector<std::string> names;
  for (const std::string& line : split(read_file("/proc/net/snmp"), "\n")) {
    const auto words = split(line, " ");
    if (words.empty() || words[0] != "Udp:") continue;
    const auto at = std::find(names.begin(), names.end(), "InCsumErrors");
    if (at != names.end() && names.size() == words.size())
      out += to_integer(words[static_cast<std::size_t>(at - names.begin())]);
    names = words;
  }
  for (const std::string& line : split(read_file("/proc/net/snmp6"), "\n")) {
    const auto words = split(line, " \t");
    if (words.size() == 2 && words[0] == "Udp6InCsumErrors") out += to_integer(words[1]);
  }
  return out;
}

class DatagramProbe {
 public:
  DatagramProbe(const ProbePlan& plan, int socket) : plan_(plan), socket_(socket), buffer_(65'536) {
    const std::int64_t now = monotonic_ns();
    for (const OutFlow& to : parse_out_flows(plan.out, plan.port)) {
      out_.push_back({});
      out_.back().to = to;
      out_.back().since_ns = now;
    }
    for (const std::string& flow : plan.in) {
      in_.push_back({});
      in_.back().flow = static_cast<int>(to_integer(flow));
      in_.back().seen.assign(static_cast<std::size_t>(plan.count), false);
    }
  }

  void run() {
    const std::int64_t end = monotonic_ns() + plan_.limit_ms * kNsPerMs;
    const std::int64_t discarded_before = discarded();
    std::int64_t complete = 0;
    while (true) {
      const std::int64_t now = monotonic_ns();
      std::int64_t next = std::min(end, now + kAgainNs);
      for (Outgoing& one : out_) next = std::min(next, advance(one, now));
      if (!all_over()) complete = 0;
      if (all_over() && complete == 0) complete = now;
      if (now >= end || (complete != 0 && now - complete >= kGraceNs)) break;
      wait_and_receive(next);
    }
    report(discarded() - discarded_before);
  }

 private:
  bool all_over() const {
    return std::all_of(out_.begin(), out_.end(),
                       [](const Outgoing& one) { return one.state == Outgoing::State::over; }) &&
           std::all_of(in_.begin(), in_.end(), [](const Incoming& one) { return one.over; });
  }

  // Does what is due for a flow; when to come again.
  std::int64_t advance(Outgoing& one, std::int64_t now) {
    using State = Outgoing::State;
    if (one.state == State::over) return now + kAgainNs;
    if (one.next_ns > now) return one.next_ns;
    if (one.state == State::sending) return send_data(one, now);
    if (now - one.since_ns > kPatienceNs) {
      one.state = State::over;
      return now + kAgainNs;
    }
    (void)send(one.to.to, one.state == State::greeting ? kHello : kBye, one.to.flow, 0, now, sizeof(Head));
    return one.next_ns = now + kAgainNs;
  }

  std::int64_t send_data(Outgoing& one, std::int64_t now) {
    const std::size_t size = std::clamp(static_cast<std::size_t>(plan_.size), sizeof(Head), kMaxSize);
    for (int i = 0; i < (plan_.gap_us > 0 ? 1 : kBurst) && one.sent < plan_.count; ++i) {
      if (!send(one.to.to, kData, one.to.flow, static_cast<std::uint32_t>(one.sent), monotonic_ns(), size)) break;
      ++one.sent;
    }
    one.next_ns = now + plan_.gap_us * std::int64_t{1000};
    if (one.sent >= plan_.count) {
      one.state = Outgoing::State::leaving;
      one.since_ns = now;
    }
    return one.next_ns;
  }

  // False when it should be tried again.
  bool send(const sockaddr_in6& to, Kind kind, int flow, std::uint32_t sequence, std::int64_t sent_ns,
            std::size_t size) {
    unsigned char bytes[kMaxSize];
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<unsigned char>(sequence + i);
    Head head;
    head.nonce = plan_.nonce;
    head.flow = static_cast<std::uint32_t>(flow);
    head.kind = kind;
    head.sequence = sequence;
    head.sent_ns = sent_ns;
    head.size = static_cast<std::uint32_t>(size);
    std::memcpy(bytes, &head, sizeof head);
    head.hash = hash_of(bytes, size);
    std::memcpy(bytes, &head, sizeof head);
    const ssize_t n = ::sendto(socket_, bytes, size, MSG_DONTWAIT, reinterpret_cast<const sockaddr*>(&to), sizeof to);
    return n >= 0 || (errno != EAGAIN && errno != ENOBUFS);
  }

  void wait_and_receive(std::int64_t until) {
    pollfd ready{socket_, POLLIN, 0};
    const std::int64_t wait = std::max<std::int64_t>(until - monotonic_ns(), 0);
    const timespec time{wait / 1'000'000'000, wait % 1'000'000'000};
    if (::ppoll(&ready, 1, &time, nullptr) <= 0) return;
    for (int i = 0; i < 4 * kBurst; ++i) {
      sockaddr_in6 from{};
      socklen_t length = sizeof from;
      const ssize_t n = ::recvfrom(socket_, buffer_.data(), buffer_.size(), MSG_DONTWAIT,
                                   reinterpret_cast<sockaddr*>(&from), &length);
      if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
      if (n > 0) take(from, static_cast<std::size_t>(n), monotonic_ns());
    }
  }

  void take(const sockaddr_in6& from, std::size_t size, std::int64_t now) {
    Head head;
    if (size < sizeof head) return;
    std::memcpy(&head, buffer_.data(), sizeof head);
    if (head.hash != hash_of(buffer_.data(), size) || head.size != size) {
      ++damaged_;
      return;
    }
    if (head.nonce != plan_.nonce) return;
    const int flow = static_cast<int>(head.flow);
    if (head.kind == kHelloBack || head.kind == kEcho || head.kind == kByeBack) {
      for (Outgoing& one : out_) {
        if (one.to.flow == flow) take_answer(one, head, now);
      }
      return;
    }
    const Kind answer = head.kind == kHello ? kHelloBack : head.kind == kBye ? kByeBack : kEcho;
    (void)send(from, answer, flow, head.sequence, head.sent_ns, sizeof head);
    for (Incoming& one : in_) {
      if (one.flow != flow) continue;
      if (head.kind == kBye) one.over = true;
      if (head.kind == kData && head.sequence < one.seen.size()) take_data(one, head, now);
    }
  }

  void take_answer(Outgoing& one, const Head& head, std::int64_t now) {
    using State = Outgoing::State;
    if (head.kind == kHelloBack && one.state == State::greeting) {
      one.state = State::sending;
      one.next_ns = now;
    }
    if (head.kind == kEcho) one.rtt_us.push_back((now - head.sent_ns) / 1000);
    if (head.kind == kByeBack && one.state == State::leaving) one.state = State::over;
  }

  static void take_data(Incoming& one, const Head& head, std::int64_t now) {
    if (one.seen[head.sequence]) {
      ++one.twice;
      return;
    }
    one.seen[head.sequence] = true;
    if (one.distinct++ == 0) one.first_ns = now;
    one.last_ns = now;
    one.bytes += head.size;
    if (head.sequence < one.highest) ++one.late;
    one.highest = std::max(one.highest, head.sequence);
  }

  void report(std::int64_t discarded_meanwhile) {
    for (Outgoing& one : out_) {
      std::sort(one.rtt_us.begin(), one.rtt_us.end());
      const std::size_t n = one.rtt_us.size();
      const std::int64_t low = n == 0 ? 0 : one.rtt_us[n / 4];
      const std::int64_t median = n == 0 ? 0 : one.rtt_us[n / 2];
      std::printf("sent %d %d %zu %lld %lld\n", one.to.flow, one.sent, n, static_cast<long long>(low),
                  static_cast<long long>(median));
    }
    for (const Incoming& one : in_) {
      std::printf("got %d %d %d %d %lld %lld\n", one.flow, one.distinct, one.twice, one.late,
                  static_cast<long long>(one.bytes), static_cast<long long>((one.last_ns - one.first_ns) / 1000));
    }
    std::printf("node %lld %lld\n", static_cast<long long>(damaged_), static_cast<long long>(discarded_meanwhile));
  }

  const ProbePlan& plan_;
  const int socket_;
  std::vector<unsigned char> buffer_;
  std::vector<Outgoing> out_;
  std::vector<Incoming> in_;
  std::int64_t damaged_ = 0;
};

}  // namespace

int probe_datagrams(const ProbePlan& plan) {
  const int socket = open_probe_socket(SOCK_DGRAM, plan.port);
  if (socket < 0) {
    std::fprintf(stderr, "UDP port %d: %s\n", plan.port, std::strerror(errno));
    return 1;
  }
  DatagramProbe(plan, socket).run();
  ::close(socket);
  return 0;
}

}  // namespace ordeal::agent
