#include "workloads/judges.h"

#include "checkers/catalogue.h"
#include "checkers/workload/workload_checkers.h"

namespace ordeal {

ConfiguredChecker judge(std::string_view checker, CheckOptions options) {
  auto found = find_checker(checker);
  ORDEAL_CHECK(found.has_value(), found ? std::string() : found.error().message);
  return {std::move(*found), std::move(options)};
}

ConfiguredChecker judge(std::string_view checker, const Options& settings) {
  CheckOptions options;
  options.settings = settings;
  return judge(checker, std::move(options));
}

void offer_checker_options(WorkloadFactory& factory, std::string_view checker) {
  const WorkloadChecker* entry = find_workload_checker(checker);
  ORDEAL_CHECK(entry != nullptr, "no checker of a workload: " + std::string(checker));
  factory.options.insert(factory.options.end(), entry->options.begin(), entry->options.end());
}

}  // namespace ordeal
