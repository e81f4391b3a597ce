#pragma once
// Base64 (RFC 4648, with padding): SSH keys, what a report's page carries, the JSON gateway of etcd.
//
// Our own and not OpenSSL's EVP_DecodeBlock, which takes blanks around the text, counts padding as bytes and lets bits
// pass that the padding says are not there; and base/ stays free of OpenSSL. Thread-safety: pure.

#include <optional>
#include <string>
#include <string_view>

namespace ordeal {

[[nodiscard]] std::string base64_encode(std::string_view bytes);
// Nothing when `text` is not base64 with its padding; white space is not base64 (PEM has it: take it out first).
[[nodiscard]] std::optional<std::string> base64_decode(std::string_view text);

}  // namespace ordeal
