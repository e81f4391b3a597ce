#pragma once
// What nodes say to each other over TCP. A connection carries one direction: who made it sends, the other only reads.
//
// A frame: length of what follows (4 bytes, little-endian, at most kMaxFrameBytes), CRC32 (4 bytes) of the rest, kind
// (1 byte), payload. The first frame is a hello. Whatever is not understood ends the connection. Thread-safety: pure.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "targets/log/server/raft/types.h"

namespace ordeal::log::node {

inline constexpr std::size_t kMaxFrameBytes = std::size_t{16} << 20;
inline constexpr std::size_t kFrameHeaderBytes = 8;

enum class FrameKind : std::uint8_t {
  hello = 1,        // who speaks (Hello)
  consensus = 2,    // a message of raft/codec.h
  command = 3,      // Forwarded: a command for the leader, from a node that does not lead
  answer = 4,       // Forwarded: how that ended
  read_index = 5,   // Forwarded: from which index may be read? (body empty)
  read_answer = 6,  // Forwarded: the index as a number; status refused: ask again
};

struct Hello {
  std::string cluster;
  raft::NodeId from = raft::kNobody;
  std::string name;
  std::string addresses;  // "PEER CLIENT", where the speaker is reached
};
[[nodiscard]] std::string encode(const Hello& hello);
[[nodiscard]] std::optional<Hello> decode_hello(std::string_view bytes);

// A request that is passed on to the leader, or what became of it.
struct Forwarded {
  enum class Status : std::uint8_t {
    done = 0,     // body: the answer
    refused = 1,  // it certainly has no effect; body: why
    unknown = 2,  // it may have taken effect, or may yet; body: why
  };
  std::uint64_t id = 0;  // chosen by who asked
  Status status = Status::done;
  raft::Term term = 0;  // of the leader
  std::string body;
};
[[nodiscard]] std::string encode(const Forwarded& forwarded);
[[nodiscard]] std::optional<Forwarded> decode_forwarded(std::string_view bytes);

// The whole frame. Requires: the payload fits.
[[nodiscard]] std::string frame(FrameKind kind, std::string_view payload);

// Takes frames from a stream of bytes.
class FrameReader {
 public:
  struct Frame {
    FrameKind kind = FrameKind::hello;
    std::string payload;
  };
  void add(std::string_view bytes) { buffer_.append(bytes); }
  // The next whole frame. Nothing: more bytes are needed, or broken().
  [[nodiscard]] std::optional<Frame> next();
  // Why the stream cannot be read on; empty: it can.
  [[nodiscard]] const std::string& broken() const { return broken_; }

 private:
  std::string buffer_;
  std::size_t at_ = 0;
  std::string broken_;
};

}  // namespace ordeal::log::node
