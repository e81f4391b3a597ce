#include "harness/store/part_packer.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <vector>

#include "base/files.h"
#include "checkers/history/parts.h"

namespace ordeal {
namespace {

constexpr std::size_t kBlock = std::size_t{1} << 18;
// By so much less than the others of the process, as nice(2) counts.
constexpr int kNicer = 5;

// One gzip member, as it is written to a file.
class Deflater {
 public:
  Deflater(int file, std::string path) : file_(file), path_(std::move(path)) {
    // 15 + 16: the largest window, and a gzip header.
    ORDEAL_CHECK(deflateInit2(&stream_, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK, "zlib cannot start");
  }
  ~Deflater() { deflateEnd(&stream_); }
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;

  Result<void> put(char* data, std::size_t size, bool last) {
    stream_.next_in = reinterpret_cast<Bytef*>(data);
    stream_.avail_in = static_cast<uInt>(size);
    do {
      stream_.next_out = reinterpret_cast<Bytef*>(out_.data());
      stream_.avail_out = static_cast<uInt>(out_.size());
      const int code = deflate(&stream_, last ? Z_FINISH : Z_NO_FLUSH);
      ORDEAL_CHECK(code != Z_STREAM_ERROR, "zlib's stream is broken");
      const std::string_view made(out_.data(), out_.size() - stream_.avail_out);
      if (auto written = write_all(file_, made, path_); !written) return written;
    } while (stream_.avail_out == 0);
    return {};
  }

 private:
  int file_;
  std::string path_;
  z_stream stream_{};
  std::vector<char> out_ = std::vector<char>(kBlock);
};

Result<void> pack(const std::string& path, const std::string& to, const std::stop_token& stop) {
  auto in = open_to_read(path);
  if (!in) return fail(in.error());
  const Descriptor out(::open(to.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!out) return fail(system_error("creating " + to, errno));
  Deflater deflater(out.get(), to);
  std::vector<char> block(kBlock);
  for (;;) {
    if (stop.stop_requested()) return fail(ErrorCode::cancelled, "the run ended");
    const ssize_t n = ::read(in->get(), block.data(), block.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(system_error("reading " + path, errno));
    if (auto put = deflater.put(block.data(), static_cast<std::size_t>(n), n == 0); !put) return put;
    if (n == 0) break;
  }
  if (::fdatasync(out.get()) != 0) return fail(system_error("flushing " + to, errno));
  return {};
}

}  // namespace

Result<void> pack_part(const std::string& path, const std::stop_token& stop) {
  const std::string partial = path + ".gz.partial";
  auto packed = pack(path, partial, stop);
  if (packed && ::rename(partial.c_str(), (path + ".gz").c_str()) != 0)
    packed = fail(system_error("renaming " + partial, errno));
  if (!packed) {
    (void)::unlink(partial.c_str());
    return packed;
  }
  if (::unlink(path.c_str()) != 0) return fail(system_error("removing " + path, errno));
  return {};
}

void pack_parts(const std::string& history, const std::stop_token& stop, const std::function<void()>& begun) {
  const auto parts = parts_of(history);
  if (!parts) return;
  std::vector<std::string> plain;
  for (const auto& part : *parts) {
    if (part != history && !part.ends_with(".gz")) plain.push_back(part);
  }
  if (plain.empty()) return;
  begun();
  std::atomic<std::size_t> next{0};
  std::vector<std::jthread> threads;
  const std::size_t count = std::min<std::size_t>(plain.size(), std::max(1u, std::thread::hardware_concurrency()));
  for (std::size_t t = 0; t < count; ++t) {
    threads.emplace_back([&] {
      for (std::size_t i = next++; i < plain.size() && !stop.stop_requested(); i = next++) {
        (void)pack_part(plain[i], stop);
      }
    });
  }
}

PartPacker::~PartPacker() = default;

void PartPacker::add(std::string path) {
  const std::lock_guard lock(mutex_);
  paths_.push_back(std::move(path));
  if (!thread_.joinable()) thread_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
  changed_.notify_all();
}

void PartPacker::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return paths_.empty(); });
}

void PartPacker::work(const std::stop_token& stop) {
  const auto self = static_cast<id_t>(::gettid());
  (void)::setpriority(PRIO_PROCESS, self, ::getpriority(PRIO_PROCESS, self) + kNicer);
  std::unique_lock lock(mutex_);
  while (changed_.wait(lock, stop, [this] { return !paths_.empty(); })) {
    const std::string path = paths_.front();
    lock.unlock();
    // A full disk, perhaps: the part stays, and is as good.
    (void)pack_part(path, stop);
    lock.lock();
    paths_.pop_front();
    changed_.notify_all();
    if (stop.stop_requested()) return;
  }
}

}  // namespace ordeal
