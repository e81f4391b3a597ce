#include "nemesis/engine/held_cluster.h"

namespace ordeal {

class HeldCluster::HeldNode final : public Node {
 public:
  HeldNode(HeldCluster& owner, Node& node) : owner_(owner), node_(node) {}

  const std::string& name() const override { return node_.name(); }
  const std::string& address() const override { return node_.address(); }
  Result<CommandOutput> run(const Command& command) override {
    if (!owner_.claim(name())) return node_.run(command);
    Command held = command;
    held.script = "read -r go || exit 75\n" + command.script;
    held.input = "\n" + command.input;
    held.before_input = [this, patience = command.timeout] { return owner_.await_release(patience); };
    return node_.run(held);
  }
  Result<void> upload(const std::string& local, const std::string& remote, const TransferProgress& progress) override {
    return node_.upload(local, remote, progress);
  }
  Result<void> download(const std::string& remote, const std::string& local,
                        const TransferProgress& progress) override {
    return node_.download(remote, local, progress);
  }

 private:
  HeldCluster& owner_;
  Node& node_;
};

HeldCluster::HeldCluster(Cluster& cluster) {
  for (const auto& node : cluster.nodes) cluster_.nodes.push_back(std::make_unique<HeldNode>(*this, *node));
}

void HeldCluster::hold() {
  const std::lock_guard lock(mutex_);
  gate_ = Gate::closed;
  claimed_.clear();
  waiting_ = 0;
}

std::size_t HeldCluster::await_held(std::size_t nodes, Deadline deadline) {
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, deadline, [&] { return waiting_ >= nodes; });
  return waiting_;
}

void HeldCluster::release() {
  const std::lock_guard lock(mutex_);
  gate_ = Gate::open;
  changed_.notify_all();
}

void HeldCluster::give_up() {
  const std::lock_guard lock(mutex_);
  gate_ = Gate::given_up;
  changed_.notify_all();
}

bool HeldCluster::claim(const std::string& node) {
  const std::lock_guard lock(mutex_);
  return gate_ == Gate::closed && claimed_.insert(node).second;
}

// Asked again after a broken connection, when it was let go long ago.
bool HeldCluster::await_release(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  if (gate_ == Gate::closed) ++waiting_;
  changed_.notify_all();
  return changed_.wait_for(lock, patience, [&] { return gate_ != Gate::closed; }) && gate_ == Gate::open;
}

}  // namespace ordeal
