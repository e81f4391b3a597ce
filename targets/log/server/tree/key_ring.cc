#include "targets/log/server/tree/key_ring.h"

#include <algorithm>

#include "base/text.h"
#include "targets/log/server/bugs.h"
#include "targets/log/server/tree/characters.h"

namespace ordeal::log::tree {
namespace {

constexpr std::string_view kFirstLine = "ordeal-log keys";

tl::unexpected<Error> malformed(int line, const std::string& expected) {
  return fail(ErrorCode::input, "line " + std::to_string(line) + " of a change of keys: expected " + expected);
}

// The third line: "add KEY", "retire LABEL SIZE" or "revoke LABEL".
Result<void> parse_request(const std::string& line, KeyChange& change) {
  const std::vector<std::string> words = fields(line, ' ');
  if (words[0] == "add" && words.size() == 2) {
    auto key = VerifierKey::parse(words[1]);
    if (!key) return fail(key.error().during("line 3 of a change of keys"));
    change.kind = KeyChange::Kind::add;
    change.key = *key;
    return {};
  }
  if (words[0] == "revoke" && words.size() == 2) {
    change.kind = KeyChange::Kind::revoke;
    change.label = words[1];
    return {};
  }
  const auto size = words[0] == "retire" && words.size() == 3 ? parse_decimal(words[2]) : std::nullopt;
  if (!size) return malformed(3, "add KEY, retire NAME+ID SIZE, or revoke NAME+ID");
  change.kind = KeyChange::Kind::retire;
  change.label = words[1];
  change.last_size = *size;
  return {};
}

}  // namespace

std::string format_key_change(const KeyChange& change) {
  std::string text = std::string(kFirstLine) + '\n' + change.origin + '\n';
  switch (change.kind) {
    case KeyChange::Kind::add:
      ORDEAL_CHECK(change.key.has_value(), "a key that is added is given");
      return text + "add " + change.key->text() + '\n';
    case KeyChange::Kind::retire:
      return text + "retire " + change.label + ' ' + std::to_string(change.last_size) + '\n';
    case KeyChange::Kind::revoke:
      break;
  }
  return text + "revoke " + change.label + '\n';
}

Result<KeyChange> parse_key_change(std::string_view text) {
  const std::vector<std::string> found = lines(text);
  if (found.empty() || found[0] != kFirstLine) return malformed(1, std::string(kFirstLine));
  if (found.size() != 3 || !text.ends_with('\n')) return malformed(3, "three lines in all");
  KeyChange change;
  change.origin = found[1];
  if (const auto parsed = parse_request(found[2], change); !parsed) return fail(parsed.error());
  return change;
}

bool is_key_change(std::string_view entry) { return entry.starts_with(std::string(kFirstLine) + '\n'); }

KeyRing::KeyRing(std::string origin, const std::vector<VerifierKey>& trusted) : origin_(std::move(origin)) {
  for (const VerifierKey& key : trusted) members_.push_back({key, 0, std::nullopt, false});
}

std::optional<std::size_t> KeyRing::find(std::string_view name, std::uint32_t id) const {
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (members_[i].key.name() == name && members_[i].key.id() == id) return i;
  }
  return std::nullopt;
}

bool KeyRing::may_sign(const VerifierKey& key, std::uint64_t size) const {
  const auto at = find(key.name(), key.id());
  if (!at || members_[*at].key != key) return false;
  const Member& member = members_[*at];
  if (member.revoked && !bug(Bug::revoked_key_accepted)) return false;
  return size >= member.from_size && (!member.last_size || size <= *member.last_size);
}

Result<void> KeyRing::add(const VerifierKey& key, std::uint64_t leaf) {
  if (find(key.name(), key.id())) {
    return fail(ErrorCode::input, "the key " + key.label() + " is or was in the ring; make a new one");
  }
  members_.push_back({key, leaf + 1, std::nullopt, false});
  return {};
}

Result<void> KeyRing::end(const KeyChange& change, std::size_t signer) {
  const auto named = [&](const Member& one) { return one.key.label() == change.label; };
  const auto member = std::find_if(members_.begin(), members_.end(), named);
  if (member == members_.end())
    return fail(ErrorCode::input, "no key " + visible_in_line(change.label) + " in the ring");
  if (signer > static_cast<std::size_t>(member - members_.begin())) {
    return fail(ErrorCode::permission, "the key " + members_[signer].key.label() + " came into the ring after " +
                                           change.label + ", which only an older key or itself may end");
  }
  const auto stays = [&](const Member& one) { return !named(one) && !one.revoked && !one.last_size; };
  if (std::none_of(members_.begin(), members_.end(), stays)) {
    return fail(ErrorCode::permission,
                "without " + change.label + " no key could sign any more; add another one first");
  }
  if (change.kind == KeyChange::Kind::revoke) {
    member->revoked = true;
  } else {
    member->last_size = std::min(change.last_size, member->last_size.value_or(change.last_size));
  }
  return {};
}

Result<void> KeyRing::apply(std::string_view entry, std::uint64_t leaf) {
  const auto note = parse_note(entry);
  if (!note) return fail(note.error());
  const auto change = parse_key_change(note->text);
  if (!change) return fail(change.error());
  if (change->origin != origin_) {
    return fail(ErrorCode::input, "a change of the keys of " + visible_in_line(change->origin) + ", not of " + origin_);
  }
  std::optional<std::size_t> signer;  // the oldest key that signed
  for (const Signature& signature : note->signatures) {
    const auto at = find(signature.name, signature.id);
    if (!at) continue;
    if (!members_[*at].key.verify(note->text, signature.bytes)) {
      return fail(ErrorCode::input, "the signature of " + members_[*at].key.label() + " on a change of keys is wrong");
    }
    if (may_sign(members_[*at].key, leaf + 1)) signer = std::min(*at, signer.value_or(*at));
  }
  if (!signer) return fail(ErrorCode::permission, "a change of keys that no key of the ring signed that may");
  return change->kind == KeyChange::Kind::add ? add(*change->key, leaf) : end(*change, *signer);
}

Result<Checkpoint> KeyRing::open(std::string_view text) const {
  const auto note = parse_note(text);
  if (!note) return fail(note.error());
  std::vector<const Member*> signers;
  for (const Signature& signature : note->signatures) {
    const auto at = find(signature.name, signature.id);
    if (!at) continue;
    const Member& member = members_[*at];
    if (!member.key.verify(note->text, signature.bytes)) {
      return fail(ErrorCode::input, "the signature of " + member.key.label() + " on a tree head is wrong");
    }
    signers.push_back(&member);
  }
  if (signers.empty()) return fail(ErrorCode::permission, "a tree head that no known key signed");
  auto checkpoint = parse_checkpoint(note->text);
  if (!checkpoint) return checkpoint;
  if (checkpoint->origin != origin_) {
    return fail(ErrorCode::input, "a tree head of " + visible_in_line(checkpoint->origin) + ", not of " + origin_);
  }
  for (const Member* member : signers) {
    if (may_sign(member->key, checkpoint->size)) return checkpoint;
  }
  const auto revoked = [](const Member* one) { return one->revoked; };
  const std::string why = std::any_of(signers.begin(), signers.end(), revoked)
                              ? ", which was revoked"
                              : ", which may not sign heads of that size (not yet, or no more)";
  return fail(ErrorCode::permission, "a tree head of " + std::to_string(checkpoint->size) + " leaves signed only by " +
                                         signers.front()->key.label() + why + "; do not believe it");
}

}  // namespace ordeal::log::tree
