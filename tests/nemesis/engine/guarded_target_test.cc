// What faults are given in place of the target passes every call on, and no two for one node at once.
#include "nemesis/engine/guarded_target.h"

#include <gmock/gmock.h>

#include <condition_variable>
#include <fstream>
#include <future>
#include <regex>
#include <set>
#include <sstream>
#include <thread>

#include "tests/nemesis/recording_node.h"

namespace ordeal {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing_support::RecordingNode;
using Names = std::multiset<std::string>;  // a method twice: overloaded

// ---- what the headers say

std::string source(const std::string& file) {
  std::ifstream in(std::string(ORDEAL_SOURCE_DIR) + "/" + file);
  std::ostringstream text;
  text << in.rdbuf();
  return std::regex_replace(text.str(), std::regex("//[^\n]*"), "");
}

// The text between the braces of a class that is defined there; empty: none is.
std::string body_of(const std::string& text, const std::string& name) {
  std::smatch head;
  if (!std::regex_search(text, head, std::regex("\\bclass " + name + "\\b[^;{]*\\{"))) return "";
  const auto begin = static_cast<std::size_t>(head.position(0) + head.length(0));
  int depth = 1;
  for (std::size_t at = begin; at < text.size(); ++at) {
    if (text[at] == '{') ++depth;
    if (text[at] == '}' && --depth == 0) return text.substr(begin, at - begin);
  }
  return "";
}

Names all_matches(const std::string& text, const std::string& pattern) {
  Names out;
  const std::regex compiled(pattern);
  for (std::sregex_iterator at(text.begin(), text.end(), compiled), end; at != end; ++at) out.insert((*at)[1]);
  return out;
}

Names virtuals(const std::string& body) { return all_matches(body, R"(\bvirtual\s[^;{~]*?(\w+)\()"); }

// In what is forwarded to, not in classes inside.
Names overridden(const std::string& body) { return all_matches(body, R"((\w+)\([^;{}]*\)\s*(?:const\s+)?override\b)"); }

Names missing(const Names& wanted, const Names& there) {
  Names out;
  std::set_difference(wanted.begin(), wanted.end(), there.begin(), there.end(), std::inserter(out, out.begin()));
  return out;
}

// The capabilities of Target: class by getter.
std::map<std::string, std::string> capabilities(const std::string& target_body) {
  std::map<std::string, std::string> out;
  const std::regex getter(R"(\bvirtual (?:const )?(\w+)\* (\w+)\(\))");
  for (std::sregex_iterator at(target_body.begin(), target_body.end(), getter), end; at != end; ++at)
    out[(*at)[2]] = (*at)[1];
  return out;
}

TEST(ForwardingTargetHeader, EveryMethodOfTargetIsPassedOn) {
  const Names wanted = virtuals(body_of(source("harness/interfaces/target.h"), "Target"));
  EXPECT_GE(wanted.size(), 13U) << "the header is read";
  EXPECT_THAT(wanted, Contains("await_node"));
  const std::string body = body_of(source("harness/interfaces/forwarding_target.h"), "ForwardingTarget");
  EXPECT_THAT(missing(wanted, overridden(body)), IsEmpty()) << "forwarding_target.h does not pass these on";
}

TEST(GuardedTargetHeader, EveryCapabilityThatActsOnNodesIsGuardedWithAllItsMethods) {
  // Faults do not act by them on nodes: passed on as they are.
  const std::set<std::string> unguarded = {"client_setup", "files"};
  const std::string interface = source("harness/interfaces/target.h");
  const std::string guard = source("nemesis/engine/guarded_target.h");
  const auto known = capabilities(body_of(interface, "Target"));
  EXPECT_GE(known.size(), 7U) << "the header is read";
  const Names outer = overridden(body_of(guard, "GuardedTarget"));
  for (const auto& [getter, capability] : known) {
    if (unguarded.contains(getter)) continue;
    EXPECT_THAT(outer, Contains(getter)) << "or faults act on nodes past the guard";
    const Names wanted = virtuals(body_of(interface, "Target::" + capability));
    EXPECT_THAT(wanted, ::testing::Not(IsEmpty())) << capability;
    EXPECT_THAT(missing(wanted, overridden(body_of(guard, "Guarded" + capability))), IsEmpty())
        << "the guarded " << capability << " does not pass these on";
  }
}

TEST(GuardedTargetHeader, AMethodThatIsForgottenIsNoticed) {
  const std::string interface = R"(class Target {
 public:
  virtual ~Target() = default;
  [[nodiscard]] virtual Result<void> start(Node&) { return {}; }
  [[nodiscard]] virtual Result<std::vector<std::pair<int, int>>>
  spans(Node& node, Deadline deadline) const = 0;
  virtual const Files* files() const { return nullptr; }
  void plain();
};
class Target::Files { virtual int count() = 0; };)";
  const std::string body = body_of(interface, "Target");
  EXPECT_THAT(virtuals(body), ElementsAre("files", "spans", "start"));
  EXPECT_THAT(capabilities(body), ElementsAre(std::pair("files", "Files")));
  EXPECT_THAT(virtuals(body_of(interface, "Target::Files")), ElementsAre("count"));
  const std::string wrapper =
      "class W final : public Target { Result<void> start(Node& node) override; int x() const; "
      "const Files* files() const override { return 0; } };";
  EXPECT_THAT(missing(virtuals(body), overridden(body_of(wrapper, "W"))), ElementsAre("spans"));
}

