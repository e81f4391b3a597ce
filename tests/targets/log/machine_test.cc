// The replicated state machine: what each command does, that a snapshot at any point changes nothing, that a duplicate
// gets the first answer, and that hostile bytes do no harm.

#include "targets/log/server/state/machine.h"

#include <gtest/gtest.h>

#include "base/rng.h"
#include "base/value.h"

namespace ordeal::log::state {
namespace {

class Play {
 public:
  Answer operator()(const Command& command) { return machine.apply(++index, encode(command)); }
  Answer txn(std::vector<Step> steps) {
    Command command{.kind = CommandKind::transact};
    command.steps = std::move(steps);
    return (*this)(command);
  }
  std::string look(const std::string& key) const {
    Query query;
    query.steps = {{Step::Kind::read, key}};
    return machine.query(query).body;
  }

  Machine machine;
  raft::Index index = 0;
};

Command of(CommandKind kind, std::string key = "", std::string value = "") {
  Command command;
  command.kind = kind;
  command.key = std::move(key);
  command.value = std::move(value);
  return command;
}

TEST(Machine, AppendsInOrder) {
  Play play;
  EXPECT_EQ(play(of(CommandKind::append, "", "a")).body, R"({"position":0})");
  EXPECT_EQ(play(of(CommandKind::append, "", "b\"")).body, R"({"position":1})");
  Query query{.kind = Query::Kind::entries};
  EXPECT_EQ(play.machine.query(query).body, R"({"entries":["a","b\""],"from":0,"size":2})");
  query.from = 1;
  EXPECT_EQ(play.machine.query(query).body, R"({"entries":["b\""],"from":1,"size":2})");
  query.from = 7;
  EXPECT_EQ(play.machine.query(query).body, R"({"entries":[],"from":7,"size":2})");
}

TEST(Machine, TransactionTakesEffectAsAWholeOrNotAtAll) {
  Play play;
  EXPECT_EQ(play.txn({{Step::Kind::write, "a", "1"}, {Step::Kind::append, "l", "7"}}).code, AnswerCode::ok);
  // The second write would come before the check that fails.
  const auto refused = play.txn({{Step::Kind::write, "a", "2"}, {Step::Kind::check_value, "l", "[8]"}});
  EXPECT_EQ(refused.code, AnswerCode::conflict);
  EXPECT_EQ(play.look("a"), R"({"results":[{"value":1,"version":1}]})");
  EXPECT_EQ(play.txn({{Step::Kind::append, "l", "8"}, {Step::Kind::read, "l"}}).body,
            R"({"results":[{"version":3},{"value":[7,8],"version":3}]})");
  EXPECT_EQ(play.txn({{Step::Kind::append, "a", "8"}}).code, AnswerCode::wrong_type);
  EXPECT_EQ(play.txn({{Step::Kind::write, "x", "1"}, {Step::Kind::add, "l", "", 0, 1}}).code, AnswerCode::wrong_type);
  EXPECT_EQ(play.look("x"), R"({"results":[{"value":null,"version":0}]})");
}

TEST(Machine, AVersionNeverComesBack) {
  Play play;
  (void)play.txn({{Step::Kind::write, "a", "1"}});
  (void)play.txn({{Step::Kind::write, "a", "2"}});
  (void)play.txn({{Step::Kind::write, "a", "1"}});  // the value is the same again
  EXPECT_EQ(play.txn({{Step::Kind::check_version, "a", "", 1}, {Step::Kind::write, "a", "9"}}).code,
            AnswerCode::conflict);
  (void)play.txn({{Step::Kind::remove, "a"}});
  (void)play.txn({{Step::Kind::check_version, "a", "", 0}, {Step::Kind::write, "a", "1"}});
  EXPECT_EQ(play.look("a"), R"({"results":[{"value":1,"version":6}]})");
}

TEST(Machine, SumsThatDoNotFitChangeNothing) {
  Play play;
  EXPECT_EQ(play.txn({{Step::Kind::add, "n", "", 0, INT64_MAX}}).code, AnswerCode::ok);
  EXPECT_EQ(play.txn({{Step::Kind::add, "n", "", 0, 1}}).code, AnswerCode::wrong_type);
  EXPECT_EQ(play.txn({{Step::Kind::add, "n", "", 0, INT64_MIN}}).body, R"({"results":[{"value":-1,"version":3}]})");
}

