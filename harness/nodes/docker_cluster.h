#pragma once
// DockerCluster: nodes that are containers of the Docker daemon of this machine.
//
// Each container is kept alive by an attached `docker run --rm` whose standard input is a pipe that only this process
// holds. Its first process sets up sshd and then waits for the end of that pipe: when this process ends, by whatever
// signal, the containers end and Docker removes them. Keys are made for the cluster and live in memory files.
//
// Without an image of the user's, none has to be had from anywhere: the containers' /usr is this machine's, read-only,
// and the rest an empty tree with this machine's users, kept as the image `ordeal-host`.
//
// They may do what faults do (filter packets, trace processes, mount a FUSE file system): like local nodes they protect
// against accidents and are no jail.
//
// It needs the client `docker` and a daemon that answers, here and from here: a daemon elsewhere (DOCKER_HOST with an
// address) works only if the containers' addresses are reached from this machine. Thread-safety: one thread per object.

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "harness/control/ssh_node.h"

namespace ordeal::nodes {

inline constexpr int kMaxDockerNodes = 64;

struct DockerClusterOptions {
  int nodes = 5;  // 1 … kMaxDockerNodes, called n1, n2, …
  // An image with sh and sshd; empty: see above.
  std::string image;
  // More arguments for `docker run`, separated by blanks, e.g. "--memory 1g".
  std::string arguments;
  std::chrono::seconds ready_timeout{90};  // until every node answers SSH
};

class DockerCluster {
 public:
  // When it returns, every node answers SSH. After an error nothing is left behind. Errors: not_found (no client),
  // unsupported (no daemon, no sshd in the image, the container ends), timeout.
  [[nodiscard]] static Result<std::unique_ptr<DockerCluster>> start(const DockerClusterOptions& options);
  // Ends the containers and waits until Docker has removed them, for at most fifteen seconds.
  ~DockerCluster();
  DockerCluster(const DockerCluster&) = delete;
  DockerCluster& operator=(const DockerCluster&) = delete;

  // How the nodes are reached. The files that they name exist as long as this object.
  [[nodiscard]] std::vector<SshEndpoint> endpoints() const;
  // The name of a node's container.
  [[nodiscard]] std::string container(std::size_t node) const;

 private:
  struct Impl;
  explicit DockerCluster(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace ordeal::nodes
