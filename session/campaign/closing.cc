#include "session/campaign/closing.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"

namespace ordeal {
namespace {

constexpr std::array kGravestFirst = {Standing::invalid,    Standing::refused,  Standing::failed,
                                      Standing::vanished,   Standing::unknown,  Standing::not_started,
                                      Standing::not_needed, Standing::expected, Standing::valid};

std::size_t count(const CampaignOutcome& outcome, Standing standing) {
  return static_cast<std::size_t>(std::count_if(outcome.runs.begin(), outcome.runs.end(),
                                                [&](const auto& run) { return run.standing == standing; }));
}

bool was_played(const CampaignOutcome::Run& run) { return run.why.empty(); }

Value run_value(const PlannedRun& run, const CampaignOutcome::Run& ended) {
  const RunRecord& record = ended.record;
  Value out = Value::map();
  out.set("name", run.name);
  out.set("standing", name(ended.standing));
  out.set("verdict", name(record.verdict));
  if (run.expect.invalid) out.set("expect", run.expect.text());
  if (!ended.why.empty()) out.set("reason", ended.why);
  if (!record.reason.empty()) out.set("reason", record.reason);
  if (!record.error.empty()) out.set("error", record.error);
  Value types = Value::list();
  for (const auto& type : record.anomalies) types.items().emplace_back(type);
  out.set("anomalies", std::move(types));
  if (was_played(ended)) {
    Value checks = Value::list();
    for (const CheckRecord& check : record.checks) {
      Value one = Value::map();
      one.set("title", check.title);
      one.set("verdict", name(check.verdict));
      if (!check.type.empty()) one.set("type", check.type);
      checks.items().push_back(std::move(one));
    }
    out.set("checks", std::move(checks));
    Value when = Value::map();
    when.set("started", record.started);
    when.set("seconds", record.seconds);
    when.set("attempts", record.attempts);
    when.set("directory", record.directory);
    when.set("injected", record.injected);
    when.set("confirmed", record.confirmed);
    if (!record.told.empty()) when.set("told", record.told);
    out.set("when", std::move(when));
  }
  return out;
}

// As one can open it.
std::string directory_of(const PlannedRun& run, const RunRecord& record) {
  if (record.directory.empty() || record.directory.front() == '/') return record.directory;
  return run.plan.store + "/" + record.directory;
}

std::string faults_of(const CampaignOutcome::Run& run) {
  return run.record.injected == 0 ? "" : fmt::format("{}/{}", run.record.confirmed, run.record.injected);
}

// Columns as wide as their widest cell, the last one as it comes.
std::string aligned(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> width(rows.front().size(), 0);
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) width[i] = std::max(width[i], row[i].size());
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) line += fmt::format("{:<{}}  ", row[i], width[i]);
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

}  // namespace

Standing gravest(const CampaignOutcome& outcome) {
  for (const Standing standing : kGravestFirst) {
    if (count(outcome, standing) > 0) return standing;
  }
  return Standing::unknown;  // of no runs
}

std::string closing_sentence(const CampaignOutcome& outcome) {
  std::vector<std::string> parts;
  for (const Standing standing : kGravestFirst) {
    if (const std::size_t n = count(outcome, standing); n > 0) parts.push_back(fmt::format("{} {}", n, name(standing)));
  }
  return fmt::format("{} run{}: {}", outcome.runs.size(), outcome.runs.size() == 1 ? "" : "s", join(parts, ", "));
}

std::string told(const PlannedRun& run, const CampaignOutcome::Run& ended) {
  switch (ended.standing) {
    case Standing::valid:
      return "";
    case Standing::expected:
    case Standing::invalid:
      return ended.record.told.empty() ? join(ended.record.anomalies, ", ") : ended.record.told;
    case Standing::failed:
    case Standing::refused:
      return ended.record.error.empty() ? ended.record.reason : ended.record.error;
    case Standing::vanished:
      return fmt::format(
          "\"{}\" was expected, and no such anomaly was found: if it is mended, take the expectation out",
          run.expect.text());
    case Standing::unknown:
      return ended.record.reason;
    case Standing::not_started:
    case Standing::not_needed:
      return ended.why;
  }
  return "";
}

Value closing_value(const Campaign& campaign, const CampaignOutcome& outcome) {
  Value out = Value::map();
  const Standing all = gravest(outcome);
  out.set("verdict", is_green(all) ? "valid" : all == Standing::invalid ? "invalid" : "unknown");
  out.set("standing", name(all));
  out.set("campaign", campaign.name);
  out.set("summary", closing_sentence(outcome));
  Value counts = Value::map();
  for (const Standing standing : kGravestFirst) {
    counts.set(name(standing), static_cast<std::int64_t>(count(outcome, standing)));
  }
  out.set("counts", std::move(counts));
  Value runs = Value::list();
  for (std::size_t i = 0; i < outcome.runs.size(); ++i) {
    runs.items().push_back(run_value(campaign.runs[i], outcome.runs[i]));
  }
  out.set("runs", std::move(runs));
  return out;
}

std::string closing_table(const Campaign& campaign, const CampaignOutcome& outcome) {
  std::vector<std::vector<std::string>> rows = {{"run", "verdict", "anomalies", "faults", "time", "directory"}};
  for (std::size_t i = 0; i < outcome.runs.size(); ++i) {
    const auto& run = outcome.runs[i];
    const bool played = was_played(run);
    rows.push_back({campaign.runs[i].name, std::string(name(run.standing)), join(run.record.anomalies, ","),
                    faults_of(run), played ? fmt::format("{:.1f}s", run.record.seconds) : "",
                    played ? directory_of(campaign.runs[i], run.record) : ""});
  }
  return aligned(rows);
}

}  // namespace ordeal
