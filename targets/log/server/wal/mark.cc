#include "targets/log/server/wal/mark.h"

#include "targets/log/server/wal/bytes.h"
#include "targets/log/server/wal/crc32c.h"

namespace ordeal::log::wal {
namespace {

constexpr std::string_view kMagic("ORDLMRK\x01", 8);

std::optional<Mark> decode_slot(std::string_view slot) {
  ByteReader crc(slot.substr(kMarkSlotBytes - 4));
  if (!slot.starts_with(kMagic) || crc.number<std::uint32_t>() != crc32c(slot.substr(0, kMarkSlotBytes - 4))) {
    return std::nullopt;
  }
  ByteReader reader(slot.substr(kMagic.size()));
  Mark mark;
  mark.cluster = take_cluster(reader);
  mark.node = reader.number<std::uint64_t>();
  mark.segment = reader.number<std::uint64_t>();
  mark.sequence = reader.number<std::uint64_t>();
  mark.chain = reader.number<std::uint32_t>();
  mark.last_index = reader.number<std::uint64_t>();
  return mark;
}

}  // namespace

std::string encode_mark_slot(const Mark& mark) {
  std::string out(kMagic);
  put_cluster(out, mark.cluster);
  put_number(out, mark.node);
  put_number(out, mark.segment);
  put_number(out, mark.sequence);
  put_number(out, mark.chain);
  put_number(out, mark.last_index);
  out.append(kMarkSlotBytes - 4 - out.size(), '\0');
  put_number(out, crc32c(out));
  return out;
}

Result<MarkFile> decode_mark_file(std::string_view bytes) {
  if (bytes.size() != kMarkBytes) {
    return fail(ErrorCode::input,
                "it has " + std::to_string(bytes.size()) + " bytes, not " + std::to_string(kMarkBytes));
  }
  return MarkFile{decode_slot(bytes.substr(0, kMarkSlotBytes)), decode_slot(bytes.substr(kMarkSlotBytes))};
}

}  // namespace ordeal::log::wal
