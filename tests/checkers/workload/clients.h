#pragma once
// Random small histories: a few clients that begin and end operations in any order.

#include <functional>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/checkers/workload/histories.h"

namespace ordeal::work {

// An operation under way. `tag` is the test's own.
struct Begun {
  int process = 0;
  std::string f, asked;
  int tag = 0;
};
// Type "info" retires the process, and another one takes its place. A type beside the usual ones is a failure with an
// error of that kind.
struct Ended {
  std::string type, seen;
};

class Clients {
 public:
  // Borrows `random`. `timed`: events come 1 to 3 ms apart; without, they have no times.
  Clients(std::mt19937& random, int count, bool timed = false) : random_(random), timed_(timed) {
    for (int p = 0; p < count; ++p) processes_.push_back(p);
  }

  // A history of `operations` operations: `begin` says what a process asks for, `end` what came of it. Both are called
  // in the order of the events; now_ms() is when.
  std::string play(int operations, const std::function<Begun(int process)>& begin,
                   const std::function<Ended(Begun& one)>& end) {
    std::string text;
    std::map<int, Begun> open;
    for (int begun = 0; begun < operations || !open.empty();) {
      int& process = processes_[random_() % processes_.size()];
      const auto found = open.find(process);
      if (found == open.end() && begun == operations) continue;
      now_ms_ += 1 + static_cast<int>(random_() % 3);
      if (found == open.end()) {
        Begun one = begin(process);
        one.process = process;
        text += at(event(process, "invoke", one.f, one.asked));
        open.emplace(process, std::move(one));
        ++begun;
        continue;
      }
      const Ended ended = end(found->second);
      text += at(completion(found->second, ended));
      open.erase(found);
      if (ended.type == "info") process = next_process_++;
    }
    return text;
  }
  [[nodiscard]] int now_ms() const { return now_ms_; }
  // The process of one of the clients.
  [[nodiscard]] int any() { return processes_[random_() % processes_.size()]; }

 private:
  static std::string completion(const Begun& one, const Ended& ended) {
    if (ended.type == "ok" || ended.type == "fail" || ended.type == "info")
      return event(one.process, ended.type, one.f, ended.seen);
    return "{:process " + std::to_string(one.process) + " :type :fail :f :" + one.f + " :error {:kind \"" + ended.type +
           "\" :message \"\"}}\n";
  }
  [[nodiscard]] std::string at(const std::string& text) const {
    return timed_ ? "{:time " + std::to_string(now_ms_) + "000000 " + text.substr(1) : text;
  }

  std::mt19937& random_;
  const bool timed_;
  std::vector<int> processes_;
  int next_process_ = 100;
  int now_ms_ = 0;
};

// Whether each anomaly is proved by what it names: `keeps` refuses these operations alone.
inline void expect_proved(const History& history, const CheckResult& result,
                          const std::function<bool(const History&)>& keeps) {
  for (const Anomaly& anomaly : result.anomalies) {
    const History part = testing_support::part_of(history, anomaly.operations);
    EXPECT_FALSE(keeps(part)) << "not proved: " << anomaly.type << ": " << anomaly.explanation << "\n"
                              << testing_support::told(part) << "of\n"
                              << testing_support::told(history);
  }
}

}  // namespace ordeal::work
