#include "reports/graph.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <utility>

#include <fmt/format.h>

#include "reports/assets.h"
#include "reports/graph_layout.h"
#include "reports/text.h"

namespace ordeal {
namespace {

constexpr double kColumn = 7.3;  // a character of the 12-pixel fixed-pitch font, a little generous
constexpr double kLine = 16;
constexpr std::size_t kNodeColumns = 44;
constexpr std::size_t kNodeLines = 4;
constexpr std::size_t kEdgeColumns = 36;

std::vector<std::string> label_lines(const std::string& label) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at <= label.size() && lines.size() < kNodeLines;) {
    const std::size_t end = std::min(label.find('\n', at), label.size());
    lines.push_back(shortened(std::string_view(label).substr(at, end - at), kNodeColumns));
    at = end + 1;
  }
  return lines;
}

std::string edge_label(const AnomalyGraph::Edge& edge) {
  std::string text = edge.kind;
  if (!edge.label.empty()) text += (text.empty() ? "" : " ") + edge.label;
  std::replace(text.begin(), text.end(), '\n', ' ');
  return shortened(text, kEdgeColumns);
}

// A kind of edge as a class of CSS: only letters that mean nothing there.
std::string css_class(std::string_view kind) {
  std::string out;
  for (const char c : kind) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    out += plain ? c : (c >= 'A' && c <= 'Z') ? static_cast<char>(c - 'A' + 'a') : '-';
  }
  return out.empty() ? "other" : out;
}

std::string dot_string(std::string_view text) {
  std::string out = "\"";
  for (std::size_t at = 0; at < text.size();) {
    const char32_t code = next_code_point(text, at);
    if (code == '\n') {
      out += "\\n";
    } else if (code < 0x20 || code == 0x7F) {
      append_utf8(out, 0x2400 + (code & 0x1F));
    } else {
      if (code == '"' || code == '\\') out += '\\';
      append_utf8(out, code);
    }
  }
  return out + '"';
}

// Without close neighbours.
AnomalyGraph proof_of(const AnomalyGraph& graph) {
  AnomalyGraph out;
  out.component_size = graph.component_size;
  std::vector<std::size_t> place(graph.nodes.size(), SIZE_MAX);
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    if (graph.nodes[i].near) continue;
    place[i] = out.nodes.size();
    out.nodes.push_back(graph.nodes[i]);
  }
  for (const auto& edge : graph.edges) {
    if (edge.near || place[edge.from] == SIZE_MAX || place[edge.to] == SIZE_MAX) continue;
    out.edges.push_back(edge);
    out.edges.back().from = place[edge.from];
    out.edges.back().to = place[edge.to];
  }
  return out;
}

// Edges whose ends exist; a checker that got one wrong costs an arrow, not the report.
AnomalyGraph checked(const AnomalyGraph& graph) {
  AnomalyGraph out;
  out.nodes = graph.nodes;
  out.component_size = graph.component_size;
  for (const auto& edge : graph.edges) {
    if (edge.from < graph.nodes.size() && edge.to < graph.nodes.size()) out.edges.push_back(edge);
  }
  return out;
}

AnomalyGraph part(const AnomalyGraph& graph, const std::vector<std::size_t>& cycle) {
  AnomalyGraph out;
  out.component_size = graph.component_size;
  std::vector<std::size_t> place(graph.nodes.size(), SIZE_MAX);
  for (const std::size_t node : cycle) {
    place[node] = out.nodes.size();
    out.nodes.push_back(graph.nodes[node]);
  }
  for (const auto& edge : graph.edges) {
    const std::size_t from = place[edge.from];
    const std::size_t to = place[edge.to];
    if (from == SIZE_MAX || to == SIZE_MAX || (from + 1) % cycle.size() != to) continue;
    out.edges.push_back(edge);
    out.edges.back().from = from;
    out.edges.back().to = to;
  }
  return out;
}

internal::LayoutRequest request_for(const AnomalyGraph& graph, const GraphLimits& limits) {
  internal::LayoutRequest request;
  request.time = limits.time;
  request.memory_bytes = limits.memory_bytes;
  for (const auto& node : graph.nodes) {
    std::size_t widest = 6;
    const auto lines = label_lines(node.label);
    for (const auto& line : lines) widest = std::max(widest, columns(line));
    request.nodes.push_back(
        {static_cast<double>(widest) * kColumn + 24, static_cast<double>(lines.size()) * kLine + 14});
  }
  for (const auto& edge : graph.edges) {
    internal::LayoutRequest::Edge wanted;
    wanted.from = edge.from;
    wanted.to = edge.to;
    const std::string label = edge_label(edge);
    if (!label.empty()) wanted.label = {static_cast<double>(columns(label)) * kColumn * 11 / 12 + 10, kLine + 2};
    wanted.weak = edge.near || edge.kind == "realtime" || edge.kind == "process";
    request.edges.push_back(wanted);
  }
  return request;
}

