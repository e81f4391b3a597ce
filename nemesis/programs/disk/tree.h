#pragma once
// Tree: the directory behind the disk, and what in it has not reached the disk yet.
//
// Contents: changes.h, for each file by itself; fsync of a file makes its own durable. Names (what was made, removed,
// renamed) are a journal in the order in which it happened, undone from its end. What makes them durable:
//
//   journal   any fsync, of a file or a directory: all names that were changed before it, as ext4 and XFS have it
//   strict    fsync of a directory: the names up to the last change in this directory, as POSIX asks and no more
//
// What is removed or replaced waits in a hidden directory, the graveyard, until that is durable. Modes, owners and
// times are not part of this: they are durable at once. All errors are errnos.
//
// A power failure ends the inodes of all regular files: what the kernel still holds of them, open files, sizes, pages
// that were never sent here, belongs to the time before it. Whoever uses them meets ESTALE; looked up again, a file is
// another inode.
//
// The marker is a file of ours that can be opened by its name in the root and is in no listing. What is unsynced of it
// a power failure always takes, and no report counts: by it anybody can see that there was one.
//
// Thread-safety: all methods from any thread. Lock order: names_, then the mutex of one file.

#include <sys/stat.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "nemesis/programs/disk/changes.h"

namespace ordeal::disk {

inline constexpr const char* kGraveyard = ".ordeal-disk";
inline constexpr const char* kMarker = ".ordeal-marker";
inline constexpr std::size_t kMarkerBytes = 4096;  // zeros, but for what is unsynced

// A file, a directory or anything else that has a name.
struct Inode {
  Inode() = default;
  ~Inode();
  Inode(const Inode&) = delete;
  Inode& operator=(const Inode&) = delete;

  std::uint64_t id = 0;  // how the kernel calls it
  int handle = -1;       // O_PATH
  std::pair<dev_t, ino_t> key;
  mode_t type = S_IFDIR;           // S_IFREG, …
  std::uint64_t lookups = 0;       // guarded by Tree::names_
  std::atomic<bool> ended{false};  // by a power failure
  std::atomic<nlink_t> buried{0};  // how many of its names are in the graveyard

  // As programs are to see it; 0, or an errno.
  [[nodiscard]] int attributes(struct stat& info) const;

  std::mutex mutex;  // guards what follows
  int data = -1;     // open for reading and writing, while somebody has it open or something is unsynced
  int users = 0;
  std::uint64_t promised = 0;     // the end of what programs were told there is room for, though it is not written yet
  std::uint64_t promised_in = 0;  // which limit (Tree::limit_number_) that was
  Changes changes;
};
using Ref = std::shared_ptr<Inode>;

struct LossReport {
  Loss contents;
  std::uint64_t files = 0;                                      // whose contents were changed
  std::uint64_t names = 0;                                      // changes of names that were undone
  std::uint64_t names_kept = 0;                                 // unsynced ones that reached the disk all the same
  std::uint64_t failure = 0;                                    // how many power failures there were, with this one
  std::vector<std::uint64_t> inodes;                            // the kernel must forget their contents
  std::vector<std::pair<std::uint64_t, std::string>> names_of;  // and these names, by directory
};

class Tree {
 public:
  static constexpr std::uint64_t kRoot = 1;

  enum class Durability { journal, strict };
  // Takes over `root`, an O_PATH descriptor of the directory. REQUIRES: ready().
  Tree(int root, Durability names);
  ~Tree();
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;
  [[nodiscard]] bool ready() const { return graveyard_ >= 0; }

  // The inode that the kernel calls `id`. REQUIRES: the kernel knows it, as it does between a lookup and its forget.
  [[nodiscard]] Ref at(std::uint64_t id);
  // Finds, and counts one more reference of the kernel's.
  [[nodiscard]] int lookup(std::uint64_t parent, const char* name, Ref& out, struct stat& info);
  void forget(std::uint64_t id, std::uint64_t count);

  // These make a name; with the owner, and like lookup().
  struct Owner {
    uid_t user = 0;
    gid_t group = 0;
  };
  [[nodiscard]] int make_node(std::uint64_t parent, const char* name, mode_t mode, dev_t device, Owner owner, Ref& out,
                              struct stat& info);
  [[nodiscard]] int make_link(std::uint64_t parent, const char* name, const char* to, Owner owner, Ref& out,
                              struct stat& info);
  [[nodiscard]] int link(const Ref& file, std::uint64_t parent, const char* name, struct stat& info);
  [[nodiscard]] int remove(std::uint64_t parent, const char* name, bool directory);
  [[nodiscard]] int rename(std::uint64_t from, const char* name, std::uint64_t to, const char* new_name,
                           unsigned flags);

