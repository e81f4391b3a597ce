#include "session/campaign/conduct.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

#include "session/campaign/closing.h"

namespace ordeal {
namespace {

// A campaign of as many runs as there are letters: v valid, i invalid (stale-read), u unknown, f failed, r refused.
struct Script {
  explicit Script(const std::string& letters, const std::string& expect = "valid") : outcomes(letters) {
    for (std::size_t i = 0; i < letters.size(); ++i) {
      PlannedRun run;
      run.name = "run " + std::to_string(i + 1);
      run.plan.time_limit_s = 10;
      run.expect = *parse_expectation(expect);
      campaign.runs.push_back(run);
    }
  }

  Played play(const PlannedRun& run) {
    const std::size_t i = static_cast<std::size_t>(std::stoi(run.name.substr(4))) - 1;
    played += static_cast<char>('1' + i);
    Played out;
    char letter = outcomes[i];
    if (letter == 'F') outcomes[i] = 'v';  // fails once
    out.results = Value::map();
    out.results.set("verdict", letter == 'v' ? "valid" : letter == 'i' || letter == 'o' ? "invalid" : "unknown");
    if (letter == 'f' || letter == 'F' || letter == 'r') out.results.set("error", "no nodes");
    out.refused = letter == 'r';
    if (letter == 'i' || letter == 'o') {
      const Value anomaly = Value::map({{"type", letter == 'i' ? "stale-read" : "lost-write"}, {"explanation", "e"}});
      Value check = Value::map({{"checker", "c"}, {"verdict", "invalid"}});
      check.set("anomalies", Value::list({anomaly}));
      out.results.set("checks", Value::list({check}));
    }
    return out;
  }

  CampaignOutcome conducted(std::vector<RunRecord> before = {}) {
    Conduct how;
    how.play = [this](const PlannedRun& run, const std::stop_token&) { return play(run); };
    how.keep = [this](const RunRecord& record) {
      kept.push_back(record);
      return Result<void>{};
    };
    how.stop = stop.get_token();
    how.before = std::move(before);
    return *conduct(campaign, how);
  }

  // The first letter of each standing; '-': not started, '~': not needed.
  static std::string standings(const CampaignOutcome& outcome) {
    std::string out;
    for (const auto& run : outcome.runs) {
      out += run.standing == Standing::not_started  ? '-'
             : run.standing == Standing::not_needed ? '~'
             : run.standing == Standing::vanished   ? 'V'
                                                    : name(run.standing)[0];
    }
    return out;
  }
  std::string end() { return standings(conducted()); }

  Campaign campaign;
  std::string outcomes;
  std::string played;
  std::vector<RunRecord> kept;
  std::stop_source stop;
};

TEST(Conduct, PlaysAllInOrder) {
  Script script("vuifr");
  const auto outcome = script.conducted();
  EXPECT_EQ(script.played, "12345");
  EXPECT_EQ(Script::standings(outcome), "vuifr");
  EXPECT_EQ(gravest(outcome), Standing::invalid);
  EXPECT_EQ(script.kept.size(), 5u);
}

TEST(Conduct, OneInvalidIsGravestThenRefusedFailedUnknown) {
  EXPECT_EQ(gravest(Script("uufuiuf").conducted()), Standing::invalid);
  EXPECT_EQ(gravest(Script("uufurv").conducted()), Standing::refused);
  EXPECT_EQ(gravest(Script("uufv").conducted()), Standing::failed);
  EXPECT_EQ(gravest(Script("vuv").conducted()), Standing::unknown);
  EXPECT_EQ(gravest(Script("vv").conducted()), Standing::valid);
  EXPECT_EQ(gravest(Script("ii", "invalid: stale-read").conducted()), Standing::expected);
}

// A register's stale read has the type nonlinearizable, and an expectation of a stale-read was never met.
TEST(RegressExpectation, AnAnomalyIsKnownByItsTypeOrByItsNameInWords) {
  const auto results = Value::from_json(
      R"({"verdict":"invalid","checks":[{"checker":"linearizable","verdict":"invalid","anomalies":[
        {"type":"nonlinearizable","explanation":"Stale read: process 6 read nil"},
        {"type":"nonlinearizable","explanation":"No order explains it: none"},
        {"type":"lost-element","explanation":"Lost element: 7"}]}]})");
  ASSERT_TRUE(results);
  const RunRecord record = RunRecord::from_results(*results);
  EXPECT_EQ(record.anomalies, (std::vector<std::string>{"lost-element", "nonlinearizable"}));
  EXPECT_EQ(record.named, (std::vector<std::string>{"lost-element", "nonlinearizable", "nonlinearizable/stale-read"}));
  const auto allowed = [](const char* expected, const std::vector<std::string>& found) {
    return parse_expectation(expected)->allows(found);
  };
  EXPECT_TRUE(allowed("invalid: stale-read", {"nonlinearizable/stale-read"}));
  EXPECT_TRUE(allowed("invalid: nonlinearizable", {"nonlinearizable/stale-read", "nonlinearizable"}));
  EXPECT_TRUE(allowed("invalid: nonlinearizable, lost-element", record.named));
  EXPECT_FALSE(allowed("invalid: stale-read", record.named)) << "two others were found";
  EXPECT_FALSE(allowed("invalid: lost-update", {"nonlinearizable/stale-read"}));
  EXPECT_FALSE(allowed("invalid: stale-read", {}));
}

