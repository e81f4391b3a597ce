#pragma once
// What people see on a terminal. Standard output carries results (with --json exactly one document); everything else
// goes to standard error. Colour and progress only on a terminal, and no colour when NO_COLOR is set. What comes from a
// history, a target, a node or a file is shown, never obeyed: all that is written here is made visible (base/text.h),
// but for our own colours.
//
// Thread-safety: the functions lock standard error line by line.

#include <string>
#include <string_view>

#include "base/error.h"
#include "checkers/interfaces/checker.h"
#include "session/observer.h"

namespace ordeal::cli {

enum class Colour { none, red, green, yellow, bold, dim };

[[nodiscard]] bool is_terminal(int fd);
// `text` in colour when `fd` is a terminal that wants it.
[[nodiscard]] std::string coloured(std::string_view text, Colour colour, int fd);
// VALID, ANOMALY, UNKNOWN.
[[nodiscard]] std::string banner(Verdict verdict, int fd);

// On standard output.
void print(std::string_view text);
// The exit code of a command when what it printed is on its way: when standard output could not be written (a full
// disk), complains and puts `run failed` in the place of `valid`. A reader who went away is none of our business.
[[nodiscard]] int delivered(int code);

// One line on standard error.
void say(std::string_view line);
// "ordeal: <message>" on standard error.
void complain(const Error& error);

// A line on standard error that is drawn over by the next one; does nothing when that is no terminal.
void progress(std::string_view line);
void end_progress();

// What a session says, on standard error. Where no progress is drawn, what follows the main phase is told line by line.
class Terminal final : public RunObserver {
 public:
  void remark(std::string_view line) override;
  void stage(std::string_view what) override;
  void progress(const Progress& now) override;

 private:
  std::string phase_;  // of the last progress
};

// What --json prints when there is no result: {"verdict":"unknown","error":…,"reason":…}.
[[nodiscard]] Value error_document(const Error& error);
// Complains and, with `json`, prints the error_document(). Returns the exit code.
[[nodiscard]] int refuse(const Error& error, bool json);

}  // namespace ordeal::cli
