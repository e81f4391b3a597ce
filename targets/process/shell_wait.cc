#include "targets/process/shell_wait.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <thread>

#include "harness/runner/lifecycle.h"

namespace ordeal {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr auto kPause = milliseconds(100);
// An attempt may take longer each time: the first are short, so that a server that has ended shows soon.
constexpr auto kFirstAttempt = milliseconds(1'000);
constexpr auto kLongestAttempt = milliseconds(5'000);
// Between two looks at the processes, and how many in a row show that they have ended. On a busy machine, where a
// program takes long to begin, so do the looks.
constexpr auto kLookPause = milliseconds(250);
constexpr int kLostAfter = 2;
constexpr int kNeverSeenAfter = 4;

// Whether the processes of a server that is starting have ended.
class Pulse {
 public:
  // `appears_s`: how long it may take until there is one; 0: for ever, nobody looks.
  Pulse(const ShellCommands& commands, Node& node, double appears_s, const std::atomic<bool>& served)
      : commands_(commands), node_(node), appears_(from_seconds(appears_s)), served_(served) {}

  // Nothing to look for, or nobody wants to know.
  [[nodiscard]] bool is_blind() const { return appears_.count() == 0 || served_ || !commands_.given("process.pids"); }
  // Requires: not blind. Whether one was there, and whether it may still come.
  [[nodiscard]] bool seen() const { return seen_; }
  [[nodiscard]] bool may_appear() const { return steady_clock::now() - began_ < appears_; }

  bool has_ended() {
    if (is_blind()) return false;
    const auto now = steady_clock::now();
    if (now < next_look_) return false;
    next_look_ = now + kLookPause;
    const auto found = commands_.pids(node_);
    if (!found) return false;
    if (!found->empty()) {
      seen_ = true;
      missed_ = 0;
      return false;
    }
    ++missed_;
    return missed_ >= (seen_ ? kLostAfter : kNeverSeenAfter) && (seen_ || !may_appear());
  }

 private:
  const ShellCommands& commands_;
  Node& node_;
  const std::chrono::nanoseconds appears_;
  const std::atomic<bool>& served_;
  const steady_clock::time_point began_ = steady_clock::now();
  steady_clock::time_point next_look_ = began_;
  bool seen_ = false;
  int missed_ = 0;  // looks in a row that found none
};

}  // namespace

struct ShellWait::Wait {
  Node& node;
  const char* key;
  Deadline deadline;
  std::atomic<bool>* given_up = nullptr;  // by another node's wait: this one ends without an error
};

ShellWait::ShellWait(Cluster& cluster, const ShellCommands& commands, double appears_s)
    : cluster_(cluster), commands_(commands), appears_s_(appears_s), served_(cluster.size()) {}

Error ShellWait::ended(const Wait& how, const std::string& last) const {
  if (how.given_up != nullptr) *how.given_up = true;
  return {
      ErrorCode::target,
      fmt::format("{}: the system has ended right after its start: process.pids finds no process; {}{} (if somebody "
                  "starts it again later, set process.appear-time)",
                  how.node.name(), commands_.log_tail(how.node), last.empty() ? "" : "; " + last)};
}

Result<void> ShellWait::wait(const Wait& how) {
  Pulse pulse(commands_, how.node, appears_s_, served_[commands_.index_of(how.node)]);
  std::optional<Error> last;  // what an attempt said of its own accord, if any has
  auto longest = kFirstAttempt;
  const auto began = steady_clock::now();
  while (true) {
    const auto left = std::chrono::duration_cast<milliseconds>(how.deadline - steady_clock::now());
    const auto tried = commands_.output(how.node, how.key, std::clamp(left, milliseconds(100), longest));
    if (tried) return {};
    if (how.given_up != nullptr && how.given_up->load()) return {};
    const bool cut_off = tried.error().code == ErrorCode::timeout;
    if (!cut_off || !last) last = tried.error();
    if (cut_off) longest = std::min<milliseconds>(2 * longest, kLongestAttempt);
    if (pulse.has_ended()) return fail(ended(how, last->message));
    if (steady_clock::now() + kPause >= how.deadline) break;
    std::this_thread::sleep_for(kPause);
  }
  const double waited = std::chrono::duration<double>(steady_clock::now() - began).count();
  const std::string what = fmt::format("{} is not ready after {:.1f} s", how.node.name(), waited);
  if (last->code == ErrorCode::unreachable) return fail(last->during(what));  // there is no log to be had either
  last->message += "; " + commands_.log_tail(how.node);
  if (!commands_.given("process.pids")) last->message += " (with process.pids a server that has ended is told at once)";
  return fail(last->during(what));
}

// Without process.ready nothing says that it serves, but that it has ended shows all the same.
Result<void> ShellWait::stay(const Wait& how) {
  Pulse pulse(commands_, how.node, appears_s_, served_[commands_.index_of(how.node)]);
  if (pulse.is_blind()) return {};
  const auto enough = steady_clock::now() + from_seconds(appears_s_);
  while (steady_clock::now() < std::min<Deadline>(how.deadline, enough)) {
    if (pulse.has_ended() && pulse.seen()) return fail(ended(how, ""));
    if (how.given_up != nullptr && how.given_up->load()) return {};
    std::this_thread::sleep_for(kPause);
  }
  return {};
}

Result<void> ShellWait::served(const Wait& how) {
  auto done = commands_.given("process.ready") ? wait(how) : stay(how);
  if (done && (how.given_up == nullptr || !how.given_up->load())) served_[commands_.index_of(how.node)] = true;
  return done;
}

Result<void> ShellWait::one(Node& node, Deadline deadline) { return served({node, "process.ready", deadline}); }

Result<void> ShellWait::until_ok(Node& node, const char* key, Deadline deadline) { return wait({node, key, deadline}); }

Result<void> ShellWait::all(Deadline deadline) {
  std::atomic<bool> given_up = false;
  return on_all_nodes(cluster_, [&](Node& node) { return served({node, "process.ready", deadline, &given_up}); });
}

}  // namespace ordeal
