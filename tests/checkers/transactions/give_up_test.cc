// A search that gave up proves nothing: however little time there is, at whatever point of whatever phase it ends, a
// history that is invalid at a level is never called valid. No time is asserted; the limits are shares of what the
// whole check took.

#include <gtest/gtest.h>

#include <chrono>
#include <set>
#include <string>

#include "checkers/history/reader.h"
#include "checkers/transactions/checker.h"

namespace ordeal {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

class Text {
 public:
  void done(const std::string& value) {
    const std::string process = std::to_string(next_++ % 12);
    for (const char* type : {"invoke", "ok"}) {
      text_ += "{\"process\":" + process + ",\"type\":\"" + type + "\",\"f\":\"txn\",\"value\":[" + value + "]}\n";
    }
  }
  // Transactions on keys of their own, each after others, that contradict nothing; several write one key blindly.
  void filler(int count, int of) {
    for (int i = 0; i < count; ++i) {
      const std::string key = "\"f" + std::to_string(of) + "-" + std::to_string(i % 40) + "\"";
      const std::string own = std::to_string(of * 100'000 + i);
      done("[\"w\"," + key + "," + own + "],[\"w\",\"b" + std::to_string(i % 7) + "\"," + own + "]");
      if (i % 3 == 0) done("[\"r\"," + key + "," + own + "]");
    }
  }
  [[nodiscard]] History history() const {
    auto read = read_history(text_, "test");
    EXPECT_TRUE(read) << read.error().message;
    return std::move(read->history);
  }

 private:
  std::string text_;
  int next_ = 0;
};

// A read that sees of two transactions, each of which wrote both keys, one value of each.
void fractured_read(Text& text) {
  text.done(R"(["w","x",1],["w","y",1])");
  text.done(R"(["w","x",2],["w","y",2])");
  text.done(R"(["r","x",1],["r","y",2])");
}
// Two who saw two writes in opposite orders.
void long_fork(Text& text) {
  text.done(R"(["w","p",1])");
  text.done(R"(["w","q",1])");
  text.done(R"(["r","p",1],["r","q",null])");
  text.done(R"(["r","p",null],["r","q",1])");
}
// Two that read both keys and wrote one each, without the other's write.
void write_skew(Text& text) {
  text.done(R"(["w","s",1],["w","t",1])");
  text.done(R"(["r","s",1],["r","t",1],["w","s",2])");
  text.done(R"(["r","s",1],["r","t",1],["w","t",2])");
}

TEST(GivingUp, NeverMakesAnInvalidHistoryValid) {
  std::size_t levels = 0;
  for (void (*violation)(Text&) : {fractured_read, long_fork, write_skew}) {
    Text text;
    text.filler(120, 1);
    violation(text);
    text.filler(120, 2);
    const History history = text.history();
    CheckOptions options;
    options.model = "rw-register";
    std::set<std::string> seen;
    for (const std::string& level : transactional_levels()) {
      if (level == "strongest") continue;
      options.consistency = level;
      options.timeout = milliseconds(0);
      const auto start = std::chrono::steady_clock::now();
      if (transactional_checker()->check(history, options).verdict != Verdict::invalid) continue;
      const auto whole = std::chrono::duration_cast<microseconds>(std::chrono::steady_clock::now() - start);
      ++levels;
      for (const int share : {1, 3, 5, 7, 9, 11}) {
        options.timeout = std::max(milliseconds(1), std::chrono::duration_cast<milliseconds>(whole * share / 12));
        EXPECT_NE(transactional_checker()->check(history, options).verdict, Verdict::valid)
            << level << " within " << options.timeout.count() << " ms of " << whole.count() / 1000;
      }
    }
  }
  EXPECT_GT(levels, 20u);
}

// Two that write, and one that read in between what only the later one made possible: fine without it (the read-only
// anomaly of Fekete, O'Neil and O'Neil, 2004). Every order is seen, so that nothing but the search for it decides.
void read_only_anomaly(Text& text) {
  text.done(R"(["append","u",1],["append","v",1])");
  text.done(R"(["r","v",[1]],["r","u",[1]],["append","u",2])");
  text.done(R"(["r","v",[1]],["append","v",2])");
  text.done(R"(["r","u",[1]],["r","v",[1,2]])");
  text.done(R"(["r","u",[1,2]],["r","v",[1,2]])");
}

// Each search looks at its limits now and then. Whichever look is the one that says "enough": a history that is invalid
// is never valid, one that is valid never invalid, and with looks enough both are decided.
TEST(GivingUp, AtEveryLookNothingIsProven) {
  std::size_t given_up = 0;
  for (void (*history_of)(Text&) : {fractured_read, long_fork, write_skew, read_only_anomaly}) {
    Text text;
    const bool list = history_of == read_only_anomaly;
    if (!list) text.filler(10, 1);
    history_of(text);
    const History history = text.history();
    CheckOptions options;
    options.model = list ? "list-append" : "rw-register";
    options.threads = 1;
    for (const std::string& level : transactional_levels()) {
      if (level == "strongest") continue;
      options.consistency = level;
      options.extra = Value::map();
      const Verdict whole = transactional_checker()->check(history, options).verdict;
      for (std::int64_t looks = 0; looks < 500; ++looks) {
        options.extra.set("transactional.looks", looks);
        const CheckResult result = transactional_checker()->check(history, options);
        if (result.verdict != Verdict::unknown) {
          EXPECT_EQ(result.verdict, whole) << level << " after " << looks << " looks";
        }
        if (result.verdict == whole) break;
        EXPECT_NE(result.reason, "");
        ++given_up;
        ASSERT_LT(looks, 499) << level << " is never decided";
      }
    }
  }
  EXPECT_GT(given_up, 50u);
}

}  // namespace
}  // namespace ordeal
