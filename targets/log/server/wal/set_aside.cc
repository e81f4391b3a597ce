#include <algorithm>
#include <cerrno>

#include "targets/log/server/wal/recovery.h"

namespace ordeal::log::wal {
namespace {

// Of everything that can still be read, also of what follows on damage.
raft::HardState highest_term(FileSystem& files, const StorageOptions& options) {
  raft::HardState state;
  const auto names = files.list(wal_directory(options));
  for (const std::string& name : names.value_or(std::vector<std::string>{})) {
    const auto bytes = files.read(wal_directory(options) + '/' + name);
    if (!bytes || !segment_number(name)) continue;
    const auto contents = read_segment(*bytes);
    if (!contents || contents->header.cluster != options.cluster) continue;
    for (const Record& record : contents->records) {
      if (record.hard_state) state.term = std::max(state.term, record.hard_state->term);
      if (record.entry) state.term = std::max(state.term, record.entry->term);
    }
  }
  return state;
}

}  // namespace

Result<std::string> set_aside(FileSystem& files, const StorageOptions& options, raft::HardState& hard_state) {
  hard_state = highest_term(files, options);
  const auto there = files.list(options.directory);
  if (!there) return fail(as_error(there.error()));
  std::string aside;
  for (int i = 1; aside.empty(); ++i) {
    const std::string name = "damaged-" + std::to_string(i);
    if (std::find(there->begin(), there->end(), name) == there->end()) aside = options.directory + '/' + name;
  }
  if (const auto made = files.make_directory(aside); !made) return fail(as_error(made.error()));
  for (const std::string folder : {"wal", "snap", "tree"}) {
    const std::string from = options.directory + '/' + folder;
    const auto names = files.list(from);
    if (!names && names.error().number == ENOENT) continue;
    if (!names) return fail(as_error(names.error()));
    for (const std::string& name : *names) {
      const auto moved = files.rename(from + '/' + name, aside + '/' + folder + '-' + name);
      if (!moved) return fail(as_error(moved.error()));
    }
    for (const std::string& path : {aside, from}) {
      if (const auto synced = files.sync_directory(path); !synced) return fail(as_error(synced.error()));
    }
  }
  if (const auto synced = files.sync_directory(options.directory); !synced) return fail(as_error(synced.error()));
  return aside;
}

}  // namespace ordeal::log::wal
