#define FUSE_USE_VERSION 314

#include "nemesis/programs/disk/server.h"

#include <dirent.h>
#include <fcntl.h>
#include <fuse3/fuse_lowlevel.h>
#include <linux/magic.h>
#include <sys/prctl.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

#include "nemesis/programs/agent/timing.h"
#include "nemesis/programs/disk/caller.h"

namespace ordeal::disk {
namespace {

// Everything that changes goes through this program, so the kernel need not ask again until it is told to.
constexpr double kTrusted_s = 86400;
// But for what it reckons itself and tells only in part: the blocks of a file whose pages it gathers.
constexpr double kTrustedGathering_s = 1;
constexpr std::int64_t kSettled_ns = 20'000'000;
constexpr std::int64_t kMaxPatience_ns = 2'000'000'000;
constexpr int kListening = 3;
constexpr int kThreads = 16;  // an fsync that is made slow holds one of them

using Operation = Faults::Operation;

Server& server_of(fuse_req_t request) { return *static_cast<Server*>(fuse_req_userdata(request)); }
Tree& tree_of(fuse_req_t request) { return server_of(request).tree; }

std::string path_of(int handle) { return "/proc/self/fd/" + std::to_string(handle); }

void answer(fuse_req_t request, int error) { fuse_reply_err(request, error); }

// 0 unless a fault hits.
int meet(fuse_req_t request, Operation operation, std::uint64_t file) {
  bool lost = false;
  return server_of(request).faults.meet(operation, file, lost);
}

Tree::Owner owner_of(fuse_req_t request) {
  const fuse_ctx* context = fuse_req_ctx(request);
  return {context->uid, context->gid};
}

fuse_entry_param entry_of(fuse_req_t request, const Ref& inode, const struct stat& info) {
  fuse_entry_param entry{};
  entry.ino = inode->id;
  entry.generation = 1;
  entry.attr = info;
  entry.attr_timeout = server_of(request).attributes_trusted_s(info.st_mode);
  entry.entry_timeout = kTrusted_s;
  return entry;
}

void answer_entry(fuse_req_t request, int error, const Ref& inode, const struct stat& info) {
  if (error != 0) return answer(request, error);
  const fuse_entry_param entry = entry_of(request, inode, info);
  fuse_reply_entry(request, &entry);
}

void do_init(void* of, fuse_conn_info* connection) {
  Server& server = *static_cast<Server*>(of);
  // Programs other than this one do not change the files, so a new time of change is no reason to read them again.
  // Set-user-id bits are cleared by the kernel.
  connection->want &= ~static_cast<unsigned>(FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_READDIRPLUS |
                                             FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_HANDLE_KILLPRIV);
  if ((connection->capable & FUSE_CAP_EXPLICIT_INVAL_DATA) != 0) connection->want |= FUSE_CAP_EXPLICIT_INVAL_DATA;
  connection->max_background = 64;
  if (!server.may_gather || (connection->capable & FUSE_CAP_WRITEBACK_CACHE) == 0 || !can_see_calls()) return;
  connection->want |= FUSE_CAP_WRITEBACK_CACHE;
  server.write_back = true;
}

void do_lookup(fuse_req_t request, fuse_ino_t parent, const char* name) {
  Ref inode;
  struct stat info {};
  const int error = tree_of(request).lookup(parent, name, inode, info);
  answer_entry(request, error, inode, info);
}

void do_forget(fuse_req_t request, fuse_ino_t inode, std::uint64_t count) {
  tree_of(request).forget(inode, count);
  fuse_reply_none(request);
}

void do_forget_multi(fuse_req_t request, std::size_t count, fuse_forget_data* all) {
  for (std::size_t i = 0; i < count; ++i) tree_of(request).forget(all[i].ino, all[i].nlookup);
  fuse_reply_none(request);
}

void answer_attributes(fuse_req_t request, const Ref& inode) {
  struct stat info {};
  if (const int error = inode->attributes(info); error != 0) return answer(request, error);
  fuse_reply_attr(request, &info, server_of(request).attributes_trusted_s(info.st_mode));
}

// What a call meets that is about to write: 0, or an errno.
int refuse_writing(fuse_req_t request, const Ref& inode) {
  WriteCall call;
  if (!write_call_of(fuse_req_ctx(request)->pid, call)) return 0;
  const int error = meet(request, Operation::write, inode->id);
  return error != 0 ? error : tree_of(request).promise(inode, call.at_end, call.offset, call.size);
}

void do_getattr(fuse_req_t request, fuse_ino_t id, fuse_file_info* open) {
  const Ref inode = tree_of(request).at(id);
  if (open != nullptr && server_of(request).asks_before_writing()) {
    if (const int error = refuse_writing(request, inode); error != 0) return answer(request, error);
  }
  answer_attributes(request, inode);
}

int set_times(const Ref& inode, const struct stat& wanted, int what) {
  timespec times[2] = {{0, UTIME_OMIT}, {0, UTIME_OMIT}};
  if ((what & FUSE_SET_ATTR_ATIME) != 0) times[0] = wanted.st_atim;
  if ((what & FUSE_SET_ATTR_MTIME) != 0) times[1] = wanted.st_mtim;
  if ((what & FUSE_SET_ATTR_ATIME_NOW) != 0) times[0].tv_nsec = UTIME_NOW;
  if ((what & FUSE_SET_ATTR_MTIME_NOW) != 0) times[1].tv_nsec = UTIME_NOW;
  if (times[0].tv_nsec == UTIME_OMIT && times[1].tv_nsec == UTIME_OMIT) return 0;
  return ::utimensat(AT_FDCWD, path_of(inode->handle).c_str(), times, 0) == 0 ? 0 : errno;
}

void do_setattr(fuse_req_t request, fuse_ino_t id, struct stat* wanted, int what, fuse_file_info*) {
  const Ref inode = tree_of(request).at(id);
  if (inode->ended) return answer(request, ESTALE);
  int error = 0;
  if ((what & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)) != 0) {
    const uid_t user = (what & FUSE_SET_ATTR_UID) != 0 ? wanted->st_uid : static_cast<uid_t>(-1);
    const gid_t group = (what & FUSE_SET_ATTR_GID) != 0 ? wanted->st_gid : static_cast<gid_t>(-1);
    if (::fchownat(inode->handle, "", user, group, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) != 0) error = errno;
  }
  if (error == 0 && (what & FUSE_SET_ATTR_MODE) != 0) {
    if (::fchmodat(AT_FDCWD, path_of(inode->handle).c_str(), wanted->st_mode & 07777, 0) != 0) error = errno;
  }
  if (error == 0 && (what & FUSE_SET_ATTR_SIZE) != 0) {
    error = meet(request, Operation::make, id);
    if (error == 0) error = tree_of(request).truncate(inode, static_cast<std::uint64_t>(wanted->st_size));
  }
  if (error == 0) error = set_times(inode, *wanted, what);
  if (error != 0) return answer(request, error);
  answer_attributes(request, inode);
}

void do_readlink(fuse_req_t request, fuse_ino_t inode) {
  char text[PATH_MAX + 1];
  const ssize_t size = ::readlinkat(tree_of(request).at(inode)->handle, "", text, PATH_MAX);
  if (size < 0) return answer(request, errno);
  text[size] = '\0';
  fuse_reply_readlink(request, text);
}

void do_mknod(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode, dev_t device) {
  Ref inode;
  struct stat info {};
  int error = meet(request, Operation::make, parent);
  if (error == 0) error = tree_of(request).make_node(parent, name, mode, device, owner_of(request), inode, info);
  answer_entry(request, error, inode, info);
}

void do_mkdir(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode) {
  do_mknod(request, parent, name, mode | S_IFDIR, 0);
}

void do_symlink(fuse_req_t request, const char* to, fuse_ino_t parent, const char* name) {
  Ref inode;
  struct stat info {};
  int error = meet(request, Operation::make, parent);
  if (error == 0) error = tree_of(request).make_link(parent, name, to, owner_of(request), inode, info);
  answer_entry(request, error, inode, info);
}

void do_link(fuse_req_t request, fuse_ino_t id, fuse_ino_t parent, const char* name) {
  const Ref inode = tree_of(request).at(id);
  struct stat info {};
  int error = meet(request, Operation::make, parent);
  if (error == 0) error = tree_of(request).link(inode, parent, name, info);
  answer_entry(request, error, inode, info);
}

void do_unlink(fuse_req_t request, fuse_ino_t parent, const char* name) {
  answer(request, tree_of(request).remove(parent, name, false));
}
void do_rmdir(fuse_req_t request, fuse_ino_t parent, const char* name) {
  answer(request, tree_of(request).remove(parent, name, true));
}

void do_rename(fuse_req_t request, fuse_ino_t from, const char* name, fuse_ino_t to, const char* new_name,
               unsigned flags) {
  answer(request, tree_of(request).rename(from, name, to, new_name, flags));
}

// ---- files

int open_as(fuse_req_t request, const Ref& inode, fuse_file_info* how) {
  if (const int error = tree_of(request).open(inode); error != 0) return error;
  how->keep_cache = 1;
  if ((how->flags & O_TRUNC) == 0) return 0;
  const int error = tree_of(request).truncate(inode, 0);
  if (error != 0) tree_of(request).close(inode);
  return error;
}

void do_open(fuse_req_t request, fuse_ino_t id, fuse_file_info* how) {
  const Ref inode = tree_of(request).at(id);
  const int error = open_as(request, inode, how);
  if (error != 0) return answer(request, error);
  // Whoever interrupted the call never learns of the file, and it is never released.
  if (fuse_reply_open(request, how) == -ENOENT) server_of(request).tree.close(inode);
}

void do_create(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode, fuse_file_info* how) {
  Tree& tree = tree_of(request);
  Ref inode;
  struct stat info {};
  int error = meet(request, Operation::make, parent);
  if (error == 0) error = tree.make_node(parent, name, S_IFREG | (mode & 07777), 0, owner_of(request), inode, info);
  if (error == EEXIST && (how->flags & O_EXCL) == 0) error = tree.lookup(parent, name, inode, info);
  if (error != 0) return answer(request, error);
  if (error = open_as(request, inode, how); error != 0) {
    tree.forget(inode->id, 1);
    return answer(request, error);
  }
  const fuse_entry_param entry = entry_of(request, inode, info);
  if (fuse_reply_create(request, &entry, how) == -ENOENT) tree.close(inode);
}

void do_read(fuse_req_t request, fuse_ino_t id, std::size_t size, off_t offset, fuse_file_info*) {
  static thread_local std::vector<char> buffer;
  if (buffer.size() < size) buffer.resize(size);
  const Ref inode = tree_of(request).at(id);
  if (inode->ended) return answer(request, ESTALE);
  if (const int error = meet(request, Operation::read, id); error != 0) return answer(request, error);
  std::size_t done = 0;
  while (done < size) {
    const ssize_t n = ::pread(inode->data, buffer.data() + done, size - done, offset + static_cast<off_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return answer(request, errno);
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  server_of(request).faults.corrupt(buffer.data(), done);
  fuse_reply_buf(request, buffer.data(), done);
}

// `lost` is set when the unsynced contents are gone, and then the kernel must be told when the call is over.
int sync(Server& server, const Ref& inode, bool& lost) {
  const int error = server.faults.meet(Operation::sync, inode->id, lost);
  if (lost) server.tree.lose_contents(inode);
  return error != 0 ? error : server.tree.sync(inode);
}

void do_write(fuse_req_t request, fuse_ino_t id, const char* data, std::size_t size, off_t offset,
              fuse_file_info* how) {
  Server& server = server_of(request);
  const Ref inode = server.tree.at(id);
  const bool gathered = how->writepage != 0;
  bool lost = false;
  int error = meet(request, gathered ? Operation::write_back : Operation::write, id);
  if (error == 0) error = server.tree.write(inode, data, size, static_cast<std::uint64_t>(offset));
  if (gathered) server.last_gathered_ns = agent::monotonic_ns();
  // Where the kernel gathers, the file has had this size since the program wrote, and keeps it though the bytes are
  // lost.
  if (gathered && error != 0 && error != ESTALE) server.tree.extend(inode, static_cast<std::uint64_t>(offset) + size);
  if (gathered && error == ESTALE) {  // nobody is there any more to be told
    server.late_bytes += size;
    error = 0;
  }
  if (error == 0 && (how->flags & O_DSYNC) != 0) error = sync(server, inode, lost);  // O_SYNC contains O_DSYNC
  if (error != 0) {
    answer(request, error);
  } else {
    fuse_reply_write(request, size);
  }
  if (lost) server.forget_contents(id);
}

void do_flush(fuse_req_t request, fuse_ino_t, fuse_file_info*) { answer(request, 0); }

void do_release(fuse_req_t request, fuse_ino_t inode, fuse_file_info*) {
  tree_of(request).close(tree_of(request).at(inode));
  answer(request, 0);
}

void do_fsync(fuse_req_t request, fuse_ino_t id, int, fuse_file_info*) {
  Server& server = server_of(request);
  bool lost = false;
  answer(request, sync(server, server.tree.at(id), lost));
  if (lost) server.forget_contents(id);
}

void do_fallocate(fuse_req_t request, fuse_ino_t id, int mode, off_t offset, off_t length, fuse_file_info*) {
  int error = meet(request, Operation::write, id);
  if (error == 0) {
    error = tree_of(request).allocate(tree_of(request).at(id), mode, static_cast<std::uint64_t>(offset),
                                      static_cast<std::uint64_t>(length));
  }
  answer(request, error);
}

void do_lseek(fuse_req_t request, fuse_ino_t id, off_t offset, int whence, fuse_file_info*) {
  // The kernel takes our word for holes, and we do not know what it has gathered; then for it there are none.
  if (server_of(request).write_back) return answer(request, ENOSYS);
  const off_t found = ::lseek(tree_of(request).at(id)->data, offset, whence);
  if (found < 0) return answer(request, errno);
  fuse_reply_lseek(request, found);
}

// ---- directories

void do_opendir(fuse_req_t request, fuse_ino_t id, fuse_file_info* how) {
  DIR* const listing = ::opendir(path_of(tree_of(request).at(id)->handle).c_str());
  if (listing == nullptr) return answer(request, errno);
  how->fh = reinterpret_cast<std::uint64_t>(listing);
  if (fuse_reply_open(request, how) == -ENOENT) ::closedir(listing);
}

// The kernel reads one open directory by one request at a time.
void do_readdir(fuse_req_t request, fuse_ino_t id, std::size_t size, off_t offset, fuse_file_info* how) {
  DIR* const listing = reinterpret_cast<DIR*>(how->fh);
  std::vector<char> buffer(size);
  std::size_t used = 0;
  if (offset == 0) {
    ::rewinddir(listing);
  } else {
    ::seekdir(listing, offset);
  }
  while (const dirent* entry = ::readdir(listing)) {
    if (id == Tree::kRoot && std::strcmp(entry->d_name, kGraveyard) == 0) continue;
    struct stat info {};
    info.st_ino = entry->d_ino;
    info.st_mode = static_cast<mode_t>(entry->d_type) << 12U;
    const std::size_t needed =
        fuse_add_direntry(request, buffer.data() + used, size - used, entry->d_name, &info, ::telldir(listing));
    if (needed > size - used) break;
    used += needed;
  }
  fuse_reply_buf(request, buffer.data(), used);
}

void do_releasedir(fuse_req_t request, fuse_ino_t, fuse_file_info* how) {
  ::closedir(reinterpret_cast<DIR*>(how->fh));
  answer(request, 0);
}

void do_fsyncdir(fuse_req_t request, fuse_ino_t id, int, fuse_file_info*) {
  bool lost = false;  // names are not lost by a failed fsync
  int error = server_of(request).faults.meet(Operation::sync, id, lost);
  if (error == 0) error = tree_of(request).sync_directory(tree_of(request).at(id));
  answer(request, error);
}

void do_statfs(fuse_req_t request, fuse_ino_t) {
  Tree& tree = tree_of(request);
  struct statvfs info {};
  if (::statvfs(path_of(tree.at(Tree::kRoot)->handle).c_str(), &info) != 0) return answer(request, errno);
  std::uint64_t left = 0;
  if (tree.space_left(left)) {
    const std::uint64_t unit = info.f_frsize;
    info.f_bfree = std::min<std::uint64_t>(info.f_bfree, left / unit);
    info.f_bavail = std::min<std::uint64_t>(info.f_bavail, left / unit);
  }
  fuse_reply_statfs(request, &info);
}

fuse_lowlevel_ops operations() {
  fuse_lowlevel_ops out{};
  out.init = do_init;
  out.lookup = do_lookup;
  out.forget = do_forget;
  out.forget_multi = do_forget_multi;
  out.getattr = do_getattr;
  out.setattr = do_setattr;
  out.readlink = do_readlink;
  out.mknod = do_mknod;
  out.mkdir = do_mkdir;
  out.unlink = do_unlink;
  out.rmdir = do_rmdir;
  out.symlink = do_symlink;
  out.rename = do_rename;
  out.link = do_link;
  out.open = do_open;
  out.create = do_create;
  out.read = do_read;
  out.write = do_write;
  out.flush = do_flush;
  out.release = do_release;
  out.fsync = do_fsync;
  out.fallocate = do_fallocate;
  out.lseek = do_lseek;
  out.opendir = do_opendir;
  out.readdir = do_readdir;
  out.releasedir = do_releasedir;
  out.fsyncdir = do_fsyncdir;
  out.statfs = do_statfs;
  return out;
}

}  // namespace

Server::Server(Tree& served, int device, std::string directory, bool gather)
    : tree(served), may_gather(gather), directory_(std::move(directory)) {
  static const fuse_lowlevel_ops kOperations = operations();
  char program[] = "ordeal-disk";
  char* words[] = {program, nullptr};
  fuse_args arguments = FUSE_ARGS_INIT(1, words);
  session_ = fuse_session_new(&arguments, &kOperations, sizeof kOperations, this);
  const std::string mounted = "/dev/fd/" + std::to_string(device);
  if (session_ != nullptr && fuse_session_mount(session_, mounted.c_str()) != 0) {
    fuse_session_destroy(session_);
    session_ = nullptr;
  }
}

Server::~Server() {
  if (session_ != nullptr) fuse_session_destroy(session_);
}

void Server::serve() {
  // The kernel's writing back must not be held up because there is so much to be written back.
  (void)::prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) threads.emplace_back([this] { work(); });
  for (std::thread& one : threads) one.join();
}

// True when it is this thread's to listen; false when all is over.
bool Server::take_turn() {
  std::unique_lock lock(turns_);
  turn_.wait(lock, [&] { return ended_ || listening_ < kListening; });
  if (!ended_) ++listening_;
  return !ended_;
}

void Server::end_turn() {
  const std::lock_guard lock(turns_);
  --listening_;
  ended_ = ended_ || fuse_session_exited(session_) != 0;
  if (ended_) {
    turn_.notify_all();
  } else if (listening_ == 0) {
    turn_.notify_one();
  }
}

void Server::work() {
  fuse_buf request{};
  while (take_turn()) {
    const int size = fuse_session_receive_buf(session_, &request);
    if (size <= 0 && size != -EINTR && size != -EAGAIN) fuse_session_exit(session_);  // nothing is left of the mount
    end_turn();
    if (size > 0) fuse_session_process_buf(session_, &request);
  }
  std::free(request.mem);
}

void Server::forget_contents(std::uint64_t inode) { (void)fuse_lowlevel_notify_inval_inode(session_, inode, 0, 0); }

void Server::drop_caches() {
  for (const std::uint64_t inode : tree.known()) forget_contents(inode);
}

void Server::forget_attributes() {
  for (const std::uint64_t inode : tree.known()) (void)fuse_lowlevel_notify_inval_inode(session_, inode, -1, 0);
}

double Server::attributes_trusted_s(mode_t type) const {
  if (!write_back || !S_ISREG(type)) return kTrusted_s;
  return asks_before_writing() ? 0 : kTrustedGathering_s;
}

void Server::gather() {
  if (!write_back) return;
  const int mounted = ::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  struct statfs info {};
  if (mounted >= 0 && ::fstatfs(mounted, &info) == 0 && info.f_type == FUSE_SUPER_MAGIC) {
    (void)::syncfs(mounted);
    // Not every kernel waits until it has arrived.
    const std::int64_t began = agent::monotonic_ns();
    for (std::int64_t now = began;
         now - std::max(began, last_gathered_ns.load()) < kSettled_ns && now - began < kMaxPatience_ns;) {
      agent::pause_ns(kSettled_ns / 4);
      now = agent::monotonic_ns();
    }
  }
  if (mounted >= 0) ::close(mounted);
}

void Server::limit(std::uint64_t spare) {
  gather();
  tree.limit(spare);
  forget_attributes();
}

std::string Server::lose(LossMode mode, std::uint64_t seed) {
  const LossReport report = tree.lose(mode, seed);
  for (const auto& [directory, name] : report.names_of) {
    (void)fuse_lowlevel_notify_inval_entry(session_, directory, name.c_str(), name.size());
    forget_contents(directory);
  }
  for (const std::uint64_t inode : report.inodes) forget_contents(inode);
  const auto word = [](const char* key, std::uint64_t value) {
    return std::string(key) + "=" + std::to_string(value) + " ";
  };
  return word("bytes", report.contents.bytes) + word("writes", report.contents.changes) + word("files", report.files) +
         word("names", report.names) + word("kept_writes", report.contents.kept) + word("torn", report.contents.torn) +
         word("kept_names", report.names_kept) + word("failure", report.failure) + "\n";
}

}  // namespace ordeal::disk
