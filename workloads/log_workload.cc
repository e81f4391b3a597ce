#include "workloads/log_workload.h"

#include <algorithm>
#include <array>

#include "workloads/generators.h"
#include "workloads/judges.h"

namespace ordeal {
namespace {

constexpr std::int64_t kRecent = 10;          // appends that are sent again are among the last
constexpr std::int64_t kRange = 20;           // entries of a read in the main phase
constexpr std::int64_t kAll = 1'000'000'000;  // … of one in the end

std::vector<ConfiguredChecker> judges(const Options&) { return {judge("transparency-log")}; }

Operation asked(std::string f, std::int64_t first, std::int64_t second) {
  return {std::move(f), std::nullopt, Value::list({first, second})};
}

class LogRequests final : public Generator {
 public:
  LogRequests(const Options& options, Rng rng)
      : appends_(options.real("log.appends")), repeats_(options.real("log.repeats")), rng_(rng) {}

  GeneratorStep next(const GeneratorContext&) override {
    if (rng_.chance(appends_)) return append();
    const std::array<double, 5> weights = {3, 2, 3, 1, 1};
    const std::int64_t near = std::max<std::int64_t>(0, size_ - kRange);
    switch (rng_.weighted(weights)) {
      case 0:
        return asked("read", rng_.chance(0.5) ? near : rng_.between(0, size_), kRange);
      case 1:
        return asked("tail", rng_.chance(0.3) ? std::max<std::int64_t>(0, size_ - 2) : size_, kRange);
      case 2:
        return plain("head");
      case 3:
        if (size_ == 0) return plain("head");
        return asked("inclusion", rng_.between(0, size_ - 1), size_);
      default:
        return asked("consistency", rng_.between(std::min<std::int64_t>(1, size_), size_), size_);
    }
  }

  void update(const GeneratorEvent& event) override {
    if (event.completion == nullptr || event.type != EventType::ok || !event.completion->value) return;
    const Value& seen = *event.completion->value;
    if (event.operation->f == "append" && seen.is_list() && !seen.items().empty() && seen.items()[0].is_integer())
      size_ = std::max(size_, seen.items()[0].integer() + 1);
  }

 private:
  Operation append() {
    if (next_ > 0 && rng_.chance(repeats_))
      return {"append", std::nullopt, Value(rng_.between(std::max<std::int64_t>(0, next_ - kRecent), next_ - 1))};
    return {"append", std::nullopt, Value(next_++)};
  }

  const double appends_, repeats_;
  Rng rng_;
  std::int64_t next_ = 0;  // the next entry
  std::int64_t size_ = 0;  // of the log, as far as known
};

Result<Workload> make(const WorkloadContext& context) {
  const double patience_s = context.options.real("log.final-read-time");
  Workload workload;
  workload.name = "log";
  workload.generator = std::make_unique<LogRequests>(context.options, Rng(context.seed).split("log"));
  // In the end every worker looks at all that there is.
  workload.final_generator = gen::sequence(gen::list_of(each_worker_until_ok(asked("read", 0, kAll), patience_s),
                                                        each_worker_until_ok(plain("head"), patience_s)));
  workload.checkers = judges(context.options);
  return workload;
}

}  // namespace

WorkloadFactory log_workload() {
  using Type = OptionSpec::Type;
  WorkloadFactory factory;
  factory.name = "log";
  factory.help = "an append-only log that anybody can verify: appends, ranges, tails, tree heads and their proofs";
  factory.promise =
      "The log is one list that only grows, as if everything happened at one instant: an acknowledged append is in it "
      "once, at the index that was answered, also when it is sent again; every read and tail shows exactly the range "
      "that it asked for; every tree head is the RFC 6962 root of a beginning of that list as it was by then, and its "
      "signature, where there is one, and every proof verifies.";
  factory.data_type = "transparency-log";
  factory.operations = {"append", "read", "tail", "head", "inclusion", "consistency"};
  factory.options = {
      {"log.appends", Type::real, 0.4, "which part of the operations are appends", 0.001, 0.99},
      {"log.repeats", Type::real, 0.15, "which part of the appends were sent before, by the same key", 0.001, 0.99},
      final_read_option("log", "the log"),
  };
  factory.make = make;
  factory.checkers = judges;
  return factory;
}

}  // namespace ordeal
