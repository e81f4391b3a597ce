#pragma once
// Are there instants at which a token bucket grants all that were granted and denies all that were denied?
//
// Each denial by itself may be excused by grants that came late, or by requests of unknown outcome that took a token,
// and two of them by the same grant at two different instants, which is no excuse for both. Example, a bucket of one
// token, with a token every 4 ms:
//
//   granted within [0, 20] · denied at 2 · denied at 18
//
// The grant took place at one instant; the bucket is full again 4 ms later.
//
// For a given order of the grants t(1) <= t(2) <= … both rules are differences of two of them. The k-th grant finds a
// token when t(k) - t(i) >= (k - i + 1 - B) T for all i before it, T the time of a token; a denial at x, with k grants
// before it, finds none when x - t(i) <= (k - i + 2 - B) T for some i. Such differences have a solution exactly when
// they have no positive cycle (R. Bellman, "On a routing problem", Quarterly of Applied Mathematics 16, 1958). What is
// searched for is the order, where two grants of which one begins and ends no later than the other need to be tried in
// that order only, and k and i for each denial that the latest instants do not explain.
//
// For few requests and a number of steps; a token takes `shortest` where grants are judged and `longest` where denials
// are. Tested against trying all instants. Thread-safety: pure.

#include <cstdint>
#include <vector>

#include "checkers/workload/judgement.h"

namespace ordeal::work {

struct BucketRules {
  std::int64_t burst = 1;
  std::int64_t shortest = 1, longest = 1;  // the time in which a token grows
};

// Takes place at an instant from `begin` to `end`, both included.
struct BucketRequest {
  std::int64_t begin = 0, end = 0;
  bool certain = true;  // it took a token for certain, or may have
};

enum class BucketAnswer { explained, impossible, undecided };

// The bucket is full before all of them. `steps` is what may still be done, and is counted down; the steps are work of
// `in`, which throws OutOfLimits.
[[nodiscard]] BucketAnswer explain_denials(const BucketRules& rules, const std::vector<BucketRequest>& grants,
                                           const std::vector<BucketRequest>& denials, std::size_t& steps,
                                           const Judgement& in);

}  // namespace ordeal::work
