#pragma once
// Server: the tree (tree.h) as a file system that the kernel mounts, by libfuse's low-level interface, with the faults of
// faults.h. Every write of a program arrives here before it returns (no write-back cache in the kernel), so that a failing disk
// and a full one are seen by the very call that meets them, and what is lost is lost in the program's own order. Pages that are
// mapped for writing arrive when the kernel writes them: at msync, munmap and the end of the process at the latest.
//
// Not offered: extended attributes, device files, O_TMPFILE. syncfs and sync do not reach a FUSE file system: they make nothing
// durable. Thread-safety: serve() runs threads of its own; the other methods from any thread.

#include <string>

#include "nemesis/disk/faults.h"
#include "nemesis/disk/tree.h"

struct fuse_session;

namespace ordeal::disk {

class Server {
 public:
  // Borrows the tree. `device` is /dev/fuse, mounted: it belongs to the session.
  Server(Tree& tree, int device);
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

  Tree& tree;
  Faults faults;

 private:
  void work();
  fuse_session* session_ = nullptr;
};

}  // namespace ordeal::disk
