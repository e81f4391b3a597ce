#pragma once
// Server: the tree (tree.h) as a file system that the kernel mounts, by libfuse's low-level interface, with the faults
// of faults.h.
//
// Where it can, the kernel gathers what programs write (FUSE_WRITEBACK_CACHE) and brings it here in large pieces, page
// by page rather than in the program's order: at fsync, when a file is closed or unmapped (so also when its program is
// killed), and after a while by itself, as it does for other file systems. Until a file is synced all of this is
// unsynced, wherever it is; what arrives after a power failure belongs to before it and is thrown away. The kernel then
// decides about the size and the time of change of a file it knows. A full disk and one that fails to write are still
// met by the call that writes: see caller.h. A kernel without any of this brings each write by itself: slower, and
// nothing else is different.
//
// Not offered: extended attributes, device files, O_TMPFILE. syncfs and sync do not reach a FUSE file system: they make
// nothing durable. Thread-safety: serve() runs threads of its own; the other methods from any thread.

#include <sys/stat.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>

#include "nemesis/programs/disk/faults.h"
#include "nemesis/programs/disk/tree.h"

struct fuse_session;

namespace ordeal::disk {

class Server {
 public:
  // Borrows the tree. `device` is /dev/fuse, mounted at `directory`: it belongs to the session.
  // `may_gather`: by the kernel, if it can.
  Server(Tree& tree, int device, std::string directory, bool may_gather);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  [[nodiscard]] bool ready() const { return session_ != nullptr; }

  // Until the file system is unmounted and nobody has a file of it open any more.
  void serve();

  // What a power failure takes, and the kernel knows. One line "KEY=NUMBER …".
  std::string lose(LossMode mode, std::uint64_t seed);
  // The kernel must ask again for the contents of a file or directory; of all.
  void forget_contents(std::uint64_t inode);
  void drop_caches();
  // Full from now on, but for `spare` bytes, until it is not limited any more. What was written before has its place.
  void limit(std::uint64_t spare);
  // What the kernel has gathered arrives.
  void gather();
  // Programs ask before they write, while something would refuse it.
  [[nodiscard]] bool asks_before_writing() const { return write_back && (faults.refuse_writes() || tree.is_limited()); }
  // The kernel must ask again for all attributes.
  void forget_attributes();
  // How long the kernel may go without asking for the attributes of what has this type.
  [[nodiscard]] double attributes_trusted_s(mode_t type) const;

  Tree& tree;
  Faults faults;
  const bool may_gather;
  std::atomic<bool> write_back{false};            // the kernel gathers
  std::atomic<std::uint64_t> late_bytes{0};       // that arrived after the power failure that took them
  std::atomic<std::int64_t> last_gathered_ns{0};  // when some of what was gathered arrived

 private:
  void work();
  bool take_turn();
  void end_turn();

  // Few threads wait for the kernel's requests, so that their buffers stay in the processor's cache; the others wait
  // until these are all at work.
  std::mutex turns_;
  std::condition_variable turn_;
  int listening_ = 0;   // guarded by turns_
  bool ended_ = false;  // guarded by turns_

  const std::string directory_;
  fuse_session* session_ = nullptr;
};

}  // namespace ordeal::disk
