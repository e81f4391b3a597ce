// A run from plan to verdict without a process: on the memory target, and on run directories as runs leave them that
// came to a bad end. None of those is green.

#include "session/run_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/files.h"
#include "base/text.h"
#include "checkers/explain/example_text.h"
#include "checkers/explain/explanation.h"
#include "checkers/history/parts.h"
#include "harness/store/part_packer.h"
#include "session/conclusion.h"
#include "session/environment.h"
#include "session/resolve_plan.h"
#include "tests/support/program.h"
#include "tests/support/silence.h"

namespace ordeal::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class Session : public ::testing::Test {
 protected:
  // The plan of flags and settings, on the memory target unless they say otherwise.
  Plan plan(std::map<std::string, std::string> flags, std::map<std::string, std::string> settings = {}) {
    RunRequest request;
    flags.insert(
        {{"target", "memory"}, {"time-limit", "0.3"}, {"seed", "1"}, {"rate", "1000"}, {"store", directory_.path()}});
    for (const auto& [name, text] : flags) request.flags[name] = {text, "test"};
    for (const auto& [key, text] : settings) request.settings[key] = {text, "test"};
    auto resolved = resolve(request);
    ORDEAL_CHECK(resolved.has_value(), resolved ? "" : resolved.error().message);
    return *resolved;
  }
  JudgedRun judged(const Plan& run, const std::stop_token& stop = {}) {
    auto done = run_and_judge(run, observer_, {stop, {}});
    ORDEAL_CHECK(done.has_value(), done ? "" : done.error().message);
    return *std::move(done);
  }
  // Judges the directory again, after `change` to the text of one of its files.
  JudgedRun again(const JudgedRun& run, const std::string& file = "",
                  const std::function<std::string(std::string)>& change = {}) {
    if (change) {
      const auto path = run.directory + "/" + file;
      const auto text = read_text_file(path);
      ORDEAL_CHECK(text && replace_file(path, change(*text)), path);
    }
    auto done = judge_run(run.directory, observer_);
    ORDEAL_CHECK(done.has_value(), done ? "" : done.error().message);
    return *std::move(done);
  }
  static std::string junit(const JudgedRun& run) { return read_text_file(run.directory + "/junit.xml").value_or(""); }
  static std::string page(const JudgedRun& run) { return read_text_file(run.directory + "/report.html").value_or(""); }
  // That every file says so.
  static void expect_unknown(const JudgedRun& run, const std::string& why) {
    EXPECT_EQ(run.verdict, Verdict::unknown);
    EXPECT_THAT(run.reason, HasSubstr(why));
    EXPECT_EQ(run.results.find("verdict")->string(), "unknown");
    EXPECT_THAT(run.results.find("reason")->string(), HasSubstr(why));
    EXPECT_THAT(junit(run), HasSubstr("<error type=\"unknown\""));
    EXPECT_THAT(page(run), HasSubstr("unknown: "));
  }
  static std::string without_end(const std::string& history) {
    auto all = lines(history);
    ORDEAL_CHECK(all.back().find(R"("step":"end")") != std::string::npos, "the journal has no last record");
    all.pop_back();
    return join(all, "\n") + "\n";
  }

  TemporaryDirectory directory_;
  Silence observer_;
};

TEST_F(Session, IsTenLinesWithoutAProcess) {
  RunRequest request;
  request.flags = {{"target", {"memory", "test"}},
                   {"time-limit", {"0.3", "test"}},
                   {"rate", {"1000", "test"}},
                   {"store", {directory_.path(), "test"}}};
  const auto resolved = resolve(request);
  ASSERT_TRUE(resolved);
  const auto done = run_and_judge(*resolved, observer_, {});
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->verdict, Verdict::valid) << done->reason;
  EXPECT_FALSE(done->failure);
  EXPECT_GT(done->facts.all.ok, 10u);
  EXPECT_EQ(observer_.remarks(), "");
  ASSERT_EQ(observer_.stages().size(), 3u);
  EXPECT_EQ(observer_.stages()[0], "reading the history");
  EXPECT_THAT(observer_.stages()[1], AllOf(StartsWith("checking "), EndsWith(" events")));
  EXPECT_EQ(observer_.stages()[2], "writing the report");
}

TEST_F(Session, JudgedAgainFromItsDirectoryIsTheSame) {
  const auto first = judged(plan({}));
  const auto second = again(first);
  EXPECT_EQ(second.verdict, first.verdict);
  EXPECT_EQ(second.summary, first.summary);
  EXPECT_EQ(second.results.find("operations")->to_json(), first.results.find("operations")->to_json());
}

