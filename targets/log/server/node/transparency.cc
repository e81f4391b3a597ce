#include "targets/log/server/node/transparency.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <optional>

#include "base/descriptor.h"
#include "base/files.h"
#include "base/text.h"
#include "base/value.h"
#include "targets/log/server/tree/tiles.h"

namespace ordeal::log::node {
namespace {

static_assert(state::kMaxEntryBytes <= tree::kMaxBundledEntry);

std::string proof_json(const tree::Proof& proof) {
  std::string out = "[";
  for (const tree::Hash& hash : proof) {
    if (out.size() > 1) out += ',';
    out += '"' + tree::base64(hash) + '"';
  }
  return out + "]";
}

std::string quoted(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

// Nobody but the node's user may read it, from the moment it is there.
Result<void> write_secret(const std::string& path, const std::string& text) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) return fail(system_error("making " + path, errno));
  if (auto written = write_all(file.get(), text, path); !written) return written;
  if (fsync(file.get()) != 0) return fail(system_error("syncing " + path, errno));
  return {};
}

Result<tree::SigningKey> read_or_make(const std::string& path, const std::string& name) {
  const auto text = read_text_file(path);
  if (text) {
    auto key = tree::SigningKey::parse(trimmed(*text));
    if (!key) return fail(key.error().during(path));
    return key;
  }
  if (text.error().code != ErrorCode::not_found) return fail(text.error());
  auto key = tree::SigningKey::generate(name);
  if (!key) return key;
  if (auto kept = write_secret(path, key->secret_text() + "\n"); !kept) return fail(kept.error());
  return key;
}

}  // namespace

Transparency::Transparency(const NodeOptions& options, const Replica& replica, tree::SigningKey key)
    : origin_(options.origin), replica_(replica), key_(std::move(key)) {}

Result<std::unique_ptr<Transparency>> Transparency::open(const NodeOptions& options, const Replica& replica) {
  if (!tree::valid_key_name(options.origin)) {
    return fail(ErrorCode::usage,
                fmt::format("--origin: \"{}\" cannot be the name of a log: no spaces, no +", options.origin));
  }
  auto key = read_or_make(options.data + "/head.key", options.origin);
  if (!key) return fail(key.error());
  return std::unique_ptr<Transparency>(new Transparency(options, replica, *std::move(key)));
}

std::string Transparency::checkpoint() const {
  tree::Checkpoint now{origin_, 0, {}, {}};
  replica_.with_state([&](const state::Machine&, const tree::Tree& tree) {
    now.size = tree.size();
    now.root = tree.root();
  });
  const std::lock_guard lock(mutex_);
  if (note_.empty() || !(signed_ == now)) {
    note_ = tree::sign_checkpoint(now, {&key_});
    signed_ = now;
  }
  return note_;
}

std::string Transparency::head_of(std::uint64_t size) const {
  std::optional<tree::Hash> root;
  replica_.with_state([&](const state::Machine&, const tree::Tree& tree) {
    if (size <= tree.size()) root = tree.root(size);
  });
  return root ? tree::sign_checkpoint({origin_, size, *root, {}}, {&key_}) : std::string();
}

std::string Transparency::head() const {
  const std::string note = checkpoint();
  const std::lock_guard lock(mutex_);
  return fmt::format(R"({{"size":{},"root":"{}","checkpoint":{},"key":{}}})", signed_.size, tree::base64(signed_.root),
                     quoted(note), quoted(key_.verifier().text()));
}

Result<std::string> Transparency::tile(const std::string& path) const {
  const auto id = tree::parse_tile_path(path);
  if (!id) return fail(id.error());
  Result<std::string> out = fail(ErrorCode::not_found, "the log has no such tile yet");
  replica_.with_state([&](const state::Machine& machine, const tree::Tree& tree) {
    if (!tree::tile_exists(*id, tree.size())) return;
    if (!id->entries) {
      out = tree::tile_bytes(tree, *id);
      return;
    }
    std::string bundle;
    const std::uint64_t first = id->index * tree::kTileWidth;
    for (std::uint64_t leaf = first; leaf < first + id->width; ++leaf) {
      tree::add_to_bundle(bundle, machine.entries()[leaf]);
    }
    out = std::move(bundle);
  });
  return out;
}

Result<std::string> Transparency::inclusion(std::uint64_t index, std::uint64_t size) const {
  Result<std::string> out =
      fail(ErrorCode::usage, "an index below the size, and a size of at most the log's, were expected");
  replica_.with_state([&](const state::Machine&, const tree::Tree& tree) {
    if (index >= size || size > tree.size()) return;
    out = fmt::format(R"({{"index":{},"size":{},"leaf_hash":"{}","proof":{}}})", index, size,
                      tree::base64(tree.node(0, index)), proof_json(tree.inclusion(index, size)));
  });
  return out;
}

Result<std::string> Transparency::consistency(std::uint64_t first, std::uint64_t second) const {
  Result<std::string> out =
      fail(ErrorCode::usage, "two sizes were expected, the smaller first, neither beyond the log's");
  replica_.with_state([&](const state::Machine&, const tree::Tree& tree) {
    if (first > second || second > tree.size()) return;
    out = fmt::format(R"({{"first":{},"second":{},"proof":{}}})", first, second,
                      proof_json(tree.consistency(first, second)));
  });
  return out;
}

}  // namespace ordeal::log::node
