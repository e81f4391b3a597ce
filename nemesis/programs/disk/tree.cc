#include "nemesis/programs/disk/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace ordeal::disk {
namespace {

std::string path_of(int handle) { return "/proc/self/fd/" + std::to_string(handle); }

int stat_of(int handle, struct stat& info) {
  return ::fstatat(handle, "", &info, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) == 0 ? 0 : errno;
}

std::uint64_t size_of(int file) {
  struct stat info {};
  return ::fstat(file, &info) == 0 ? static_cast<std::uint64_t>(info.st_size) : 0;
}

std::int64_t blocks(std::uint64_t size) {
  return static_cast<std::int64_t>((size + Changes::kPage - 1) / Changes::kPage * Changes::kPage);
}

bool is_empty_directory(int handle) {
  DIR* const listing = ::opendir(path_of(handle).c_str());
  if (listing == nullptr) return false;
  int entries = 0;
  while (const dirent* entry = ::readdir(listing)) {
    if (std::strcmp(entry->d_name, ".") != 0 && std::strcmp(entry->d_name, "..") != 0) ++entries;
  }
  ::closedir(listing);
  return entries == 0;
}

void remove_from(int directory, const std::string& name) {
  if (::unlinkat(directory, name.c_str(), 0) != 0) (void)::unlinkat(directory, name.c_str(), AT_REMOVEDIR);
}

int empty_graveyard(int graveyard) {
  DIR* const listing = ::opendir(path_of(graveyard).c_str());
  if (listing == nullptr) return errno;
  while (const dirent* entry = ::readdir(listing)) {
    if (entry->d_name[0] != '.') remove_from(graveyard, entry->d_name);
  }
  ::closedir(listing);
  return 0;
}

bool is_marker(std::uint64_t parent, const char* name) {
  return parent == Tree::kRoot && std::strcmp(name, kMarker) == 0;
}

bool is_ours(std::uint64_t parent, const char* name) {
  return is_marker(parent, name) || (parent == Tree::kRoot && std::strcmp(name, kGraveyard) == 0);
}

// The names in a directory that are regular files', as far as the directory says.
std::vector<std::string> files_in(int directory) {
  std::vector<std::string> out;
  DIR* const listing = ::opendir(path_of(directory).c_str());
  if (listing == nullptr) return out;
  while (const dirent* entry = ::readdir(listing)) {
    if (entry->d_type == DT_REG || entry->d_type == DT_UNKNOWN) out.emplace_back(entry->d_name);
  }
  ::closedir(listing);
  return out;
}

}  // namespace

Inode::~Inode() {
  if (data >= 0) ::close(data);
  if (handle >= 0) ::close(handle);
}

int Inode::attributes(struct stat& info) const {
  if (const int error = stat_of(handle, info); error != 0) return error;
  info.st_nlink -= std::min<nlink_t>(buried, info.st_nlink);
  return 0;
}