// Of a long run the history is in parts.
TEST_F(Session, AHistoryInPartsIsJudgedAsAWhole) {
  const auto run = judged(plan({{"workload", "set"}}));
  ASSERT_EQ(run.verdict, Verdict::valid) << run.reason;
  const std::string path = run.directory + "/history.jsonl";
  auto all = lines(read_text_file(path).value_or(""));
  ASSERT_GT(all.size(), 40u);
  const auto some = [&](std::size_t from, std::size_t to) {
    return join({all.begin() + static_cast<std::ptrdiff_t>(from), all.begin() + static_cast<std::ptrdiff_t>(to)},
                "\n") +
           "\n";
  };
  ASSERT_TRUE(replace_file(part_path(path, 0), some(0, 11)));
  ASSERT_TRUE(pack_part(part_path(path, 0), {}));
  ASSERT_TRUE(replace_file(part_path(path, 1), some(11, 20)));
  ASSERT_TRUE(replace_file(path, some(20, all.size())));
  const auto whole = again(run);
  EXPECT_EQ(whole.verdict, Verdict::valid) << whole.reason;
  EXPECT_EQ(whole.summary, run.summary);
  // What was not compressed in time is in the end; and a run that was killed when the last part was full.
  int begun = 0;
  for (int i = 0; i < 2; ++i) pack_parts(path, {}, [&] { ++begun; });
  EXPECT_EQ(begun, 1);
  EXPECT_TRUE(fs::exists(part_path(path, 1) + ".gz"));
  EXPECT_FALSE(fs::exists(part_path(path, 1)));
  EXPECT_TRUE(fs::exists(path));
  fs::rename(path, part_path(path, 2));
  EXPECT_EQ(again(run).summary, run.summary);
  // Without one in between nothing is judged.
  fs::remove(part_path(path, 1) + ".gz");
  const auto hole = judge_run(run.directory, observer_);
  ASSERT_FALSE(hole);
  EXPECT_THAT(hole.error().message, HasSubstr("history-000001.jsonl is missing"));
}

TEST_F(Session, InterruptedIsUnknownAlsoLater) {
  const auto interrupted_after = [&](std::chrono::milliseconds wait) {
    std::stop_source stop;
    const std::jthread soon([&] {
      std::this_thread::sleep_for(wait);
      stop.request_stop();
    });
    return judged(plan({{"workload", "set"}, {"time-limit", "60"}}), stop.get_token());
  };
  auto run = interrupted_after(std::chrono::milliseconds(400));
  // On a busy machine that may have been before the first operation.
  for (int s = 2; s < 20 && run.facts.all.ok == 0; s *= 2) run = interrupted_after(std::chrono::seconds(s));
  EXPECT_FALSE(run.failure);
  EXPECT_GT(run.facts.all.ok, 0u);
  EXPECT_THAT(run.reason, StartsWith("interrupted after "));
  expect_unknown(run, " of 60 s, no final reads");
  expect_unknown(again(run), " of 60 s, no final reads");
}

TEST_F(Session, RegressAJournalWithAHoleProvesNothing) {
  const auto run = judged(plan({{"workload", "set"}, {"concurrency", "1"}}));
  ASSERT_EQ(run.verdict, Verdict::valid) << run.reason;
  std::string whole;
  const auto changed = [&](const std::function<void(std::vector<std::string>&)>& change) {
    return [&whole, change](const std::string& history) {
      if (whole.empty()) whole = history;
      auto all = lines(whole);
      change(all);
      return join(all, "\n") + "\n";
    };
  };
  const auto cut = changed([](auto& all) { all.erase(all.begin() + 20, all.begin() + 24); });
  expect_unknown(again(run, "history.jsonl", cut), "after index 19 comes 24");
  const auto first = changed([](auto& all) { all.erase(all.begin(), all.begin() + 2); });
  expect_unknown(again(run, "history.jsonl", first), "it begins with index 2");
  EXPECT_EQ(again(run, "history.jsonl", changed([](auto&) {})).verdict, Verdict::valid);
}

// Whoever does not want to wait for the checkers gets what there is, and the verdict later.
TEST_F(Session, AJudgementThatIsNotWaitedForIsUnknownAndCanBeHadLater) {
  std::stop_source stop;
  stop.request_stop();
  const auto run = judged(plan({{"workload", "set"}}));
  ASSERT_EQ(run.verdict, Verdict::valid) << run.reason;
  const auto stopped = judge_run(run.directory, observer_, {{}, {}, stop.get_token()});
  ASSERT_TRUE(stopped) << stopped.error().message;
  expect_unknown(*stopped, "stopped on request");
  EXPECT_EQ(again(run).verdict, Verdict::valid);
}

