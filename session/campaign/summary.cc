#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "reports/text.h"
#include "session/campaign/closing.h"
#include "session/campaign/gate.h"

namespace ordeal {
namespace {

constexpr std::size_t kTold = 300;          // columns of a text
constexpr std::size_t kMaxBytes = 900'000;  // GitHub takes 1 MiB

// Text of others within a cell of a table: nothing in it is markup.
std::string cell(const std::string& text) {
  std::string out;
  for (const char c : html_text(shortened(visible(text), kTold))) {
    if (c == '\n' || c == '\r') {
      out += ' ';
      continue;
    }
    if (std::string_view("\\`*_{}[]#|~!@").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

std::string row(const PlannedRun& run, const CampaignOutcome::Run& ended, bool with_text) {
  const RunRecord& record = ended.record;
  const bool played = ended.why.empty();
  std::string out = fmt::format("| {} | {} | {} | {} | {} |", cell(run.name), name(ended.standing),
                                cell(join(record.anomalies, ", ")),
                                record.injected == 0 ? "" : fmt::format("{} of {}", record.confirmed, record.injected),
                                played ? fmt::format("{:.1f} s", record.seconds) : "");
  if (with_text) out += fmt::format(" {} |", cell(told(run, ended)));
  return out + "\n";
}

// The rows of the runs that are wanted, as many as there is room for.
std::string rows(const Campaign& campaign, const CampaignOutcome& outcome, bool all, std::size_t room) {
  std::string out;
  std::size_t left_out = 0;
  for (std::size_t i = 0; i < outcome.runs.size(); ++i) {
    if (!all && is_green(outcome.runs[i].standing)) continue;
    const std::string one = row(campaign.runs[i], outcome.runs[i], !all);
    if (out.size() + one.size() > room) {
      ++left_out;
    } else {
      out += one;
    }
  }
  return left_out == 0 ? out : out + fmt::format("\n{} more runs are in results.json.\n", left_out);
}

// A text within a workflow command: its own marks are escaped.
std::string command_text(const std::string& text, bool property) {
  std::string out;
  for (const char c : shortened(visible(text), kTold)) {
    const bool mark = c == '%' || c == '\r' || c == '\n' || (property && (c == ':' || c == ','));
    out += mark ? fmt::format("%{:02X}", static_cast<unsigned char>(c)) : std::string(1, c);
  }
  return out;
}

bool is_grave(Standing standing) {
  return standing == Standing::invalid || standing == Standing::failed || standing == Standing::refused;
}

}  // namespace

std::string campaign_markdown(const Campaign& campaign, const CampaignOutcome& outcome) {
  std::string out =
      fmt::format("## Ordeal: {}, {}\n\n{}\n", cell(campaign.name), name(gravest(outcome)), closing_sentence(outcome));
  const std::string red = rows(campaign, outcome, false, kMaxBytes / 2);
  if (!red.empty())
    out += "\n| run | verdict | anomalies | faults confirmed | time | what |\n|---|---|---|---|---|---|\n" + red;
  out +=
      "\n<details><summary>All runs</summary>\n\n| run | verdict | anomalies | faults confirmed | time "
      "|\n|---|---|---|---|---|\n";
  return out + rows(campaign, outcome, true, kMaxBytes / 2) + "\n</details>\n";
}

std::vector<std::string> campaign_annotations(const Campaign& campaign, const CampaignOutcome& outcome) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < outcome.runs.size(); ++i) {
    const auto& ended = outcome.runs[i];
    if (is_green(ended.standing)) continue;
    out.push_back(fmt::format("::{} title={}::{}", is_grave(ended.standing) ? "error" : "warning",
                              command_text(campaign.runs[i].name + " is " + std::string(name(ended.standing)), true),
                              command_text(told(campaign.runs[i], ended), false)));
  }
  return out;
}

}  // namespace ordeal
