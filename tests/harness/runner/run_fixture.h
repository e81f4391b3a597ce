#pragma once
// A run on a client made for the test, with its journal read back.

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "harness/runner/run.h"
#include "tests/harness/store/lines.h"
#include "tests/harness/store/scratch.h"

namespace ordeal {

// A target whose clients are made by functions.
class ScriptedTarget final : public Target {
 public:
  using Open = std::function<Result<void>(std::size_t node, Deadline)>;
  using Invoke = std::function<Completion(std::size_t node, const Operation&, Deadline)>;

  Open on_open = [](std::size_t, Deadline) { return Result<void>(); };
  Invoke on_invoke = [](std::size_t, const Operation&, Deadline) { return Completion::ok(); };
  std::function<Result<void>(Deadline)> on_ready = [](Deadline) { return Result<void>(); };
  std::atomic<int> opened{0};
  std::atomic<int> closed{0};
  std::shared_ptr<int> held_by_clients;  // each client made from now on has a share

  std::string_view name() const override { return "scripted"; }
  Result<std::unique_ptr<Client>> client(std::size_t node) override { return std::make_unique<One>(*this, node); }
  Result<void> await_ready(Deadline deadline) override { return on_ready(deadline); }

 private:
  class One final : public Client {
   public:
    One(ScriptedTarget& target, std::size_t node) : target_(target), node_(node), held_(target.held_by_clients) {}
    Result<void> open(Deadline deadline) override {
      auto done = target_.on_open(node_, deadline);
      if (done) target_.opened.fetch_add(1);
      return done;
    }
    Completion invoke(const Operation& operation, Deadline deadline) override {
      return target_.on_invoke(node_, operation, deadline);
    }
    void close() override { target_.closed.fetch_add(1); }

   private:
    ScriptedTarget& target_;
    std::size_t node_;
    std::shared_ptr<int> held_;
  };
};

// One event of the history, as far as tests look at it.
struct Seen {
  std::int64_t time = 0;
  std::int64_t process = 0;  // -1: nemesis
  std::string type, f, error;
  Value value;
};

class RunFixture : public testing::Test {
 protected:
  std::shared_ptr<ScriptedTarget> target_ = std::make_shared<ScriptedTarget>();
  Workload workload_;
  RunSetup setup_;
  RunLog log_{[this](RunLog::Level, std::string_view message) { logged_ += std::string(message) + "\n"; }};
  std::string logged_;

  RunFixture() {
    setup_.target = target_;
    setup_.time_limit_s = 0.2;
    setup_.rate = 0;
    setup_.workers.workers = 3;
    // What answers at once answers within this, on a busy machine too.
    setup_.workers.op_timeout = std::chrono::milliseconds(400);
    setup_.workers.first_open_timeout = std::chrono::milliseconds(400);
    setup_.workers.opening_each = std::chrono::milliseconds(0);
    setup_.workers.grace = std::chrono::milliseconds(200);
    setup_.workers.min_rest = std::chrono::milliseconds(10);
    setup_.workers.max_rest = std::chrono::milliseconds(40);
    setup_.recovery_s = 1;
    setup_.log = &log_;
  }

  static GeneratorPtr ops(int count, const std::string& f = "write") {
    std::vector<Operation> list;
    for (int i = 0; i < count; ++i) list.push_back({f, std::nullopt, Value(i)});
    return gen::operations(std::move(list));
  }

  Result<RunOutcome> run() {
    auto journal = Journal::create(scratch_.file("history.jsonl"));
    ORDEAL_CHECK(journal.has_value(), "no journal");
    setup_.workload = &workload_;
    setup_.journal = journal->get();
    auto outcome = run_workload(setup_);
    read_back();
    return outcome;
  }

  // All events but the last record, which says how the run ended.
  void read_back() {
    auto lines = read_lines(scratch_.file("history.jsonl"));
    EXPECT_FALSE(lines.broken);
    events_.clear();
    end_.reset();
    if (!lines.events.empty()) end_ = RunEnd::from_value(*lines.events.back().find("value"));
    if (end_) lines.events.pop_back();
    for (const auto& event : lines.events) {
      Seen seen;
      seen.time = event.find("time")->integer();
      const Value& process = *event.find("process");
      seen.process = process.is_integer() ? process.integer() : -1;
      seen.type = event.find("type")->string();
      seen.f = event.find("f")->string();
      seen.value = *event.find("value");
      if (const Value* error = event.find("error")) seen.error = error->find("kind")->string();
      events_.push_back(std::move(seen));
    }
  }

  // Every process alternates invocation and completion, and is never used again after an info.
  void expect_well_formed(bool complete = true) const {
    std::map<std::int64_t, std::string> last;
    for (const auto& event : events_) {
      if (event.process < 0) continue;
      std::string& before = last[event.process];
      if (event.type == "invoke") {
        EXPECT_TRUE(before.empty() || before == "ok" || before == "fail") << event.process << " after " << before;
      } else {
        EXPECT_EQ(before, "invoke") << event.process;
      }
      before = event.type;
    }
    if (!complete) return;
    for (const auto& [process, type] : last) EXPECT_NE(type, "invoke") << process;
  }

  std::size_t count(const std::string& type, const std::string& error = "") const {
    std::size_t n = 0;
    for (const auto& event : events_) n += event.process >= 0 && event.type == type && event.error == error ? 1u : 0u;
    return n;
  }

  Scratch scratch_;
  std::vector<Seen> events_;
  std::optional<RunEnd> end_;
};

}  // namespace ordeal
