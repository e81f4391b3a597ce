#include "workloads/message_workloads.h"

#include "workloads/generators.h"
#include "workloads/judges.h"

namespace ordeal {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

std::vector<ConfiguredChecker> dead_letter_judges(const Options& options) { return {judge("dead-letter", options)}; }
std::vector<ConfiguredChecker> outbox_judges(const Options& options) { return {judge("outbox", options)}; }

// One worker that receives messages and says ack, or reject of poison, to each before the next; in between, or when
// there is none, it does what `other` says. Without `other` it ends when it has found nothing three times in a row.
class Consumer final : public Generator {
 public:
  // What a worker has received and has not answered. The main phase may end before it did.
  struct Hand {
    std::optional<Value> id;
    bool poison = false;
    int tries = 0;
  };

  Consumer(Rng rng, std::shared_ptr<Hand> hand, double receives, GeneratorPtr other)
      : rng_(std::move(rng)), hand_(std::move(hand)), receives_(receives), other_(std::move(other)) {}

  GeneratorStep next(const GeneratorContext& now) override {
    if (hand_->id && hand_->tries++ < kMaxTries)
      return Operation{hand_->poison ? "reject" : "ack", std::nullopt, *hand_->id};
    hand_->id.reset();
    if (other_ != nullptr && !rng_.chance(receives_)) return other_->next(now);
    if (other_ == nullptr && empty_ >= kMaxEmpty) return Done{};
    if (now.now_ns < rest_until_ns_) return Wait{rest_until_ns_, false};
    return plain("receive");
  }
  void update(const GeneratorEvent& event) override {
    if (event.type == EventType::invoke) return;
    const bool answered = event.operation->f == "ack" || event.operation->f == "reject";
    if (event.type == EventType::info || (answered && event.type == EventType::ok)) hand_->id.reset();
    if (event.type == EventType::fail && other_ == nullptr) rest_until_ns_ = event.now_ns + kRestNs;
    if (event.operation->f != "receive" || event.type != EventType::ok) return;
    const Value* id = event.completion->value ? event.completion->value->find("id") : nullptr;
    if (id == nullptr) {
      ++empty_;
      if (other_ == nullptr) rest_until_ns_ = event.now_ns + kRestNs;
      return;
    }
    empty_ = 0;
    const Value* poison = event.completion->value->find("poison");
    *hand_ = {*id, poison != nullptr && *poison == Value(true), 0};
  }

 private:
  static constexpr int kMaxTries = 20;
  static constexpr int kMaxEmpty = 3;
  static constexpr std::int64_t kRestNs = kSecond / 100;
  Rng rng_;
  std::shared_ptr<Hand> hand_;
  double receives_;
  GeneratorPtr other_;
  int empty_ = 0;
  std::int64_t rest_until_ns_ = 0;
};

Result<Workload> make_dead_letter(const WorkloadContext& context) {
  const Rng rng = Rng(context.seed).split("dead-letter");
  const double poison = context.options.real("dead-letter.poison");
  const double receives = context.options.real("dead-letter.receives");
  const double patience = context.options.seconds("dead-letter.final-time");
  const auto next = std::make_shared<std::int64_t>(0);  // over all workers
  std::vector<std::shared_ptr<Consumer::Hand>> hands;   // by worker
  for (int worker = 0; worker < context.workers; ++worker) hands.push_back(std::make_shared<Consumer::Hand>());
  Workload workload;
  workload.name = "dead-letter";
  workload.generator = gen::each_worker([=](int worker) -> GeneratorPtr {
    const Rng own = rng.split(static_cast<std::uint64_t>(worker));
    auto enqueue = [next, poison](const GeneratorContext&, Rng& dice) -> std::optional<Operation> {
      Value value = Value::map();
      value.set("id", (*next)++);
      value.set("poison", dice.chance(poison));
      return Operation{"enqueue", std::nullopt, std::move(value)};
    };
    return std::make_unique<Consumer>(own.split("consumer"), hands[static_cast<std::size_t>(worker)], receives,
                                      gen::generate(own.split("enqueue"), enqueue));
  });
  // What waits to be tried again comes back once in each round.
  const auto consume = [=, settings = context.options] {
    auto round = [=](int worker) -> GeneratorPtr {
      const auto number = static_cast<std::size_t>(worker);
      return gen::time_limit(static_cast<std::int64_t>(patience * 1e9),
                             std::make_unique<Consumer>(rng.split(number), hands[number], 1, nullptr));
    };
    return settled(settings, "dead-letter", gen::each_worker(std::move(round)));
  };
  gen::GeneratorList phases;
  for (std::int64_t round = 0; round <= context.options.integer("dead-letter.max-attempts") && round < 10; ++round)
    phases.push_back(consume());
  phases.push_back(each_worker_until_ok(plain("drain-dead"), patience));
  workload.final_generator = gen::phases(std::move(phases));
  workload.checkers = dead_letter_judges(context.options);
  return workload;
}

Result<Workload> make_outbox(const WorkloadContext& context) {
  const Rng rng = Rng(context.seed).split("outbox");
  const std::int64_t keys = context.options.integer("outbox.keys");
  const double rollbacks = context.options.real("outbox.rollbacks");
  const double reads = context.options.real("outbox.reads");
  const double patience = context.options.seconds("outbox.final-read-time");
  auto draw = [=, next = std::int64_t{0}](const GeneratorContext&, Rng& dice) mutable -> std::optional<Operation> {
    Value value = Value::map();
    value.set("id", next++);
    value.set("key", dice.between(0, keys - 1));
    if (dice.chance(rollbacks)) value.set("rollback", true);
    return Operation{"change", std::nullopt, std::move(value)};
  };
  Workload workload;
  workload.name = "outbox";
  workload.generator =
      mixed(rng, gen::generate(rng.split("change"), std::move(draw)), reads,
            gen::mix(rng.split("reads"), gen::list_of(gen::repeat(plain("read")), gen::repeat(plain("messages")))));
  workload.final_generator =
      gen::phases(gen::list_of(settled(context.options, "outbox", each_worker_until_ok(plain("read"), patience)),
                               settled(context.options, "outbox", each_worker_until_ok(plain("messages"), patience)),
                               each_worker_until_ok(plain("read"), patience)));
  workload.checkers = outbox_judges(context.options);
  return workload;
}

}  // namespace