TEST_F(Session, TheTimeOfTheCheckersIsThePlansUnlessTheCallerSaysOtherwise) {
  const auto run = judged(plan({{"workload", "set"}, {"check-timeout", "0.001"}, {"rate", "unlimited"}}));
  expect_unknown(run, "the time limit was reached");
  const auto longer = judge_run(run.directory, observer_, {std::chrono::minutes(5), {}, {}});
  ASSERT_TRUE(longer) << longer.error().message;
  EXPECT_EQ(longer->verdict, Verdict::valid) << longer->reason;
}

TEST_F(Session, AnAnomalyStandsInAnInterruptedRun) {
  std::stop_source stop;
  const std::jthread soon([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(800));
    stop.request_stop();
  });
  const auto run = judged(
      plan({{"time-limit", "60"}, {"rate", "2000"}}, {{"memory.bug", "lost-write"}, {"memory.bug-probability", "0.5"}}),
      stop.get_token());
  EXPECT_EQ(run.verdict, Verdict::invalid);
  EXPECT_THAT(run.results.find("cannot_show")->to_json(), HasSubstr("interrupted after"));
}

TEST_F(Session, InterruptedBeforeTheFirstOperationIsUnknownAndNoFailure) {
  std::stop_source stop;
  stop.request_stop();
  const auto run = judged(plan({}), stop.get_token());
  EXPECT_FALSE(run.failure);
  expect_unknown(run, "interrupted before the first operation");
  expect_unknown(again(run), "interrupted before the first operation");
}

TEST_F(Session, WithoutALastRecordTheControllerWasKilled) {
  const auto run = judged(plan({}));
  fs::remove(run.directory + "/environment.json");
  expect_unknown(again(run, "history.jsonl", without_end), "the controller was killed");
  for (const char* torn : {"", R"({"index":0,"ti)"}) {
    expect_unknown(again(run, "history.jsonl", [&](const std::string&) { return torn; }), "before the first operation");
  }
  fs::remove(run.directory + "/history.jsonl");
  expect_unknown(again(run), "the controller was killed before the first operation");
}

// Versions before this one wrote no last record, but an outcome when the clients were done.
TEST_F(Session, ARunOfAnOlderVersionIsJudgedByItsOutcome) {
  const auto run = judged(plan({}));
  const auto old = again(run, "history.jsonl", without_end);
  EXPECT_EQ(old.verdict, Verdict::valid) << old.reason;
  const auto environment = read_text_file(run.directory + "/environment.json");
  const auto with = [&](const std::string& member) {
    return again(run, "environment.json", [&](const std::string&) {
      std::string text = *environment;
      const std::string from = "\"interrupted\":false";
      const auto at = text.find(from);
      ORDEAL_CHECK(at != std::string::npos, text);
      return text.replace(at, from.size(), member);
    });
  };
  const auto failed = with(R"("interrupted":false,"heal_failure":"n2 is gone")");
  expect_unknown(failed, "the run failed: n2 is gone");
  EXPECT_TRUE(failed.failure);
  expect_unknown(with(R"("interrupted":true)"), "interrupted after");
}

// ---- nodes that do not come back

class Unrecovered : public Session {
 protected:
  // A run whose journal says that n2 did not serve again, after a fault of that name.
  JudgedRun lost_after(const std::string& fault, bool healed = true, const std::string& then_on_n1 = "") {
    const auto run = judged(plan({}));
    fs::create_directories(run.directory + "/nodes/n2");
    std::ofstream(run.directory + "/nodes/n2/server.log") << "started\nFATAL: cannot read the transaction log\n";
    return again(run, "history.jsonl", [&](std::string text) {
      auto all = lines(text);
      std::string end(all.back());
      const std::string mark = "\"final_phase\":";
      end.insert(end.find(mark), R"("unrecovered":[{"node":"n2","ended":true,"problem":"no answer\non port 1"}],)");
      const auto time = std::stoll(end.substr(end.find("\"time\":") + 7));
      std::int64_t later_ns = 0;  // each event after the one before it, within the run
      const auto event = [&](const char* step, const std::string& more) {
        return "{\"index\":0,\"time\":" + std::to_string(time + ++later_ns) + "," +
               R"("process":"nemesis","type":"info","f":")" + fault + R"(","value":{"id":1,"step":")" + step + "\"" +
               more + "}}";
      };
      std::vector<std::string> out(all.begin(), all.end() - 1);
      if (!fault.empty()) {
        out.push_back(event("inject", R"(,"nodes":["n2"])"));
        out.push_back(event("injected", ""));
        out.push_back(event("confirmed", R"(,"evidence":"gone")"));
        out.push_back(event("heal", ""));
        if (healed) out.push_back(event("healed", ""));
      }
      if (!then_on_n1.empty()) {
        for (const char* step : {"inject", "injected", "confirmed", "heal", "healed", "recovered"}) {
          std::string later = event(step, std::string(step) == "inject" ? R"(,"nodes":["n1"])" : "");
          later.replace(later.find("\"id\":1"), 6, "\"id\":2");
          later.replace(later.find("\"f\":\"" + fault), 5 + fault.size(), "\"f\":\"" + then_on_n1);
          out.push_back(later);
        }
      }
      end.replace(end.find("\"time\":") + 7, std::to_string(time).size(), std::to_string(time + ++later_ns));
      out.push_back(end);
      for (std::size_t i = 0; i < out.size(); ++i) out[i] = numbered(out[i], i);
      return join(out, "\n") + "\n";
    });
  }

  static const CheckResult& serves_again(const JudgedRun& run) {
    const auto found = std::find_if(run.checks.begin(), run.checks.end(),
                                    [](const CheckResult& one) { return one.checker == "serves-again"; });
    ORDEAL_CHECK(found != run.checks.end(), run.summary);
    return *found;
  }

 private:
  static std::string numbered(const std::string& event, std::size_t index) {
    const auto comma = event.find(',');
    return "{\"index\":" + std::to_string(index) + event.substr(comma);
  }
};

