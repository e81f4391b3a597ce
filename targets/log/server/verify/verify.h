#pragma once
// `ordeal-log verify`: a stopped node's data directory, checked offline: every segment and every snapshot record for
// record, what they say together, and the tree that they give against the leaf hashes and the signed head on disk.
//
// It goes on after what it finds, and changes nothing. What it cannot see: a tail cut together with the marks and the
// head that tell of it, all of them put back consistently; only other nodes and the audit know of such a past.
// Thread-safety: pure but for reading files.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "targets/log/server/tree/key_ring.h"
#include "targets/log/server/tree/merkle.h"
#include "targets/log/server/wal/file_system.h"
#include "targets/log/server/wal/storage.h"

namespace ordeal::log {

struct VerifyFinding {
  std::string file;
  std::optional<std::uint64_t> offset;  // bytes
  std::optional<std::uint64_t> leaf;    // of the tree
  std::string message;                  // a sentence: what was found, what was expected, what to do
};

struct VerifyOptions {
  wal::StorageOptions storage;  // directory; cluster, empty: the one that the mark says; node 0: whichever
  // The hashes of the leaves that snapshot and entries make, in order; also of entries that may not be committed, which
  // come last. Empty: the tree is not checked against the log.
  std::function<Result<std::vector<tree::Hash>>(const wal::Recovery&)> leaves;
  std::string origin;                   // of the heads; empty: whichever
  const tree::KeyRing* ring = nullptr;  // null: signatures are not checked, and a remark says so
};

struct VerifyReport {
  std::vector<VerifyFinding> findings;  // empty: all is well
  std::vector<std::string> remarks;     // what a crash leaves and recovery mends; what could not be checked
  std::uint64_t segments = 0, batches = 0, entries = 0, snapshots = 0, leaves = 0;
};

// Where a node keeps the tree, below its data directory: LeafFile, and the newest signed head.
inline constexpr const char* kLeafFile = "tree/leaves";
inline constexpr const char* kHeadFile = "tree/checkpoint";

[[nodiscard]] VerifyReport verify(wal::FileSystem& files, const VerifyOptions& options);
// Only the tree's files, against what recovery found: what a node does when it starts.
[[nodiscard]] VerifyReport verify_tree(wal::FileSystem& files, const VerifyOptions& options,
                                       const wal::Recovery& found);

}  // namespace ordeal::log
