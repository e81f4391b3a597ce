#pragma once
// --recover: a node whose files are damaged is rebuilt from the quorum, as another member. Damaged are also the leaves
// and the head in DATA/tree, and a log that does not make them: which of the two was changed, only the others know.
//
// It may have voted, and acknowledged entries, that its files do not tell any more; so its old id must never be used
// again. The others remove that id and announce a new one, a learner until it has everything; only then are the damaged
// files moved to DATA/damaged-N/. A crash between any two of these steps leaves either the old node, damaged, or the
// new one with files of another node, which are refused as well: the next start begins again. Thread-safety: one
// thread.

#include "base/deadline.h"
#include "base/error.h"
#include "targets/log/server/node/options.h"
#include "targets/log/server/wal/storage.h"

namespace ordeal::log::node {

// What the node is from then on: `identity` when its files are sound. Requires: the directory's lock is held.
// Errors: usage, when nobody is left whom to ask (a cluster of one has no other copy); timeout, when the others have no
// quorum or do not answer: nothing was changed here; io.
[[nodiscard]] Result<Identity> recover_if_damaged(const NodeOptions& options, const Identity& identity,
                                                  wal::FileSystem& files, Deadline deadline);

}  // namespace ordeal::log::node