// The example of `ordeal explain unrecovered`, as the journal of a run.
TEST_F(Unrecovered, TheExampleIsJudgedSo) {
  const auto explanation = explanation_of("unrecovered");
  ASSERT_TRUE(explanation);
  ASSERT_EQ(explanation->examples.size(), 1u);
  const auto history = example_history(explanation->examples.front().text);
  ASSERT_TRUE(history) << history.error().message;
  const auto run = again(judged(plan({})), "history.jsonl", [&](const std::string&) { return *history; });
  EXPECT_EQ(run.verdict, Verdict::invalid) << run.reason;
  EXPECT_EQ(serves_again(run).anomalies.at(0).type, "unrecovered");
}

TEST_F(Unrecovered, IsAnAnomalyThatNamesNodeFaultAndLog) {
  const auto run = lost_after("power-loss");
  EXPECT_EQ(run.verdict, Verdict::invalid) << run.reason;
  const CheckResult& check = serves_again(run);
  ASSERT_EQ(check.anomalies.size(), 1u);
  EXPECT_EQ(check.anomalies.front().type, "unrecovered");
  EXPECT_THAT(
      check.anomalies.front().explanation,
      HasSubstr("node n2 did not serve again after fault 1 (power-loss), within 30 s of the end of all healing: "));
  EXPECT_THAT(check.anomalies.front().explanation, HasSubstr("no process of the system is left there"));
  EXPECT_THAT(check.anomalies.front().sentences.back(), HasSubstr("FATAL: cannot read the transaction log"));
  EXPECT_THAT(junit(run), HasSubstr("<failure type=\"unrecovered\""));
  EXPECT_THAT(page(run), HasSubstr("unrecovered"));
}

// The fault of the node itself, though another node was struck later.
TEST_F(Unrecovered, IsToldWithTheFaultOfItsOwnNode) {
  const auto run = lost_after("power-loss", true, "pause");
  EXPECT_EQ(run.verdict, Verdict::invalid) << run.reason;
  EXPECT_THAT(serves_again(run).anomalies.front().explanation,
              HasSubstr("node n2 did not serve again after fault 1 (power-loss)"));
  EXPECT_THAT(serves_again(lost_after("power-loss", true, "partition")).anomalies.front().explanation,
              HasSubstr("node n2 did not serve again after fault 1 (power-loss)"));
}

TEST_F(Unrecovered, WithoutAFaultOfItsOwnTheLastOneOfTheClusterIsTold) {
  EXPECT_THAT(serves_again(lost_after("", true, "pause")).anomalies.front().explanation,
              HasSubstr("node n2 did not serve again after fault 2 (pause)"));
}

// To heal a power loss is to start the target; one that refuses to start is not healed, and that is its own failure.
TEST_F(Unrecovered, ATargetThatDoesNotStartAgainIsAccusedThoughNothingIsHealed) {
  EXPECT_EQ(lost_after("power-loss", false).verdict, Verdict::invalid);
  const auto cut = lost_after("partition", false);
  EXPECT_EQ(cut.verdict, Verdict::unknown);
  EXPECT_TRUE(cut.failure);
}

// What may still be in force is the harness's, not the target's. (Seen: a member that was taken out while another fault
// struck; its node was started, but was no member.)
TEST_F(Unrecovered, UnderAFaultThatNobodySawHealedIsAFailedRun) {
  const auto run = lost_after("membership");
  ASSERT_TRUE(run.failure);
  expect_unknown(run,
                 "the run failed: node n2 did not serve again, and nobody saw that fault 1 (membership) was healed");
}

