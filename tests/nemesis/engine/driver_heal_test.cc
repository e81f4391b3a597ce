// What the driver says of healing when the nodes refuse: an undo that failed is never taken for one that worked. The
// nodes are made up, so nothing has to be broken for it.

#include <gmock/gmock.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "nemesis/engine/driver.h"
#include "nemesis/engine/ledger.h"
#include "tests/nemesis/recording_node.h"

namespace ordeal {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using testing_support::RecordingNode;

class NoTarget final : public Target {
 public:
  std::string_view name() const override { return "none"; }
  Result<std::unique_ptr<Client>> client(std::size_t) override { return fail(ErrorCode::unsupported, "no clients"); }
};

class Steps final : public NemesisLog {
 public:
  void record(const std::string&, const Value& value) override {
    const std::lock_guard lock(mutex_);
    if (const Value* step = value.find("step")) steps_.push_back(step->string());
  }
  std::int64_t now_ns() const override { return ++now_; }
  std::vector<std::string> steps() const {
    const std::lock_guard lock(mutex_);
    return steps_;
  }

 private:
  mutable std::mutex mutex_;
  mutable std::atomic<std::int64_t> now_ = 0;
  std::vector<std::string> steps_;
};

// In force on n1 and n2, undone by a script that says UNDO-BODY.
class OnTwo final : public Injection {
 public:
  Value describe() const override { return Value::map(); }
  std::vector<std::string> nodes() const override { return {"n1", "n2"}; }
  std::vector<Undo> undo() const override { return {{"n1", "UNDO-BODY"}, {"n2", "UNDO-BODY"}}; }
  Result<void> inject(Deadline) override { return {}; }
  Result<Observation> confirm(Deadline) override { return Observation{true, "seen"}; }
  Result<Observation> confirm_healed(Deadline) override { return Observation{true, "gone"}; }
};

class DriverHealTest : public ::testing::Test {
 protected:
  DriverHealTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "ordeal-heal-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    for (const char* name : {"n1", "n2", "n3"}) {
      auto node = std::make_unique<RecordingNode>(
          name, "10.0.0.1", [this, name](const std::string& script) { return answer(name, script); });
      cluster_.nodes.push_back(std::move(node));
    }
    fault_.name = "pretended";
    fault_.plan = [](const FaultContext&, std::mt19937_64&) -> Result<std::unique_ptr<Injection>> {
      return std::make_unique<OnTwo>();
    };
    DriverOptions options;
    options.timeline = R"([{"at": 0, "fault": "pretended", "duration": 0.01}])";
    options.heal_timeout_s = 0.5;
    options.ledger_path = folder_ / "ledger.jsonl";
    options.run = "ab";
    auto made = make_driver(options, {cluster_, target_, settings_}, {&fault_},
                            [](const auto&, Deadline) { return std::string(); });
    EXPECT_TRUE(made) << made.error().message;
    nemesis_ = *std::move(made);
  }
  ~DriverHealTest() override {
    nemesis_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  Result<CommandOutput> answer(const std::string& node, const std::string& script) {
    // What arms a node holds the undo script, quoted; the undo itself is run as it is.
    const bool undo = script.find("UNDO-BODY") != std::string::npos && script.find("undo.tmp") == std::string::npos;
    if (!undo) return CommandOutput{};
    ++undos_;
    if (node == stubborn_) return CommandOutput{1, "", "rm: cannot remove"};
    return CommandOutput{0, "undone\n", ""};
  }
  void run() {
    std::jthread runner([&](const std::stop_token& stop) { nemesis_->run(RunPhase::main, stop, steps_); });
    const auto over = [&] {
      const auto steps = steps_.steps();
      return std::any_of(steps.begin(), steps.end(), [](const auto& s) { return s == "healed" || s == "error"; });
    };
    const Deadline limit = Deadline::after_s(30);
    while (!over() && !limit.passed()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    ASSERT_TRUE(over());
  }
  FaultRecord record() const { return nemesis_->records().at(0); }
  std::size_t open_in_ledger() const {
    const auto contents = read_ledger(folder_ / "ledger.jsonl");
    EXPECT_TRUE(contents);
    return contents ? contents->open.size() : 0;
  }

  std::filesystem::path folder_;
  std::string stubborn_;
  std::atomic<int> undos_ = 0;
  Cluster cluster_;
  NoTarget target_;
  Options settings_;
  FaultFactory fault_;
  Steps steps_;
  std::unique_ptr<Nemesis> nemesis_;
};

TEST_F(DriverHealTest, IsHealedWhenEveryNodeSaysSo) {
  run();
  EXPECT_THAT(steps_.steps(), Contains("healed"));
  EXPECT_GE(record().healed_ns, 0);
  EXPECT_EQ(record().error, "");
  EXPECT_EQ(open_in_ledger(), 0u);
  EXPECT_EQ(undos_, 2);
  EXPECT_TRUE(nemesis_->heal_all(Deadline::after_s(1)));
  EXPECT_EQ(undos_, 2) << "nothing was in force any more";
}

TEST_F(DriverHealTest, AnUndoThatFailedOnOneNodeIsNotHealedAndSaysWhere) {
  stubborn_ = "n2";
  run();
  EXPECT_THAT(steps_.steps(), Not(Contains("healed")));
  EXPECT_THAT(steps_.steps(), Not(Contains("recovered")));
  EXPECT_LT(record().healed_ns, 0);
  EXPECT_THAT(record().error, HasSubstr("healing"));
  EXPECT_EQ(open_in_ledger(), 1u) << "`ordeal heal` must find it there";

  const int before = undos_;
  const auto healed = nemesis_->heal_all(Deadline::after_s(1));
  ASSERT_FALSE(healed) << "it is still in force";
  EXPECT_THAT(healed.error().message, HasSubstr("n2"));
  EXPECT_THAT(healed.error().message, HasSubstr("fault 1, pretended"));
  EXPECT_GT(undos_, before) << "it was tried";
  EXPECT_EQ(open_in_ledger(), 1u);

  stubborn_ = "";
  ASSERT_TRUE(nemesis_->heal_all(Deadline::after_s(30)));
  EXPECT_GE(record().healed_ns, 0);
  EXPECT_EQ(open_in_ledger(), 0u);
}

}  // namespace
}  // namespace ordeal
