#include "targets/log/server/node/frames.h"

#include <fmt/format.h>
#include <zlib.h>

#include "base/error.h"
#include "targets/log/server/state/codec.h"

namespace ordeal::log::node {
namespace {

constexpr std::string_view kMagic = "ordeal-log peer 1";

void append_u32(std::string& out, std::uint32_t value) {
  for (unsigned i = 0; i < 4; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
}

std::uint32_t u32_at(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (unsigned i = 0; i < 4; ++i) value |= std::uint32_t{static_cast<std::uint8_t>(bytes[at + i])} << (8 * i);
  return value;
}

std::uint32_t checksum(std::string_view bytes) {
  return static_cast<std::uint32_t>(
      crc32(0, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size())));
}

}  // namespace

std::string encode(const Hello& hello) {
  state::Writer out;
  out.text(kMagic);
  out.text(hello.cluster);
  out.number(hello.from);
  out.text(hello.name);
  out.text(hello.addresses);
  return out.take();
}

std::optional<Hello> decode_hello(std::string_view bytes) {
  state::Reader in(bytes);
  if (in.text() != kMagic) return std::nullopt;
  Hello hello;
  hello.cluster = in.text();
  hello.from = in.number();
  hello.name = in.text();
  hello.addresses = in.text();
  if (!in.finished() || hello.from == raft::kNobody) return std::nullopt;
  return hello;
}

std::string encode(const Forwarded& forwarded) {
  state::Writer out;
  out.number(forwarded.id);
  out.byte(static_cast<std::uint8_t>(forwarded.status));
  out.number(forwarded.term);
  out.text(forwarded.body);
  return out.take();
}

std::optional<Forwarded> decode_forwarded(std::string_view bytes) {
  state::Reader in(bytes);
  Forwarded forwarded;
  forwarded.id = in.number();
  const std::uint8_t status = in.byte();
  forwarded.term = in.number();
  forwarded.body = in.text();
  if (!in.finished() || status > 2) return std::nullopt;
  forwarded.status = static_cast<Forwarded::Status>(status);
  return forwarded;
}

std::string frame(FrameKind kind, std::string_view payload) {
  ORDEAL_CHECK(payload.size() + kFrameHeaderBytes < kMaxFrameBytes, "a frame is bounded");
  std::string rest(1, static_cast<char>(kind));
  rest += payload;
  std::string out;
  out.reserve(rest.size() + kFrameHeaderBytes);
  append_u32(out, static_cast<std::uint32_t>(rest.size()));
  append_u32(out, checksum(rest));
  return out + rest;
}

std::optional<FrameReader::Frame> FrameReader::next() {
  const std::string_view left = std::string_view(buffer_).substr(at_);
  if (!broken_.empty() || left.size() < kFrameHeaderBytes) return std::nullopt;
  const std::size_t length = u32_at(left, 0);
  if (length == 0 || length > kMaxFrameBytes) {
    broken_ = fmt::format("a frame of {} bytes", length);
    return std::nullopt;
  }
  if (left.size() < kFrameHeaderBytes + length) {
    buffer_.erase(0, at_);
    at_ = 0;
    return std::nullopt;
  }
  const std::string_view rest = left.substr(kFrameHeaderBytes, length);
  const auto kind = static_cast<std::uint8_t>(rest.front());
  if (checksum(rest) != u32_at(left, 4) || kind < 1 || kind > static_cast<std::uint8_t>(FrameKind::read_answer)) {
    broken_ = "a frame whose checksum is wrong, or of an unknown kind";
    return std::nullopt;
  }
  Frame out{static_cast<FrameKind>(kind), std::string(rest.substr(1))};
  at_ += kFrameHeaderBytes + length;
  if (at_ == buffer_.size()) {
    buffer_.clear();
    at_ = 0;
  }
  return out;
}

}  // namespace ordeal::log::node
