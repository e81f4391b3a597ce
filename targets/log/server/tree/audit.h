#pragma once
// Audit: follows the nodes of a log (or anybody's tlog-tiles log) and proves that no history was rewritten or forked:
// each new head must be signed by a key of the ring, must be the root of the tiles that the node serves, and must be
// consistent with every head that any node ever showed. Heads are kept in a file, so that the next process goes on
// where this ended.
//
// Thread-safety: one thread.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "targets/log/server/tree/checkpoint.h"
#include "targets/log/server/tree/key_ring.h"
#include "targets/log/server/tree/tiles.h"

namespace ordeal::log::tree {

// A node as the audit sees it: what GET answers below its prefix.
struct AuditedNode {
  std::string name;
  Fetch fetch;
};

enum class AuditFindingKind {
  refused_head,   // not a head of this log, or signed by nobody who is believed (a revoked key, say)
  wrong_tiles,    // the tiles that a node serves are not those of the head that it signed
  forked,         // two heads, neither of which is a beginning of the other
  went_back,      // a node shows a smaller head than before: it starts, or it lost entries; look again
  bad_key_entry,  // the log holds a change of keys that nobody signed who may
  unreachable,    // a node did not answer: nothing is known of it now
};
[[nodiscard]] const char* name(AuditFindingKind kind);

struct AuditFinding {
  AuditFindingKind kind = AuditFindingKind::refused_head;
  std::string node;
  std::string message;
  // forked: the first leaf that differs; with `last_leaf` when only known to be between the two (nobody serves one of
  // the histories any more).
  std::optional<std::uint64_t> leaf;
  std::optional<std::uint64_t> last_leaf;

  // Whether it proves that a promise was broken.
  [[nodiscard]] bool proves() const {
    return kind == AuditFindingKind::refused_head || kind == AuditFindingKind::wrong_tiles ||
           kind == AuditFindingKind::forked;
  }
};

// A head that somebody showed.
struct KeptHead {
  std::string node;  // who showed it first
  std::string note;  // as it was signed: the evidence
  Checkpoint checkpoint;
  bool settled = false;  // shown to be a beginning of the largest head
};

class Audit {
 public:
  // `kept`: the contents of the file that kept() wrote, or empty. Errors: input, with the line.
  [[nodiscard]] static Result<Audit> begin(KeyRing ring, std::string_view kept);

  // Asks each node once and compares. What stays wrong is told each round; heads of forks are kept as evidence.
  [[nodiscard]] std::vector<AuditFinding> round(const std::vector<AuditedNode>& nodes);

  // What to write to the file. Lines: "ordeal-log audit 1 ORIGIN", "read LEAVES NODE", "key LEAF BASE64" (a change of
  // keys), "reached SIZE NODE", "head BASE64 NODE", "unsettled …" and "fork …" (signed notes).
  [[nodiscard]] std::string kept() const;
  // Of one history, by size; a head that is not settled yet waits for a node that shows a larger one.
  [[nodiscard]] const std::vector<KeptHead>& heads() const { return heads_; }
  // Heads that part from that history.
  [[nodiscard]] const std::vector<KeptHead>& forks() const { return forks_; }
  [[nodiscard]] const KeyRing& ring() const { return ring_; }

 private:
  explicit Audit(KeyRing ring) : ring_(std::move(ring)) {}
  struct Seen;
  class Round;

  [[nodiscard]] Result<void> take_line(const std::string& line);

  KeyRing ring_;
  std::map<std::string, std::uint64_t> keys_read_;  // by node: leaves that were looked at for changes of keys
  std::vector<std::pair<std::uint64_t, std::string>>
      key_changes_;                               // leaf and entry; those that the ring took, in order
  std::map<std::string, std::uint64_t> reached_;  // by node: the largest head that it showed
  std::vector<KeptHead> heads_;
  std::vector<KeptHead> forks_;
};

// The first leaf at which two trees part, by binary search over their beginnings, each proven against the tree's root;
// nothing when one is a beginning of the other. Errors: those of fetching; input, when a proof does not verify.
[[nodiscard]] Result<std::optional<std::uint64_t>> first_difference(const TileTree& one, const Hash& one_root,
                                                                    const TileTree& other, const Hash& other_root);

}  // namespace ordeal::log::tree
