// Nobody knows what a fault left that no successful look followed: every model of the table, one valid history each.
#include "checkers/interfaces/last_look.h"

#include <map>
#include <set>

#include "checkers/model_catalogue.h"
#include "tests/checkers/workload/histories.h"

namespace ordeal {
namespace {

using work::event;
using work::ok;
using work::op;

std::string read(std::string_view value, int process = 9) { return ok(process, "read", "nil", value); }
std::string adds(std::string_view f, int process = 0) { return ok(process, f, "1") + ok(process, f, "2"); }
std::string refused(std::string_view f, std::string_view asked, std::string_view kind) {
  return event(0, "invoke", f, asked) + "{:process 0 :type :fail :f :" + std::string(f) + " :error {:kind \"" +
         std::string(kind) + "\" :message \"\"}}\n";
}
std::string fault(std::string_view step) {
  return "{:process :nemesis :type :info :f :power-loss :value {:id 1 :step \"" + std::string(step) + "\"}}\n";
}

struct Sample {
  std::string before, looks;  // a valid history, the operations that are looks at its end
  std::vector<std::string> levels = {};
};

std::string dead_letters() {
  const std::string good = "{:id 1 :poison false}", poison = "{:id 2 :poison true}";
  std::string out =
      ok(0, "enqueue", good) + ok(1, "receive", "nil", good) + ok(1, "ack", "1") + ok(0, "enqueue", poison);
  for (int i = 0; i < 3; ++i) out += ok(1, "receive", "nil", poison) + ok(1, "reject", "2");
  return out;
}

std::map<std::string, Sample> samples() {
  const std::string sent = "[[:send :x 1]]", poll = ok(1, "poll", "[[:poll]]", "[[:poll {:x [[0 1]]}]]");
  const std::string events = "[2 [1 2]]", apply = ok(0, "apply", "{:id 1 :body :a}", "10");
  std::string appends;
  for (const std::string n : {"1", "2"}) appends += ok(0, "append", n, "[" + n + " " + n + "]");
  return {
      {"bank", {read("{0 10 1 10}") + ok(0, "transfer", "{:from 0 :to 1 :amount 3}"), read("{0 7 1 13}")}},
      {"causal-reverse", {adds("write"), read("[1 2]")}},
      {"convergence", {adds("add"), read("[1 2]", 7) + read("[1 2]", 8)}},
      {"counter", {adds("add"), read("3"), {"linearizable", "sequential", "bounds"}}},
      {"dead-letter",
       {dead_letters(), ok(8, "receive", "nil", "nil") + ok(9, "drain-dead", "nil", "[{:id 2 :poison true}]")}},
      {"delivery", {ok(0, "enqueue", "[:a 1]"), ok(2, "drain", "nil", "[[:a 1]]")}},
      {"durability", {adds("add") + fault("injected"), read("[1 2]")}},
      {"idempotency", {ok(0, "apply", "1") + ok(0, "apply", "1"), read("[1]")}},
      {"idempotency-keys", {apply + apply + refused("apply", "{:id 1 :body :b}", "conflict"), read("[[1 :a]]")}},
      {"kafka", {ok(0, "send", sent, "[[:send :x [0 1]]]"), poll}},
      {"ledger",
       {ok(0, "deposit", "{:id 1 :amount 9}", "1") + refused("withdraw", "{:id 2 :amount 10}", "insufficient") +
            event(0, "invoke", "withdraw", "{:id 3 :amount 9}") + ok(1, "withdraw", "{:id 4 :amount 3}", "2") +
            event(0, "fail", "withdraw", "{:id 3 :amount 9}") + ok(1, "balance", "nil", "[2 6]") +
            ok(1, "replay", "nil", "[2 6]") + ok(1, "model", "nil", "[2 6]"),
        ok(1, "events", "nil", "[[1 1 9] [2 4 -3]]") + ok(1, "model", "nil", "[2 6]"),
        {"linearizable", "consistent-prefix"}}},
      {"log", {ok(0, "append", "1"), read("[1]"), {"linearizable", "sequential"}}},
      {"lww-map", {ok(0, "put", "[50 1]") + ok(1, "put", "[40 2]"), read("1", 7) + read("1", 8)}},
      {"monotonic", {ok(0, "stamp", "nil", "{:val 0 :sts 10}"), read("[{:val 0 :sts 10}]")}},
      {"or-set", {adds("add") + ok(0, "remove", "1"), read("[2]", 7) + read("[2]", 8)}},
      {"outbox",
       {ok(0, "change", "{:id 1 :key 0}") + op(0, "change", "{:id 2 :key 0}", "fail", "nil"),
        read("[[0 1]]") + ok(9, "messages", "nil", "[[0 1]]")}},
      {"overdraft",
       {ok(0, "deposit", "{:account 0 :amount 10}") + refused("withdraw", "{:account 0 :amount 21}", "insufficient") +
            ok(0, "withdraw", "{:account 0 :amount 4}"),
        read("[6 0]")}},
      {"queue", {adds("enqueue"), ok(1, "dequeue", "nil", "1"), {"linearizable", "sequential", "fifo"}}},
      {"read-model",
       {appends + ok(9, "read", "2", events) + ok(9, "replay", "nil", events), ok(9, "replay", "nil", events)}},
      {"saga",
       {read("{:balances {0 10 1 10} :events []}") + op(0, "saga", "{:id 7 :from 0 :to 1 :amount 4}", "ok", ""),
        read("{:balances {0 6 1 14} :events [[7 0 -4] [7 1 4]]}")}},
      {"set", {adds("add"), read("[1 2]"), {"final", "linearizable", "sequential"}}},
      {"set-full", {adds("add"), read("[1 2]"), {"linearizable", "causal-cc", "eventual"}}},
      {"total-queue", {adds("enqueue"), ok(1, "drain", "nil", "[1 2]")}},
      {"transparency-log",
       {ok(0, "append", "1", "[0 1]") + ok(0, "append", "1", "[0 1]") + ok(0, "append", "2", "[1 2]") +
            ok(1, "tail", "[0 9]", "{:from 0 :entries [1 2] :size 2}") +
            ok(1, "read", "[0 9]", "{:from 0 :entries [1 2] :size 2}") +
            ok(1, "head", "nil", R"({:size 2 :root "6LzZfjSWk9z+wFT+IZqzV7ddPBzZ+L4XZ/YJD5yG+f0="})") +
            ok(1, "inclusion", "[0 2]",
               R"({:leaf "IhXorE4rhxwqSBieeXOMlWwIHiOsLyQVv3faGZ39kgw=" :proof ["+mHj3sNDlYn0eEyJO/Mh0AhPBMVyx68raOPzNgo1tIY="]})") +
            ok(1, "consistency", "[1 2]", R"({:proof ["+mHj3sNDlYn0eEyJO/Mh0AhPBMVyx68raOPzNgo1tIY="]})"),
        ok(1, "read", "[0 9]", "{:from 0 :entries [1 2] :size 2}")}},
  };
}

CheckResult judged(const std::string& model, const std::string& level, const std::string& edn) {
  const auto checker = checker_for(model, level);
  EXPECT_TRUE(checker) << model << " " << level;
  CheckOptions options;
  options.model = model;
  options.consistency = level;
  // Where nothing has times, whatever is read later has had the time it needed.
  if (const WorkloadChecker* own = find_workload_checker(model)) {
    options.settings.declare(own->options);
    for (const OptionSpec& option : own->options) {
      const bool redelivery = option.key.ends_with(".redelivery");
      if (!redelivery && !option.key.ends_with(".settle") && !option.key.ends_with(".lag")) continue;
      EXPECT_TRUE(options.settings.set(option.key, redelivery ? "false" : "0", "test"));
    }
  }
  return (*checker)->check(work::history_of(edn), options);
}

TEST(LastLook, WithoutItNoModelOfTheTableIsValid) {
  auto all = samples();
  for (const LastLook& look : last_looks()) {
    const auto found = all.find(std::string(look.model));
    ASSERT_NE(found, all.end()) << look.model;
    Sample one = found->second;
    if (one.levels.empty()) one.levels.push_back("");
    for (const std::string& level : one.levels) {
      SCOPED_TRACE(found->first + " " + level);
      const auto verdict = [&](const std::string& edn) {
        const CheckResult result = judged(found->first, level, edn);
        return std::string(name(result.verdict)) + " " + result.reason;
      };
      EXPECT_EQ(verdict(one.before + one.looks), "valid ");
      for (const char* step : {"inject", "injected"}) {
        EXPECT_EQ(verdict(fault(step) + one.before + fault(step) + one.looks), "valid ") << step;
        EXPECT_THAT(verdict(one.before + one.looks + fault(step)),
                    testing::MatchesRegex("unknown no .* that began after the last fault \\(power-loss, event .*\\) "
                                          "succeeded, so nobody knows what it left"))
            << step;
      }
      // That it ends is no fault, and neither is what was planned and not done.
      for (const char* step : {"planned", "confirmed", "heal", "healed"})
        EXPECT_EQ(verdict(one.before + one.looks + fault(step)), "valid ") << step;
    }
    all.erase(found);
  }
  EXPECT_TRUE(all.empty()) << all.begin()->first;
}

// A look that had begun when the fault struck, one that failed and one of unknown outcome saw nothing of it.
TEST(LastLook, BeginsAfterTheFaultAndSucceeds) {
  const auto why = [](const std::string& edn) { return nobody_looked(work::history_of(edn), "counter"); };
  const std::string begun = event(1, "invoke", "read", ""), end = event(1, "ok", "read", "0");
  EXPECT_EQ(why(begun + end), "");
  EXPECT_EQ(why(fault("inject") + begun + end), "");
  EXPECT_NE(why(begun + fault("inject") + end), "");
  EXPECT_NE(why(fault("inject") + begun + fault("injected") + end), "");
  EXPECT_NE(why(fault("inject") + op(1, "read", "nil", "fail", "nil")), "");
  EXPECT_NE(why(fault("inject") + op(1, "read", "nil", "info", "nil")), "");
  EXPECT_NE(why(fault("inject") + begun), "");
  EXPECT_NE(why(fault("inject") + ok(1, "add", "1")), "");
  EXPECT_EQ(nobody_looked(work::history_of(fault("inject")), "cas-register"), "");
}

// Of an outbox both halves are looked at; of a queue one operation of two will do.
TEST(LastLook, IsOfEveryGroup) {
  const auto why = [](const char* model, const std::string& edn) {
    return nobody_looked(work::history_of(fault("injected") + edn), model);
  };
  const std::string state = read("[]"), messages = ok(9, "messages", "nil", "[]");
  EXPECT_EQ(why("outbox", state + messages), "");
  EXPECT_EQ(why("outbox", messages + state), "");
  EXPECT_THAT(why("outbox", state), testing::HasSubstr("no messages that began"));
  EXPECT_THAT(why("outbox", messages), testing::HasSubstr("no read that began"));
  EXPECT_EQ(why("queue", ok(1, "drain", "nil", "[]")), "");
  EXPECT_THAT(why("queue", state), testing::HasSubstr("no dequeue or drain that began"));
}

// What was seen and is wrong is told all the same.
TEST(LastLook, HidesNoAnomaly) {
  EXPECT_EQ(judged("counter", "linearizable", adds("add") + read("9") + fault("injected")).verdict, Verdict::invalid);
  EXPECT_EQ(judged("set", "final", adds("add") + read("[1 2 9]") + fault("injected")).verdict, Verdict::invalid);
}

}  // namespace
}  // namespace ordeal
