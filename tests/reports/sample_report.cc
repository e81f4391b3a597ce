// Writes reports to be looked at in a browser, of a made-up run or of any history:
//   sample_report OUT_DIR [operations] [invalid|valid|unknown] [hostile]
//   sample_report OUT_DIR history FILE CHECKER [MODEL]
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "checkers/catalogue.h"
#include "checkers/history/reader.h"
#include "tests/reports/synthetic.h"

namespace {

int write_all(const ordeal::ReportInput& input, const std::string& out) {
  std::filesystem::create_directories(out);
  const auto written = ordeal::write_html_report(input, out + "/report.html", out + "/anomalies");
  if (!written) {
    std::fprintf(stderr, "%s\n", written.error().message.c_str());
    return 3;
  }
  std::ofstream(out + "/results.json") << ordeal::results_value(input).to_json() << '\n';
  std::ofstream(out + "/junit.xml") << ordeal::junit_xml(input);
  return 0;
}

int check_file(const std::string& out, const std::string& file, const std::string& checker_name,
               const std::string& model) {
  const auto checker = ordeal::find_checker(checker_name);
  if (!checker) {
    std::fprintf(stderr, "%s\n", checker.error().message.c_str());
    return 64;
  }
  const auto read = ordeal::read_history_file(file);
  if (!read) {
    std::fprintf(stderr, "%s\n", read.error().message.c_str());
    return 64;
  }
  ordeal::CheckOptions options;
  options.model = model;
  options.timeout = std::chrono::seconds(60);
  ordeal::ReportInput input;
  input.history = &read->history;
  input.results.push_back((*checker)->check(read->history, options));
  input.verdict = input.results[0].verdict;
  input.title = std::filesystem::path(file).filename();
  input.command = "ordeal check " + file + (model.empty() ? "" : " --model " + model);
  return write_all(input, out);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fputs(
        "usage: sample_report OUT_DIR [operations] [invalid|valid|unknown] [hostile]\n"
        "       sample_report OUT_DIR history FILE CHECKER [MODEL]\n",
        stderr);
    return 64;
  }
  const std::string out = argv[1];
  if (argc >= 5 && std::string(argv[2]) == "history") return check_file(out, argv[3], argv[4], argc > 5 ? argv[5] : "");
  ordeal::SyntheticOptions options;
  if (argc > 2) options.operations = std::strtoull(argv[2], nullptr, 10);
  if (argc > 3) {
    const std::string verdict = argv[3];
    options.verdict = verdict == "valid"     ? ordeal::Verdict::valid
                      : verdict == "unknown" ? ordeal::Verdict::unknown
                                             : ordeal::Verdict::invalid;
  }
  options.hostile = argc > 4;
  const auto run = ordeal::synthetic_run(options);
  return write_all(run.input, out);
}
