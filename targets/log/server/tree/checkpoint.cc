#include "targets/log/server/tree/checkpoint.h"

#include "base/text.h"
#include "targets/log/server/tree/characters.h"
#include "targets/log/server/tree/note.h"

namespace ordeal::log::tree {

Result<Checkpoint> parse_checkpoint(std::string_view text) {
  if (!valid_note_text(text))
    return fail(ErrorCode::input, "not a checkpoint: expected UTF-8 lines, each with its end");
  std::vector<std::string> found = lines(text);
  if (found.size() < 3) return fail(ErrorCode::input, "not a checkpoint: expected at least three lines");
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (found[i].empty()) return fail(ErrorCode::input, "line " + std::to_string(i + 1) + " of a checkpoint is empty");
  }
  Checkpoint checkpoint;
  checkpoint.origin = std::move(found[0]);
  const auto size = parse_decimal(found[1]);
  if (!size) {
    return fail(ErrorCode::input,
                "line 2 of a checkpoint: expected the tree's size, a decimal number without leading zeros");
  }
  checkpoint.size = *size;
  auto root = hash_from_base64(found[2]);
  if (!root) return fail(root.error().during("line 3 of a checkpoint, the root"));
  checkpoint.root = *root;
  checkpoint.extensions.assign(found.begin() + 3, found.end());
  return checkpoint;
}

std::string format_checkpoint(const Checkpoint& checkpoint) {
  std::string text = checkpoint.origin + '\n' + std::to_string(checkpoint.size) + '\n' + base64(checkpoint.root) + '\n';
  ORDEAL_CHECK(!checkpoint.origin.empty() && note_characters(checkpoint.origin, false), "an origin is a line");
  for (const std::string& line : checkpoint.extensions) {
    ORDEAL_CHECK(!line.empty() && note_characters(line, false), "an extension is a line");
    text += line + '\n';
  }
  return text;
}

std::string sign_checkpoint(const Checkpoint& checkpoint, const std::vector<const SigningKey*>& keys) {
  Note note{format_checkpoint(checkpoint), {}};
  for (const SigningKey* key : keys) sign(note, *key);
  return format_note(note);
}

}  // namespace ordeal::log::tree
