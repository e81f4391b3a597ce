// The parts of the page about the run itself: timeline and plots (drawn by the page's script), faults, logs, how to
// reproduce it, and what it cannot show.
#include <algorithm>

#include <fmt/format.h>

#include "reports/sections.h"
#include "reports/text.h"

namespace ordeal {
namespace {

constexpr std::size_t kLogBytes = 64 * 1024;

constexpr std::string_view kNeedsScript =
    "<p class=\"note without-script\">This part is drawn by the page's own script, which is switched off. Everything "
    "else can be read without it.</p>\n";

// Where a value of the plan came from: by its name, or by that of its flag ("time_limit_s" is --time-limit).
std::string origin_of(const Value& plan, const std::string& key) {
  const Value* origins = plan.find("origins");
  if (origins == nullptr) return "";
  std::string flag = key;
  if (flag.size() > 2 && flag.ends_with("_s")) flag.resize(flag.size() - 2);
  std::replace(flag.begin(), flag.end(), '_', '-');
  for (const std::string& spelling : {key, flag, "--" + flag}) {
    if (const Value* found = origins->find(spelling)) return plain_text(*found);
  }
  return "default";
}

std::string plan_row(const std::string& key, const Value& value, const std::string& origin) {
  return fmt::format("<tr{}><td><code>{}</code></td><td><code>{}</code></td><td>{}</td></tr>\n",
                     origin == "default" ? "" : " class=\"set\"", html_text(key),
                     html_text(shortened(plain_text(value), 300)), html_text(origin));
}

std::string plan_table(const Value& plan) {
  std::string out =
      "<h3>The resolved plan</h3><div class=\"scroll\"><table class=\"data\"><thead><tr><th>Setting</th><th>Value</th>"
      "<th>From</th></tr></thead><tbody>\n";
  for (const auto& [key, value] : plan.entries()) {
    const std::string text = plain_text(key);
    if (text == "options" || text == "origins") continue;
    out += plan_row(text, value, origin_of(plan, text));
  }
  const Value* options = plan.find("options");
  if (options != nullptr && options->is_map()) {
    for (const auto& [key, setting] : options->entries()) {
      const Value* value = setting.find("value");
      const Value* origin = setting.find("origin");
      out +=
          plan_row(plain_text(key), value == nullptr ? setting : *value, origin == nullptr ? "" : plain_text(*origin));
    }
  }
  return out + "</tbody></table></div>\n";
}

std::string confirmation(bool confirmed, bool reached, const std::string& evidence) {
  const char* word = confirmed ? "confirmed" : reached ? "not confirmed" : "–";
  std::string out = fmt::format("<span class=\"tag {}\">{}</span>", confirmed ? "valid" : "unknown", word);
  if (!reached && !confirmed) out = "–";
  if (!evidence.empty()) out += "<div class=\"evidence\">" + html_text(shortened(evidence, 600)) + "</div>";
  return out;
}

// Fault bands drawn to scale over the run, one line for each kind.
std::string fault_strip(const Facts& facts) {
  if (facts.end_ns <= 0 || facts.fault_kinds.empty()) return "";
  constexpr double kWidth = 1000;
  constexpr double kRow = 20;
  const double height = kRow * static_cast<double>(facts.fault_kinds.size());
  std::string out = fmt::format(
      "<svg class=\"strip-chart\" role=\"img\" aria-label=\"When each fault was in force\" viewBox=\"0 0 {} {}\" "
      "preserveAspectRatio=\"none\" height=\"{}\">\n",
      kWidth, height, height);
  for (const FaultRecord& fault : facts.faults) {
    const Span span = in_force(fault, facts.end_ns);
    if (span.from < 0) continue;
    const auto kind = std::find_if(facts.fault_kinds.begin(), facts.fault_kinds.end(),
                                   [&](const FaultKindCounts& one) { return one.fault == fault.fault; });
    const double scale = kWidth / static_cast<double>(facts.end_ns);
    out += fmt::format(
        "<rect class=\"{}\" x=\"{:.2f}\" y=\"{:.1f}\" width=\"{:.2f}\" height=\"14\"><title>{}</title></rect>\n",
        fault.confirmed_ns >= 0 ? "confirmed" : "unconfirmed", static_cast<double>(span.from) * scale,
        kRow * static_cast<double>(kind - facts.fault_kinds.begin()) + 3,
        std::max(1.5, static_cast<double>(span.to - span.from) * scale),
        html_text(
            fmt::format("{} {}: {} to {}", fault.id, fault.fault, seconds_text(span.from), seconds_text(span.to))));
  }
  out += "</svg>\n";
  std::string names = "<div class=\"strip-names\" aria-hidden=\"true\">";
  for (const auto& kind : facts.fault_kinds) names += "<span>" + html_text(shortened(kind.fault, 16)) + "</span>";
  return "<div class=\"strip-rows\">" + names + "</div>" + out + "</div>\n";
}

// How many of each kind were planned, injected, seen to bite and seen to be undone.
std::string fault_counts(const Facts& facts) {
  std::string out =
      "<div class=\"scroll\"><table class=\"data counts\"><thead><tr><th>Kind</th><th>Planned</th><th>Injected</th>"
      "<th>Confirmed</th><th>Healed</th><th>Operations meanwhile</th><th>of them ok</th></tr></thead><tbody>\n";
  for (const FaultKindCounts& kind : facts.fault_kinds) {
    out += fmt::format(
        "<tr><td><strong>{}</strong></td><td class=\"num\">{}</td><td class=\"num\">{}</td>"
        "<td class=\"num\">{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td></tr>\n",
        html_text(kind.fault), grouped(kind.planned), grouped(kind.injected), grouped(kind.confirmed),
        grouped(kind.healed), grouped(kind.attempted), grouped(kind.succeeded));
  }
  out += "</tbody></table></div>\n";
  if (facts.recovery.measured) out += "<p class=\"note\">" + html_text(as_sentence(facts.recovery.summary)) + "</p>\n";
  if (!facts.nemesis_plan.is_nil()) {
    out += "<details class=\"more\"><summary>What the schedule had</summary>" + value_html(facts.nemesis_plan) +
           "</details>\n";
  }
  return out;
}

}  // namespace

std::string value_html(const Value& value) {
  if (value.is_map() && !value.entries().empty()) {
    std::string out = "<dl class=\"tree\">";
    for (const auto& [key, inner] : value.entries()) {
      out += "<dt>" + html_text(plain_text(key)) + "</dt><dd>" + value_html(inner) + "</dd>";
    }
    return out + "</dl>";
  }
  const auto nested = [](const Value& one) { return one.is_map() || one.is_list(); };
  if (value.is_list() && std::any_of(value.items().begin(), value.items().end(), nested)) {
    constexpr std::size_t kItems = 100;
    std::string out = "<ul class=\"tree\">";
    for (std::size_t i = 0; i < std::min(kItems, value.items().size()); ++i) {
      out += "<li>" + value_html(value.items()[i]) + "</li>";
    }
    if (value.items().size() > kItems) out += "<li>" + grouped(value.items().size() - kItems) + " more</li>";
    return out + "</ul>";
  }
  return "<code>" + html_text(shortened(plain_text(value), 2000)) + "</code>";
}

std::string timeline_section(const Facts& facts) {
  if (facts.operations.empty()) return "";
  return fmt::format(
      "<section id=\"timeline\"><h2>Timeline</h2>\n{}"
      "<div class=\"needs-script\"><div class=\"tools\" id=\"timeline-tools\"></div>\n"
      "<div class=\"canvas-box\"><canvas id=\"timeline-canvas\" tabindex=\"0\" role=\"application\" "
      "aria-label=\"Timeline of {}. Arrow keys move, plus and minus zoom, comma and full stop step through the "
      "operations, zero shows all.\"></canvas><canvas id=\"overview-canvas\" aria-hidden=\"true\"></canvas></div>\n"
      "<div class=\"under-canvas\"><p class=\"keys\"><kbd>←</kbd> <kbd>→</kbd> move <kbd>+</kbd> <kbd>−</kbd> zoom "
      "<kbd>,</kbd> <kbd>.</kbd> step <kbd>0</kbd> all <kbd>c</kbd> counterexample <kbd>Enter</kbd> to the table</p>"
      "<p id=\"selection\" aria-live=\"polite\"></p></div></div></section>\n",
      kNeedsScript, counted(facts.operations.size(), "operation"));
}

std::string plots_section(const Facts& facts) {
  if (facts.operations.empty() || !facts.timed) return "";
  std::string out = fmt::format(
      "<section id=\"plots\"><h2>Plots</h2>\n{}<div class=\"needs-script\">"
      "<figure><figcaption>Latency, logarithmic <span id=\"latency-legend\" class=\"legend\"></span></figcaption>"
      "<canvas id=\"latency-canvas\" role=\"img\" aria-label=\"Latency of every operation over "
      "time\"></canvas></figure>"
      "<figure><figcaption>Operations a second by outcome <span id=\"rate-legend\" "
      "class=\"legend\"></span></figcaption>"
      "<canvas id=\"rate-canvas\" role=\"img\" aria-label=\"Rate of operations over time\"></canvas></figure>",
      kNeedsScript);
  if (!facts.clocks.empty()) {
    out +=
        "<figure><figcaption>Clock offsets of the nodes <span id=\"clock-legend\" class=\"legend\"></span></figcaption>"
        "<canvas id=\"clock-canvas\" role=\"img\" aria-label=\"Clock offsets of the nodes over "
        "time\"></canvas></figure>";
  }
  return out + "</div></section>\n";
}

std::string faults_section(const Facts& facts) {
  if (facts.fault_kinds.empty()) return "";
  std::string out = "<section id=\"faults\"><h2>Faults</h2>\n" + fault_strip(facts) + fault_counts(facts);
  out +=
      "<div class=\"scroll\"><table class=\"data\"><thead><tr><th>#</th><th>Fault</th><th>Nodes</th><th>Started</th>"
      "<th>Effect observed</th><th>Healed</th><th>Healing observed</th>";
  if (facts.recovery.measured) out += "<th>All nodes served again</th>";
  out += "</tr></thead><tbody>\n";
  for (const FaultRecord& fault : facts.faults) {
    std::string nodes;
    for (const auto& node : fault.nodes) nodes += (nodes.empty() ? "" : ", ") + node;
    const auto since = [](std::int64_t from, std::int64_t to) {
      return from >= 0 && to >= 0 ? " <small>after " + duration_text(to - from) + "</small>" : std::string();
    };
    out += fmt::format("<tr data-fault=\"{}\"><td class=\"num\">{}</td><td><strong>{}</strong>", fault.id, fault.id,
                       html_text(fault.fault));
    if (!fault.description.is_nil()) {
      out += "<details class=\"more\"><summary>exactly</summary>" + value_html(fault.description) + "</details>";
    }
    out += fmt::format(
        "</td><td>{}</td><td class=\"num\">{}</td><td>{}{}", html_text(nodes), seconds_text(fault.inject_ns),
        confirmation(fault.confirmed_ns >= 0, fault.injected_ns >= 0 || !fault.error.empty(), fault.evidence),
        since(fault.inject_ns, fault.confirmed_ns));
    if (fault.lifted_ns >= 0) {
      out += "<div class=\"error\">lifted before its time, found at " + seconds_text(fault.lifted_ns) + ": " +
             html_text(shortened(fault.lifted, 600)) + "</div>";
    }
    if (!fault.error.empty()) out += "<div class=\"error\">" + html_text(shortened(fault.error, 600)) + "</div>";
    out += fmt::format("</td><td class=\"num\">{}</td><td>{}{}</td>", seconds_text(fault.heal_ns),
                       confirmation(fault.heal_confirmed_ns >= 0, fault.heal_ns >= 0, fault.heal_evidence),
                       since(fault.heal_ns, fault.heal_confirmed_ns));
    if (facts.recovery.measured) {
      const auto served = facts.recovery.served.find(fault.id);
      out += "<td>" + html_text(served == facts.recovery.served.end() ? "–" : served->second) + "</td>";
    }
    out += "</tr>\n";
  }
  return out + "</tbody></table></div></section>\n";
}

std::string operations_section(const Facts& facts) {
  if (facts.operations.empty()) return "";
  std::string out =
      "<section id=\"operations\"><h2>Operations</h2>\n<div class=\"scroll\"><table class=\"data counts\"><thead><tr>"
      "<th>Function</th><th>All</th><th>ok</th><th>fail</th><th>info</th></tr></thead><tbody>\n";
  for (const auto& [f, counts] : facts.by_function) {
    out += fmt::format(
        "<tr><td><code>{}</code></td><td class=\"num\">{}</td><td class=\"num\">{}</td>"
        "<td class=\"num\">{}</td><td class=\"num\">{}</td></tr>\n",
        html_text(f), grouped(counts.total()), grouped(counts.ok), grouped(counts.fail), grouped(counts.info));
  }
  out += "</tbody></table></div>\n";
  out += kNeedsScript;
  return out +
         "<div class=\"needs-script\"><form class=\"tools\" id=\"table-tools\"></form>\n"
         "<div class=\"table-box\"><div id=\"table-head\" class=\"row head\"></div>"
         "<div id=\"table-view\" tabindex=\"0\" role=\"region\" aria-label=\"Operations\"><div "
         "id=\"table-space\"></div>"
         "<div id=\"table-rows\"></div></div></div></div></section>\n";
}

std::string logs_section(const ReportInput& input) {
  if (input.logs.empty()) return "";
  std::string out = "<section id=\"logs\"><h2>Node logs</h2>\n";
  std::vector<const NodeLog*> logs;
  for (const NodeLog& log : input.logs) logs.push_back(&log);
  std::stable_sort(logs.begin(), logs.end(), [](const NodeLog* a, const NodeLog* b) {
    return a->node != b->node ? a->node < b->node : a->file < b->file;
  });
  for (const NodeLog* log : logs) {
    std::string_view tail = log->tail;
    bool cut = false;
    if (tail.size() > kLogBytes) {
      tail.remove_prefix(tail.size() - kLogBytes);
      const std::size_t line = tail.find('\n');
      if (line != std::string_view::npos) tail.remove_prefix(line + 1);
      cut = true;
    }
    const auto lines = static_cast<std::uint64_t>(std::count(tail.begin(), tail.end(), '\n'));
    out += fmt::format(
        "<details class=\"log\"><summary><strong>{}</strong> <code>{}</code> <small>{}{}</small></summary>"
        "<pre class=\"code\" tabindex=\"0\">{}</pre></details>\n",
        html_text(log->node), html_text(log->file), cut ? "last " : "", counted(lines, "line"), html_text(tail));
  }
  return out + "</section>\n";
}

std::string reproduce_section(const ReportInput& input) {
  const bool has_environment = input.environment.is_map() && !input.environment.entries().empty();
  if (input.command.empty() && !input.plan.is_map() && !has_environment) return "";
  std::string out = "<section id=\"reproduce\"><h2>Reproduce</h2>\n";
  if (!input.command.empty()) {
    out += "<div class=\"command\"><pre class=\"code\" id=\"command\" tabindex=\"0\">" + html_text(input.command) +
           "</pre></div>\n";
  }
  if (has_environment) {
    out += "<h3>Where it ran</h3><div class=\"environment\">" + value_html(input.environment) + "</div>\n";
  }
  if (input.plan.is_map()) {
    out += plan_table(input.plan);
  }
  return out + "</section>\n";
}

std::string limits_section(const ReportInput& input, const Facts& facts) {
  const auto limits = limits_of(input, facts);
  std::string out = "<section id=\"limits\"><h2>What this run cannot show</h2>\n<ul class=\"limits\">\n";
  for (const auto& sentence : limits) out += "<li>" + html_text(sentence) + "</li>\n";
  if (limits.empty()) {
    out +=
        "<li>Every kind of operation succeeded under every kind of fault, and each fault and its healing was "
        "observed. What was not tried, other faults, loads and configurations, remains open.</li>\n";
  }
  return out + "</ul></section>\n";
}

}  // namespace ordeal
