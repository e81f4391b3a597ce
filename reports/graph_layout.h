#pragma once
// Where Graphviz' dot puts boxes and arrows. Private to reports/.

#include <array>
#include <chrono>
#include <cstddef>
#include <vector>

#include "base/error.h"

namespace ordeal::internal {

struct Point {
  double x = 0;
  double y = 0;
};

struct Box {
  double width = 0;
  double height = 0;
};

// What to lay out; sizes in points. An edge's box is the room for its label, zero for none.
struct LayoutRequest {
  struct Edge {
    std::size_t from = 0;
    std::size_t to = 0;
    Box label;
    bool weak = false;  // should not decide the shape of the picture
  };
  std::vector<Box> nodes;
  std::vector<Edge> edges;
  std::chrono::milliseconds time{5000};
  std::size_t memory_bytes = 0;  // 0: no limit
};

// Where it went; y grows downwards.
struct Layout {
  struct Edge {
    std::vector<Point> curve;  // cubic Bézier: start, then three points for each piece
    Point head;                // where the arrow ends
    bool has_head = false;
    Point label;  // centre
  };
  Box size;
  std::vector<Point> nodes;  // centres
  std::vector<Edge> edges;
};

// Errors: timeout; unsupported (no dot layout plug-in on this machine); io (no fork, no pipe); internal (Graphviz
// crashed or gave up).
[[nodiscard]] Result<Layout> lay_out(const LayoutRequest& request);

}  // namespace ordeal::internal
