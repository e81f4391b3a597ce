#include "targets/log/server/node/recover.h"

#include <fmt/format.h>

#include <algorithm>

#include "targets/log/server/node/join.h"
#include "targets/log/server/node/log_line.h"
#include "targets/log/server/node/tree_files.h"

namespace ordeal::log::node {
namespace {

// The clients' addresses of all others that this node has heard of, those of the command line first.
std::vector<std::string> others(const NodeOptions& options, const Identity& identity) {
  std::vector<std::string> out = options.join;
  for (const std::string& text : options.cluster) {
    const auto member = parse_member(text);
    if (member && member->name != options.name) out.push_back(member->client);
  }
  for (const auto* list : {&identity.founders, &identity.known}) {
    for (const MemberAddress& one : *list) {
      if (one.id != identity.id && one.client != options.advertise_client) out.push_back(one.client);
    }
  }
  std::vector<std::string> once;
  for (const std::string& one : out) {
    if (!one.empty() && std::find(once.begin(), once.end(), one) == once.end()) once.push_back(one);
  }
  return once;
}

}  // namespace

Result<Identity> recover_if_damaged(const NodeOptions& options, const Identity& identity, wal::FileSystem& files,
                                    Deadline deadline) {
  wal::StorageOptions where;
  where.directory = options.data;
  where.cluster = identity.cluster;
  where.node = identity.id;
  const auto found = wal::inspect(files, where);
  const Result<void> sound = found ? check_tree(options, where, files, *found) : Result<void>(fail(found.error()));
  if (sound) return identity;
  if (sound.error().code != ErrorCode::input) return fail(sound.error());
  log_line("WARN", "--recover: " + sound.error().message);
  NodeOptions asking = options;
  asking.join = others(options, identity);
  if (asking.join.empty()) {
    return fail(ErrorCode::usage,
                "--recover: there is no other member to be rebuilt from (--join names some); " + sound.error().message);
  }
  if (auto left = leave_cluster(asking, identity, deadline); !left) return fail(left.error().during("--recover"));
  auto fresh = join_cluster(asking, deadline);
  if (!fresh) return fail(fresh.error().during("--recover"));
  if (fresh->cluster != identity.cluster) {
    return fail(ErrorCode::usage, fmt::format("--recover: those who answer are of another cluster ({}, not {})",
                                              fresh->cluster, identity.cluster));
  }
  if (auto saved = save_identity(options.data, *fresh); !saved) return fail(saved.error());
  raft::HardState forgotten;  // of the old id, which nobody has any more
  const auto aside = wal::set_aside(files, where, forgotten);
  if (!aside) return fail(aside.error().during("--recover"));
  log_line("WARN", fmt::format("--recover: node {} is node {} from now on and gets everything from the others; its "
                               "damaged files are in {}",
                               identity.id, fresh->id, *aside));
  return fresh;
}

}  // namespace ordeal::log::node
