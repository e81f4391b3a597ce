#include "targets/log/server/verify/verify.h"

#include <algorithm>
#include <cerrno>

#include "base/text.h"
#include "targets/log/server/tree/merkle.h"
#include "targets/log/server/tree/note.h"
#include "targets/log/server/wal/leaf_file.h"
#include "targets/log/server/wal/recovery.h"
#include "targets/log/server/wal/snapshot_file.h"

namespace ordeal::log {
namespace {

class Verifier {
 public:
  Verifier(wal::FileSystem& files, const VerifyOptions& options) : files_(files), options_(options) {}

  VerifyReport run() {
    if (options_.storage.cluster.empty()) read_cluster();
    look_at_names();
    const auto found = wal::inspect(files_, options_.storage);
    look_at_segments(found.has_value());
    look_at_snapshots();
    look_at_mark();
    if (found) {
      for (const std::string& text : found->remarks) report_.remarks.push_back(text);
      if (found->fresh)
        find(options_.storage.directory, std::nullopt, "it holds no log: is it a node's data directory?");
      report_.entries = found->entries.size();
      look_at_tree(*found);
    } else if (report_.findings.empty()) {
      find(options_.storage.directory, std::nullopt, found.error().message);
    } else {
      report_.remarks.push_back("a node does not start with it: " + found.error().message);
    }
    return std::move(report_);
  }

  VerifyReport tree(const wal::Recovery& found) {
    look_at_tree(found);
    return std::move(report_);
  }

 private:
  // Nobody said which cluster it is of: the one that its mark says. Files of others beside it are found then.
  void read_cluster() {
    const auto bytes = files_.read(wal::mark_path(options_.storage));
    const auto mark = bytes ? wal::decode_mark_file(*bytes) : fail(ErrorCode::not_found, "no mark");
    if (mark && mark->latest) options_.storage.cluster = mark->latest->cluster;
    if (mark && mark->synced) options_.storage.cluster = mark->synced->cluster;
  }

  VerifyFinding& find(const std::string& file, std::optional<std::uint64_t> offset, const std::string& message) {
    report_.findings.push_back({file, offset, std::nullopt, message});
    return report_.findings.back();
  }

  std::vector<std::string> names_in(const std::string& directory) {
    const auto names = files_.list(directory);
    if (names) return *names;
    if (names.error().number != ENOENT) find(directory, std::nullopt, names.error().what);
    return {};
  }

  // Nothing, and said so, when it cannot be read.
  std::optional<std::string> contents_of(const std::string& path) {
    auto bytes = files_.read(path);
    if (bytes) return std::move(*bytes);
    find(path, std::nullopt, bytes.error().what);
    return std::nullopt;
  }

  // What is there beside what a node makes: told, for it may be what somebody renamed.
  void look_at_names() {
    for (const std::string& name : names_in(wal::wal_directory(options_.storage))) {
      if (!wal::segment_number(name) && name != "mark") unknown(wal::wal_directory(options_.storage) + '/' + name);
    }
    for (const std::string& name : names_in(wal::snapshot_directory(options_.storage))) {
      if (!wal::snapshot_index(name)) unknown(wal::snapshot_directory(options_.storage) + '/' + name);
    }
  }

  void unknown(const std::string& path) {
    report_.remarks.push_back(path + ": it is none of the files that a node reads; nobody looks at it");
  }

  // Each on its own. What recovery takes for a torn tail is one.
  void look_at_segments(bool recovers) {
    std::vector<std::uint64_t> numbers;
    for (const std::string& name : names_in(wal::wal_directory(options_.storage))) {
      if (const auto number = wal::segment_number(name)) numbers.push_back(*number);
    }
    std::optional<wal::SegmentContents> before;
    for (const std::uint64_t number : numbers) {
      const std::string path = wal::segment_path(options_.storage, number);
      const auto bytes = contents_of(path);
      if (!bytes) continue;
      ++report_.segments;
      const bool may_be_torn = recovers && number == numbers.back();
      auto contents = wal::read_segment(*bytes);
      if (!contents) {
        if (!may_be_torn) find(path, 0, contents.error().message);
        before.reset();
        continue;
      }
      report_.batches += contents->batches;
      const wal::SegmentHeader& header = contents->header;
      if (header.cluster != options_.storage.cluster) {
        find(path, std::nullopt,
             "it is of the cluster " + visible_in_line(header.cluster) + ", not of " +
                 visible_in_line(options_.storage.cluster));
      }
      if (header.number != number) {
        find(path, 0, "it is segment " + std::to_string(header.number) + " under another's name");
      }
      if (before && (header.first_sequence != before->next_sequence || header.chain != before->chain) &&
          !before->damage) {
        find(path, 0, "it does not go on from the segment before it: records are missing or were changed");
      }
      if (contents->damage && !may_be_torn) find(path, contents->damage->offset, contents->damage->what);
      contents->records.clear();
      before = std::move(*contents);
    }
  }

  void look_at_snapshots() {
    for (const std::string& name : names_in(wal::snapshot_directory(options_.storage))) {
      if (!wal::snapshot_index(name)) continue;
      const std::string path = wal::snapshot_directory(options_.storage) + '/' + name;
      const auto bytes = contents_of(path);
      if (!bytes) continue;
      ++report_.snapshots;
      const auto file = wal::decode_snapshot(*bytes);
      if (!file) {
        find(path, file.error().offset, file.error().what);
      } else if (file->cluster != options_.storage.cluster) {
        find(path, std::nullopt,
             "it is of the cluster " + visible_in_line(file->cluster) + ", not of " +
                 visible_in_line(options_.storage.cluster));
      } else if (wal::snapshot_name(file->snapshot.index) != name) {
        find(path, 0, "it is the snapshot of entry " + std::to_string(file->snapshot.index) + " under another's name");
      }
    }
  }

