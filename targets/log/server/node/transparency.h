#pragma once
// Transparency: the public read side of the log. Signed tree heads as C2SP checkpoints, tiles and bundles of entries,
// and proofs. A head is signed only for entries that are committed: the tree holds no others.
//
// Every node has an Ed25519 key of its own in its data directory (head.key, made when it is missing), whose name is the
// log's origin. Thread-safety: all methods from any thread.

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "base/error.h"
#include "targets/log/server/node/replica.h"
#include "targets/log/server/tree/checkpoint.h"
#include "targets/log/server/tree/keys.h"

namespace ordeal::log::node {

class Transparency {
 public:
  // Reads or makes the key. Errors: input, a damaged key file; io.
  [[nodiscard]] static Result<std::unique_ptr<Transparency>> open(const NodeOptions& options, const Replica& replica);

  // The signed note of the tree as it is here now.
  [[nodiscard]] std::string checkpoint() const;
  // … as it was at that size; empty: there are not so many leaves.
  [[nodiscard]] std::string head_of(std::uint64_t size) const;
  // The bytes of "tile/…". Errors: not_found.
  [[nodiscard]] Result<std::string> tile(const std::string& path) const;
  // {"size":…,"root":…,"checkpoint":…,"key":…}
  [[nodiscard]] std::string head() const;
  // {"index":…,"size":…,"leaf_hash":…,"proof":[…]}, all hashes in base64. Errors: usage, beyond the tree.
  [[nodiscard]] Result<std::string> inclusion(std::uint64_t index, std::uint64_t size) const;
  // {"first":…,"second":…,"proof":[…]}. Errors: usage.
  [[nodiscard]] Result<std::string> consistency(std::uint64_t first, std::uint64_t second) const;

 private:
  Transparency(const NodeOptions& options, const Replica& replica, tree::SigningKey key);
  const std::string origin_;
  const Replica& replica_;
  const tree::SigningKey key_;
  mutable std::mutex mutex_;  // guards the two below: signing costs more than looking
  mutable tree::Checkpoint signed_;
  mutable std::string note_;
};

}  // namespace ordeal::log::node
