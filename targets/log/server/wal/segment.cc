#include "targets/log/server/wal/segment.h"

#include <algorithm>

#include "targets/log/server/bugs.h"
#include "targets/log/server/wal/bytes.h"
#include "targets/log/server/wal/crc32c.h"

namespace ordeal::log::wal {
namespace {

constexpr std::string_view kSegmentMagic("ORDLWAL\x01", 8);
constexpr std::string_view kBatchMagic("OLB\x01", 4);
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kNameDigits = 20;
enum class Kind : std::uint8_t { entry = 1, hard_state = 2, base = 3 };

struct BatchHeader {
  std::uint32_t body_bytes = 0;
  std::uint64_t sequence = 0;
  std::uint32_t count = 0;
  std::uint32_t chain = 0;
};

std::uint32_t salted(std::uint64_t salt) {
  std::string bytes;
  put_number(bytes, salt);
  return crc32c(bytes);
}

std::optional<BatchHeader> decode_batch_header(std::string_view bytes, std::uint64_t salt) {
  if (bytes.size() < kBatchHeaderBytes || !bytes.starts_with(kBatchMagic)) return std::nullopt;
  ByteReader reader(bytes.substr(kBatchMagic.size()));
  BatchHeader header;
  header.body_bytes = reader.number<std::uint32_t>();
  header.sequence = reader.number<std::uint64_t>();
  header.count = reader.number<std::uint32_t>();
  header.chain = reader.number<std::uint32_t>();
  (void)reader.number<std::uint32_t>();
  const auto crc = reader.number<std::uint32_t>();
  if (crc != crc32c(bytes.substr(0, kBatchHeaderBytes - 4), salted(salt)) && !bug(Bug::crc_not_checked)) {
    return std::nullopt;
  }
  return header;
}

std::optional<Record> decode_payload(std::string_view payload) {
  ByteReader reader(payload);
  Record record;
  switch (static_cast<Kind>(reader.number<std::uint8_t>())) {
    case Kind::entry: {
      raft::Entry entry;
      entry.term = reader.number<std::uint64_t>();
      entry.index = reader.number<std::uint64_t>();
      const auto kind = reader.number<std::uint8_t>();
      if (!reader.ok() || kind > static_cast<std::uint8_t>(raft::EntryKind::configuration)) return std::nullopt;
      entry.kind = static_cast<raft::EntryKind>(kind);
      entry.data = std::string(reader.rest());
      record.entry = std::move(entry);
      return record;
    }
    case Kind::hard_state: {
      raft::HardState state;
      state.term = reader.number<std::uint64_t>();
      state.vote = reader.number<std::uint64_t>();
      state.commit = reader.number<std::uint64_t>();
      record.hard_state = state;
      break;
    }
    case Kind::base: {
      LogBase base;
      base.index = reader.number<std::uint64_t>();
      base.term = reader.number<std::uint64_t>();
      base.keep = reader.number<std::uint8_t>() != 0;
      record.base = base;
      break;
    }
    default:
      return std::nullopt;
  }
  if (!reader.ok() || !reader.rest().empty()) return std::nullopt;
  return record;
}

// Reads one segment, batch after batch.
class SegmentReader {
 public:
  SegmentReader(std::string_view bytes, SegmentContents& out) : bytes_(bytes), out_(out) {}

  void run() {
    while (out_.end < bytes_.size() && !out_.damage) batch();
    if (out_.damage) out_.damage->followed = followed();
  }

 private:
  void damage(std::uint64_t offset, const std::string& what) { out_.damage = Damage{offset, what, false}; }

