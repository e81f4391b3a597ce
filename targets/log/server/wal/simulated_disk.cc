#include "targets/log/server/wal/simulated_disk.h"

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "base/error.h"

namespace ordeal::log::wal {
namespace {

constexpr std::uint64_t kSector = 512;

tl::unexpected<IoError> io_error(int number, const std::string& path, const char* call) {
  return tl::unexpected(IoError{number, path + ": " + call + ": " + std::generic_category().message(number)});
}

std::string parent(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

void put(std::string& contents, std::uint64_t offset, std::string_view bytes) {
  if (contents.size() < offset + bytes.size()) contents.resize(offset + bytes.size(), '\0');
  contents.replace(offset, bytes.size(), bytes);
}

}  // namespace

class SimulatedDisk::SimulatedFile : public File {
 public:
  SimulatedFile(SimulatedDisk& disk, std::shared_ptr<Inode> inode, std::string path)
      : disk_(disk), inode_(std::move(inode)), path_(std::move(path)) {}
  IoResult<void> write_at(std::uint64_t offset, std::string_view bytes) override {
    if (inode_->dead || disk_.broken_) return io_error(EIO, path_, "write");
    auto written = named(disk_.write(*inode_, offset, bytes), "write");
    if (!disk_.change()) return io_error(EIO, path_, "write");
    return written;
  }
  IoResult<void> truncate(std::uint64_t size) override {
    if (inode_->dead || disk_.broken_ || !disk_.change()) return io_error(EIO, path_, "truncate");
    return named(disk_.truncate(*inode_, size), "truncate");
  }
  IoResult<void> sync() override {
    if (inode_->dead || disk_.broken_ || !disk_.change()) return io_error(EIO, path_, "fdatasync");
    return named(disk_.sync(*inode_), "fdatasync");
  }

