// JUnit XML. CI systems disagree on much of the format; all understand testsuites/testsuite/testcase with failure,
// error and skipped children, and this uses nothing else.
#include <fmt/format.h>

#include "reports/facts.h"
#include "reports/report.h"
#include "reports/text.h"

namespace ordeal {
namespace {

constexpr std::size_t kMessage = 300;

struct Suite {
  std::string cases;
  std::size_t tests = 0;
  std::size_t failures = 0;
  std::size_t errors = 0;
  std::size_t skipped = 0;

  // `inside`: the children of the test case, already XML.
  void add(const std::string& group, const std::string& title, double seconds, const std::string& inside) {
    ++tests;
    cases += fmt::format("    <testcase classname=\"{}\" name=\"{}\" time=\"{:.3f}\"", xml_text(group), xml_text(title),
                         seconds);
    cases += inside.empty() ? "/>\n" : ">\n" + inside + "    </testcase>\n";
  }
};

std::string child(const char* element, const std::string& type, const std::string& message, const std::string& body) {
  return fmt::format("      <{0} type=\"{1}\" message=\"{2}\">{3}</{0}>\n", element, xml_text(type),
                     xml_text(shortened(message, kMessage)), xml_text(body));
}

std::string anomaly_body(const Anomaly& anomaly, const History& history) {
  std::string body = anomaly.explanation + "\n";
  if (!anomaly.meaning.empty()) body += anomaly.type + ": " + anomaly.meaning + "\n";
  for (std::size_t i = 0; i < anomaly.sentences.size(); ++i) {
    body += fmt::format("{}. {}\n", i + 1, anomaly.sentences[i]);
  }
  for (const EventIndex e : anomaly.operations) {
    if (e < history.size()) body += "  " + history.describe({e, history.partner(e)}) + "\n";
  }
  return body;
}

void add_check(Suite& suite, const CheckResult& result, const History& history) {
  std::string inside;
  if (result.verdict == Verdict::invalid) {
    // JUnit readers show the first failure of a test case; the others go into its text.
    const std::size_t found = count_of_anomalies(result);
    std::string body = found > 1 ? grouped(found) + " anomalies were found, the simplest first.\n" : "";
    for (const Anomaly& anomaly : result.anomalies) {
      body += anomaly.type + (anomaly.key ? " on key " + plain_text(*anomaly.key) : "") + ": " +
              anomaly_body(anomaly, history);
    }
    const bool named = !result.anomalies.empty();
    inside = child("failure", named ? result.anomalies.front().type : "invalid",
                   named ? result.anomalies.front().explanation : "the checker says invalid", body);
    ++suite.failures;
  } else if (result.verdict == Verdict::unknown) {
    inside = child("error", "unknown", result.reason.empty() ? "no verdict" : result.reason, result.reason);
    ++suite.errors;
  }
  std::string title = result.checker;
  if (!result.model.empty()) title += " " + result.model;
  if (!result.consistency.empty()) title += " " + result.consistency;
  suite.add("ordeal.checks", title, result.seconds, inside);
}

void add_fault(Suite& suite, const FaultRecord& fault, std::int64_t end_ns) {
  std::string nodes;
  for (const auto& node : fault.nodes) nodes += (nodes.empty() ? " on " : ", ") + node;
  const Span span = in_force(fault, end_ns);
  std::string inside;
  if (fault.confirmed_ns < 0) {
    const std::string why = !fault.error.empty() ? fault.error : fault.evidence;
    inside = child("skipped", "unconfirmed", "the fault could not be confirmed" + (why.empty() ? "" : ": " + why), why);
    ++suite.skipped;
  } else {
    inside = "      <system-out>" + xml_text(fault.evidence) + "</system-out>\n";
  }
  suite.add("ordeal.faults", fmt::format("{} {}{}", fault.id, fault.fault, nodes),
            span.from < 0 ? 0.0 : static_cast<double>(span.to - span.from) / 1e9, inside);
}

}  // namespace

std::string junit_xml(const ReportInput& input) {
  const Facts facts = facts_of(input);
  Suite suite;
  std::string verdict;
  if (input.verdict == Verdict::invalid) {
    verdict = child("failure", "invalid", verdict_sentence(input, facts), verdict_sentence(input, facts));
    ++suite.failures;
  } else if (input.verdict == Verdict::unknown) {
    verdict = child("error", "unknown", verdict_sentence(input, facts), verdict_sentence(input, facts));
    ++suite.errors;
  }
  const double duration = static_cast<double>(facts.end_ns) / 1e9;
  suite.add("ordeal", "verdict", duration, verdict);
  if (!input.failure.empty()) {
    suite.add("ordeal", "run", duration, child("error", "failed", input.failure, input.failure));
    ++suite.errors;
  }
  for (const CheckResult& result : input.results) add_check(suite, result, *input.history);
  for (const FaultRecord& fault : facts.faults) add_fault(suite, fault, facts.end_ns);
  const std::string title = xml_text(input.title.empty() ? "ordeal" : input.title);
  std::string properties;
  for (const std::string& trouble : facts.troubles_told)
    properties += fmt::format("      <property name=\"adapters\" value=\"{}\"/>\n", xml_text(trouble));
  // The schema wants a date-time without a zone.
  std::string started = input.started_utc;
  if (!started.empty() && started.back() == 'Z') started.pop_back();
  // Of testsuites the schema of Jenkins (junit-10.xsd) knows no attribute `skipped`.
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<testsuites name=\"ordeal\" tests=\"{0}\" failures=\"{1}\" errors=\"{2}\" time=\"{4:.3f}\">\n"
      "  <testsuite name=\"{5}\" tests=\"{0}\" failures=\"{1}\" errors=\"{2}\" skipped=\"{3}\" time=\"{4:.3f}\"{6}>\n"
      "    <properties>\n      <property name=\"command\" value=\"{7}\"/>\n{9}    </properties>\n"
      "{8}  </testsuite>\n</testsuites>\n",
      suite.tests, suite.failures, suite.errors, suite.skipped, duration, title,
      started.empty() ? "" : " timestamp=\"" + xml_text(started) + "\"", xml_text(input.command), suite.cases,
      properties);
}

}  // namespace ordeal
