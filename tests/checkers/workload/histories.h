#pragma once
// What the tests of the workloads' checkers share: histories in EDN, and what a checker said of them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "checkers/history/reader.h"
#include "checkers/workload/workload_checkers.h"
#include "tests/support/history_part.h"

namespace ordeal::work {

inline History history_of(std::string_view edn, bool independent = false) {
  ReadOptions options;
  options.independent = independent;
  auto read = read_history(edn, "test", options);
  EXPECT_TRUE(read) << read.error().message;
  return read ? std::move(read->history) : History();
}

// event(3, "ok", "read", "[1 2]"): one event of process 3.
inline std::string event(int process, std::string_view type, std::string_view f, std::string_view value) {
  std::string out = "{:process " + std::to_string(process) + " :type :" + std::string(type) + " :f :" + std::string(f);
  if (!value.empty()) out += " :value " + std::string(value);
  return out + "}\n";
}
// An operation that nothing else overlaps.
inline std::string op(int process, std::string_view f, std::string_view asked, std::string_view type,
                      std::string_view seen) {
  return event(process, "invoke", f, asked) + event(process, type, f, seen);
}
inline std::string ok(int process, std::string_view f, std::string_view asked, std::string_view seen) {
  return op(process, f, asked, "ok", seen);
}
// … whose completion repeats the value.
inline std::string ok(int process, std::string_view f, std::string_view value) { return ok(process, f, value, value); }

#ifdef ORDEAL_JUDGE_PROOFS
// What an anomaly names, alone, is never valid: the same checker finds an anomaly in it as well, or nothing that was
// put to the test when all else is gone.
inline void expect_proofs(const Checker& checker, const History& history, const CheckOptions& options,
                          const CheckResult& result) {
  for (const Anomaly& anomaly : result.anomalies) {
    const History part = testing_support::part_of(history, anomaly.operations);
    const CheckResult alone = checker.check(part, options);
    EXPECT_NE(alone.verdict, Verdict::valid)
        << "not proved: " << result.checker << " " << anomaly.type << ": " << anomaly.explanation << "\n"
        << testing_support::told(part);
  }
}
#endif

inline CheckResult judged(std::string_view checker, const History& history, const CheckOptions& options = {}) {
  const WorkloadChecker* entry = find_workload_checker(checker);
  EXPECT_NE(entry, nullptr) << checker;
  const auto made = make_workload_checker(*entry);
  CheckResult result = made->check(history, options);
#ifdef ORDEAL_JUDGE_PROOFS
  expect_proofs(*made, history, options, result);
#endif
  return result;
}
// Of events without times: whatever began after the last update has had the time it needed, unless options say more.
inline CheckResult judged(std::string_view checker, std::string_view edn, CheckOptions options = {}) {
  static constexpr std::string_view kWithLastReads[] = {"convergence", "or-set", "lww-map", "durability", "set-full"};
  const std::string settle = std::string(checker) + ".settle";
  const bool last_reads =
      std::find(std::begin(kWithLastReads), std::end(kWithLastReads), checker) != std::end(kWithLastReads);
  if (last_reads && edn.find(":time") == edn.npos) {
    if (!options.settings.has(settle)) options.settings.declare(find_workload_checker(checker)->options);
    const bool open = options.settings.origin(settle) == "default";
    EXPECT_TRUE(!open || options.settings.set(settle, "0", "test"));
  }
  return judged(checker, history_of(edn), options);
}

// with("bank", {{"bank.total", "10"}}): a checker's own options.
inline CheckOptions with(std::string_view checker,
                         std::initializer_list<std::pair<const char*, const char*>> settings) {
  CheckOptions options;
  options.settings = Options(find_workload_checker(checker)->options);
  for (const auto& [name, text] : settings) {
    const auto set = options.settings.set(name, text, "test");
    EXPECT_TRUE(set) << set.error().message;
  }
  return options;
}
inline CheckOptions at(std::string level) {
  CheckOptions options;
  options.consistency = std::move(level);
  return options;
}

// "valid", "unknown: why", or the types of the anomalies, each of which the checker's entry must declare.
inline std::string verdict(const CheckResult& result) {
  if (result.verdict == Verdict::valid) return "valid";
  if (result.verdict == Verdict::unknown) return "unknown: " + result.reason;
  std::string out;
  for (const auto& anomaly : result.anomalies) {
    if (!out.empty()) out += " ";
    out += anomaly.type;
    bool declared = false;
    for (const auto& [name, help] : find_workload_checker(result.checker)->anomalies)
      declared = declared || name == anomaly.type;
    EXPECT_TRUE(declared) << anomaly.type;
    EXPECT_FALSE(anomaly.operations.empty());
    EXPECT_FALSE(anomaly.explanation.empty());
  }
  return out;
}

inline std::int64_t count(const CheckResult& result, std::string_view name) {
  const Value* found = result.details.find(std::string(name));
  return found == nullptr ? 0 : found->integer();
}

}  // namespace ordeal::work
