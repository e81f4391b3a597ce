#include "cli/print_run.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include "base/names.h"
#include "base/text.h"
#include "cli/console.h"
#include "cli/print_anomalies.h"

namespace ordeal::cli {
namespace {

// One line for each family of faults.
std::string told_faults(const Facts& facts) {
  std::string out;
  for (const FaultKindCounts& kind : facts.fault_kinds) {
    out += fmt::format("{}{}: {} planned, {} injected, {} confirmed, {} healed",
                       out.empty() ? "faults      " : "            ", visible_in_line(kind.fault), kind.planned,
                       kind.injected, kind.confirmed, kind.healed);
    if (kind.lifted > 0) out += fmt::format(", {} lifted by somebody else before their time", kind.lifted);
    if (kind.injected > 0) {
      out += kind.attempted == 0
                 ? "; no operation was attempted meanwhile, which proves nothing"
                 : fmt::format("; {} of {} operations succeeded meanwhile", kind.succeeded, kind.attempted);
    }
    out += '\n';
  }
  return out;
}

std::string names_in(const Value* list) {
  std::vector<std::string> names;
  if (list != nullptr && list->is_string()) return list->string();
  if (list != nullptr && list->is_list()) {
    for (const auto& one : list->items()) {
      const Value* level = one.is_map() ? one.find("level") : &one;
      if (level != nullptr && level->is_string()) names.push_back(level->string());
    }
  }
  return names.empty() ? std::string() : joined(names);
}

// "levels      strongest that holds: serializable; not: strict-serializable", where the levels were looked at.
std::string told_strongest(const std::vector<CheckResult>& checks) {
  std::string out;
  for (const CheckResult& check : checks) {
    const Value* strongest = check.details.find("strongest");
    if (strongest == nullptr) continue;
    const std::string holds = names_in(strongest);
    const std::string open = names_in(check.details.find("undecided"));
    out += "levels      strongest that holds: " + (!holds.empty() ? holds : open.empty() ? "none" : "not known");
    if (!open.empty()) out += "; undecided in the time there was: " + open;
    out += "\n";
  }
  return out;
}

// The sentence of the verdict; that of an anomaly which is told below anyway is not said twice.
std::string headline(const JudgedRun& run) {
  std::size_t found = 0;
  for (const CheckResult& check : run.checks) found += count_of_anomalies(check);
  if (run.verdict != Verdict::invalid || found == 0) return on_a_screen(run.summary);
  return fmt::format("{} {} found in what the clients saw", found, found == 1 ? "anomaly was" : "anomalies were");
}

Colour colour_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::valid:
      return Colour::green;
    case Verdict::invalid:
      return Colour::red;
    case Verdict::unknown:
      return Colour::yellow;
  }
  return Colour::yellow;
}

}  // namespace

std::string told_levels(const Value& details, const std::string& indent) {
  std::string out;
  if (const std::string names = names_in(details.find("strongest")); !names.empty())
    out += indent + "strongest level that holds: " + names + "\n";
  const Value* ruled_out = details.find("ruled_out");
  if (ruled_out == nullptr) ruled_out = details.find("ruled-out");
  if (ruled_out != nullptr && ruled_out->is_list()) {
    for (const auto& one : ruled_out->items()) {
      const Value* level = one.find("level");
      const Value* why = one.find("explanation");
      if (why == nullptr) why = one.find("anomaly");
      if (level == nullptr || !level->is_string()) continue;
      out += indent + "ruled out: " + level->string();
      out += why != nullptr && why->is_string() ? " (" + why->string() + ")\n" : "\n";
    }
  }
  if (const std::string names = names_in(details.find("undecided")); !names.empty())
    out += indent + "undecided: " + names + "\n";
  return out;
}

void print_judged(const JudgedRun& run) {
  std::string out =
      fmt::format("{}  {}\n", coloured(name(run.verdict), colour_of(run.verdict), STDOUT_FILENO), headline(run));
  if (!run.reason.empty()) out += fmt::format("reason      {}\n", visible_in_line(run.reason));
  out += told_anomalies(run.checks, STDOUT_FILENO);
  out += told_strongest(run.checks);
  const OutcomeCounts& all = run.facts.all;
  out += fmt::format("operations  {} ok, {} info, {} fail\n", all.ok, all.info, all.fail);
  for (const std::string& trouble : run.facts.troubles_told)
    out += fmt::format("adapters    {}\n", visible_in_line(trouble));
  out += told_faults(run.facts);
  if (run.facts.recovery.measured) out += fmt::format("recovery    {}\n", visible_in_line(run.facts.recovery.summary));
  if (!run.unwritten) out += fmt::format("report      {}/report.html\n", visible_in_line(run.directory));
  print(out);
}

ExitCode exit_code(const JudgedRun& run) {
  std::vector<ExitCode> codes = {exit_code(run.verdict)};
  if (run.failure) codes.push_back(exit_code(*run.failure));
  if (run.unwritten) codes.push_back(kRunFailed);
  return worst(codes);
}

}  // namespace ordeal::cli
