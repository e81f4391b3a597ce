#pragma once
// MaxTree: an array of numbers in which a whole range is raised, and the greatest of a range is found, in O(log n).
// Thread-safety: as a value.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

namespace ordeal::work {

class MaxTree {
 public:
  struct Found {
    std::int64_t value = std::numeric_limits<std::int64_t>::min();  // of an empty range
    std::size_t at = 0;
  };

  explicit MaxTree(const std::vector<std::int64_t>& values)
      : size_(values.size()), nodes_(4 * std::max<std::size_t>(size_, 1)) {
    if (size_ > 0) build(1, 0, size_, values);
  }
  // Raises those in [from, to) by `amount`.
  void add(std::size_t from, std::size_t to, std::int64_t amount) {
    if (from < to) add(1, 0, size_, from, to, amount);
  }
  // The greatest in [from, to), the first of several.
  [[nodiscard]] Found max(std::size_t from, std::size_t to) const {
    return from < to ? max(1, 0, size_, from, to) : Found{};
  }

 private:
  struct Node {
    Found found;              // of its range, without what `raised` of nodes above says
    std::int64_t raised = 0;  // holds for the whole range
  };
  static Found better(Found a, Found b) { return b.value > a.value ? b : a; }

  void build(std::size_t node, std::size_t begin, std::size_t end, const std::vector<std::int64_t>& values) {
    if (end - begin == 1) {
      nodes_[node].found = {values[begin], begin};
      return;
    }
    const std::size_t middle = begin + (end - begin) / 2;
    build(2 * node, begin, middle, values);
    build(2 * node + 1, middle, end, values);
    nodes_[node].found = better(nodes_[2 * node].found, nodes_[2 * node + 1].found);
  }
  void add(std::size_t node, std::size_t begin, std::size_t end, std::size_t from, std::size_t to,
           std::int64_t amount) {
    if (to <= begin || end <= from) return;
    if (from <= begin && end <= to) {
      nodes_[node].found.value += amount;
      nodes_[node].raised += amount;
      return;
    }
    const std::size_t middle = begin + (end - begin) / 2;
    add(2 * node, begin, middle, from, to, amount);
    add(2 * node + 1, middle, end, from, to, amount);
    nodes_[node].found = better(nodes_[2 * node].found, nodes_[2 * node + 1].found);
    nodes_[node].found.value += nodes_[node].raised;
  }
  [[nodiscard]] Found max(std::size_t node, std::size_t begin, std::size_t end, std::size_t from,
                          std::size_t to) const {
    if (to <= begin || end <= from) return {};
    if (from <= begin && end <= to) return nodes_[node].found;
    const std::size_t middle = begin + (end - begin) / 2;
    Found found = better(max(2 * node, begin, middle, from, to), max(2 * node + 1, middle, end, from, to));
    if (found.value != Found{}.value) found.value += nodes_[node].raised;
    return found;
  }

  std::size_t size_;
  std::vector<Node> nodes_;
};

}  // namespace ordeal::work
