#include "targets/log/server/node/tree_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>

#include "base/files.h"
#include "base/text.h"
#include "targets/log/server/bugs.h"
#include "targets/log/server/node/log_line.h"
#include "targets/log/server/tools/commands.h"
#include "targets/log/server/tree/key_ring.h"
#include "targets/log/server/verify/verify.h"

namespace ordeal::log::node {
namespace {

constexpr auto kEvery = std::chrono::seconds(1);

// A head that the node's own key signed, and that does not verify. One by another key may be from before a rotation.
Result<void> check_signature(const NodeOptions& options, wal::FileSystem& files) {
  const std::string path = options.data + '/' + kHeadFile;
  const auto head = files.read(path);
  const auto secret = files.read(options.data + "/head.key");
  if (!head || !secret) return {};
  const auto key = tree::SigningKey::parse(trimmed(*secret));
  if (!key) return fail(key.error().during(options.data + "/head.key"));
  const auto opened = tree::KeyRing(options.origin, {key->verifier()}).open(*head);
  if (opened) return {};
  if (opened.error().code == ErrorCode::permission) {
    log_line("WARN", path + ": " + opened.error().message);
    return {};
  }
  return fail(ErrorCode::input, path + ": " + opened.error().message);
}

}  // namespace

Result<void> check_tree(const NodeOptions& options, const wal::StorageOptions& where, wal::FileSystem& files,
                        const wal::Recovery& found) {
#ifdef ORDEAL_LOG_BUGS
  if (planted_bug != Bug::none) return {};
#endif
  VerifyOptions how;
  how.storage = where;
  how.leaves = tools::replayed_leaves;
  how.origin = options.origin;
  const VerifyReport report = verify_tree(files, how, found);
  if (!report.findings.empty()) {
    const VerifyFinding& first = report.findings.front();
    return fail(ErrorCode::input, first.file + ": " + first.message);
  }
  return check_signature(options, files);
}

TreeFiles::TreeFiles(const NodeOptions& options, wal::FileSystem& files, const Replica& replica,
                     const Transparency& transparency, std::unique_ptr<wal::LeafFile> leaves)
    : head_path_(options.data + '/' + kHeadFile),
      files_(files),
      replica_(replica),
      transparency_(transparency),
      leaves_(std::move(leaves)),
      head_size_(leaves_->size()) {}

Result<std::unique_ptr<TreeFiles>> TreeFiles::start(const NodeOptions& options, const Identity& identity,
                                                    wal::FileSystem& files, const Replica& replica,
                                                    const Transparency& transparency) {
  const std::string path = options.data + '/' + kLeafFile;
  const auto made = files.make_directory(path.substr(0, path.rfind('/')));
  if (!made) return fail(ErrorCode::io, made.error().what);
  auto leaves = wal::LeafFile::open(files, path, identity.cluster);
  if (!leaves) return fail(leaves.error());
  std::unique_ptr<TreeFiles> out(new TreeFiles(options, files, replica, transparency, std::move(*leaves)));
  TreeFiles* const self = out.get();
  out->thread_ = std::jthread([self](const std::stop_token& stop) { self->run(stop); });
  return out;
}

TreeFiles::~TreeFiles() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

void TreeFiles::finish() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
  keep(size_now());
}

void TreeFiles::run(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock(mutex);
  std::uint64_t seen = 0;  // a second ago
  while (!stop.stop_requested()) {
    (void)wake.wait_for(lock, stop, kEvery, [] { return false; });
    if (stop.stop_requested()) return;
    // Once the node's thread has come round, a write that failed for lack of room is known.
    if (replica_.status(Deadline::after(kEvery))) keep(seen);
    seen = size_now();
  }
}

std::uint64_t TreeFiles::size_now() const {
  std::uint64_t size = 0;
  replica_.with_state([&size](const state::Machine&, const tree::Tree& tree) { size = tree.size(); });
  return size;
}

void TreeFiles::keep(std::uint64_t size) {
  const Glance now = replica_.glance();
  if (now.disk_full || !now.trouble.empty() || size <= head_size_) return;
  const auto written = write(size);
  if (!written && !warned_) log_line("WARN", "the tree's files are not written: " + written.error().message);
  warned_ = !written;
}

Result<void> TreeFiles::write(std::uint64_t size) {
  const std::uint64_t first = leaves_->size();
  std::vector<tree::Hash> hashes;
  replica_.with_state([&](const state::Machine&, const tree::Tree& tree) {
    const auto all = tree.leaf_hashes();
    if (first < size && size <= all.size())
      hashes.assign(all.begin() + static_cast<std::ptrdiff_t>(first), all.begin() + static_cast<std::ptrdiff_t>(size));
  });
  if (!hashes.empty()) {
    if (auto written = leaves_->write(first, hashes); !written) return written;
    if (auto synced = leaves_->sync(); !synced) return synced;
  }
  const std::string head = transparency_.head_of(size);
  if (head.empty()) return {};
  if (const auto kept = wal::replace_file(files_, head_path_, head); !kept)
    return fail(ErrorCode::io, kept.error().what);
  head_size_ = size;
  return {};
}

}  // namespace ordeal::log::node
