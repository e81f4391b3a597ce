#pragma once
// Followers: the processes of a target as they come and go: those given at first, whatever they fork or start, and
// those with the same program and arguments as one of them (the target was started again).

#include <cstdint>
#include <string>
#include <vector>

namespace ordeal::agent {

class Followers {
 public:
  // Takes a process in; false when it has ended.
  bool add(int process);
  // Looks at all processes of the node; those that belong to the target now.
  [[nodiscard]] std::vector<int> look();

 private:
  struct Known {  // ids are used again
    int process = 0;
    std::uint64_t started = 0;
    friend bool operator==(const Known&, const Known&) = default;
  };
  [[nodiscard]] bool is_known(const Known& one) const;
  [[nodiscard]] bool is_ours(int process, int parent) const;
  std::vector<Known> known_;
  std::vector<std::string> commands_;
};

}  // namespace ordeal::agent
