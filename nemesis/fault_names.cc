#include "nemesis/fault_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "nemesis/catalogue.h"
#include "nemesis/engine/timeline.h"

namespace ordeal {
namespace {

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// What was named, "all" spelled out; names may come twice.
WantedFaults spelled_out(const std::vector<std::string>& words) {
  WantedFaults out;
  for (const std::string& word : words) {
    if (word == "none") continue;
    if (word != "all") {
      out.names.push_back(word);
      continue;
    }
    out.only_applicable = true;
    for (const auto& fault : faults()) out.names.push_back(fault.name);
  }
  return out;
}

}  // namespace

Result<WantedFaults> wanted_faults(const std::vector<std::string>* named, const std::string& timeline) {
  if (named != nullptr && named->empty() && !timeline.empty()) {
    return fail(
        ErrorCode::usage,
        "an empty choice of faults beside a timeline; \"none\" is a run without faults, and without a choice the "
        "timeline's are injected");
  }
  WantedFaults out = spelled_out(named == nullptr ? std::vector<std::string>() : *named);
  if (!timeline.empty() && (named == nullptr || !out.names.empty())) {
    auto entries = parse_timeline(timeline);
    if (!entries) return fail(entries.error());
    auto scripted = timeline_faults(*entries);
    for (const auto& name : out.names) {
      if (out.only_applicable || contains(scripted, name)) continue;
      return fail(ErrorCode::usage,
                  fmt::format("the timeline has no fault \"{}\", so it would never be injected", name));
    }
    out = {std::move(scripted), false};
  }
  std::vector<std::string> once;
  for (auto& name : out.names) {
    if (auto known = find_fault(name); !known) return fail(known.error());
    if (!contains(once, name)) once.push_back(std::move(name));
  }
  out.names = std::move(once);
  return out;
}

}  // namespace ordeal
