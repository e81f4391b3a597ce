// "What this run cannot show": the honest part of a report. Each sentence follows from a count, so that a run without
// faults, or whose reads all failed while the network was split, is not taken for more than it is.

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "reports/facts.h"
#include "reports/text.h"

namespace ordeal {
namespace {

int percent(std::size_t part, std::size_t whole) {
  return whole == 0 ? 0 : static_cast<int>((part * 100 + whole / 2) / whole);
}

void about_verdicts(const ReportInput& input, const Facts& facts, std::vector<std::string>& out) {
  if (input.results.empty()) out.emplace_back("Nothing was checked: the report only shows what the clients saw.");
  for (const CheckResult& result : input.results) {
    if (result.verdict == Verdict::unknown) {
      out.push_back(fmt::format("The checker {} came to no verdict: {}.", result.checker,
                                result.reason.empty() ? "it gave no reason" : result.reason));
    }
    if (result.keys > 0 && result.keys < facts.keys) {
      out.push_back(fmt::format("The checker {} judged {} of {}; it says nothing about the others.", result.checker,
                                grouped(result.keys), counted(facts.keys, "key")));
    }
  }
}

void about_operations(const ReportInput& input, const Facts& facts, std::vector<std::string>& out) {
  const OutcomeCounts& all = facts.all;
  if (all.total() == 0) {
    out.emplace_back("The history has no operation of a client.");
    return;
  }
  if (all.ok == 0) {
    out.emplace_back("No operation succeeded, so nothing was observed.");
  } else if (percent(all.ok, all.total()) < 50) {
    out.push_back(fmt::format("Only {} % of the operations succeeded ({} of {}); what is judged is that part.",
                              percent(all.ok, all.total()), grouped(all.ok), grouped(all.total())));
  }
  for (const auto& [f, counts] : facts.by_function) {
    if (counts.ok == 0 && all.ok > 0) {
      out.push_back(fmt::format("No {} succeeded ({} tried).", f, grouped(counts.total())));
    }
  }
  if (percent(all.info, all.total()) >= 5) {
    out.push_back(
        fmt::format("{} % of the operations ended with an unknown outcome ({}). Each may have happened or not, "
                    "and the checkers take whichever excuses what was seen.",
                    percent(all.info, all.total()), grouped(all.info)));
  }
  std::size_t open = 0;
  std::size_t running = 0;
  std::size_t most = 0;
  const History& history = *input.history;
  for (const OperationEvents op : facts.operations) open += op.completion == kNoEvent ? 1 : 0;
  for (EventIndex e = 0; e < history.size(); ++e) {
    if (history.process(e) == kNemesis) continue;
    if (history.type(e) == EventType::invoke)
      most = std::max(most, ++running);
    else if (running > 0)
      --running;
  }
  if (open > 0) {
    out.push_back(fmt::format("{} no completion in the history; each counts as an unknown outcome.",
                              open == 1 ? "1 operation has" : grouped(open) + " operations have"));
  }
  if (most <= 1 && all.total() > 1) {
    out.emplace_back("No two operations overlapped: nothing was learned about concurrent clients.");
  }
  if (!facts.timed) out.emplace_back("The history has no times; the order of its lines is taken as real time.");
}

// ": the swarm left it out", or what the nemesis said; empty: nothing was said.
std::string why_left_out(const Value& nemesis_plan, const Value& fault) {
  if (const Value* left_out = nemesis_plan.find("left_out_by_swarm"); left_out != nullptr && left_out->is_list()) {
    const auto& names = left_out->items();
    if (std::find(names.begin(), names.end(), fault) != names.end()) return ": the seed's swarm left it out";
  }
  const Value* reasons = nemesis_plan.find("inapplicable");
  const Value* reason = reasons == nullptr ? nullptr : reasons->find(fault);
  return reason == nullptr ? "" : ": it does not apply (" + plain_text(*reason) + ")";
}

// Those that failed say why; those whose turn did not come are named together.
void about_faults_not_injected(const Facts& facts, std::vector<std::string>& out) {
  std::string waited;
  for (const FaultKindCounts& kind : facts.fault_kinds) {
    if (kind.planned > kind.tried) {
      waited += fmt::format("{}{} ({} of {})", waited.empty() ? "" : ", ", kind.fault,
                            grouped(kind.planned - kind.tried), grouped(kind.planned));
    }
    if (kind.tried == kind.injected) continue;
    const auto failed = std::find_if(facts.faults.begin(), facts.faults.end(), [&](const FaultRecord& fault) {
      return fault.fault == kind.fault && fault.injected_ns < 0 && !fault.error.empty();
    });
    out.push_back(fmt::format("{} of {} of {} failed{}.", grouped(kind.tried - kind.injected),
                              counted(kind.tried, "attempted injection"), kind.fault,
                              failed == facts.faults.end() ? "" : ": " + shortened(failed->error, 200)));
  }
  if (!waited.empty()) {
    out.push_back(
        "The run ended before what these faults waited for had come (a trigger, a quiet time's end, or other faults' "
        "healing, so that a majority is left): " +
        waited + ".");
  }
}

void about_faults(const ReportInput& input, const Facts& facts, std::vector<std::string>& out) {
  if (facts.faults.empty()) {
    out.emplace_back("No fault was injected: the run says nothing about behaviour under failures.");
  }
  for (const FaultKindCounts& kind : facts.fault_kinds) {
    if (kind.confirmed > 0 && kind.attempted == 0 && facts.timed) {
      out.push_back(fmt::format("No operation was attempted while {} was in force, which proves nothing.", kind.fault));
    }
    if (kind.confirmed == kind.injected) continue;
    out.push_back(fmt::format("{} of {} of {} could not be confirmed by an observation: perhaps nothing broke.",
                              grouped(kind.injected - kind.confirmed), counted(kind.injected, "injection"),
                              kind.fault));
  }
  const Value* planned = input.plan.find("nemesis");
  if (planned != nullptr && planned->is_list()) {
    for (const Value& fault : planned->items()) {
      const bool seen =
          std::any_of(facts.fault_kinds.begin(), facts.fault_kinds.end(),
                      [&](const FaultKindCounts& kind) { return kind.fault == plain_text(fault) && kind.planned > 0; });
      if (!seen) {
        out.push_back(fmt::format("The plan has the fault {}, but it was never injected{}.", plain_text(fault),
                                  why_left_out(facts.nemesis_plan, fault)));
      }
    }
  }
  about_faults_not_injected(facts, out);
  std::size_t unhealed = 0;
  for (const FaultRecord& fault : facts.faults) unhealed += fault.inject_ns >= 0 && fault.heal_confirmed_ns < 0 ? 1 : 0;
  if (unhealed > 0) {
    out.push_back(fmt::format("The healing of {} was not observed; what came after may still have been under {}.",
                              counted(unhealed, "fault"), unhealed == 1 ? "it" : "them"));
  }
}

// Which functions never succeeded while a confirmed fault of a kind was in force: "no reads while partitioned".
void about_functions_under_faults(const ReportInput& input, const Facts& facts, std::vector<std::string>& out) {
  if (!facts.timed) return;
  const History& history = *input.history;
  std::map<std::string, std::vector<Span>> spans;
  for (const FaultRecord& fault : facts.faults) {
    if (fault.confirmed_ns < 0) continue;
    Span span = in_force(fault, facts.end_ns);
    span.from = fault.injected_ns >= 0 ? fault.injected_ns : fault.confirmed_ns;
    if (fault.heal_ns >= 0) span.to = fault.heal_ns;
    spans[fault.fault].push_back(span);
  }
  for (auto& [kind, list] : spans) {
    // Faults of one kind may overlap: walk a sorted list of disjoint spans.
    std::sort(list.begin(), list.end(), [](const Span& a, const Span& b) { return a.from < b.from; });
    std::vector<Span> merged_spans;
    for (const Span& span : list) {
      if (!merged_spans.empty() && span.from <= merged_spans.back().to) {
        merged_spans.back().to = std::max(merged_spans.back().to, span.to);
      } else {
        merged_spans.push_back(span);
      }
    }
    std::set<FunctionId> seen;
    for (const OperationEvents op : facts.operations) {
      if (op.completion == kNoEvent || history.outcome(op) != EventType::ok) continue;
      const std::int64_t from = history.time(op.invocation);
      const std::int64_t to = history.time(op.completion);
      const auto after = std::upper_bound(merged_spans.begin(), merged_spans.end(), to,
                                          [](std::int64_t t, const Span& span) { return t < span.from; });
      if (after != merged_spans.begin() && std::prev(after)->to >= from) seen.insert(history.f(op.invocation));
    }
    for (const auto& [f, counts] : facts.by_function) {
      const auto id = history.find_function(f);
      if (counts.ok > 0 && id && !seen.contains(*id)) {
        out.push_back(fmt::format("No {} succeeded while a {} was in force.", f, kind));
      }
    }
  }
}

}  // namespace

std::vector<std::string> limits_of(const ReportInput& input, const Facts& facts) {
  std::vector<std::string> out;
  if (input.verdict == Verdict::unknown && !input.reason.empty()) out.push_back("No verdict: " + input.reason);
  for (const std::string& remark : input.remarks) out.push_back(as_sentence(remark));
  about_verdicts(input, facts, out);
  for (const std::string& trouble : facts.troubles_told)
    out.push_back(as_sentence("adapters were in trouble: " + trouble));
  about_operations(input, facts, out);
  about_faults(input, facts, out);
  about_functions_under_faults(input, facts, out);
  return out;
}

}  // namespace ordeal
