// The manual page, in roff.

#include <fmt/format.h>

#include "cli/command_help.h"
#include "reports/text.h"

namespace ordeal::cli {
namespace {

// Text that roff takes for text: no escapes, no requests, hyphens that can be searched for, letters beyond ASCII by
// their numbers.
std::string plain(const std::string& text) {
  std::string out;
  bool line_begins = true;
  for (std::size_t at = 0; at < text.size();) {
    const char32_t c = next_code_point(text, at);
    if (line_begins && (c == '.' || c == '\'')) out += "\\&";
    line_begins = c == '\n';
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else if (c > 0x7E) {
      out += fmt::format("\\[u{:04X}]", static_cast<std::uint32_t>(c));
    } else {
      out += static_cast<char>(c);
    }
  }
  return out;
}

std::string option_entry(const OptionHelp& option) {
  std::string head = option.flag.empty() ? "" : "\\fB" + plain(option.flag) + "\\fR";
  if (!option.placeholder.empty()) head += (head.empty() ? "" : " ") + ("\\fI" + plain(option.placeholder) + "\\fR");
  std::string out = ".TP\n" + head + "\n" + plain(option.help);
  if (!option.default_text.empty()) out += "; default: " + plain(option.default_text);
  return out + "\n";
}

std::string section(const CommandHelp& command, const std::string& prefix) {
  const std::string name = prefix + command.name;
  std::string out = fmt::format(".SS \"{}\"\n{}.\n", plain(name), plain(command.help));
  for (const auto& option : command.options) {
    if (option.flag != "--help") out += option_entry(option);
  }
  for (const auto& sub : command.commands) out += section(sub, name + " ");
  return out;
}

}  // namespace

std::string manual_page(const CommandHelp& program, const std::string& version) {
  std::string out = fmt::format(
      ".TH ORDEAL 1 \"\" \"{0} {1}\" \"User Commands\"\n.SH NAME\n{0} \\- test harness and "
      "consistency checker for distributed systems\n",
      program.name, plain(version));
  out += fmt::format(".SH SYNOPSIS\n.B {}\n.I COMMAND\n.RI [ OPTION ]...\n", program.name);
  out += ".SH DESCRIPTION\n" + plain(program.help) + "\n.SH COMMANDS\n";
  for (const auto& command : program.commands) out += section(command, "");
  out +=
      ".SH EXIT STATUS\n"
      ".TP\n0\nvalid, or done\n"
      ".TP\n1\nan anomaly was found\n"
      ".TP\n2\ninconclusive: no verdict, and the reason\n"
      ".TP\n3\nthe run itself failed: nodes, target, network\n"
      ".TP\n64\nwrong usage or unreadable input\n"
      ".PP\nOf several results the worst counts: 1 before 64, 3, 2, 0. With \\fB\\-\\-json\\fR standard output is "
      "exactly "
      "one JSON document, also after an error.\n"
      ".SH ENVIRONMENT\n"
      ".TP\nNO_COLOR\nno colours\n"
      ".TP\nORDEAL_RUNTIME_DIR\nwhere local nodes keep what they need while they are up\n"
      ".SH FILES\n"
      ".TP\n\\fIstore/NAME/TIME/\\fR\na run: plan.json, history.jsonl, results.json, report.html, junit.xml, "
      "ordeal.log\n"
      ".TP\n\\fIstore/latest\\fR\nthe newest one\n"
      ".SH EXAMPLES\n"
      ".nf\nordeal run \\-\\-target memory \\-\\-time\\-limit 5\n"
      "ordeal run \\-\\-target etcd \\-\\-nodes local:5 \\-\\-nemesis partition,kill \\-\\-time\\-limit 60\n"
      "ordeal check history.edn \\-\\-model register\n"
      "ordeal report store/latest\n.fi\n";
  return out;
}

}  // namespace ordeal::cli