TEST_F(Unrecovered, WithoutAFaultItEndedByItself) {
  const auto run = lost_after("");
  EXPECT_EQ(run.verdict, Verdict::invalid);
  EXPECT_THAT(serves_again(run).anomalies.front().explanation, HasSubstr("a run without faults"));
}

// A node that notices that its data are spoiled, and says no, is right to do so; but nobody saw that it is sound.
TEST_F(Unrecovered, AfterAFaultThatNeedNotBeSurvivedIsUnknown) {
  const auto run = lost_after("corrupt-files");
  expect_unknown(run, "n2 did not serve again after fault 1 (corrupt-files), which it need not survive");
  EXPECT_FALSE(run.failure);
}

// ---- faults that did not happen

class Families : public Session {
 protected:
  // A run that was to have these faults, whose journal tells of injections: of each fault whether it was confirmed.
  JudgedRun with(const std::vector<std::string>& planned, const std::vector<std::pair<std::string, bool>>& injected,
                 const std::string& nemesis_plan = "", bool all = false) {
    const auto run = judged(plan({}));
    RunRequest request;
    request.flags = {{"target", {"etcd", "test"}}, {"seed", {"1", "test"}}, {"nemesis", {join(planned, ","), "test"}}};
    if (all) request.settings["nemesis.inapplicable"] = {"skip", "--nemesis all"};
    auto faulty = resolve(request);
    ORDEAL_CHECK(faulty.has_value(), faulty ? "" : faulty.error().message);
    const auto path = run.directory + "/plan.json";
    ORDEAL_CHECK(replace_file(path, faulty->to_value().to_json()).has_value(), path);
    return again(run, "history.jsonl", [&](const std::string& text) {
      std::string out;
      std::size_t index = 0;
      const auto add = [&](const std::string& rest) {
        out += "{\"index\":" + std::to_string(index++) + "," + rest + "\n";
      };
      const auto event = [&](const std::string& f, const std::string& value) {
        add(R"("time":0,"process":"nemesis","type":"info","f":")" + f + R"(","value":)" + value + "}");
      };
      if (!nemesis_plan.empty()) event("nemesis", nemesis_plan);
      for (std::size_t i = 0; i < injected.size(); ++i) {
        const std::string id = std::to_string(i + 1);
        for (const char* step : {"planned", "inject", "injected", "confirmed", "healed", "recovered"}) {
          if (step == std::string("confirmed") && !injected[i].second) continue;
          event(injected[i].first, R"({"id":)" + id + R"(,"step":")" + step + "\"}");
        }
      }
      for (const auto& line : lines(text)) add(std::string(line.substr(line.find(',') + 1)));
      return out;
    });
  }
};

TEST_F(Families, EachThatWasAskedForMustBeSeen) {
  EXPECT_EQ(with({"kill", "pause"}, {{"kill", true}, {"pause", true}}).verdict, Verdict::valid);
  expect_unknown(with({"kill", "pause"}, {{"kill", true}, {"pause", false}}),
                 "never seen to take effect: pause (1 planned, 1 injected)");
  expect_unknown(with({"kill", "pause"}, {{"kill", true}}), "never seen to take effect: pause (its turn never came)");
  expect_unknown(with({"kill", "pause"}, {}), "no fault was seen to take effect");
}

TEST_F(Families, WhatWasLeftOutOnPurposeIsNoShortfall) {
  EXPECT_EQ(with({"kill", "pause"}, {{"kill", true}}, R"({"step":"plan","left_out_by_swarm":["pause"]})").verdict,
            Verdict::valid);
  EXPECT_EQ(with({"kill", "pause"}, {{"kill", true}}, R"({"step":"plan","inapplicable":{"pause":"no"}})").verdict,
            Verdict::valid);
}

// Of "all" those that were tried must be seen; those whose turn did not come are named.
TEST_F(Families, OfAllFaultsThoseThatWereTriedMustBeSeen) {
  const auto run = with({"kill", "pause"}, {{"kill", true}}, "", true);
  EXPECT_EQ(run.verdict, Verdict::valid) << run.reason;
  EXPECT_EQ(run.results.find("fault_kinds")->find("pause")->find("planned")->integer(), 0);
  EXPECT_THAT(run.results.find("cannot_show")->to_json(), HasSubstr("has the fault pause, but it was never injected"));
  expect_unknown(with({"kill", "pause"}, {{"kill", true}, {"pause", false}}, "", true),
                 "never seen to take effect: pause");
}

// ---- runs that fail

