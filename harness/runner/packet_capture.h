#pragma once
// Packet capture: tcpdump on every node while a run goes on, for who has to see what was on the wire. One file a node,
// nodes/<node>/packets.pcap, with the last packets when there were more than it may hold.
//
// The controller's own SSH is not captured. When the controller dies, tcpdump ends by itself after the time that it was
// given. Thread-safety: one thread.

#include <cstdint>
#include <string>
#include <vector>

#include "harness/control/cluster.h"
#include "harness/store/run_directory.h"
#include "harness/store/run_log.h"

namespace ordeal {

class PacketCapture {
 public:
  struct Settings {
    std::uint64_t bytes = 0;  // of each node's file
    std::string filter;       // as tcpdump has it; empty: all
    double time_s = 0;        // after which it ends even without us
  };
  // Borrows the cluster. Errors: unsupported, with the node that has no tcpdump and what to install; remote, with what
  // tcpdump says against the filter.
  [[nodiscard]] static Result<PacketCapture> start(Cluster& cluster, const Settings& settings);
  // Ends it and fetches the files. What goes wrong is said in the log.
  void collect(const RunDirectory& run, RunLog& log);

 private:
  explicit PacketCapture(Cluster& cluster) : cluster_(&cluster), folders_(cluster.size()) {}
  Cluster* cluster_;
  std::vector<std::string> folders_;  // on the nodes; empty: it was not started, or was collected
};

}  // namespace ordeal
