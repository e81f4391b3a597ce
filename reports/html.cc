// Puts the page together. Its Content-Security-Policy names the hashes of our own style sheet and script and forbids
// everything else: no network, no frames, and no script that found its way in through data.
#include <openssl/sha.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

#include <fmt/format.h>

#include "base/base64.h"
#include "base/files.h"
#include "reports/assets.h"
#include "reports/columns.h"
#include "reports/report.h"
#include "reports/sections.h"
#include "reports/text.h"

namespace ordeal {
namespace {

std::string sha256_source(const std::string& text) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  return "'sha256-" + base64_encode(std::string_view(reinterpret_cast<const char*>(digest), sizeof digest)) + "'";
}

std::string script_text() {
  std::string out = "'use strict';\n(() => {\n";
  for (const char* file : {"data.js", "view.js", "timeline.js", "plots.js", "table.js", "main.js"}) out += asset(file);
  return out + "})();\n";
}

std::string navigation(const std::string& body) {
  static constexpr std::pair<const char*, const char*> kParts[] = {
      {"explanation", "What went wrong"},
      {"checks", "Checks"},
      {"timeline", "Timeline"},
      {"plots", "Plots"},
      {"faults", "Faults"},
      {"operations", "Operations"},
      {"logs", "Logs"},
      {"reproduce", "Reproduce"},
      {"limits", "Limits"},
  };
  std::string out = "<nav aria-label=\"Parts of the report\">";
  for (const auto& [id, title] : kParts) {
    if (body.find(fmt::format("<section id=\"{}\"", id)) == std::string::npos) continue;
    out += fmt::format("<a href=\"#{}\">{}</a>", id, title);
  }
  return out + "</nav>\n";
}

// Pictures of the anomalies that the page explains in full; of further ones only the DOT text, and in the end nothing:
// a checker may name thousands, and each layout may take seconds.
Drawings drawings_of(const ReportInput& input) {
  constexpr std::size_t kDots = 100;
  constexpr std::chrono::seconds kAllLayouts{20};
  const auto deadline = std::chrono::steady_clock::now() + kAllLayouts;
  Drawings out;
  for (const CheckResult& result : input.results) {
    for (const Anomaly& anomaly : result.anomalies) {
      GraphDrawing& drawing = out.emplace_back();
      if (out.size() <= kAnomaliesInFull) {
        GraphLimits limits;
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
        limits.time = std::clamp(left, std::chrono::milliseconds(500), limits.time);
        drawing = draw(anomaly.graph, fmt::format("g{}", out.size()), limits);
      } else if (out.size() <= kDots && !anomaly.graph.nodes.empty()) {
        drawing.dot = dot_text(anomaly.graph);
      }
    }
  }
  return out;
}

std::string page(const ReportInput& input, const Facts& facts, const Drawings& drawings) {
  std::string body = verdict_section(input, facts) + explanation_section(input, facts, drawings);
  body += limits_section(input, facts) + checks_section(input) + timeline_section(facts) + plots_section(facts);
  body += faults_section(facts) + operations_section(facts) + logs_section(input) + reproduce_section(input);
  const std::string style = std::string(asset("report.css")) + std::string(asset("graph.css"));
  const std::string script = script_text();
  const auto operations = operations_for_page(input, facts);
  const std::string note = page_note(operations.size(), facts.operations.size());
  const std::string title = input.title.empty() ? "Ordeal" : input.title;
  std::string out = fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src {}; style-src {}; "
      "base-uri 'none'; form-action 'none'\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n"
      "<title>{}: {}</title>\n<style>",
      sha256_source(script), sha256_source(style), name(input.verdict), html_text(title));
  out += style;
  out += "</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#main\">Skip to the report</a>\n<header class=\"top\">";
  out += "<div class=\"brand\"><strong>" + html_text(title) + "</strong>";
  if (!input.started_utc.empty()) out += "<time>" + html_text(input.started_utc) + "</time>";
  out += "</div>" + navigation(body) + "</header>\n<main id=\"main\">\n";
  if (!note.empty()) out += "<p class=\"note\">" + html_text(note) + "</p>\n";
  out += body + "</main>\n";
  out += "<footer>Made by Ordeal. This file is complete: it needs no network.</footer>\n";
  if (!facts.operations.empty()) {
    out += "<script type=\"application/octet-stream\" id=\"packed\">" + packed_operations(input, facts, operations) +
           "</script>\n";
  }
  out += "<script>" + script + "</script>\n</body>\n</html>\n";
  return out;
}

// Readers see the old file or the new one, never half of one; and a link in its place is replaced, not followed.
Result<void> write_file(const std::string& path, std::string_view text) {
  auto done = replace_file(path, text);
  if (done) return done;
  return fail(ErrorCode::io,
              "cannot write " + path + "; is the disk full, or the folder missing? " + done.error().message);
}

// A type of anomaly as part of a file's name.
std::string file_part(std::string_view type) {
  std::string out;
  for (const char c : type.substr(0, 40)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
    out += plain ? c : '-';
  }
  return out.empty() ? "anomaly" : out;
}

Result<void> write_drawings(const ReportInput& input, const Drawings& drawings, const std::string& folder) {
  std::size_t number = 0;
  for (const CheckResult& result : input.results) {
    for (const Anomaly& anomaly : result.anomalies) {
      const GraphDrawing& drawing = drawings[number++];
      if (drawing.dot.empty()) continue;
      std::error_code error;
      std::filesystem::create_directories(folder, error);
      if (error) return fail(ErrorCode::io, "cannot make " + folder + ": " + error.message());
      const auto stem = std::filesystem::path(folder) / fmt::format("{}-{}", number, file_part(anomaly.type));
      if (auto done = write_file(stem.string() + ".dot", drawing.dot); !done) return done;
      if (drawing.svg.empty()) continue;
      if (auto done = write_file(stem.string() + ".svg", standalone_svg(drawing)); !done) return done;
    }
  }
  return {};
}

}  // namespace

std::string html_report(const ReportInput& input) { return page(input, facts_of(input), drawings_of(input)); }

Result<void> write_html_report(const ReportInput& input, const std::string& path, const std::string& anomalies_dir) {
  const Drawings drawings = drawings_of(input);
  if (!anomalies_dir.empty()) {
    if (auto done = write_drawings(input, drawings, anomalies_dir); !done) return done;
  }
  return write_file(path, page(input, facts_of(input), drawings));
}

}  // namespace ordeal
