#include <fmt/format.h>

#include "base/text.h"
#include "reports/text.h"
#include "session/campaign/closing.h"
#include "session/campaign/gate.h"

namespace ordeal {
namespace {

constexpr std::size_t kMessage = 300;

struct Suite {
  std::string cases;
  std::size_t tests = 0;
  std::size_t failures = 0;
  std::size_t errors = 0;
  double seconds = 0;
};

std::string child(const char* element, std::string_view type, const std::string& text) {
  return fmt::format("      <{0} type=\"{1}\" message=\"{2}\">{3}</{0}>\n", element, xml_text(type),
                     xml_text(shortened(text, kMessage)), xml_text(text));
}

void add(Suite& suite, const std::string& run, const std::string& title, double seconds, const std::string& inside) {
  ++suite.tests;
  suite.cases += fmt::format("    <testcase classname=\"{}\" name=\"{}\" time=\"{:.3f}\"", xml_text(run),
                             xml_text(title), seconds);
  suite.cases += inside.empty() ? "/>\n" : ">\n" + inside + "    </testcase>\n";
}

std::string failure(Suite& suite, std::string_view type, const std::string& text) {
  ++suite.failures;
  return child("failure", type, text);
}

std::string error(Suite& suite, std::string_view type, const std::string& text) {
  ++suite.errors;
  return child("error", type, text);
}

std::string noted(const std::string& text) { return "      <system-out>" + xml_text(text) + "</system-out>\n"; }

// The case of the run itself.
std::string verdict_of(Suite& suite, const PlannedRun& run, const CampaignOutcome::Run& ended) {
  const std::string text = told(run, ended);
  switch (ended.standing) {
    case Standing::valid:
      return "";
    case Standing::expected:
      return noted("as expected (" + run.expect.text() + "): " + text);
    case Standing::not_needed:
      return child("skipped", name(ended.standing), text);
    case Standing::invalid:
      return failure(suite, name(ended.standing), text);
    case Standing::failed:
    case Standing::refused:
    case Standing::unknown:
    case Standing::vanished:
    case Standing::not_started:
      return error(suite, name(ended.standing), text);
  }
  return error(suite, "unknown", text);
}

std::string check_of(Suite& suite, const CheckRecord& check, bool expected) {
  switch (check.verdict) {
    case Verdict::valid:
      return "";
    case Verdict::invalid:
      return expected ? noted("as expected: " + check.told)
                      : failure(suite, check.type.empty() ? "invalid" : check.type, check.told);
    case Verdict::unknown:
      return error(suite, "unknown", check.told);
  }
  return error(suite, "unknown", check.told);
}

Suite suite_of(const PlannedRun& run, const CampaignOutcome::Run& ended) {
  Suite out;
  out.seconds = ended.why.empty() ? ended.record.seconds : 0;
  std::string inside = verdict_of(out, run, ended);
  add(out, run.name, "run", out.seconds, inside);
  if (!ended.why.empty()) return out;
  for (const CheckRecord& check : ended.record.checks) {
    inside = check_of(out, check, ended.standing == Standing::expected);
    add(out, run.name, check.title, check.seconds, inside);
  }
  return out;
}

}  // namespace

std::string campaign_junit(const Campaign& campaign, const CampaignOutcome& outcome) {
  std::string suites;
  Suite all;
  for (std::size_t i = 0; i < outcome.runs.size(); ++i) {
    const auto& ended = outcome.runs[i];
    const Suite one = suite_of(campaign.runs[i], ended);
    // The schema wants a date-time without a zone.
    std::string started = ended.record.started;
    if (!started.empty() && started.back() == 'Z') started.pop_back();
    suites += fmt::format("  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" time=\"{:.3f}\"{}>\n",
                          xml_text(campaign.runs[i].name), one.tests, one.failures, one.errors, one.seconds,
                          started.empty() ? "" : " timestamp=\"" + xml_text(started) + "\"");
    suites += fmt::format("    <properties>\n      <property name=\"directory\" value=\"{}\"/>\n    </properties>\n",
                          xml_text(ended.record.directory));
    suites += one.cases + "  </testsuite>\n";
    all.tests += one.tests;
    all.failures += one.failures;
    all.errors += one.errors;
    all.seconds += one.seconds;
  }
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<testsuites name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" time=\"{:.3f}\">\n{}</testsuites>\n",
      xml_text(campaign.name), all.tests, all.failures, all.errors, all.seconds, suites);
}

}  // namespace ordeal
