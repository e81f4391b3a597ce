#pragma once
// The file system that a local node sees: this machine's, with every write kept to the node itself.
//
// A node has its own mount namespace. Its root is an overlay over this machine's root (and over each further file
// system mounted below it) whose upper half is a tmpfs, mounted inside the namespace so that it vanishes with it, or a
// directory on disk. /proc, /sys, /dev, /dev/shm, /dev/pts, /tmp and /run are the node's own. What a root user could
// still change of this machine through them is read-only: /sys and /proc/sys, except /proc/sys/net, which belongs to
// the node's network namespace.
//
// Thread-safety: to be called by a process with a single thread that has its own mount, pid and network namespaces.

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace ordeal::nodes {

struct NodeFile {
  std::string path;  // absolute, in the node
  std::string text;
  unsigned mode = 0644;
};

// What storage directories of clusters are called in the directory given by the user: "ordeal-<cluster>".
inline constexpr std::string_view kStoragePrefix = "ordeal-";

struct NodeRootOptions {
  std::string storage;  // an existing empty directory for the node's writes; empty: memory
  std::string disk;     // the user's directory, which holds those of all clusters: no node sees the others' storage
  std::vector<NodeFile> files;
};

// Makes the file system and moves the calling process into it. Errors: unsupported, permission.
[[nodiscard]] Result<void> enter_node_root(const NodeRootOptions& options);

// A file system of this machine that belongs into a node's root: where it is mounted, from mountinfo. `/proc`, `/dev`
// and the like are left out, outer ones come first. Exposed for tests.
[[nodiscard]] std::vector<std::string> mounts_to_overlay(const std::string& mountinfo);

}  // namespace ordeal::nodes
