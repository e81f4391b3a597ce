#include "workloads/replicated_workloads.h"

#include <algorithm>
#include <deque>
#include <memory>

#include "workloads/generators.h"
#include "workloads/judges.h"

namespace ordeal {
namespace {

std::vector<ConfiguredChecker> or_set_judges(const Options& options) { return {judge("or-set", options)}; }
std::vector<ConfiguredChecker> lww_map_judges(const Options& options) { return {judge("lww-map", options)}; }

// What one worker of or-set does: adds new and recent elements, removes the oldest that it has read, or a recent one.
class Adding final : public Generator {
 public:
  struct Shape {
    double reads = 0;
    double removes = 0;
    double again = 0;
  };
  // `next`: the next new element, shared by all workers.
  Adding(Shape shape, std::shared_ptr<std::int64_t> next, Rng rng) : shape_(shape), next_(std::move(next)), rng_(rng) {}

  GeneratorStep next(const GeneratorContext&) override {
    if (rng_.chance(shape_.reads)) return plain("read");
    if (rng_.chance(shape_.removes)) return Operation{"remove", std::nullopt, to_remove()};
    if (*next_ > 0 && rng_.chance(shape_.again)) return Operation{"add", std::nullopt, Value(recent())};
    return Operation{"add", std::nullopt, Value((*next_)++)};
  }

  void update(const GeneratorEvent& event) override {
    if (event.completion == nullptr || event.type != EventType::ok || event.operation->f != "read") return;
    if (!event.completion->value || !event.completion->value->is_list()) return;
    const Value::List& seen = event.completion->value->items();
    seen_.assign(seen.begin(), seen.end());
    std::sort(seen_.begin(), seen_.end());
  }

 private:
  static constexpr std::int64_t kRecent = 8;

  std::int64_t recent() {
    return rng_.between(std::max<std::int64_t>(0, *next_ - kRecent), std::max<std::int64_t>(0, *next_ - 1));
  }
  Value to_remove() {
    if (seen_.empty() || rng_.chance(0.3)) return Value(recent());
    Value oldest = seen_.front();
    seen_.pop_front();
    return oldest;
  }

  Shape shape_;
  std::shared_ptr<std::int64_t> next_;
  Rng rng_;
  std::deque<Value> seen_;  // by its last read, less what it removed since
};

Result<Workload> make_or_set(const WorkloadContext& context) {
  const Options& options = context.options;
  const Adding::Shape shape{options.real("or-set.reads"), options.real("or-set.removes"), options.real("or-set.again")};
  const Rng rng = Rng(context.seed).split("or-set");
  Workload workload;
  workload.name = "or-set";
  workload.generator = gen::each_worker([shape, rng, next = std::make_shared<std::int64_t>(0)](int worker) {
    return std::make_unique<Adding>(shape, next, rng.split(static_cast<std::uint64_t>(worker)));
  });
  workload.final_generator = settled_reads(options, "or-set");
  workload.checkers = or_set_judges(options);
  return workload;
}

// Puts, removes and reads over the keys. Timestamps go about as the operations do, but not in their order, and some
// come twice.
class Writing {
 public:
  Writing(std::int64_t keys, double reads, double removes, std::int64_t disorder)
      : reads_(reads), removes_(removes), disorder_(disorder), last_(static_cast<std::size_t>(keys)) {}

  Operation next(Rng& dice) {
    const std::size_t key = dice.below(last_.size());
    Operation out{"read", gen::key_name(key), {}};
    if (dice.chance(reads_)) return out;
    ++count_;
    if (!dice.chance(kTies)) last_[key] = disorder_ + count_ + dice.between(-disorder_, disorder_);
    out.f = dice.chance(removes_) ? "remove" : "put";
    out.value = out.f == "remove" ? Value(last_[key]) : Value::list({last_[key], count_});
    return out;
  }

 private:
  static constexpr double kTies = 0.1;

  double reads_, removes_;
  std::int64_t disorder_;
  std::int64_t count_ = 0;
  std::vector<std::int64_t> last_;  // by key: the timestamp used last
};

// Every worker reads every key.
GeneratorPtr read_all(std::int64_t keys, double patience_s) {
  gen::GeneratorList all;
  for (std::int64_t key = 0; key < keys; ++key) {
    all.push_back(each_worker_until_ok({"read", gen::key_name(static_cast<std::uint64_t>(key)), {}}, patience_s));
  }
  return gen::sequence(std::move(all));
}

Result<Workload> make_lww_map(const WorkloadContext& context) {
  const Options& options = context.options;
  const std::int64_t keys = options.integer("lww-map.keys");
  GeneratorPtr operations = gen::generate(
      Rng(context.seed).split("lww-map"),
      [writing = Writing(keys, options.real("lww-map.reads"), options.real("lww-map.removes"),
                         options.integer("lww-map.disorder"))](const GeneratorContext&, Rng& dice) mutable {
        return std::optional<Operation>(writing.next(dice));
      });
  Workload workload;
  workload.name = "lww-map";
  workload.generator = std::move(operations);
  workload.final_generator = settled(options, "lww-map", read_all(keys, options.seconds("lww-map.final-read-time")));
  workload.checkers = lww_map_judges(options);
  return workload;
}

}  // namespace

WorkloadFactory or_set_workload() {
  using Type = OptionSpec::Type;
  WorkloadFactory factory;
  factory.name = "or-set";
  factory.help = "a replicated set with removes: they remove what they had observed, and an add at the same time stays";
  factory.promise =
      "Strong eventual consistency of an observed-remove set: after the last update and the time to settle all "
      "replicas "
      "return the same elements: each with an add that no remove can have observed, and none whose adds removes had "
      "all "
      "observed; at no time one that nobody added, or one twice, and a client that removed an element reads it again "
      "only when it was added again.";
  factory.data_type = "or-set";
  factory.operations = {"add", "read", "remove"};
  factory.options = {
      {"or-set.reads", Type::real, 0.2, "which part of the operations are reads", 0.001, 0.99},
      {"or-set.removes", Type::real, 0.5, "which part of the updates are removes", 0.001, 0.99},
      {"or-set.again", Type::real, 0.3, "which part of the adds are of elements added lately", 0, 0.99},
      final_read_option("or-set"),
  };
  offer_checker_options(factory, "or-set");
  factory.make = make_or_set;
  factory.checkers = or_set_judges;
  return factory;
}

WorkloadFactory lww_map_workload() {
  using Type = OptionSpec::Type;
  WorkloadFactory factory;
  factory.name = "lww-map";
  factory.help = "a replicated map in which the greatest timestamp wins; removed values do not come back";
  factory.promise =
      "Strong eventual consistency of last-writer-wins registers: after the last write and the time to settle all "
      "replicas return for each key what was written, or removed, with the greatest timestamp, one of equal ones; at "
      "no "
      "time a value that nobody put, and for no client one with an older timestamp than it had written or read.";
  factory.data_type = "lww-map";
  factory.operations = {"put", "read", "remove"};
  factory.options = {
      {"lww-map.keys", Type::integer, 10, "how many keys there are", 1, 1e6},
      {"lww-map.reads", Type::real, 0.3, "which part of the operations are reads", 0, 0.99},
      {"lww-map.removes", Type::real, 0.2, "which part of the writes are removes", 0.001, 0.99},
      {"lww-map.disorder", Type::integer, 50, "how many writes a timestamp may be ahead or behind", 1, 1e9},
      final_read_option("lww-map", "a key"),
  };
  offer_checker_options(factory, "lww-map");
  factory.make = make_lww_map;
  factory.checkers = lww_map_judges;
  return factory;
}

}  // namespace ordeal
