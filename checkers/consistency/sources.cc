#include "checkers/consistency/sources.h"

#include <algorithm>
#include <map>

namespace ordeal::weak {
namespace {

// WeakLimits::ways partial choices are judged, and not many more accesses than these over all of them.
constexpr std::uint64_t kMaxWork = 200'000'000;

class Search {
 public:
  Search(const Execution& execution, const Judge& judge, const WeakLimits& limits)
      : execution_(execution), judge_(judge), limits_(limits) {
    out_.sources.assign(execution.accesses.size(), kUndecided);
    for (AccessId r = 0; r < execution.accesses.size(); ++r) {
      if (execution.accesses[r].reads && execution.candidates(r).size() == 1)
        out_.sources[r] = execution.candidates(r)[0];
    }
  }

  Choice run() {
    if (auto wrong = thin_air()) {
      out_.finding = Finding::invalid(std::move(*wrong));
      return std::move(out_);
    }
    out_.finding = search();
    return std::move(out_);
  }

 private:
  // A read that happened and that no write and no initial value explains.
  std::optional<Violation> thin_air() const {
    const std::vector<char> alive = happened(execution_, out_.sources);
    for (AccessId r = 0; r < alive.size(); ++r) {
      const Access& a = execution_.accesses[r];
      if (alive[r] == 0 || !a.reads || !execution_.candidates(r).empty()) continue;
      Violation out;
      out.type = "ThinAirRead";
      out.guilty = r;
      const std::string failed = failed_writer(execution_, r);
      out.explanation = execution_.describe(r) + " returned a value" + (failed.empty() ? " that nobody wrote" : failed);
      out.sentences = {out.explanation + "."};
      return out;
    }
    return std::nullopt;
  }

  // When the initial value is not known, all reads of a key that are said to see it must agree on it.
  std::optional<Violation> initial_disagreement() const {
    if (execution_.initial_known) return std::nullopt;
    std::map<std::uint32_t, AccessId> first;
    for (AccessId r = 0; r < out_.sources.size(); ++r) {
      if (out_.sources[r] != kInitial) continue;
      const Access& a = execution_.accesses[r];
      const auto [found, fresh] = first.try_emplace(a.key, r);
      if (fresh || execution_.accesses[found->second].read == a.read) continue;
      Violation out;
      out.type = "ThinAirRead";
      out.guilty = r;
      out.others = {found->second};
      out.explanation =
          execution_.describe(r) + " and " + execution_.describe(found->second) + " would both be the initial value";
      return out;
    }
    return std::nullopt;
  }

  Finding judged() {
    if (auto wrong = thin_air()) return Finding::invalid(std::move(*wrong));
    if (auto wrong = initial_disagreement()) return Finding::invalid(std::move(*wrong));
    ++out_.judged;
    return judge_(execution_, out_.sources, limits_);
  }

  // The first read that happened and has no source yet.
  std::optional<AccessId> undecided() const {
    const std::vector<char> alive = happened(execution_, out_.sources);
    for (AccessId r = 0; r < alive.size(); ++r) {
      if (alive[r] != 0 && execution_.accesses[r].reads && out_.sources[r] == kUndecided) return r;
    }
    return std::nullopt;
  }

  std::string exhausted() const {
    if (std::string why = limits_.reached(); !why.empty()) return why;
    if (out_.judged < limits_.ways && out_.judged * execution_.accesses.size() < kMaxWork) return {};
    return "written values are not unique, and " + std::to_string(out_.judged) +
           " ways to say which write each read saw were not enough to decide";
  }

  // Depth first; open_ holds, for each chosen read, which of its candidates is in force.
  Finding search() {
    Finding first = judged();
    Finding last = first;
    bool settled = first.verdict != Verdict::valid;
    while (true) {
      if (last.verdict == Verdict::unknown) return last;
      if (!settled) {
        const auto read = undecided();
        if (!read) return {};
        open_.push_back({*read, 0});
        out_.sources[*read] = execution_.candidates(*read)[0];
      } else {
        while (!open_.empty() && open_.back().second + 1 == execution_.candidates(open_.back().first).size()) {
          out_.sources[open_.back().first] = kUndecided;
          open_.pop_back();
        }
        if (open_.empty()) {
          if (first.verdict == Verdict::invalid) out_.involved.clear();
          return explained(std::move(first), std::move(last));
        }
        auto& [read, at] = open_.back();
        out_.sources[read] = execution_.candidates(read)[++at];
      }
      if (std::string why = exhausted(); !why.empty()) return Finding::unknown(std::move(why));
      last = judged();
      settled = last.verdict == Verdict::invalid;
      if (settled) involve(*last.violation);
    }
  }