Tree::Tree(int root, Durability names) : durability_(names) {
  const auto top = std::make_shared<Inode>();
  top->id = kRoot;
  top->handle = root;
  top->lookups = 1;
  struct stat info {};
  (void)stat_of(root, info);
  top->key = {info.st_dev, info.st_ino};
  by_id_[kRoot] = top;
  by_key_[top->key] = top;
  if (::mkdirat(root, kGraveyard, 0700) != 0 && errno != EEXIST) return;
  graveyard_ = ::openat(root, kGraveyard, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (graveyard_ < 0) return;
  (void)empty_graveyard(graveyard_);
  if (make_marker() == 0) return;
  ::close(graveyard_);
  graveyard_ = -1;
}

int Tree::make_marker() {
  const int file = ::openat(graveyard_, kMarker + 1, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) return errno;
  struct stat info {};
  const int error = ::ftruncate(file, kMarkerBytes) == 0 && ::fstat(file, &info) == 0 ? 0 : errno;
  ::close(file);
  marker_ = {info.st_dev, info.st_ino};
  return error;
}

Tree::~Tree() {
  if (graveyard_ < 0) return;
  sync_all();
  (void)empty_graveyard(graveyard_);
  ::close(graveyard_);
  (void)::unlinkat(by_id_.at(kRoot)->handle, kGraveyard, AT_REMOVEDIR);
}

Ref Tree::at(std::uint64_t id) {
  const std::lock_guard lock(names_);
  return at_locked(id);
}

Ref Tree::at_locked(std::uint64_t id) {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? by_id_.at(kRoot) : found->second;
}

int Tree::find(std::uint64_t parent, const char* name, Ref& out, struct stat& info) {
  const bool marker = is_marker(parent, name);
  if (is_ours(parent, name) && !marker) return ENOENT;
  // In the graveyard it is called otherwise than what waits there, and than what is kept there.
  const int handle = ::openat(marker ? graveyard_ : at_locked(parent)->handle, marker ? kMarker + 1 : name,
                              O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (handle < 0) return errno;
  if (const int error = stat_of(handle, info); error != 0) {
    ::close(handle);
    return error;
  }
  const std::pair<dev_t, ino_t> key{info.st_dev, info.st_ino};
  std::weak_ptr<Inode>& known = by_key_[key];
  out = known.lock();
  if (out != nullptr) {
    ::close(handle);
  } else {
    out = std::make_shared<Inode>();
    out->id = next_id_++;
    out->handle = handle;
    out->key = key;
    out->type = info.st_mode & S_IFMT;
    known = out;
  }
  info.st_nlink -= std::min<nlink_t>(out->buried, info.st_nlink);
  return 0;
}

int Tree::lookup(std::uint64_t parent, const char* name, Ref& out, struct stat& info) {
  const std::lock_guard lock(names_);
  const int error = find(parent, name, out, info);
  if (error != 0) return error;
  by_id_[out->id] = out;
  ++out->lookups;
  return 0;
}

void Tree::forget(std::uint64_t id, std::uint64_t count) {
  const std::lock_guard lock(names_);
  const auto found = by_id_.find(id);
  if (found == by_id_.end() || id == kRoot) return;
  const Ref inode = found->second;
  inode->lookups -= std::min(count, inode->lookups);
  if (inode->lookups > 0) return;
  by_id_.erase(found);
  // The journal or an unsynced file may still hold it; then it will be found again under its key.
  if (inode.use_count() == 1 && !inode->ended) by_key_.erase(inode->key);
  if (by_key_.size() > 2 * by_id_.size() + 1000)
    std::erase_if(by_key_, [](const auto& one) { return one.second.expired(); });
}

// ---- names

void Tree::keep(NameChange change) {
  journal_.push_back(std::move(change));
  if (journal_.size() > kMaxNames) commit(journal_.size() / 2);
}

int Tree::make_node(std::uint64_t parent, const char* name, mode_t mode, dev_t device, Owner owner, Ref& out,
                    struct stat& info) {
  const std::lock_guard lock(names_);
  if (is_ours(parent, name)) return EPERM;
  const Ref directory = at_locked(parent);
  struct stat above {};
  if (const int error = stat_of(directory->handle, above); error != 0) return error;
  if ((above.st_mode & S_ISGID) != 0) {
    owner.group = above.st_gid;
    if (S_ISDIR(mode)) mode |= S_ISGID;
  }
  const int done = S_ISDIR(mode) ? ::mkdirat(directory->handle, name, mode & 07777)
                                 : ::mknodat(directory->handle, name, mode, device);
  if (done != 0) return errno;
  (void)::fchownat(directory->handle, name, owner.user, owner.group, AT_SYMLINK_NOFOLLOW);
  // A change of the owner clears these bits.
  if ((mode & (S_ISUID | S_ISGID)) != 0) (void)::fchmodat(directory->handle, name, mode & 07777, 0);
  if (const int error = find(parent, name, out, info); error != 0) return error;
  by_id_[out->id] = out;
  ++out->lookups;
  keep({NameChange::Kind::made, directory, name, nullptr, {}, nullptr, 0});
  return 0;
}

int Tree::make_link(std::uint64_t parent, const char* name, const char* to, Owner owner, Ref& out, struct stat& info) {
  const std::lock_guard lock(names_);
  if (is_ours(parent, name)) return EPERM;
  const Ref directory = at_locked(parent);
  if (::symlinkat(to, directory->handle, name) != 0) return errno;
  (void)::fchownat(directory->handle, name, owner.user, owner.group, AT_SYMLINK_NOFOLLOW);
  if (const int error = find(parent, name, out, info); error != 0) return error;
  by_id_[out->id] = out;
  ++out->lookups;
  keep({NameChange::Kind::made, directory, name, nullptr, {}, nullptr, 0});
  return 0;
}

int Tree::link(const Ref& file, std::uint64_t parent, const char* name, struct stat& info) {
  const std::lock_guard lock(names_);
  if (is_ours(parent, name)) return EPERM;
  const Ref directory = at_locked(parent);
  if (::linkat(AT_FDCWD, path_of(file->handle).c_str(), directory->handle, name, AT_SYMLINK_FOLLOW) != 0) return errno;
  if (const int error = file->attributes(info); error != 0) return error;
  by_id_[file->id] = file;
  ++file->lookups;
  keep({NameChange::Kind::made, directory, name, nullptr, {}, nullptr, 0});
  return 0;
}

// Puts change.victim, of which `info` tells, into the graveyard.
int Tree::bury(const Ref& parent, const std::string& name, NameChange& change, const struct stat& info) {
  change.grave = next_grave_++;
  if (::renameat(parent->handle, name.c_str(), graveyard_, std::to_string(change.grave).c_str()) != 0) {
    const int error = errno;
    change.victim = nullptr;
    return error;
  }
  if (!S_ISDIR(info.st_mode)) ++change.victim->buried;
  if (S_ISREG(info.st_mode) && info.st_nlink == 1) left_ += blocks(static_cast<std::uint64_t>(info.st_size));
  return 0;
}

void Tree::unearth(const NameChange& change, const Ref& parent, const std::string& name) {
  (void)::renameat(graveyard_, std::to_string(change.grave).c_str(), parent->handle, name.c_str());
  if (change.victim->buried > 0) --change.victim->buried;
  struct stat info {};
  if (change.victim->attributes(info) != 0) return;
  if (S_ISREG(info.st_mode) && info.st_nlink == 1) left_ -= blocks(static_cast<std::uint64_t>(info.st_size));
}

int Tree::remove(std::uint64_t parent, const char* name, bool directory) {
  const std::lock_guard lock(names_);
  if (is_ours(parent, name)) return EPERM;
  Ref inode;
  struct stat info {};
  if (const int error = find(parent, name, inode, info); error != 0) return error;
  if (directory && !S_ISDIR(info.st_mode)) return ENOTDIR;
  if (!directory && S_ISDIR(info.st_mode)) return EISDIR;
  if (directory && !is_empty_directory(inode->handle)) return ENOTEMPTY;
  NameChange change{NameChange::Kind::removed, at_locked(parent), name, nullptr, {}, inode, 0};
  if (const int error = bury(change.parent, change.name, change, info); error != 0) return error;
  keep(std::move(change));
  return 0;
}

int Tree::rename(std::uint64_t from, const char* name, std::uint64_t to, const char* new_name, unsigned flags) {
  const std::lock_guard lock(names_);
  if (is_ours(from, name) || is_ours(to, new_name)) return EPERM;
  Ref inode;
  struct stat info {};
  if (const int error = find(from, name, inode, info); error != 0) return error;
  NameChange change{NameChange::Kind::moved, at_locked(from), name, at_locked(to), new_name, nullptr, 0};
  if (flags == RENAME_EXCHANGE) {
    change.kind = NameChange::Kind::exchanged;
    if (::renameat2(change.parent->handle, name, change.to->handle, new_name, RENAME_EXCHANGE) != 0) return errno;
    keep(std::move(change));
    return 0;
  }
  if ((flags & ~static_cast<unsigned>(RENAME_NOREPLACE)) != 0) return EINVAL;
  Ref replaced;
  struct stat old {};
  const int missing = find(to, new_name, replaced, old);
  if (missing != 0 && missing != ENOENT) return missing;
  if (replaced != nullptr) {
    if (flags == RENAME_NOREPLACE) return EEXIST;
    if (replaced == inode) return 0;
    if (S_ISDIR(old.st_mode) && !S_ISDIR(info.st_mode)) return EISDIR;
    if (!S_ISDIR(old.st_mode) && S_ISDIR(info.st_mode)) return ENOTDIR;
    if (S_ISDIR(old.st_mode) && !is_empty_directory(replaced->handle)) return ENOTEMPTY;
    change.victim = replaced;
    if (const int error = bury(change.to, change.to_name, change, old); error != 0) return error;
  }
  if (::renameat(change.parent->handle, name, change.to->handle, new_name) != 0) {
    const int error = errno;
    if (change.victim != nullptr) unearth(change, change.to, change.to_name);
    return error;
  }
  keep(std::move(change));
  return 0;
}

void Tree::commit(std::size_t count) {
  for (; count > 0 && !journal_.empty(); --count) {
    const NameChange& first = journal_.front();
    if (first.victim != nullptr) {
      remove_from(graveyard_, std::to_string(first.grave));
      if (first.victim->buried > 0) --first.victim->buried;
    }
    journal_.pop_front();
  }
}

void Tree::undo(const NameChange& change) {
  switch (change.kind) {
    case NameChange::Kind::made:
      remove_from(change.parent->handle, change.name);
      break;
    case NameChange::Kind::removed:
      unearth(change, change.parent, change.name);
      break;
    case NameChange::Kind::moved:
      (void)::renameat(change.to->handle, change.to_name.c_str(), change.parent->handle, change.name.c_str());
      if (change.victim != nullptr) unearth(change, change.to, change.to_name);
      break;
    case NameChange::Kind::exchanged:
      (void)::renameat2(change.parent->handle, change.name.c_str(), change.to->handle, change.to_name.c_str(),
                        RENAME_EXCHANGE);
      break;
  }
}

// ---- contents

int Tree::open_data(Inode& file) const {
  if (file.data >= 0) return 0;
  file.data = ::open(path_of(file.handle).c_str(), O_RDWR | O_CLOEXEC);
  return file.data >= 0 ? 0 : errno;
}

void Tree::close_data(const Ref& file) {
  if (file->users > 0 || !file->changes.empty() || file->data < 0) return;
  ::close(file->data);
  file->data = -1;
}

int Tree::open(const Ref& file) {
  const std::lock_guard lock(file->mutex);
  if (file->ended) return ESTALE;
  if (const int error = open_data(*file); error != 0) return error;
  ++file->users;
  return 0;
}

void Tree::close(const Ref& file) {
  const std::lock_guard lock(file->mutex);
  --file->users;
  if (file->users == 0 && file->promised_in == limit_number_ && file->promised > 0) {
    const std::int64_t charged = blocks(charged_end(*file));
    file->promised = 0;
    left_ += charged - blocks(charged_end(*file));
  }
  close_data(file);
}

void Tree::set_dirty(const Ref& file, bool dirty) {
  const std::lock_guard lock(dirty_mutex_);
  if (dirty) {
    dirty_.try_emplace(file->id, file);
  } else {
    dirty_.erase(file->id);
  }
}

std::uint64_t Tree::charged_end(const Inode& file) const {
  return std::max(size_of(file.data), file.promised_in == limit_number_ ? file.promised : 0);
}

bool Tree::room_for(const Inode& file, std::uint64_t end) const {
  const std::uint64_t charged = charged_end(file);
  return !limited_ || end <= charged || blocks(end) - blocks(charged) <= std::max<std::int64_t>(left_, 0);
}

template <class Step>
int Tree::change(const Ref& file, std::uint64_t end, Step step) {
  const std::lock_guard lock(file->mutex);
  if (file->ended) return ESTALE;
  if (const int error = open_data(*file); error != 0) return error;
  if (!room_for(*file, end)) {
    close_data(file);
    return ENOSPC;
  }
  const std::int64_t before = blocks(charged_end(*file));
  const bool clean = file->changes.empty();
  const int error = step(*file);
  left_ -= blocks(charged_end(*file)) - before;
  if (clean && !file->changes.empty()) set_dirty(file, true);
  close_data(file);
  return error;
}

int Tree::write(const Ref& file, const char* data, std::size_t size, std::uint64_t offset) {
  return change(file, offset + size, [&](Inode& inode) { return inode.changes.write(inode.data, data, size, offset); });
}

void Tree::extend(const Ref& file, std::uint64_t end) {
  (void)change(file, 0,
               [&](Inode& inode) { return size_of(inode.data) >= end ? 0 : inode.changes.truncate(inode.data, end); });
}

int Tree::truncate(const Ref& file, std::uint64_t size) {
  return change(file, 0, [&](Inode& inode) {
    inode.promised = 0;
    return inode.changes.truncate(inode.data, size);
  });
}

int Tree::allocate(const Ref& file, int mode, std::uint64_t offset, std::uint64_t length) {
  const std::uint64_t end = (mode & FALLOC_FL_PUNCH_HOLE) != 0 ? 0 : offset + length;
  return change(file, end, [&](Inode& inode) { return inode.changes.allocate(inode.data, mode, offset, length); });
}

int Tree::sync(const Ref& file) {
  std::size_t names = 0;
  {
    const std::lock_guard lock(names_);
    names = durability_ == Durability::journal ? journal_.size() : 0;
  }
  if (const int error = open(file); error != 0) return error;
  std::uint64_t changes = 0;
  {
    const std::lock_guard lock(file->mutex);
    changes = file->changes.next();
  }
  const int error = ::fdatasync(file->data) == 0 ? 0 : errno;
  if (error == 0) {
    const std::lock_guard lock(file->mutex);
    file->changes.forget(changes);
    if (file->changes.empty()) set_dirty(file, false);
  }
  close(file);
  if (error != 0 || names == 0) return error;
  const std::lock_guard lock(names_);
  // Another sync may have committed some of them meanwhile; then these are later ones, which may be durable as well.
  commit(names);
  return 0;
}

int Tree::sync_directory(const Ref& directory) {
  const std::lock_guard lock(names_);
  std::size_t count = journal_.size();
  if (durability_ == Durability::strict) {
    while (count > 0 && journal_[count - 1].parent != directory && journal_[count - 1].to != directory) --count;
  }
  const int file = ::open(path_of(directory->handle).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return errno;
  (void)::fsync(file);  // some file systems refuse it for directories
  ::close(file);
  commit(count);
  return 0;
}

void Tree::sync_all() {
  std::vector<Ref> all;
  {
    const std::lock_guard lock(dirty_mutex_);
    for (const auto& [id, file] : dirty_) all.push_back(file);
  }
  for (const Ref& file : all) (void)sync(file);
  const std::lock_guard lock(names_);
  commit(journal_.size());
}

// ---- loss

void Tree::lose_contents(const Ref& file) {
  const std::lock_guard lock(file->mutex);
  if (file->changes.empty() || open_data(*file) != 0) return;
  std::mt19937_64 none;
  const std::uint64_t seen = size_of(file->data);
  (void)file->changes.lose(file->data, LossMode::lost, none);
  (void)file->changes.truncate(file->data, seen);  // itself unsynced
  set_dirty(file, !file->changes.empty());
  close_data(file);
}

void Tree::lose_dirty(LossMode mode, std::mt19937_64& random, LossReport& out) {
  std::map<std::uint64_t, Ref> dirty;
  {
    const std::lock_guard lock(dirty_mutex_);
    dirty.swap(dirty_);
  }
  for (const auto& [id, file] : dirty) {
    const std::lock_guard lock(file->mutex);
    file->ended = true;  // before anything else is written
    if (file->changes.empty() || open_data(*file) != 0) continue;
    const bool marker = file->key == marker_;
    const std::int64_t before = blocks(size_of(file->data));
    const Loss loss = file->changes.lose(file->data, marker ? LossMode::lost : mode, random);
    left_ -= blocks(size_of(file->data)) - before;
    close_data(file);
    if (marker) continue;
    out.contents.add(loss);
    if (loss.changes > 0) ++out.files;
  }
}

void Tree::end_files(LossReport& out) {
  for (const auto& [id, inode] : by_id_) {
    if (S_ISDIR(inode->type)) {
      for (std::string& name : files_in(inode->handle)) out.names_of.emplace_back(id, std::move(name));
      continue;
    }
    if (!S_ISREG(inode->type)) continue;
    const std::lock_guard lock(inode->mutex);
    inode->ended = true;
    out.inodes.push_back(id);
  }
  out.names_of.emplace_back(kRoot, kMarker);
  std::erase_if(by_key_, [](const auto& one) {
    const Ref inode = one.second.lock();
    return inode == nullptr || inode->ended;
  });
}

LossReport Tree::lose(LossMode mode, std::uint64_t seed) {
  LossReport out;
  std::mt19937_64 random(seed);
  const std::lock_guard lock(names_);
  out.failure = ++failures_;
  lose_dirty(mode, random, out);
  end_files(out);
  // The names' journal is written in order whatever the mode: a disk that mixes it up has no file system any more.
  out.names_kept = mode == LossMode::lost ? 0 : random() % (journal_.size() + 1);
  while (journal_.size() > out.names_kept) {
    const NameChange& last = journal_.back();
    undo(last);
    out.names_of.emplace_back(last.parent->id, last.name);
    if (last.to != nullptr) out.names_of.emplace_back(last.to->id, last.to_name);
    ++out.names;
    journal_.pop_back();
  }
  commit(journal_.size());
  return out;
}

std::vector<std::uint64_t> Tree::known() {
  const std::lock_guard lock(names_);
  std::vector<std::uint64_t> out;
  for (const auto& [id, inode] : by_id_) out.push_back(id);
  return out;
}

Tree::Unsynced Tree::unsynced() {
  const std::lock_guard lock(names_);
  return {Changes::unsynced_bytes(), journal_.size()};
}

// ---- space

void Tree::limit(std::uint64_t spare) {
  ++limit_number_;
  left_ = static_cast<std::int64_t>(spare);
  limited_ = true;
}

void Tree::no_limit() { limited_ = false; }

int Tree::promise(const Ref& file, bool at_end, std::uint64_t offset, std::uint64_t size) {
  const std::lock_guard lock(file->mutex);
  if (!limited_ || file->ended || open_data(*file) != 0) return 0;
  const std::uint64_t charged = charged_end(*file);
  const std::uint64_t end = (at_end ? charged : offset) + size;
  const bool fits = room_for(*file, end);
  if (fits && end > charged) {
    left_ -= blocks(end) - blocks(charged);
    file->promised = end;
    file->promised_in = limit_number_;
  }
  close_data(file);
  return fits ? 0 : ENOSPC;
}

bool Tree::space_left(std::uint64_t& bytes) const {
  bytes = static_cast<std::uint64_t>(std::max<std::int64_t>(left_, 0));
  return limited_;
}

}  // namespace ordeal::disk