  void batch() {
    const std::string_view rest = bytes_.substr(out_.end);
    const auto header = decode_batch_header(rest, out_.header.salt);
    const std::string wanted = "batch " + std::to_string(out_.next_sequence);
    if (!header)
      return damage(out_.end, "no header of " + wanted + ", although " + std::to_string(rest.size()) + " bytes follow");
    if (header->sequence != out_.next_sequence) {
      return damage(out_.end, "batch " + std::to_string(header->sequence) + " where " + wanted + " was expected");
    }
    if (header->chain != out_.chain && !bug(Bug::crc_not_checked)) {
      return damage(out_.end, wanted + " does not go on from the record before it");
    }
    const std::string_view body = rest.substr(kBatchHeaderBytes, header->body_bytes);
    std::vector<Record> found;
    std::uint32_t chain = header->chain;
    if (body.size() == header->body_bytes) {
      records(*header, body, chain, found);
    } else {
      damage(out_.end, wanted + " has " + std::to_string(body.size()) + " of its " +
                           std::to_string(header->body_bytes) + " bytes");
      if (!bug(Bug::torn_tail_accepted)) return;
      out_.damage.reset();
      take_torn(body, found);
    }
    if (out_.damage) return;
    std::move(found.begin(), found.end(), std::back_inserter(out_.records));
    ++out_.batches;
    out_.last_batch = out_.end;
    out_.end += kBatchHeaderBytes + body.size();
    out_.chain = chain;
    ++out_.next_sequence;
  }

  void records(const BatchHeader& header, std::string_view body, std::uint32_t& chain, std::vector<Record>& found) {
    const std::uint64_t begin = out_.end + kBatchHeaderBytes;
    std::uint64_t at = 0;
    for (std::uint32_t i = 0; i < header.count; ++i) {
      const std::string which = "record " + std::to_string(i + 1) + " of batch " + std::to_string(header.sequence);
      ByteReader reader(body.substr(at));
      const auto length = reader.number<std::uint32_t>();
      const auto crc = reader.number<std::uint32_t>();
      const std::string_view payload = reader.bytes(length);
      if (!reader.ok()) return damage(begin + at, which + " is longer than its batch");
      const std::uint32_t right = crc32c(payload, crc32c(body.substr(at, 4), chain));
      if (crc != right && !bug(Bug::crc_not_checked))
        return damage(begin + at, "the checksum of " + which + " is wrong");
      auto record = decode_payload(payload);
      if (!record) return damage(begin + at, which + " is of no known kind");
      record->offset = begin + at;
      found.push_back(std::move(*record));
      chain = crc;
      at += kRecordHeaderBytes + length;
    }
    if (at != body.size())
      damage(begin + at, "batch " + std::to_string(header.sequence) + " is longer than its records");
  }

  // The planted bug: what is there of a torn batch passes for records, the last one cut.
  static void take_torn(std::string_view body, std::vector<Record>& found) {
    while (body.size() > kRecordHeaderBytes) {
      const auto length = ByteReader(body).number<std::uint32_t>();
      body.remove_prefix(kRecordHeaderBytes);
      auto record = decode_payload(body.substr(0, length));
      if (record) found.push_back(std::move(*record));
      body.remove_prefix(std::min<std::size_t>(length, body.size()));
    }
  }

  // Whether the header of a later batch stands anywhere after the damage. The salt keeps clients from writing one.
  [[nodiscard]] bool followed() const {
    for (std::size_t at = bytes_.find(kBatchMagic, out_.end); at != std::string_view::npos;
         at = bytes_.find(kBatchMagic, at + 1)) {
      const auto header = decode_batch_header(bytes_.substr(at), out_.header.salt);
      if (header && header->sequence > out_.next_sequence) return true;
    }
    return false;
  }

