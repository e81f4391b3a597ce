// The parts of the page that answer "what happened": the verdict, the explanation with its pictures, the checks.
#include <cmath>
#include <set>

#include <fmt/format.h>

#include "reports/diagram.h"
#include "reports/sections.h"
#include "reports/text.h"

namespace ordeal {
namespace {

constexpr std::size_t kAnomaliesUnfolded = 3;
// Checkers quote values, and values may be long.
constexpr std::size_t kLongestSentence = 1500;
constexpr std::size_t kOperationsInTable = 40;

// A sentence of a checker: its values cut where they would fill the page, results.json has them whole.
std::string told(const std::string& sentence) {
  constexpr std::size_t kLongestValue = 160;
  return shortened(as_sentence(with_short_values(sentence, kLongestValue)), kLongestSentence);
}

std::string stat(std::string_view label, const std::string& html, const std::string& small = "") {
  return fmt::format("<div class=\"stat\"><dt>{}</dt><dd>{}{}</dd></div>\n", label, html,
                     small.empty() ? "" : "<small>" + small + "</small>");
}

// "linearizable" or ["a","b"] under the first of these keys that a result has, as text.
std::string detail(const CheckResult& result, std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    const Value* found = result.details.find(key);
    if (found == nullptr || found->is_nil()) continue;
    if (!found->is_list()) return plain_text(*found);
    std::string out;
    for (const Value& one : found->items()) out += (out.empty() ? "" : ", ") + plain_text(one);
    return out;
  }
  return "";
}

std::string levels(const ReportInput& input) {
  std::string holds;
  std::string ruled_out;
  const auto add = [](std::string& list, const std::string& what) {
    if (!what.empty() && list.find(what) == std::string::npos) list += (list.empty() ? "" : ", ") + what;
  };
  for (const CheckResult& result : input.results) {
    const std::string strongest = detail(result, {"strongest", "strongest_level", "strongest-level"});
    const std::string out = detail(result, {"ruled_out", "ruled-out", "not"});
    const std::string level = result.consistency.empty() ? "" : result.consistency;
    if (!strongest.empty())
      add(holds, strongest);
    else if (result.verdict == Verdict::valid)
      add(holds, level);
    if (!out.empty())
      add(ruled_out, out);
    else if (result.verdict == Verdict::invalid)
      add(ruled_out, level);
  }
  std::string html;
  // A run whose verdict is unknown may have been cut short: what is there claims nothing of the rest.
  const char* const held = input.verdict == Verdict::unknown ? "Holds so far" : "Holds";
  if (!holds.empty()) html += stat(held, html_text(holds));
  if (!ruled_out.empty()) html += stat("Ruled out", html_text(ruled_out));
  return html;
}

// A bar of three parts, wide as their shares; the legend says the numbers.
std::string shares(const OutcomeCounts& counts) {
  const auto width = [&](std::size_t n) {
    return counts.total() == 0 ? 0.0 : 240.0 * static_cast<double>(n) / static_cast<double>(counts.total());
  };
  const double ok = width(counts.ok);
  const double fail = width(counts.fail);
  return fmt::format(
      "<svg class=\"shares\" viewBox=\"0 0 240 8\" preserveAspectRatio=\"none\" aria-hidden=\"true\">"
      "<rect class=\"ok\" width=\"{:.2f}\" height=\"8\"/><rect class=\"fail\" x=\"{:.2f}\" width=\"{:.2f}\" "
      "height=\"8\"/>"
      "<rect class=\"info\" x=\"{:.2f}\" width=\"{:.2f}\" height=\"8\"/></svg>",
      ok, ok, fail, ok + fail, width(counts.info));
}

std::string operations_table(const History& history, const Anomaly& anomaly) {
  std::string out =
      "<details class=\"more\"><summary>The operations in detail</summary><div class=\"scroll\"><table class=\"data\">"
      "<thead><tr><th>Index</th><th>Process</th><th>Operation</th><th>Outcome</th><th>Invoked</th><th>Completed</th>"
      "</tr></thead><tbody>\n";
  std::size_t rows = 0;
  for (const EventIndex e : anomaly.operations) {
    if (e >= history.size()) continue;
    if (++rows > kOperationsInTable) break;
    const OperationEvents op{e, history.partner(e)};
    out += fmt::format(
        "<tr data-event=\"{}\"><td class=\"num\">{}</td><td class=\"num\">{}</td><td><code>{}</code></td><td>{}</td>"
        "<td class=\"num\">{}</td><td class=\"num\">{}</td></tr>\n",
        e, history.index(e), html_text(history.process_name(history.process(e))),
        html_text(shortened(operation_text(history, op), 400)), outcome_mark(history.outcome(op)),
        seconds_text(history.time(e)), op.completion == kNoEvent ? "never" : seconds_text(history.time(op.completion)));
  }
  out += "</tbody></table></div>";
  if (anomaly.operations.size() > kOperationsInTable) {
    out += fmt::format("<p class=\"note\">{} more are in results.json.</p>",
                       grouped(anomaly.operations.size() - kOperationsInTable));
  }
  return out + "</details>\n";
}

std::string graph_html(const GraphDrawing& drawing) {
  std::string out;
  if (!drawing.svg.empty()) {
    out += "<figure><figcaption>What must come before what</figcaption><div class=\"scroll picture\">" + drawing.svg +
           "</div></figure>\n";
  }
  if (!drawing.note.empty()) out += "<p class=\"note\">" + html_text(drawing.note) + "</p>\n";
  if (!drawing.dot.empty() && drawing.dot.size() < 100'000) {
    out += "<details class=\"more\"><summary>The graph as DOT</summary><pre class=\"code\">" + html_text(drawing.dot) +
           "</pre></details>\n";
  }
  return out;
}

// `open`: as an article of its own, else folded to its heading and the explanation.
std::string anomaly_html(const History& history, const CheckResult& result, const Anomaly& anomaly,
                         const GraphDrawing& drawing, bool open) {
  std::string head = "<span class=\"tag invalid\">" + html_text(anomaly.type) + "</span>";
  if (anomaly.key) head += " on key <code>" + html_text(shortened(plain_text(*anomaly.key), 120)) + "</code>";
  std::string out = open ? "<article class=\"anomaly\"><h3>" + head + "<span class=\"by\">found by " +
                               html_text(result.checker) + "</span></h3>\n"
                         : "<details class=\"anomaly folded\"><summary>" + head + " <span>" +
                               html_text(shortened(as_sentence(anomaly.explanation), 300)) + "</span></summary>\n";
  if (!anomaly.explanation.empty()) out += "<p class=\"lead\">" + html_text(told(anomaly.explanation)) + "</p>\n";
  if (!anomaly.meaning.empty())
    out += "<p class=\"note\">" + html_text(anomaly.type) + ": " + html_text(anomaly.meaning) + ".</p>\n";
  // A single step would only say the explanation again.
  if (anomaly.sentences.size() > 1) {
    out += "<ol class=\"steps\">\n";
    for (const auto& sentence : anomaly.sentences) out += "<li>" + html_text(told(sentence)) + "</li>\n";
    out += "</ol>\n";
  }
  std::vector<EventIndex> guilty;
  for (const auto& node : anomaly.graph.nodes) {
    if (node.guilty && node.operation != kNoEvent) guilty.push_back(node.operation);
  }
  constexpr std::size_t kBars = 40;
  const std::string diagram = diagram_svg(history, anomaly.operations, guilty, kBars);
  if (!diagram.empty()) {
    out += "<figure><figcaption>In real time, only these operations</figcaption><div class=\"scroll picture\">" +
           diagram + "</div></figure>\n";
    if (anomaly.operations.size() > kBars) {
      out += fmt::format("<p class=\"note\">The first {} of {} operations are drawn.</p>\n", kBars,
                         grouped(anomaly.operations.size()));
    }
  }
  out += graph_html(drawing);
  if (!anomaly.operations.empty()) out += operations_table(history, anomaly);
  return out + (open ? "</article>\n" : "</details>\n");
}

}  // namespace

