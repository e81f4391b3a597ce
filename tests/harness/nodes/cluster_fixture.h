#pragma once
// What the tests of local clusters share: clusters in a runtime directory of their own, and ways to see from outside
// whether anything of a cluster is left.

#include <gtest/gtest.h>
#include <sys/types.h>

#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "harness/nodes/local_cluster.h"
#include "harness/nodes/node_source.h"
#include "tests/support/program.h"

namespace ordeal::nodes {

// The namespaces of a cluster, held open: the kernel gives the number of a dead namespace to the next one, which may be
// that of another test's cluster.
class Namespaces {
 public:
  Namespaces() = default;
  explicit Namespaces(const ClusterState& state);
  ~Namespaces();
  Namespaces(const Namespaces&) = delete;
  Namespaces& operator=(const Namespaces&) = delete;

  // `link` is what a link under /proc says: "net:[4026532001]".
  [[nodiscard]] bool contain(const std::string& link) const { return links_.contains(link); }
  [[nodiscard]] std::size_t size() const { return links_.size(); }

 private:
  void hold(const std::string& path);

  std::set<std::string> links_;
  std::vector<int> held_;
};

// What is left of a cluster: processes that carry its name or live in one of its namespaces, descriptors that hold one
// of them, mounts that mention it, its directory. One line each; empty when nothing is left.
[[nodiscard]] std::string remains(const std::string& name, const Namespaces& namespaces,
                                  const std::string& runtime_directory);
// The same after waiting until nothing is left, at most for `limit`.
[[nodiscard]] std::string remains_within(std::chrono::milliseconds limit, const std::string& name,
                                         const Namespaces& namespaces, const std::string& runtime_directory);

// What a cluster could have changed of this machine: links, addresses, routes, packet filters, mounts.
[[nodiscard]] std::string host_state();

class ClusterTest : public ::testing::Test {
 protected:
  void SetUp() override;     // skips loudly when this machine cannot have local nodes
  void TearDown() override;  // goes back to the network that the test came from

  [[nodiscard]] std::string runtime() const { return directory_.path() + "/ordeal"; }
  [[nodiscard]] LocalClusterOptions options(int nodes) const;
  // A cluster that is up, with the test inside its network. Fails the test when that does not work.
  [[nodiscard]] std::unique_ptr<LocalCluster> start(int nodes);
  // Runs a command on a node over SSH; what it printed. Fails the test when it ends with another code.
  static std::string run(const LocalCluster& cluster, const std::string& node, const std::string& script, int code = 0);

  ordeal::testing::TemporaryDirectory directory_;
  int host_network_ = -1;
};

}  // namespace ordeal::nodes