TEST(Conduct, AnExpectedFindingThatStaysIsGreenAndOneThatIsGoneIsNot) {
  EXPECT_EQ(Script("iv", "invalid: stale-read").end(), "eV");
  EXPECT_FALSE(is_green(Standing::vanished));
  EXPECT_TRUE(is_green(Standing::expected));
  // Another anomaly is red, with or without the one that is known; unknown and failed stay what they are.
  EXPECT_EQ(Script("ouf", "invalid: stale-read").end(), "iuf");
  EXPECT_EQ(Script("io", "invalid").end(), "ee");
  EXPECT_EQ(Script("i").end(), "i");
}

TEST(Conduct, OnlyFailedRunsArePlayedAgain) {
  Script script("FfuiF");
  script.campaign.settings.retries = 2;
  const auto outcome = script.conducted();
  EXPECT_EQ(script.played,
            "11"
            "222"
            "3"
            "4"
            "55");
  EXPECT_EQ(Script::standings(outcome), "vfuiv");
  EXPECT_EQ(outcome.runs[0].record.attempts, 2);
  EXPECT_EQ(outcome.runs[1].record.attempts, 3);
  EXPECT_EQ(script.kept.size(), 5u);  // the last attempt of each
}

TEST(Conduct, FailFastStopsAfterTheFirstThatIsRed) {
  Script script("uviv");
  script.campaign.settings.fail_fast = true;
  EXPECT_EQ(script.end(), "uvi-");
  EXPECT_EQ(script.played, "123");
  Script failed("vfv");
  failed.campaign.settings.fail_fast = true;
  EXPECT_EQ(failed.end(), "vf-");
  Script expected("iv", "invalid: stale-read");
  expected.campaign.settings.fail_fast = true;
  EXPECT_EQ(expected.end(), "eV");
}

TEST(Conduct, UntilFoundNeedsNoMoreThanOne) {
  Script script("uviv");
  script.campaign.settings.until_found = true;
  EXPECT_EQ(script.end(), "uvi~");
  // Those before it that did not show it are nothing gone: one of them had to.
  Script expected("vviv", "invalid: stale-read");
  expected.campaign.settings.until_found = true;
  const auto found = expected.conducted();
  EXPECT_EQ(Script::standings(found), "vve~");
  EXPECT_EQ(gravest(found), Standing::not_needed);
  EXPECT_TRUE(is_green(gravest(found)));
  Script gone("vv", "invalid: stale-read");
  gone.campaign.settings.until_found = true;
  EXPECT_EQ(gone.end(), "VV");
}

TEST(Conduct, WhatDoesNotFitIntoTheBudgetIsNotStartedAndNotGreen) {
  Script script("vvv");
  script.campaign.settings.budget_s = 15;
  script.campaign.runs[1].plan.time_limit_s = 100;
  const auto outcome = script.conducted();
  EXPECT_EQ(Script::standings(outcome), "v-v");
  EXPECT_NE(outcome.runs[1].why.find("budget of 15 s"), std::string::npos) << outcome.runs[1].why;
  EXPECT_EQ(gravest(outcome), Standing::not_started);
}

