#pragma once
// TreeFiles: what a node keeps of its tree on disk (verify/verify.h says where): the hashes of its leaves and a signed
// head, by which a log that was changed behind the node's back is told, leaf and all. Both can be made anew from
// snapshot and log, so that nothing waits for them: a thread writes what the node had applied a second before, and the
// rest when the node stops.
//
// What is kept here is never more than snapshot and log: what was applied before the node's thread last came round is
// on disk, unless the disk is full, when nothing is written here. Thread-safety: one owner; the thread inside is its
// own.

#include <memory>
#include <mutex>
#include <thread>

#include "base/error.h"
#include "targets/log/server/node/transparency.h"
#include "targets/log/server/wal/file_system.h"
#include "targets/log/server/wal/leaf_file.h"
#include "targets/log/server/wal/recovery.h"

namespace ordeal::log::node {

// Whether what recovery found gives the leaves and the head that are on disk; where there are none, yes. In a build
// with planted bugs one that is planted is left to show itself. Errors: input, naming file and leaf.
[[nodiscard]] Result<void> check_tree(const NodeOptions& options, const wal::StorageOptions& where,
                                      wal::FileSystem& files, const wal::Recovery& found);

class TreeFiles {
 public:
  // Borrows all; they outlive it. Errors: input, io.
  [[nodiscard]] static Result<std::unique_ptr<TreeFiles>> start(const NodeOptions& options, const Identity& identity,
                                                                wal::FileSystem& files, const Replica& replica,
                                                                const Transparency& transparency);
  ~TreeFiles();
  TreeFiles(const TreeFiles&) = delete;
  TreeFiles& operator=(const TreeFiles&) = delete;

  // Ends the thread and writes the rest. Requires: the replica has stopped.
  void finish();

 private:
  TreeFiles(const NodeOptions& options, wal::FileSystem& files, const Replica& replica,
            const Transparency& transparency, std::unique_ptr<wal::LeafFile> leaves);
  void run(const std::stop_token& stop);
  // Up to that many leaves and their head, unless the disk is in trouble.
  void keep(std::uint64_t size);
  [[nodiscard]] Result<void> write(std::uint64_t size);
  [[nodiscard]] std::uint64_t size_now() const;

  const std::string head_path_;
  wal::FileSystem& files_;
  const Replica& replica_;
  const Transparency& transparency_;
  const std::unique_ptr<wal::LeafFile> leaves_;  // of the thread, then of finish()
  std::uint64_t head_size_;                      // of the head on disk, which never goes back
  bool warned_ = false;
  std::jthread thread_;
};

}  // namespace ordeal::log::node
