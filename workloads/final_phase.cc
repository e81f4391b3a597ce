#include "workloads/final_phase.h"

namespace ordeal {

GeneratorPtr each_worker_until_ok(Operation operation, double patience_s) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  return gen::each_worker([operation = std::move(operation), patience_s](int) {
    return gen::time_limit(static_cast<std::int64_t>(patience_s * static_cast<double>(kSecond)),
                           gen::until_ok(gen::delay(kSecond / 5, gen::repeat(operation))));
  });
}

}  // namespace ordeal