TEST(Machine, ADuplicateGetsTheFirstAnswerAlsoAfterASnapshot) {
  Play play;
  Command add = of(CommandKind::transact);
  add.idempotency_key = "k";
  add.steps = {{Step::Kind::add, "n", "", 0, 5}};
  const Answer first = play(add);
  EXPECT_FALSE(first.repeated);
  Machine restored;
  ASSERT_TRUE(restored.restore(play.machine.snapshot()));
  play.machine = std::move(restored);
  add.time_ms = 77;  // a leader stamps it anew
  Answer second = play(add);
  EXPECT_TRUE(second.repeated);
  EXPECT_EQ(second.body, first.body);
  EXPECT_EQ(second.index, first.index);
  EXPECT_EQ(play.look("n"), R"({"results":[{"value":5,"version":1}]})");
  add.steps[0].amount = 6;
  EXPECT_EQ(play(add).code, AnswerCode::key_reused);
}

TEST(Machine, KeysAreForgottenByPosition) {
  Play play;
  Command add = of(CommandKind::transact);
  add.idempotency_key = "k";
  add.steps = {{Step::Kind::add, "n", "", 0, 5}};
  (void)play(add);
  play.index = Sessions::kHorizon - 1;
  EXPECT_TRUE(play(add).repeated);  // the last entry at which it is known
  EXPECT_FALSE(play(add).repeated);
}

TEST(Sessions, TheTableIsBounded) {
  Sessions sessions;
  const Answer answer{AnswerCode::ok, std::string(1000, ' '), 1, false};
  for (std::size_t i = 0; i < 40'000; ++i) {
    Answer one = answer;
    one.index = i + 1;
    sessions.remember(std::to_string(i), 0, one);
  }
  EXPECT_LT(sessions.size() * 1000, Sessions::kMaxBytes);
  EXPECT_FALSE(sessions.find("0", 0));
  EXPECT_TRUE(sessions.find("39999", 0));
}

TEST(Machine, QueuesDeliverAgainUntilAcknowledged) {
  Play play;
  (void)play(of(CommandKind::enqueue, "q", "\"a\""));
  (void)play(of(CommandKind::enqueue, "q", "\"b\""));
  Command take = of(CommandKind::dequeue, "q");
  take.ttl_ms = 100;
  take.attempts = 2;
  EXPECT_EQ(play(take).body, R"({"messages":[{"id":1,"value":"a","token":1,"attempt":1}]})");
  Command nack = of(CommandKind::nack, "q");
  nack.token = 1;
  EXPECT_EQ(play(nack).code, AnswerCode::ok);
  EXPECT_EQ(play(nack).code, AnswerCode::not_found);
  // It comes before the later one again; then the delivery lapses, and with it the last attempt.
  EXPECT_EQ(play(take).body, R"({"messages":[{"id":1,"value":"a","token":2,"attempt":2}]})");
  EXPECT_FALSE(play.machine.tick_due(99));
  EXPECT_TRUE(play.machine.tick_due(100));
  take.time_ms = 100;
  EXPECT_EQ(play(take).body, R"({"messages":[{"id":2,"value":"b","token":3,"attempt":1}]})");
  Command ack = of(CommandKind::ack, "q");
  ack.token = 2;
  EXPECT_EQ(play(ack).code, AnswerCode::not_found);
  ack.token = 3;
  EXPECT_EQ(play(ack).code, AnswerCode::ok);
  Query look{.kind = Query::Kind::queue, .key = "q"};
  EXPECT_EQ(play.machine.query(look).body, R"({"ready":0,"delivered":0,"dead":1})");
  EXPECT_EQ(play(of(CommandKind::drain_dead, "q")).body, R"({"messages":[{"id":1,"value":"a"}]})");
}

