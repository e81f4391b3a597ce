#include "targets/log/server/raft/codec.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace ordeal::log::raft {
namespace {

// Smallest encoding of an entry: four integers, the last of which is the length of its data.
constexpr std::size_t kMinEntryBytes = 4;

class Writer {
 public:
  void byte(std::uint8_t value) { bytes_.push_back(static_cast<char>(value)); }
  void integer(std::uint64_t value) {
    while (value >= 0x80) {
      byte(static_cast<std::uint8_t>(value | 0x80));
      value >>= 7;
    }
    byte(static_cast<std::uint8_t>(value));
  }
  void text(std::string_view value) {
    integer(value.size());
    bytes_.append(value);
  }
  void ids(const std::vector<NodeId>& ids) {
    integer(ids.size());
    for (const NodeId id : ids) integer(id);
  }
  void configuration(const Configuration& value) {
    ids(value.voters);
    ids(value.outgoing);
    ids(value.learners);
  }
  void entry(const Entry& value) {
    integer(value.term);
    integer(value.index);
    integer(static_cast<std::uint64_t>(value.kind));
    text(value.data);
  }
  void reserve(std::size_t bytes) { bytes_.reserve(bytes); }
  [[nodiscard]] std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// Reads until the first thing that is wrong; after that everything is 0 and `error` says what it was.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  std::uint64_t integer(std::string_view field) {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (at_ >= bytes_.size()) return wrong(field, "the bytes end");
      const auto byte = static_cast<std::uint8_t>(bytes_[at_++]);
      if (shift == 63 && byte > 1) return wrong(field, "the integer has more than 64 bits");
      value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
      if ((byte & 0x80) == 0) {
        if (byte == 0 && shift > 0) return wrong(field, "the integer has superfluous zeros");
        return value;
      }
    }
    return wrong(field, "the integer has more than 64 bits");
  }
  std::uint64_t integer_up_to(std::uint64_t max, std::string_view field) {
    const std::uint64_t value = integer(field);
    return value > max ? wrong(field, "the value is out of range") : value;
  }
  // A count of elements that take at least `min_bytes` each, so that it cannot promise more than the input holds.
  std::size_t count(std::size_t min_bytes, std::string_view field) {
    const std::uint64_t value = integer(field);
    if (value > (bytes_.size() - at_) / min_bytes)
      return static_cast<std::size_t>(wrong(field, "more than there are bytes"));
    return static_cast<std::size_t>(value);
  }
  std::string text(std::string_view field) {
    const std::size_t size = count(1, field);
    std::string value(bytes_.substr(at_, size));
    at_ += size;
    return value;
  }
  std::vector<NodeId> ids(std::string_view field) {
    std::vector<NodeId> ids(count(1, field));
    for (NodeId& id : ids) id = integer(field);
    const auto not_ascending = [](NodeId a, NodeId b) { return a >= b; };
    if (std::adjacent_find(ids.begin(), ids.end(), not_ascending) != ids.end() ||
        (!ids.empty() && ids.front() == kNobody)) {
      wrong(field, "not strictly ascending from 1");
    }
    return ids;
  }
  Configuration configuration() {
    Configuration value;
    value.voters = ids("voters");
    value.outgoing = ids("outgoing");
    value.learners = ids("learners");
    for (const NodeId id : value.learners) {
      if (std::binary_search(value.voters.begin(), value.voters.end(), id)) wrong("learners", "a voter is among them");
    }
    return value;
  }
  std::vector<Entry> entries() {
    std::vector<Entry> entries;
    const std::size_t size = count(kMinEntryBytes, "entries");
    entries.reserve(std::min<std::size_t>(size, 1024));  // an Entry is larger than its smallest encoding
    for (std::size_t i = 0; i < size && error_.empty(); ++i) {
      Entry entry;
      entry.term = integer("entry.term");
      entry.index = integer("entry.index");
      entry.kind = static_cast<EntryKind>(integer_up_to(2, "entry.kind"));
      entry.data = text("entry.data");
      entries.push_back(std::move(entry));
    }
    return entries;
  }
  bool flag(std::string_view field) { return integer_up_to(1, field) == 1; }
  void end() {
    if (at_ != bytes_.size()) wrong("end", "bytes follow");
  }
  [[nodiscard]] const std::string& error() const { return error_; }

 private:
  std::uint64_t wrong(std::string_view field, std::string_view what) {
    if (error_.empty()) {
      error_ = std::string(field) + " before byte " + std::to_string(at_) + ": " + std::string(what);
    }
    at_ = bytes_.size();
    return 0;
  }

  std::string_view bytes_;
  std::size_t at_ = 0;
  std::string error_;
};

}  // namespace

std::string encode(const Message& message) {
  Writer out;
  std::size_t bytes = 64 + message.data.size();
  for (const Entry& entry : message.entries) bytes += 24 + entry.data.size();
  out.reserve(bytes);
  out.byte(kMessageVersion);
  out.byte(static_cast<std::uint8_t>(message.kind));
  for (const std::uint64_t value :
       {message.from, message.to, message.term, message.index, message.log_term, message.commit, message.rejected,
        std::uint64_t{message.granted}, std::uint64_t{message.forced}, message.round}) {
    out.integer(value);
  }
  out.integer(message.entries.size());
  for (const Entry& entry : message.entries) out.entry(entry);
  out.configuration(message.configuration);
  out.integer(message.total);
  out.integer(message.offset);
  out.text(message.data);
  return out.take();
}

Result<Message> decode_message(std::string_view bytes) {
  if (bytes.empty() || static_cast<unsigned char>(bytes[0]) != kMessageVersion) {
    return fail(ErrorCode::input,
                "message of a peer: version " +
                    (bytes.empty() ? "missing" : std::to_string(static_cast<unsigned char>(bytes[0]))) +
                    ", this node knows " + std::to_string(kMessageVersion));
  }
  Reader in(bytes.substr(1));
  Message message;
  const std::uint64_t kind = in.integer("kind");
  message.kind = static_cast<MessageKind>(kind & 0xFF);
  if (in.error().empty() && (kind == 0 || kind > static_cast<std::uint64_t>(MessageKind::timeout_now))) {
    return fail(ErrorCode::input, "message of a peer: unknown kind " + std::to_string(kind));
  }
  message.from = in.integer("from");
  message.to = in.integer("to");
  message.term = in.integer("term");
  message.index = in.integer("index");
  message.log_term = in.integer("log_term");
  message.commit = in.integer("commit");
  message.rejected = in.integer("rejected");
  message.granted = in.flag("granted");
  message.forced = in.flag("forced");
  message.round = in.integer("round");
  message.entries = in.entries();
  message.configuration = in.configuration();
  message.total = in.integer("total");
  message.offset = in.integer("offset");
  message.data = in.text("data");
  in.end();
  if (!in.error().empty()) return fail(ErrorCode::input, "message of a peer: " + in.error());
  return message;
}

std::string encode(const Configuration& configuration) {
  Writer out;
  out.configuration(configuration);
  return out.take();
}

Result<Configuration> decode_configuration(std::string_view bytes) {
  Reader in(bytes);
  Configuration configuration = in.configuration();
  in.end();
  if (!in.error().empty()) return fail(ErrorCode::input, "configuration: " + in.error());
  return configuration;
}

}  // namespace ordeal::log::raft
