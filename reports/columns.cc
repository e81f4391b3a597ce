#include "reports/columns.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <map>
#include <unordered_map>
#include <utility>

#include "base/base64.h"
#include "reports/text.h"

namespace ordeal {
namespace {

constexpr std::size_t kLongestValue = 4096;
constexpr std::size_t kValueBudget = std::size_t{48} << 20;
constexpr std::size_t kLongestValueBeyondBudget = 120;
// So many before and after an operation that an anomaly names are in the page as well.
constexpr std::size_t kAroundAnomaly = 100;

void put(std::string& out, std::uint64_t number) {
  while (number >= 0x80) {
    out += static_cast<char>(static_cast<unsigned char>(number | 0x80));
    number >>= 7;
  }
  out += static_cast<char>(static_cast<unsigned char>(number));
}

void put_signed(std::string& out, std::int64_t number) {
  put(out, (static_cast<std::uint64_t>(number) << 1) ^ static_cast<std::uint64_t>(number >> 63));
}

// Texts numbered from 1 in the order of their first use; 0 means none. Cut texts end in "… (12,345 bytes)".
class Texts {
 public:
  std::uint64_t add(std::string text) {
    const std::size_t limit = bytes_.size() < kValueBudget ? kLongestValue : kLongestValueBeyondBudget;
    if (text.size() > limit) {
      std::size_t end = limit;
      while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0u) == 0x80u) --end;
      const std::string note = "… (" + grouped(text.size()) + " bytes)";
      text.resize(end);
      text += note;
      ++cut_;
    }
    put(lengths_, text.size());
    bytes_ += text;
    return ++count_;
  }
  [[nodiscard]] const std::string& lengths() const { return lengths_; }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }
  [[nodiscard]] std::size_t cut() const { return cut_; }

 private:
  std::string lengths_;
  std::string bytes_;
  std::uint64_t count_ = 0;
  std::size_t cut_ = 0;
};

// Numbers the values of a history's table by their first use in the page.
class ValueTexts {
 public:
  ValueTexts(const ValueTable& table, bool bare_strings)
      : table_(table), bare_strings_(bare_strings), number_(table.size(), 0) {}
  std::uint64_t number(ValueId id) {
    if (id == kAbsent) return 0;
    if (number_[id] == 0) {
      const bool bare = bare_strings_ && table_.kind(id) == Value::Kind::string;
      number_[id] =
          static_cast<std::uint32_t>(texts_.add(bare ? std::string(table_.as_string(id)) : table_.to_json(id)));
    }
    return number_[id];
  }
  [[nodiscard]] const Texts& texts() const { return texts_; }

 private:
  const ValueTable& table_;
  bool bare_strings_;
  std::vector<std::uint32_t> number_;
  Texts texts_;
};

Value fault_entry(const FaultRecord& fault, std::int64_t end_ns) {
  const Span span = in_force(fault, end_ns);
  Value out = Value::map();
  out.set("id", fault.id);
  out.set("fault", fault.fault);
  Value nodes = Value::list();
  for (const auto& node : fault.nodes) nodes.items().emplace_back(node);
  out.set("nodes", std::move(nodes));
  out.set("from", span.from);
  out.set("to", span.to);
  out.set("confirmed", fault.confirmed_ns >= 0);
  return out;
}

