#pragma once
// What `ordeal nodes up|down|status|exec|ssh` do: local clusters that live on their own.
//
// Each function prints for people, or one JSON document with `json`, and returns the exit code of the program: 0 done,
// 3 it did not work, 64 wrong usage. Thread-safety: call them from a program's only thread; all but up, down and status
// move the calling thread into the network of the nodes.

#include <chrono>
#include <iosfwd>
#include <string>
#include <vector>

namespace ordeal::nodes {

struct NodesOptions {
  std::string name = "default";   // of the cluster
  std::string runtime_directory;  // empty: default_runtime_directory()
  bool json = false;
};

struct NodesUpOptions : NodesOptions {
  std::string nodes = "local:5";  // only local:N can be brought up
  std::string storage;            // a directory for what the nodes write; empty: memory
};
// Brings a cluster up and leaves it there until nodes_down().
[[nodiscard]] int nodes_up(const NodesUpOptions& options, std::ostream& out, std::ostream& err);

struct NodesDownOptions : NodesOptions {
  bool all = false;  // every cluster of this runtime directory, those of running campaigns included
};
// Done, too, when no such cluster is up.
[[nodiscard]] int nodes_down(const NodesDownOptions& options, std::ostream& out, std::ostream& err);

struct NodesStatusOptions : NodesOptions {
  NodesStatusOptions() { name.clear(); }  // empty: all clusters
};
// 3 when the cluster named is not up.
[[nodiscard]] int nodes_status(const NodesStatusOptions& options, std::ostream& out, std::ostream& err);

struct NodesExecOptions : NodesOptions {
  std::vector<std::string> nodes;    // names; "all": every node
  std::vector<std::string> command;  // one word: a line for the shell; several: a program and its arguments
  std::chrono::milliseconds timeout{60'000};
};
// Runs a command on several nodes at once over SSH. 3 when it could not be run or failed on any of them.
[[nodiscard]] int nodes_exec(const NodesExecOptions& options, std::ostream& out, std::ostream& err);

struct NodesSshOptions : NodesOptions {
  std::string node;
  std::vector<std::string> arguments;  // for the ssh client, after the host
};
// Replaces this process by the ssh client; returns only when that fails.
[[nodiscard]] int nodes_ssh(const NodesSshOptions& options, std::ostream& out, std::ostream& err);

}  // namespace ordeal::nodes
