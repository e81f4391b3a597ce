#include "workloads/long_fork_workload.h"

#include <map>
#include <span>

#include "harness/generator/combinators.h"
#include "workloads/levels.h"

namespace ordeal {
namespace {

// A worker that has written a key reads its group next, to catch the write before it has spread; otherwise it reads a
// group that another worker is at, or writes the next key.
class Transactions {
 public:
  explicit Transactions(std::int64_t group) : group_(group) {}

  Operation next(int worker, Rng& rng) {
    if (const auto mine = written_.find(worker); mine != written_.end()) {
      const std::int64_t key = mine->second;
      written_.erase(mine);
      return read(key, rng);
    }
    if (!written_.empty() && rng.chance(0.5)) {
      return read(std::next(written_.begin(), static_cast<std::ptrdiff_t>(rng.below(written_.size())))->second, rng);
    }
    written_[worker] = next_;
    return txn({Value::list({"w", next_++, 1})});
  }

 private:
  static Operation txn(Value::List micros) { return {"txn", std::nullopt, Value(std::move(micros))}; }
  Operation read(std::int64_t key, Rng& rng) const {
    const std::int64_t first = key - key % group_;
    Value::List micros;
    for (std::int64_t k = first; k < first + group_; ++k) micros.push_back(Value::list({"r", k, Value()}));
    rng.shuffle(std::span(micros));
    return txn(std::move(micros));
  }

  std::int64_t group_;
  std::int64_t next_ = 0;
  std::map<int, std::int64_t> written_;  // by worker: the key it has written and not yet read
};

const std::vector<std::string>& models() {
  static const std::vector<std::string> all = {"long-fork", "rw-register"};
  return all;
}

std::vector<ConfiguredChecker> judges(const Options& options) {
  return {judge_at(models(), options.string("long-fork.consistency"), options)};
}

Result<Workload> make(const WorkloadContext& context) {
  Workload workload;
  workload.name = "long-fork";
  workload.generator = gen::generate(Rng(context.seed).split("long-fork"),
                                     [transactions = Transactions(context.options.integer("long-fork.group"))](
                                         const GeneratorContext& now, Rng& rng) mutable -> std::optional<Operation> {
                                       return transactions.next(now.worker, rng);
                                     });
  workload.checkers = judges(context.options);
  return workload;
}

}  // namespace

WorkloadFactory long_fork_workload() {
  WorkloadFactory factory;
  factory.name = "long-fork";
  factory.help = "writes to fresh keys and reads of groups of them; all reads see the writes appear in one order";
  factory.promise =
      "Snapshot isolation of single writes: one order of all writes of which every read sees a prefix, however late.";
  factory.data_type = "rw-register";
  factory.operations = {"txn"};
  factory.options = {{"long-fork.group", OptionSpec::Type::integer, 2, "how many keys are read together", 2, 100}};
  offer_levels(factory, {"long-fork.consistency",
                         models(),
                         "snapshot-isolation",
                         {{"strict-serializable",
                           "one order of all writes of which every read sees a prefix, and no "
                           "read is late"}}});
  factory.make = make;
  factory.checkers = judges;
  return factory;
}

}  // namespace ordeal
