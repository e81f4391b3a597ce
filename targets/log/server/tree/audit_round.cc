// One round of an audit: every node is asked for its head, then each head is held against the history.
//
// heads_ is one history by size. A head is settled when it was shown to be a beginning of the largest one. Nodes that
// lag show heads smaller than the largest: these are kept unsettled until a node that serves a larger tree proves them
// to be a beginning of it, or not. So each head costs one or two consistency proofs, and none is believed for ever
// unproven.
//
// Changes of keys are read from each node's log of its own: were they read once for all, a forged log that somebody
// shows with a stolen key would hide the entry that revokes that key.

#include <algorithm>
#include <memory>

#include "base/text.h"
#include "targets/log/server/tree/audit.h"

namespace ordeal::log::tree {
namespace {

constexpr std::uint64_t kMaxBundlesARound = 4096;  // a million entries: the rest is read in the next round

bool same_head(const Checkpoint& a, const Checkpoint& b) { return a.size == b.size && a.root == b.root; }

std::string described(const Checkpoint& head) {
  return std::to_string(head.size) + " leaves, root " + base64(head.root);
}

}  // namespace

struct Audit::Seen {
  const AuditedNode* node = nullptr;
  std::string note;
  Checkpoint checkpoint;
  std::shared_ptr<TileTree> tree;
  bool proven = false;  // the tiles have that root
};

class Audit::Round {
 public:
  Round(Audit& audit, const std::vector<AuditedNode>& nodes) : audit_(audit), nodes_(nodes) {}

  std::vector<AuditFinding> run() {
    for (const AuditedNode& node : nodes_) look_at(node);
    judge_again();
    std::stable_sort(seen_.begin(), seen_.end(),
                     [](const Seen& a, const Seen& b) { return a.checkpoint.size < b.checkpoint.size; });
    for (const Seen& one : seen_) {
      std::uint64_t& reached = audit_.reached_[one.node->name];
      if (one.checkpoint.size < reached) {
        tell(AuditFindingKind::went_back, one.node->name,
             "shows a head of " + std::to_string(one.checkpoint.size) + " leaves, and showed one of " +
                 std::to_string(reached) + " before: it starts, or it lost entries");
      }
      reached = std::max(reached, one.checkpoint.size);
      compare(one);
    }
    return std::move(findings_);
  }

 private:
  AuditFinding& tell(AuditFindingKind kind, const std::string& node, const std::string& message) {
    findings_.push_back({kind, node, node + ": " + message, std::nullopt, std::nullopt});
    return findings_.back();
  }

  // Takes the node's head, or says why not. A head by a key that is not known yet is read for the changes of keys that
  // brought it in: they are signed by keys that are known.
  void look_at(const AuditedNode& node) {
    const auto note = node.fetch("checkpoint");
    if (!note) {
      tell(AuditFindingKind::unreachable, node.name, "no head: " + note.error().message);
      return;
    }
    Seen one{&node, *note, {}, nullptr, false};
    auto checkpoint = audit_.ring_.open(*note);
    if (!checkpoint && checkpoint.error().code == ErrorCode::permission) {
      const auto parsed = parse_note(*note);
      const auto unsure = parsed ? parse_checkpoint(parsed->text) : fail(parsed.error());
      if (unsure && unsure->origin == audit_.ring_.origin()) {
        one.tree = std::make_shared<TileTree>(unsure->size, node.fetch);
        const auto root = one.tree->root(unsure->size);
        if (root && *root == unsure->root) read_keys(one, unsure->size);
        checkpoint = audit_.ring_.open(*note);
      }
    }
    if (!checkpoint) {
      tell(AuditFindingKind::refused_head, node.name, checkpoint.error().message);
      return;
    }
    one.checkpoint = *checkpoint;
    one.tree = std::make_shared<TileTree>(checkpoint->size, node.fetch);
    const auto root = one.tree->root(checkpoint->size);
    if (!root) {
      const bool wrong = root.error().code == ErrorCode::input;
      tell(wrong ? AuditFindingKind::wrong_tiles : AuditFindingKind::unreachable, node.name,
           "its tiles: " + root.error().message);
    } else if (*root != checkpoint->root) {
      tell(AuditFindingKind::wrong_tiles, node.name,
           "signed a head of " + described(*checkpoint) + ", but its tiles have the root " + base64(*root));
    } else {
      one.proven = true;
      read_keys(one, checkpoint->size);
    }
    seen_.push_back(std::move(one));
  }

