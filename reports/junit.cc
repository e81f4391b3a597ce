// The JUnit file of a run: the verdict, each checker, each fault.
#include <fmt/format.h>

#include "reports/facts.h"
#include "reports/junit_suite.h"
#include "reports/report.h"
#include "reports/text.h"

namespace ordeal {
namespace {

using Outcome = JunitCase::Outcome;

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

JunitCase case_of(const CheckResult& result, const History& history) {
  JunitCase out{"ordeal.checks", result.checker, result.seconds, Outcome::passed, "", "", ""};
  if (!result.model.empty()) out.title += " " + result.model;
  if (!result.consistency.empty()) out.title += " " + result.consistency;
  if (result.verdict == Verdict::invalid) {
    // JUnit readers show the first failure of a test case; the others go into its text.
    const std::size_t found = count_of_anomalies(result);
    if (found > 1) out.text = grouped(found) + " anomalies were found, the simplest first.\n";
    for (const Anomaly& anomaly : result.anomalies) {
      out.text += anomaly.type + (anomaly.key ? " on key " + plain_text(*anomaly.key) : "") + ": " +
                  anomaly_body(anomaly, history);
    }
    const bool named = !result.anomalies.empty();
    out.outcome = Outcome::failed;
    out.type = named ? result.anomalies.front().type : "invalid";
    out.message = named ? result.anomalies.front().explanation : "the checker says invalid";
  } else if (result.verdict == Verdict::unknown) {
    out.outcome = Outcome::error;
    out.type = "unknown";
    out.message = result.reason.empty() ? "no verdict" : result.reason;
    out.text = result.reason;
  }
  return out;
}

JunitCase case_of(const FaultRecord& fault, std::int64_t end_ns) {
  std::string nodes;
  for (const auto& node : fault.nodes) nodes += (nodes.empty() ? " on " : ", ") + node;
  const Span span = in_force(fault, end_ns);
  JunitCase out;
  out.group = "ordeal.faults";
  out.title = fmt::format("{} {}{}", fault.id, fault.fault, nodes);
  out.seconds = span.from < 0 ? 0.0 : static_cast<double>(span.to - span.from) / 1e9;
  out.text = fault.evidence;
  if (fault.confirmed_ns < 0) {
    if (!fault.error.empty()) out.text = fault.error;
    out.outcome = Outcome::skipped;
    out.type = "unconfirmed";
    out.message = "the fault could not be confirmed" + (out.text.empty() ? "" : ": " + out.text);
  }
  return out;
}

JunitCase case_of_verdict(const ReportInput& input, const Facts& facts, double duration) {
  JunitCase out{"ordeal", "verdict", duration, Outcome::passed, "", "", ""};
  if (input.verdict == Verdict::valid) return out;
  out.outcome = input.verdict == Verdict::invalid ? Outcome::failed : Outcome::error;
  out.type = name(input.verdict);
  out.text = verdict_sentence(input, facts);
  return out;
}

}  // namespace

std::string junit_xml(const ReportInput& input) {
  const Facts facts = facts_of(input);
  JunitSuite suite;
  suite.name = input.title.empty() ? "ordeal" : input.title;
  suite.started_utc = input.started_utc;
  suite.seconds = static_cast<double>(facts.end_ns) / 1e9;
  suite.properties.emplace_back("command", input.command);
  for (const std::string& trouble : facts.troubles_told) suite.properties.emplace_back("adapters", trouble);
  suite.cases.push_back(case_of_verdict(input, facts, suite.seconds));
  if (!input.failure.empty())
    suite.cases.push_back({"ordeal", "run", suite.seconds, Outcome::error, "failed", "", input.failure});
  for (const CheckResult& result : input.results) suite.cases.push_back(case_of(result, *input.history));
  for (const FaultRecord& fault : facts.faults) suite.cases.push_back(case_of(fault, facts.end_ns));
  return junit_document("ordeal", {suite});
}

}  // namespace ordeal
