#pragma once
// The picture of an anomaly: DOT text for keeping and an SVG for the report.
//
// Graphviz computes where things go; the SVG is written here, so that its text is escaped by our rules, its colours
// follow the page (light, dark, print), and the same graph gives the same bytes on every machine: box sizes come from
// counting characters, never from the fonts installed. The layout runs in a forked child with limits in time and
// memory (reports/graph_layout.h), since dot's time on a dense graph has no useful bound and cgraph is not thread-safe.
//
// Thread-safety: draw() may be called from any thread, one at a time for best results.

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "checkers/interfaces/checker.h"

namespace ordeal {

struct GraphLimits {
  std::size_t nodes = 120;  // a larger picture helps nobody
  std::size_t edges = 400;
  std::chrono::milliseconds time{5000};
  std::size_t memory_bytes = std::size_t{1} << 30;
};

struct GraphDrawing {
  std::string svg;   // an <svg> element for embedding; empty when there is nothing to draw or the layout failed
  std::string dot;   // the whole graph, always complete, for Graphviz' own tools
  std::string note;  // what the picture leaves out, or why there is none; plain text
};

// Draws the graph, or, when it is beyond the limits, the shortest cycle in it. `name` becomes part of the ids inside
// the SVG and must differ between the graphs of a page. Each operation's node carries data-event="<EventIndex>".
[[nodiscard]] GraphDrawing draw(const AnomalyGraph& graph, const std::string& name, const GraphLimits& limits = {});

// The same SVG as a file of its own, with its style.
[[nodiscard]] std::string standalone_svg(const GraphDrawing& drawing);

// The whole graph for Graphviz' own tools.
[[nodiscard]] std::string dot_text(const AnomalyGraph& graph);

// Indices of the nodes on a shortest cycle, in order, empty when there is none. A cycle through a guilty node is
// preferred over a shorter one elsewhere. Gives up, with what it has, after visiting about `budget` edges.
[[nodiscard]] std::vector<std::size_t> shortest_cycle(const AnomalyGraph& graph, std::size_t budget = 20'000'000);

}  // namespace ordeal
