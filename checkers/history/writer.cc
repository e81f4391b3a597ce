#include "checkers/history/writer.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>
#include <vector>

namespace ordeal {
namespace {

// Maps are written in the order of their keys' text, so that the same value always gives the same line.
void append_value(std::string& out, const ValueTable& values, ValueId id) {
  switch (values.kind(id)) {
    case Value::Kind::nil:
      out += "null";
      return;
    case Value::Kind::integer:
      out += std::to_string(values.as_integer(id));
      return;
    case Value::Kind::string:
      append_json_string(out, values.as_string(id));
      return;
    case Value::Kind::list: {
      out += '[';
      bool first = true;
      for (const ValueId item : values.as_list(id)) {
        if (!first) out += ',';
        first = false;
        append_value(out, values, item);
      }
      out += ']';
      return;
    }
    case Value::Kind::map: {
      std::vector<std::pair<std::string, std::string>> entries;
      const auto ids = values.as_map(id);
      for (std::size_t i = 0; i + 1 < ids.size(); i += 2) {
        auto& [key, value] = entries.emplace_back();
        if (values.kind(ids[i]) == Value::Kind::string) {
          append_json_string(key, values.as_string(ids[i]));
        } else {
          std::string text;
          append_value(text, values, ids[i]);
          append_json_string(key, text);
        }
        append_value(value, values, ids[i + 1]);
      }
      std::sort(entries.begin(), entries.end());
      for (std::size_t i = 0; i < entries.size(); ++i) {
        out += (i == 0 ? '{' : ',') + entries[i].first + ':' + entries[i].second;
      }
      out += entries.empty() ? "{}" : "}";
      return;
    }
    default:
      values.to_value(id).append_json(out);
      return;
  }
}

}  // namespace

void append_event_jsonl(std::string& out, const History& history, EventIndex e) {
  out += "{\"index\":" + std::to_string(history.index(e));
  if (history.time(e) >= 0) out += ",\"time\":" + std::to_string(history.time(e));
  const std::string process = history.process_name(history.process(e));
  out += ",\"process\":";
  if (history.process(e) >= 0 && history.process(e) < kFirstNamedClient)
    out += process;
  else
    append_json_string(out, process);
  out += ",\"type\":\"";
  out += name(history.type(e));
  out += "\",\"f\":";
  append_json_string(out, history.f_name(e));
  if (history.key(e) != kAbsent) {
    out += ",\"key\":";
    append_value(out, history.values(), history.key(e));
  }
  if (history.value(e) != kAbsent) {
    out += ",\"value\":";
    append_value(out, history.values(), history.value(e));
  }
  if (const EventError* error = history.error(e)) {
    out += ",\"error\":{\"kind\":";
    append_json_string(out, error->kind);
    out += ",\"message\":";
    append_json_string(out, error->message);
    out += '}';
  }
  out += "}\n";
}

Result<void> write_history_jsonl(const History& history, const std::string& path) {
  std::FILE* file = path == "-" ? stdout : std::fopen(path.c_str(), "we");
  const auto problem = [&](std::string_view doing) {
    const int error = errno;
    const ErrorCode code = error == EACCES   ? ErrorCode::permission
                           : error == ENOENT ? ErrorCode::not_found
                                             : ErrorCode::io;
    return fail(code, path + ": " + std::string(doing) + " failed: " + std::strerror(error));
  };
  if (file == nullptr) return problem("opening for writing");
  std::string buffer;
  bool written = true;
  for (EventIndex e = 0; e < history.size() && written; ++e) {
    append_event_jsonl(buffer, history, e);
    if (buffer.size() >= (1u << 18) || e + 1 == history.size()) {
      written = std::fwrite(buffer.data(), 1, buffer.size(), file) == buffer.size();
      buffer.clear();
    }
  }
  written = std::fflush(file) == 0 && written;
  if (!written) {
    auto error = problem("writing");
    if (file != stdout) std::fclose(file);
    return error;
  }
  if (file != stdout && std::fclose(file) != 0) return problem("writing");
  return {};
}

}  // namespace ordeal
