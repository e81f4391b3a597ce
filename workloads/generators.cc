#include "workloads/generators.h"

namespace ordeal {

GeneratorPtr counting(std::string f) {
  return gen::generate(
      Rng(0),
      [f = std::move(f), next = std::int64_t{0}](const GeneratorContext&, Rng&) mutable -> std::optional<Operation> {
        return Operation{f, std::nullopt, Value(next++)};
      });
}

GeneratorPtr mixed(const Rng& rng, GeneratorPtr child, double part, GeneratorPtr other) {
  if (part <= 0) return child;
  std::vector<gen::Weighted> children;
  children.push_back({1 - part, std::move(child)});
  children.push_back({part, std::move(other)});
  return gen::weighted_mix(rng.split("mix"), std::move(children));
}

GeneratorPtr each_worker_until_ok(Operation operation, double patience_s) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  return gen::each_worker([operation = std::move(operation), patience_s](int) {
    return gen::time_limit(static_cast<std::int64_t>(patience_s * static_cast<double>(kSecond)),
                           gen::until_ok(gen::delay(kSecond / 5, gen::repeat(operation))));
  });
}

GeneratorPtr settled(const Options& options, const std::string& workload, GeneratorPtr child) {
  const auto ns = static_cast<std::int64_t>(options.seconds(workload + ".settle") * 1e9);
  return gen::phases(gen::list_of(gen::sleep(ns), std::move(child)));
}

OptionSpec settle_option(const std::string& workload, std::string help) {
  return {workload + ".settle", OptionSpec::Type::duration, 2.0, std::move(help), 0, 3600};
}

GeneratorPtr settled_reads(const Options& options, const std::string& workload) {
  return settled(options, workload,
                 each_worker_until_ok(plain("read"), options.seconds(workload + ".final-read-time")));
}

OptionSpec final_read_option(const std::string& workload, const std::string& what) {
  return {workload + ".final-read-time",
          OptionSpec::Type::duration,
          10.0,
          "how long a worker tries to read " + what + (what.empty() ? "" : " ") + "at the end",
          0,
          3600};
}

}  // namespace ordeal
