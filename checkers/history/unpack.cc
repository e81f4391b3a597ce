#include "checkers/history/unpack.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <memory>

namespace ordeal {

void make_room(std::string& out, std::size_t used, const Limits& limits) {
  limits.check();
  if (out.size() - used >= 65'536) return;
  const std::size_t size = std::max<std::size_t>(out.size() * 2, 1u << 20);
  limits.need(size);
  out.resize(size);
}

namespace {

Result<std::string> gunzip(std::string_view packed, std::size_t limit, const Limits& limits) {
  std::string out;
  z_stream stream{};
  // 16 asks zlib for the gzip wrapper.
  if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK) return fail(ErrorCode::internal, "zlib could not be initialised");
  const std::unique_ptr<z_stream, int (*)(z_stream*)> closing(&stream, &inflateEnd);
  std::string_view rest = packed;
  std::size_t used = 0;
  std::string problem;
  while (problem.empty()) {
    if (stream.avail_in == 0 && !rest.empty()) {
      const std::size_t n = std::min<std::size_t>(rest.size(), 1u << 30);
      stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(rest.data()));
      stream.avail_in = static_cast<uInt>(n);
      rest.remove_prefix(n);
    }
    make_room(out, used, limits);
    const std::size_t room = std::min<std::size_t>(out.size() - used, 1u << 26);
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + used);
    stream.avail_out = static_cast<uInt>(room);
    const int code = inflate(&stream, Z_NO_FLUSH);
    used += room - stream.avail_out;
    if (used > limit) {
      problem = "the gzip file unpacks to more than " + std::to_string(limit) + " bytes";
    } else if (code == Z_STREAM_END) {
      // A gzip file may hold several members, one after the other.
      if (stream.avail_in == 0 && rest.empty()) break;
      if (inflateReset(&stream) != Z_OK) problem = "zlib could not be reset";
    } else if (code == Z_BUF_ERROR && stream.avail_in == 0 && rest.empty()) {
      problem = "the gzip file breaks off";
    } else if (code != Z_OK && code != Z_BUF_ERROR) {
      problem = std::string("the gzip file is damaged") + (stream.msg != nullptr ? std::string(": ") + stream.msg : "");
    }
  }
  if (!problem.empty()) return fail(ErrorCode::input, problem);
  out.resize(used);
  return out;
}

Result<std::string> unzstd(std::string_view packed, std::size_t limit, const Limits& limits) {
  const std::unique_ptr<ZSTD_DStream, std::size_t (*)(ZSTD_DStream*)> stream(ZSTD_createDStream(), &ZSTD_freeDStream);
  if (!stream) return fail(ErrorCode::internal, "libzstd could not be initialised");
  std::string out;
  std::size_t used = 0, left = 1;  // 0: a frame has ended; a file may hold several, one after the other
  ZSTD_inBuffer in{packed.data(), packed.size(), 0};
  for (bool full = true; in.pos < in.size || (full && left != 0);) {
    make_room(out, used, limits);
    const std::size_t room = std::min<std::size_t>(out.size() - used, 1u << 26);
    ZSTD_outBuffer to{out.data() + used, room, 0};
    left = ZSTD_decompressStream(stream.get(), &to, &in);
    used += to.pos;
    full = to.pos == room;  // there may be more of what was taken in already
    if (ZSTD_isError(left) != 0)
      return fail(ErrorCode::input, std::string("the zstd file is damaged: ") + ZSTD_getErrorName(left));
    if (used > limit)
      return fail(ErrorCode::input, "the zstd file unpacks to more than " + std::to_string(limit) + " bytes");
  }
  if (left != 0) return fail(ErrorCode::input, "the zstd file breaks off");
  out.resize(used);
  return out;
}

}  // namespace

Packing packing_of(std::string_view text) {
  if (text.starts_with("\x1F\x8B\x08")) return Packing::gzip;
  if (text.starts_with("\x28\xB5\x2F\xFD")) return Packing::zstd;
  // A frame to be skipped, as parallel compressors put one first.
  const bool skipped = text.size() >= 4 && (text[0] & 0xF0) == 0x50 && text.substr(1, 3) == "\x2A\x4D\x18";
  return skipped ? Packing::zstd : Packing::none;
}

Result<std::string> unpack(std::string_view packed, std::size_t limit, const Limits& limits) {
  if (packing_of(packed) == Packing::zstd) return unzstd(packed, limit, limits);
  return gunzip(packed, limit, limits);
}

}  // namespace ordeal
