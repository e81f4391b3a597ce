#include "nemesis/programs/agent/packet_effect.h"

#include <algorithm>
#include <map>

#include "nemesis/programs/agent/proc.h"
#include "nemesis/programs/agent/timing.h"

namespace ordeal::agent {
namespace {

constexpr std::int64_t kNsPerUs = 1000;
constexpr std::int64_t kMillion = 1'000'000;
constexpr std::uint32_t kWhole = 0xffff;
constexpr std::size_t kMaxSenders = 4096;  // remembered; then all are forgotten

class Random {  // splitmix64 (Steele, Lea, Flood 2014)
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31U);
  }
  double unit() { return static_cast<double>(next() >> 11U) * 0x1p-53; }  // in [0, 1)
  bool happens(double probability) { return unit() < probability; }
  // Of mean 0 and deviation 1, between -6 and 6: the sum of twelve.
  double normal() {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += unit();
    return sum;
  }

 private:
  std::uint64_t state_;
};

// A time for each sender.
class Senders {
 public:
  std::int64_t& of(PacketBytes bytes) {
    if (times_.size() >= kMaxSenders) times_.clear();
    return times_[source_key(bytes)];
  }

 private:
  std::map<std::uint64_t, std::int64_t> times_;
};

class Latency final : public PacketEffect {
 public:
  Latency(std::int64_t delay_ns, std::int64_t jitter_ns, bool normal, double correlation, Random random)
      : delay_ns_(delay_ns), jitter_ns_(jitter_ns), normal_(normal), correlation_(correlation), random_(random) {}

  Fate decide(PacketBytes bytes, std::size_t, std::int64_t now_ns) override {
    const double fresh = normal_ ? std::clamp(random_.normal(), -3.0, 3.0) : 2 * random_.unit() - 1;
    last_ = correlation_ * last_ + (1 - correlation_) * fresh;
    const auto wait = delay_ns_ + static_cast<std::int64_t>(last_ * static_cast<double>(jitter_ns_));
    std::int64_t& leaves = senders_.of(bytes);
    leaves = std::max(leaves, now_ns + std::max<std::int64_t>(wait, 0));
    Fate fate;
    fate.after_ns = leaves - now_ns;
    return fate;
  }

 private:
  const std::int64_t delay_ns_;
  const std::int64_t jitter_ns_;
  const bool normal_;
  const double correlation_;
  Random random_;
  double last_ = 0;
  Senders senders_;
};

class Loss final : public PacketEffect {
 public:
  Loss(double share, double burst, Random random) : random_(random) {
    stay_ = burst > 1 ? 1 - 1 / burst : share;
    enter_ = burst > 1 && share < 1 ? std::min(1.0, share / (burst * (1 - share))) : share;
  }
  Fate decide(PacketBytes, std::size_t, std::int64_t) override {
    lost_ = random_.happens(lost_ ? stay_ : enter_);
    Fate fate;
    fate.dropped = lost_;
    return fate;
  }

 private:
  Random random_;
  double stay_ = 0;
  double enter_ = 0;
  bool lost_ = false;
};

class Duplicate final : public PacketEffect {
 public:
  Duplicate(double share, Random random) : share_(share), random_(random) {}
  std::uint32_t wanted() const override { return kWhole; }
  Fate decide(PacketBytes, std::size_t, std::int64_t) override {
    Fate fate;
    fate.twice = random_.happens(share_);
    return fate;
  }

 private:
  const double share_;
  Random random_;
};

class Reorder final : public PacketEffect {
 public:
  Reorder(double share, std::int64_t most_ns, Random random) : share_(share), most_ns_(most_ns), random_(random) {}
  Fate decide(PacketBytes, std::size_t, std::int64_t) override {
    Fate fate;
    if (!random_.happens(share_)) return fate;
    fate.after_ns = static_cast<std::int64_t>(random_.unit() * static_cast<double>(most_ns_));
    return fate;
  }

