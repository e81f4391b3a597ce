#include "workloads/judges.h"

#include "checkers/catalogue.h"

namespace ordeal {

ConfiguredChecker judge(std::string_view checker, CheckOptions options) {
  auto found = find_checker(checker);
  ORDEAL_CHECK(found.has_value(), found ? std::string() : found.error().message);
  return {std::move(*found), std::move(options)};
}

}  // namespace ordeal
