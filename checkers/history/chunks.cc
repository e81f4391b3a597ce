// Large files are cut into chunks between events, which threads read at the same time, each into a table of values of
// its own; one thread puts the events together in order. Where to cut is guessed: at a line end in JSON lines, at a
// line that begins an event in EDN. The guess is proved right while reading: the first chunk begins with an event, and
// a chunk that was read without a problem and ends between events shows that the next one begins with an event, too.
// When anything goes wrong, the text is read again from the beginning by one thread, which can say what is wrong and
// where.

#include "checkers/history/chunks.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstring>
#include <memory>
#include <mutex>
#include <thread>

namespace ordeal {
namespace {

// Small enough for a chunk and its values to stay in the caches until they are put into the history.
constexpr std::size_t kChunkBytes = std::size_t{1} << 20;

// Keeps the events of one chunk until they are put into the history.
class ChunkSink final : private ValueTable, public EventSink {
 public:
  ChunkSink(std::string_view name, const ReadOptions& options)
      : EventSink(name, options, static_cast<ValueTable&>(*this)) {}

  Result<FunctionId> function(std::string_view name) override {
    name = without_colons(name);
    const auto found = std::find(functions_.begin(), functions_.end(), name);
    const auto place = static_cast<std::size_t>(found - functions_.begin());
    if (place >= kSameFunction)
      return fail(ErrorCode::input, "more than 65,535 different functions (f) in one history");
    if (found == functions_.end()) functions_.emplace_back(name);
    return static_cast<FunctionId>(place);
  }
  Result<void> add(RawEvent& event) override {
    Kept kept{event.type,  event.has_type, event.has_process, event.tuple, event.f,    event.process,
              event.index, event.time,     event.key,         event.value, event.line, kPlain};
    if (event.has_error || !event.process_name.empty()) {
      kept.rest = static_cast<std::uint32_t>(rests_.size());
      rests_.push_back({event.process_name, event.has_error, event.error});
    }
    events_.push_back(kept);
    return {};
  }

  bool empty_of_notes() const { return notes_.empty(); }
  // For the next chunk. Keeps the memory.
  void clear() {
    ValueTable::clear();
    if (transactions_) transactions_.emplace(values_);
    events_.clear();
    rests_.clear();
    functions_.clear();
    notes_.clear();
  }

  // Gives everything to `out`. `lines`: how many there are before this chunk.
  Result<void> pour(EventSink& out, std::uint64_t lines) {
    const std::vector<ValueId> ids = out.values().absorb(values());
    if (out.transactions() != nullptr) out.transactions()->absorb(*transactions());
    std::vector<FunctionId> functions;
    for (const auto& one : functions_) {
      auto id = out.function(one);
      if (!id) return fail(id.error());
      functions.push_back(*id);
    }
    const auto mapped = [&](ValueId id) { return id == kAbsent ? kAbsent : ids[id]; };
    RawEvent raw;
    for (const Kept& kept : events_) {
      raw.clear();
      raw.has_process = kept.has_process;
      raw.has_type = kept.has_type;
      raw.tuple = kept.tuple;
      raw.type = kept.type;
      raw.f = kept.f == kSameFunction ? kSameFunction : functions[kept.f];
      raw.process = kept.process;
      raw.index = kept.index;
      raw.time = kept.time;
      raw.key = mapped(kept.key);
      raw.value = mapped(kept.value);
      raw.line = kept.line + lines;
      if (kept.rest != kPlain) {
        Rest& rest = rests_[kept.rest];
        raw.process_name = std::move(rest.process_name);
        raw.has_error = rest.has_error;
        raw.error = std::move(rest.error);
      }
      if (auto added = out.add(raw); !added) return added;
    }
    return {};
  }

 private:
  static constexpr std::uint32_t kPlain = 0xFFFFFFFFu;
  struct Kept {
    EventType type;
    bool has_type, has_process, tuple;
    FunctionId f;
    std::int64_t process, index, time;
    ValueId key, value;
    std::uint64_t line;
    std::uint32_t rest;  // into rests_
  };
  struct Rest {
    std::string process_name;
    bool has_error;
    EventError error;
  };
  std::vector<Kept> events_;
  std::vector<Rest> rests_;
  std::vector<std::string> functions_;
};

struct Chunk {
  std::string_view text;
  std::unique_ptr<ChunkSink> events;
  std::uint64_t lines = 0;
  bool read = false;  // set under the lock, when done
  bool good = false;
};

// Whether an event may begin at `at`, the place after a line end.
bool may_begin(std::string_view text, std::size_t at, HistoryFormat format) {
  if (format == HistoryFormat::jsonl) return true;
  while (at < text.size() && (text[at] == ' ' || text[at] == '\t')) ++at;
  return at < text.size() && (text[at] == '{' || text[at] == '#');
}

std::vector<Chunk> cut(std::string_view text, HistoryFormat format, std::size_t bytes) {
  std::vector<Chunk> out;
  for (std::size_t start = 0; start < text.size();) {
    std::size_t end = start + bytes;
    while (end < text.size()) {
      const void* hit = std::memchr(text.data() + end, '\n', text.size() - end);
      if (hit == nullptr)
        end = text.size();
      else
        end = static_cast<std::size_t>(static_cast<const char*>(hit) - text.data()) + 1;
      if (end >= text.size() || may_begin(text, end, format)) break;
    }
    end = std::min(end, text.size());
    out.push_back({text.substr(start, end - start), nullptr, 0, false, false});
    start = end;
  }
  return out;
}

class Reading {
 public:
  using Done = std::function<void(std::string_view)>;
  Reading(std::string_view text, HistoryFormat format, EventSink& sink, const Done& done, unsigned threads,
          std::size_t chunk_bytes)
      : format_(format),
        sink_(sink),
        done_(done),
        options_(sink.options()),
        chunks_(cut(text, format, chunk_bytes)),
        ahead_(2 * threads + 2) {
    options_.tolerate_torn_end = false;
    done_(text);  // what cutting looked at
    if (format != HistoryFormat::jsonl) open_brackets(text);
    for (unsigned i = 0; i < threads; ++i) workers_.emplace_back([this] { work(); });
  }
  ~Reading() { stop(); }
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;

