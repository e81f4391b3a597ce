#include "harness/store/journal.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "base/files.h"
#include "checkers/history/parts.h"

namespace ordeal {
namespace {

void append_number(std::string& out, std::int64_t number) {
  char buffer[24];
  out.append(buffer, std::to_chars(buffer, buffer + sizeof buffer, number).ptr);
}

}  // namespace

void append_event_json(std::string& out, ProcessId process, EventType type, const Operation& operation,
                       const Completion* completion) {
  out += "\"process\":";
  append_number(out, process);
  out += ",\"type\":\"";
  out += name(type);
  out += "\",\"f\":";
  append_json_string(out, operation.f);
  if (operation.key) {
    out += ",\"key\":";
    operation.key->append_json(out);
  }
  out += ",\"value\":";
  (completion != nullptr && completion->value ? *completion->value : operation.value).append_json(out);
  if (completion != nullptr && completion->error) {
    out += ",\"error\":{\"kind\":";
    append_json_string(out, completion->error->kind);
    out += ",\"message\":";
    append_json_string(out, completion->error->message);
    out += '}';
  }
  out += "}\n";
}

namespace {

Descriptor created(const std::string& path) {
  return Descriptor(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644));
}

}  // namespace

Result<std::unique_ptr<Journal>> Journal::create(const std::string& path, JournalSettings settings) {
  Descriptor file = created(path);
  if (!file) return fail(system_error("creating " + path, errno));
  return std::unique_ptr<Journal>(new Journal(path, std::move(file), settings));
}

Journal::Journal(std::string path, Descriptor file, JournalSettings settings)
    : path_(std::move(path)),
      // Nobody would find the parts of a file of another name.
      part_bytes_(path_.ends_with("/history.jsonl") ? settings.part_bytes : 0),
      file_(std::move(file)) {}

Result<void> Journal::invoke(ProcessId process, const Operation& operation) {
  thread_local std::string text;
  text.clear();
  append_event_json(text, process, EventType::invoke, operation, nullptr);
  return append(text, true, -1);
}

Result<void> Journal::complete(ProcessId process, const Operation& operation, const Completion& completion,
                               std::int64_t time_ns) {
  thread_local std::string text;
  text.clear();
  append_event_json(text, process, completion.type, operation, &completion);
  return append(text, false, time_ns);
}

Result<void> Journal::record(std::string_view process, std::string_view f, const Value& value) {
  std::string text = "\"process\":";
  append_json_string(text, process);
  text += ",\"type\":\"info\",\"f\":";
  append_json_string(text, f);
  text += ",\"value\":";
  value.append_json(text);
  text += "}\n";
  return append(text, false, -1);
}

Result<void> Journal::append(std::string_view text, bool invocation, std::int64_t time_ns) {
  std::unique_lock lock(mutex_);
  if (failure_) return fail(*failure_);
  const std::size_t begin = pending_.text.size();
  pending_.text += text;
  pending_.entries.push_back({time_ns < 0 ? now_ns() : time_ns, invocation, begin, pending_.text.size()});
  const std::uint64_t mine = ++staged_;
  const std::size_t batch = batches_ % 2;
  while (written_.load(std::memory_order_relaxed) < mine) {
    if (failure_) return fail(*failure_);
    if (!writing_) {
      lead(lock);
      continue;
    }
    // Bounded only as a matter of principle: the leader always comes back from write(2) and wakes us.
    ++sleeping_[batch];
    changed_[batch].wait_for(lock, std::chrono::seconds(1));
    --sleeping_[batch];
  }
  return {};
}

// Writes everything that is pending. Requires: the lock, and nobody else is the leader.
void Journal::lead(std::unique_lock<std::mutex>& lock) {
  writing_ = true;
  const std::size_t batch = batches_++ % 2;
  std::swap(batch_, pending_);
  lock.unlock();
  bytes_.clear();
  render(batch_, bytes_);
  auto error = write_out(bytes_);
  const std::uint64_t count = batch_.entries.size();
  batch_.entries.clear();
  batch_.text.clear();
  lock.lock();
  if (!error) {
    written_.fetch_add(count, std::memory_order_release);
    if (part_bytes_ > 0 && file_size_ >= part_bytes_) error = begin_part();
  }
  writing_ = false;
  if (error) {
    failure_ = std::move(error);
    failed_.store(true, std::memory_order_release);
    changed_[1 - batch].notify_all();
  }
  if (sleeping_[batch] > 0) changed_[batch].notify_all();
  if (sleeping_[1 - batch] > 0) changed_[1 - batch].notify_one();
}

// Gives the events of one write their places and times.
void Journal::render(Batch& batch, std::string& out) {
  const auto before = [](const Entry& a, const Entry& b) {
    if (a.time != b.time) return a.time < b.time;
    return a.invocation && !b.invocation;
  };
  if (!std::is_sorted(batch.entries.begin(), batch.entries.end(), before)) {
    std::stable_sort(batch.entries.begin(), batch.entries.end(), before);
  }
  for (const Entry& entry : batch.entries) {
    last_time_ = std::max(last_time_, entry.time);
    out += "{\"index\":";
    append_number(out, static_cast<std::int64_t>(next_index_++));
    out += ",\"time\":";
    append_number(out, last_time_);
    out += ',';
    out.append(batch.text, entry.begin, entry.end - entry.begin);
  }
}

std::optional<Error> Journal::write_out(std::string_view bytes) {
  std::string_view left = bytes;
  while (!left.empty()) {
    const ssize_t n = ::write(file_.get(), left.data(), left.size());
    if (n >= 0) {
      left.remove_prefix(static_cast<std::size_t>(n));
      continue;
    }
    if (errno == EINTR) continue;
    Error error = system_error("writing " + path_, errno);
    error.message += "; the " + std::to_string(written_.load()) +
                     " events before it are safe. Free space or choose another --store, and run again";
    // None of this write's events may look as if it were recorded; without space for more, there is for less.
    if (::ftruncate(file_.get(), static_cast<off_t>(file_size_)) != 0)
      error.message += " (the file ends with a torn line)";
    return error;
  }
  file_size_ += bytes.size();
  return std::nullopt;
}

// What is written becomes a part. Requires: the lock, as the leader. An error is that of the writes to come.
std::optional<Error> Journal::begin_part() {
  const std::string part = part_path(path_, parts_);
  if (::rename(path_.c_str(), part.c_str()) != 0) return system_error("renaming " + path_, errno);
  Descriptor next = created(path_);
  if (!next) return system_error("creating " + path_, errno);
  file_ = std::move(next);
  file_size_ = 0;
  ++parts_;
  packer_.add(part);
  return std::nullopt;
}

Result<void> Journal::sync() {
  const std::lock_guard lock(mutex_);
  if (::fdatasync(file_.get()) != 0) return fail(system_error("flushing " + path_, errno));
  // Compressed parts are on the disk, and have another name.
  for (std::size_t i = 0; i < parts_; ++i) {
    const std::string part = part_path(path_, i);
    const Descriptor file(::open(part.c_str(), O_RDONLY | O_CLOEXEC));
    if (file && ::fdatasync(file.get()) != 0) return fail(system_error("flushing " + part, errno));
  }
  return {};
}

std::optional<Error> Journal::failure() const {
  if (!failed_.load(std::memory_order_acquire)) return std::nullopt;
  const std::lock_guard lock(mutex_);
  return failure_;
}

}  // namespace ordeal
