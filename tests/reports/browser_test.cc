// Opens reports in a real browser where there is one: the script must unpack the operations and reach its end, and a
// hostile database must not get a word in. Skipped, saying so, without Chromium.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "tests/reports/synthetic.h"

namespace ordeal {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string output_of(const std::string& command) {
  std::string out;
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return out;
  char buffer[65536];
  for (std::size_t n = 0; (n = fread(buffer, 1, sizeof buffer, pipe)) > 0;) out.append(buffer, n);
  pclose(pipe);
  return out;
}

class Browser : public ::testing::Test {
 protected:
  void SetUp() override {
    program_ = output_of("command -v chromium || command -v google-chrome");
    while (!program_.empty() && program_.back() == '\n') program_.pop_back();
    if (program_.empty()) GTEST_SKIP() << "no chromium on this machine: the report's scripts were not tried";
    std::string pattern = (std::filesystem::temp_directory_path() / "ordeal-browser-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }
  void TearDown() override {
    std::error_code ignored;
    if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
  }
  // The page's elements after its scripts ran.
  std::string opened(const ReportInput& input, const std::string& fragment = "") {
    const std::string file = folder_ / "report.html";
    EXPECT_TRUE(write_html_report(input, file, ""));
    return output_of("timeout 60 " + program_ +
                     " --headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
                     "--disable-background-networking --disable-component-update --disable-sync --user-data-dir=" +
                     (folder_ / "profile").string() + " --virtual-time-budget=8000 --dump-dom 'file://" + file +
                     fragment + "' 2>/dev/null");
  }

  std::string program_;
  std::filesystem::path folder_;
};

TEST_F(Browser, UnpacksAndShowsTheOperations) {
  const std::string page = opened(synthetic_run().input);
  EXPECT_THAT(page, HasSubstr("data-ready=\"yes\""));
  EXPECT_THAT(page, HasSubstr("2,000 operations"));
  EXPECT_THAT(page, Not(HasSubstr("<p class=\"note\">The operations could not")));
}

TEST_F(Browser, HostileDataStaysText) {
  SyntheticOptions options;
  options.hostile = true;
  const std::string page = opened(synthetic_run(options).input);
  EXPECT_THAT(page, HasSubstr("data-ready=\"yes\""));
  EXPECT_THAT(page, HasSubstr("<title>invalid: etcd register</title>"));
  EXPECT_THAT(page, Not(HasSubstr("<img")));
  EXPECT_THAT(page, Not(HasSubstr("<svg onload")));
}

TEST_F(Browser, ManagesWithoutTimesFaultsAndAnomalies) {
  SyntheticOptions options;
  options.times = false;
  options.faults = false;
  options.verdict = Verdict::valid;
  const auto run = synthetic_run(options);
  ReportInput bare;
  bare.history = run.history.get();
  EXPECT_THAT(opened(bare), HasSubstr("data-ready=\"yes\""));
}

}  // namespace
}  // namespace ordeal
