// The JUnit file of a campaign: a suite for each run, with a case for the run itself and one for each checker.
#include "reports/junit_suite.h"
#include "session/campaign/closing.h"
#include "session/campaign/gate.h"

namespace ordeal {
namespace {

using Outcome = JunitCase::Outcome;

Outcome outcome_of(Standing standing) {
  switch (standing) {
    case Standing::valid:
    case Standing::expected:
      return Outcome::passed;
    case Standing::not_needed:
      return Outcome::skipped;
    case Standing::invalid:
      return Outcome::failed;
    case Standing::failed:
    case Standing::refused:
    case Standing::unknown:
    case Standing::vanished:
    case Standing::not_started:
      return Outcome::error;
  }
  return Outcome::error;
}

JunitCase case_of_run(const PlannedRun& run, const CampaignOutcome::Run& ended, double seconds) {
  JunitCase out{run.name, "run", seconds, outcome_of(ended.standing), std::string(name(ended.standing)), "", ""};
  if (ended.standing != Standing::valid) out.text = told(run, ended);
  if (ended.standing == Standing::expected) out.text = "as expected (" + run.expect.text() + "): " + out.text;
  return out;
}

JunitCase case_of_check(const PlannedRun& run, const CheckRecord& check, bool expected) {
  JunitCase out{run.name, check.title, check.seconds, Outcome::passed, "", "", ""};
  if (check.verdict == Verdict::valid) return out;
  out.text = check.told;
  if (check.verdict == Verdict::unknown) {
    out.outcome = Outcome::error;
    out.type = "unknown";
  } else if (expected) {
    out.text = "as expected: " + check.told;
  } else {
    out.outcome = Outcome::failed;
    out.type = check.type.empty() ? "invalid" : check.type;
  }
  return out;
}

JunitSuite suite_of(const PlannedRun& run, const CampaignOutcome::Run& ended) {
  JunitSuite out;
  out.name = run.name;
  out.started_utc = ended.record.started;
  out.seconds = ended.why.empty() ? ended.record.seconds : 0;
  out.properties.emplace_back("directory", ended.record.directory);
  out.cases.push_back(case_of_run(run, ended, out.seconds));
  if (!ended.why.empty()) return out;
  for (const CheckRecord& check : ended.record.checks)
    out.cases.push_back(case_of_check(run, check, ended.standing == Standing::expected));
  return out;
}

}  // namespace

std::string campaign_junit(const Campaign& campaign, const CampaignOutcome& outcome) {
  std::vector<JunitSuite> suites;
  for (std::size_t i = 0; i < outcome.runs.size(); ++i) suites.push_back(suite_of(campaign.runs[i], outcome.runs[i]));
  return junit_document(campaign.name, suites);
}

}  // namespace ordeal