  void look_at_mark() {
    const std::string path = wal::mark_path(options_.storage);
    const auto bytes = contents_of(path);
    if (!bytes) return;
    const auto mark = wal::decode_mark_file(*bytes);
    if (!mark) {
      find(path, std::nullopt, mark.error().message);
      return;
    }
    if (!mark->synced) find(path, 0, "the synced slot is damaged");
    if (!mark->latest)
      find(path, wal::kMarkSlotBytes, "the latest slot is damaged (a power loss may do that; the node starts)");
  }

  void look_at_tree(const wal::Recovery& found) {
    const std::string leaf_path = options_.storage.directory + '/' + kLeafFile;
    std::optional<std::vector<tree::Hash>> stored;
    if (files_.read(leaf_path)) {
      auto hashes = wal::LeafFile::read(files_, leaf_path, options_.storage.cluster);
      if (hashes) {
        stored = std::move(*hashes);
      } else {
        find(leaf_path, 0, hashes.error().message);
      }
    }
    std::optional<std::vector<tree::Hash>> leaves;
    if (options_.leaves) {
      auto made = options_.leaves(found);
      if (made) {
        leaves = std::move(*made);
        report_.leaves = leaves->size();
      } else {
        find(options_.storage.directory, std::nullopt, "the log cannot be replayed: " + made.error().message);
      }
    } else {
      report_.remarks.push_back("the tree was not made from snapshot and log: nobody said how");
    }
    if (leaves && stored) compare(leaf_path, *stored, *leaves);
    look_at_head(leaves ? leaves : stored, leaves.has_value());
  }

  void compare(const std::string& path, const std::vector<tree::Hash>& stored, const std::vector<tree::Hash>& leaves) {
    const std::size_t common = std::min(stored.size(), leaves.size());
    const auto [theirs, ours] =
        std::mismatch(stored.begin(), stored.begin() + static_cast<std::ptrdiff_t>(common), leaves.begin());
    const auto leaf = static_cast<std::uint64_t>(ours - leaves.begin());
    if (leaf < common) {
      find(path, wal::LeafFile::offset(leaf),
           "leaf " + std::to_string(leaf) + " is " + tree::base64(*theirs) + " here, but snapshot and log make it " +
               tree::base64(*ours) + ": one of them was changed; other nodes tell which")
          .leaf = leaf;
    } else if (stored.size() > leaves.size()) {
      find(path, wal::LeafFile::offset(leaves.size()),
           "it has " + std::to_string(stored.size()) + " leaves, but snapshot and log make " +
               std::to_string(leaves.size()) +
               ": the log's tail was cut; remove the node, delete its data and let it join again")
          .leaf = leaves.size();
    }
  }

  void look_at_head(const std::optional<std::vector<tree::Hash>>& leaves, bool replayed) {
    const std::string path = options_.storage.directory + '/' + kHeadFile;
    const auto bytes = files_.read(path);
    if (!bytes) {
      if (bytes.error().number != ENOENT) find(path, std::nullopt, bytes.error().what);
      return;
    }
    const auto head = read_head(*bytes);
    if (!head) {
      find(path, 0, head.error().message);
      return;
    }
    if (!options_.origin.empty() && head->origin != options_.origin) {
      find(path, 0, "it is a head of " + visible_in_line(head->origin) + ", not of " + options_.origin);
      return;
    }
    if (!leaves) return;
    const std::string source = replayed ? "snapshot and log make" : "the leaf file has";
    if (head->size > leaves->size()) {
      find(path, std::nullopt,
           "a head of " + std::to_string(head->size) + " leaves was signed, but " + source + " only " +
               std::to_string(leaves->size()) +
               ": a tail was cut; remove the node, delete its data and let it join again")
          .leaf = leaves->size();
      return;
    }
    const tree::Tree tree(std::span<const tree::Hash>(*leaves).first(head->size));
    if (tree.root() != head->root) {
      find(path, std::nullopt,
           "the head of " + std::to_string(head->size) + " leaves has the root " + tree::base64(head->root) +
               ", but the leaves that " + source + " have " + tree::base64(tree.root()) +
               ": a leaf was changed; the audit, or a comparison with other nodes, tells which");
    }
  }

  Result<tree::Checkpoint> read_head(const std::string& bytes) {
    if (options_.ring != nullptr) return options_.ring->open(bytes);
    report_.remarks.push_back("the signature of the head was not checked: no key was given");
    const auto note = tree::parse_note(bytes);
    if (!note) return fail(note.error());
    return tree::parse_checkpoint(note->text);
  }

  wal::FileSystem& files_;
  VerifyOptions options_;
  VerifyReport report_;
};

}  // namespace

VerifyReport verify(wal::FileSystem& files, const VerifyOptions& options) { return Verifier(files, options).run(); }

VerifyReport verify_tree(wal::FileSystem& files, const VerifyOptions& options, const wal::Recovery& found) {
  return Verifier(files, options).tree(found);
}

}  // namespace ordeal::log
