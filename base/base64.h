#pragma once
// Base64 (RFC 4648, with padding), in which the JSON gateway of etcd carries keys and values. Thread-safety: pure.

#include <optional>
#include <string>
#include <string_view>

namespace ordeal {

[[nodiscard]] std::string base64_encode(std::string_view bytes);
// Nothing when `text` is not base64 with its padding.
[[nodiscard]] std::optional<std::string> base64_decode(std::string_view text);

}  // namespace ordeal
