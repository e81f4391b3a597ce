#include "workloads/limit_workloads.h"

#include "workloads/generators.h"
#include "workloads/judges.h"

namespace ordeal {
namespace {

constexpr double kSecond = 1e9;

std::vector<ConfiguredChecker> token_bucket_judges(const Options& options) { return {judge("token-bucket", options)}; }
std::vector<ConfiguredChecker> concurrency_limit_judges(const Options& options) {
  return {judge("concurrency-limit", options)};
}

Result<Workload> make_token_bucket(const WorkloadContext& context) {
  const auto burst = static_cast<std::uint64_t>(context.options.integer("token-bucket.burst"));
  // In which an empty bucket is full again.
  const auto full_ns =
      static_cast<std::int64_t>(kSecond * static_cast<double>(burst) / context.options.real("token-bucket.rate"));
  Workload workload;
  workload.name = "token-bucket";
  // Many more requests than tokens, and a pause in which some of the burst comes back, again and again.
  workload.generator = gen::cycle([burst, full_ns](std::uint64_t) {
    return gen::sequence(gen::list_of(gen::limit(6 * burst, gen::repeat(plain("request"))), gen::sleep(full_ns / 2)));
  });
  // Of a full bucket as many requests are granted as it has tokens, unless tokens are lost.
  workload.final_generator =
      settled(context.options, "token-bucket",
              gen::phases(gen::list_of(gen::sleep(2 * full_ns), gen::limit(2 * burst, gen::repeat(plain("request"))))));
  workload.checkers = token_bucket_judges(context.options);
  return workload;
}

// Takes a permit, and gives it back when there is one to give back, forever.
GeneratorPtr permits_in_turn() {
  return gen::cycle([](std::uint64_t) {
    return gen::sequence(gen::list_of(gen::limit(20, gen::until_ok(gen::repeat(plain("acquire-permit")))),
                                      gen::limit(3, gen::until_ok(gen::repeat(plain("release-permit"))))));
  });
}
GeneratorPtr each_releases() {
  return gen::each_worker([](int) { return gen::limit(3, gen::until_ok(gen::repeat(plain("release-permit")))); });
}

Result<Workload> make_concurrency_limit(const WorkloadContext& context) {
  const std::int64_t limit = context.options.integer("concurrency-limit.limit");
  if (context.workers <= limit) {
    return fail(ErrorCode::usage, std::to_string(context.workers) + " workers never ask for more than the " +
                                      std::to_string(limit) + " permits: say --concurrency " +
                                      std::to_string(limit + 1) + " or more, or a smaller concurrency-limit.limit");
  }
  Workload workload;
  workload.name = "concurrency-limit";
  workload.generator = gen::each_worker([](int) { return permits_in_turn(); });
  // Everybody gives back what it has; when permits of crashed holders have come back, too, all of them can be taken
  // again.
  workload.final_generator = gen::phases(
      gen::list_of(each_releases(), settled(context.options, "concurrency-limit", gen::each_worker([](int) {
                                              return gen::limit(3, gen::until_ok(gen::repeat(plain("acquire-permit"))));
                                            })),
                   each_releases()));
  workload.checkers = concurrency_limit_judges(context.options);
  return workload;
}

}  // namespace

WorkloadFactory token_bucket_workload() {
  WorkloadFactory factory;
  factory.name = "token-bucket";
  factory.help = "requests in bursts are granted or denied: in any time W at most burst + rate · W grants";
  factory.promise =
      "In any time W there are at most token-bucket.burst + token-bucket.rate · W grants, and no request is denied "
      "while the bucket certainly has a token: each denial is judged alone, and those of a busy time together, by one "
      "choice of instants, where that can be decided (denials-judged).";
  factory.data_type = "token-bucket";
  factory.operations = {"request"};
  offer_checker_options(factory, "token-bucket");
  factory.make = make_token_bucket;
  factory.checkers = token_bucket_judges;
  return factory;
}

WorkloadFactory concurrency_limit_workload() {
  WorkloadFactory factory;
  factory.name = "concurrency-limit";
  factory.help = "workers take permits of which there are few: never more holders than permits, and none lost for good";
  factory.promise =
      "At no time do more than concurrency-limit.limit clients hold a permit, no client is refused one while fewer can "
      "be held (each refusal is judged alone, and all together, by one choice of instants, where that can be decided: "
      "denials-judged), and permits of crashed holders come back.";
  factory.data_type = "semaphore";
  factory.operations = {"acquire-permit", "release-permit"};
  offer_checker_options(factory, "concurrency-limit");
  factory.make = make_concurrency_limit;
  factory.checkers = concurrency_limit_judges;
  return factory;
}

}  // namespace ordeal