  std::string_view bytes_;
  SegmentContents& out_;
};

}  // namespace

std::string encode_segment_header(const SegmentHeader& header) {
  std::string out(kSegmentMagic);
  put_number(out, kVersion);
  put_cluster(out, header.cluster);
  put_number(out, header.node);
  put_number(out, header.number);
  put_number(out, header.first_sequence);
  put_number(out, header.salt);
  put_number(out, header.chain);
  out.append(kSegmentHeaderBytes - 4 - out.size(), '\0');
  put_number(out, crc32c(out));
  return out;
}

Result<SegmentHeader> decode_segment_header(std::string_view segment) {
  const std::string_view bytes = segment.substr(0, kSegmentHeaderBytes);
  if (bytes.size() < kSegmentHeaderBytes) return fail(ErrorCode::input, "its header is not there whole");
  if (!bytes.starts_with(kSegmentMagic)) return fail(ErrorCode::input, "it does not begin as a segment does");
  ByteReader crc(bytes.substr(kSegmentHeaderBytes - 4));
  if (crc.number<std::uint32_t>() != crc32c(bytes.substr(0, kSegmentHeaderBytes - 4)) && !bug(Bug::crc_not_checked)) {
    return fail(ErrorCode::input, "the checksum of its header is wrong");
  }
  ByteReader reader(bytes.substr(kSegmentMagic.size()));
  const auto version = reader.number<std::uint32_t>();
  if (version != kVersion) {
    return fail(ErrorCode::input, "it has version " + std::to_string(version) + " of the format, this program reads " +
                                      std::to_string(kVersion));
  }
  SegmentHeader header;
  header.cluster = take_cluster(reader);
  header.node = reader.number<std::uint64_t>();
  header.number = reader.number<std::uint64_t>();
  header.first_sequence = reader.number<std::uint64_t>();
  header.salt = reader.number<std::uint64_t>();
  header.chain = reader.number<std::uint32_t>();
  return header;
}

std::string segment_name(std::uint64_t number) {
  const std::string digits = std::to_string(number);
  return std::string(kNameDigits - digits.size(), '0') + digits + ".wal";
}

std::optional<std::uint64_t> segment_number(std::string_view name) {
  if (name.size() != kNameDigits + 4) return std::nullopt;
  std::uint64_t number = 0;
  for (const char c : name.substr(0, kNameDigits)) {
    if (c < '0' || c > '9' || number > (UINT64_MAX - 9) / 10) return std::nullopt;
    number = number * 10 + static_cast<std::uint64_t>(c - '0');
  }
  if (segment_name(number) != name) return std::nullopt;
  return number;
}

void BatchWriter::add(const raft::Entry& entry) {
  std::string payload;
  payload.reserve(18 + entry.data.size());
  put_number(payload, static_cast<std::uint8_t>(Kind::entry));
  put_number(payload, entry.term);
  put_number(payload, entry.index);
  put_number(payload, static_cast<std::uint8_t>(entry.kind));
  payload += entry.data;
  add_payload(payload);
}

void BatchWriter::add(const raft::HardState& state) {
  std::string payload;
  put_number(payload, static_cast<std::uint8_t>(Kind::hard_state));
  put_number(payload, state.term);
  put_number(payload, bug(Bug::vote_not_durable) ? raft::kNobody : state.vote);
  put_number(payload, state.commit);
  add_payload(payload);
}

void BatchWriter::add(const LogBase& base) {
  std::string payload;
  put_number(payload, static_cast<std::uint8_t>(Kind::base));
  put_number(payload, base.index);
  put_number(payload, base.term);
  put_number(payload, static_cast<std::uint8_t>(base.keep ? 1 : 0));
  add_payload(payload);
}

void BatchWriter::add_payload(const std::string& payload) {
  std::string length;
  put_number(length, static_cast<std::uint32_t>(payload.size()));
  chain_ = crc32c(payload, crc32c(length, chain_));
  body_ += length;
  put_number(body_, chain_);
  body_ += payload;
  ++count_;
}

std::string BatchWriter::finish(std::uint64_t sequence, std::uint64_t salt) const {
  ORDEAL_CHECK(body_.size() < UINT32_MAX, "a batch is below 4 GiB");
  std::string out(kBatchMagic);
  out.reserve(kBatchHeaderBytes + body_.size());
  put_number(out, static_cast<std::uint32_t>(body_.size()));
  put_number(out, sequence);
  put_number(out, count_);
  put_number(out, start_);
  put_number(out, std::uint32_t{0});
  put_number(out, crc32c(out, salted(salt)));
  out += body_;
  return out;
}

Result<SegmentContents> read_segment(std::string_view segment) {
  auto header = decode_segment_header(segment);
  if (!header) return fail(header.error());
  SegmentContents contents;
  contents.header = *header;
  contents.next_sequence = header->first_sequence;
  contents.chain = header->chain;
  contents.end = kSegmentHeaderBytes;
  SegmentReader(segment, contents).run();
  return contents;
}

}  // namespace ordeal::log::wal
