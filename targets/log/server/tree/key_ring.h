#pragma once
// KeyRing: whose signatures on tree heads are believed. It begins with keys that the user trusts and changes only by
// what the log itself says: notes, signed by a key of the ring, that are entries of the log. So whoever replays the log
// gets the same ring.
//
//   ordeal-log keys
//   log.example                          the log's origin: a change of another log's keys is none of ours
//   add log.example+1a2b3c4d+AR…         from this leaf on, heads may be signed by this one as well (overlap)
//   retire log.example+0a0b0c0d 5000     or: it signs no heads of more than 5000 leaves; its older ones stay good
//   revoke log.example+0a0b0c0d          or: compromised; no head by it is believed, of whatever size
//
// Rotation is: add the new key, sign with both, retire the old one. A key is retired or revoked by itself or by one
// that was in the ring before it, and a key must remain that can sign. So the first key has the last word: let it be
// one that signs no heads and is kept offline. A key that is gone does not come back.
//
// Thread-safety: a value; one thread at a time, or several that only read.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "targets/log/server/tree/checkpoint.h"
#include "targets/log/server/tree/keys.h"
#include "targets/log/server/tree/note.h"

namespace ordeal::log::tree {

struct KeyChange {
  enum class Kind { add, retire, revoke };
  Kind kind = Kind::add;
  std::string origin;              // of the log
  std::optional<VerifierKey> key;  // add
  std::string label;               // retire, revoke: VerifierKey::label()
  std::uint64_t last_size = 0;     // retire
};

// The text of the note that asks for it, to be signed (note.h), and the other way. Errors: input, with the line.
[[nodiscard]] std::string format_key_change(const KeyChange& change);
[[nodiscard]] Result<KeyChange> parse_key_change(std::string_view text);
// Whether an entry of the log means to change keys: its first line is "ordeal-log keys".
[[nodiscard]] bool is_key_change(std::string_view entry);

class KeyRing {
 public:
  struct Member {
    VerifierKey key;
    std::uint64_t from_size = 0;             // it signs heads of at least so many leaves
    std::optional<std::uint64_t> last_size;  // retired
    bool revoked = false;
  };

  // For the log of this origin, with the keys that the user trusts, the one with the last word first.
  KeyRing(std::string origin, const std::vector<VerifierKey>& trusted);

  // Takes an entry that is_key_change() and is leaf number `leaf`. Errors: input, when it is malformed or unknown;
  // permission, when no key signed it that may: the ring stays as it is, and the entry is one like any other.
  [[nodiscard]] Result<void> apply(std::string_view entry, std::uint64_t leaf);

  [[nodiscard]] const std::string& origin() const { return origin_; }
  [[nodiscard]] const std::vector<Member>& members() const { return members_; }
  // Whether a head of this size that this key signed would be believed.
  [[nodiscard]] bool may_sign(const VerifierKey& key, std::uint64_t size) const;

  // The checkpoint of a note of this log that a key of the ring signed which is neither revoked nor out of its time.
  // Signatures by unknown keys are ignored, as the specification wants; a signature by a known key that does not verify
  // spoils the note. Errors: input: malformed, of another origin, a wrong signature; permission: signed by nobody who
  // is believed, and says whether a revoked key signed it.
  [[nodiscard]] Result<Checkpoint> open(std::string_view note) const;

 private:
  // The place in members_ of the key of this name and id.
  [[nodiscard]] std::optional<std::size_t> find(std::string_view name, std::uint32_t id) const;
  [[nodiscard]] Result<void> add(const VerifierKey& key, std::uint64_t leaf);
  [[nodiscard]] Result<void> end(const KeyChange& change, std::size_t signer);
  std::string origin_;
  std::vector<Member> members_;
};

}  // namespace ordeal::log::tree
