#include "harness/control/server_hello.h"

#include <algorithm>
#include <cstdint>

#include "base/text.h"

namespace ordeal {
namespace {

std::uint32_t big_endian(std::string_view four) {
  std::uint32_t value = 0;
  for (const char c : four.substr(0, 4)) value = (value << 8U) | static_cast<unsigned char>(c);
  return value;
}

bool is_rsa(const std::string& type) { return type == "ssh-rsa" || type.starts_with("rsa-sha2-"); }

}  // namespace

bool ServerHello::offers_usable_host_key() const {
  return std::any_of(host_key_types.begin(), host_key_types.end(), [](const std::string& type) {
    return type == "ssh-ed25519" || type == "ssh-rsa" || type.starts_with("ecdsa-sha2-nistp");
  });
}

bool ServerHello::offers_only_rsa() const {
  return !host_key_types.empty() && std::all_of(host_key_types.begin(), host_key_types.end(), is_rsa);
}

ServerHello parse_server_hello(std::string_view bytes) {
  ServerHello hello;
  // A server may send other lines before its banner.
  for (;;) {
    const std::size_t end = bytes.find('\n');
    if (end == std::string_view::npos) return hello;
    std::string_view line = bytes.substr(0, end);
    bytes.remove_prefix(end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.starts_with("SSH-")) {
      hello.banner = line;
      break;
    }
  }
  // packet length (4), padding length (1), message number (1: KEXINIT is 20), cookie (16), the name lists.
  static constexpr std::size_t kBeforeLists = 22;
  if (bytes.size() < kBeforeLists || bytes[5] != 20) return hello;
  bytes.remove_prefix(kBeforeLists);
  std::string_view key_exchange, host_keys;
  if (take_ssh_string(bytes, key_exchange) && take_ssh_string(bytes, host_keys)) {
    hello.host_key_types = split(host_keys, ',');
  }
  return hello;
}

bool take_ssh_string(std::string_view& bytes, std::string_view& out) {
  if (bytes.size() < 4) return false;
  const std::size_t length = big_endian(bytes);
  if (bytes.size() - 4 < length) return false;
  out = bytes.substr(4, length);
  bytes.remove_prefix(4 + length);
  return true;
}

std::string key_type_of_blob(std::string_view blob) {
  std::string_view type;
  return take_ssh_string(blob, type) ? std::string(type) : std::string();
}

std::string printable(std::string_view text, std::size_t limit) {
  std::string out(text.substr(0, limit));
  for (char& c : out) {
    if (c < ' ' || c == 0x7f) c = '?';
  }
  return out;
}

}  // namespace ordeal