TEST(Conduct, WhatWasKeptIsNotPlayedAgainUnlessItWasInterrupted) {
  Script first("vuv");
  (void)first.conducted();
  Script again("vuv");
  first.kept[2].interrupted = true;
  const auto outcome = again.conducted(first.kept);
  EXPECT_EQ(again.played, "3");
  EXPECT_EQ(Script::standings(outcome), "vuv");
}

TEST(Conduct, ACampaignThatWasStoppedIsNotGreen) {
  Script script("vv");
  script.stop.request_stop();
  const auto outcome = script.conducted();
  EXPECT_EQ(Script::standings(outcome), "--");
  EXPECT_EQ(script.played, "");
  EXPECT_EQ(gravest(outcome), Standing::not_started);
}

// A campaign whose runs end when the test says so, each played on a thread of its own.
struct SideBySide : Script {
  SideBySide(const std::string& letters, int jobs) : Script(letters) { campaign.settings.jobs = jobs; }

  // `orders` is called on the conductor's thread whenever a run begins or ended: it may let runs end.
  CampaignOutcome conducted_by(std::function<void()> when_it_changes) {
    struct Observer final : CampaignObserver {
      explicit Observer(SideBySide& script) : of(script) {}
      void begins(const PlannedRun&, std::size_t index, int) override {
        of.in_progress.insert(index);
        of.most = std::max(of.most, of.in_progress.size());
        of.began += static_cast<char>('1' + index);
        of.orders();
      }
      void ended(const PlannedRun&, const RunRecord& record, Standing) override {
        of.in_progress.erase(record.run);
        of.ended += static_cast<char>('1' + record.run);
        of.orders();
      }
      SideBySide& of;
    } observer(*this);
    orders = std::move(when_it_changes);
    Conduct how;
    how.play = [this](const PlannedRun& run, const std::stop_token& unneeded) {
      std::unique_lock lock(mutex);
      const auto number = static_cast<std::size_t>(std::stoi(run.name.substr(4))) - 1;
      const std::stop_token stopping = stop.get_token();
      while (!let.contains(number) && !unneeded.stop_requested() && !stopping.stop_requested())
        changed.wait_for(lock, std::chrono::milliseconds(1));
      if (let.contains(number)) return play(run);
      Played cut;
      cut.results = Value::map({{"verdict", "unknown"}, {"reason", "interrupted"}});
      return cut;
    };
    how.keep = [this](const RunRecord& record) {
      kept.push_back(record);
      return Result<void>{};
    };
    how.observer = &observer;
    how.stop = stop.get_token();
    return *conduct(campaign, how);
  }
  void end_runs(std::initializer_list<std::size_t> runs) {
    const std::lock_guard lock(mutex);
    let.insert(runs);
    changed.notify_all();
  }

  std::function<void()> orders;
  std::set<std::size_t> in_progress;
  std::size_t most = 0;
  std::string began, ended;
  std::mutex mutex;  // guards let, and what play() of Script writes
  std::condition_variable changed;
  std::set<std::size_t> let;
};

TEST(ConductSideBySide, SoManyAreInProgressAndTheResultIsThatOfOneByOne) {
  SideBySide script("vuifrvv", 3);
  const auto outcome = script.conducted_by([&] {
    if (script.began.size() == 7) {
      script.end_runs({0, 1, 2, 3, 4, 5, 6});
    } else if (script.in_progress.size() == 3) {
      script.end_runs({*script.in_progress.rbegin()});  // the last of those in progress ends first
    }
  });
  EXPECT_EQ(script.most, 3u);
  EXPECT_EQ(script.began, "1234567");
  EXPECT_NE(script.ended, "1234567") << "nothing was shown";
  const auto one_by_one = Script("vuifrvv").conducted();
  EXPECT_EQ(Script::standings(outcome), Script::standings(one_by_one));
  Value a = closing_value(script.campaign, outcome), b = closing_value(script.campaign, one_by_one);
  for (Value* document : {&a, &b}) {
    Value runs = *document->find("runs");
    for (Value& run : runs.items()) run.set("when", Value());
    document->set("runs", runs);
  }
  EXPECT_EQ(a, b);
}

