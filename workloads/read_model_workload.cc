#include "workloads/read_model_workload.h"

#include <algorithm>
#include <array>
#include <map>
#include <memory>

#include "workloads/generators.h"
#include "workloads/judges.h"

namespace ordeal {
namespace {

constexpr int kWorkersPerKey = 5;

std::vector<ConfiguredChecker> judges(const Options& options) { return {judge("read-model", options)}; }

// What is asked of one log.
class OneLog final : public Generator {
 public:
  OneLog(double appends, Rng rng) : appends_(appends), rng_(rng) {}

  GeneratorStep next(const GeneratorContext&) override {
    if (rng_.chance(appends_)) return Operation{"append", std::nullopt, Value(next_++)};
    const std::array<double, 4> weights = {2, 3, 2, 1};
    switch (rng_.weighted(weights)) {
      case 0:
        return plain("read");
      case 1:
        return Operation{"read", std::nullopt, Value(token_)};
      case 2:
        return Operation{"read-at", std::nullopt, Value(rng_.between(0, token_))};
      default:
        return plain("replay");
    }
  }

  void update(const GeneratorEvent& event) override {
    if (event.completion == nullptr || event.type != EventType::ok || event.operation->f != "append") return;
    if (!event.completion->value || !event.completion->value->is_list()) return;
    const Value::List& token = event.completion->value->items();
    if (token.size() == 2 && token[0].is_integer()) token_ = std::max(token_, token[0].integer());
  }

 private:
  double appends_;
  Rng rng_;
  std::int64_t next_ = 0;   // the next event
  std::int64_t token_ = 0;  // the last one known
};

// The last log of each group of workers.
using LastKeys = std::map<std::uint64_t, std::uint64_t>;

// In the end every worker reads and replays the logs that were in use last.
GeneratorPtr look_again(std::shared_ptr<const LastKeys> keys, double patience_s) {
  return gen::cycle(
      [keys, patience_s](std::uint64_t) {
        gen::GeneratorList all;
        for (const auto& [group, key] : *keys) {
          for (const char* f : {"read", "replay"})
            all.push_back(each_worker_until_ok({f, gen::key_name(key), {}}, patience_s));
        }
        return gen::sequence(std::move(all));
      },
      1);
}

Result<Workload> make(const WorkloadContext& context) {
  const Options& options = context.options;
  const double appends = options.real("read-model.appends");
  gen::EachKey how;
  how.workers_per_key = std::min(kWorkersPerKey, context.workers);
  how.operations_per_key = static_cast<std::uint64_t>(options.integer("read-model.operations-per-key"));
  const auto groups = static_cast<std::uint64_t>((context.workers + how.workers_per_key - 1) / how.workers_per_key);
  auto last = std::make_shared<LastKeys>();
  Workload workload;
  workload.name = "read-model";
  workload.generator =
      gen::each_key(how, [appends, groups, last, rng = Rng(context.seed).split("read-model")](std::uint64_t key) {
        (*last)[key % groups] = key;
        return std::make_unique<OneLog>(appends, rng.split(key));
      });
  const auto pause = static_cast<std::int64_t>(options.seconds("read-model.lag") * 1.1e9);
  workload.final_generator = gen::phases(
      gen::list_of(gen::sleep(pause), look_again(std::move(last), options.seconds("read-model.final-read-time"))));
  workload.checkers = judges(options);
  return workload;
}

}  // namespace

WorkloadFactory read_model_workload() {
  using Type = OptionSpec::Type;
  WorkloadFactory factory;
  factory.name = "read-model";
  factory.help = "events and the state built from them: tokens, reads of the past, replays, and how far it lags behind";
  factory.promise =
      "Each key is one list of events whose positions grow with time; every read, read of the past and replay shows "
      "exactly the events up to the position that it names, always the same; a read with a token shows at least that "
      "position; what had been acknowledged more than read-model.lag before a read or replay began is there.";
  factory.data_type = "event-log";
  factory.operations = {"append", "read", "read-at", "replay"};
  factory.options = {
      {"read-model.operations-per-key", Type::integer, 200, "operations on a log before the next one", 1, 1e9},
      {"read-model.appends", Type::real, 0.3, "which part of the operations are appends", 0.001, 0.99},
      final_read_option("read-model", "a log"),
  };
  offer_checker_options(factory, "read-model");
  factory.make = make;
  factory.checkers = judges;
  return factory;
}

}  // namespace ordeal
