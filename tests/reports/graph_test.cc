#include "reports/graph.h"

#include <gtest/gtest.h>

#include <chrono>

#include "reports/graph_layout.h"
#include "tests/reports/synthetic.h"

namespace ordeal {
namespace {

AnomalyGraph ring(std::size_t n) {
  AnomalyGraph graph;
  for (std::size_t i = 0; i < n; ++i) {
    graph.nodes.push_back({static_cast<EventIndex>(i), "T" + std::to_string(i), false});
    graph.edges.push_back({i, (i + 1) % n, "rw", "x"});
  }
  return graph;
}

std::size_t count(const std::string& text, std::string_view what) {
  std::size_t found = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++found;
  return found;
}

TEST(ShortestCycle, PrefersOneThroughAGuiltyNode) {
  AnomalyGraph graph = ring(6);
  graph.edges.push_back({1, 0, "ww", ""});  // 0 -> 1 -> 0
  EXPECT_EQ(shortest_cycle(graph), (std::vector<std::size_t>{0, 1}));
  graph.nodes[4].guilty = true;
  EXPECT_EQ(shortest_cycle(graph).size(), 6u);
  graph.edges.clear();
  EXPECT_TRUE(shortest_cycle(graph).empty());
}

TEST(Draw, EveryNodeAndEdgeWithItsText) {
  const GraphDrawing drawing = draw(ring(4), "g1");
  ASSERT_FALSE(drawing.svg.empty()) << drawing.note;
  EXPECT_EQ(count(drawing.svg, "<g class=\"node\""), 4u);
  EXPECT_EQ(count(drawing.svg, "<g class=\"edge rw\""), 4u);
  EXPECT_NE(drawing.svg.find("data-event=\"3\""), std::string::npos);
  EXPECT_EQ(count(drawing.dot, "->"), 4u);
  EXPECT_TRUE(drawing.note.empty()) << drawing.note;
  EXPECT_EQ(drawing.svg, draw(ring(4), "g1").svg);
  EXPECT_NE(standalone_svg(drawing).find("<style>"), std::string::npos);
}

TEST(Draw, NeighboursArePaleAndTheFirstToGo) {
  AnomalyGraph graph = ring(4);
  graph.nodes.push_back({9, "T9", false, true});
  graph.edges.push_back({4, 0, "wr", "y", true});
  graph.neighbours_left_out = 3;
  const GraphDrawing all = draw(graph, "g1");
  EXPECT_EQ(count(all.svg, "<g class=\"node near\""), 1u);
  EXPECT_EQ(count(all.svg, "<g class=\"edge wr near\""), 1u);
  EXPECT_NE(all.note.find("3 more neighbours are left out"), std::string::npos) << all.note;
  EXPECT_EQ(count(all.dot, "gray60"), 2u);
  GraphLimits limits;
  limits.nodes = 4;
  const GraphDrawing part = draw(graph, "g1", limits);
  EXPECT_EQ(count(part.svg, "<g class=\"node"), 4u);
  EXPECT_EQ(count(part.svg, "near"), 0u);
  EXPECT_NE(part.note.find("not drawn"), std::string::npos) << part.note;
  EXPECT_EQ(count(part.dot, "->"), 5u);
}

TEST(Draw, NothingForAnEmptyGraph) {
  const GraphDrawing drawing = draw({}, "g1");
  EXPECT_TRUE(drawing.svg.empty());
  EXPECT_TRUE(drawing.dot.empty());
  EXPECT_TRUE(drawing.note.empty());
}

TEST(Draw, LabelsNeverBecomeMarkup) {
  AnomalyGraph graph = ring(2);
  graph.nodes[0].label = hostile_text();
  graph.edges[0].label = hostile_text();
  graph.edges[0].kind = "\"><script>";
  const GraphDrawing drawing = draw(graph, "g1");
  ASSERT_FALSE(drawing.svg.empty()) << drawing.note;
  EXPECT_EQ(drawing.svg.find("<script"), std::string::npos);
  EXPECT_EQ(drawing.svg.find("<img"), std::string::npos);
  EXPECT_EQ(drawing.svg.find('\x01'), std::string::npos);
}

TEST(Draw, EdgesToNowhereAreLeftOut) {
  AnomalyGraph graph = ring(3);
  graph.edges.push_back({0, 99, "ww", ""});
  EXPECT_FALSE(draw(graph, "g1").svg.empty());
}

TEST(Draw, AnOversizedGraphShowsItsShortestCycleAndKeepsAllInDot) {
  AnomalyGraph graph = ring(5000);
  graph.edges.push_back({7, 5, "ww", ""});  // 5 -> 6 -> 7 -> 5
  const GraphDrawing drawing = draw(graph, "g1");
  EXPECT_EQ(count(drawing.svg, "<g class=\"node\""), 3u);
  EXPECT_EQ(count(drawing.dot, "->"), 5001u);
  EXPECT_NE(drawing.note.find("5,000 nodes"), std::string::npos) << drawing.note;
}

TEST(Draw, AnOversizedGraphWithoutAShortCycleIsANote) {
  const GraphDrawing drawing = draw(ring(5000), "g1");
  EXPECT_TRUE(drawing.svg.empty());
  EXPECT_EQ(count(drawing.dot, "->"), 5000u);
  EXPECT_NE(drawing.note.find("too many for a picture"), std::string::npos) << drawing.note;
}

TEST(Draw, ALayoutThatTakesTooLongIsEnded) {
  AnomalyGraph graph;
  for (std::size_t i = 0; i < 300; ++i) {
    graph.nodes.push_back({static_cast<EventIndex>(i), "T" + std::to_string(i), false});
    for (std::size_t j = 0; j < i; j += 2) graph.edges.push_back({j, i, "ww", "x"});
  }
  GraphLimits limits;
  limits.nodes = limits.edges = 1'000'000;
  limits.time = std::chrono::milliseconds(150);
  const auto before = std::chrono::steady_clock::now();
  const GraphDrawing drawing = draw(graph, "g1", limits);
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(2));
  EXPECT_TRUE(drawing.svg.empty());
  EXPECT_NE(drawing.note.find("150 ms"), std::string::npos) << drawing.note;
  EXPECT_FALSE(drawing.dot.empty());
}

}  // namespace
}  // namespace ordeal
