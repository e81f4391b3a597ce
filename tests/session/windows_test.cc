// What is said of a run that is not over must be true of the whole: random histories, cut everywhere, judged in
// windows.

#include "session/windows.h"

#include <gtest/gtest.h>

#include <deque>
#include <random>

#include "checkers/history/reader.h"
#include "checkers/linearizability/checker.h"

namespace ordeal {
namespace {

// Clients of registers that are atomic, but for reads that are stale with some probability. Operations crash, fail, and
// take effect at any moment while they are open, crashed writes also long after.
class Clients {
 public:
  Clients(unsigned seed, double stale, int keys)
      : random_(seed), stale_(stale), registers_(static_cast<std::size_t>(keys)) {}

  std::vector<std::string> play(int steps) {
    for (int step = 0; step < steps; ++step) {
      if (!late_.empty() && below(10) == 0) {
        write(late_.front().key, late_.front().value);
        late_.pop_front();
      }
      const std::size_t at = below(kClients);
      Client& client = clients_[at];
      if (client.process < 0) client.process = next_process_++;
      if (!client.open) {
        invoke(client);
      } else if (!client.done && below(2) == 0) {
        take_effect(client);
      } else {
        complete(client);
      }
    }
    return lines_;
  }

 private:
  struct Client {
    int process = -1;
    bool open = false, done = false, write = false;
    std::size_t key = 0;
    int value = 0;
  };
  struct Late {
    std::size_t key;
    int value;
  };
  std::size_t below(std::size_t n) { return random_() % n; }

  void invoke(Client& client) {
    client.open = true;
    client.done = false;
    client.write = below(2) == 0;
    client.key = below(registers_.size());
    client.value = static_cast<int>(below(3));
    line(client, "invoke", client.write ? std::to_string(client.value) : "null");
  }
  void write(std::size_t key, int value) { registers_[key].push_back(std::to_string(value)); }
  void take_effect(Client& client) {
    client.done = true;
    auto& values = registers_[client.key];
    if (client.write) return write(client.key, client.value);
    const bool stale = std::uniform_real_distribution<>(0, 1)(random_) < stale_;
    seen_[client.process] = values.empty() || (stale && values.size() < 2) ? "null"
                            : stale                                        ? values[values.size() - 2]
                                                                           : values.back();
  }
  void complete(Client& client) {
    client.open = false;
    if (!client.done && client.write && below(2) == 0) {
      line(client, "fail", std::to_string(client.value));
    } else if (!client.done || below(12) == 0) {
      if (client.write && !client.done && below(2) == 0) late_.push_back({client.key, client.value});
      line(client, "info", client.write ? std::to_string(client.value) : "null");
      client.process = -1;
    } else {
      line(client, "ok", client.write ? std::to_string(client.value) : seen_[client.process]);
    }
  }
  void line(const Client& client, const std::string& type, const std::string& value) {
    const std::string n = std::to_string(lines_.size());
    lines_.push_back(R"({"index":)" + n + R"(,"time":)" + n + R"(,"process":)" + std::to_string(client.process) +
                     R"(,"type":")" + type + R"(","f":")" + (client.write ? "write" : "read") + R"(","key":"k)" +
                     std::to_string(client.key) + R"(","value":)" + value + "}");
  }

  static constexpr std::size_t kClients = 4;
  std::mt19937 random_;
  double stale_;
  std::vector<std::vector<std::string>> registers_;
  Client clients_[kClients];
  std::map<int, std::string> seen_;
  std::deque<Late> late_;
  int next_process_ = 0;
  std::vector<std::string> lines_;
};

Verdict judged(const std::string& text, bool unknown) {
  if (text.empty()) return Verdict::valid;
  ReadOptions read;
  read.format = HistoryFormat::jsonl;
  const auto history = read_history(text, "test", read);
  EXPECT_TRUE(history) << history.error().message << "\n" << text;
  CheckOptions options;
  options.model = "register";
  options.consistency = "linearizable";
  options.initial_unknown = unknown;
  options.threads = 1;
  return history ? linearizable_checker()->check(history->history, options).verdict : Verdict::unknown;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string out;
  for (const auto& line : lines) out += line + "\n";
  return out;
}

