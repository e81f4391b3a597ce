// What the memory target limits, keeps accounts of and delivers, and that each bug shows.

#include <gtest/gtest.h>

#include "targets/memory/ledgers.h"
#include "targets/memory/limits.h"
#include "targets/memory/messages.h"

namespace ordeal::memory {
namespace {

std::string text(const std::optional<Completion>& done) {
  if (!done) return "not here";
  std::string out(name(done->type));
  if (done->error) out += " " + done->error->kind;
  if (done->value) out += " " + done->value->to_json();
  return out;
}

class PromisesTest : public testing::Test {
 protected:
  std::chrono::nanoseconds now_{0};
  Rng rng_{1};
  std::function<std::chrono::nanoseconds()> clock() {
    return [this] { return now_; };
  }
  std::string ask(Limits& limits, std::string_view type, std::string f, std::uint64_t client = 0) {
    return text(limits.apply(type, {std::move(f), std::nullopt, {}}, client, rng_));
  }
  std::string ask(Ledgers& ledgers, std::string_view type, std::string f, std::string_view value = "null") {
    return text(ledgers.apply(type, {std::move(f), Value("c"), *Value::from_json(value)}, rng_));
  }
  std::string ask(Messages& messages, std::string_view type, std::string f, std::string_view value = "null",
                  std::uint64_t client = 0) {
    return text(messages.apply(type, {std::move(f), std::nullopt, *Value::from_json(value)}, client, rng_));
  }
};

TEST_F(PromisesTest, ABucketFillsUp) {
  Limits limits({Bug::none, 1}, clock());
  EXPECT_EQ(ask(limits, "register", "request"), "not here");
  const auto granted = [&] {
    int count = 0;
    while (ask(limits, "token-bucket", "request") == "ok") ++count;
    return count;
  };
  EXPECT_EQ(granted(), 10);
  EXPECT_EQ(ask(limits, "token-bucket", "request"), "fail limited");
  now_ += std::chrono::milliseconds(25);
  EXPECT_EQ(granted(), 2);
  now_ += std::chrono::milliseconds(5);
  EXPECT_EQ(granted(), 1);
  now_ += std::chrono::seconds(9);
  EXPECT_EQ(granted(), 10);
  Limits twice({Bug::duplicate, 1}, clock());
  int count = 0;
  while (ask(twice, "token-bucket", "request") == "ok") ++count;
  EXPECT_EQ(count, 5);
}

TEST_F(PromisesTest, ThreePermits) {
  Limits limits({Bug::none, 1}, clock());
  for (std::uint64_t client = 0; client < 3; ++client)
    EXPECT_EQ(ask(limits, "semaphore", "acquire-permit", client), "ok");
  EXPECT_EQ(ask(limits, "semaphore", "acquire-permit", 3), "fail limited");
  EXPECT_EQ(ask(limits, "semaphore", "release-permit", 3), "fail not-held");
  EXPECT_EQ(ask(limits, "semaphore", "release-permit", 0), "ok");
  EXPECT_EQ(ask(limits, "semaphore", "acquire-permit", 3), "ok");
  limits.forget(1);
  EXPECT_EQ(ask(limits, "semaphore", "acquire-permit", 0), "ok");
  EXPECT_EQ(ask(limits, "semaphore", "acquire-permit", 4), "fail limited");
}

TEST_F(PromisesTest, BothAccountsTogetherCover) {
  Ledgers ledgers({Bug::none, 1}, std::chrono::nanoseconds(0), clock());
  EXPECT_EQ(ask(ledgers, "accounts", "deposit", R"({"account":0,"amount":10})"), "ok");
  EXPECT_EQ(ask(ledgers, "accounts", "withdraw", R"({"account":1,"amount":8})"), "ok");
  EXPECT_EQ(ask(ledgers, "accounts", "withdraw", R"({"account":0,"amount":3})"), "fail insufficient");
  EXPECT_EQ(ask(ledgers, "accounts", "read"), "ok [10,-8]");
  EXPECT_EQ(ask(ledgers, "accounts", "deposit", R"({"account":2,"amount":10})"), "fail bad-operation");
}

TEST_F(PromisesTest, KeysAreTakenUntilTheyExpire) {
  Ledgers ledgers({Bug::none, 1}, std::chrono::milliseconds(10), clock());
  const auto apply = [&](const char* body) {
    return ask(ledgers, "idempotency-keys", "apply", std::string(R"({"id":1,"body":)") + body + "}");
  };
  EXPECT_EQ(apply("0"), R"(ok {"executed-before":0})");
  EXPECT_EQ(apply("0"), R"(ok {"executed-before":0})");
  EXPECT_EQ(apply("1"), "fail conflict");
  now_ += std::chrono::milliseconds(10);
  EXPECT_EQ(apply("1"), R"(ok {"executed-before":1})");
  EXPECT_EQ(ask(ledgers, "idempotency-keys", "read"), "ok [[1,0],[1,1]]");
}

TEST_F(PromisesTest, AMessageThatFailsThriceIsDead) {
  Messages messages({Bug::none, 1});
  const std::string message = R"({"id":1,"poison":true})";
  EXPECT_EQ(ask(messages, "dead-letter", "enqueue", message), "ok");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(ask(messages, "dead-letter", "receive"), "ok " + message);
    EXPECT_EQ(ask(messages, "dead-letter", "ack", "1", 7), "fail not-held");
    if (i == 1)
      messages.forget(0);
    else
      EXPECT_EQ(ask(messages, "dead-letter", "reject", "1"), "ok");
  }
  EXPECT_EQ(ask(messages, "dead-letter", "receive"), "ok null");
  EXPECT_EQ(ask(messages, "dead-letter", "drain-dead"), "ok [" + message + "]");
  EXPECT_EQ(ask(messages, "dead-letter", "drain-dead"), "ok []");
}

TEST_F(PromisesTest, AChangeAndItsMessage) {
  Messages messages({Bug::none, 1});
  EXPECT_EQ(ask(messages, "outbox", "change", R"({"id":1,"key":5})"), "ok");
  EXPECT_EQ(ask(messages, "outbox", "change", R"({"id":2,"key":5,"rollback":true})"), "fail rolled-back");
  EXPECT_EQ(ask(messages, "outbox", "read"), "ok [[5,1]]");
  EXPECT_EQ(ask(messages, "outbox", "messages"), "ok [[5,1]]");
  Messages skewed({Bug::write_skew, 1});
  EXPECT_EQ(ask(skewed, "outbox", "change", R"({"id":2,"key":5,"rollback":true})"), "fail rolled-back");
  EXPECT_EQ(ask(skewed, "outbox", "messages"), "ok [[5,2]]");
}

}  // namespace
}  // namespace ordeal::memory
