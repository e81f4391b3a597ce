#pragma once
// KeyRing: whose signatures on tree heads are believed. It begins with keys that the user trusts and changes only by
// what the log itself says: notes, signed by a key of the ring, that are entries of the log. So whoever replays the log
// gets the same ring.
//
//   ordeal-log keys
//   add log.example+1a2b3c4d+AR…                 add: from this leaf on heads may be signed by this one as well
//   (overlap) retire log.example+0a0b0c0d 5000             retire: it signs no heads of more than 5000 leaves; older
//   ones stay good revoke log.example+0a0b0c0d                  revoke: compromised; no head by it is believed, of
//   whatever size
//
// Rotation is: add the new key, sign with both, retire the old one. A revocation may be signed by any key of the ring
// that is not revoked, also by the one that it revokes; it must leave a key that can sign. Who holds a key can
// therefore revoke the others: keep one that signs no heads offline (it is in the ring, and its holder has the last
// word by being added first: a key is not revoked by one that was added after it).
//
// Thread-safety: a value; one thread at a time, or several that only read.

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
  std::optional<VerifierKey> key;  // add
  std::string label;               // retire, revoke: VerifierKey::label()
  std::uint64_t last_size = 0;     // retire
};

// The text of the note that asks for it, to be signed, and the other way. Errors: input.
[[nodiscard]] std::string format_key_change(const KeyChange& change);
[[nodiscard]] Result<KeyChange> parse_key_change(std::string_view text);
// Whether an entry of the log means to change keys: its first line is "ordeal-log keys".
[[nodiscard]] bool is_key_change(std::string_view entry);

class KeyRing {
 public:
  struct Member {
    VerifierKey key;
    std::uint64_t from_size = 0;             // it signs heads of more leaves than that
    std::optional<std::uint64_t> last_size;  // retired
    bool revoked = false;
  };

  KeyRing() = default;
  explicit KeyRing(std::vector<VerifierKey> trusted);

  // Takes an entry that is_key_change() and is leaf number `leaf`. Errors: input, when it is malformed or unknown;
  // permission, when no key signed it that may: the ring stays as it is, and the entry is one like any other.
  [[nodiscard]] Result<void> apply(std::string_view entry, std::uint64_t leaf);

  [[nodiscard]] const std::vector<Member>& members() const { return members_; }
  // Whether a head of this size that this key signed would be believed.
  [[nodiscard]] bool may_sign(const VerifierKey& key, std::uint64_t size) const;

  // The checkpoint of a note of this log that a key of the ring signed which is neither revoked nor out of its time.
  // Signatures by unknown keys are ignored, as the specification wants; a signature by a known key that does not verify
  // spoils the note. Errors: input: malformed, of another origin, a wrong signature; permission: signed by nobody who
  // is believed, and says whether a revoked key signed it.
  [[nodiscard]] Result<Checkpoint> open(std::string_view note, std::string_view origin) const;

 private:
  [[nodiscard]] const Member* find(std::string_view name, std::uint32_t id) const;
  std::vector<Member> members_;
};

}  // namespace ordeal::log::tree
