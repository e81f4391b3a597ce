#include "workloads/ledger_workload.h"

#include <algorithm>
#include <array>
#include <deque>

#include "workloads/generators.h"
#include "workloads/judges.h"
#include "workloads/levels.h"

namespace ordeal {
namespace {

std::vector<ConfiguredChecker> judges(const Options& options) {
  return {judge_at({"ledger"}, options.string("ledger.consistency"), options)};
}

// The n-th account's key.
Value account(std::int64_t n) { return Value("a" + std::to_string(n)); }

// Looks at each account that there was in every way; what was not answered is asked for again, until time is up.
class LastLooks final : public Generator {
 public:
  LastLooks(std::shared_ptr<const std::int64_t> accounts, double patience_s)
      : accounts_(std::move(accounts)), patience_ns_(static_cast<std::int64_t>(patience_s * 1e9)) {}

  GeneratorStep next(const GeneratorContext& now) override {
    if (!begun_ns_) begun_ns_ = now.now_ns;
    const bool late = now.now_ns - *begun_ns_ > patience_ns_;
    if (asked_ < *accounts_ * kKinds) {
      ++open_;
      const std::int64_t one = asked_++;
      return Operation{kAll[static_cast<std::size_t>(one % kKinds)], account(one / kKinds), {}};
    }
    if (!again_.empty() && !late) {
      if (now.now_ns < rest_until_ns_) return Wait{rest_until_ns_, false};
      ++open_;
      Operation one = std::move(again_.front());
      again_.pop_front();
      return one;
    }
    if (open_ > 0 && !late) return Wait{now.now_ns + kRestNs, true};
    return Done{};
  }
  void update(const GeneratorEvent& event) override {
    if (event.type == EventType::invoke) return;
    --open_;
    if (event.type == EventType::ok) return;
    again_.push_back(*event.operation);
    rest_until_ns_ = event.now_ns + kRestNs;
  }

 private:
  static constexpr std::int64_t kRestNs = 100'000'000;
  static constexpr std::int64_t kKinds = 4;
  static constexpr std::array<const char*, kKinds> kAll = {"events", "balance", "model", "replay"};

  const std::shared_ptr<const std::int64_t> accounts_;
  const std::int64_t patience_ns_;
  std::optional<std::int64_t> begun_ns_;
  std::int64_t asked_ = 0, open_ = 0, rest_until_ns_ = 0;
  std::deque<Operation> again_;
};

Result<Workload> make(const WorkloadContext& context) {
  const std::int64_t together = context.options.integer("ledger.accounts");
  const std::int64_t operations = context.options.integer("ledger.operations-per-account");
  const double reads = context.options.real("ledger.reads");
  const auto accounts = std::make_shared<std::int64_t>(0);  // how many there have been
  auto draw = [=, asked = std::int64_t{0}](const GeneratorContext&, Rng& dice) mutable -> std::optional<Operation> {
    static constexpr std::array<double, 4> kWeights = {3, 1, 3, 1};
    static constexpr std::array<const char*, 4> kReads = {"balance", "events", "model", "replay"};
    const std::int64_t id = asked++;
    const std::int64_t one = id / (together * operations) * together + dice.between(0, together - 1);
    *accounts = std::max(*accounts, one + 1);
    if (dice.chance(reads)) return Operation{kReads[dice.weighted(kWeights)], account(one), {}};
    const bool deposit = dice.chance(0.35);
    return Operation{deposit ? "deposit" : "withdraw", account(one),
                     Value::map({{"id", id}, {"amount", dice.between(1, 10)}})};
  };
  Workload workload;
  workload.name = "ledger";
  workload.generator = gen::generate(Rng(context.seed).split("ledger"), std::move(draw));
  workload.final_generator =
      settled(context.options, "ledger",
              std::make_unique<LastLooks>(accounts, context.options.seconds("ledger.final-read-time")));
  workload.checkers = judges(context.options);
  return workload;
}

}  // namespace

WorkloadFactory ledger_workload() {
  using Type = OptionSpec::Type;
  WorkloadFactory factory;
  factory.name = "ledger";
  factory.help = "accounts as streams of events: never below zero, versions without gaps, a read model that follows";
  factory.promise =
      "Each account is one stream of events with the versions 1, 2, 3, …, in which every acknowledged event is once, "
      "with its version and amount, and no failed one, and which never adds up to less than nothing; every balance, "
      "also of the read model and of a replay, is the sum of the first events; reads show all that was known when "
      "they began, refusals are explained; the read model never goes back, lags ledger.lag at most where that is set, "
      "and shows everything in the end (ledger.settle).";
  factory.data_type = "ledger";
  factory.operations = {"balance", "deposit", "events", "model", "replay", "withdraw"};
  factory.options = {
      {"ledger.accounts", Type::integer, 2, "how many accounts are worked on at a time", 1, 1e6},
      {"ledger.operations-per-account", Type::integer, 60, "after so many operations others follow", 1, 1e9},
      {"ledger.reads", Type::real, 0.3, "which part of the operations are reads", 0.01, 0.99},
      final_read_option("ledger", "all accounts"),
  };
  offer_checker_options(factory, "ledger");
  offer_levels(factory,
               {"ledger.consistency",
                {"ledger"},
                "linearizable",
                {{"consistent-prefix",
                  "reads may be late, but each shows the first events of its account and in the end all; streams, "
                  "versions and balances are those of linearizable"}}});
  factory.make = make;
  factory.checkers = judges;
  return factory;
}

}  // namespace ordeal