  // Between open and close, Inode::data is there.
  [[nodiscard]] int open(const Ref& file);
  void close(const Ref& file);
  [[nodiscard]] int write(const Ref& file, const char* data, std::size_t size, std::uint64_t offset);
  [[nodiscard]] int truncate(const Ref& file, std::uint64_t size);
  // Makes the file end no earlier than at `end`, whatever room there is: the new part is a hole.
  void extend(const Ref& file, std::uint64_t end);
  [[nodiscard]] int allocate(const Ref& file, int mode, std::uint64_t offset, std::uint64_t length);
  [[nodiscard]] int sync(const Ref& file);
  [[nodiscard]] int sync_directory(const Ref& directory);
  void sync_all();

  // What a power failure takes. REQUIRES: nobody changes anything at the moment, but by accident.
  [[nodiscard]] LossReport lose(LossMode mode, std::uint64_t seed);
  // What a failed fsync takes: the file's unsynced contents. Its size stays what programs see, as it does where a
  // kernel's write-back fails: what is beyond the synced end are zeros.
  void lose_contents(const Ref& file);
  // All that the kernel may have cached of.
  [[nodiscard]] std::vector<std::uint64_t> known();

  struct Unsynced {
    std::uint64_t bytes = 0;
    std::uint64_t names = 0;
  };
  [[nodiscard]] Unsynced unsynced();

  // From now on only `spare` bytes are left, until no_limit().
  void limit(std::uint64_t spare);
  void no_limit();
  [[nodiscard]] bool is_limited() const { return limited_; }
  // The bytes that are left; false when there is no limit.
  [[nodiscard]] bool space_left(std::uint64_t& bytes) const;
  // Sets aside what a write of `size` bytes will need that reaches the disk later; at `offset`, or at the end. ENOSPC
  // when there is not so much. Until the file is truncated or nobody has it open.
  [[nodiscard]] int promise(const Ref& file, bool at_end, std::uint64_t offset, std::uint64_t size);

 private:
  struct NameChange {
    enum class Kind { made, removed, moved, exchanged } kind = Kind::made;
    Ref parent;
    std::string name;
    Ref to;  // moved, exchanged
    std::string to_name;
    Ref victim;               // what was removed or replaced; null: nothing was
    std::uint64_t grave = 0;  // its name in the graveyard
  };
  static constexpr std::size_t kMaxNames = 200'000;

  [[nodiscard]] int find(std::uint64_t parent, const char* name, Ref& out, struct stat& info);  // names_ is held
  [[nodiscard]] Ref at_locked(std::uint64_t id);
  [[nodiscard]] int bury(const Ref& parent, const std::string& name, NameChange& change, const struct stat& info);
  void unearth(const NameChange& change, const Ref& parent, const std::string& name);
  void keep(NameChange change);
  void commit(std::size_t count);  // the oldest
  void undo(const NameChange& change);
  [[nodiscard]] int open_data(Inode& file) const;                    // its mutex is held
  void close_data(const Ref& file);                                  // its mutex is held
  [[nodiscard]] std::uint64_t charged_end(const Inode& file) const;  // its mutex is held
  [[nodiscard]] bool room_for(const Inode& file, std::uint64_t end) const;
  void lose_dirty(LossMode mode, std::mt19937_64& random, LossReport& out);
  void end_files(LossReport& out);  // names_ is held
  [[nodiscard]] int make_marker();
  template <class Step>
  int change(const Ref& file, std::uint64_t end, Step step);
  void set_dirty(const Ref& file, bool dirty);

  const Durability durability_;
  int graveyard_ = -1;

  std::mutex names_;
  std::unordered_map<std::uint64_t, Ref> by_id_;                    // what the kernel knows
  std::map<std::pair<dev_t, ino_t>, std::weak_ptr<Inode>> by_key_;  // and what the journal or dirty_ holds besides
  std::deque<NameChange> journal_;
  std::uint64_t next_id_ = kRoot + 1;
  std::uint64_t next_grave_ = 1;

  std::mutex dirty_mutex_;
  std::map<std::uint64_t, Ref> dirty_;  // files with unsynced contents, by id

  std::pair<dev_t, ino_t> marker_;
  std::atomic<std::uint64_t> failures_{0};

  std::atomic<bool> limited_{false};
  std::atomic<std::uint64_t> limit_number_{0};
  std::atomic<std::int64_t> left_{0};  // bytes, while limited
};

}  // namespace ordeal::disk
