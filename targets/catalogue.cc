#include "targets/catalogue.h"

#include "base/names.h"
#include "targets/cockroachdb/cockroachdb_target.h"
#include "targets/etcd/etcd_target.h"
#include "targets/log/log_target.h"
#include "targets/memory/memory.h"
#include "targets/postgres/postgres_target.h"
#include "targets/process/process_target.h"
#include "targets/redis/redis_target.h"

namespace ordeal {
namespace {

// Targets that lend their database half to target process. Here and nowhere else two targets meet.
std::span<const TargetFactory> lenders() {
  static const std::vector<TargetFactory> all = {
      etcd_target(),
  };
  return all;
}

Result<std::unique_ptr<Target>> make_process(Cluster& cluster, const Options& options) {
  std::unique_ptr<Target> database;
  for (const auto& lender : lenders()) {
    if (lender.name != options.string("process.database")) continue;
    auto made = lender.make(cluster, options);
    if (!made) return made;
    database = std::move(*made);
  }
  return make_process_target(cluster, options, std::move(database));
}

// process.database also takes the lenders' names, and their options are its own.
TargetFactory process_with_lenders() {
  TargetFactory factory = process_target();
  for (auto& option : factory.options) {
    if (option.key != "process.database") continue;
    for (const auto& lender : lenders()) option.choices.push_back(lender.name);
  }
  for (const auto& lender : lenders()) {
    factory.options.insert(factory.options.end(), lender.options.begin(), lender.options.end());
  }
  factory.make = make_process;
  return factory;
}

}  // namespace

std::span<const TargetFactory> targets() {
  static const std::vector<TargetFactory> all = {
      cockroachdb_target(), etcd_target(),          log_target(),   memory_target(),
      postgres_target(),    process_with_lenders(), redis_target(),
  };
  return all;
}

Result<const TargetFactory*> find_target(std::string_view name) {
  std::vector<std::string> known;
  for (const auto& one : targets()) {
    if (one.name == name) return &one;
    known.push_back(one.name);
  }
  return fail(unknown_name("target", name, known));
}

}  // namespace ordeal
