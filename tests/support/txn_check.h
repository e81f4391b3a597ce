#pragma once
// What the tests of the transactional checker share.

#include <set>
#include <stdexcept>
#include <string>

#include "checkers/history/reader.h"
#include "checkers/transactions/checker.h"
#include "support/environment.h"

namespace ordeal::testing_support {

// Throws when the text is no history.
inline CheckResult check_transactions(const std::string& jsonl, bool lists, const std::string& level) {
  auto read = read_history(jsonl, "test");
  if (!read) throw std::runtime_error(read.error().message + "\n" + jsonl);
  CheckOptions options;
  options.model = lists ? "list-append" : "rw-register";
  options.consistency = level;
  options.threads = 1;
  return transactional_checker()->check(read->history, options);
}

// A list in the details of "strongest": the names, or a field of its entries.
inline std::set<std::string> named_in(const CheckResult& result, const char* part, const char* field = nullptr) {
  std::set<std::string> out;
  const Value* list = result.details.find(part);
  if (list == nullptr) return out;
  for (const Value& one : list->items()) out.insert(field == nullptr ? one.string() : one.find(field)->string());
  return out;
}

}  // namespace ordeal::testing_support