TEST(Machine, LocksLapseAndTokensGrow) {
  Play play;
  Command acquire = of(CommandKind::acquire, "l", "\"me\"");
  acquire.ttl_ms = 50;
  acquire.time_ms = 1000;
  EXPECT_EQ(play(acquire).body, R"({"token":1})");
  acquire.time_ms = 10;  // time does not go back
  EXPECT_EQ(play(acquire).code, AnswerCode::held);
  Command keep = of(CommandKind::keep_alive, "l");
  keep.token = 1;
  keep.ttl_ms = 60;
  EXPECT_EQ(play(keep).code, AnswerCode::ok);
  acquire.time_ms = 1059;
  EXPECT_EQ(play(acquire).body, R"({"owner":"me","token":1})");
  acquire.time_ms = 1060;
  EXPECT_EQ(play(acquire).body, R"({"token":5})");
  Command release = of(CommandKind::release, "l");
  release.token = 1;
  EXPECT_EQ(play(release).code, AnswerCode::not_held);
  // A write fenced by the old token does nothing.
  EXPECT_EQ(play.txn({{Step::Kind::check_lock, "l", "", 1}, {Step::Kind::write, "a", "1"}}).code, AnswerCode::not_held);
  EXPECT_EQ(play.txn({{Step::Kind::check_lock, "l", "", 5}, {Step::Kind::write, "a", "1"}}).code, AnswerCode::ok);
  release.token = 5;
  EXPECT_EQ(play(release).code, AnswerCode::ok);
  EXPECT_EQ(play(acquire).body, R"({"token":10})");
}

TEST(Machine, WatchersMissNothing) {
  Play play;
  (void)play.txn({{Step::Kind::write, "a", "1"}, {Step::Kind::write, "b", "2"}, {Step::Kind::write, "c", "3"}});
  (void)play.txn({{Step::Kind::write, "b", "4"}});
  Query query{.kind = Query::Kind::events, .from = 1, .limit = 1};
  // The events of one entry are never parted, whatever the limit.
  EXPECT_EQ(play.machine.query(query).body,
            R"({"events":[{"index":1,"type":"put","key":"a","value":1},{"index":1,"type":"put","key":"b","value":2},)"
            R"({"index":1,"type":"put","key":"c","value":3}],"next":2})");
  query.key = "b";
  query.limit = 10;
  EXPECT_EQ(play.machine.query(query).body,
            R"({"events":[{"index":1,"type":"put","key":"b","value":2},{"index":2,"type":"put","key":"b","value":4}],)"
            R"("next":3})");
  query.from = 3;
  EXPECT_EQ(play.machine.query(query).body, R"({"events":[],"next":3})");
  for (std::size_t i = 0; i < Events::kMaxEvents; ++i) (void)play.txn({{Step::Kind::write, "x", "1"}});
  query.from = 2;
  EXPECT_EQ(play.machine.query(query).code, AnswerCode::gone);
  query.from = 3;
  EXPECT_EQ(play.machine.query(query).code, AnswerCode::ok);
}

TEST(Machine, IdsAndMembers) {
  Play play;
  EXPECT_EQ(play(of(CommandKind::generate)).body, R"({"id":1})");
  EXPECT_EQ(play(of(CommandKind::generate)).body, R"({"id":2})");
  EXPECT_EQ(play(of(CommandKind::set_member, "n4", "h:1 h:2")).body, R"({"node":1003})");
  EXPECT_EQ(play(of(CommandKind::set_member, "n4", "h:1 h:2")).body, R"({"node":1003})");  // asked again
  Command remove = of(CommandKind::remove_member);
  remove.token = 1003;
  EXPECT_EQ(play(remove).code, AnswerCode::ok);
  EXPECT_EQ(play(remove).code, AnswerCode::not_found);
  EXPECT_EQ(play(of(CommandKind::set_member, "n4", "h:1 h:2")).body, R"({"node":1007})");  // never the same again
}

Command random_command(Rng& rng) {
  Command command;
  command.kind = static_cast<CommandKind>(rng.below(kLastCommandKind + 1U));
  command.time_ms = rng.below(5000);
  if (rng.below(4) == 0) command.idempotency_key = "i" + std::to_string(rng.below(8));
  command.key = "k" + std::to_string(rng.below(3));
  command.value = std::to_string(rng.below(5));
  command.token = rng.below(40);
  command.ttl_ms = rng.below(3) == 0 ? 0 : rng.below(500);
  command.amount = static_cast<std::int64_t>(rng.below(4));
  command.attempts = rng.below(4);
  for (std::uint64_t i = rng.below(4); i > 0; --i) {
    command.steps.push_back({static_cast<Step::Kind>(rng.below(8)), "k" + std::to_string(rng.below(4)),
                             std::to_string(rng.below(3)), rng.below(30), static_cast<std::int64_t>(rng.below(9)) - 4});
  }
  return command;
}

