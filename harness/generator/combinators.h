#pragma once
// The vocabulary from which workloads build their generators: small generators, and functions that make larger ones
// out of smaller ones. They live in a namespace of their own because their names are everyday words.
//
//   Rng rng = Rng(context.seed).split("register");
//   auto key_ops = [rng](std::uint64_t key) {
//     Rng r = rng.split(key);
//     return gen::mix(r.split("mix"), gen::list_of(gen::generate(r.split("r"), read),
//                                                  gen::generate(r.split("w"), write)));
//   };
//   workload.generator = gen::each_key({.workers_per_key = 2, .operations_per_key = 100}, key_ops);
//
// What is deterministic. Every generator that draws chance has a stream of its own, split from the seed. The n-th
// operation that a stream yields, and the n-th arrival time of rate(), are fixed by the seed; which worker takes it
// is decided by who is free. So two runs of one seed issue the same operations in the same order per stream (per key
// under each_key, per group under reserve) at the same planned times, as far as the system answers alike: how far a
// run comes until its time limit, how workers of different groups interleave, and what until_ok() and other
// generators that look at completions do, depend on the system under test.
//
// Workers. Generators that split the workers into groups (reserve, each_key, each_worker) show their children only
// the group: `worker` and `workers` of the context are counted within it; `process` stays the real one. Children get
// the events of their own operations only.
//
// All of these own what they are given. Times are ns. Thread-safety: as Generator.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "harness/generator/generator.h"

namespace ordeal::gen {

using GeneratorList = std::vector<GeneratorPtr>;

// list_of(a, b, c): a GeneratorList; initializer lists cannot hold unique_ptrs.
template <class... Ptrs>
[[nodiscard]] GeneratorList list_of(Ptrs... ptrs) {
  GeneratorList list;
  list.reserve(sizeof...(ptrs));
  (list.push_back(std::move(ptrs)), ...);
  return list;
}

// ---- sources ------------------------------------------------------------------------------------------------------

// Makes one operation; nullopt: nothing will come again for this worker. May keep state (a counter of unique values).
using OperationFunction = std::function<std::optional<Operation>(const GeneratorContext&, Rng&)>;
// Calls `make` for each operation, forever.
[[nodiscard]] GeneratorPtr generate(Rng rng, OperationFunction make);
// These operations in order, each once, whoever asks.
[[nodiscard]] GeneratorPtr operations(std::vector<Operation> list);
[[nodiscard]] GeneratorPtr once(Operation operation);
// The same operation again and again.
[[nodiscard]] GeneratorPtr repeat(Operation operation, std::uint64_t times = std::numeric_limits<std::uint64_t>::max());
// No operation for this long after it was first asked, then done. In a sequence: a pause.
[[nodiscard]] GeneratorPtr sleep(std::int64_t ns);

// ---- one child ----------------------------------------------------------------------------------------------------

// At most n operations.
[[nodiscard]] GeneratorPtr limit(std::uint64_t n, GeneratorPtr child);
[[nodiscard]] GeneratorPtr once(GeneratorPtr child);
// Done this long after it was first asked.
[[nodiscard]] GeneratorPtr time_limit(std::int64_t ns, GeneratorPtr child);
// Each operation transformed.
[[nodiscard]] GeneratorPtr map(std::function<Operation(Operation)> transform, GeneratorPtr child);
// Only the operations that satisfy `keep`; those left out count as issued for the child.
[[nodiscard]] GeneratorPtr filter(std::function<bool(const Operation&)> keep, GeneratorPtr child);
// Until one of its operations completed with ok.
[[nodiscard]] GeneratorPtr until_ok(GeneratorPtr child);

enum class Arrivals { poisson, fixed };
// `per_second` operations a second over all workers; 0: as fast as they come. When the workers cannot keep up, at
// most a tenth of a second's worth is made good later, so a stall is not followed by a storm.
[[nodiscard]] GeneratorPtr rate(Arrivals arrivals, double per_second, Rng rng, GeneratorPtr child);
// Invocations at least this far apart.
[[nodiscard]] GeneratorPtr delay(std::int64_t ns, GeneratorPtr child);
// Waits until every worker is free before the first operation.
[[nodiscard]] GeneratorPtr synchronize(GeneratorPtr child);

// ---- several children ---------------------------------------------------------------------------------------------

// Each operation from a child chosen at random. The choice stands until it has led to an operation: a child that
// waits makes the mix wait. Done when all children are.
[[nodiscard]] GeneratorPtr mix(Rng rng, GeneratorList children);
struct Weighted {
  double weight = 1;
  GeneratorPtr child;
};
[[nodiscard]] GeneratorPtr weighted_mix(Rng rng, std::vector<Weighted> children);
// The first child, in order, that has an operation now.
[[nodiscard]] GeneratorPtr any(GeneratorList children);
// One after the other; each worker moves on by itself when the child has nothing more for it.
[[nodiscard]] GeneratorPtr sequence(GeneratorList children);
// One after the other with barriers: no worker starts a phase before all have finished the one before, their open
// operations included.
[[nodiscard]] GeneratorPtr phases(GeneratorList children);
// make(0), make(1), … one after the other without barriers, forever or `rounds` times.
[[nodiscard]] GeneratorPtr cycle(std::function<GeneratorPtr(std::uint64_t round)> make,
                                 std::uint64_t rounds = std::numeric_limits<std::uint64_t>::max());

// ---- workers in groups --------------------------------------------------------------------------------------------

struct Reserved {
  int workers = 1;
  GeneratorPtr child;
};
// The first `workers` workers draw from the first child, the next from the second, …, all others from `rest`
// (nullptr: they have nothing to do).
[[nodiscard]] GeneratorPtr reserve(std::vector<Reserved> groups, GeneratorPtr rest);
// A generator of its own for every worker.
[[nodiscard]] GeneratorPtr each_worker(std::function<GeneratorPtr(int worker)> make);

// Independent keys: workers work in groups of `workers_per_key` on one key at a time, for `operations_per_key`
// operations, then on the next. Of G groups the g-th takes the keys g, g+G, g+2G, …, so which operations a key sees
// does not depend on how fast the groups are. Workers left over form a smaller group. A worker whose operation on
// the old key is still open does not hold up the others of its group.
struct EachKey {
  int workers_per_key = 1;
  std::uint64_t operations_per_key = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t keys = std::numeric_limits<std::uint64_t>::max();  // how many keys there are
};
// `make` yields the generator of one key; its operations get the key "k<number>".
[[nodiscard]] GeneratorPtr each_key(EachKey how, std::function<GeneratorPtr(std::uint64_t key)> make);
// The name of the key of that number: "k7".
[[nodiscard]] Value key_name(std::uint64_t number);

}  // namespace ordeal::gen
