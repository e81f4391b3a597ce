// Every planted bug of the replicated state shows in a short play, and the play is right without it.

#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "targets/log/server/bugs.h"
#include "targets/log/server/state/machine.h"

namespace ordeal::log::state {
namespace {

class Play {
 public:
  Answer operator()(CommandKind kind, const std::string& value = "1", std::uint64_t token = 0,
                    const std::string& idempotency_key = "") {
    Command command;
    command.kind = kind;
    command.key = "k";
    command.value = value;
    command.token = token;
    command.ttl_ms = kind == CommandKind::dequeue ? ttl_ms : 0;
    command.attempts = 2;
    command.idempotency_key = idempotency_key;
    return machine.apply(++index, encode(command));
  }
  Answer txn(std::vector<Step> steps) {
    Command command;
    command.kind = CommandKind::transact;
    command.steps = std::move(steps);
    return machine.apply(++index, encode(command));
  }
  std::string query(Query::Kind kind) const {
    Query query;
    query.kind = kind;
    query.key = kind == Query::Kind::entries ? "" : "k";
    return machine.query(query).body;
  }
  void restart() {
    Machine restored;
    ASSERT_TRUE(restored.restore(machine.snapshot()));
    machine = std::move(restored);
  }

  Machine machine;
  raft::Index index = 0;
  std::uint64_t ttl_ms = 1000;
};

// What is seen; the right thing is seen without the bug, and something else with it.
using Scene = std::function<std::string(Play&)>;

// A queue of twenty messages is taken one by one.
std::string take_all(Play& play) {
  play.ttl_ms = 0;
  for (int i = 0; i < 20; ++i) (void)play(CommandKind::enqueue, std::to_string(i));
  std::string seen;
  for (int i = 0; i < 20; ++i) seen += play(CommandKind::dequeue).body;
  return seen;
}

// One is delivered, settled, and what is left is looked at.
std::string settle(Play& play, CommandKind how, int times) {
  (void)play(CommandKind::enqueue);
  for (int i = 1; i <= times; ++i) {
    (void)play(CommandKind::dequeue);
    (void)play(how, "", static_cast<std::uint64_t>(i));
    if (how == CommandKind::ack) (void)play(CommandKind::enqueue);
  }
  return play.query(Query::Kind::queue);
}

const std::map<Bug, Scene>& scenes() {
  static const std::map<Bug, Scene> all = {
      {Bug::snapshot_loses_sessions,
       [](Play& play) {
         (void)play(CommandKind::append, "1", 0, "i");
         play.restart();
         return std::string(play(CommandKind::append, "1", 0, "i").repeated ? "repeated" : "done again");
       }},
      {Bug::snapshot_loses_ids,
       [](Play& play) {
         (void)play(CommandKind::generate);
         play.restart();
         return play(CommandKind::generate).body;
       }},
      {Bug::snapshot_loses_element,
       [](Play& play) {
         (void)play(CommandKind::set_add);
         play.restart();
         return play.query(Query::Kind::set);
       }},
      {Bug::snapshot_loses_entry,
       [](Play& play) {
         (void)play(CommandKind::append);
         play.restart();
         return play.query(Query::Kind::entries);
       }},
      {Bug::nack_loses_message, [](Play& play) { return settle(play, CommandKind::nack, 1); }},
      {Bug::ack_redelivers, [](Play& play) { return settle(play, CommandKind::ack, 4); }},
      {Bug::dead_letter_lost, [](Play& play) { return settle(play, CommandKind::nack, 2); }},
      {Bug::dequeue_leaves_message, take_all},
      {Bug::queue_jumps, take_all},
      {Bug::lock_taken_while_held,
       [](Play& play) {
         std::string seen;
         for (int i = 0; i < 9; ++i) seen += name(play(CommandKind::acquire).code);
         return seen;
       }},
      {Bug::token_goes_back,
       [](Play& play) {
         play.index = 100;
         return play(CommandKind::acquire).body;
       }},
      {Bug::transaction_loses_write,
       [](Play& play) {
         play.index = 15;
         (void)play.txn({{Step::Kind::write, "a", "1"}, {Step::Kind::write, "b", "2"}});
         return play.query(Query::Kind::range) + play.txn({{Step::Kind::read, "b"}}).body;
       }},
      {Bug::version_counts_values,
       [](Play& play) {
         (void)play.txn({{Step::Kind::write, "a", "1"}});
         (void)play.txn({{Step::Kind::write, "a", "1"}});
         return play.txn({{Step::Kind::read, "a"}}).body;
       }},
  };
  return all;
}

TEST(StateBugs, EachShows) {
  for (const auto& [bug, scene] : scenes()) {
    planted_bug = Bug::none;
    Play right;
    const std::string expected = scene(right);
    Play again;
    EXPECT_EQ(scene(again), expected);
    planted_bug = bug;
    Play wrong;
    EXPECT_NE(scene(wrong), expected) << "bug " << static_cast<int>(bug);
  }
  planted_bug = Bug::none;
}

TEST(StateBugs, NoneIsLeftOut) {
  for (const BugEntry& entry : kBugs) {
    EXPECT_TRUE(entry.room != "state" || scenes().contains(entry.bug)) << entry.name;
  }
}

}  // namespace
}  // namespace ordeal::log::state
