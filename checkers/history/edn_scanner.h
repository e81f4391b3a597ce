#pragma once
// A scanner of EDN (github.com/edn-format/edn), as Clojure prints it, into a table of values.
//
// What EDN has and values have not is mapped: keywords, symbols and characters to strings ("append", "\a" to "a"),
// sets to sorted lists, vectors and lists to lists, ratios, decimals and integers beyond 64 bits to exact reals, tagged
// literals and records to what they hold. Comments, `#_` forms and metadata are skipped.
//
// Every method returns false after a problem, which problem() then describes; the first problem sticks.
// Thread-safety: one thread at a time.

#include <cstddef>
#include <string>
#include <string_view>

#include "checkers/history/value_table.h"

namespace ordeal {

class EdnScanner {
 public:
  // Borrows both; starts at `offset` of the text.
  EdnScanner(std::string_view text, ValueTable& values, std::size_t offset = 0)
      : text_(text), values_(values), at_(offset) {}

  // Reads one form.
  bool value(ValueId& out) { return form(&out); }
  // Reads one form and forgets it.
  bool skip() { return form(nullptr); }

  // Skips white space, commas, comments, `#_` forms and metadata. False at the end of the text, or after a problem.
  bool more();
  // The next character after more().
  [[nodiscard]] char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  // Steps over what the caller looks at itself: a bracket, or an event.
  void step(std::size_t characters = 1) { at_ += characters; }
  // At a `#` that begins a tagged literal: steps over the tag, and gives it. False when it is something else
  // (a set, …), and nothing was read.
  bool tag(std::string_view& out);
  // A keyword, symbol or string as its name; `out` lives until the next call.
  bool name(std::string_view& out);

  [[nodiscard]] bool ok() const { return problem_.empty(); }
  [[nodiscard]] const std::string& problem() const { return problem_; }
  // Where the scanner stands, or where the problem is.
  [[nodiscard]] std::size_t offset() const { return at_; }
  bool complain(std::string what);

 private:
  bool form(ValueId* out);
  bool dispatch(ValueId* out);
  bool sequence(char closing, ValueId* out, bool set);
  bool map(ValueId* out, std::string_view prefix);
  bool string();
  bool escape();
  bool character(ValueId* out);
  bool symbol(std::string_view& out);
  bool number(ValueId* out);
  bool integer_text(std::string_view text, ValueId* out);
  void give(ValueId* out, ValueId id) const {
    if (out != nullptr) *out = id;
  }
  [[nodiscard]] std::string found() const;

  static constexpr int kMaxDepth = 500;  // within what our JSON reader takes
  std::string_view text_;
  ValueTable& values_;
  std::size_t at_ = 0;
  int depth_ = 0;
  std::string buffer_;
  std::string problem_;
};

}  // namespace ordeal
