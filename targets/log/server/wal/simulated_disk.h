#pragma once
// SimulatedDisk: a FileSystem in memory that behaves as badly as a disk may: what was not synced is lost or torn when
// the power goes, it can be full, fail at sync, and be damaged by hand. For tests and the simulation.
//
//   SimulatedDisk disk(rng.split("disk n1"));
//   … a node writes …
//   disk.cut_power();      // only what was synced is sure to be there; open files are dead (EIO)
//   … the node recovers …
//
// A crash of the process alone loses nothing: just let go of the files. Thread-safety: one thread.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/rng.h"
#include "targets/log/server/wal/file_system.h"

namespace ordeal::log::wal {

class SimulatedDisk : public FileSystem {
 public:
  explicit SimulatedDisk(Rng rng);
  ~SimulatedDisk() override;

  IoResult<std::vector<std::string>> list(const std::string& directory) override;
  IoResult<std::string> read(const std::string& path) override;
  IoResult<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
  IoResult<void> rename(const std::string& from, const std::string& to) override;
  IoResult<void> remove(const std::string& path) override;
  IoResult<void> make_directory(const std::string& path) override;
  IoResult<void> sync_directory(const std::string& path) override;

  // Of each file's unsynced writes any subset is kept, in sectors of 512 bytes (those of a write that is not kept whole
  // may read as zeros where the file had grown); of each folder's unsynced changes of names a first part is kept.
  // `everything`: all that is unsynced is lost.
  void cut_power(bool everything = false);

  // Bytes that all files together may have; a write beyond that writes what fits, then ENOSPC.
  void set_capacity(std::uint64_t bytes) { capacity_ = bytes; }
  [[nodiscard]] std::uint64_t used() const;
  // The next `count` syncs of files fail with this errno; what they should have made durable never will be, although
  // reads go on to show it until the power is cut.
  void fail_syncs(int error_number, int count = 1);
  // Every call from now on fails with EIO (true), or works again.
  void set_broken(bool broken) { broken_ = broken; }
  [[nodiscard]] bool broken() const { return broken_; }
  // At the n-th change from now (a write, a truncation, a sync, a change of names) the power is cut, or (not `power`)
  // the process is killed, which loses nothing but what it did not do any more; then the disk is broken until somebody
  // says otherwise. 0: not at all.
  void stop_at_change(std::uint64_t n, bool power = true);

  // Damage by hand, durable at once. Requires: the file is there (and as long as that).
  void flip_bit(const std::string& path, std::uint64_t bit);
  void overwrite(const std::string& path, std::string contents);
  void erase(const std::string& path);
  // Paths of all files, ascending.
  [[nodiscard]] std::vector<std::string> paths() const;

  // Syncs of files, asked for so far.
  [[nodiscard]] std::uint64_t syncs() const { return syncs_; }

 private:
  struct Write {
    bool truncation = false;
    std::uint64_t offset = 0;  // of a truncation: the new size
    std::string bytes;
  };
  struct Inode {
    std::string now;             // as reads show it
    std::string durable;         // as it is after the power was cut, when nothing of `pending` is kept
    std::vector<Write> pending;  // since the last sync
    bool dead = false;           // its handles are from before the power was cut
  };
  struct NameChange {
    std::string name;
    std::shared_ptr<Inode> inode;  // null: the name is gone
  };
  struct Directory {
    std::map<std::string, std::shared_ptr<Inode>> now;
    std::map<std::string, std::shared_ptr<Inode>> durable;
    std::vector<std::vector<NameChange>> pending;  // each is kept whole or not: a rename is atomic
  };
  class SimulatedFile;

  // Counts a change; false: the disk has stopped.
  [[nodiscard]] bool change();
  [[nodiscard]] IoResult<Directory*> directory_of(const std::string& path, const char* call);
  [[nodiscard]] std::shared_ptr<Inode> find(const std::string& path) const;
  IoResult<void> write(Inode& inode, std::uint64_t offset, std::string_view bytes);
  IoResult<void> truncate(Inode& inode, std::uint64_t size);
  IoResult<void> sync(Inode& inode);
  void lose(Inode& inode, bool everything);

  Rng rng_;
  std::map<std::string, Directory> directories_;
  std::uint64_t capacity_ = UINT64_MAX;
  std::uint64_t syncs_ = 0;
  int failing_syncs_ = 0;
  int sync_error_ = 0;
  std::uint64_t changes_left_ = 0;  // until it stops; 0: it does not
  bool power_ = true;
  bool broken_ = false;
};

}  // namespace ordeal::log::wal