TEST(ConductSideBySide, ARunThatFailedIsPlayedAgainBesideOthers) {
  SideBySide script("Fv", 2);
  script.campaign.settings.retries = 1;
  const auto outcome = script.conducted_by([&] {
    script.end_runs({0});
    if (script.began == "121") script.end_runs({1});
  });
  EXPECT_EQ(script.began, "121");
  EXPECT_EQ(Script::standings(outcome), "vv");
  EXPECT_EQ(outcome.runs[0].record.attempts, 2);
  EXPECT_EQ(script.kept.size(), 2u);
}

TEST(ConductSideBySide, FailFastEndsThoseAfterTheRedOneAndPlaysThoseBeforeItToTheirEnd) {
  SideBySide script("vuivvv", 4);
  script.campaign.settings.fail_fast = true;
  const auto outcome = script.conducted_by([&] {
    if (script.began.size() == 4) script.end_runs({2});
    if (script.ended.size() == 2) script.end_runs({0, 1});  // the red one, and the one that was cut
  });
  EXPECT_EQ(Script::standings(outcome), "vui---");
  EXPECT_EQ(script.began, "1234");
  EXPECT_EQ(script.kept.size(), 3u) << "what was cut is no verdict";
}

TEST(ConductSideBySide, WhatEndedBeforeItWasUnneededCounts) {
  SideBySide script("viiv", 3);
  script.campaign.settings.until_found = true;
  const auto outcome = script.conducted_by([&] {
    if (script.began.size() == 3) script.end_runs({2});
    if (script.ended == "3") script.end_runs({0, 1});
  });
  EXPECT_EQ(Script::standings(outcome), "vii~");
}

TEST(ConductSideBySide, WhatIsAloneWaitsForAllAndIsPassedOver) {
  SideBySide script("vvvv", 2);
  auto& plan = script.campaign.runs[1].plan;
  plan.target = "etcd";
  plan.nemesis = {"slow"};
  const auto outcome = script.conducted_by([&] {
    if (script.in_progress.contains(1)) {
      EXPECT_EQ(script.in_progress.size(), 1u);
    }
    script.end_runs({0, 1, 2, 3});
  });
  EXPECT_EQ(script.began, "1342");
  EXPECT_EQ(Script::standings(outcome), "vvvv");
}

TEST(ConductSideBySide, OneWishEndsAllAndTheyArePlayedAgainWhenResumed) {
  SideBySide script("vvvvv", 3);
  const auto outcome = script.conducted_by([&] {
    if (script.began.size() == 3) script.stop.request_stop();
  });
  EXPECT_EQ(Script::standings(outcome), "uuu--");
  ASSERT_EQ(script.kept.size(), 3u);
  for (const auto& record : script.kept) EXPECT_TRUE(record.interrupted);
  Script again("vvvvv");
  EXPECT_EQ(Script::standings(again.conducted(script.kept)), "vvvvv");
  EXPECT_EQ(again.played, "12345");
}

TEST(ConductSideBySide, AnErrorOfTheStoreEndsThoseInProgress) {
  SideBySide script("vvv", 3);
  Conduct how;
  std::atomic<int> cut{0};
  how.play = [&](const PlannedRun& run, const std::stop_token& unneeded) {
    while (run.name != "run 1" && !unneeded.stop_requested()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    cut += run.name != "run 1" ? 1 : 0;
    return Played{Value::map({{"verdict", "valid"}})};
  };
  how.keep = [](const RunRecord&) { return Result<void>(fail(ErrorCode::io, "no space")); };
  const auto outcome = conduct(script.campaign, how);
  EXPECT_FALSE(outcome);
  EXPECT_EQ(cut, 2);
}

TEST(RunRecord, ComesBackFromItsLine) {
  Script script("i");
  const RunRecord one = script.conducted().runs[0].record;
  const auto back = RunRecord::from_value(*Value::from_json(one.to_value().to_json()));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->to_value(), one.to_value());
  EXPECT_EQ(back->anomalies, std::vector<std::string>{"stale-read"});
  EXPECT_FALSE(RunRecord::from_value(Value::map()));
  EXPECT_FALSE(RunRecord::from_value(Value(3)));
}

}  // namespace
}  // namespace ordeal
