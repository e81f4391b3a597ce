#include "targets/log/server/tree/audit.h"

#include <algorithm>

#include "base/base64.h"
#include "base/text.h"
#include "targets/log/server/tree/characters.h"

namespace ordeal::log::tree {
namespace {

constexpr std::string_view kFirstLine = "ordeal-log audit 1 ";

// The root of the first `size` leaves, as the tree with that root proves it.
Result<Hash> proven_root(const TileTree& tree, const Hash& root, std::uint64_t size) {
  const auto first = tree.root(size);
  if (!first) return first;
  const auto proof = tree.consistency(size, tree.size());
  if (!proof) return fail(proof.error());
  if (!verify_consistency(size, *first, tree.size(), root, *proof)) {
    return fail(ErrorCode::input, "the tiles do not prove the tree's beginning of " + std::to_string(size) + " leaves");
  }
  return first;
}

// "BASE64 NODE" as a head.
Result<KeptHead> kept_head(const std::string& text) {
  const std::size_t space = text.find(' ');
  const auto note = space == std::string::npos ? std::nullopt : base64_decode(text.substr(0, space));
  if (!note) return fail(ErrorCode::input, "expected a signed note in base64 and a node");
  const auto parsed = parse_note(*note);
  if (!parsed) return fail(parsed.error());
  const auto checkpoint = parse_checkpoint(parsed->text);
  if (!checkpoint) return fail(checkpoint.error());
  return KeptHead{text.substr(space + 1), *note, *checkpoint, false};
}

}  // namespace

const char* name(AuditFindingKind kind) {
  switch (kind) {
    case AuditFindingKind::refused_head:
      return "refused-head";
    case AuditFindingKind::wrong_tiles:
      return "wrong-tiles";
    case AuditFindingKind::forked:
      return "forked";
    case AuditFindingKind::went_back:
      return "went-back";
    case AuditFindingKind::bad_key_entry:
      return "bad-key-entry";
    case AuditFindingKind::unreachable:
      break;
  }
  return "unreachable";
}

Result<void> Audit::take_line(const std::string& line) {
  const std::size_t space = line.find(' ');
  const std::string word = line.substr(0, space);
  const std::string rest = space == std::string::npos ? "" : line.substr(space + 1);
  if (word == "head" || word == "unsettled" || word == "fork") {
    auto head = kept_head(rest);
    if (!head) return fail(head.error());
    if (head->checkpoint.origin != ring_.origin()) return fail(ErrorCode::input, "a head of another log");
    head->settled = word == "head";
    (word == "fork" ? forks_ : heads_).push_back(std::move(*head));
    return {};
  }
  const std::size_t second = std::min(rest.find(' '), rest.size());
  const auto number = parse_decimal(rest.substr(0, second));
  const std::string last = second < rest.size() ? rest.substr(second + 1) : "";
  if (word == "read" && number && !last.empty()) {
    keys_read_[last] = *number;
    return {};
  }
  if (word == "reached" && number && !last.empty()) {
    reached_[last] = *number;
    return {};
  }
  const auto entry = word == "key" && number ? base64_decode(last) : std::nullopt;
  if (!entry) return fail(ErrorCode::input, "expected read, key, reached, head, unsettled or fork");
  if (const auto applied = ring_.apply(*entry, *number); !applied) return applied;
  key_changes_.emplace_back(*number, *entry);
  return {};
}

Result<Audit> Audit::begin(KeyRing ring, std::string_view kept) {
  Audit audit(std::move(ring));
  const std::vector<std::string> all = kept.empty() ? std::vector<std::string>{} : lines(kept);
  for (std::size_t i = 0; i < all.size(); ++i) {
    Result<void> taken;
    if (i == 0) {
      if (all[0] != std::string(kFirstLine) + audit.ring_.origin()) {
        taken = fail(ErrorCode::input, "expected \"" + std::string(kFirstLine) + audit.ring_.origin() +
                                           "\": the file of an audit of this log");
      }
    } else {
      taken = audit.take_line(all[i]);
    }
    if (!taken) return fail(taken.error().during("line " + std::to_string(i + 1) + " of the audit's file"));
  }
  const auto smaller = [](const KeptHead& a, const KeptHead& b) { return a.checkpoint.size < b.checkpoint.size; };
  std::stable_sort(audit.heads_.begin(), audit.heads_.end(), smaller);
  return audit;
}

std::string Audit::kept() const {
  std::string text = std::string(kFirstLine) + ring_.origin() + '\n';
  for (const auto& [node, leaves] : keys_read_) text += "read " + std::to_string(leaves) + ' ' + node + '\n';
  for (const auto& [leaf, entry] : key_changes_) {
    text += "key " + std::to_string(leaf) + ' ' + base64_encode(entry) + '\n';
  }
  for (const auto& [node, size] : reached_) text += "reached " + std::to_string(size) + ' ' + node + '\n';
  for (const KeptHead& head : heads_) {
    text += (head.settled ? "head " : "unsettled ") + base64_encode(head.note) + ' ' + head.node + '\n';
  }
  for (const KeptHead& head : forks_) text += "fork " + base64_encode(head.note) + ' ' + head.node + '\n';
  return text;
}

Result<std::optional<std::uint64_t>> first_difference(const TileTree& one, const Hash& one_root, const TileTree& other,
                                                      const Hash& other_root) {
  std::uint64_t same = 0;                                     // the beginnings of so many leaves are equal
  std::uint64_t differ = std::min(one.size(), other.size());  // and of so many are not
  const auto equal_at = [&](std::uint64_t size) -> Result<bool> {
    const auto mine = proven_root(one, one_root, size);
    if (!mine) return fail(mine.error());
    const auto theirs = proven_root(other, other_root, size);
    if (!theirs) return fail(theirs.error());
    return *mine == *theirs;
  };
  const auto at_end = equal_at(differ);
  if (!at_end) return fail(at_end.error());
  if (*at_end) return std::optional<std::uint64_t>();
  while (differ - same > 1) {
    const std::uint64_t middle = same + (differ - same) / 2;
    const auto equal = equal_at(middle);
    if (!equal) return fail(equal.error());
    (*equal ? same : differ) = middle;
  }
  return std::optional<std::uint64_t>(same);
}

}  // namespace ordeal::log::tree
