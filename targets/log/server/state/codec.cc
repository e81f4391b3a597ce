#include "targets/log/server/state/codec.h"

namespace ordeal::log::state {

void Writer::number(std::uint64_t value) {
  while (value >= 0x80) {
    byte(static_cast<std::uint8_t>(value | 0x80));
    value >>= 7;
  }
  byte(static_cast<std::uint8_t>(value));
}

void Writer::signed_number(std::int64_t value) {
  number((static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63));
}

void Writer::text(std::string_view value) {
  number(value.size());
  out_.append(value);
}

std::uint8_t Reader::byte() {
  if (!ok_ || left_.empty()) {
    ok_ = false;
    return 0;
  }
  const auto value = static_cast<std::uint8_t>(left_.front());
  left_.remove_prefix(1);
  return value;
}

std::uint64_t Reader::number() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    const std::uint8_t next = byte();
    if (shift == 63 && next > 1) break;  // more than 64 bits
    value |= static_cast<std::uint64_t>(next & 0x7f) << shift;
    if ((next & 0x80) == 0) return ok_ ? value : 0;
  }
  ok_ = false;
  return 0;
}

std::int64_t Reader::signed_number() {
  const std::uint64_t coded = number();
  return static_cast<std::int64_t>((coded >> 1) ^ (~(coded & 1) + 1));
}

std::string Reader::text() {
  const std::uint64_t size = number();
  if (!ok_ || size > left_.size()) {
    ok_ = false;
    return {};
  }
  std::string value(left_.substr(0, size));
  left_.remove_prefix(size);
  return value;
}

std::uint64_t Reader::count() {
  const std::uint64_t value = number();
  if (!ok_ || value > left_.size()) {
    ok_ = false;
    return 0;
  }
  return value;
}

}  // namespace ordeal::log::state
