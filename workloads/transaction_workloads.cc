#include "workloads/transaction_workloads.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "harness/generator/combinators.h"
#include "workloads/key_order.h"
#include "workloads/levels.h"

namespace ordeal {
namespace {

// What the transactions of list-append and rw-register are like.
struct Shape {
  std::string write;  // "append" or "w"
  std::int64_t keys = 0;
  std::int64_t writes_per_key = 0;
  std::int64_t shortest = 0, longest = 0;
  double reads = 0;         // which part of the micro-operations
  bool read_first = false;  // a write is preceded by a read of its key
};

// The keys in use. Some are used more often than others: the i-th about half as often as the one before it.
class RotatingKeys {
 public:
  RotatingKeys(std::int64_t keys, std::int64_t writes_per_key, KeyOrder order) : limit_(writes_per_key), order_(order) {
    for (std::int64_t i = 0; i < keys; ++i) active_.push_back({order_(next_++), 0});
  }
  std::size_t draw(Rng& rng) const {
    std::vector<double> weights;
    for (std::size_t i = 0; i < active_.size(); ++i) weights.push_back(std::exp2(-static_cast<double>(i)));
    return rng.weighted(weights);
  }
  std::int64_t key(std::size_t place) const { return active_[place].key; }
  // The next value to write to a key: 1, 2, …. The key is replaced after its last one.
  std::int64_t value(std::size_t place) {
    const std::int64_t value = ++active_[place].written;
    if (value >= limit_) active_[place] = {order_(next_++), 0};
    return value;
  }

