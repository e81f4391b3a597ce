#include "workloads/queue_workloads.h"

#include "workloads/generators.h"
#include "workloads/judges.h"
#include "workloads/levels.h"

namespace ordeal {
namespace {

std::vector<ConfiguredChecker> queue_judges(const Options& options) {
  return {judge_at({"queue"}, options.string("queue.consistency"), options)};
}
std::vector<ConfiguredChecker> total_queue_judges(const Options& options) {
  return {judge_at({"total-queue"}, options.string("total-queue.delivery"), options)};
}
std::vector<ConfiguredChecker> delivery_judges(const Options& options) {
  return {judge_at({"delivery"}, options.string("delivery.guarantee"), options)};
}

// [key number], the numbers of each key counting up.
GeneratorPtr keyed_messages(const Rng& rng, std::int64_t keys) {
  return gen::generate(
      rng,
      [next = std::vector<std::int64_t>(static_cast<std::size_t>(keys))](
          const GeneratorContext&, Rng& dice) mutable -> std::optional<Operation> {
        const std::uint64_t key = dice.below(next.size());
        return Operation{"enqueue", std::nullopt, Value::list({static_cast<std::int64_t>(key), next[key]++})};
      });
}

constexpr double kPatienceS = 10;  // how long a worker of the queue tries to receive at the end

Result<Workload> make_queue(const WorkloadContext& context) {
  Workload workload;
  workload.name = "queue";
  workload.generator = mixed(Rng(context.seed).split("queue"), counting("enqueue"),
                             context.options.real("queue.dequeues"), gen::repeat(plain("dequeue")));
  // What the last fault left.
  workload.final_generator = each_worker_until_ok(plain("dequeue"), kPatienceS);
  workload.checkers = queue_judges(context.options);
  return workload;
}

Result<Workload> make_total_queue(const WorkloadContext& context) {
  Workload workload;
  workload.name = "total-queue";
  workload.generator = mixed(Rng(context.seed).split("total-queue"), counting("enqueue"),
                             context.options.real("total-queue.dequeues"), gen::repeat(plain("dequeue")));
  workload.final_generator = each_worker_until_ok(plain("drain"), context.options.seconds("total-queue.drain-time"));
  workload.checkers = total_queue_judges(context.options);
  return workload;
}

Result<Workload> make_delivery(const WorkloadContext& context) {
  const Rng rng = Rng(context.seed).split("delivery");
  Workload workload;
  workload.name = "delivery";
  workload.generator = mixed(rng, keyed_messages(rng.split("enqueue"), context.options.integer("delivery.keys")),
                             context.options.real("delivery.dequeues"), gen::repeat(plain("dequeue")));
  workload.final_generator = each_worker_until_ok(plain("drain"), context.options.seconds("delivery.drain-time"));
  workload.checkers = delivery_judges(context.options);
  return workload;
}

OptionSpec dequeues(const std::string& name) {
  return {name + ".dequeues", OptionSpec::Type::real, 0.5, "which part of the operations are dequeues", 0, 0.99};
}
OptionSpec drain_time(const std::string& name) {
  return {name + ".drain-time",
          OptionSpec::Type::duration,
          10.0,
          "how long a worker tries to drain the queue at the end",
          0,
          3600};
}

}  // namespace

WorkloadFactory queue_workload() {
  WorkloadFactory factory;
  factory.name = "queue";
  factory.promise =
      "A linearizable first-in-first-out queue: each message comes out at most once, in the order in which they were "
      "put in, and the queue is found empty only when it is.";
  factory.help = "messages go into a queue and come out; none from nowhere, none twice, first in first out";
  factory.data_type = "queue";
  factory.operations = {"enqueue", "dequeue"};
  factory.options = {dequeues("queue")};
  offer_levels(
      factory,
      {"queue.consistency",
       {"queue"},
       "fifo",
       {{"at-most-once", "no message comes out twice or from nowhere; in no order, and empty may be said too early"}}});
  factory.make = make_queue;
  factory.checkers = queue_judges;
  return factory;
}

WorkloadFactory total_queue_workload() {
  WorkloadFactory factory;
  factory.name = "total-queue";
  factory.promise =
      "Every acknowledged message comes out exactly once, none that was not put in, and the queue is found empty only "
      "when it is; in which order is not promised.";
  factory.help = "a queue that is drained in the end; every acknowledged message comes out";
  factory.data_type = "queue";
  factory.operations = {"enqueue", "dequeue", "drain"};
  factory.options = {dequeues("total-queue"), drain_time("total-queue")};
  offer_levels(factory, {"total-queue.delivery",
                         {"total-queue"},
                         "exactly-once",
                         {{"at-least-once",
                           "every acknowledged message comes out; duplicates are counted only, and empty may be said "
                           "too early"}}});
  factory.make = make_total_queue;
  factory.checkers = total_queue_judges;
  return factory;
}

WorkloadFactory delivery_workload() {
  using Type = OptionSpec::Type;
  WorkloadFactory factory;
  factory.name = "delivery";
  factory.promise =
      "Every acknowledged message is delivered exactly once, messages of one key in the order in which they were sent, "
      "and the queue is found empty only when it is.";
  factory.help = "messages of several keys; each delivered as often as is claimed, in order per key";
  factory.data_type = "queue";
  factory.operations = {"enqueue", "dequeue", "drain"};
  factory.options = {dequeues("delivery"),
                     drain_time("delivery"),
                     {"delivery.keys", Type::integer, 5, "how many keys there are", 1, 1e6}};
  offer_levels(factory, {"delivery.guarantee",
                         {"delivery"},
                         "exactly-once",
                         {{"at-least-once", "every acknowledged message is delivered, perhaps more than once"},
                          {"at-most-once", "no message is delivered twice or from nowhere, and some may be lost"}}});
  offer_checker_options(factory, "delivery");
  factory.make = make_delivery;
  factory.checkers = delivery_judges;
  return factory;
}

}  // namespace ordeal
