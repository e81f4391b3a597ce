#pragma once
// Numbers in files: little-endian, of fixed width; and reading them without stepping past the end.
// Thread-safety: values.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace ordeal::log::wal {

template <class T>
void put_number(std::string& out, T number) {
  for (std::size_t i = 0; i < sizeof number; ++i) out += static_cast<char>(static_cast<std::uint64_t>(number) >> 8 * i);
}

// Takes numbers from the front. After the first that is not there whole, ok() is false and all others are 0.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  template <class T>
  T number() {
    const std::string_view taken = bytes(sizeof(T));
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < taken.size(); ++i)
      value |= std::uint64_t{static_cast<unsigned char>(taken[i])} << 8 * i;
    return static_cast<T>(value);
  }
  std::string_view bytes(std::size_t n) {
    if (n > rest_.size()) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const std::string_view taken = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return taken;
  }
  [[nodiscard]] std::string_view rest() const { return rest_; }
  [[nodiscard]] bool ok() const { return ok_; }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

// A cluster's id in a file: its length (32 bits), then 64 bytes, zeros after it.
inline constexpr std::size_t kMaxCluster = 64;
inline void put_cluster(std::string& out, const std::string& cluster) {
  put_number(out, static_cast<std::uint32_t>(cluster.size()));
  out += cluster;
  out.append(kMaxCluster - cluster.size(), '\0');
}
// Empty when it is none.
[[nodiscard]] inline std::string take_cluster(ByteReader& reader) {
  const auto size = reader.number<std::uint32_t>();
  const std::string_view bytes = reader.bytes(kMaxCluster);
  return size <= bytes.size() ? std::string(bytes.substr(0, size)) : std::string();
}

}  // namespace ordeal::log::wal
