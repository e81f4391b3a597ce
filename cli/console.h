#pragma once
// What people see on a terminal. Standard output carries results (with --json exactly one document); everything else
// goes to standard error. Colour and progress only on a terminal, and no colour when NO_COLOR is set.
//
// Thread-safety: the functions lock standard error line by line.

#include <string>
#include <string_view>

#include "base/error.h"
#include "checkers/interfaces/checker.h"

namespace ordeal::cli {

enum class Colour { none, red, green, yellow, bold, dim };

[[nodiscard]] bool is_terminal(int fd);
// `text` in colour when `fd` is a terminal that wants it.
[[nodiscard]] std::string coloured(std::string_view text, Colour colour, int fd);
// VALID, ANOMALY, UNKNOWN.
[[nodiscard]] std::string banner(Verdict verdict, int fd);

// One line on standard error.
void say(std::string_view line);
// "ordeal: <message>" on standard error.
void complain(const Error& error);

// A line on standard error that is drawn over by the next one; does nothing when that is no terminal.
void progress(std::string_view line);
void end_progress();

}  // namespace ordeal::cli