std::string number(double value) {
  // Two decimals are a hundredth of a pixel; no "-0.00", no exponents.
  const double rounded = std::round(value * 100) / 100;
  return fmt::format("{}", rounded == 0 ? 0.0 : rounded);
}

std::string curve_path(const internal::Layout::Edge& edge) {
  std::string path;
  for (std::size_t i = 0; i < edge.curve.size(); ++i) {
    path += i == 0 ? "M" : i % 3 == 1 ? " C" : " ";
    path += number(edge.curve[i].x) + "," + number(edge.curve[i].y);
  }
  if (edge.has_head) path += " L" + number(edge.head.x) + "," + number(edge.head.y);
  return path;
}

std::string svg_text(const AnomalyGraph& graph, const internal::Layout& layout, const std::string& name) {
  constexpr double kMargin = 14;
  const double width = layout.size.width + 2 * kMargin;
  const double height = layout.size.height + 2 * kMargin;
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"graph\" role=\"img\" aria-label=\"{}\" width=\"{}\" "
      "height=\"{}\" viewBox=\"{} {} {} {}\">\n",
      html_text(counted(graph.nodes.size(), "operation") + " and the order between them"), number(width),
      number(height), number(-kMargin), number(-kMargin), number(width), number(height));
  out += fmt::format(
      "<defs><marker id=\"{}-head\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"8\" markerHeight=\"8\" "
      "orient=\"auto\" markerUnits=\"userSpaceOnUse\"><path class=\"head\" d=\"M0,1 L10,5 L0,9 z\"/></marker></defs>\n",
      name);
  for (std::size_t i = 0; i < graph.edges.size(); ++i) {
    const auto& edge = graph.edges[i];
    out += fmt::format("<g class=\"edge {}{}\"><title>{}</title><path d=\"{}\" marker-end=\"url(#{}-head)\"/>",
                       css_class(edge.kind), edge.near ? " near" : "", html_text(edge.kind + " " + edge.label),
                       curve_path(layout.edges[i]), name);
    const std::string label = edge_label(edge);
    if (!label.empty()) {
      const auto& at = layout.edges[i].label;
      // The kind in bold, then what proves it.
      const std::size_t cut = std::min(edge.kind.size(), label.size());
      out += fmt::format("<text x=\"{}\" y=\"{}\"><tspan class=\"kind\">{}</tspan>{}</text>", number(at.x),
                         number(at.y + 4), html_text(label.substr(0, cut)), html_text(label.substr(cut)));
    }
    out += "</g>\n";
  }
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const auto& node = graph.nodes[i];
    const auto lines = label_lines(node.label);
    std::size_t widest = 6;
    for (const auto& line : lines) widest = std::max(widest, columns(line));
    const double w = static_cast<double>(widest) * kColumn + 24;
    const double h = static_cast<double>(lines.size()) * kLine + 14;
    const auto& at = layout.nodes[i];
    const bool is_operation = node.operation != kNoEvent;
    out += fmt::format(
        "<g class=\"node{}{}{}\"{}><title>{}</title><rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" "
        "rx=\"6\"/>",
        node.guilty ? " guilty" : "", is_operation ? "" : " initial", node.near ? " near" : "",
        is_operation ? fmt::format(" data-event=\"{}\" tabindex=\"0\"", node.operation) : "", html_text(node.label),
        number(at.x - w / 2), number(at.y - h / 2), number(w), number(h));
    for (std::size_t line = 0; line < lines.size(); ++line) {
      const double y = at.y + (static_cast<double>(line) - static_cast<double>(lines.size() - 1) / 2) * kLine + 4;
      out += fmt::format("<text x=\"{}\" y=\"{}\">{}</text>", number(at.x), number(y), html_text(lines[line]));
    }
    out += "</g>\n";
  }
  return out + "</svg>\n";
}

}  // namespace

std::string dot_text(const AnomalyGraph& graph) {
  std::string out =
      "digraph anomaly {\n  node [shape=box, fontname=\"monospace\", fontsize=10];\n"
      "  edge [fontname=\"monospace\", fontsize=9];\n";
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const auto& node = graph.nodes[i];
    out += fmt::format("  n{} [label={}{}];\n", i, dot_string(node.label),
                       node.guilty ? ", color=\"#c62828\", penwidth=2"
                       : node.near ? ", color=\"gray60\", fontcolor=\"gray40\""
                                   : "");
  }
  for (const auto& edge : graph.edges) {
    if (edge.from >= graph.nodes.size() || edge.to >= graph.nodes.size()) continue;
    const std::string label = edge.label.empty() ? edge.kind : edge.kind + " " + edge.label;
    out += fmt::format("  n{} -> n{} [label={}{}];\n", edge.from, edge.to, dot_string(label),
                       edge.near ? ", color=\"gray60\", fontcolor=\"gray40\"" : "");
  }
  return out + "}\n";
}

