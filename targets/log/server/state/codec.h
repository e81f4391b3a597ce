#pragma once
// The bytes of commands, answers and snapshots: numbers as LEB128 (at most ten bytes), texts as length and bytes.
//
// The Reader is made for hostile input: it never reads past its text, never allocates more than the text holds, and its
// first failure sticks, so that a decoder may read on and ask ok() once. Thread-safety: one thread at a time.

#include <cstdint>
#include <string>
#include <string_view>

namespace ordeal::log::state {

class Writer {
 public:
  void byte(std::uint8_t value) { out_.push_back(static_cast<char>(value)); }
  void number(std::uint64_t value);
  void signed_number(std::int64_t value);  // zigzag, so that small negative numbers are short as well
  void text(std::string_view value);
  [[nodiscard]] std::string take() { return std::move(out_); }
  [[nodiscard]] std::size_t size() const { return out_.size(); }

 private:
  std::string out_;
};

class Reader {
 public:
  // Borrows the text.
  explicit Reader(std::string_view text) : left_(text) {}

  // Zero or nothing after a failure.
  [[nodiscard]] std::uint8_t byte();
  [[nodiscard]] std::uint64_t number();
  [[nodiscard]] std::int64_t signed_number();
  [[nodiscard]] std::string text();
  // A number of things each of which takes at least one byte: more than there are bytes is a failure.
  [[nodiscard]] std::uint64_t count();

  void fail() { ok_ = false; }
  [[nodiscard]] bool ok() const { return ok_; }
  // Everything was read, and nothing was wrong.
  [[nodiscard]] bool finished() const { return ok_ && left_.empty(); }

 private:
  std::string_view left_;
  bool ok_ = true;
};

}  // namespace ordeal::log::state