 private:
  struct Key {
    std::int64_t key = 0;
    std::int64_t written = 0;
  };
  std::int64_t limit_;
  KeyOrder order_;
  std::int64_t next_ = 0;
  std::vector<Key> active_;
};

Value micro(const char* f, std::int64_t key, Value value = {}) { return Value::list({f, key, std::move(value)}); }

Operation transaction(const Shape& shape, RotatingKeys& keys, Rng& rng) {
  Value txn = Value::list();
  std::set<std::int64_t> touched;  // by a read or write
  const std::int64_t length = rng.between(shape.shortest, shape.longest);
  while (static_cast<std::int64_t>(txn.items().size()) < length) {
    const std::size_t place = keys.draw(rng);
    const std::int64_t key = keys.key(place);
    if (rng.chance(shape.reads)) {
      txn.items().push_back(micro("r", key));
    } else {
      if (shape.read_first && !touched.contains(key)) txn.items().push_back(micro("r", key));
      txn.items().push_back(micro(shape.write.c_str(), key, keys.value(place)));
    }
    touched.insert(key);
  }
  return {"txn", std::nullopt, std::move(txn)};
}

Result<Workload> make(const WorkloadContext& context, const std::string& name) {
  const Options& options = context.options;
  Shape shape;
  shape.write = name == "list-append" ? "append" : "w";
  shape.keys = options.integer(name + ".keys");
  shape.writes_per_key = options.integer(name + ".writes-per-key");
  shape.shortest = options.integer(name + ".min-length");
  shape.longest = options.integer(name + ".max-length");
  shape.reads = options.real(name + ".reads");
  shape.read_first = name == "rw-register" && options.boolean(name + ".read-first");
  if (shape.shortest > shape.longest) {
    return fail(ErrorCode::usage,
                "workload " + name + ": " + name + ".min-length is greater than " + name + ".max-length");
  }
  Workload workload;
  workload.name = name;
  workload.generator = gen::generate(
      Rng(context.seed).split(name),
      [shape, keys = RotatingKeys(shape.keys, shape.writes_per_key, KeyOrder(options, name, context.seed))](
          const GeneratorContext&, Rng& rng) mutable -> std::optional<Operation> {
        return transaction(shape, keys, rng);
      });
  workload.checkers = {judge_at({name}, options.string(name + ".consistency"), options)};
  return workload;
}

std::vector<OptionSpec> shape_options(const std::string& name) {
  using Type = OptionSpec::Type;
  return {
      {name + ".keys", Type::integer, 10, "how many keys are in use at a time", 1, 10'000},
      {name + ".writes-per-key", Type::integer, 32, "writes to a key before a new one takes its place", 1, 1e9},
      {name + ".min-length", Type::integer, 1, "micro-operations of the shortest transactions", 1, 1000},
      {name + ".max-length", Type::integer, 4, "micro-operations of the longest transactions", 1, 1000},
      {name + ".reads", Type::real, 0.5, "which part of the micro-operations are reads", 0, 0.99},
      key_order_option(name),
  };
}

std::vector<ConfiguredChecker> list_append_judges(const Options& options) {
  return {judge_at({"list-append"}, options.string("list-append.consistency"), options)};
}
std::vector<ConfiguredChecker> rw_register_judges(const Options& options) {
  return {judge_at({"rw-register"}, options.string("rw-register.consistency"), options)};
}
std::vector<ConfiguredChecker> write_skew_judges(const Options& options) {
  return {judge_at({"rw-register"}, options.string("write-skew.consistency"), options)};
}

// Of one pair of keys at a time; a few pairs are in use at once.
Result<Workload> make_write_skew(const WorkloadContext& context) {
  const std::int64_t pairs = context.options.integer("write-skew.pairs");
  const std::int64_t uses = context.options.integer("write-skew.transactions-per-pair");
  Workload workload;
  workload.name = "write-skew";
  workload.generator =
      gen::generate(Rng(context.seed).split("write-skew"),
                    [keys = RotatingKeys(pairs, uses, KeyOrder(context.options, "write-skew", context.seed))](
                        const GeneratorContext&, Rng& rng) mutable -> std::optional<Operation> {
                      const std::size_t place = keys.draw(rng);
                      const std::int64_t first = 2 * keys.key(place);
                      const std::int64_t written = first + rng.between(0, 1);
                      Value txn = Value::list({micro("r", first), micro("r", first + 1)});
                      txn.items().push_back(micro("w", written, keys.value(place)));
                      return Operation{"txn", std::nullopt, std::move(txn)};
                    });
  workload.checkers = write_skew_judges(context.options);
  return workload;
}

}  // namespace

WorkloadFactory list_append_workload() {
  WorkloadFactory factory;
  factory.name = "list-append";
  factory.promise = "Transactions of reads and appends are strictly serializable.";
  factory.help = "transactions that append to lists and read them; no isolation anomaly, after Elle";
  factory.data_type = "list-append";
  factory.operations = {"txn"};
  factory.options = shape_options("list-append");
  offer_levels(factory, {"list-append.consistency", {"list-append"}, "strict-serializable"});
  factory.make = [](const WorkloadContext& context) { return make(context, "list-append"); };
  factory.checkers = list_append_judges;
  return factory;
}

WorkloadFactory rw_register_workload() {
  WorkloadFactory factory;
  factory.name = "rw-register";
  factory.promise = "Transactions of reads and writes are strictly serializable.";
  factory.help = "transactions that read and write registers; no isolation anomaly, after Elle";
  factory.data_type = "rw-register";
  factory.operations = {"txn"};
  factory.options = shape_options("rw-register");
  offer_levels(factory, {"rw-register.consistency", {"rw-register"}, "strict-serializable"});
  factory.options.push_back(
      {"rw-register.read-first", OptionSpec::Type::boolean, true,
       "read a key before it is written: the order of versions is then known, and the check fast"});
  factory.make = [](const WorkloadContext& context) { return make(context, "rw-register"); };
  factory.checkers = rw_register_judges;
  return factory;
}

WorkloadFactory write_skew_workload() {
  using Type = OptionSpec::Type;
  WorkloadFactory factory;
  factory.name = "write-skew";
  factory.promise = "Transactions that read two keys and write one of them are serializable (no write skew).";
  factory.help = "transactions that read a pair of keys and write one of them; none may miss the other's write";
  factory.data_type = "rw-register";
  factory.operations = {"txn"};
  factory.options = {
      {"write-skew.pairs", Type::integer, 2, "how many pairs of keys are in use at a time", 1, 10'000},
      {"write-skew.transactions-per-pair", Type::integer, 16, "transactions on a pair before a new one takes its place",
       1, 1e9},
      key_order_option("write-skew"),
  };
  offer_levels(factory, {"write-skew.consistency", {"rw-register"}, "serializable"});
  factory.make = make_write_skew;
  factory.checkers = write_skew_judges;
  return factory;
}

}  // namespace ordeal
