#include "checkers/consistency/sources.h"

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
        if (open_.empty()) return explained(std::move(first), std::move(last));
        auto& [read, at] = open_.back();
        out_.sources[read] = execution_.candidates(read)[++at];
      }
      if (std::string why = exhausted(); !why.empty()) return Finding::unknown(std::move(why));
      last = judged();
      settled = last.verdict == Verdict::invalid;
    }
  }

  // Invalid whatever is chosen. What is shown is the contradiction of the last choice.
  static Finding explained(Finding first, Finding last) {
    if (first.verdict == Verdict::invalid) return first;
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

}  // namespace

Choice choose_sources(const Execution& execution, const Judge& judge, const WeakLimits& limits) {
  return Search(execution, judge, limits).run();
}

std::vector<AnomalyEntry> source_anomalies() {
  return {
      {"ThinAirRead", "a read returned a value that nobody wrote"},
  };
}

}  // namespace ordeal::weak