// Two machines get the same entries; the second is thrown away and restored from its snapshot at random points.
TEST(MachineProperty, ASnapshotAtAnyPointChangesNothing) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    Rng rng(seed);
    Machine plain;
    Machine broken;
    for (raft::Index index = 1; index <= 120; ++index) {
      const std::string bytes = encode(random_command(rng));
      const Answer expected = plain.apply(index, bytes);
      ASSERT_EQ(broken.apply(index, bytes), expected) << "seed " << seed << ", entry " << index;
      ASSERT_TRUE(Value::from_json(expected.body)) << expected.body;
      if (rng.below(6) != 0) continue;
      Machine restored;
      const std::string snapshot = broken.snapshot();
      ASSERT_TRUE(restored.restore(snapshot)) << "seed " << seed << ", entry " << index;
      ASSERT_EQ(restored.snapshot(), snapshot);
      broken = std::move(restored);
    }
    ASSERT_EQ(broken.snapshot(), plain.snapshot()) << "seed " << seed;
  }
}

TEST(MachineProperty, CommandsAndAnswersSurviveTheirEncoding) {
  Rng rng(5);
  for (int i = 0; i < 2000; ++i) {
    const Command command = random_command(rng);
    std::string bytes = encode(command);
    ASSERT_EQ(decode_command(bytes), command);
    stamp(bytes, 1ULL << (i % 64));
    ASSERT_EQ(decode_command(bytes)->time_ms, 1ULL << (i % 64));
    ASSERT_FALSE(decode_command(bytes + "x"));
    ASSERT_FALSE(decode_command(bytes.substr(0, rng.below(bytes.size()))));
  }
  const Answer answer{AnswerCode::held, "{\"x\":1}", 77, true};
  EXPECT_EQ(decode_answer(encode(answer)), answer);
}

// Bits flipped, bytes cut, inserted and taken at random: whatever is accepted is a state that works.
TEST(MachineProperty, HostileBytesDoNoHarm) {
  Rng rng(9);
  Machine machine;
  for (raft::Index index = 1; index <= 60; ++index) (void)machine.apply(index, encode(random_command(rng)));
  const std::string good = machine.snapshot();
  int refused = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string bad = good;
    for (std::uint64_t n = 1 + rng.below(3); n > 0 && !bad.empty(); --n) {
      const std::size_t at = rng.below(bad.size());
      switch (rng.below(4)) {
        case 0:
          bad[at] = static_cast<char>(bad[at] ^ (1 << rng.below(8)));
          break;
        case 1:
          bad.resize(at);
          break;
        case 2:
          bad.insert(at, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
          break;
        default:
          bad.erase(at, 1 + rng.below(8));
      }
    }
    Machine victim;
    if (!victim.restore(bad)) {
      ++refused;
      ASSERT_EQ(victim.applied(), 0U);  // untouched
      continue;
    }
    for (raft::Index index = 100; index < 110; ++index) (void)victim.apply(index, encode(random_command(rng)));
  }
  EXPECT_GT(refused, 1000);
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = encode(random_command(rng));
    bytes[rng.below(bytes.size())] = static_cast<char>(rng.below(256));
    (void)machine.apply(static_cast<raft::Index>(100 + i), bytes);
  }
}

TEST(Machine, WhatIsBeyondALimitChangesNothing) {
  Play play;
  EXPECT_EQ(play(of(CommandKind::enqueue, std::string(kMaxKeyBytes + 1, 'k'), "1")).code, AnswerCode::invalid);
  EXPECT_EQ(play(of(CommandKind::append, "", std::string(kMaxValueBytes + 1, 'v'))).code, AnswerCode::invalid);
  EXPECT_EQ(play.txn(std::vector<Step>(kMaxSteps + 1)).code, AnswerCode::invalid);
  EXPECT_EQ(play(of(CommandKind::append, "", std::string(kMaxEntryBytes + 1, 'v'))).code, AnswerCode::too_large);
  EXPECT_EQ(play.machine.entries().size(), 0U);
  EXPECT_EQ(play.machine.applied(), 4U);
}

}  // namespace
}  // namespace ordeal::log::state
