#include "nemesis/programs/disk/changes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>

namespace ordeal::disk {
namespace {

constexpr std::size_t kOverhead = 128;  // what a change costs besides its old contents

off_t signed_offset(std::uint64_t offset) { return static_cast<off_t>(offset); }

// How many bytes two texts have in common at their beginning.
std::size_t common(const char* one, const char* other, std::size_t size) {
  constexpr std::size_t kPiece = 256;
  std::size_t same = 0;
  while (same + kPiece <= size && std::memcmp(one + same, other + same, kPiece) == 0) same += kPiece;
  while (same < size && one[same] == other[same]) ++same;
  return same;
}

std::uint64_t size_of(int file) {
  struct stat info {};
  return ::fstat(file, &info) == 0 ? static_cast<std::uint64_t>(info.st_size) : 0;
}

int write_all(int file, const char* data, std::size_t size, std::uint64_t offset) {
  while (size > 0) {
    const ssize_t n = ::pwrite(file, data, size, signed_offset(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    data += n;
    size -= static_cast<std::size_t>(n);
    offset += static_cast<std::uint64_t>(n);
  }
  return 0;
}

// What a file holds from `offset` on, zeros where it has nothing.
std::string read_all(int file, std::uint64_t offset, std::size_t size) {
  std::string out(size, '\0');
  std::size_t done = 0;
  while (done < size) {
    const ssize_t n = ::pread(file, out.data() + done, size - done, signed_offset(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    done += static_cast<std::size_t>(n);
  }
  return out;
}

bool is_hole(int file, std::uint64_t offset, std::uint64_t size) {
  const off_t data = ::lseek(file, signed_offset(offset), SEEK_DATA);
  return data < 0 ? errno == ENXIO : static_cast<std::uint64_t>(data) >= offset + size;
}

bool is_zeros(const std::string& text) {
  return text.empty() || (text[0] == '\0' && std::memcmp(text.data(), text.data() + 1, text.size() - 1) == 0);
}

void set_size(int file, std::uint64_t size) { (void)!::ftruncate(file, signed_offset(size)); }

}  // namespace

// What is at change.offset, of change.old_length. A kernel that brings a long file's pages from several threads leaves
// holes and fills them, and databases allocate files of zeros beforehand: there is nothing to be kept of those.
void Changes::remember(int file, Change& change) {
  constexpr std::uint64_t kWorthAsking = 65'536;
  if (change.old_length >= kWorthAsking && is_hole(file, change.offset, change.old_length)) return;
  change.old = read_all(file, change.offset, change.old_length);
  if (is_zeros(change.old)) change.old = {};
}

void Changes::put_back(int file, const Change& change, std::uint64_t begin, std::uint64_t end) {
  if (begin >= end) return;
  if (!change.old.empty()) {
    (void)write_all(file, change.old.data() + (begin - change.offset), end - begin, begin);
    return;
  }
  if (::fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, signed_offset(begin), signed_offset(end - begin)) ==
          0 &&
      size_of(file) >= end) {
    return;
  }
  static constexpr char kZeros[kPage] = {};
  for (; begin < end; begin += std::min(kPage, end - begin)) {
    (void)write_all(file, kZeros, std::min(kPage, end - begin), begin);
  }
}

void Changes::trim(Change& change, const char* data) {
  if (change.old.empty()) return;
  const std::size_t same = common(change.old.data(), data, change.old.size());
  change.offset += same;
  change.length -= same;
  change.old.erase(0, same);
  if (change.old.size() == change.length) {
    while (!change.old.empty() && change.old.back() == data[same + change.old.size() - 1]) change.old.pop_back();
    change.length = change.old.size();
  }
  change.old_length = change.old.size();
}

void Changes::keep(Change change) {
  kept_bytes_ += change.old.size() + kOverhead;
  unsynced_bytes_ += change.length;
  changes_.push_back(std::move(change));
  while (kept_bytes_ > kMaxBytes && changes_.size() > 1) forget_first();
}

void Changes::forget_first() {
  kept_bytes_ -= changes_.front().old.size() + kOverhead;
  unsynced_bytes_ -= changes_.front().length;
  changes_.pop_front();
  ++first_;
}

void Changes::forget(std::uint64_t below) {
  while (!changes_.empty() && first_ < below) forget_first();
}

int Changes::write(int file, const char* data, std::size_t size, std::uint64_t offset) {
  Change change{offset, size, size_of(file), 0, 0, {}};
  if (offset < change.old_size) {
    change.old_length = std::min<std::uint64_t>(size, change.old_size - offset);
    remember(file, change);
  }
  change.new_size = std::max(change.old_size, offset + size);
  const int error = write_all(file, data, size, offset);
  if (error != 0) {
    undo(file, change);
    return error;
  }
  trim(change, data);
  if (change.length > 0) keep(std::move(change));
  return 0;
}

int Changes::truncate(int file, std::uint64_t size) {
  Change change{size, 0, size_of(file), size, 0, {}};
  if (size == change.old_size) return 0;
  if (change.shrinks()) {
    const std::uint64_t cut = change.old_size - size;
    if (cut > kMaxBytes / 2) {
      if (::ftruncate(file, signed_offset(size)) != 0) return errno;
      forget(next());
      return 0;
    }
    change.length = change.old_length = cut;
    remember(file, change);
  }
  if (::ftruncate(file, signed_offset(size)) != 0) return errno;
  keep(std::move(change));
  return 0;
}

int Changes::allocate(int file, int mode, std::uint64_t offset, std::uint64_t length) {
  if ((mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE)) != 0) return EOPNOTSUPP;
  Change change{offset, 0, size_of(file), 0, 0, {}};
  change.new_size = change.old_size;
  if ((mode & FALLOC_FL_PUNCH_HOLE) != 0) {
    if (offset < change.old_size) {
      change.length = std::min(length, change.old_size - offset);
      if (change.length > kMaxBytes / 2) return EOPNOTSUPP;
      change.old_length = change.length;
      remember(file, change);
    }
  } else if ((mode & FALLOC_FL_KEEP_SIZE) == 0) {
    change.new_size = std::max(change.old_size, offset + length);
  }
  if (::fallocate(file, mode, signed_offset(offset), signed_offset(length)) != 0) return errno;
  if (change.length > 0 || change.new_size != change.old_size) keep(std::move(change));
  return 0;
}

void Changes::undo(int file, const Change& change) {
  if (change.new_size != change.old_size) set_size(file, change.old_size);
  put_back(file, change, change.offset, change.old_end());
}

Loss Changes::lose(int file, LossMode mode, std::mt19937_64& random) {
  Loss loss;
  if (mode == LossMode::lost) loss = lose_from(file, 0);
  if (mode == LossMode::torn) loss = lose_torn(file, random);
  if (mode == LossMode::reordered) loss = lose_pages(file, random);
  forget(next());
  return loss;
}

Loss Changes::lose_from(int file, std::size_t from) {
  Loss loss;
  for (std::size_t i = changes_.size(); i > from; --i) {
    undo(file, changes_[i - 1]);
    ++loss.changes;
    loss.bytes += changes_[i - 1].length;
  }
  loss.kept = from;
  return loss;
}

Loss Changes::lose_torn(int file, std::mt19937_64& random) {
  const std::size_t cut = random() % (changes_.size() + 1);
  const std::uint64_t draw = random();
  if (cut == changes_.size()) return lose_from(file, cut);
  const Change& torn = changes_[cut];
  const std::uint64_t first = torn.offset / kSector;
  const std::uint64_t end = torn.offset + torn.length;
  const std::uint64_t sectors = (end + kSector - 1) / kSector - first;
  // Where the part begins that does not reach the disk; at the change's very beginning: nothing of it does.
  const std::uint64_t boundary = sectors == 0 ? torn.offset : std::max(torn.offset, (first + draw % sectors) * kSector);
  if (boundary == torn.offset || torn.shrinks()) return lose_from(file, cut);
  Loss loss = lose_from(file, cut + 1);
  const std::uint64_t size = std::max(torn.old_size, std::min(boundary, torn.new_size));
  if (size != torn.new_size) set_size(file, size);
  put_back(file, torn, boundary, torn.old_end());
  ++loss.changes;
  ++loss.torn;
  loss.bytes += end - boundary;
  return loss;
}

Loss Changes::lose_pages(int file, std::mt19937_64& random) {
  // What was cut off must not come back from behind: up to the last shrinking everything reached the disk.
  std::size_t from = changes_.size();
  while (from > 0 && !changes_[from - 1].shrinks()) --from;
  Loss loss;
  loss.kept = from;
  if (from == changes_.size()) return loss;
  const std::uint64_t synced_end = changes_[from].old_size;
  std::map<std::uint64_t, bool> survives;  // by page
  std::uint64_t end = synced_end;
  for (std::size_t i = from; i < changes_.size(); ++i) {
    const Change& change = changes_[i];
    bool all = true;
    for (std::uint64_t page = change.offset / kPage; page * kPage < change.offset + change.length; ++page) {
      const auto [at, is_new] = survives.try_emplace(page, false);
      if (is_new) at->second = random() % 2 == 0;
      all = all && at->second;
      if (at->second) end = std::max(end, std::min(change.offset + change.length, (page + 1) * kPage));
    }
    if (change.length == 0 && random() % 2 == 0) end = std::max(end, change.new_size);  // only the size
    ++(all ? loss.kept : loss.changes);
  }
  for (std::size_t i = changes_.size(); i > from; --i) {
    const Change& change = changes_[i - 1];
    for (const auto& [page, survived] : survives) {
      if (survived) continue;
      put_back(file, change, std::max(change.offset, page * kPage), std::min(change.old_end(), (page + 1) * kPage));
    }
  }
  static constexpr char kZeros[kPage] = {};
  for (const auto& [page, survived] : survives) {
    if (survived) continue;
    loss.bytes += kPage;
    const std::uint64_t begin = std::max(synced_end, page * kPage);
    const std::uint64_t stop = std::min(end, (page + 1) * kPage);
    if (begin < stop) (void)write_all(file, kZeros, stop - begin, begin);
  }
  set_size(file, end);
  return loss;
}

}  // namespace ordeal::disk
