#pragma once
// A strict JSON (RFC 8259) scanner over text in memory, made for reading millions of small lines: no allocation but
// for the values asked for. Value::from_json and the reader of JSON-lines histories are built on it.
//
// Every method returns false after a problem, which problem() then describes and place() locates; the first
// problem sticks. Thread-safety: one thread at a time.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/value.h"

namespace ordeal {

class JsonScanner {
 public:
  struct Place {
    std::size_t line = 1;    // counted from 1 within the text
    std::size_t column = 1;  // in bytes, counted from 1
  };

  // Borrows `text`, which must outlive the scanner.
  explicit JsonScanner(std::string_view text) : text_(text) {}

  // Reads any value into `out`.
  bool value(Value& out);
  // Skips any value.
  bool skip();
  // Reads a string. `out` borrows from the text when the literal has no escapes, else from a buffer of the
  // scanner that the next call overwrites. Bytes that are not UTF-8 are passed through.
  bool string(std::string_view& out);
  // Reads an integer that fits 64 bits.
  bool integer(std::int64_t& out);

  // Walks an object: `if (s.open('{')) while (s.next_key(key)) …value…;` likewise lists with next_item.
  bool open(char bracket);
  bool next_key(std::string_view& key);
  bool next_item(char closing = ']');
  // True when nothing but white space is left.
  bool end();
  // The next character that is not white space, 0 at the end.
  char peek();

  [[nodiscard]] bool ok() const { return problem_.empty(); }
  [[nodiscard]] const std::string& problem() const { return problem_; }
  [[nodiscard]] Place place() const;
  [[nodiscard]] std::size_t offset() const { return at_; }

 private:
  bool complain(std::string what);
  void space();
  bool literal(std::string_view word);
  bool number(Value& out);
  bool escape();
  bool hex4(std::uint32_t& out);

  static constexpr int kMaxDepth = 512;
  std::string_view text_;
  std::size_t at_ = 0;
  int depth_ = 0;
  bool first_ = false;  // just after an opening bracket
  std::string buffer_;
  std::string problem_;
};

// Whether the bytes are UTF-8 (RFC 3629).
[[nodiscard]] bool is_utf8(std::string_view text);

}  // namespace ordeal
