#include "workloads/kafka_workload.h"

#include <set>
#include <span>

#include "workloads/generators.h"
#include "workloads/judges.h"

namespace ordeal {
namespace {

std::vector<ConfiguredChecker> judges(const Options&) { return {judge("kafka")}; }

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

Result<Workload> make(const WorkloadContext& context) {
  const std::int64_t keys = context.options.integer("kafka.keys");
  const auto polls = static_cast<std::uint64_t>(context.options.integer("kafka.final-polls"));
  Workload workload;
  workload.name = "kafka";
  workload.generator = gen::generate(Rng(context.seed).split("kafka"),
                                     [operations = Operations(keys, context.options.real("kafka.assigns"))](
                                         const GeneratorContext& now, Rng& rng) mutable -> std::optional<Operation> {
                                       return operations.next(now.process, rng);
                                     });
  workload.final_generator = gen::each_worker([keys, polls](int) {
    const Operation assign{"assign", std::nullopt, all_keys(keys)};
    const Operation poll{"poll", std::nullopt, Value::list({Value::list({"poll"})})};
    return gen::sequence(gen::list_of(gen::limit(20, gen::until_ok(gen::repeat(assign))), gen::repeat(poll, polls)));
  });
  workload.checkers = judges(context.options);
  return workload;
}

}  // namespace

WorkloadFactory kafka_workload() {
  using Type = OptionSpec::Type;
  WorkloadFactory factory;
  factory.name = "kafka";
  factory.help = "messages are sent to logs and polled; none is lost, doubled, skipped or out of order";
  factory.data_type = "kafka";
  factory.operations = {"assign", "poll", "send"};
  factory.options = {
      {"kafka.keys", Type::integer, 4, "how many logs there are", 1, 1000},
      {"kafka.assigns", Type::real, 0.03, "which part of the operations change the keys that a consumer polls", 0, 0.9},
      {"kafka.final-polls", Type::integer, 50, "how often every worker polls all logs at the end", 1, 1e6},
  };
  factory.make = make;
  factory.checkers = judges;
  return factory;
}

}  // namespace ordeal