TEST_F(Session, AFailedRunLeavesResultsJUnitAndAPage) {
  const auto run = judged(plan({{"nemesis", "kill"}}));  // the memory target has no processes
  ASSERT_TRUE(run.failure);
  EXPECT_EQ(run.failure->code, ErrorCode::usage);
  expect_unknown(run, "the run failed: ");
  EXPECT_THAT(run.results.find("error")->string(), HasSubstr("no processes"));
  EXPECT_THAT(junit(run), HasSubstr("<error type=\"failed\""));
  EXPECT_THAT(page(run), HasSubstr("no processes"));
  const auto later = again(run);
  ASSERT_TRUE(later.failure);
  EXPECT_EQ(later.failure->code, ErrorCode::usage);
  EXPECT_EQ(later.results.to_json(), run.results.to_json());
}

TEST_F(Session, ABugThatStrikesNothingIsAUsageError) {
  RunRequest request;
  request.flags = {{"target", {"memory", "test"}}, {"workload", {"unique-ids", "test"}}};
  request.settings["memory.bug"] = {"reorder", "--set"};
  const auto refused = resolve(request);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::usage);
  EXPECT_THAT(refused.error().message, HasSubstr("reorder does not apply to workloads on the data type unique-ids"));
  EXPECT_THAT(refused.error().message, HasSubstr("stale-read and duplicate"));
  request.settings["memory.bug"] = {"duplicate", "--set"};
  EXPECT_TRUE(resolve(request));
}

// What the target's logs say counts as what it answered does.
TEST_F(Session, APatternInTheLogsIsAnAnomaly) {
  const auto run = judged(plan({}));
  fs::create_directories(run.directory + "/nodes/n1");
  std::ofstream(run.directory + "/nodes/n1/server.log") << "started\npanic: index out of range\n";
  const auto with_pattern = [&](const std::string& pattern) {
    return again(run, "environment.json", [&](const std::string& text) {
      Value environment = *Value::from_json(text);
      environment.set("log_pattern", pattern);
      return environment.to_json();
    });
  };
  EXPECT_EQ(with_pattern("segfault").verdict, Verdict::valid);
  const auto panicked = with_pattern("panic");
  EXPECT_EQ(panicked.verdict, Verdict::invalid);
  EXPECT_THAT(junit(panicked), HasSubstr("index out of range"));
}

// ---- what is written down

// A run whose clients crashed all the time was green.
TEST_F(Session, RegressAdaptersInTroubleAreNamedAndTooManyLeaveNoVerdict) {
  const auto crashed = [](std::string history) {
    for (std::size_t at; (at = history.find(R"("kind":"simulated")")) != std::string::npos;)
      history.replace(at, 18, R"("kind":"adapter-crash")");
    return history;
  };
  auto some = judged(plan({{"time-limit", "0.5"}}, {{"memory.info-probability", "0.05"}}));
  some = again(some, "history.jsonl", crashed);
  EXPECT_EQ(some.verdict, Verdict::valid) << some.reason;
  ASSERT_EQ(some.facts.troubles.size(), 1u);
  EXPECT_GT(some.facts.troubles.front().count, 0u);
  EXPECT_EQ(some.results.find("adapters")->find("adapter-crash")->find("count")->integer(),
            static_cast<std::int64_t>(some.facts.troubles.front().count));
  EXPECT_THAT(junit(some), HasSubstr("name=\"adapters\" value=\"adapter-crash: "));
  EXPECT_THAT(page(some), HasSubstr("Adapters were in trouble: adapter-crash: "));
  auto many = judged(plan({{"time-limit", "0.5"}}, {{"memory.info-probability", "0.6"}}));
  many = again(many, "history.jsonl", crashed);
  expect_unknown(many, "adapters in trouble spoiled");
}

// A thousand adapters were asked for, most of their clients were lost, and the rest was green.
TEST_F(Session, RegressARunThatLostWorkersIsNotValid) {
  const auto run = judged(plan({{"time-limit", "0.3"}}));
  ASSERT_EQ(run.verdict, Verdict::valid) << run.reason;
  const auto ending = [&](const std::string& from, const std::string& to) {
    return again(run, "history.jsonl",
                 [&](std::string history) { return history.replace(history.rfind(from), from.size(), to); });
  };
  expect_unknown(ending(R"("step":"end",)", R"("step":"end","lost_workers":3,"workers":10,)"),
                 "3 of 10 workers never had a connection");
  expect_unknown(ending(R"("lost_workers":3)", R"("stuck_threads":5)"),
                 "5 client threads of 10 workers never came back");
  EXPECT_EQ(ending(R"("stuck_threads":5)", R"("stuck_threads":1)").verdict, Verdict::valid)
      << "the nine others saw enough";
}