  // False: read again by one thread.
  bool pour() {
    std::uint64_t lines = 0;
    for (std::size_t c = 0; c < chunks_.size(); ++c) {
      std::unique_ptr<ChunkSink> events;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return chunks_[c].read; });
        if (!chunks_[c].good) return false;
        events = std::move(chunks_[c].events);
        poured_ = c + 1;
      }
      changed_.notify_all();
      options_.limits.check();
      if (!events->pour(sink_, lines)) return false;
      done_(chunks_[c].text);
      lines += chunks_[c].lines;
      events->clear();
      const std::lock_guard lock(mutex_);
      free_.push_back(std::move(events));
    }
    return sink_.transactions() == nullptr || !sink_.transactions()->mixed();
  }

 private:
  // The vectors and lists that the text begins with are open in every chunk.
  void open_brackets(std::string_view text) {
    for (const char c : text) {
      if (c == '[' || c == '(')
        brackets_.push_back(c == '[' ? ']' : ')');
      else if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
        break;
    }
  }

  void work() {
    for (std::size_t c = next_++; c < chunks_.size(); c = next_++) {
      std::unique_ptr<ChunkSink> events;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return stopped_ || c < poured_ + ahead_; });
        if (stopped_) return;
        if (!free_.empty()) {
          events = std::move(free_.back());
          free_.pop_back();
        }
      }
      Chunk& chunk = chunks_[c];
      if (!events) events = std::make_unique<ChunkSink>(sink_.name(), options_);
      bool good = false;
      try {
        good = read(chunk.text, c, *events);
      } catch (const std::bad_alloc&) {
      }
      const auto lines = static_cast<std::uint64_t>(std::count(chunk.text.begin(), chunk.text.end(), '\n'));
      {
        const std::lock_guard lock(mutex_);
        chunk.events = std::move(events);
        chunk.lines = lines;
        chunk.good = good;
        chunk.read = true;
      }
      changed_.notify_all();
    }
  }

  bool read(std::string_view text, std::size_t number, ChunkSink& events) const {
    const bool last = number + 1 == chunks_.size();
    if (format_ == HistoryFormat::jsonl) return read_json_lines(text, events) && events.empty_of_notes();
    std::string brackets = number == 0 ? std::string() : brackets_;
    if (!read_edn_part(text, events, brackets) || !events.empty_of_notes()) return false;
    return last ? brackets.empty() : brackets == brackets_;
  }

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    changed_.notify_all();
    workers_.clear();  // joins
  }

  HistoryFormat format_;
  EventSink& sink_;
  const Done& done_;
  ReadOptions options_;
  std::vector<Chunk> chunks_;
  std::size_t ahead_;  // how many chunks may be read and not yet poured
  std::string brackets_;
  std::vector<std::unique_ptr<ChunkSink>> free_;
  std::mutex mutex_;  // guards poured_, stopped_, free_ and, until they are read, what workers leave in chunks_
  std::condition_variable changed_;
  std::size_t poured_ = 0;
  bool stopped_ = false;
  std::atomic<std::size_t> next_{0};
  std::vector<std::jthread> workers_;
};

}  // namespace

bool read_in_chunks(std::string_view text, HistoryFormat format, EventSink& sink,
                    const std::function<void(std::string_view)>& done) {
  const ReadOptions& options = sink.options();
  const unsigned threads = options.threads > 0 ? options.threads : std::max(1u, std::thread::hardware_concurrency());
  if (threads < 2 || text.size() < options.parallel_from) return false;
  if (format != HistoryFormat::jsonl && format != HistoryFormat::edn && format != HistoryFormat::porcupine)
    return false;
  // About what our own format takes; more is reserved than used.
  sink.reserve(text.size() / 80);
  if (options.transactions) sink.values().reserve(text.size() / 32, text.size() / 16);
  return Reading(text, format, sink, done, threads,
                 std::min(kChunkBytes, std::max<std::size_t>(1, options.parallel_from / 2)))
      .pour();
}

}  // namespace ordeal