  // Looks for changes of keys in the entries that were not read yet, each held against its leaf's hash.
  void read_keys(const Seen& one, std::uint64_t size) {
    std::uint64_t& read = audit_.keys_read_[one.node->name];
    for (std::uint64_t bundles = 0; read < size && bundles < kMaxBundlesARound; ++bundles) {
      TileId id = tile_with(0, read, size);
      id.entries = true;
      auto bytes = one.node->fetch(tile_path(id));
      if (!bytes) {
        tell(AuditFindingKind::unreachable, one.node->name,
             "entries from " + std::to_string(read) +
                 " on cannot be read, so that a revoked key may still be believed: " + bytes.error().message);
        return;
      }
      const auto entries = parse_bundle(*bytes, id.width);
      if (!entries) {
        tell(AuditFindingKind::wrong_tiles, one.node->name, tile_path(id) + ": " + entries.error().message);
        return;
      }
      if (!read_bundle(one, id, *entries, read)) return;
    }
  }

  bool read_bundle(const Seen& one, const TileId& id, const std::vector<std::string>& entries, std::uint64_t& read) {
    for (std::uint64_t i = read % kTileWidth; i < entries.size(); ++i) {
      const std::uint64_t leaf = id.index * kTileWidth + i;
      const auto hash = one.tree->leaf(leaf);
      if (!hash || *hash != leaf_hash(entries[i])) {
        tell(AuditFindingKind::wrong_tiles, one.node->name,
             tile_path(id) + ": entry " + std::to_string(i) + " is not leaf " + std::to_string(leaf))
            .leaf = leaf;
        return false;
      }
      if (is_key_change(entries[i])) change_keys(one, entries[i], leaf);
      read = leaf + 1;
    }
    return true;
  }

  void change_keys(const Seen& one, const std::string& entry, std::uint64_t leaf) {
    const std::pair<std::uint64_t, std::string> change(leaf, entry);
    const auto& known = audit_.key_changes_;
    if (std::find(known.begin(), known.end(), change) != known.end()) return;  // another node showed it
    if (const auto applied = audit_.ring_.apply(entry, leaf); !applied) {
      tell(AuditFindingKind::bad_key_entry, one.node->name,
           "leaf " + std::to_string(leaf) + ": " + applied.error().message)
          .leaf = leaf;
      return;
    }
    audit_.key_changes_.push_back(change);
  }

  // What one node's log said of keys counts for the heads of all.
  void judge_again() {
    std::erase_if(seen_, [this](const Seen& one) {
      const auto checkpoint = audit_.ring_.open(one.note);
      if (!checkpoint) tell(AuditFindingKind::refused_head, one.node->name, checkpoint.error().message);
      return !checkpoint;
    });
  }

  // Whether the head is a beginning of the tree that the node signed and serves. Errors: input, when its tiles prove
  // neither; those of fetching.
  static Result<bool> begins(const Checkpoint& head, const Seen& one) {
    if (head.size == one.checkpoint.size) return head.root == one.checkpoint.root;
    if (!one.proven) return fail(ErrorCode::input, "its tiles prove nothing");
    const std::uint64_t size = one.checkpoint.size;
    const auto proof = one.tree->consistency(head.size, size);
    if (!proof) return fail(proof.error());
    if (verify_consistency(head.size, head.root, size, one.checkpoint.root, *proof)) return true;
    const auto own = one.tree->root(head.size);
    if (!own) return fail(own.error());
    if (verify_consistency(head.size, *own, size, one.checkpoint.root, *proof)) return false;
    return fail(ErrorCode::input, "its tiles prove no beginning of " + std::to_string(head.size) + " leaves");
  }

  void compare(const Seen& one) {
    std::vector<KeptHead>& heads = audit_.heads_;
    const std::uint64_t size = one.checkpoint.size;
    const KeptHead* before = nullptr;  // the largest settled one that is not larger
    const KeptHead* top = nullptr;     // the largest settled one
    for (const KeptHead& head : heads) {
      if (!head.settled) continue;
      if (head.checkpoint.size <= size) before = &head;
      top = &head;
    }
    if (before != nullptr) {
      const auto begun = begins(before->checkpoint, one);
      if (!begun) {
        cannot_compare(one, *before, begun.error());
        return;
      }
      if (!*begun) {
        fork(*before, one);
        add(audit_.forks_, one);
        return;
      }
    }
    const bool largest = top == nullptr || size >= top->checkpoint.size;
    if (largest && !settle(one)) return;
    add(heads, one).settled |= largest;
  }

