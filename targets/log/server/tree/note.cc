#include "targets/log/server/tree/note.h"

#include <algorithm>
#include <optional>

#include "base/base64.h"
#include "targets/log/server/tree/characters.h"

namespace ordeal::log::tree {
namespace {

constexpr std::string_view kDash = "\xe2\x80\x94 ";  // U+2014 and a space

// A line without its end; nothing when it is no signature line.
std::optional<Signature> parse_signature(std::string_view line) {
  if (!line.starts_with(kDash)) return std::nullopt;
  line.remove_prefix(kDash.size());
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  Signature signature{std::string(line.substr(0, space)), 0, {}};
  const auto bytes = base64_decode(line.substr(space + 1));
  if (!valid_key_name(signature.name) || !bytes || bytes->size() < 5) return std::nullopt;
  for (std::size_t i = 0; i < 4; ++i) signature.id = signature.id << 8 | static_cast<unsigned char>((*bytes)[i]);
  signature.bytes = bytes->substr(4);
  return signature;
}

}  // namespace

bool valid_note_text(std::string_view text) { return text.ends_with('\n') && note_characters(text, true); }

Result<Note> parse_note(std::string_view message) {
  if (message.size() > kMaxNoteBytes) {
    return fail(ErrorCode::input, "a signed note of " + std::to_string(message.size()) + " bytes; at most " +
                                      std::to_string(kMaxNoteBytes) + " are read");
  }
  if (!note_characters(message, true)) {
    return fail(ErrorCode::input, "not a signed note: it is not UTF-8 or has control characters other than newlines");
  }
  const std::size_t gap = message.rfind("\n\n");
  if (gap == std::string_view::npos || !message.ends_with('\n') || gap + 2 == message.size()) {
    return fail(ErrorCode::input, "not a signed note: expected a text, an empty line, and lines with signatures");
  }
  Note note{std::string(message.substr(0, gap + 1)), {}};
  std::size_t line_number = 2 + static_cast<std::size_t>(std::count(note.text.begin(), note.text.end(), '\n'));
  for (std::string_view rest = message.substr(gap + 2); !rest.empty(); ++line_number) {
    const std::size_t end = rest.find('\n');
    auto signature = parse_signature(rest.substr(0, end));
    if (!signature) {
      return fail(ErrorCode::input, "line " + std::to_string(line_number) +
                                        " of a signed note: expected a dash, a key's name and a signature in base64");
    }
    if (note.signatures.size() == kMaxSignatures) {
      return fail(ErrorCode::input, "a signed note with more than " + std::to_string(kMaxSignatures) + " signatures");
    }
    note.signatures.push_back(std::move(*signature));
    rest.remove_prefix(end + 1);
  }
  return note;
}

std::string format_note(const Note& note) {
  std::string message = note.text + '\n';
  for (const Signature& signature : note.signatures) {
    std::string bytes;
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(signature.id >> shift & 0xff);
    message += kDash;
    message += signature.name + ' ' + base64_encode(bytes + signature.bytes) + '\n';
  }
  return message;
}

void sign(Note& note, const SigningKey& key) {
  ORDEAL_CHECK(valid_note_text(note.text), "a text that a note may carry");
  const VerifierKey& verifier = key.verifier();
  std::erase_if(note.signatures,
                [&](const Signature& one) { return one.name == verifier.name() && one.id == verifier.id(); });
  note.signatures.push_back({verifier.name(), verifier.id(), key.sign(note.text)});
}

}  // namespace ordeal::log::tree