std::string outcome_mark(EventType outcome) {
  switch (outcome) {
    case EventType::ok:
      return "<span class=\"mark ok\">ok</span>";
    case EventType::fail:
      return "<span class=\"mark fail\">fail</span>";
    default:
      return "<span class=\"mark info\">info</span>";
  }
}

std::string verdict_section(const ReportInput& input, const Facts& facts) {
  const bool valid = input.verdict == Verdict::valid;
  const bool invalid = input.verdict == Verdict::invalid;
  std::string out = fmt::format(
      "<section id=\"verdict\" class=\"strip {}\" aria-labelledby=\"verdict-word\">\n<div class=\"head\">"
      "<span class=\"seal\" aria-hidden=\"true\">{}</span><div><h1 id=\"verdict-word\">{}</h1>"
      "<p class=\"sentence\">{}</p>{}</div></div>\n<dl class=\"stats\">\n",
      name(input.verdict),
      valid     ? "✓"
      : invalid ? "✕"
                : "?",
      valid     ? "Valid"
      : invalid ? "Anomaly"
                : "Unknown",
      html_text(told(verdict_sentence(input, facts))),
      input.promise.empty() ? std::string() : "<p class=\"note\">Promised: " + html_text(input.promise) + "</p>");
  out += levels(input);
  out += stat("Operations", grouped(facts.all.total()),
              shares(facts.all) + outcome_mark(EventType::ok) + " " + grouped(facts.all.ok) + " " +
                  outcome_mark(EventType::fail) + " " + grouped(facts.all.fail) + " " + outcome_mark(EventType::info) +
                  " " + grouped(facts.all.info));
  std::string kinds;
  for (const FaultKindCounts& kind : facts.fault_kinds) {
    if (kind.injected == 0) continue;
    kinds += fmt::format("{}{} {}/{}", kinds.empty() ? "" : " · ", html_text(kind.fault), grouped(kind.confirmed),
                         grouped(kind.injected));
  }
  out += stat("Faults confirmed",
              facts.faults_injected == 0 ? std::string("none injected")
                                         : fmt::format("{} <span class=\"of\">of {}</span>",
                                                       grouped(facts.faults_confirmed), grouped(facts.faults_injected)),
              kinds);
  if (facts.keys > 0) out += stat("Keys", grouped(facts.keys));
  if (facts.end_ns > 0) {
    const double rate = static_cast<double>(facts.all.total()) / (static_cast<double>(facts.end_ns) / 1e9);
    out += stat("Duration", duration_text(facts.end_ns),
                fmt::format("{} operations a second", grouped(static_cast<std::uint64_t>(std::llround(rate)))));
  }
  if (const Value* seed = input.plan.find("seed"))
    out += stat("Seed", "<code>" + html_text(plain_text(*seed)) + "</code>");
  return out + "</dl>\n</section>\n";
}