// ---- what it does

// Writes down what it is asked, and answers when it may.
class RecordingTarget final : public Target,
                              public Target::ClientSetup,
                              public Target::Installation,
                              public Target::Files,
                              public Target::Processes,
                              public Target::Roles,
                              public Target::Membership,
                              public Target::Versions {
 public:
  std::string_view name() const override { return "recording"; }
  Result<std::unique_ptr<Client>> client(std::size_t) override { return fail(ErrorCode::unsupported, said("client")); }
  Result<void> start(Node& node) override { return acted("start", node); }
  Result<void> stop(Node& node) override { return acted("stop", node); }
  Result<void> await_ready(Deadline) override { return noted("await_ready"); }
  Result<void> await_node(Node&, Deadline) override { return noted("await_node"); }
  Target::ClientSetup* client_setup() override { return this; }
  Target::Installation* installation() override { return this; }
  const Target::Files* files() const override { return this; }
  Target::Processes* processes() override { return this; }
  Target::Roles* roles() override { return this; }
  Target::Membership* membership() override { return this; }
  Target::Versions* versions() override { return this; }
  void use(std::string_view) override { said("use"); }
  Result<void> prepare(Deadline) override { return noted("prepare"); }
  Result<void> install(Node& node) override { return acted("install", node); }
  Result<void> wipe(Node& node) override { return acted("wipe", node); }
  Result<Value> describe(Node&) override { return Value(said("describe")); }
  std::vector<std::string> log_files(const Node&) const override { return {"a.log"}; }
  std::string log_pattern() const override { return "panic"; }
  std::vector<std::string> data_directories(const Node&) const override { return {"/data"}; }
  Result<void> kill(Node& node) override { return acted("kill", node); }
  Result<void> pause(Node& node) override { return acted("pause", node); }
  Result<void> resume(Node& node) override { return acted("resume", node); }
  Result<std::vector<int>> pids(Node&) override { return std::vector<int>{7}; }
  std::string start_script(const Node&) override { return "start"; }
  Result<std::vector<std::size_t>> primaries(Deadline) override { return std::vector<std::size_t>{2}; }
  double election_timeout_s() const override { return 1.5; }
  Result<std::vector<Member>> members(Node&, Deadline) override { return std::vector<Member>{{"id", "n1", true}}; }
  Result<void> remove(Node& node, Deadline) override { return acted("remove", node); }
  Result<void> add(Node& node, Deadline) override { return acted("add", node); }
  std::string rejoin_script(const Node&) override { return "rejoin"; }
  std::string problem() const override { return "one version"; }
  void choose(Node& node, Version) override { (void)acted("choose", node); }
  Result<Running> running(Node&, Deadline) override { return Running{Version::second, "its flags"}; }

  std::vector<std::string> calls() {
    const std::lock_guard lock(mutex_);
    return calls_;
  }
  std::promise<void> may_start;  // start() of n1 waits for it
  std::shared_future<void> started_may = may_start.get_future().share();
  bool waits = false;

 private:
  std::string said(const std::string& what) {
    const std::lock_guard lock(mutex_);
    calls_.push_back(what);
    return what;
  }
  Result<void> noted(const std::string& what) {
    said(what);
    return {};
  }
  Result<void> acted(const std::string& what, Node& node) {
    said(what + " " + node.name());
    if (waits && what == "start" && node.name() == "n1") started_may.wait();
    return {};
  }
  std::mutex mutex_;
  std::vector<std::string> calls_;
};

class GuardedTargetTest : public ::testing::Test {
 protected:
  GuardedTargetTest() {
    for (const char* name : {"n1", "n2"}) {
      cluster_.nodes.push_back(std::make_unique<RecordingNode>(
          name, "10.0.0.1", [](const std::string&) -> Result<CommandOutput> { return CommandOutput{}; }));
    }
    guarded_ = std::make_unique<GuardedTarget>(target_, cluster_);
  }
  Node& node(std::size_t i) { return cluster_.at(i); }

