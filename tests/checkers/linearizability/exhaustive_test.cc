// Every history of two values up to a small size, against the oracle: all interleavings of invocations and returns, all
// results, every subset of crashed operations. Every algorithm that accepts a history must give the oracle's verdict.
// Of the cas-register histories of four operations, hundreds of thousands, every 40th is compared; all with
// ORDEAL_HEAVY.

#include <gtest/gtest.h>

#include <cstdlib>

#include "checkers/linearizability/interfaces/strategy.h"
#include "checkers/linearizability/search/strategies.h"
#include "support/oracle.h"

namespace ordeal::lin {
namespace {

struct Kind {
  const char* f;
  int a = 0, b = 0;
  bool crashed = false;
};

const std::vector<Kind> kRegister{{"read", 1},  {"read", 2},           {"write", 1},
                                  {"write", 2}, {"write", 1, 0, true}, {"write", 2, 0, true}};

std::vector<Kind> cas_register() {
  std::vector<Kind> out = kRegister;
  for (const bool crashed : {false, true}) {
    out.push_back({"cas", 1, 2, crashed});
    out.push_back({"cas", 2, 1, crashed});
  }
  return out;
}

// Walks all histories of exactly `size` operations. By symmetry the first operation concerns value 1 first.
class Enumeration {
 public:
  // Compares every `step`th history.
  Enumeration(const char* model, std::vector<Kind> kinds, std::size_t size, std::size_t step)
      : kinds_(std::move(kinds)), size_(size), step_(step) {
    options_.model = model;
  }

  void run() { extend(); }

  std::size_t histories = 0, valid = 0, compared = 0;

 private:
  struct Mark {
    std::size_t operation;
    bool is_return;
  };

  void extend() {
    if (testing::Test::HasFailure()) return;
    bool any_open = false;
    for (std::size_t i = 0; i < chosen_.size(); ++i) {
      if (!open_[i]) continue;
      any_open = true;
      marks_.push_back({i, true});
      open_[i] = false;
      extend();
      open_[i] = true;
      marks_.pop_back();
    }
    if (chosen_.size() == size_) {
      if (!any_open && found_++ % step_ == 0) compare();
      return;
    }
    for (const Kind& kind : kinds_) {
      if (chosen_.empty() && kind.a == 2) continue;
      marks_.push_back({chosen_.size(), false});
      chosen_.push_back(kind);
      open_.push_back(!kind.crashed);
      extend();
      open_.pop_back();
      chosen_.pop_back();
      marks_.pop_back();
    }
  }

  History history() const {
    HistoryBuilder builder;
    for (const Mark& mark : marks_) {
      const Kind& kind = chosen_[mark.operation];
      const std::string_view f = kind.f;
      Event event;
      event.process = static_cast<ProcessId>(mark.operation);
      event.type = mark.is_return ? EventType::ok : EventType::invoke;
      event.f = *builder.function(f);
      const bool cas = f == "cas";
      const Value value = cas ? Value(Value::List{Value(kind.a), Value(kind.b)}) : Value(kind.a);
      event.value = f == "read" && !mark.is_return ? kNil : builder.values().intern(value);
      const auto added = builder.add(event);
      EXPECT_TRUE(added.has_value());
    }
    return builder.finish();
  }

  std::string text() const {
    std::string out;
    for (const Mark& mark : marks_) {
      const Kind& kind = chosen_[mark.operation];
      out += std::to_string(mark.operation) + (mark.is_return ? " returns from " : " calls ") + kind.f + " " +
             std::to_string(kind.a) + " " + std::to_string(kind.b) + (kind.crashed ? " (crashes)\n" : "\n");
    }
    return out;
  }

  void compare() {
    ++histories;
    const History recorded = history();
    const bool expected = testing_support::oracle_linearizable(recorded, options_);
    valid += expected;
    const auto model = make_model(recorded, options_);
    ASSERT_TRUE(model.has_value());
    const Partition keys = partition(recorded, **model);
    for (const auto& strategy : strategies()) {
      if (keys.keys.empty() || !strategy->objection(keys.keys[0]).empty()) continue;
      Budget budget(std::chrono::steady_clock::time_point::max(), std::size_t{1} << 30, {});
      const Verdict found = strategy->decide(keys.keys[0], budget, false).verdict;
      ++compared;
      ASSERT_EQ(found, expected ? Verdict::valid : Verdict::invalid) << strategy->name() << "\n" << text();
    }
  }

  CheckOptions options_;
  std::vector<Kind> kinds_;
  std::size_t size_, step_, found_ = 0;
  std::vector<Kind> chosen_;
  std::vector<bool> open_;
  std::vector<Mark> marks_;
};

void enumerate(const char* model, const std::vector<Kind>& kinds, std::size_t size, std::size_t step = 1) {
  Enumeration all(model, kinds, size, step);
  all.run();
  EXPECT_GT(all.valid, 0u);
  EXPECT_LT(all.valid, all.histories);
  EXPECT_GE(all.compared, 4 * all.histories);
  testing::Test::RecordProperty("histories", static_cast<int>(all.histories));
}

TEST(Exhaustive, RegisterHistoriesOfUpToFourOperations) {
  for (std::size_t size = 1; size <= 4; ++size) enumerate("register", kRegister, size);
}

TEST(Exhaustive, CasRegisterHistoriesOfUpToThreeOperations) {
  for (std::size_t size = 1; size <= 3; ++size) enumerate("cas-register", cas_register(), size);
}

TEST(Exhaustive, CasRegisterHistoriesOfFourOperations) {
  enumerate("cas-register", cas_register(), 4, std::getenv("ORDEAL_HEAVY") == nullptr ? 40 : 1);
}

}  // namespace
}  // namespace ordeal::lin