std::string explanation_section(const ReportInput& input, const Facts&, const Drawings& drawings) {
  std::size_t total = 0;
  std::size_t found = 0;
  for (const CheckResult& result : input.results) {
    total += result.anomalies.size();
    found += count_of_anomalies(result);
  }
  if (total == 0) return "";
  std::string out = "<section id=\"explanation\"><h2>What went wrong</h2>\n";
  if (found > 1) {
    out += "<p class=\"note\">" + grouped(found) + " anomalies were found" +
           (found > total
                ? "; the " + grouped(total) + " that are told here, each checker's simplest first, stand for them"
                : ", each checker's simplest first") +
           ".</p>\n";
  }
  std::size_t number = 0;
  std::set<std::string> open;  // the first of each type stands open
  for (const CheckResult& result : input.results) {
    for (const Anomaly& anomaly : result.anomalies) {
      if (number < kAnomaliesInFull) {
        const bool unfolded = open.size() < kAnomaliesUnfolded && open.insert(anomaly.type).second;
        out += anomaly_html(*input.history, result, anomaly, drawings[number], unfolded);
      }
      ++number;
    }
  }
  if (total > kAnomaliesInFull) {
    out += fmt::format("<details class=\"more\"><summary>{} more</summary><ul>\n", grouped(total - kAnomaliesInFull));
    number = 0;
    std::size_t listed = 0;
    for (const CheckResult& result : input.results) {
      for (const Anomaly& anomaly : result.anomalies) {
        if (number++ < kAnomaliesInFull || ++listed > 200) continue;
        out += "<li><strong>" + html_text(anomaly.type) + "</strong> " +
               (anomaly.key ? "on key <code>" + html_text(shortened(plain_text(*anomaly.key), 80)) + "</code> " : "") +
               html_text(shortened(anomaly.explanation, 400)) + "</li>\n";
      }
    }
    out += "</ul></details>\n";
  }
  return out + "</section>\n";
}

std::string checks_section(const ReportInput& input) {
  if (input.results.empty()) return "";
  std::string out =
      "<section id=\"checks\"><h2>Checks</h2><div class=\"scroll\"><table class=\"data\"><thead><tr><th>Checker</th>"
      "<th>Verdict</th><th>Model</th><th>Consistency</th><th>Decided by</th><th>Operations</th><th>Keys</th>"
      "<th>Took</th></tr></thead><tbody>\n";
  for (const CheckResult& result : input.results) {
    const auto cell = [](const std::string& text) { return text.empty() ? std::string("–") : html_text(text); };
    out += fmt::format(
        "<tr><td>{}</td><td><span class=\"tag {}\">{}</span></td><td>{}</td><td>{}</td><td>{}</td>"
        "<td class=\"num\">{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td></tr>\n",
        cell(result.checker), name(result.verdict), name(result.verdict), cell(result.model), cell(result.consistency),
        cell(result.algorithm), grouped(result.operations), result.keys == 0 ? "–" : grouped(result.keys),
        duration_text(static_cast<std::int64_t>(result.seconds * 1e9)));
    const bool has_details = result.details.is_map() && !result.details.entries().empty();
    if (result.reason.empty() && !has_details) continue;
    out += "<tr class=\"under\"><td></td><td colspan=\"7\">";
    if (!result.reason.empty())
      out += "<p>" + html_text(shortened(as_sentence(result.reason), kLongestSentence)) + "</p>";
    if (has_details) {
      out += "<details class=\"more\"><summary>Details</summary>" + value_html(result.details) + "</details>";
    }
    out += "</td></tr>\n";
  }
  return out + "</tbody></table></div></section>\n";
}

}  // namespace ordeal