  Cluster cluster_;
  RecordingTarget target_;
  std::unique_ptr<GuardedTarget> guarded_;
};

TEST_F(GuardedTargetTest, EveryCallArrives) {
  const Deadline soon = Deadline::after_s(1);
  GuardedTarget& guarded = *guarded_;
  EXPECT_EQ(guarded.name(), "recording");
  EXPECT_FALSE(guarded.client(0));
  EXPECT_TRUE(guarded.start(node(0)) && guarded.stop(node(1)));
  EXPECT_TRUE(guarded.await_ready(soon) && guarded.await_node(node(0), soon));
  guarded.client_setup()->use("set");
  EXPECT_TRUE(guarded.client_setup()->prepare(soon));
  EXPECT_TRUE(guarded.installation()->install(node(0)) && guarded.installation()->wipe(node(0)));
  EXPECT_EQ(*guarded.installation()->describe(node(0)), Value("describe"));
  EXPECT_THAT(log_files(guarded, node(0)), ElementsAre("a.log"));
  EXPECT_EQ(log_pattern(guarded), "panic");
  EXPECT_THAT(data_directories(guarded, node(0)), ElementsAre("/data"));
  EXPECT_TRUE(guarded.processes()->kill(node(0)) && guarded.processes()->pause(node(0)) &&
              guarded.processes()->resume(node(0)));
  EXPECT_THAT(*guarded.processes()->pids(node(0)), ElementsAre(7));
  EXPECT_EQ(guarded.processes()->start_script(node(0)), "start");
  EXPECT_THAT(*guarded.roles()->primaries(soon), ElementsAre(2U));
  EXPECT_EQ(guarded.roles()->election_timeout_s(), 1.5);
  EXPECT_EQ(guarded.membership()->members(node(0), soon)->front().id, "id");
  EXPECT_TRUE(guarded.membership()->remove(node(0), soon) && guarded.membership()->add(node(0), soon));
  EXPECT_EQ(guarded.membership()->rejoin_script(node(0)), "rejoin");
  EXPECT_EQ(guarded.versions()->problem(), "one version");
  guarded.versions()->choose(node(1), Target::Versions::Version::second);
  EXPECT_EQ(guarded.versions()->running(node(0), soon)->evidence, "its flags");
  EXPECT_THAT(target_.calls(), ElementsAre("client", "start n1", "stop n2", "await_ready", "await_node", "use",
                                           "prepare", "install n1", "wipe n1", "describe", "kill n1", "pause n1",
                                           "resume n1", "remove n1", "add n1", "choose n2"));
}

TEST_F(GuardedTargetTest, TheSecondCallForANodeWaitsAndOneForAnotherNodeDoesNot) {
  target_.waits = true;
  std::jthread starting([&] { EXPECT_TRUE(guarded_->start(node(0))); });
  while (target_.calls().empty()) std::this_thread::yield();
  auto killing = std::async(std::launch::async, [&] { return guarded_->processes()->kill(node(0)).has_value(); });
  EXPECT_TRUE(guarded_->processes()->kill(node(1)));
  EXPECT_EQ(killing.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  EXPECT_THAT(target_.calls(), ElementsAre("start n1", "kill n2"));
  target_.may_start.set_value();
  EXPECT_TRUE(killing.get());
  EXPECT_THAT(target_.calls(), ElementsAre("start n1", "kill n2", "kill n1"));
}

TEST_F(GuardedTargetTest, WhatTheTargetCannotDoTheGuardDoesNotOffer) {
  class Bare final : public Target {
    std::string_view name() const override { return "bare"; }
    Result<std::unique_ptr<Client>> client(std::size_t) override { return fail(ErrorCode::unsupported, "none"); }
  } bare;
  GuardedTarget guarded(bare, cluster_);
  EXPECT_EQ(guarded.client_setup(), nullptr);
  EXPECT_EQ(guarded.installation(), nullptr);
  EXPECT_EQ(guarded.files(), nullptr);
  EXPECT_EQ(guarded.processes(), nullptr);
  EXPECT_EQ(guarded.roles(), nullptr);
  EXPECT_EQ(guarded.membership(), nullptr);
  EXPECT_EQ(guarded.versions(), nullptr);
  EXPECT_THAT(log_files(guarded, node(0)), IsEmpty());
  EXPECT_EQ(log_pattern(guarded), "");
}

}  // namespace
}  // namespace ordeal