  // All unsettled heads up to this one's size, now that a larger tree can prove them. False: it could not.
  bool settle(const Seen& one) {
    std::vector<KeptHead>& heads = audit_.heads_;
    for (std::size_t i = 0; i < heads.size();) {
      if (heads[i].settled || heads[i].checkpoint.size > one.checkpoint.size) {
        ++i;
        continue;
      }
      const auto begun = begins(heads[i].checkpoint, one);
      if (!begun) {
        cannot_compare(one, heads[i], begun.error());
        return false;
      }
      if (*begun) {
        heads[i++].settled = true;
        continue;
      }
      fork(heads[i], one);
      audit_.forks_.push_back(heads[i]);
      heads.erase(heads.begin() + static_cast<std::ptrdiff_t>(i));
    }
    return true;
  }

  void cannot_compare(const Seen& one, const KeptHead& head, const Error& error) {
    const bool wrong = error.code == ErrorCode::input;
    tell(wrong ? AuditFindingKind::wrong_tiles : AuditFindingKind::unreachable, one.node->name,
         "its head of " + std::to_string(one.checkpoint.size) + " leaves cannot be held against that of " +
             std::to_string(head.checkpoint.size) + " which " + head.node + " showed: " + error.message);
  }

  static KeptHead& add(std::vector<KeptHead>& heads, const Seen& one) {
    for (KeptHead& head : heads) {
      if (same_head(head.checkpoint, one.checkpoint)) return head;
    }
    const auto larger = [&](const KeptHead& head) { return head.checkpoint.size > one.checkpoint.size; };
    const auto place = std::find_if(heads.begin(), heads.end(), larger);
    return *heads.insert(place, {visible_in_line(one.node->name), one.note, one.checkpoint, false});
  }

  // Two heads that part: the leaf, by the tree of a node that still serves the kept one, otherwise between which
  // leaves.
  void fork(const KeptHead& head, const Seen& one) {
    AuditFinding& finding = tell(AuditFindingKind::forked, one.node->name,
                                 "its head of " + described(one.checkpoint) + " does not go on from the head of " +
                                     described(head.checkpoint) + " that " + head.node + " showed");
    for (const Seen& other : seen_) {
      if (&other == &one || !other.proven || !one.proven || other.checkpoint.size < head.checkpoint.size) continue;
      const auto same = begins(head.checkpoint, other);
      if (!same || !*same) continue;
      const auto leaf = first_difference(*one.tree, one.checkpoint.root, *other.tree, other.checkpoint.root);
      if (!leaf || !*leaf) continue;
      finding.leaf = **leaf;
      finding.message += "; the histories part at leaf " + std::to_string(**leaf) + leaf_hashes(one, other, **leaf);
      return;
    }
    between(head, one, finding);
  }

  static std::string leaf_hashes(const Seen& one, const Seen& other, std::uint64_t leaf) {
    const auto mine = one.tree->leaf(leaf);
    const auto theirs = other.tree->leaf(leaf);
    if (!mine || !theirs) return "";
    return " (" + base64(*mine) + " there, " + base64(*theirs) + " on " + other.node->name + ')';
  }

  void between(const KeptHead& head, const Seen& one, AuditFinding& finding) {
    std::uint64_t first = 0;
    for (const KeptHead& kept : audit_.heads_) {
      if (!kept.settled || kept.checkpoint.size >= head.checkpoint.size) continue;
      const auto begun = begins(kept.checkpoint, one);
      if (begun && *begun) first = std::max(first, kept.checkpoint.size);
    }
    if (head.checkpoint.size == 0) return;
    finding.leaf = first;
    finding.last_leaf = head.checkpoint.size - 1;
    finding.message += "; the histories part between leaf " + std::to_string(first) + " and leaf " +
                       std::to_string(*finding.last_leaf) + " (no node serves both any more)";
  }

  Audit& audit_;
  const std::vector<AuditedNode>& nodes_;
  std::vector<Seen> seen_;
  std::vector<AuditFinding> findings_;
};

std::vector<AuditFinding> Audit::round(const std::vector<AuditedNode>& nodes) { return Round(*this, nodes).run(); }

}  // namespace ordeal::log::tree
