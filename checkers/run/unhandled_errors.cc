#include "checkers/run/unhandled_errors.h"

#include <algorithm>
#include <map>

namespace ordeal {
namespace {

constexpr std::string_view kUnexpected = "exception";

struct Kind {
  std::int64_t fail = 0;
  std::int64_t info = 0;
  EventIndex example = kNoEvent;
};

class UnhandledErrorsChecker final : public Checker {
 public:
  [[nodiscard]] std::string_view name() const override { return "unhandled-errors"; }

  [[nodiscard]] CheckResult check(const History& history, const CheckOptions&) const override {
    CheckResult result;
    result.checker = "unhandled-errors";
    result.algorithm = "counting";
    result.verdict = Verdict::valid;
    std::map<std::string, Kind> kinds;
    for (const OperationEvents& op : history.operations()) {
      ++result.operations;
      if (op.completion == kNoEvent) continue;
      const EventError* error = history.error(op.completion);
      if (error == nullptr || history.type(op.completion) == EventType::ok) continue;  // a remark is no error
      Kind& kind = kinds[error->kind.empty() ? "(no kind)" : error->kind];
      (history.type(op.completion) == EventType::fail ? kind.fail : kind.info) += 1;
      if (kind.example == kNoEvent) kind.example = op.completion;
    }
    std::vector<std::pair<std::string, Kind>> sorted(kinds.begin(), kinds.end());
    std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) {
      return a.second.fail + a.second.info > b.second.fail + b.second.info;
    });
    Value list = Value::list();
    std::int64_t unexpected = 0;
    for (const auto& [name, kind] : sorted) {
      Value one = Value::map();
      one.set("kind", name);
      one.set("count", kind.fail + kind.info);
      one.set("fail", kind.fail);
      one.set("info", kind.info);
      one.set("unexpected", name == kUnexpected);
      Value example = Value::map();
      example.set("index", history.index(kind.example));
      example.set("operation", history.describe({history.partner(kind.example), kind.example}));
      example.set("message", history.error(kind.example)->message);
      one.set("example", std::move(example));
      list.items().push_back(std::move(one));
      if (name == kUnexpected) unexpected += kind.fail + kind.info;
    }
    result.details.set("kinds", std::move(list));
    result.details.set("unexpected", unexpected);
    return result;
  }
};

}  // namespace

std::shared_ptr<const Checker> unhandled_errors_checker() { return std::make_shared<UnhandledErrorsChecker>(); }

}  // namespace ordeal
