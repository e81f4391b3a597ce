#include "reports/diagram.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "reports/text.h"

namespace ordeal {
namespace {

constexpr double kColumn = 7.3;  // a character of the 12-pixel fixed-pitch font
constexpr double kLane = 40;
constexpr double kBar = 26;
constexpr double kTop = 8;
constexpr double kGap = 16;      // least distance between two events
constexpr double kOpenEnd = 34;  // how far a bar without an end is drawn
constexpr std::size_t kLabelColumns = 34;

struct Bar {
  OperationEvents op;
  std::size_t lane = 0;
  std::string label;
  EventType outcome = EventType::info;
  bool guilty = false;
  double from = 0;
  double to = 0;
};

std::vector<Bar> bars_of(const History& history, const std::vector<EventIndex>& operations,
                         const std::vector<EventIndex>& guilty, std::size_t limit) {
  std::vector<EventIndex> sorted;
  for (const EventIndex e : operations) {
    if (e < history.size() && history.type(e) == EventType::invoke) sorted.push_back(e);
  }
  std::sort(sorted.begin(), sorted.end());
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  if (sorted.size() > limit) sorted.resize(limit);
  std::vector<Bar> bars;
  for (const EventIndex e : sorted) {
    Bar bar;
    bar.op = {e, history.partner(e)};
    bar.label = shortened(operation_text(history, bar.op), kLabelColumns);
    bar.outcome = history.outcome(bar.op);
    bar.guilty = std::find(guilty.begin(), guilty.end(), e) != guilty.end();
    bars.push_back(std::move(bar));
  }
  return bars;
}

// Gives every event its x, in the order of events, wide enough apart for the labels. Returns the events' positions.
std::vector<std::pair<EventIndex, double>> place(std::vector<Bar>& bars, double left) {
  struct Moment {
    EventIndex event;
    std::size_t bar;
    bool begins;
  };
  std::vector<Moment> moments;
  for (std::size_t i = 0; i < bars.size(); ++i) {
    moments.push_back({bars[i].op.invocation, i, true});
    // An unknown outcome has no end: the operation may take effect at any later time.
    if (bars[i].outcome != EventType::info) moments.push_back({bars[i].op.completion, i, false});
  }
  std::sort(moments.begin(), moments.end(), [](const Moment& a, const Moment& b) { return a.event < b.event; });
  std::vector<std::pair<EventIndex, double>> out;
  std::map<std::size_t, double> lane_free;
  double x = left;
  for (const Moment& moment : moments) {
    Bar& bar = bars[moment.bar];
    const double wanted = static_cast<double>(columns(bar.label)) * kColumn + 20;
    if (moment.begins) {
      if (const auto found = lane_free.find(bar.lane); found != lane_free.end()) x = std::max(x, found->second);
      bar.from = x;
      lane_free[bar.lane] = x + wanted + kGap;
    } else {
      x = std::max(x, bar.from + wanted);
      bar.to = x;
    }
    out.emplace_back(moment.event, x);
    x += kGap;
  }
  for (Bar& bar : bars) {
    const double wanted = static_cast<double>(columns(bar.label)) * kColumn + 20;
    if (bar.outcome == EventType::info) bar.to = std::max(x, bar.from + wanted);
  }
  return out;
}

std::string bar_shape(const Bar& bar, double y) {
  const double middle = y + kBar / 2;
  const double width = bar.to - bar.from;
  switch (bar.outcome) {
    case EventType::info:
      // No right side: an arrow into the open.
      return fmt::format(
          "<path class=\"body\" d=\"M{:.1f},{:.1f} H{:.1f} V{:.1f} H{:.1f} z\"/>"
          "<path class=\"outline\" d=\"M{:.1f},{:.1f} H{:.1f} V{:.1f} H{:.1f}\"/>"
          "<path class=\"open\" d=\"M{:.1f},{:.1f} h{:.1f} m-7,-5 l7,5 l-7,5\"/>",
          bar.from, y, bar.to, y + kBar, bar.from, bar.to, y, bar.from, y + kBar, bar.to, bar.to, middle,
          kOpenEnd - 10);
    case EventType::fail:
      return fmt::format(
          "<rect class=\"body\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" rx=\"2\"/>"
          "<path class=\"cross\" d=\"M{:.1f},{:.1f} l8,8 m0,-8 l-8,8\"/>",
          bar.from, y, width, kBar, bar.to - 4, y - 4);
    default:
      return fmt::format("<rect class=\"body\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" rx=\"6\"/>",
                         bar.from, y, width, kBar);
  }
}

// A transaction [f key value] … as `[r x [1,2], append y 3]`; empty when it is something else.
std::string transaction_text(const ValueTable& values, ValueId id) {
  if (id == kAbsent || values.kind(id) != Value::Kind::list) return "";
  std::string out;
  for (const ValueId micro : values.as_list(id)) {
    if (values.kind(micro) != Value::Kind::list || values.as_list(micro).size() != 3) return "";
    const auto parts = values.as_list(micro);
    if (values.kind(parts[0]) != Value::Kind::string) return "";
    out += (out.empty() ? "[" : ", ") + std::string(values.as_string(parts[0])) + " " +
           plain_text(values.to_value(parts[1])) + " " + values.to_json(parts[2]);
  }
  return out.empty() ? out : out + "]";
}

}  // namespace

std::string operation_text(const History& history, OperationEvents op) {
  std::string out(history.f_name(op.invocation));
  const ValueTable& values = history.values();
  const ValueId key = history.key(op.invocation);
  if (key != kAbsent) out += " " + plain_text(values.to_value(key));
  const ValueId request = history.value(op.invocation);
  // What a transaction saw stands where it asked for it.
  if (const std::string text = transaction_text(values, history.operation_value(op));
      !text.empty() && !transaction_text(values, request).empty())
    return out + " " + text;
  if (request != kAbsent && request != kNil) out += " " + values.to_json(request);
  const bool ok = op.completion != kNoEvent && history.type(op.completion) == EventType::ok;
  const ValueId response = ok ? history.value(op.completion) : kAbsent;
  if (response != kAbsent && response != request)
    out += " → " + values.to_json(response);
  else if (response == kNil)
    out += " → nil";
  return out;
}

std::string diagram_svg(const History& history, const std::vector<EventIndex>& operations,
                        const std::vector<EventIndex>& guilty, std::size_t limit) {
  std::vector<Bar> bars = bars_of(history, operations, guilty, limit);
  if (bars.empty()) return "";
  std::map<ProcessId, std::size_t> lanes;
  for (const Bar& bar : bars) lanes.emplace(history.process(bar.op.invocation), 0);
  std::size_t widest = 4;
  std::size_t number = 0;
  for (auto& [process, lane] : lanes) {
    lane = number++;
    widest = std::max(widest, columns(history.process_name(process)) + 8);
  }
  for (Bar& bar : bars) bar.lane = lanes.at(history.process(bar.op.invocation));
  const double left = static_cast<double>(widest) * kColumn + 16;
  const auto moments = place(bars, left);
  double right = left;
  for (const Bar& bar : bars) right = std::max(right, bar.to + kOpenEnd);
  const double bottom = kTop + static_cast<double>(lanes.size()) * kLane;
  const double height = bottom + 30;
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"diagram\" role=\"img\" aria-label=\"The {} of the "
      "counterexample in real time\" width=\"{:.0f}\" height=\"{:.0f}\" viewBox=\"0 0 {:.0f} {:.0f}\">\n",
      counted(bars.size(), "operation"), right + 20, height, right + 20, height);
  for (const auto& [process, lane] : lanes) {
    const double y = kTop + static_cast<double>(lane) * kLane;
    out += fmt::format("<line class=\"lane\" x1=\"0\" x2=\"{:.0f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>", right + 20,
                       y + kLane - 2, y + kLane - 2);
    out += fmt::format("<text class=\"who\" x=\"0\" y=\"{:.1f}\">process {}</text>\n", y + kBar / 2 + 9,
                       html_text(history.process_name(process)));
  }
  // The moments: a hair line each, and times below where there is room.
  double free_from = 0;
  std::int64_t first_time = -1;
  for (const auto& [event, x] : moments) {
    out += fmt::format("<line class=\"moment\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"0\" y2=\"{1:.1f}\"/>", x, bottom);
    const std::int64_t time = history.time(event);
    if (time < 0 || x < free_from) continue;
    const std::string label = first_time < 0 ? seconds_text(time) : "+" + duration_text(time - first_time);
    if (first_time < 0) first_time = time;
    out += fmt::format("<text class=\"when\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>", x, bottom + 18, label);
    free_from = x + static_cast<double>(columns(label)) * 6.6 + 14;
  }
  out += '\n';
  for (const Bar& bar : bars) {
    const double y = kTop + static_cast<double>(bar.lane) * kLane + 4;
    out += fmt::format("<g class=\"bar {}{}\" data-event=\"{}\" tabindex=\"0\"><title>{}</title>{}", name(bar.outcome),
                       bar.guilty ? " guilty" : "", bar.op.invocation, html_text(history.describe(bar.op)),
                       bar_shape(bar, y));
    out += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\">{}</text></g>\n", bar.from + 10, y + kBar / 2 + 4,
                       html_text(bar.label));
  }
  return out + "</svg>\n";
}

}  // namespace ordeal
