#include "harness/store/run_end.h"

#include <algorithm>
#include <array>
#include <utility>

namespace ordeal {
namespace {

template <class Enum, std::size_t n>
using Words = std::array<std::pair<Enum, const char*>, n>;

constexpr Words<RunEnd::How, 4> kHow = {{
    {RunEnd::How::complete, "complete"},
    {RunEnd::How::interrupted, "interrupted"},
    {RunEnd::How::anomaly, "anomaly"},
    {RunEnd::How::failed, "failed"},
}};
constexpr Words<RunEnd::FinalPhase, 4> kFinalPhase = {{
    {RunEnd::FinalPhase::none, "none"},
    {RunEnd::FinalPhase::done, "done"},
    {RunEnd::FinalPhase::cut_short, "cut short"},
    {RunEnd::FinalPhase::left_out, "left out"},
}};

template <class Enum, std::size_t n>
const char* word_of(const Words<Enum, n>& words, Enum wanted) {
  return std::find_if(words.begin(), words.end(), [&](const auto& one) { return one.first == wanted; })->second;
}

std::string text_of(const Value& map, const char* key) {
  const Value* found = map.find(key);
  return found != nullptr && found->is_string() ? found->string() : "";
}

double real_of(const Value& map, const char* key) {
  const Value* found = map.find(key);
  return found != nullptr && (found->is_real() || found->is_integer()) ? found->real() : 0;
}

std::size_t count_of(const Value& map, const char* key) {
  const Value* found = map.find(key);
  return found != nullptr && found->is_integer() && found->integer() > 0 ? static_cast<std::size_t>(found->integer())
                                                                         : 0;
}

// Whatever a version to come may say is not taken for a better end than it was.
template <class Enum, std::size_t n>
Enum read(const Words<Enum, n>& words, const std::string& text, Enum otherwise) {
  const auto found = std::find_if(words.begin(), words.end(), [&](const auto& one) { return one.second == text; });
  return found == words.end() ? otherwise : found->first;
}

}  // namespace

Value RunEnd::to_value() const {
  Value out = Value::map();
  out.set("step", "end");
  out.set("how", word_of(kHow, how));
  out.set("main_s", main_s);
  out.set("time_limit_s", time_limit_s);
  out.set("final_phase", word_of(kFinalPhase, final_phase));
  if (!unrecovered.empty()) {
    Value nodes = Value::list();
    for (const auto& one : unrecovered) {
      Value node = Value::map();
      node.set("node", one.node);
      node.set("ended", one.ended);
      node.set("problem", one.problem);
      nodes.items().push_back(std::move(node));
    }
    out.set("unrecovered", std::move(nodes));
  }
  for (const auto& [key, count] :
       {std::pair{"lost_workers", lost_workers}, std::pair{"stuck_threads", stuck_threads}}) {
    if (count > 0) out.set(key, static_cast<std::int64_t>(count));
  }
  if (lost_workers + stuck_threads > 0) out.set("workers", static_cast<std::int64_t>(workers));
  if (!failure.empty()) out.set("failure", failure);
  return out;
}

std::optional<RunEnd> RunEnd::from_value(const Value& value) {
  if (text_of(value, "step") != "end" || value.find("id") != nullptr) return std::nullopt;
  RunEnd out;
  out.how = read(kHow, text_of(value, "how"), How::failed);
  out.main_s = real_of(value, "main_s");
  out.time_limit_s = real_of(value, "time_limit_s");
  out.final_phase = read(kFinalPhase, text_of(value, "final_phase"), FinalPhase::left_out);
  if (const Value* nodes = value.find("unrecovered"); nodes != nullptr && nodes->is_list()) {
    for (const auto& node : nodes->items()) {
      const Value* ended = node.find("ended");
      out.unrecovered.push_back({text_of(node, "node"), ended != nullptr && ended->is_boolean() && ended->boolean(),
                                 text_of(node, "problem")});
    }
  }
  out.workers = count_of(value, "workers");
  out.lost_workers = count_of(value, "lost_workers");
  out.stuck_threads = count_of(value, "stuck_threads");
  out.failure = text_of(value, "failure");
  return out;
}

}  // namespace ordeal