  void involve(const Violation& violation) {
    out_.involved.resize(execution_.accesses.size(), 0);
    const auto edges = [&](const std::vector<Violation::Edge>& all) {
      for (const Violation::Edge& edge : all) {
        for (const AccessId one : {edge.from, edge.to}) out_.involved[one] = 1;
        if (edge.because >= Violation::Because::version_order) out_.involved[edge.seen_by] = 1;
        if (edge.because == Violation::Because::monotonic_reads) out_.involved[edge.before] = 1;
      }
    };
    out_.involved[violation.guilty] = 1;
    for (const AccessId one : violation.others) out_.involved[one] = 1;
    edges(violation.edges);
    for (const auto& path : violation.known) edges(path);
    // What was chosen is part of the argument, and so is who shows that a crashed write happened.
    for (const auto& [read, at] : open_) out_.involved[read] = 1;
    for (bool more = true; more;) {
      more = false;
      for (AccessId r = 0; r < out_.sources.size(); ++r) {
        const Source from = out_.sources[r];
        if (from == kInitial || from == kUndecided || out_.involved[r] != 0) continue;
        if (out_.involved[from] == 0 || !execution_.accesses[from].crashed()) continue;
        out_.involved[r] = 1;
        more = true;
      }
    }
  }

  // Invalid whatever is chosen. What is shown is the contradiction of the last choice.
  static Finding explained(Finding first, Finding last) {
    if (first.verdict == Verdict::invalid) return first;
    last.violation->explanation =
        "no way to say which write each read saw fits; in the last that was tried, " + last.violation->explanation;
    last.violation->sentences.push_back(
        "Written values are not unique: this is the last of all ways to say which write each read saw; the others "
        "fail, too.");
    return last;
  }

  const Execution& execution_;
  const Judge& judge_;
  const WeakLimits& limits_;
  Choice out_;
  std::vector<std::pair<AccessId, std::size_t>> open_;
};

// Adds every writer that a kept read may have seen, until nothing is missing.
void keep_writers(const Execution& execution, std::vector<char>& keep) {
  std::vector<AccessId> pending;
  for (AccessId i = 0; i < keep.size(); ++i) {
    if (keep[i] != 0) pending.push_back(i);
  }
  while (!pending.empty()) {
    const AccessId reader = pending.back();
    pending.pop_back();
    for (const Source from : execution.candidates(reader)) {
      if (from == kInitial || keep[from] != 0) continue;
      keep[from] = 1;
      pending.push_back(from);
    }
  }
}

// By access: another kept one may have seen what it wrote.
std::vector<char> may_be_seen(const Execution& execution, const std::vector<char>& keep) {
  std::vector<char> out(keep.size(), 0);
  for (AccessId reader = 0; reader < keep.size(); ++reader) {
    if (keep[reader] == 0) continue;
    for (const Source from : execution.candidates(reader)) {
      if (from != kInitial && from != reader) out[from] = 1;
    }
  }
  return out;
}

}  // namespace

std::optional<Refutation> refuted_by(const Execution& execution, const Judge& judge, const WeakLimits& limits,
                                     const Choice& choice) {
  constexpr std::size_t kMostToShrink = 120;
  std::uint64_t ways_left = 20'000;
  const auto refutation = [&](const std::vector<char>& keep, const WeakLimits& within) -> std::optional<Refutation> {
    Refutation out{part_of(execution, keep), {}};
    out.choice = choose_sources(out.part, judge, within);
    ways_left -= std::min(ways_left, out.choice.judged);
    if (out.choice.finding.verdict != Verdict::invalid) return std::nullopt;
    return out;
  };
  std::vector<char> keep = choice.involved;
  keep_writers(execution, keep);
  auto best = refutation(keep, limits);
  if (!best || best->part.accesses.size() > kMostToShrink) return best;
  // One after the other is left out, the latest first; a writer only when no read is left that may have seen it, so
  // that it never looks as if a value had come from nowhere.
  for (bool smaller = true; smaller;) {
    smaller = false;
    for (std::size_t i = keep.size(); i-- > 0 && ways_left > 0 && limits.reached().empty();) {
      if (keep[i] == 0 || may_be_seen(execution, keep)[i] != 0) continue;
      keep[i] = 0;
      WeakLimits within = limits;
      within.ways = std::min(limits.ways, ways_left);
      if (auto found = refutation(keep, within)) {
        best = std::move(found);
        smaller = true;
      } else {
        keep[i] = 1;
      }
    }
  }
  return best;
}

Choice choose_sources(const Execution& execution, const Judge& judge, const WeakLimits& limits) {
  return Search(execution, judge, limits).run();
}

std::vector<AnomalyEntry> source_anomalies() {
  return {
      {"ThinAirRead", "a read returned a value that nobody wrote"},
  };
}

}  // namespace ordeal::weak