 private:
  IoResult<void> named(IoResult<void> result, const char* call) const {
    if (!result) return io_error(result.error().number, path_, call);
    return result;
  }
  SimulatedDisk& disk_;
  std::shared_ptr<Inode> inode_;
  std::string path_;
};

SimulatedDisk::SimulatedDisk(Rng rng) : rng_(rng) {}
SimulatedDisk::~SimulatedDisk() = default;

IoResult<SimulatedDisk::Directory*> SimulatedDisk::directory_of(const std::string& path, const char* call) {
  if (broken_) return io_error(EIO, path, call);
  const auto found = directories_.find(parent(path));
  if (found == directories_.end()) return io_error(ENOENT, path, call);
  return &found->second;
}

std::shared_ptr<SimulatedDisk::Inode> SimulatedDisk::find(const std::string& path) const {
  const auto directory = directories_.find(parent(path));
  if (directory == directories_.end()) return nullptr;
  const auto file = directory->second.now.find(base_name(path));
  return file == directory->second.now.end() ? nullptr : file->second;
}

IoResult<std::vector<std::string>> SimulatedDisk::list(const std::string& directory) {
  if (broken_) return io_error(EIO, directory, "list");
  const auto found = directories_.find(directory);
  if (found == directories_.end()) return io_error(ENOENT, directory, "list");
  std::vector<std::string> names;
  for (const auto& [name, inode] : found->second.now) names.push_back(name);
  for (const auto& [path, other] : directories_) {
    if (parent(path) == directory && path != directory) names.push_back(base_name(path));
  }
  std::sort(names.begin(), names.end());
  return names;
}

IoResult<std::string> SimulatedDisk::read(const std::string& path) {
  if (broken_) return io_error(EIO, path, "read");
  const auto inode = find(path);
  if (inode == nullptr) return io_error(ENOENT, path, "open");
  return inode->now;
}

IoResult<std::unique_ptr<File>> SimulatedDisk::open(const std::string& path, OpenMode mode) {
  const auto directory = directory_of(path, "open");
  if (!directory) return tl::unexpected(directory.error());
  auto inode = find(path);
  if (mode == OpenMode::create) {
    if (!change()) return io_error(EIO, path, "open");
    if (inode != nullptr) return io_error(EEXIST, path, "open");
    inode = std::make_shared<Inode>();
    (*directory)->now[base_name(path)] = inode;
    (*directory)->pending.push_back({{base_name(path), inode}});
  }
  if (inode == nullptr) return io_error(ENOENT, path, "open");
  return std::make_unique<SimulatedFile>(*this, inode, path);
}

// Both names are in one folder: all that storage needs, and one journal entry of a file system.
IoResult<void> SimulatedDisk::rename(const std::string& from, const std::string& to) {
  const auto source = directory_of(from, "rename");
  const auto destination = directory_of(to, "rename");
  if (!source) return tl::unexpected(source.error());
  if (!destination) return tl::unexpected(destination.error());
  const auto inode = find(from);
  if (inode == nullptr) return io_error(ENOENT, from, "rename");
  if (!change()) return io_error(EIO, from, "rename");
  (*source)->now.erase(base_name(from));
  (*destination)->now[base_name(to)] = inode;
  if (*source == *destination) {
    (*source)->pending.push_back({{base_name(from), nullptr}, {base_name(to), inode}});
  } else {
    (*source)->pending.push_back({{base_name(from), nullptr}});
    (*destination)->pending.push_back({{base_name(to), inode}});
  }
  return {};
}

IoResult<void> SimulatedDisk::remove(const std::string& path) {
  const auto directory = directory_of(path, "unlink");
  if (!directory) return tl::unexpected(directory.error());
  if ((*directory)->now.count(base_name(path)) == 0) return io_error(ENOENT, path, "unlink");
  if (!change()) return io_error(EIO, path, "unlink");
  (*directory)->now.erase(base_name(path));
  (*directory)->pending.push_back({{base_name(path), nullptr}});
  return {};
}

IoResult<void> SimulatedDisk::make_directory(const std::string& path) {
  if (broken_) return io_error(EIO, path, "mkdir");
  directories_.try_emplace(path);
  return {};
}

IoResult<void> SimulatedDisk::sync_directory(const std::string& path) {
  if (broken_) return io_error(EIO, path, "fsync");
  const auto found = directories_.find(path);
  if (found == directories_.end()) return io_error(ENOENT, path, "fsync");
  if (!change()) return io_error(EIO, path, "fsync");
  found->second.durable = found->second.now;
  found->second.pending.clear();
  return {};
}

std::uint64_t SimulatedDisk::used() const {
  std::uint64_t bytes = 0;
  for (const auto& [path, directory] : directories_) {
    for (const auto& [name, inode] : directory.now) bytes += inode->now.size();
  }
  return bytes;
}

IoResult<void> SimulatedDisk::write(Inode& inode, std::uint64_t offset, std::string_view bytes) {
  const std::uint64_t end = offset + bytes.size();
  std::uint64_t room = bytes.size();
  if (capacity_ != UINT64_MAX && end > inode.now.size()) {
    const std::uint64_t taken = used() - inode.now.size();  // by other files
    const std::uint64_t may_end = std::max<std::uint64_t>(capacity_ > taken ? capacity_ - taken : 0, inode.now.size());
    if (end > may_end) room = may_end > offset ? may_end - offset : 0;
  }
  const std::string_view fitting = bytes.substr(0, room);
  if (!fitting.empty()) {
    put(inode.now, offset, fitting);
    inode.pending.push_back({false, offset, std::string(fitting)});
  }
  if (room < bytes.size()) return tl::unexpected(IoError{ENOSPC, ""});
  return {};
}

IoResult<void> SimulatedDisk::truncate(Inode& inode, std::uint64_t size) {
  inode.now.resize(size, '\0');
  inode.pending.push_back({true, size, ""});
  return {};
}

IoResult<void> SimulatedDisk::sync(Inode& inode) {
  ++syncs_;
  if (failing_syncs_ > 0) {
    --failing_syncs_;
    inode.pending.clear();  // the pages are clean now: no later sync writes them
    return tl::unexpected(IoError{sync_error_, ""});
  }
  for (const Write& write : inode.pending) {
    if (write.truncation) {
      inode.durable.resize(write.offset, '\0');
    } else {
      put(inode.durable, write.offset, write.bytes);
    }
  }
  inode.pending.clear();
  return {};
}

void SimulatedDisk::lose(Inode& inode, bool everything) {
  if (!everything) {
    for (const Write& write : inode.pending) {
      if (write.truncation) {
        if (rng_.chance(0.5)) inode.durable.resize(write.offset, '\0');
        continue;
      }
      const std::uint64_t fate = rng_.below(4);  // all of it, none of it, or some sectors
      if (fate == 0) put(inode.durable, write.offset, write.bytes);
      if (fate < 2) continue;
      for (std::uint64_t at = 0; at < write.bytes.size();) {
        const std::uint64_t length = std::min(kSector - (write.offset + at) % kSector, write.bytes.size() - at);
        if (rng_.chance(0.5)) put(inode.durable, write.offset + at, std::string_view(write.bytes).substr(at, length));
        at += length;
      }
    }
  }
  inode.now = inode.durable;
  inode.pending.clear();
}

void SimulatedDisk::cut_power(bool everything) {
  for (auto& [path, directory] : directories_) {
    std::vector<std::shared_ptr<Inode>> open;
    for (const auto& [name, inode] : directory.now) open.push_back(inode);
    for (const auto& [name, inode] : directory.durable) open.push_back(inode);
    const std::size_t kept = everything ? 0 : rng_.below(directory.pending.size() + 1);
    for (std::size_t i = 0; i < kept; ++i) {
      for (const NameChange& change : directory.pending[i]) {
        if (change.inode == nullptr) {
          directory.durable.erase(change.name);
        } else {
          directory.durable[change.name] = change.inode;
        }
      }
    }
    directory.pending.clear();
    directory.now.clear();
    for (auto& [name, inode] : directory.durable) {
      lose(*inode, everything);
      auto fresh = std::make_shared<Inode>(*inode);
      inode = fresh;
      directory.now[name] = fresh;
    }
    for (const auto& inode : open) inode->dead = true;
  }
}

void SimulatedDisk::stop_at_change(std::uint64_t n, bool power) {
  changes_left_ = n;
  power_ = power;
}

bool SimulatedDisk::change() {
  if (changes_left_ == 0 || --changes_left_ > 0) return true;
  if (power_) cut_power();
  broken_ = true;
  return false;
}

void SimulatedDisk::fail_syncs(int error_number, int count) {
  sync_error_ = error_number;
  failing_syncs_ = count;
}

void SimulatedDisk::flip_bit(const std::string& path, std::uint64_t bit) {
  const auto inode = find(path);
  ORDEAL_CHECK(inode != nullptr && bit / 8 < inode->now.size(), "the bit is there");
  std::string contents = inode->now;
  contents[bit / 8] = static_cast<char>(contents[bit / 8] ^ 1 << bit % 8);
  overwrite(path, std::move(contents));
}

void SimulatedDisk::overwrite(const std::string& path, std::string contents) {
  const auto directory = directories_.find(parent(path));
  ORDEAL_CHECK(directory != directories_.end(), "the folder is there");
  auto inode = std::make_shared<Inode>();
  inode->now = contents;
  inode->durable = std::move(contents);
  directory->second.now[base_name(path)] = inode;
  directory->second.durable[base_name(path)] = inode;
}

void SimulatedDisk::erase(const std::string& path) {
  const auto directory = directories_.find(parent(path));
  ORDEAL_CHECK(directory != directories_.end() && directory->second.now.count(base_name(path)) != 0,
               "the file is there");
  directory->second.now.erase(base_name(path));
  directory->second.durable.erase(base_name(path));
}

std::vector<std::string> SimulatedDisk::paths() const {
  std::vector<std::string> all;
  for (const auto& [path, directory] : directories_) {
    for (const auto& [name, inode] : directory.now) all.push_back(path + '/' + name);
  }
  std::sort(all.begin(), all.end());
  return all;
}

}  // namespace ordeal::log::wal
