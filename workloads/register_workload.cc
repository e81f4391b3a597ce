#include "workloads/register_workload.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <limits>
#include <memory>
#include <vector>

#include "checkers/interfaces/time_bound.h"
#include "harness/generator/combinators.h"
#include "workloads/generators.h"
#include "workloads/levels.h"

namespace ordeal {
namespace {

// How many workers share a key unless the plan says otherwise: enough for real concurrency, few enough that a key's
// history stays easy to search.
constexpr int kWorkersPerKey = 5;
// A compare-and-set with unique values expects one of the values last written to the key.
constexpr std::size_t kRemembered = 3;

// The values of one key's operations.
class Values {
 public:
  Values(bool unique, std::int64_t range) : unique_(unique), range_(range) {}
  // A value to write.
  Value fresh(Rng& rng) {
    if (!unique_) return any(rng);
    recent_.push_back(next_);
    if (recent_.size() > kRemembered) recent_.pop_front();
    return Value(next_++);
  }
  // A value that the register may hold.
  Value expected(Rng& rng) const {
    if (!unique_) return any(rng);
    if (recent_.empty()) return Value();
    return Value(recent_[rng.below(recent_.size())]);
  }

 private:
  Value any(Rng& rng) const { return Value(static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(range_)))); }
  bool unique_;
  std::int64_t range_;
  std::int64_t next_ = 0;
  std::deque<std::int64_t> recent_;
};

struct Shape {
  double read = 0;
  double write = 0;
  double cas = 0;
  bool unique = false;
  std::int64_t range = 0;
  std::size_t at_once = 1;
};

Operation operation_of(const Shape& shape, Values& values, Rng& dice) {
  const double roll = dice.unit() * (shape.read + shape.write + shape.cas);
  if (roll < shape.read) return {"read", std::nullopt, {}};
  if (roll < shape.read + shape.write) return {"write", std::nullopt, values.fresh(dice)};
  Value old = values.expected(dice);
  return {"cas", std::nullopt, Value::list({std::move(old), values.fresh(dice)})};
}

// The name of one of the registers that a group of workers has at a time.
Value name_of(std::uint64_t key, std::size_t which, std::size_t at_once) {
  Value name = gen::key_name(key);
  return at_once == 1 ? name : Value(name.string() + "." + std::to_string(which));
}

// The operations on the registers that a group of workers has at a time: one, or several at once.
GeneratorPtr operations_of_key(const Shape& shape, std::uint64_t key, Rng rng) {
  std::vector<Values> all(shape.at_once, Values(shape.unique, shape.range));
  return gen::generate(rng, [shape, key, all](const GeneratorContext&, Rng& dice) mutable -> std::optional<Operation> {
    if (all.size() == 1) return operation_of(shape, all.front(), dice);
    const std::size_t which = dice.below(all.size());
    Operation out = operation_of(shape, all[which], dice);
    out.key = name_of(key, which, all.size());
    return out;
  });
}

// Some levels have no meaning for a cas, and only the plain register has them.
const std::vector<std::string>& models() {
  static const std::vector<std::string> all = {"cas-register", "register"};
  return all;
}

std::vector<ConfiguredChecker> judges(const Options& options) {
  const std::string level = options.string("register.consistency");
  ConfiguredChecker one = judge_at(models(), level, options);
  if (level == "eventual") one.options.extra.set("eventual.settle_s", options.seconds("register.settle"));
  return {std::move(one)};
}

// The registers that the main phase came to, in order.
using UsedKeys = std::shared_ptr<std::vector<Value>>;

// Each worker, and so each node that has one, reads every register once, and tries a register again until it was read
// or its time is up.
GeneratorPtr reads_of(const UsedKeys& keys, double patience_s) {
  const auto patience_ns = static_cast<std::int64_t>(patience_s * 1e9);
  return gen::each_worker([keys, patience_ns](int) {
    return gen::cycle([keys, patience_ns](std::uint64_t round) -> GeneratorPtr {
      if (round >= keys->size()) return nullptr;
      constexpr std::int64_t kBetweenTries_ns = 200'000'000;
      const Operation read{"read", (*keys)[static_cast<std::size_t>(round)], {}};
      return gen::time_limit(patience_ns, gen::until_ok(gen::delay(kBetweenTries_ns, gen::repeat(read))));
    });
  });
}

// How many workers share a key. Errors: usage, when the plan's numbers do not fit together.
Result<int> group_size(const WorkloadContext& context) {
  const auto wanted = static_cast<int>(context.options.integer("register.workers-per-key"));
  if (wanted == 0) return std::min(kWorkersPerKey, context.workers);
  if (wanted > context.workers) {
    return fail(ErrorCode::usage, fmt::format("workload register: register.workers-per-key is {} but the plan has {} "
                                              "workers; raise --concurrency or lower the option",
                                              wanted, context.workers));
  }
  if (context.workers % wanted != 0) {
    return fail(ErrorCode::usage,
                fmt::format("workload register: {} workers do not divide into groups of register.workers-per-key = {}; "
                            "try --concurrency {}",
                            context.workers, wanted, (context.workers / wanted + 1) * wanted));
  }
  return wanted;
}

