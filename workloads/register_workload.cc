#include "workloads/register_workload.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <limits>

#include "harness/generator/combinators.h"
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

// The operations on the registers that a group of workers has at a time: one, or several at once.
GeneratorPtr operations_of_key(const Shape& shape, std::uint64_t key, Rng rng) {
  std::vector<Values> all(shape.at_once, Values(shape.unique, shape.range));
  return gen::generate(rng, [shape, key, all](const GeneratorContext&, Rng& dice) mutable -> std::optional<Operation> {
    if (all.size() == 1) return operation_of(shape, all.front(), dice);
    const std::size_t which = dice.below(all.size());
    Operation out = operation_of(shape, all[which], dice);
    out.key = Value(gen::key_name(key).string() + "." + std::to_string(which));
    return out;
  });
}

// Some levels have no meaning for a cas, and only the plain register has them.
const std::vector<std::string>& models() {
  static const std::vector<std::string> all = {"cas-register", "register"};
  return all;
}

std::vector<ConfiguredChecker> judges(const Options& options) {
  return {judge_at(models(), options.string("register.consistency"), options)};
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
  workload.generator = gen::each_key(how, [shape, rng = Rng(context.seed).split("register")](std::uint64_t key) {
    return operations_of_key(shape, key, rng.split(key));
  });
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
  };
  // `eventual` takes reads of each key by everybody after its last write has spread.
  offer_levels(factory, {"register.consistency", models(), "linearizable", {}, {"eventual", "eventual-T"}});
  factory.make = make;
  factory.checkers = judges;
  return factory;
}

}  // namespace ordeal
