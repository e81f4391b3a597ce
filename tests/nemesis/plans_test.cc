// What faults plan and find inapplicable, and how they judge what nodes answer, on nodes that only answer.

#include <gmock/gmock.h>

#include <chrono>
#include <set>

#include "nemesis/catalogue.h"
#include "tests/nemesis/recording_node.h"

namespace ordeal {
namespace {

using ::testing::HasSubstr;
using testing_support::RecordingNode;

// A target with files, processes and members, none of which is ever touched.
class AnyTarget final : public Target, public Target::Files, public Target::Processes, public Target::Membership {
 public:
  std::string_view name() const override { return "any"; }
  Result<std::unique_ptr<Client>> client(std::size_t) override { return unsupported(); }
  const Target::Files* files() const override { return this; }
  std::vector<std::string> log_files(const Node&) const override { return {}; }
  std::vector<std::string> data_directories(const Node&) const override { return {"/var/lib/any"}; }
  Target::Processes* processes() override { return this; }
  Result<void> kill(Node&) override { return unsupported(); }
  Result<void> pause(Node&) override { return unsupported(); }
  Result<void> resume(Node&) override { return unsupported(); }
  Result<std::vector<int>> pids(Node&) override { return unsupported(); }
  Target::Membership* membership() override { return this; }
  Result<std::vector<Member>> members(Node&, Deadline) override { return unsupported(); }
  Result<void> remove(Node&, Deadline) override { return unsupported(); }
  Result<void> add(Node&, Deadline) override { return unsupported(); }

 private:
  static tl::unexpected<Error> unsupported() { return fail(ErrorCode::unsupported, "not in this test"); }
};

class PlansTest : public ::testing::Test {
 protected:
  explicit PlansTest(std::size_t nodes = 5) { make(nodes); }
  void make(std::size_t nodes) {
    cluster_.nodes.clear();
    for (std::size_t i = 1; i <= nodes; ++i) {
      const std::string name = "n" + std::to_string(i);
      cluster_.nodes.push_back(std::make_unique<RecordingNode>(
          name, "10.0.0." + std::to_string(i),
          [this, name](const std::string& script) -> Result<CommandOutput> { return answer(name, script); }));
    }
  }
  // Machines whose clocks are some seconds off.
  Result<CommandOutput> answer(const std::string& name, const std::string& script) const {
    CommandOutput out;
    if (script.find("boot_id") != std::string::npos) {
      out.out = "boot-of-" + name + "\n";
    } else if (script.find("date +%s%N") != std::string::npos) {
      const auto now = std::chrono::system_clock::now().time_since_epoch() + std::chrono::milliseconds(ahead_ms_);
      out.out = std::to_string(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count()) + "\n";
    }
    return out;
  }

  Options options(const FaultFactory& fault, const std::map<std::string, std::string>& settings) const {
    Options out(fault.options);
    for (const auto& [key, value] : settings) EXPECT_TRUE(out.set(key, value, "test")) << key;
    return out;
  }
  std::string problem(const char* name, const std::map<std::string, std::string>& settings = {}) {
    const FaultFactory& fault = **find_fault(name);
    const Options chosen = options(fault, settings);
    return fault.inapplicable({cluster_, target_, chosen, "test-1", {}, 7});
  }
  std::unique_ptr<Injection> plan(const char* name, std::uint64_t seed,
                                  const std::map<std::string, std::string>& settings = {}) {
    const FaultFactory& fault = **find_fault(name);
    chosen_ = std::make_unique<Options>(options(fault, settings));
    std::mt19937_64 random(seed);
    auto planned = fault.plan({cluster_, target_, *chosen_, "test-1", {}, 7}, random);
    EXPECT_TRUE(planned) << planned.error().message;
    return planned ? *std::move(planned) : nullptr;
  }

  Cluster cluster_;
  AnyTarget target_;
  std::unique_ptr<Options> chosen_;
  int ahead_ms_ = 0;
};

TEST_F(PlansTest, MembersMayLeaveAsLongAsThereIsAQuorum) {
  EXPECT_EQ(problem("membership"), "");
  EXPECT_EQ(problem("membership", {{"membership.nodes", "n1,n2"}}), "");
  EXPECT_THAT(problem("membership", {{"membership.nodes", "n1,n2,n3"}}), HasSubstr("at most 2 of 5 members may leave"));
  make(2);
  EXPECT_THAT(problem("membership"), HasSubstr("three or more"));
}

TEST_F(PlansTest, FilesAreDamagedOnAMinority) {
  EXPECT_EQ(problem("corrupt-files"), "");
  EXPECT_EQ(problem("corrupt-files", {{"corrupt-files.nodes", "minority"}}), "");
  make(2);
  EXPECT_EQ(problem("corrupt-files", {{"corrupt-files.nodes", "n1"}}), "");
  EXPECT_THAT(problem("corrupt-files", {{"corrupt-files.nodes", "minority"}}), HasSubstr("a minority of so few nodes"));
}

TEST_F(PlansTest, AProbabilityThatIsNotGivenIsDrawn) {
  std::set<double> drawn;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto trouble = plan("disk", seed, {{"disk.kind", "write-error"}, {"disk.nodes", "n1"}});
    ASSERT_NE(trouble, nullptr);
    const Value description = trouble->describe();
    ASSERT_NE(description.find("probability"), nullptr) << description.to_json();
    drawn.insert(description.find("probability")->real());
  }
  EXPECT_GE(*drawn.begin(), 0.01);
  EXPECT_LE(*drawn.rbegin(), 1);
  EXPECT_LT(*drawn.begin(), 0.1) << "all orders of magnitude alike";
  EXPECT_GT(drawn.size(), 10U);
}

TEST_F(PlansTest, AMachinesClockIsReadAgainstWhatItWas) {
  const std::map<std::string, std::string> ours = {{"host-clock.own", "true"}, {"host-clock.nodes", "n2"}};
  auto settings = ours;
  settings.insert({{"host-clock.kind", "offset"}, {"host-clock.offset", "10"}});
  ahead_ms_ = 5000;
  const auto wrong = plan("host-clock", 1, settings);
  ASSERT_NE(wrong, nullptr);
  EXPECT_EQ(wrong->describe().find("mechanism")->string(), "clock_settime");
  ASSERT_TRUE(wrong->prepare(Deadline::after_s(60)));
  const auto confirmed = [&](int ahead_ms) {
    ahead_ms_ = ahead_ms;
    const auto seen = wrong->confirm(Deadline::after_s(60));
    EXPECT_TRUE(seen) << seen.error().message;
    return seen && seen->confirmed;
  };
  EXPECT_TRUE(confirmed(15'000));
  EXPECT_FALSE(confirmed(5000));
  EXPECT_FALSE(confirmed(10'000));
  settings = ours;
  settings.emplace("host-clock.kind", "drift");
  EXPECT_EQ(plan("host-clock", 1, settings)->describe().find("mechanism")->string(), "adjtimex");
}

}  // namespace
}  // namespace ordeal