TEST_F(Session, TheLevelIsAFlagAndAnOptionAndIsPromised) {
  const auto run = judged(plan({{"consistency", "sequential"}}, {{"memory.replication", "sequential"}}));
  EXPECT_EQ(run.verdict, Verdict::valid) << run.reason;
  EXPECT_THAT(run.results.find("promise")->string(), HasSubstr("at the level sequential, and no more is claimed"));
  EXPECT_EQ(run.checks.front().consistency, "sequential");
  EXPECT_EQ(again(run).checks.front().consistency, "sequential");
  EXPECT_EQ(judged(plan({}, {{"register.consistency", "pram"}})).checks.front().consistency, "pram");
  // A plan.json of a version that knew no such flag.
  const auto old = again(run, "plan.json", [](std::string text) {
    const auto at = text.find(R"("consistency":"sequential",)");
    ORDEAL_CHECK(at != std::string::npos, text);
    return text.erase(at, 27);
  });
  EXPECT_EQ(old.checks.front().consistency, "sequential");
}

TEST_F(Session, ALevelThatTheWorkloadDoesNotHaveIsAUsageError) {
  const auto error_of = [](std::map<std::string, std::string> flags, std::map<std::string, std::string> settings) {
    RunRequest request;
    for (const auto& [name, text] : flags) request.flags[name] = {text, "--" + name};
    for (const auto& [key, text] : settings) request.settings[key] = {text, "--set"};
    const auto resolved = resolve(request);
    EXPECT_FALSE(resolved);
    return resolved ? Error{} : resolved.error();
  };
  const Error unknown = error_of({{"target", "memory"}, {"workload", "set"}, {"consistency", "regular"}}, {});
  EXPECT_EQ(unknown.code, ErrorCode::usage);
  EXPECT_THAT(unknown.message,
              HasSubstr("Known: linearizable, causal-cc, eventual, sequential, bounded-staleness-T and final"));
  const Error only = error_of({{"target", "memory"}, {"workload", "kafka"}, {"consistency", "linearizable"}}, {});
  EXPECT_THAT(only.message, HasSubstr("Known: read-committed"));
  const Error twice = error_of({{"target", "memory"}, {"workload", "set"}, {"consistency", "final"}},
                               {{"set.consistency", "eventual"}});
  EXPECT_THAT(twice.message, HasSubstr("say one of them"));
  EXPECT_EQ(twice.code, ErrorCode::usage);
}

TEST_F(Session, WhatIsAskedForIsResolved) {
  RunRequest request;
  request.flags = {{"target", {"etcd", "--target"}}, {"nemesis", {"pause,nonsense", "--nemesis"}}};
  EXPECT_THAT(resolve(request).error().message, HasSubstr("--nemesis"));
  request.flags["nemesis"] = {"all", "--nemesis"};
  const auto all = resolve(request);
  ASSERT_TRUE(all) << all.error().message;
  EXPECT_GT(all->nemesis.size(), 10u);
  EXPECT_EQ(all->options.string("nemesis.inapplicable"), "skip");
  EXPECT_EQ(all->options.origin("nemesis.inapplicable"), "--nemesis all");
  EXPECT_EQ(all->options.string("local.storage"), "") << "options of the nodes are declared";
  request.flags["nemesis"] = {"none", "--nemesis"};
  EXPECT_THAT(resolve(request)->nemesis, ::testing::IsEmpty());
  EXPECT_EQ(resolve(request)->name, "etcd-register");
  for (const char* bad : {"a/b", ".hidden"}) {
    request.flags["name"] = {bad, "--name"};
    EXPECT_EQ(resolve(request).error().code, ErrorCode::usage) << bad;
  }
}

TEST_F(Session, OptionsThatCannotBeAreNamedWithWhoSetThem) {
  RunRequest request;
  request.flags = {{"target", {"memory", "--target"}}};
  for (const auto& [key, text] :
       std::map<std::string, std::string>{{"register.keys", "x"}, {"register.kyes", "3"}, {"nemesis.quorum", "any"}}) {
    request.settings = {{key, {text, "--set"}}};
    const auto resolved = resolve(request);
    // Without faults how they come does not matter.
    ASSERT_EQ(resolved.has_value(), key.starts_with("nemesis.")) << key;
    if (resolved) continue;
    EXPECT_EQ(resolved.error().code, ErrorCode::usage);
    EXPECT_THAT(resolved.error().message, HasSubstr("--set"));
    EXPECT_THAT(resolved.error().message, HasSubstr(key));
  }
}

