#include "checkers/history/parts.h"

#include <zlib.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <set>
#include <thread>

#include "base/files.h"

namespace ordeal {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kName = "history.jsonl";
constexpr std::string_view kPlain = ".jsonl";
constexpr std::string_view kPacked = ".jsonl.gz";
constexpr std::size_t kDigits = 6;
// Parts are far smaller; more is a mistake or an attack.
constexpr std::size_t kLargest = std::size_t{1} << 30;
constexpr std::size_t kLargestTogether = std::size_t{16} << 30;

// The number of a part, -1 for another file's name.
std::int64_t number_of(std::string_view name, std::string_view ending) {
  constexpr std::string_view kBegin = "history-";
  if (!name.starts_with(kBegin) || !name.ends_with(ending)) return -1;
  name = name.substr(kBegin.size(), name.size() - kBegin.size() - ending.size());
  std::int64_t number = -1;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (name.size() < kDigits || error != std::errc() || end != name.data() + name.size() || number < 0) return -1;
  return number;
}

// What a gzip file of one member says at its end: how many bytes it unpacks to, below 4 GiB.
std::size_t unpacked_size(std::string_view packed) {
  if (packed.size() < 18) return 0;
  std::size_t size = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    size |= std::size_t{static_cast<unsigned char>(packed[packed.size() - 4 + i])} << (8 * i);
  }
  return size;
}

// Into exactly that room; what is wrong with it, or nothing. zlib compares the checksum.
std::string unpack(std::string_view packed, char* room, std::size_t size) {
  z_stream stream{};
  if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK) return "zlib could not be initialised";
  stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(room);
  stream.avail_out = static_cast<uInt>(size);
  const int code = inflate(&stream, Z_FINISH);
  const bool whole = code == Z_STREAM_END && stream.avail_in == 0 && stream.avail_out == 0;
  const std::string why = stream.msg != nullptr ? stream.msg : "it breaks off, or is not one whole gzip member";
  inflateEnd(&stream);
  return whole ? "" : "the part is damaged: " + why;
}

struct Part {
  Input file;
  bool packed = false;
  std::size_t size = 0;
  std::size_t begin = 0;
  std::string problem;
};

Result<std::vector<Part>> opened(const std::vector<std::string>& paths, const Limits& limits) {
  std::vector<Part> parts(paths.size());
  std::size_t total = 0;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    Part& part = parts[i];
    part.packed = paths[i].ends_with(kPacked);
    auto file = part.packed ? Input::open_packed(paths[i], limits) : Input::open(paths[i], limits);
    if (!file) return fail(file.error());
    part.file = *std::move(file);
    const std::string_view text = part.file.text();
    part.size = part.packed ? unpacked_size(text) : text.size();
    part.begin = total;
    total += part.size;
    if (part.packed && (part.size > kLargest || text.size() > kLargest))
      return fail(ErrorCode::input, paths[i] + ": unpacks to more than a part may have");
    if (total > kLargestTogether)
      return fail(ErrorCode::input, paths[i] + ": with the parts before it, more than 16 GiB");
  }
  return parts;
}

}  // namespace

std::string part_path(const std::string& history, std::size_t number) {
  std::string digits = std::to_string(number);
  digits.insert(0, kDigits - std::min(kDigits, digits.size()), '0');
  return history.substr(0, history.size() - kPlain.size()) + "-" + digits + std::string(kPlain);
}

Result<std::vector<std::string>> parts_of(const std::string& history) {
  const fs::path path(history);
  if (path.filename() != kName) return std::vector<std::string>{history};
  std::error_code error;
  std::set<std::int64_t> plain, packed;
  for (const auto& entry : fs::directory_iterator(path.has_parent_path() ? path.parent_path() : ".", error)) {
    const std::string name = entry.path().filename().string();
    // A link may lead anywhere.
    if (entry.is_symlink(error)) continue;
    if (const auto number = number_of(name, kPlain); number >= 0) plain.insert(number);
    if (const auto number = number_of(name, kPacked); number >= 0) packed.insert(number);
  }
  std::vector<std::string> out;
  const std::int64_t count =
      std::max(plain.empty() ? 0 : *plain.rbegin() + 1, packed.empty() ? 0 : *packed.rbegin() + 1);
  for (std::int64_t number = 0; number < count; ++number) {
    std::string part = part_path(history, static_cast<std::size_t>(number));
    if (packed.contains(number)) {
      part += kPacked.substr(kPlain.size());
    } else if (!plain.contains(number)) {
      return fail(ErrorCode::input, part + " is missing, a part of the history; later ones are there");
    }
    out.push_back(std::move(part));
  }
  // Killed just before the next one was begun.
  if (!out.empty() && !fs::exists(path, error)) return out;
  out.push_back(history);
  return out;
}

Result<Input> open_parts(const std::vector<std::string>& paths, const Limits& limits) {
  if (paths.size() == 1) return Input::open(paths.front(), limits);
  auto parts = opened(paths, limits);
  if (!parts) return fail(parts.error());
  const std::size_t total = parts->back().begin + parts->back().size;
  limits.need(total);
  auto room = Input::room(total);
  if (!room) return fail(room.error());
  char* const text = room->writable();
  std::atomic<std::size_t> next{0};
  std::atomic<bool> stopped{false};
  {
    std::vector<std::jthread> threads;
    const std::size_t count = std::min<std::size_t>(parts->size(), std::max(1u, std::thread::hardware_concurrency()));
    for (std::size_t t = 0; t < count; ++t) {
      threads.emplace_back([&] {
        for (std::size_t i = next++; i < parts->size() && !stopped; i = next++) {
          if (!limits.exceeded().empty()) stopped = true;
          Part& part = (*parts)[i];
          if (part.packed) {
            part.problem = unpack(part.file.text(), text + part.begin, part.size);
          } else if (part.size > 0) {
            std::memcpy(text + part.begin, part.file.text().data(), part.size);
          }
        }
      });
    }
  }
  limits.check();
  for (std::size_t i = 0; i < paths.size(); ++i) {
    if (!(*parts)[i].problem.empty()) return fail(ErrorCode::input, paths[i] + ": " + (*parts)[i].problem);
  }
  return room;
}

}  // namespace ordeal
