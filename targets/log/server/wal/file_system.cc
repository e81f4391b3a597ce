#include "targets/log/server/wal/file_system.h"

#include <cerrno>

#include "targets/log/server/bugs.h"

namespace ordeal::log::wal {

bool IoError::no_room() const { return number == ENOSPC || number == EDQUOT; }

IoResult<void> replace_file(FileSystem& files, const std::string& path, std::string_view contents) {
  const std::string beside = path + ".tmp";
  const auto written = [&]() -> IoResult<void> {
    (void)files.remove(beside);  // what a crash left
    auto file = files.open(beside, OpenMode::create);
    if (!file) return tl::unexpected(file.error());
    if (auto wrote = (*file)->write_at(0, contents); !wrote) return wrote;
    if (!bug(Bug::snapshot_not_synced)) {
      if (auto synced = (*file)->sync(); !synced) return synced;
    }
    file->reset();
    return files.rename(beside, path);
  }();
  if (!written) {
    (void)files.remove(beside);
    return written;
  }
  if (bug(Bug::directory_not_synced)) return {};
  return files.sync_directory(path.substr(0, path.rfind('/')));
}

}  // namespace ordeal::log::wal
