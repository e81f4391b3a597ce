// Which nodes did not come back, and whose failure that is.

#include "harness/runner/unrecovered.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/nemesis/recording_node.h"

namespace ordeal {
namespace {

using testing_support::RecordingNode;

// Nodes are named in the maps when there is something to say about them; all others serve.
class LostTarget final : public Target, Target::Processes {
 public:
  std::map<std::string, std::string> problems;
  std::map<std::string, std::vector<int>> running;

  std::string_view name() const override { return "lost"; }
  Result<std::unique_ptr<Client>> client(std::size_t) override { return fail(ErrorCode::target, "none"); }
  Result<void> await_node(Node& node, Deadline) override {
    const auto found = problems.find(node.name());
    if (found == problems.end()) return {};
    return fail(ErrorCode::unreachable, found->second);
  }
  Target::Processes* processes() override { return this; }
  Result<void> kill(Node&) override { return {}; }
  Result<void> pause(Node&) override { return {}; }
  Result<void> resume(Node&) override { return {}; }
  // Nodes are asked by threads of their own: nothing is put into the map here.
  Result<std::vector<int>> pids(Node& node) override {
    const auto found = running.find(node.name());
    return found == running.end() ? std::vector<int>{} : found->second;
  }
};

class UnrecoveredNodes : public testing::Test {
 protected:
  UnrecoveredNodes() {
    for (const char* name : {"n1", "n2", "n3"}) {
      cluster_.nodes.push_back(std::make_unique<RecordingNode>(
          name, "10.0.0.1", [this, node = std::string(name)](const std::string&) -> Result<CommandOutput> {
            if (node == cut_off_) return fail(ErrorCode::unreachable, node + ": no route");
            return CommandOutput{};
          }));
    }
  }
  Result<std::vector<UnrecoveredNode>> look() { return unrecovered_nodes(target_, &cluster_, problem_); }

  Cluster cluster_;
  LostTarget target_;
  std::string cut_off_;
  Error problem_{ErrorCode::target, "no leader"};
};

TEST_F(UnrecoveredNodes, EndedAndSilentOnesAreToldApart) {
  target_.problems = {{"n1", "refused"}, {"n3", "no answer"}};
  target_.running["n3"] = {7};
  const auto found = look();
  ASSERT_TRUE(found) << found.error().message;
  ASSERT_EQ(found->size(), 2u);
  EXPECT_EQ((*found)[0].node, "n1");
  EXPECT_TRUE((*found)[0].ended);
  EXPECT_EQ((*found)[0].problem, "refused");
  EXPECT_EQ((*found)[1].node, "n3");
  EXPECT_FALSE((*found)[1].ended);
}

TEST_F(UnrecoveredNodes, WhenEachServesItIsTheTargetAsAWhole) {
  const auto found = look();
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), 1u);
  EXPECT_EQ(found->front().node, "");
  EXPECT_EQ(found->front().problem, "no leader");
  const auto without_nodes = unrecovered_nodes(target_, nullptr, problem_);
  ASSERT_TRUE(without_nodes);
  EXPECT_EQ(without_nodes->front().problem, "no leader");
}

TEST_F(UnrecoveredNodes, ANodeThatCannotBeReachedIsNobodysGuilt) {
  target_.problems = {{"n1", "refused"}, {"n2", "no route"}};
  cut_off_ = "n2";
  const auto found = look();
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ErrorCode::unreachable);
  EXPECT_NE(found.error().message.find("n2"), std::string::npos);
}

}  // namespace
}  // namespace ordeal