std::vector<std::size_t> shortest_cycle(const AnomalyGraph& graph, std::size_t budget) {
  const std::size_t n = graph.nodes.size();
  std::vector<std::vector<std::size_t>> next(n);
  for (const auto& edge : graph.edges) {
    if (edge.from < n && edge.to < n) next[edge.from].push_back(edge.to);
  }
  std::vector<std::size_t> starts;
  for (const bool guilty : {true, false}) {
    for (std::size_t i = 0; i < n; ++i) {
      if (graph.nodes[i].guilty == guilty) starts.push_back(i);
    }
  }
  std::vector<std::size_t> best;
  bool best_guilty = false;
  std::vector<std::size_t> parent(n);
  for (const std::size_t start : starts) {
    if (best_guilty && !graph.nodes[start].guilty) break;
    // Breadth first from `start` until an edge comes back to it.
    std::fill(parent.begin(), parent.end(), SIZE_MAX);
    std::deque<std::size_t> queue{start};
    bool found = false;
    while (!queue.empty() && !found && budget > 0) {
      const std::size_t at = queue.front();
      queue.pop_front();
      for (const std::size_t to : next[at]) {
        if (budget > 0) --budget;
        if (to == start) {
          std::vector<std::size_t> cycle;
          for (std::size_t back = at; back != start; back = parent[back]) cycle.push_back(back);
          cycle.push_back(start);
          std::reverse(cycle.begin(), cycle.end());
          if (best.empty() || cycle.size() < best.size()) {
            best = std::move(cycle);
            best_guilty = graph.nodes[start].guilty;
          }
          found = true;
          break;
        }
        if (parent[to] == SIZE_MAX) {
          parent[to] = at;
          queue.push_back(to);
        }
      }
    }
    if (budget == 0) break;
  }
  return best;
}

GraphDrawing draw(const AnomalyGraph& given, const std::string& name, const GraphLimits& limits) {
  GraphDrawing drawing;
  if (given.nodes.empty()) return drawing;
  AnomalyGraph graph = checked(given);
  drawing.dot = dot_text(graph);
  const std::string size = counted(graph.nodes.size(), "node") + " and " + counted(graph.edges.size(), "edge");
  const bool with_neighbours =
      std::any_of(graph.nodes.begin(), graph.nodes.end(), [](const auto& node) { return node.near; }) ||
      std::any_of(graph.edges.begin(), graph.edges.end(), [](const auto& edge) { return edge.near; });
  bool pale = with_neighbours;
  if (with_neighbours && (graph.nodes.size() > limits.nodes || graph.edges.size() > limits.edges)) {
    graph = proof_of(graph);
    pale = false;
    drawing.note = "Close neighbours are not drawn; the .dot file holds them.";
  }
  if (graph.nodes.size() > limits.nodes || graph.edges.size() > limits.edges) {
    const auto cycle = shortest_cycle(graph);
    if (cycle.empty() || cycle.size() > limits.nodes) {
      drawing.note =
          "The graph has " + size + ", too many for a picture, and no short cycle. Its .dot file holds all of it.";
      return drawing;
    }
    graph = part(graph, cycle);
    drawing.note = "The graph has " + size + ". Shown is its shortest cycle, of " + counted(cycle.size(), "operation") +
                   "; the .dot file holds all of it.";
  }
  if (pale) {
    drawing.note = "Drawn pale is what is known beside the proof: close neighbours and further edges.";
    if (given.neighbours_left_out > 0)
      drawing.note += " " + counted(given.neighbours_left_out, "more neighbour") +
                      (given.neighbours_left_out == 1 ? " is" : " are") + " left out.";
  }
  if (given.component_size > graph.nodes.size()) {
    drawing.note += (drawing.note.empty() ? "" : " ") +
                    fmt::format("The whole component has {}.", counted(given.component_size, "operation"));
  }
  auto layout = internal::lay_out(request_for(graph, limits));
  if (!layout && pale) {
    graph = proof_of(graph);
    drawing.note = "Close neighbours are not drawn (" + layout.error().message + "); the .dot file holds them.";
    layout = internal::lay_out(request_for(graph, limits));
  }
  if (!layout) {
    drawing.note =
        "No picture: " + layout.error().message + ". The graph has " + size + "; its .dot file holds all of it.";
    return drawing;
  }
  drawing.svg = svg_text(graph, *layout, name);
  return drawing;
}

std::string standalone_svg(const GraphDrawing& drawing) {
  const std::size_t body = drawing.svg.find('\n');
  if (body == std::string::npos) return "";
  return drawing.svg.substr(0, body + 1) + "<style>" + std::string(asset("graph.css")) + "</style>\n" +
         drawing.svg.substr(body + 1);
}

}  // namespace ordeal