// plan.json says of every flag where its value came from: names first, then durations, then the other numbers.
TEST_F(Session, OriginsHaveTheirOrder) {
  std::vector<std::string> names;
  const Plan resolved = plan({{"rate", "50"}});
  for (const auto& [name, origin] : resolved.origins.entries()) names.push_back(name.string());
  EXPECT_THAT(names, ::testing::ElementsAre("target", "workload", "consistency", "nodes", "store", "name", "nemesis",
                                            "time-limit", "op-timeout", "start-timeout", "open-timeout",
                                            "nemesis-interval", "nemesis-duration", "recovery", "check-timeout", "rate",
                                            "poisson", "concurrency", "seed", "memory"));
  EXPECT_EQ(resolved.origins.find("rate")->string(), "test");
  EXPECT_EQ(resolved.origins.find("recovery")->string(), "default");
}

TEST_F(Session, TransactionsNameTheStrongestLevelThatHolds) {
  const auto run =
      judged(plan({{"workload", "list-append"}, {"rate", "3000"}, {"time-limit", "0.5"}},
                  {{"memory.bug", "write-skew"}, {"memory.bug-probability", "0.5"}, {"memory.latency", "200us"}}));
  EXPECT_EQ(run.verdict, Verdict::invalid);
  const Value* strongest = run.checks.front().details.find("strongest");
  ASSERT_NE(strongest, nullptr);
  EXPECT_THAT(strongest->to_json(), HasSubstr("snapshot-isolation"));
  EXPECT_THAT(page(run), HasSubstr("snapshot-isolation"));
  const auto good = judged(plan({{"workload", "list-append"}}));
  EXPECT_EQ(good.checks.front().details.find("strongest")->string(), "strict-serializable");
}

// One with a bound is not looked for, but better than none.
TEST_F(Session, ALevelWithABoundThatHoldsIsNamedWhereNoOtherDoes) {
  const auto run = judged(plan({{"workload", "register"}, {"consistency", "bounded-staleness-10s"}}));
  // After reads of 2 and of 4 everybody goes back to what was there before.
  std::string text;
  int index = 0;
  const auto add = [&](int process, const std::string& f, int value) {
    for (const std::string type : {"invoke", "ok"}) {
      const bool unknown = f == "read" && type == "invoke";
      text += "{\"index\":" + std::to_string(index) + ",\"time\":" + std::to_string(index + 1) +
              "000,\"process\":" + std::to_string(process) + ",\"type\":\"" + type + "\",\"f\":\"" + f +
              "\",\"key\":1,\"value\":" + (unknown ? "null" : std::to_string(value)) + "}\n";
      ++index;
    }
  };
  for (const int value : {1, 2}) add(0, "write", value);
  add(0, "read", 1);
  for (const int value : {2, 1}) add(1, "read", value);
  add(2, "read", 2);
  add(2, "write", 4);
  for (const int value : {4, 2, 1}) add(3, "read", value);
  add(0, "read", 2);
  const auto judged_again = again(run, "history.jsonl", [&](const std::string& history) {
    const std::string end = lines(history).back();
    const auto begin = end.find("\"index\":") + 8;
    return text + end.substr(0, begin) + std::to_string(index) + end.substr(end.find(',', begin)) + "\n";
  });
  const CheckResult& check = judged_again.checks.front();
  EXPECT_EQ(check.verdict, Verdict::valid) << check.reason;
  ASSERT_NE(check.details.find("strongest"), nullptr) << check.details.to_json();
  EXPECT_EQ(check.details.find("strongest")->to_json(), "\"bounded-staleness-10s\"") << check.details.to_json();
}

TEST(EndOfRun, MayBeTheOnlyEvent) {
  RunEnd end;
  end.how = RunEnd::How::interrupted;
  HistoryBuilder builder;
  Event event;
  event.process = kNemesis;
  event.type = EventType::info;
  event.f = *builder.function("run");
  event.value = builder.values().intern(end.to_value());
  ASSERT_TRUE(builder.add(event));
  const auto found = end_of(builder.finish(), {});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->how, RunEnd::How::interrupted);
}

TEST(EnvironmentFile, KeepsItsBytes) {
  const std::string text =
      R"({"started":"2026-11-21T10:00:00Z","command":"ordeal run","log_pattern":"panic","nodes":["n1","n2","n3"],)"
      R"("environment":{"ordeal":"0.1.0","host":{"kernel":"Linux","processors":2,"memory_mib":7},)"
      R"("target":{"n1":{"version":"3.4"}}},"outcome":{"end_ns":5},"failure":{"code":"io","message":"disk full"}})";
  const auto environment = Environment::from_value(*Value::from_json(text));
  EXPECT_EQ(environment.to_value().to_json(), text);
  EXPECT_EQ(environment.worker_nodes(4), (std::vector<std::string>{"n1", "n2", "n3", "n1"}));
  EXPECT_EQ(environment.failure->code, ErrorCode::io);
  EXPECT_TRUE(Environment::from_value(Value()).worker_nodes(4).empty());
}

}  // namespace
}  // namespace ordeal::testing
