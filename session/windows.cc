#include "session/windows.h"

#include <algorithm>

#include "base/value.h"

namespace ordeal {
namespace {

constexpr std::size_t kShortest = 200;

std::string_view word_of(const Value& event, const char* key) {
  const Value* found = event.find(key);
  return found != nullptr && found->is_string() ? std::string_view(found->string()) : std::string_view();
}

}  // namespace

void Windows::add(std::string_view line) {
  if (full_) return;
  const auto event = Value::from_json(line);
  const Value* process = event ? event->find("process") : nullptr;
  const Value* index = event ? event->find("index") : nullptr;
  if (process == nullptr || !process->is_integer() || index == nullptr || !index->is_integer()) return;
  const std::int64_t who = process->integer();
  const std::string_view type = word_of(*event, "type");
  const bool invocation = type == "invoke";
  if (invocation) {
    const Value* key = event->find("key");
    key_of_[who] = use_ == PrefixUse::windows && key != nullptr ? key->to_json() : "";
  }
  const auto named = key_of_.find(who);
  if (named == key_of_.end()) return;  // of an operation whose beginning is not there: none of ours
  Window& window = windows_[named->second];
  const bool lost = type == "info" && word_of(*event, "f") != "read";
  window.lines.push_back({index->integer(), std::string(line) + "\n", who, invocation, lost});
  bytes_ += window.lines.back().text.size();
  if (invocation) {
    window.open.insert(who);
    return;
  }
  key_of_.erase(named);
  window.open.erase(who);
  window.changed = window.changed || type == "ok";
  if (use_ != PrefixUse::windows) {
    full_ = bytes_ > limits_.bytes;
    if (full_) windows_.clear();
    return;
  }
  if (window.open.empty()) window.quiet.push_back(window.begin + window.lines.size());
  trim(window, limits_.events);
  if (bytes_ > limits_.bytes) keep_within_limits();
}

// Lines before that place are left out, but for what may still take effect.
void Windows::cut(Window& window, std::uint64_t place) {
  std::map<std::int64_t, Line> invocations;
  for (; window.begin < place; ++window.begin) {
    Line line = std::move(window.lines.front());
    window.lines.pop_front();
    bytes_ -= line.text.size();
    if (line.invocation) {
      invocations[line.process] = std::move(line);
    } else if (line.lost) {
      Line& invocation = invocations[line.process];
      bytes_ += invocation.text.size() + line.text.size();
      window.crashed.push_back(std::move(invocation));
      window.crashed.push_back(std::move(line));
    }
  }
  while (!window.quiet.empty() && window.quiet.front() <= place) window.quiet.pop_front();
  window.unknown = true;
}

// Where it is longer than that, to half of it, or as near to that as there is a place where no operation is open.
void Windows::trim(Window& window, std::size_t events) {
  if (window.lines.size() <= events || window.quiet.empty()) return;
  const std::uint64_t wanted = window.begin + window.lines.size() - events / 2;
  const auto after = std::upper_bound(window.quiet.begin(), window.quiet.end(), wanted);
  cut(window, after == window.quiet.begin() ? *after : *std::prev(after));
}

void Windows::keep_within_limits() {
  for (auto& [key, window] : windows_) {
    if (!window.changed) trim(window, 0);
  }
  std::erase_if(windows_, [](const auto& one) {
    const Window& window = one.second;
    return window.lines.empty() && window.crashed.empty() && !window.unknown;
  });
  if (bytes_ > limits_.bytes) shorten();
  full_ = bytes_ > limits_.bytes;
  if (full_) windows_.clear();
}

void Windows::shorten() {
  limits_.events = std::max(kShortest, limits_.events / 2);
  for (auto& [key, window] : windows_) trim(window, limits_.events);
}

// In the order of the history: a process has operations of several keys, one after the other.
std::string Windows::text_of(std::vector<const Line*> lines) {
  std::sort(lines.begin(), lines.end(), [](const Line* a, const Line* b) { return a->index < b->index; });
  std::string out;
  for (const Line* line : lines) out += line->text;
  return out;
}

Windows::Changed Windows::take_changed() {
  std::vector<const Line*> from_beginning, from_unknown;
  for (auto& [key, window] : windows_) {
    if (!window.changed) continue;
    window.changed = false;
    std::vector<const Line*>& lines = window.unknown ? from_unknown : from_beginning;
    for (const Line& line : window.crashed) lines.push_back(&line);
    for (const Line& line : window.lines) lines.push_back(&line);
  }
  return {text_of(std::move(from_beginning)), text_of(std::move(from_unknown))};
}

}  // namespace ordeal
