#pragma once
// The Merkle trees of base/merkle by the name of this room, and a tree as a node restores it. Thread-safety: pure.

#include <span>
#include <string>

#include "base/merkle/hash.h"
#include "base/merkle/proofs.h"
#include "base/merkle/tree.h"

namespace ordeal::log::tree {

using namespace merkle;  // NOLINT(google-build-using-namespace): these are the room's own words

// The tree of the entries that a snapshot has.
[[nodiscard]] Tree restored(std::span<const std::string> entries);

}  // namespace ordeal::log::tree
