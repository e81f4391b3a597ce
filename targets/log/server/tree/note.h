#pragma once
// Signed notes (c2sp.org/signed-note): a text, an empty line, and lines "— name base64(id, signature)".
//
// Reading takes whatever a hostile peer sends: at most kMaxNoteBytes and kMaxSignatures, UTF-8 without control
// characters. Thread-safety: pure.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "targets/log/server/tree/keys.h"

namespace ordeal::log::tree {

inline constexpr std::size_t kMaxNoteBytes = std::size_t{1} << 20;
inline constexpr std::size_t kMaxSignatures = 64;

struct Signature {
  std::string name;      // of the key
  std::uint32_t id = 0;  // of the key
  std::string bytes;     // what the algorithm made; at least one byte

  friend bool operator==(const Signature&, const Signature&) = default;
};

struct Note {
  std::string text;  // with its last newline
  std::vector<Signature> signatures;

  friend bool operator==(const Note&, const Note&) = default;
};

// Errors: input, with the line. Verifies nothing: KeyRing::open does.
[[nodiscard]] Result<Note> parse_note(std::string_view message);
[[nodiscard]] std::string format_note(const Note& note);
// Whether a note may carry it: not empty, ends in a newline, UTF-8 without control characters but newlines.
[[nodiscard]] bool valid_note_text(std::string_view text);
// Adds the key's signature, in place of one by the same key. Requires: valid_note_text(note.text).
void sign(Note& note, const SigningKey& key);

}  // namespace ordeal::log::tree