Result<Workload> make(const WorkloadContext& context) {
  const Options& options = context.options;
  const auto per_key = group_size(context);
  if (!per_key) return fail(per_key.error());
  const int groups = (context.workers + *per_key - 1) / *per_key;
  const std::int64_t keys = options.integer("register.keys");
  if (keys != 0 && groups > keys) {
    return fail(
        ErrorCode::usage,
        fmt::format("workload register: {} workers in groups of {} need {} keys at a time, but register.keys is "
                    "{}; raise register.keys or register.workers-per-key, or lower --concurrency",
                    context.workers, *per_key, groups, keys));
  }
  Shape shape;
  shape.read = options.real("register.reads");
  shape.write = options.real("register.writes");
  shape.cas = options.real("register.cas");
  const std::string values = options.string("register.values");
  const std::string level = options.string("register.consistency");
  shape.unique = values == "unique" || (values == "auto" && level != "linearizable");
  shape.range = options.integer("register.range");
  shape.at_once = static_cast<std::size_t>(options.integer("register.keys-at-once"));
  if (!(shape.read + shape.write + shape.cas > 0)) {
    return fail(ErrorCode::usage, "workload register: register.reads, register.writes and register.cas are all 0");
  }
  if (shape.cas > 0 && judges(options).front().options.model == "register") {
    return fail(ErrorCode::usage, fmt::format("workload register: a cas has no meaning at the level {}; set "
                                              "register.cas=0, or choose another level",
                                              level));
  }
  gen::EachKey how;
  how.workers_per_key = *per_key;
  how.operations_per_key = static_cast<std::uint64_t>(options.integer("register.operations-per-key"));
  if (keys != 0) how.keys = static_cast<std::uint64_t>(keys);
  Workload workload;
  workload.name = "register";
  const auto used = std::make_shared<std::vector<Value>>();
  workload.generator = gen::each_key(how, [shape, used, rng = Rng(context.seed).split("register")](std::uint64_t key) {
    for (std::size_t i = 0; i < shape.at_once; ++i) used->push_back(name_of(key, i, shape.at_once));
    return operations_of_key(shape, key, rng.split(key));
  });
  // All that has been promised is that the registers come together in the end, or within a time of their last writes.
  const auto bound_ns = time_bound_ns(level, kEventualT);
  if (level == "eventual" || bound_ns) {
    workload.final_generator =
        settled(options, "register",
                gen::phases(gen::list_of(gen::sleep(bound_ns.value_or(0)),
                                         reads_of(used, options.seconds("register.final-read-time")))));
  }
  workload.checkers = judges(options);
  return workload;
}

}  // namespace

WorkloadFactory register_workload() {
  using Type = OptionSpec::Type;
  WorkloadFactory factory;
  factory.name = "register";
  factory.help = "independent registers with read, write and compare-and-set; must be linearizable";
  factory.promise = "Each key is a linearizable register with compare-and-set.";
  factory.data_type = "register";
  factory.operations = {"read", "write", "cas"};
  factory.weights = {{"write", "register.writes"}, {"cas", "register.cas"}};
  factory.options = {
      {"register.keys", Type::integer, 0, "how many keys there are; 0: as many as the run gets to", 0, 1e9},
      {"register.keys-at-once", Type::integer, 1,
       "how many registers a group of workers uses at a time, in turn at random; more than one for levels that say "
       "something of several keys together (causal-*, pram, sequential)",
       1, 1000},
      {"register.workers-per-key", Type::integer, 0,
       "how many workers share a key; 0: five, or all when there are fewer", 0, 10'000},
      {"register.operations-per-key", Type::integer, 100, "operations on a key before the next one", 1, 1e9},
      {"register.reads", Type::real, 2.0, "weight of reads", 0, 1e6},
      {"register.writes", Type::real, 1.0, "weight of writes", 0, 1e6},
      {"register.cas", Type::real, 1.0, "weight of compare-and-sets", 0, 1e6},
      {"register.values",
       Type::string,
       "auto",
       "small: whole numbers below register.range, which repeat; unique: every written value is new on its key, which "
       "is faster to check; auto: small at the level linearizable, unique at others",
       std::nullopt,
       std::nullopt,
       {"auto", "small", "unique"}},
      {"register.range", Type::integer, 5, "how many different small values there are", 1, 1e9},
      settle_option("register",
                    "at the level eventual: how long replicas have to come together, when all is healed and written, "
                    "before every worker reads every register; at eventual-T that long and T"),
      {"register.final-read-time", Type::duration, 10.0,
       "at the levels eventual and eventual-T: how long a worker tries to read a register at the end", 0, 3600},
  };
  // `eventual-T` counts from the last write of each key, also while a fault keeps replicas apart.
  offer_levels(factory,
               {"register.consistency",
                models(),
                "linearizable",
                {{"eventual",
                  "when all writes have ended, all faults are healed and register.settle has passed, all workers read "
                  "the same of each register, and something that was written when a write was acknowledged; reads "
                  "before may return any value written by then"}}});
  factory.make = make;
  factory.checkers = judges;
  return factory;
}

}  // namespace ordeal