WorkloadFactory dead_letter_workload() {
  using Type = OptionSpec::Type;
  WorkloadFactory factory;
  factory.name = "dead-letter";
  factory.help = "consumers fail on some messages: these end in the dead-letter queue, nothing is lost or blocked";
  factory.promise =
      "Every message that was put in ends acknowledged by a consumer or in the dead-letter queue, never both and never "
      "neither: dead-letter.settle after it was rejected, or its client was gone, it is back in one of the two queues. "
      "An ack that is ok holds, whoever had the message. It is delivered dead-letter.max-attempts times at most, those "
      "to "
      "clients that crashed included and, since another may get it when a client is slow to answer, those of one that "
      "is "
      "still with somebody; nothing is dead that was neither rejected nor delivered so often. A receive finds nothing "
      "only when no message is there that nobody has received, unless dead-letter.empty-receives.";
  factory.data_type = "dead-letter";
  factory.operations = {"ack", "drain-dead", "enqueue", "receive", "reject"};
  factory.options = {
      {"dead-letter.poison", Type::real, 0.2, "which part of the messages is poison", 0.001, 1},
      {"dead-letter.receives", Type::real, 0.6, "which part of the operations of a worker without a message receive",
       0.01, 0.99},
      {"dead-letter.final-time", Type::duration, 10.0, "how long a worker goes on receiving in each round of the end",
       0, 3600},
  };
  offer_checker_options(factory, "dead-letter");
  factory.make = make_dead_letter;
  factory.checkers = dead_letter_judges;
  return factory;
}

WorkloadFactory outbox_workload() {
  using Type = OptionSpec::Type;
  WorkloadFactory factory;
  factory.name = "outbox";
  factory.help = "changes that send a message in their transaction: both or neither, in order per key";
  factory.promise =
      "A change and its message are both there or neither: a message is published within outbox.settle after every "
      "change in the state and never for one that is not, at least once, in the order of the changes of its key.";
  factory.data_type = "outbox";
  factory.operations = {"change", "messages", "read"};
  factory.options = {
      {"outbox.keys", Type::integer, 5, "how many keys there are", 1, 1e6},
      {"outbox.rollbacks", Type::real, 0.2, "which part of the changes is rolled back", 0, 0.99},
      {"outbox.reads", Type::real, 0.05, "which part of the operations read the state or the messages", 0, 0.99},
      final_read_option("outbox"),
  };
  offer_checker_options(factory, "outbox");
  factory.make = make_outbox;
  factory.checkers = outbox_judges;
  return factory;
}

}  // namespace ordeal