// Whether some look at the history, while it came, showed an anomaly.
bool seen_while_it_ran(const std::vector<std::string>& lines, PrefixUse use, WindowLimits limits, unsigned seed) {
  std::mt19937 random(seed);
  Windows windows(use, limits);
  bool out = false;
  for (const auto& line : lines) {
    windows.add(line);
    if (random() % 9 == 0) windows.shorten();
    if (random() % 7 != 0) continue;
    const auto changed = windows.take_changed();
    out = out || judged(changed.from_beginning, false) == Verdict::invalid ||
          judged(changed.from_unknown, true) == Verdict::invalid;
  }
  const auto changed = windows.take_changed();
  return out || judged(changed.from_beginning, false) == Verdict::invalid ||
         judged(changed.from_unknown, true) == Verdict::invalid;
}

TEST(Windows, NeverShowWhatTheWholeDoesNot) {
  int whole_invalid = 0, windows_invalid = 0, cut = 0;
  for (unsigned seed = 0; seed < 1500; ++seed) {
    const double stale = seed % 3 == 0 ? 0 : seed % 3 == 1 ? 0.1 : 0.5;
    const auto lines = Clients(seed, stale, 1 + static_cast<int>(seed % 3)).play(60 + static_cast<int>(seed % 120));
    const bool invalid = judged(joined(lines), false) == Verdict::invalid;
    if (stale == 0) {
      ASSERT_FALSE(invalid) << seed;
    }
    const bool seen = seen_while_it_ran(lines, PrefixUse::windows, {8 + seed % 20, 1 << 20}, seed);
    ASSERT_TRUE(invalid || !seen) << "accused falsely, seed " << seed << "\n" << joined(lines);
    whole_invalid += invalid ? 1 : 0;
    windows_invalid += seen ? 1 : 0;
    Windows windows(PrefixUse::windows, {8, 1 << 20});
    for (const auto& line : lines) windows.add(line);
    cut += windows.bytes() < joined(lines).size() ? 1 : 0;
  }
  EXPECT_GT(whole_invalid, 300);
  EXPECT_GT(windows_invalid, whole_invalid / 3) << "windows of a dozen events see much";
  EXPECT_GT(cut, 1000) << "nothing was left out, and nothing put to the test";
}

TEST(Windows, OfABeginningShowAllThatTheWholeDoes) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    const auto lines = Clients(seed, 0.1, 2).play(80);
    const bool invalid = judged(joined(lines), false) == Verdict::invalid;
    EXPECT_EQ(seen_while_it_ran(lines, PrefixUse::whole, {}, seed), invalid) << seed;
  }
}

TEST(Windows, TakeBoundedMemory) {
  const auto lines = Clients(1, 0, 20).play(40000);
  Windows windows(PrefixUse::windows, {400, 200'000});
  std::size_t most = 0;
  for (const auto& line : lines) {
    windows.add(line);
    most = std::max(most, windows.bytes());
    if (windows.full()) break;
  }
  EXPECT_LE(most, 210'000u);
  Windows all(PrefixUse::whole, {400, 200'000});
  for (const auto& line : lines) all.add(line);
  EXPECT_TRUE(all.full()) << "what needs everything says so";
  EXPECT_EQ(all.take_changed().from_beginning, "");
}

TEST(Windows, PassOverWhatIsNoClients) {
  Windows windows(PrefixUse::windows, {});
  windows.add(R"({"index":0,"time":1,"process":"nemesis","type":"info","f":"kill","value":{"id":1}})");
  windows.add("{\"index\":1,\"ti");
  windows.add(R"({"index":2,"time":2,"process":0,"type":"ok","f":"read","key":"k","value":1})");
  EXPECT_EQ(windows.take_changed().from_beginning, "");
}

}  // namespace
}  // namespace ordeal
