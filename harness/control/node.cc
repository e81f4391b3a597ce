#include "harness/control/node.h"

namespace ordeal {

Result<std::string> run_ok(Node& node, const Command& command) {
  auto output = node.run(command);
  if (!output) return fail(output.error());
  if (output->exit_code == 0) return std::move(output->out);
  std::string_view complaint = output->err.empty() ? output->out : output->err;
  while (!complaint.empty() && (complaint.back() == '\n' || complaint.back() == ' ')) complaint.remove_suffix(1);
  static constexpr std::size_t kShown = 600;
  if (complaint.size() > kShown) complaint.remove_prefix(complaint.size() - kShown);
  std::string script = command.script.substr(0, 200);
  return fail(ErrorCode::remote, node.name() + ": exit code " + std::to_string(output->exit_code) + " from `" + script +
                                     "`: " + std::string(complaint));
}

std::string shell_quote(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  out += '\'';
  return out;
}

std::string shell_word(std::string_view text) {
  static constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,-_/:";
  return !text.empty() && text.find_first_not_of(kPlain) == std::string_view::npos ? std::string(text)
                                                                                   : shell_quote(text);
}

}  // namespace ordeal
