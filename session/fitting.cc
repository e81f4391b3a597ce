#include "session/fitting.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/names.h"
#include "workloads/catalogue.h"

namespace ordeal {
namespace {

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// The option that leaves an operation out; empty: there is none.
std::string weight_of(const WorkloadFactory& workload, const std::string& operation) {
  for (const auto& [name, option] : workload.weights) {
    if (name == operation) return option;
  }
  return "";
}

// What the target lacks. Without options all that can be left out is.
std::vector<std::string> missing(const std::vector<std::string>& understood, const WorkloadFactory& workload,
                                 const Options* options) {
  std::vector<std::string> out;
  for (const auto& f : workload.operations) {
    if (has(understood, f)) continue;
    const std::string weight = weight_of(workload, f);
    const bool left_out = !weight.empty() && (options == nullptr || options->real(weight) == 0);
    if (!left_out) out.push_back(f);
  }
  return out;
}

// The workloads that fit, each with the options that it takes: "register (with register.cas=0)".
std::vector<std::string> fitting(const std::vector<std::string>& understood) {
  std::vector<std::string> out;
  for (const auto& one : workloads()) {
    if (!missing(understood, one, nullptr).empty()) continue;
    std::vector<std::string> settings;
    for (const auto& f : one.operations) {
      if (!has(understood, f)) settings.push_back(weight_of(one, f) + "=0");
    }
    out.push_back(settings.empty() ? one.name : fmt::format("{} (with {})", one.name, joined(settings)));
  }
  return out;
}

// Why none fits: names that no workload knows, and what the nearest workloads lack.
std::string why_none(const std::vector<std::string>& understood) {
  static constexpr std::size_t kShown = 3;
  if (understood.empty()) return "its clients understand no operation at all";
  std::set<std::string> issued;
  std::vector<std::pair<std::size_t, std::string>> lacking;  // how much, and the words for it
  for (const auto& one : workloads()) {
    issued.insert(one.operations.begin(), one.operations.end());
    const auto lacks = missing(understood, one, nullptr);
    if (lacks.size() < one.operations.size())
      lacking.emplace_back(lacks.size(), fmt::format("{} also needs {}", one.name, joined(lacks)));
  }
  const std::vector<std::string> known(issued.begin(), issued.end());
  std::string out;
  for (const auto& name : understood) {
    if (issued.contains(name)) continue;
    const std::string near = nearest(name, known);
    out += fmt::format("{}\"{}\" is no operation of any workload{}", out.empty() ? "" : "; ", name,
                       near.empty() ? "" : fmt::format(", did you mean \"{}\"?", near));
  }
  std::stable_sort(lacking.begin(), lacking.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  if (lacking.size() > kShown) lacking.resize(kShown);
  for (const auto& [count, words] : lacking) out += (out.empty() ? "" : "; ") + words;
  return out + "; doc/formats.md says what each operation is";
}

}  // namespace

Result<void> fits(const TargetFactory& target, const std::vector<std::string>& understood,
                  const WorkloadFactory& workload, const Options* options) {
  const auto lacks = missing(understood, workload, options);
  if (lacks.empty()) return {};
  std::string message = fmt::format("workload {} needs operations that target {} does not have: {}.", workload.name,
                                    target.name, joined(lacks));
  std::vector<std::string> settings;
  for (const auto& f : lacks) {
    if (const std::string weight = weight_of(workload, f); !weight.empty()) settings.push_back(weight + "=0");
  }
  if (settings.size() == lacks.size()) message += fmt::format(" Set {} to do without.", joined(settings));
  const auto others = fitting(understood);
  message += others.empty() ? fmt::format(" No workload fits {}: {}.", target.name, why_none(understood))
                            : fmt::format(" Workloads for {}: {}.", target.name, joined(others));
  return fail(ErrorCode::usage, std::move(message));
}

}  // namespace ordeal