Value header(const ReportInput& input, const Facts& facts, const std::vector<OperationEvents>& operations) {
  const History& history = *input.history;
  Value out = Value::map();
  out.set("operations", static_cast<std::int64_t>(operations.size()));
  out.set("of", static_cast<std::int64_t>(facts.operations.size()));
  out.set("events", static_cast<std::int64_t>(history.size()));
  out.set("timed", facts.timed);
  out.set("end", facts.end_ns);
  out.set("started", input.started_utc);
  Value functions = Value::list();
  for (const auto& f : history.functions()) functions.items().emplace_back(f);
  out.set("functions", std::move(functions));
  std::map<ProcessId, std::string> names;
  for (const OperationEvents op : operations) {
    const ProcessId process = history.process(op.invocation);
    if (process < 0) names.emplace(process, history.process_name(process));
  }
  Value processes = Value::map();
  for (const auto& [id, text] : names) processes.set(std::to_string(id), text);
  out.set("processes", std::move(processes));
  Value workers = Value::list();
  for (const auto& node : input.worker_nodes) workers.items().emplace_back(node);
  out.set("workers", std::move(workers));
  Value faults = Value::list();
  for (const FaultRecord& fault : facts.faults) {
    if (fault.inject_ns >= 0 || fault.injected_ns >= 0) faults.items().push_back(fault_entry(fault, facts.end_ns));
  }
  out.set("faults", std::move(faults));
  Value anomalies = Value::list();
  for (const CheckResult& result : input.results) {
    for (const Anomaly& anomaly : result.anomalies) {
      Value one = Value::map();
      one.set("type", anomaly.type);
      Value events = Value::list();
      for (const EventIndex e : anomaly.operations) events.items().emplace_back(static_cast<std::int64_t>(e));
      one.set("events", std::move(events));
      anomalies.items().push_back(std::move(one));
    }
  }
  out.set("anomalies", std::move(anomalies));
  Value clocks = Value::list();
  for (const ClockSample& sample : facts.clocks) {
    clocks.items().push_back(Value::list({sample.node, sample.time_ns, sample.offset_ns}));
  }
  out.set("clocks", std::move(clocks));
  return out;
}

struct Columns {
  std::string time;        // ns from the invocation before
  std::string duration;    // ns + 1; 0: never completed
  std::string place;       // places from the invocation before
  std::string completion;  // places from the invocation; 0: none
  std::string process;     // signed
  std::string outcome;     // a byte: 0 ok, 1 fail, 2 info
  std::string function;
  std::string key;       // a text's number
  std::string request;   // likewise
  std::string response;  // likewise
  std::string error;     // likewise
  std::string index;     // signed: the file's index less the place
};

// Marks the operation with this event at either end, and its neighbours, up to `left` more.
void show_around(const History& history, const std::vector<OperationEvents>& all, EventIndex event, std::size_t& left,
                 std::vector<bool>& shown) {
  if (event >= history.size()) return;
  if (const EventIndex other = history.partner(event); other != kNoEvent) event = std::min(event, other);
  const auto found = std::lower_bound(all.begin(), all.end(), event,
                                      [](OperationEvents op, EventIndex at) { return op.invocation < at; });
  const auto named = static_cast<std::size_t>(found - all.begin());
  const auto show = [&](std::size_t i) {
    if (i >= all.size() || shown[i] || left == 0) return;
    shown[i] = true;
    --left;
  };
  show(named);
  for (std::size_t distance = 1; distance <= kAroundAnomaly; ++distance) {
    if (distance <= named) show(named - distance);
    show(named + distance);
  }
}

}  // namespace

std::string gzip(std::string_view bytes) {
  z_stream stream{};
  // 15 + 16: the largest window, and a gzip header (zlib writes no time stamp unless asked to).
  ORDEAL_CHECK(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK, "zlib cannot start");
  std::string out;
  std::string buffer(std::size_t{1} << 18, '\0');
  std::size_t at = 0;
  int state = Z_OK;
  while (state != Z_STREAM_END) {
    if (stream.avail_in == 0 && at < bytes.size()) {
      const std::size_t piece = std::min(bytes.size() - at, std::size_t{1} << 30);
      stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data() + at));
      stream.avail_in = static_cast<uInt>(piece);
      at += piece;
    }
    stream.next_out = reinterpret_cast<Bytef*>(buffer.data());
    stream.avail_out = static_cast<uInt>(buffer.size());
    state = deflate(&stream, at == bytes.size() ? Z_FINISH : Z_NO_FLUSH);
    ORDEAL_CHECK(state != Z_STREAM_ERROR, "zlib lost its state");
    out.append(buffer.data(), buffer.size() - stream.avail_out);
  }
  deflateEnd(&stream);
  return out;
}

std::vector<OperationEvents> operations_for_page(const ReportInput& input, const Facts& facts, std::size_t most) {
  const auto& all = facts.operations;
  if (all.size() <= most) return all;
  std::vector<bool> shown(all.size(), false);
  const std::size_t sample = std::max<std::size_t>(1, most / 2);
  const std::size_t step = (all.size() + sample - 1) / sample;
  for (std::size_t i = 0; i < all.size(); i += step) shown[i] = true;
  std::size_t left = most - std::min(most, (all.size() + step - 1) / step);
  // The first anomalies are those that the page explains, so they come first here as well.
  for (const CheckResult& result : input.results) {
    for (const Anomaly& anomaly : result.anomalies) {
      for (const EventIndex named : anomaly.operations) show_around(*input.history, all, named, left, shown);
    }
  }
  std::vector<OperationEvents> out;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (shown[i]) out.push_back(all[i]);
  }
  return out;
}