 private:
  const double share_;
  const std::int64_t most_ns_;
  Random random_;
};

class Corrupt final : public PacketEffect {
 public:
  Corrupt(double share, bool repair, Random random) : share_(share), repair_(repair), random_(random) {}
  std::uint32_t wanted() const override { return kWhole; }
  Fate decide(PacketBytes bytes, std::size_t length, std::int64_t) override {
    Fate fate;
    if (random_.happens(share_) && bytes.size() == length)
      fate.changed = corrupt_packet(bytes, repair_, random_.next());
    return fate;
  }

 private:
  const double share_;
  const bool repair_;
  Random random_;
};

class Bandwidth final : public PacketEffect {
 public:
  Bandwidth(std::int64_t bits_per_s, std::int64_t buffer_ns) : bits_per_s_(bits_per_s), buffer_ns_(buffer_ns) {}
  Fate decide(PacketBytes bytes, std::size_t length, std::int64_t now_ns) override {
    std::int64_t& free_at = senders_.of(bytes);  // when the line has sent what waits
    Fate fate;
    const std::int64_t begins = std::max(free_at, now_ns);
    if (begins - now_ns > buffer_ns_) {
      fate.dropped = true;
      return fate;
    }
    free_at = begins + static_cast<std::int64_t>(length) * 8 * 1'000'000'000 / bits_per_s_;
    fate.after_ns = free_at - now_ns;
    return fate;
  }

 private:
  const std::int64_t bits_per_s_;
  const std::int64_t buffer_ns_;
  Senders senders_;
};

class Flap final : public PacketEffect {
 public:
  explicit Flap(std::int64_t period_ns) : period_ns_(period_ns) {}
  Fate decide(PacketBytes, std::size_t, std::int64_t) override {
    Fate fate;
    fate.dropped = wall_clock_ns() % period_ns_ < period_ns_ / 2;
    return fate;
  }

 private:
  const std::int64_t period_ns_;
};

class Dns final : public PacketEffect {
 public:
  explicit Dns(int code) : code_(code) {}
  std::uint32_t wanted() const override { return kWhole; }
  Fate decide(PacketBytes bytes, std::size_t, std::int64_t) override {
    Fate fate;
    fate.dropped = true;
    fate.answer = answer_query(bytes, code_);
    return fate;
  }

 private:
  const int code_;
};

}  // namespace

std::unique_ptr<PacketEffect> make_effect(const std::vector<std::string>& words, std::uint64_t seed) {
  if (words.size() < 2) return nullptr;
  const std::string& kind = words[0];
  const auto number = [&](std::size_t i) { return i < words.size() ? to_integer(words[i]) : 0; };
  const auto word = [&](std::size_t i) { return i < words.size() ? words[i] : std::string(); };
  const double share = static_cast<double>(number(1)) / static_cast<double>(kMillion);
  const Random random(seed);
  if (kind == "latency") {
    return std::make_unique<Latency>(number(1) * kNsPerUs, number(2) * kNsPerUs, word(3) == "normal",
                                     static_cast<double>(number(4)) / 100, random);
  }
  if (kind == "loss") return std::make_unique<Loss>(share, static_cast<double>(number(2)), random);
  if (kind == "duplicate") return std::make_unique<Duplicate>(share, random);
  if (kind == "reorder") return std::make_unique<Reorder>(share, number(2) * kNsPerUs, random);
  if (kind == "corrupt") return std::make_unique<Corrupt>(share, word(2) == "repaired", random);
  if (kind == "bandwidth" && number(1) > 0) return std::make_unique<Bandwidth>(number(1), number(2) * kNsPerUs);
  if (kind == "flap" && number(1) > 1) return std::make_unique<Flap>(number(1) * kNsPerUs);
  if (kind == "dns") return std::make_unique<Dns>(static_cast<int>(number(1)));
  return nullptr;
}

}  // namespace ordeal::agent
