#include "cli/print_run.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include "cli/console.h"

namespace ordeal::cli {
namespace {

// The first anomalies with their sentences, one line each for some more, and how many there are beyond: a screenful.
std::string told_anomalies(const std::vector<CheckResult>& checks) {
  static constexpr std::size_t kExplained = 3;
  static constexpr std::size_t kNamed = 10;
  std::string out;
  std::size_t found = 0;
  for (const CheckResult& check : checks) {
    for (const Anomaly& anomaly : check.anomalies) {
      if (++found > kNamed) continue;
      out += fmt::format("anomaly     {}: {}\n", anomaly.type, anomaly.explanation);
      if (found > kExplained) continue;
      for (std::size_t i = 0; i < anomaly.sentences.size(); ++i) {
        out += fmt::format("            {}. {}\n", i + 1, anomaly.sentences[i]);
      }
    }
  }
  if (found > kNamed) out += fmt::format("            and {} more; all are in the report\n", found - kNamed);
  return out;
}

// One line for each family of faults.
std::string told_faults(const Facts& facts) {
  std::string out;
  for (const FaultKindCounts& kind : facts.fault_kinds) {
    out += fmt::format("{}{}: {} planned, {} injected, {} confirmed, {} healed",
                       out.empty() ? "faults      " : "            ", kind.fault, kind.planned, kind.injected,
                       kind.confirmed, kind.healed);
    if (kind.injected > 0) {
      out += kind.attempted == 0
                 ? "; no operation was attempted meanwhile, which proves nothing"
                 : fmt::format("; {} of {} operations succeeded meanwhile", kind.succeeded, kind.attempted);
    }
    out += '\n';
  }
  return out;
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

void print_judged(const JudgedRun& run) {
  std::string out =
      fmt::format("{}  {}\n", coloured(name(run.verdict), colour_of(run.verdict), STDOUT_FILENO), run.summary);
  if (!run.reason.empty()) out += fmt::format("reason      {}\n", run.reason);
  out += told_anomalies(run.checks);
  const OutcomeCounts& all = run.facts.all;
  out += fmt::format("operations  {} ok, {} info, {} fail\n", all.ok, all.info, all.fail);
  for (const std::string& trouble : run.facts.troubles_told) out += fmt::format("adapters    {}\n", trouble);
  out += told_faults(run.facts);
  if (run.facts.recovery.measured) out += fmt::format("recovery    {}\n", run.facts.recovery.summary);
  out += fmt::format("report      {}/report.html\n", run.directory);
  std::fputs(out.c_str(), stdout);
}

ExitCode exit_code(const JudgedRun& run) {
  std::vector<ExitCode> codes = {exit_code(run.verdict)};
  if (run.failure) codes.push_back(exit_code(*run.failure));
  return worst(codes);
}

}  // namespace ordeal::cli
