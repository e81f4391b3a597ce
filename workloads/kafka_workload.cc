#include "workloads/kafka_workload.h"

#include <set>
#include <span>

#include "workloads/generators.h"
#include "workloads/judges.h"

namespace ordeal {
namespace {

std::vector<ConfiguredChecker> judges(const Options& options) { return {judge("kafka", options)}; }

Value all_keys(std::int64_t keys) {
  Value out = Value::list();
  for (std::int64_t key = 0; key < keys; ++key) out.items().emplace_back(key);
  return out;
}

// Sends, polls, and now and then a change of the keys that a consumer polls.
class Operations {
 public:
  Operations(std::int64_t keys, double assigns) : keys_(keys), assigns_(assigns) {}

  Operation next(ProcessId process, Rng& rng) {
    // A consumer that has no keys polls nothing.
    if (assigned_.insert(process).second || rng.chance(assigns_)) return assign(rng);
    if (rng.chance(0.5)) return {"poll", std::nullopt, Value::list({Value::list({"poll"})})};
    const std::int64_t count = rng.between(1, 3);
    Value sends = Value::list();
    for (std::int64_t i = 0; i < count; ++i)
      sends.items().push_back(Value::list({"send", rng.between(0, keys_ - 1), next_++}));
    return {"send", std::nullopt, std::move(sends)};
  }

 private:
  Operation assign(Rng& rng) const {
    Value keys = all_keys(keys_);
    rng.shuffle(std::span(keys.items()));
    keys.items().resize(static_cast<std::size_t>(rng.between(1, keys_)));
    return {"assign", std::nullopt, std::move(keys)};
  }

  std::int64_t keys_;
  double assigns_;
  std::int64_t next_ = 0;
  std::set<ProcessId> assigned_;
};

// One worker polls all logs until it has got nothing so often in a row that it is known to be at their end. A new
// process assigns itself first.
class PollsToTheEnd final : public Generator {
 public:
  PollsToTheEnd(std::int64_t keys, std::int64_t end_polls, std::int64_t most)
      : keys_(keys), end_polls_(end_polls), left_(most) {}

  GeneratorStep next(const GeneratorContext& now) override {
    if (left_ <= 0 || empty_ > end_polls_) return Done{};
    --left_;
    if (assigned_ != now.process) return Operation{"assign", std::nullopt, all_keys(keys_)};
    return Operation{"poll", std::nullopt, Value::list({Value::list({"poll"})})};
  }
  void update(const GeneratorEvent& event) override {
    if (event.type != EventType::ok) return;
    if (event.operation->f == "assign") assigned_ = event.process;
    if (event.operation->f == "poll") empty_ = got_nothing(event.completion->value) ? empty_ + 1 : 0;
  }

 private:
  // [["poll"]], [["poll" {}]] or [["poll" {key []}]].
  static bool got_nothing(const std::optional<Value>& polled) {
    if (!polled || !polled->is_list()) return true;
    for (const Value& micro : polled->items()) {
      if (!micro.is_list() || micro.items().size() < 2 || !micro.items()[1].is_map()) continue;
      for (const auto& [key, messages] : micro.items()[1].entries()) {
        if (messages.is_list() && !messages.items().empty()) return false;
      }
    }
    return true;
  }

  std::int64_t keys_, end_polls_, left_;
  std::int64_t empty_ = 0;
  std::optional<ProcessId> assigned_;
};

Result<Workload> make(const WorkloadContext& context) {
  const std::int64_t keys = context.options.integer("kafka.keys");
  const std::int64_t polls = context.options.integer("kafka.final-polls");
  const std::int64_t end = context.options.integer("kafka.end-polls");
  Workload workload;
  workload.name = "kafka";
  workload.generator = gen::generate(Rng(context.seed).split("kafka"),
                                     [operations = Operations(keys, context.options.real("kafka.assigns"))](
                                         const GeneratorContext& now, Rng& rng) mutable -> std::optional<Operation> {
                                       return operations.next(now.process, rng);
                                     });
  workload.final_generator = gen::each_worker(
      [keys, polls, end](int) -> GeneratorPtr { return std::make_unique<PollsToTheEnd>(keys, end, polls); });
  workload.checkers = judges(context.options);
  return workload;
}

}  // namespace

WorkloadFactory kafka_workload() {
  using Type = OptionSpec::Type;
  WorkloadFactory factory;
  factory.name = "kafka";
  factory.help = "messages are sent to logs and polled; none is lost, doubled, skipped or out of order";
  factory.promise =
      "Every acknowledged message is at one offset of its log for good: consumers get all of them, once, in the order "
      "of offsets, and none that was not sent.";
  factory.data_type = "kafka";
  factory.operations = {"assign", "poll", "send"};
  factory.options = {
      {"kafka.keys", Type::integer, 4, "how many logs there are", 1, 1000},
      {"kafka.assigns", Type::real, 0.03, "which part of the operations change the keys that a consumer polls", 0, 0.9},
      {"kafka.final-polls", Type::integer, 5000, "how often every worker polls all logs at the end, at most", 1, 1e6},
  };
  offer_checker_options(factory, "kafka");
  factory.make = make;
  factory.checkers = judges;
  return factory;
}

}  // namespace ordeal