std::string page_note(std::size_t shown, std::size_t all) {
  if (shown >= all) return "";
  return fmt::format(
      "This page holds {} of {} operations: a sample at equal distances, from which its charts are drawn, and those "
      "around the first anomalies. The verdict and all counts are of the whole run, which is in history.jsonl.",
      grouped(shown), grouped(all));
}

std::string packed_operations(const ReportInput& input, const Facts& facts,
                              const std::vector<OperationEvents>& operations) {
  const History& history = *input.history;
  Columns c;
  ValueTexts values(history.values(), false);
  ValueTexts keys(history.values(), true);
  Texts errors;
  std::unordered_map<std::string, std::uint64_t> error_numbers;
  std::int64_t last_time = 0;
  std::uint64_t last_place = 0;
  for (const OperationEvents op : operations) {
    const EventIndex e = op.invocation;
    const bool done = op.completion != kNoEvent;
    const std::int64_t time = std::max<std::int64_t>(history.time(e), last_time);
    put(c.time, static_cast<std::uint64_t>(time - last_time));
    last_time = time;
    const std::int64_t end = done ? std::max(history.time(op.completion), time) : 0;
    put(c.duration, done ? static_cast<std::uint64_t>(end - time) + 1 : 0);
    put(c.place, e - last_place);
    last_place = e;
    put(c.completion, done ? op.completion - e : 0);
    put_signed(c.process, history.process(e));
    const EventType outcome = history.outcome(op);
    c.outcome += static_cast<char>(outcome == EventType::ok ? 0 : outcome == EventType::fail ? 1 : 2);
    put(c.function, history.f(e));
    put(c.key, keys.number(history.key(e)));
    put(c.request, values.number(history.value(e)));
    put(c.response, done ? values.number(history.value(op.completion)) : 0);
    const EventError* error = done ? history.error(op.completion) : nullptr;
    if (error == nullptr) {
      put(c.error, 0);
    } else {
      std::string text = error->message.empty() ? error->kind : error->kind + ": " + error->message;
      auto [found, fresh] = error_numbers.try_emplace(std::move(text), 0);
      if (fresh) found->second = errors.add(found->first);
      put(c.error, found->second);
    }
    put_signed(c.index, history.index(e) - static_cast<std::int64_t>(e));
  }
  const std::pair<const char*, const std::string*> sections[] = {
      {"time", &c.time},
      {"duration", &c.duration},
      {"place", &c.place},
      {"completion", &c.completion},
      {"process", &c.process},
      {"outcome", &c.outcome},
      {"function", &c.function},
      {"key", &c.key},
      {"request", &c.request},
      {"response", &c.response},
      {"error", &c.error},
      {"index", &c.index},
      {"key_lengths", &keys.texts().lengths()},
      {"key_bytes", &keys.texts().bytes()},
      {"value_lengths", &values.texts().lengths()},
      {"value_bytes", &values.texts().bytes()},
      {"error_lengths", &errors.lengths()},
      {"error_bytes", &errors.bytes()},
  };
  Value head = header(input, facts, operations);
  head.set("cut", static_cast<std::int64_t>(values.texts().cut() + keys.texts().cut() + errors.cut()));
  Value places = Value::map();
  std::size_t offset = 0;
  for (const auto& [section, bytes] : sections) {
    places.set(section, Value::list({static_cast<std::int64_t>(offset), static_cast<std::int64_t>(bytes->size())}));
    offset += bytes->size();
  }
  head.set("columns", std::move(places));
  const std::string json = head.to_json();
  std::string raw;
  raw.reserve(4 + json.size() + offset);
  for (int shift = 0; shift < 32; shift += 8)
    raw += static_cast<char>(static_cast<unsigned char>(json.size() >> shift));
  raw += json;
  for (const auto& [section, bytes] : sections) raw += *bytes;
  return base64_encode(gzip(raw));
}

}  // namespace ordeal
